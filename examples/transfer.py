"""A switchboard: who calls is put through, blindly or after asking; and we go where others send us.

python -m examples.transfer ws://127.0.0.1:8080/ TARGET [--ask]      (alice, password secret)

With --ask the target is called first, and the caller is put through only when it answers (attended transfer).
"""

import asyncio
import sys

from sipua import UA, CallFailed, RTCSession, TransferFailed
from sipua.events import NewRTCSession, Refer, Replaces


async def put_through(ua: UA, caller: RTCSession, target: str, *, ask: bool) -> None:
    try:
        if not ask:
            await caller.refer(target)  # done when the target has answered; the call with us then ends
        else:
            consultation = ua.call(target)
            await consultation.wait_confirmed()
            # ... here the two of us talk about the caller
            await caller.refer(replaces=consultation)  # both our calls end, they talk to each other
        print(f"{caller.remote_identity.uri} is put through to {target}")
    except TransferFailed as error:
        print(f"still with us: {error} (status {error.status_code})")
    except CallFailed as error:
        print(f"{target} does not want to: {error}")


def follow(event: Refer) -> None:
    print(f"we are sent to {event.refer.uri}")
    event.accept()  # returns the new call; event.reject() says no


def let_in(event: Replaces) -> None:
    print(f"{event.request.from_address.uri} takes the caller's place")
    event.accept()


async def main(url: str, target: str, how: str = "") -> None:
    async with UA("sip:alice@example.com", sockets=url, password="secret") as ua:

        async def on_call(event: NewRTCSession) -> None:
            call: RTCSession = event.session
            call.on("refer", follow)
            call.on("replaces", let_in)
            if event.originator == "remote":
                await call.answer()
                await put_through(ua, call, target, ask=how == "--ask")

        ua.on("new_rtc_session", on_call)
        print("waiting for calls")
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
