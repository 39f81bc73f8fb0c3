"""Way 1, events, as in JsSIP: call somebody, and answer who calls meanwhile.

python -m examples.events ws://127.0.0.1:8080/ [TARGET]      (alice, password secret; calls 600 unless told otherwise)
"""

import asyncio
import sys

from sipua import UA, RTCSession, events


async def main(url: str, target: str = "600") -> None:
    over = asyncio.Event()
    ua = UA("sip:alice@example.com", sockets=url, password="secret")

    def new_rtc_session(event: events.NewRTCSession) -> None:
        session: RTCSession = event.session
        if event.originator == "remote":
            print(f"{session.remote_identity} calls")
            session.answer(echo=True)
            return

        async def confirmed(event: events.Confirmed) -> None:
            print("answered; hanging up in two seconds")
            await asyncio.sleep(2)
            session.terminate()

        def ended(event: events.Ended) -> None:
            print(
                f"ended by {event.originator}: {event.cause}, {session.stats().packets_received} packets heard"
            )
            over.set()

        session.on("progress", lambda event: print(f"{event.response.code} {event.response.phrase}"))
        session.on("confirmed", confirmed)
        session.on("ended", ended)
        session.on("failed", failed)

    def failed(event: events.Failed | events.RegistrationFailed) -> None:
        print(f"failed: {event.cause}")
        over.set()

    ua.on("new_rtc_session", new_rtc_session)
    ua.on("connected", lambda event: print(f"connected to {event.url}"))
    ua.on("registration_failed", failed)
    ua.once("registered", lambda event: ua.call(target))

    ua.start()
    await over.wait()
    await ua.stop()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
