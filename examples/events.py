"""Way 1, events, as in JsSIP: call, and answer who calls.

python -m examples.events ws://127.0.0.1:8080/ [TARGET]      (alice, password secret; calls 600 unless told otherwise)
"""

import asyncio
import sys

from sipua import UA, RTCSession, events


async def main(url: str, target: str = "600") -> None:
    over = asyncio.Event()
    ua = UA("sip:alice@example.com", sockets=url, password="secret")

    def progress(event: events.Progress) -> None:
        print(f"{event.response.code} {event.response.phrase}")

    async def confirmed(event: events.Confirmed) -> None:
        print("answered; hanging up in two seconds")
        await asyncio.sleep(2)
        call.terminate()

    def ended(event: events.Ended) -> None:
        print(f"ended by {event.originator}: {event.cause}, {call.stats().packets_received} packets heard")
        over.set()

    def failed(event: events.Failed) -> None:
        print(f"failed: {event.cause}")
        over.set()

    def new_rtc_session(event: events.NewRTCSession) -> None:
        session: RTCSession = event.session
        if event.originator == "remote":
            print(f"{session.remote_identity} calls")
            session.answer(echo=True)

    ua.on("connected", lambda event: print(f"connected to {event.url}"))
    ua.on("registration_failed", lambda event: failed(event))
    ua.on("new_rtc_session", new_rtc_session)

    registered = asyncio.Event()
    ua.on("registered", lambda event: registered.set())
    ua.start()
    await registered.wait()

    call = ua.call(
        target,
        event_handlers={"progress": progress, "confirmed": confirmed, "ended": ended, "failed": failed},
    )
    await over.wait()
    await ua.stop()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
