"""Candidates by INFO through a real proxy, and a full-trickle offer to a server that knows nothing of it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Any

from sipua.bodies import TrickleFragment
from sipua.sip import Request, parse_message
from tests.interop.test_calls import registered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sipua import UA
    from sipua.events import NewRTCSession
    from tests.lab.peers import AsteriskPeer, KamailioPeer


@contextlib.contextmanager
def dead_stun() -> Iterator[str]:
    """A STUN server that takes everything and never answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as dead:
        dead.bind(("127.0.0.1", 0))
        yield f"stun:127.0.0.1:{dead.getsockname()[1]}"


def requests_of(ua: UA, *methods: str) -> list[tuple[str, Request]]:
    """The requests of these methods on the wire of `ua` from now on, with ``in`` or ``out``."""
    found: list[tuple[str, Request]] = []

    def trace(direction: str, data: str | bytes) -> None:
        message = parse_message(data)
        if isinstance(message, Request) and message.method in methods:
            found.append((direction, message))

    ua.trace(trace)
    return found


async def until(condition: Any, timeout: float = 8.0) -> None:
    async with asyncio.timeout(timeout):
        while not condition():  # noqa: ASYNC110 - counted on the wire
            await asyncio.sleep(0.02)


async def test_full_trickle_through_a_proxy(kamailio: KamailioPeer) -> None:
    """The call is up before the search for candidates ends; its end is told both ways."""
    with dead_stun() as url:
        media = {"ice_servers": [url], "ice_gathering_timeout": 2.0, "trickle_ice": "full"}
        async with (
            registered(kamailio, "alice", media_options=media) as alice,
            registered(kamailio, "bob", media_options=media) as bob,
        ):
            infos = requests_of(alice, "INFO")

            @bob.on("new_rtc_session")
            def answer(event: NewRTCSession) -> None:
                event.session.answer(echo=True)

            started = asyncio.get_running_loop().time()
            async with alice.call("bob") as call:
                await until(lambda: call.media and call.media.state == "connected")
                assert asyncio.get_running_loop().time() - started < 2.0
                await until(lambda: {direction for direction, _ in infos} == {"in", "out"})
                assert all(TrickleFragment.parse(info.body).media[0].is_complete for _, info in infos)
                assert call.is_established()


async def test_full_trickle_to_a_server_without_it(asterisk: AsteriskPeer) -> None:
    """Asterisk has no Recv-Info: it gets no INFO, and no second offer either, as the path was found."""
    with dead_stun() as url:
        media = {"ice_servers": [url], "ice_gathering_timeout": 1.0, "trickle_ice": "full"}
        async with registered(asterisk, media_options=media) as ua, ua.call("600") as call:
            await until(lambda: call.media and call.media.state == "connected")
            more = requests_of(ua, "INFO", "INVITE")
            await asyncio.sleep(1.5)
            assert more == []
            assert call.is_established()
    await asterisk.idle()
