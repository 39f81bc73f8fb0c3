"""A trace of all that a user agent does, and of one call of it a page for the browser and packets for Wireshark.

python -m examples.trace ws://127.0.0.1:8080/ [TARGET]   (alice, password secret; calls 600 unless told otherwise)
"""

import asyncio
import sys

from sipua import UA
from sipua.media.sources import Tone
from sipua.trace import Trace, TracedMessage, read_trace, records_of_call, write_page, write_pcap
from sipua.trace.ladder import ladder


async def main(url: str, target: str = "600") -> str:
    ua = UA("sip:alice@example.com", sockets=url, password="secret")
    with Trace("alice.trace") as trace:
        trace.follow(ua)
        async with ua, ua.call(target, audio=Tone(440), record="trace.wav") as call:
            await asyncio.sleep(2)
            await call.hold()
    return call.request.call_id


def show(call_id: str) -> None:
    records = records_of_call(read_trace("alice.trace").records, call_id)
    print(ladder(records))
    write_page(records, "call.html", title="A call that was put on hold")
    count = write_pcap([record for record in records if isinstance(record, TracedMessage)], "call.pcap")
    print(f"{count.messages} messages, {len(records)} records")


if __name__ == "__main__":
    show(asyncio.run(main(*sys.argv[1:3])))
