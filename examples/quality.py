"""How a call sounds, every two seconds, and its packets in a file for Wireshark.

python -m examples.quality ws://127.0.0.1:8080/ [TARGET]   (alice, password secret; calls 600 unless told otherwise)
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from sipua import UA
from sipua.events import Stats

SPEECH = Path(__file__).parent / "audio" / "speech.wav"


def tell(event: Stats) -> None:
    received = event.stats.audio.received
    print(f"{received.packets} packets, {received.lost} lost, jitter {1000 * received.jitter:.1f} ms", end="")
    if event.quality is not None:
        print(f", R {event.quality.r_factor:.0f}, MOS {event.quality.mos:.2f}", end="")
    print()


async def main(url: str, target: str = "600") -> dict[str, Any]:
    options = {"stats_interval": 2.0, "capture": "quality.pcap"}
    async with UA("sip:alice@example.com", sockets=url, password="secret", media_options=options) as ua:
        call = ua.call(target, record="quality.wav", event_handlers={"stats": tell})
        async with call:
            await call.audio.play(SPEECH).wait()
    return call.stats().as_dict()


if __name__ == "__main__":
    figures = asyncio.run(main(*sys.argv[1:3]))
    Path("quality.json").write_text(json.dumps(figures, indent=2))
