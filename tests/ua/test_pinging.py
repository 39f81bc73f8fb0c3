"""OPTIONS that find out whether SIP behind the connection still works."""

from __future__ import annotations

import pytest

from sipua import ConfigurationError
from tests.wire import Wire, user_agent


async def test_any_answer_will_do() -> None:
    wire = Wire()
    async with user_agent(wire, options_interval=30) as ua:
        for code in (200, 404, 503):
            options = await wire.request("OPTIONS")
            assert str(options.uri) == "sip:example.com"
            wire.reply(options, 100)
            wire.reply(options, code)
        await wire.settle(20)
        assert wire.nothing_sent()
        assert ua.is_connected()
        assert wire.connections == 1


async def test_without_an_answer_the_server_is_left() -> None:
    wire = Wire()
    async with user_agent(wire, options_interval=30, keep_alive_interval=None) as ua:
        await wire.request("OPTIONS")
        await wire.settle(30)
        assert wire.connections == 1
        await wire.settle(10)
        assert wire.connections == 2
        assert ua.is_connected()
        wire.reply(await wire.request("OPTIONS"), 200)


async def test_none_while_there_is_no_connection() -> None:
    wire = Wire()
    async with user_agent(wire, options_interval=30):
        await wire.request("OPTIONS")
        wire.cut()
        wire.refuse_connections = True
        await wire.settle(200)
        assert wire.nothing_sent()
        wire.refuse_connections = False
        wire.reply(await wire.request("OPTIONS"), 200)


async def test_none_unless_asked_for() -> None:
    wire = Wire()
    async with user_agent(wire):
        await wire.settle(1000)
        assert wire.nothing_sent()
    with pytest.raises(ConfigurationError, match="options_interval"):
        user_agent(wire, options_interval=0)
