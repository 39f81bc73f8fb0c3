"""Digits and other messages in a call: alice types, bob reads.

python -m examples.digits ws://127.0.0.1:8080/      (alice and bob, password secret)
"""

import asyncio
import sys

from sipua import UA, SignallingOnlyMedia, events


async def main(url: str) -> None:
    # Media that only signals: digits go by INFO. With real media they go as named events in the audio (RFC 4733).
    async with (
        UA("sip:alice@example.com", sockets=url, password="secret", media=SignallingOnlyMedia) as alice,
        UA("sip:bob@example.com", sockets=url, password="secret", media=SignallingOnlyMedia) as bob,
    ):

        def digit(event: events.NewDTMF) -> None:
            if event.originator == "remote":
                print(f"{event.tone} for {event.duration} ms by {event.transport}")

        def info(event: events.NewInfo) -> None:
            if event.originator == "remote":
                print(f"{event.content_type}: {event.body.decode()}")

        def take(event: events.NewRTCSession) -> None:
            event.session.on("new_dtmf", digit)
            event.session.on("new_info", info)
            event.session.answer()

        bob.on("new_rtc_session", take)
        async with alice.call("bob") as call:
            await call.send_dtmf("1#", duration=120, inter_tone_gap=100)  # done when the last one is out
            await call.send_info("text/plain", "the door, please")  # done when bob's 200 is here
            try:
                call.send_dtmf("one")
            except ValueError as error:
                print(error)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
