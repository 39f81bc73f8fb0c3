"""A conference bridge: all who call alice hear each other, and it is recorded.

python -m examples.conference ws://127.0.0.1:8080/ [room.wav]      (alice, password secret)
"""

import asyncio
import contextlib
import sys

from sipua import UA, CallFailed, Conference, RTCSession, Tone, events

GREETING = Tone(523.0, 659.0, seconds=0.3)  # or a file
CHIME = Tone(1568.0, seconds=0.15, level=-26)


async def main(url: str, recording: str = "room.wav") -> None:
    async with (
        UA("sip:alice@example.com", sockets=url, password="secret") as ua,
        Conference(record=recording, max_members=20) as room,
    ):

        def speaker(event: events.SpeakerChanged) -> None:
            who = event.member.call.remote_identity.uri if event.member else "nobody"
            print(f"{who} is speaking")

        def left(event: events.MemberLeft) -> None:
            print(f"{event.member.call.remote_identity.uri} has left, {len(room)} in the room")

        async def come_in(event: events.NewRTCSession) -> None:
            call: RTCSession = event.session
            with contextlib.suppress(CallFailed):  # who gives up while we answer
                await call.answer()
                room.play(CHIME)  # all who are there hear that somebody comes
                room.join(call)
                room.play(GREETING, to=call)  # the new one alone hears this
                print(f"{call.remote_identity.uri} has come, {len(room)} in the room")

        room.on("speaker", speaker)
        room.on("left", left)
        ua.on("new_rtc_session", come_in)
        print("waiting for calls")
        await asyncio.Event().wait()


if __name__ == "__main__":
    try:
        asyncio.run(main(*sys.argv[1:3]))
    except KeyboardInterrupt:
        print("bye")
