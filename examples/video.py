"""Video in a call: bob shows a test pattern when alice asks for video, and she takes a picture of it.

python -m examples.video ws://127.0.0.1:8080/      (writes picture.png; alice and bob, password secret)
"""

import asyncio
import sys
from pathlib import Path

from sipua import UA, MediaNegotiationError, RTCSession, TestPattern, events


async def main(url: str, picture: Path) -> None:
    async with (
        UA("sip:alice@example.com", sockets=url, password="secret") as alice,
        UA("sip:bob@example.com", sockets=url, password="secret") as bob,
    ):
        incoming: asyncio.Future[RTCSession] = asyncio.get_running_loop().create_future()

        def take(event: events.NewRTCSession) -> None:
            event.session.answer()  # with video=… it would be a video call from the beginning
            incoming.set_result(event.session)

        bob.on("new_rtc_session", take)
        async with alice.call("bob") as call:
            at_bobs = await incoming
            try:
                await call.add_video()
            except MediaNegotiationError as error:
                print(f"{error}, and the call goes on: {call.directions()}")

            at_bobs.accept_video(TestPattern(320, 240, rate=15))
            await call.add_video(direction="recvonly")
            print("agreed:", call.directions())
            frame = await call.video.frame()
            await asyncio.to_thread(picture.write_bytes, await call.video.snapshot())
            print(f"bob shows {frame.width} × {frame.height}, and it moves")

            await call.hold()
            print("on hold:", call.directions())
            await call.unhold()
            await at_bobs.remove_video()
            print("without it:", call.directions())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path("picture.png")))
