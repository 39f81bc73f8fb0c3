"""Hold, and other changes to a call that is up: alice and bob, and both may say what they want.

python -m examples.hold ws://127.0.0.1:8080/      (alice and bob, password secret)
"""

import asyncio
import sys

from sipua import UA, RequestFailed, RTCSession, SignallingOnlyMedia, events


def told(who: str, call: RTCSession) -> None:
    call.on("hold", lambda event: print(f"{who}: hold, by {event.originator}"))
    call.on("unhold", lambda event: print(f"{who}: unhold, by {event.originator}"))


async def main(url: str) -> None:
    # Media that only signals, since there is nothing to hear; leave it out for a real call.
    async with (
        UA("sip:alice@example.com", sockets=url, password="secret", media=SignallingOnlyMedia) as alice,
        UA("sip:bob@example.com", sockets=url, password="secret", media=SignallingOnlyMedia) as bob,
    ):
        incoming: asyncio.Future[RTCSession] = asyncio.get_running_loop().create_future()

        def take(event: events.NewRTCSession) -> None:
            told("bob", event.session)
            event.session.answer()
            incoming.set_result(event.session)

        bob.on("new_rtc_session", take)
        async with alice.call("bob") as call:
            told("alice", call)
            at_bobs = await incoming

            await call.hold()  # done when bob has agreed
            await at_bobs.hold()  # each side holds for itself
            print("alice's view:", call.is_on_hold())
            await call.unhold()
            await at_bobs.unhold()

            # Whoever does not like an offer refuses it; then all is as it was.
            at_bobs.on("reinvite", lambda event: event.reject(status_code=488))
            try:
                await call.renegotiate(direction="recvonly")
            except RequestFailed as error:
                print(f"refused with {error.status_code}, and the call goes on: {call.is_established()}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
