"""Where JsSIP 3.13.8 goes wrong below SIP: connections that hang, and dead ones that nobody notices."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sipua import UA
from sipua.media import SignallingOnlyMedia
from sipua.testing import MemoryConnection, MemoryNetwork

FIRST, SECOND = "ws://first.invalid/", "ws://second.invalid/"


def _pongs(connection: MemoryConnection) -> None:
    """A server that does nothing but answer keep-alives."""
    connection.on_message = lambda data: connection.send("\r\n")


def _agent(network: MemoryNetwork, *urls: str, **options: Any) -> UA:
    sockets = [(network.connector(url), 10 - number) for number, url in enumerate(urls)]
    for connector, weight in sockets:
        connector.weight = weight
    return UA(
        "sip:alice@example.com",
        sockets=[connector for connector, _ in sockets],
        register=False,
        media=SignallingOnlyMedia,
        **options,
    )


async def test_mistake_11_connect_time_out() -> None:
    """No time limit on connecting: a server that never answers must not be waited for when there is another."""
    network = MemoryNetwork()
    network.listen(FIRST, _pongs).ignore()
    network.listen(SECOND, _pongs)
    async with _agent(network, FIRST, SECOND) as ua:
        assert ua.is_connected()
        assert asyncio.get_running_loop().time() < 30


async def test_mistake_11_keep_alive() -> None:
    """No keep-alive: a connection that died without a word must be noticed, and made anew."""
    network = MemoryNetwork()
    server = network.listen(FIRST, _pongs)
    async with _agent(network, FIRST, keep_alive_interval=25.0) as ua:
        lost: list[float] = []
        loop = asyncio.get_running_loop()
        ua.on("disconnected", lambda event: lost.append(loop.time()))
        await asyncio.sleep(300)
        assert not lost
        network.down.blackhole = True
        dead = loop.time()
        await asyncio.sleep(60)
        assert lost[0] - dead == pytest.approx(25, abs=15)
        network.down.blackhole = False
        await asyncio.sleep(60)
        assert ua.is_connected()
        assert len(server.connections) == 1
