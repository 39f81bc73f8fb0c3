"""Way 2, awaitables and context managers: play a file into a call, send digits, record what comes back.

python -m examples.awaitable ws://127.0.0.1:8080/ [TARGET]   (alice, password secret; calls 600 unless told otherwise)
"""

import asyncio
import sys
from pathlib import Path

from sipua import UA, CallBusy, CallFailed

SPEECH = Path(__file__).parent / "audio" / "speech.wav"


async def main(url: str, target: str = "600") -> None:
    async with UA("sip:alice@example.com", sockets=url, password="secret") as ua:  # entered when registered
        try:
            async with ua.call(target, record="awaitable.wav") as call:  # entered when answered
                await call.audio.play(SPEECH).wait()
                await call.send_dtmf("12#")
                stats = call.stats()
                print(f"{stats.codec}: {stats.packets_sent} packets sent, {stats.packets_received} received")
        except CallBusy:
            print(f"{target} is busy")
        except CallFailed as error:
            print(f"{target}: {error} (status {error.status_code})")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
