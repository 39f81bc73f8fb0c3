"""Renegotiation with real media: two user agents, aiortc on loopback, the real clock."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from sipua import UA, RequestFailed, RTCSession
from tests.media.calls import LOOPBACK, SPEECH, until
from tests.session.test_properties import End

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.realtime

QUIET_NETWORK = {"delay": 0.0, "duplicate": 0.0}


@asynccontextmanager
async def call(**more: object) -> AsyncIterator[tuple[RTCSession, RTCSession]]:
    """Both sides of a call in which both talk."""
    ends = End(random.Random(0), QUIET_NETWORK), End(random.Random(0), QUIET_NETWORK)
    ends[0].other, ends[1].other = ends[1], ends[0]
    options = {"audio": SPEECH, "ice_host_addresses": LOOPBACK, **more}
    calls: list[RTCSession] = []
    async with (
        UA("sip:alice@example.com", sockets=ends[0], register=False, media_options=options) as alice,
        UA("sip:bob@example.com", sockets=ends[1], register=False, media_options=options) as bob,
    ):
        bob.on("new_rtc_session", lambda event: (calls.append(event.session), event.session.answer()))
        async with alice.call("bob") as out:
            await calls[0].wait_confirmed()
            await until(lambda: out.stats().packets_received > 3 and calls[0].stats().packets_received > 3)
            yield out, calls[0]


async def heard(call: RTCSession, seconds: float = 0.3) -> int:
    """How many packets come in that time, after those that were under way."""
    await asyncio.sleep(0.1)
    before = call.stats().packets_received
    await asyncio.sleep(seconds)
    return call.stats().packets_received - before


def connections(*sessions: RTCSession) -> list[object]:
    """What stays when another path is found: a connection is one DTLS association."""
    return [session.media.connection for session in sessions]  # type: ignore[union-attr]


@pytest.mark.parametrize("use_update", [False, True])
async def test_hold_by_either_side_and_both(use_update: bool) -> None:
    async with call() as (one, other):
        await one.hold(use_update=use_update)
        assert (one.is_on_hold()["local"], other.is_on_hold()["remote"]) == (True, True)
        assert await heard(one) == 0
        await other.hold(use_update=use_update)
        assert await heard(other) == 0
        await one.unhold(use_update=use_update)
        await other.unhold(use_update=use_update)
        assert await heard(one) > 5
        assert await heard(other) > 5
        assert one.is_on_hold() == other.is_on_hold() == {"local": False, "remote": False}


async def test_refused_hold_goes_on_talking() -> None:
    async with call() as (one, other):
        other.on("reinvite", lambda event: event.reject(status_code=488))
        with pytest.raises(RequestFailed, match="488"):
            await one.hold()
        assert await heard(one) > 5
        assert await heard(other) > 5
        other.off("reinvite", other._handlers["reinvite"][0][0])
        await one.hold()
        assert await heard(one) == 0


async def test_both_hold_at_once() -> None:
    async with call() as (one, other):
        await asyncio.gather(one.hold(), other.hold())
        assert one.is_on_hold() == other.is_on_hold() == {"local": True, "remote": True}
        assert await heard(one) == await heard(other) == 0


async def test_another_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Alice's address goes away, and with it her connection; the call goes on from another one."""
    addresses = ["127.0.0.1"]
    monkeypatch.setattr("sipua.media.gathering.host_addresses", lambda: list(addresses))
    async with call(ice_host_addresses=None) as (one, other):
        before = connections(one, other)
        addresses[:] = ["127.0.0.2"]
        one._host.endpoint.transport.give_up("the network is another one")  # type: ignore[attr-defined]
        await until(lambda: " 127.0.0.2 " in (other.media.remote_description or ""), 10)  # type: ignore[union-attr]
        await until(lambda: one.stats().local_candidate.startswith("host 127.0.0.2"))  # type: ignore[union-attr]
        await until(lambda: one.media.state == "connected" and other.media.state == "connected")  # type: ignore[union-attr]
        assert await heard(one) > 5
        assert await heard(other) > 5
        assert connections(one, other) == before


async def test_another_network_when_the_path_is_dead() -> None:
    """It has failed before anybody looks for another one."""
    async with call(silence_timeout=0.5, failure_timeout=0.3) as (one, other):
        before = connections(one, other)
        states: list[str] = []
        one.on("ice_connection_state", lambda event: states.append(event.state))
        gathering = one.media._leg.gathering  # type: ignore[union-attr]
        gathering._hosts = frozenset({"192.0.2.1"})  # such an address is not here any more
        for session in (one, other):
            for protocol in session.media._leg._ice._protocols:  # type: ignore[union-attr]
                protocol.transport.abort()
        await until(lambda: "disconnected" in states and states[-1] == "connected", 10)
        assert await heard(one) > 5
        assert await heard(other) > 5
        assert connections(one, other) == before


async def test_new_path_and_an_offer_by_the_peer() -> None:
    async with call() as (one, other):
        before = connections(one, other)
        await one.renegotiate(ice_restart=True)
        assert await heard(one) > 5
        assert await heard(other) > 5
        await other.renegotiate(late_offer=True)
        assert await heard(one) > 5
        assert await heard(other) > 5
        assert connections(one, other) == before


async def test_both_look_for_a_new_path_at_once() -> None:
    async with call() as (one, other):
        before = connections(one, other)
        paths = [session.stats().local_candidate for session in (one, other)]
        await asyncio.gather(one.renegotiate(ice_restart=True), other.renegotiate(ice_restart=True))
        await until(lambda: one.stats().local_candidate not in paths)
        await until(lambda: other.stats().local_candidate not in paths)
        assert await heard(one) > 5
        assert await heard(other) > 5
        assert connections(one, other) == before


async def test_a_new_path_that_is_refused() -> None:
    async with call() as (one, other):
        other.on("reinvite", lambda event: event.reject(status_code=488))
        before = connections(one, other), one.stats().local_candidate
        with pytest.raises(RequestFailed, match="488"):
            await one.renegotiate(ice_restart=True)
        assert await heard(one) > 5
        assert await heard(other) > 5
        assert (connections(one, other), one.stats().local_candidate) == before
