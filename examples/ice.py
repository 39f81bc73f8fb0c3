"""Candidates one by one: alice calls bob before her STUN server has answered, then once more and does not wait for it.

python -m examples.ice ws://127.0.0.1:8080/      (alice and bob, password secret)
"""

import asyncio
import functools
import sys

from sipua import UA, SignallingOnlyMedia, events

# Media that only signals and finds its second candidate late; for real calls: media_options={"ice_servers": [...]}
FROM_STUN = "candidate:2 1 udp 1694498815 203.0.113.5 6000 typ srflx raddr 192.0.2.1 rport 5000"
MEDIA = functools.partial(SignallingOnlyMedia, late_candidates=[(0.5, FROM_STUN)])


def kind(candidate: str) -> str:
    return candidate.split()[7]


async def trickle(alice: UA) -> None:
    """The INVITE does not wait; what is found later goes to bob by INFO (RFC 8840)."""
    call = alice.call("bob", trickle_ice="full")
    call.on("icecandidate", lambda event: print(f"found: {kind(event.candidate)}"))
    async with call:
        print("the call is up")
        await asyncio.sleep(0.7)


async def enough(alice: UA) -> None:
    """The INVITE waits until all is found, or until `ready` says that this will do."""

    def on_candidate(event: events.IceCandidate) -> None:
        print(f"found: {kind(event.candidate)}, which is enough")
        event.ready()

    async with alice.call("bob", event_handlers={"icecandidate": on_candidate}):
        print("the call is up")


async def main(url: str) -> None:
    async with (
        UA("sip:alice@example.com", sockets=url, password="secret", media=MEDIA) as alice,
        UA("sip:bob@example.com", sockets=url, password="secret", media=SignallingOnlyMedia) as bob,
    ):
        bob.on("new_rtc_session", lambda event: event.session.answer())
        await trickle(alice)
        await enough(alice)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
