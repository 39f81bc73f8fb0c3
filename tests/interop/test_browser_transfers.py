"""Transfers with JsSIP and SIP.js, in every role: who transfers, who is transferred, and to whom.

Through Kamailio the ends do it among themselves; Asterisk carries it out itself and connects the two that are left.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from sipua import Cause, TransferFailed
from tests.interop.browser_calls import (
    call_browser,
    called_by_browser,
    expect_both_hear,
    expect_browsers_hear,
    expect_heard,
    next_call,
    registered,
    within,
)

if TYPE_CHECKING:
    from sipua.session.session import RTCSession
    from tests.lab.browsers import Browsers
    from tests.lab.peers import KamailioPeer, Peer


def is_proxy(server: Peer) -> bool:
    """Whether what the ends say to each other gets through."""
    return server.name == "kamailio"


async def test_we_transfer_the_browser_blindly(server: Peer, library: str, browsers: Browsers) -> None:
    async with (
        registered(server, "alice") as alice,
        registered(server, "carol") as carol,
        browsers.phone(library, server, "bob") as bob,
    ):
        coming = next_call(carol)
        call = await call_browser(alice, bob)
        await expect_heard(call, bob)
        transfer = call.refer("carol")
        arrived = await within(coming)
        await within(arrived.answer())
        assert (await within(transfer)).status_code == 200
        await within(call.wait_ended())
        if is_proxy(server):
            await bob.wait("refer")
            assert str(arrived.remote_identity.uri.user) == "bob"
            await bob.wait("ended")
        await expect_both_hear(arrived, bob, 0.6)
        await arrived.terminate()


async def test_the_browser_transfers_us_blindly(server: Peer, library: str, browsers: Browsers) -> None:
    async with (
        registered(server, "alice") as alice,
        browsers.phone(library, server, "bob") as bob,
        browsers.phone(library, server, "carol") as carol,
    ):
        call = await called_by_browser(alice, bob, "alice")
        made: asyncio.Queue[RTCSession] = asyncio.Queue()
        call.on("refer", lambda event: made.put_nowait(event.accept()))
        await expect_heard(call, bob)
        transfer = asyncio.ensure_future(bob.do("refer", "carol"))
        await carol.wait("incoming")
        await carol.do("answer")
        await transfer
        if is_proxy(server):
            await bob.do("hangup")
            over = await within(call.wait_ended())
            assert over.cause is Cause.BYE
            call = made.get_nowait()
        await expect_both_hear(call, carol, 0.6)
        await call.terminate()


async def test_a_transfer_to_nobody_leaves_the_call(
    kamailio: KamailioPeer, library: str, browsers: Browsers
) -> None:
    """The target refuses: the two that talked go on talking. (Asterisk hangs up the one that it has sent away.)"""
    async with (
        registered(kamailio, "alice") as alice,
        registered(kamailio, "carol") as carol,
        browsers.phone(library, kamailio, "bob") as bob,
    ):
        carol.on("new_rtc_session", lambda event: event.session.terminate(status_code=486))
        call = await call_browser(alice, bob)
        with pytest.raises(TransferFailed) as caught:
            await within(call.refer("carol"))
        assert caught.value.status_code == 486
        assert call.is_established()
        await expect_both_hear(call, bob, 0.6)
        await call.terminate()


async def test_we_join_two_browsers(server: Peer, library: str, browsers: Browsers) -> None:
    """We ask the first one to take our place in the call with the second."""
    async with (
        registered(server, "alice") as alice,
        browsers.phone(library, server, "bob") as bob,
        browsers.phone(library, server, "carol") as carol,
    ):
        call = await call_browser(alice, bob)
        await within(call.hold())
        consultation = await call_browser(alice, carol)
        await expect_heard(consultation, carol)
        assert (await within(call.refer(replaces=consultation))).status_code == 200
        for over in await within(asyncio.gather(call.wait_ended(), consultation.wait_ended())):
            assert over.cause is Cause.BYE
        if is_proxy(server):
            await carol.wait("replaces")
        await expect_browsers_hear(bob, carol)


async def test_the_browser_joins_us_and_another(server: Peer, library: str, browsers: Browsers) -> None:
    """The one transferred is us, the one in whose call we take the place is a browser."""
    async with (
        registered(server, "alice") as alice,
        browsers.phone(library, server, "bob") as bob,
        browsers.phone(library, server, "carol") as carol,
    ):
        call = await called_by_browser(alice, bob, "alice")
        made: asyncio.Queue[RTCSession] = asyncio.Queue()
        call.on("refer", lambda event: made.put_nowait(event.accept()))
        await expect_heard(call, bob)
        await bob.do("hold")
        await bob.do("call", "carol")
        await carol.wait("incoming")
        await carol.do("answer")
        await bob.wait("confirmed", 2)
        await carol.wait("confirmed")
        await expect_browsers_hear(bob, carol)
        await bob.do("referAttended")
        if is_proxy(server):
            await carol.wait("replaces")
            await bob.do("hangup", 0)
            over = await within(call.wait_ended())
            assert over.cause is Cause.BYE
            call = made.get_nowait()
        await expect_both_hear(call, carol, 0.6)
        await call.terminate()


async def test_the_browser_joins_another_and_us(server: Peer, library: str, browsers: Browsers) -> None:
    """The one transferred is a browser, which takes the place of the one that we talk to."""
    async with (
        registered(server, "alice") as alice,
        browsers.phone(library, server, "bob") as bob,
        browsers.phone(library, server, "carol") as carol,
    ):
        await bob.do("call", "carol")
        await carol.wait("incoming")
        await carol.do("answer")
        await bob.wait("confirmed")
        await bob.do("hold")
        call = await called_by_browser(alice, bob, "alice", confirmed=2)
        made: asyncio.Queue[RTCSession] = asyncio.Queue()
        call.on("replaces", lambda event: made.put_nowait(event.accept()))
        await expect_heard(call, bob)
        await bob.do("referAttended")
        if is_proxy(server):
            over = await within(call.wait_ended())
            assert over.originator == "local", "the one replaced is hung up by us"
            call = made.get_nowait()
            assert str(call.remote_identity.uri.user) == "carol"
        await expect_both_hear(call, carol, 0.6)
        await call.terminate()
