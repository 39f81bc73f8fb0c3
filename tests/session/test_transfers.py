"""Transfers among three user agents through the embedded server: who talks to whom afterwards (RFC 5359 §2.4–2.6)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from sipua import UA, RTCSession, TransferFailed
from sipua.media import SignallingOnlyMedia
from tests.server.client import ACCOUNTS, running


class Phone:
    """A user agent that takes calls, follows references and lets itself be replaced, unless told otherwise."""

    def __init__(self, ua: UA) -> None:
        self.ua = ua
        self.calls: list[RTCSession] = []
        self.busy = False
        ua.on("new_rtc_session", self._on_call)

    def _on_call(self, event: Any) -> None:
        call = event.session
        self.calls.append(call)
        call.on("refer", lambda event: event.accept())
        call.on("replaces", lambda event: event.accept())
        if event.originator == "remote" and self.busy:
            call.terminate(status_code=486)
        elif event.originator == "remote":
            call.answer()

    def talks_to(self) -> list[str]:
        """The users at the other ends of the calls that are up."""
        return [str(call.remote_identity.uri.user) for call in self.calls if call.is_established()]


@asynccontextmanager
async def phones() -> AsyncIterator[tuple[Phone, Phone, Phone]]:
    async with running() as server, AsyncExitStack() as stack:
        found = []
        for name in ("alice", "bob", "carol"):
            ua = UA(
                f"sip:{name}@example.com",
                sockets=server.connector(),
                password=ACCOUNTS[name],
                media=SignallingOnlyMedia,
            )
            found.append(Phone(await stack.enter_async_context(ua)))
        alice, bob, carol = found
        yield alice, bob, carol


async def quiet(seconds: float = 120) -> None:
    await asyncio.sleep(seconds)


async def test_blind() -> None:
    """RFC 5359 §2.4."""
    async with phones() as (alice, bob, carol):
        call = alice.ua.call("bob")
        await call.wait_confirmed()
        assert (await call.refer("carol")).status_code == 200
        await quiet()
        assert (alice.talks_to(), bob.talks_to(), carol.talks_to()) == ([], ["carol"], ["bob"])
        assert str(carol.calls[0].request.headers["Referred-By"]) == "<sip:alice@example.com>"
        assert alice.ua.counts()["dialogs"] == alice.ua.counts()["transactions"] == 0
        assert bob.ua.counts()["dialogs"] == 1


async def test_blind_by_the_called_side() -> None:
    async with phones() as (alice, bob, carol):
        await alice.ua.call("bob").wait_confirmed()
        await quiet(1)
        await bob.calls[0].refer("sip:carol@example.com")
        await quiet()
        assert (alice.talks_to(), bob.talks_to(), carol.talks_to()) == (["carol"], [], ["alice"])


async def test_blind_to_somebody_busy() -> None:
    async with phones() as (alice, bob, carol):
        carol.busy = True
        call = alice.ua.call("bob")
        await call.wait_confirmed()
        with pytest.raises(TransferFailed, match="486") as caught:
            await call.refer("carol")
        assert caught.value.status_code == 486
        await quiet()
        assert (alice.talks_to(), bob.talks_to(), carol.talks_to()) == (["bob"], ["alice"], [])
        assert alice.ua.counts()["dialogs"] == bob.ua.counts()["dialogs"] == 1


async def test_blind_to_somebody_busy_from_hold() -> None:
    """Held for the transfer, and taken off hold when it fails: both hear each other again."""
    async with phones() as (alice, bob, carol):
        carol.busy = True
        call = alice.ua.call("bob")
        await call.wait_confirmed()
        heard: list[str] = []
        for name in ("hold", "unhold"):
            bob.calls[0].on(name, lambda event, name=name: heard.append(f"{name} {event.originator}"))
        with pytest.raises(TransferFailed, match="486"):
            await call.refer("carol", hold=True)
        await quiet()
        assert heard == ["hold remote", "unhold remote"]
        assert call.is_on_hold() == bob.calls[0].is_on_hold() == {"local": False, "remote": False}
        assert (alice.talks_to(), bob.talks_to(), carol.talks_to()) == (["bob"], ["alice"], [])


async def test_blind_to_nobody() -> None:
    async with phones() as (alice, bob, _):
        call = alice.ua.call("bob")
        await call.wait_confirmed()
        with pytest.raises(TransferFailed, match="404"):
            await call.refer("dave")
        assert (alice.talks_to(), bob.talks_to()) == (["bob"], ["alice"])


async def test_blind_and_gone() -> None:
    """The transferor does not wait for the outcome, and is told it all the same."""
    async with phones() as (alice, bob, carol):
        call = alice.ua.call("bob")
        await call.wait_confirmed()
        transfer = call.refer("carol", event_handlers={"request_succeeded": lambda event: call.terminate()})
        assert (await transfer).status_code == 200
        await quiet()
        assert (alice.talks_to(), bob.talks_to(), carol.talks_to()) == ([], ["carol"], ["bob"])
        assert alice.ua.counts()["dialogs"] == 0


async def test_without_subscription() -> None:
    """RFC 4488."""
    async with phones() as (alice, bob, carol):
        call = alice.ua.call("bob")
        await call.wait_confirmed()
        assert (await call.refer("carol", refer_sub=False)).status_code == 202
        await quiet()
        assert (alice.talks_to(), bob.talks_to(), carol.talks_to()) == ([], ["carol"], ["bob"])


@pytest.mark.parametrize("which", ["first", "second"])
async def test_attended(which: str) -> None:
    """RFC 5359 §2.5, RFC 5589 §7: either of the two calls may be the one that is transferred."""
    async with phones() as (alice, bob, carol):
        first, second = alice.ua.call("bob"), alice.ua.call("carol")
        await first.wait_confirmed()
        await second.wait_confirmed()
        if which == "first":
            await first.refer(replaces=second)
        else:
            await second.refer(replaces=first)
        await quiet()
        assert (alice.talks_to(), bob.talks_to(), carol.talks_to()) == ([], ["carol"], ["bob"])
        assert alice.ua.counts()["dialogs"] == 0
        assert bob.ua.counts()["dialogs"] == carol.ua.counts()["dialogs"] == 1
        assert alice.ua.counts()["sessions"] == 0


async def test_attended_with_a_target_that_refuses() -> None:
    async with phones() as (alice, bob, carol):
        first, second = alice.ua.call("bob"), alice.ua.call("carol")
        await first.wait_confirmed()
        await second.wait_confirmed()
        carol.calls[0]._handlers["replaces"].clear()  # nobody listens
        with pytest.raises(TransferFailed, match="603"):
            await first.refer(replaces=second)
        await quiet()
        assert alice.talks_to() == ["bob", "carol"]
        assert (bob.talks_to(), carol.talks_to()) == (["alice"], ["alice"])


async def test_attended_with_a_consultation_that_ended_meanwhile() -> None:
    """The target hangs up while the REFER is under way: nobody rings it again."""
    async with phones() as (alice, bob, carol):
        first, second = alice.ua.call("bob"), alice.ua.call("carol")
        await first.wait_confirmed()
        await second.wait_confirmed()
        transfer = first.refer(replaces=second)
        carol.calls[0].terminate()
        with pytest.raises(TransferFailed, match="603"):
            await transfer
        await quiet()
        assert (alice.talks_to(), bob.talks_to(), carol.talks_to()) == (["bob"], ["alice"], [])


async def test_outside_of_calls() -> None:
    """Click to dial: one who is in neither call asks for it."""
    async with phones() as (alice, bob, carol):
        bob.ua.on("refer", lambda event: event.accept())
        assert (await alice.ua.refer("bob", "carol")).status_code == 200
        await quiet()
        assert (alice.talks_to(), bob.talks_to(), carol.talks_to()) == ([], ["carol"], ["bob"])
        assert alice.ua.counts()["dialogs"] == 0
        assert bob.ua.counts()["dialogs"] == 1


async def test_transferred_twice() -> None:
    async with phones() as (alice, bob, carol):
        carol.busy = True
        call = alice.ua.call("bob")
        await call.wait_confirmed()
        for _ in range(2):
            with pytest.raises(TransferFailed):
                await call.refer("carol")
        carol.busy = False
        await call.refer("carol")
        await quiet()
        assert (alice.talks_to(), bob.talks_to(), carol.talks_to()) == ([], ["carol"], ["bob"])
