"""Whether a TURN server still has our allocation: asked for real, on loopback."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aioice import turn

from sipua.media import internals, relay
from sipua.media.relay import Relay
from tests.cli.doctor import relay as servers
from tests.cli.doctor.relay import PASSWORD, USER
from tests.media.calls import until

pytestmark = pytest.mark.realtime


async def allocation(where: str, transport: str = "udp") -> Any:
    host, _, port = where.partition(":")
    made, _ = await turn.create_turn_endpoint(
        asyncio.DatagramProtocol, (host, int(port)), USER, PASSWORD, transport=transport
    )
    return made


async def test_a_server_that_has_it_and_one_that_was_restarted() -> None:
    async with servers.relay() as (server, where):
        ours = await allocation(where)
        assert not await internals.allocation_is_lost(ours)
        server.refuse = (403, "Forbidden")
        assert not await internals.allocation_is_lost(ours)
        server.refuse = (437, "Allocation Mismatch")
        assert await internals.allocation_is_lost(ours)
        ours.close()
        await until(lambda: ours._TurnTransport__inner_protocol.transport.is_closing())
        await asyncio.sleep(0)


async def test_a_connection_that_is_gone() -> None:
    async with servers.relay_over_tcp() as (_, where):
        ours = await allocation(where, "tcp")
        assert not await internals.allocation_is_lost(ours)
        ours._TurnTransport__inner_protocol.transport.close()
        assert await internals.allocation_is_lost(ours)
        ours.close()
        await asyncio.sleep(0)


async def test_it_is_asked_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [False, True]
    now = 0.0

    async def is_lost(transport: object) -> bool:
        return answers.pop(0)

    monkeypatch.setattr(internals, "allocation_is_lost", is_lost)
    looked_at = Relay(object(), lambda: now)
    looked_at.close()
    for _ in range(3):
        looked_at.look()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert (looked_at.is_lost, len(answers)) == (False, 1)
    now += relay._INTERVAL
    looked_at.look()
    await until(lambda: looked_at.is_lost)
    now += relay._INTERVAL
    looked_at.look()
    assert answers == []
    looked_at.close()
