"""The simulated network: what it does to messages and connections when told to."""

from __future__ import annotations

import asyncio

import pytest

from sipua.errors import ConnectFailed, ConnectTimeout, NotConnected
from sipua.testing import Conditions, MemoryNetwork, run_simulated
from sipua.transport import Connection, ConnectionLost, Connector

URL = "wss://sip.example.com/ws"


class Log(list):
    """Collects (time, what) of one end."""

    def __init__(self, connection=None):
        if connection is not None:
            connection.on_message, connection.on_close = self.message, self.closed

    def message(self, data):
        self.append((asyncio.get_running_loop().time(), data))

    def closed(self, error):
        self.append((asyncio.get_running_loop().time(), error))

    @property
    def data(self):
        return [data for _, data in self]


def linked(network):
    """A pair of connected ends and what they get."""
    client_log = Log()
    client, server = network.pair(URL, client_log.message, client_log.closed)
    return client, server, client_log, Log(server)


async def test_messages_arrive_in_order_and_never_at_once():
    client, server, client_log, server_log = linked(MemoryNetwork())
    for i in range(3):
        client.send(f"up {i}")
        server.send(f"down {i}")
    assert server_log == client_log == []
    await asyncio.sleep(0)
    assert server_log.data == ["up 0", "up 1", "up 2"]
    assert client_log.data == ["down 0", "down 1", "down 2"]


async def test_an_answer_from_within_a_handler_arrives_in_a_later_turn():
    client, server, client_log, _ = linked(MemoryNetwork())
    server.on_message = server.send
    client.send("echo")
    await asyncio.sleep(0)
    assert client_log == []
    await asyncio.sleep(0)
    assert client_log.data == ["echo"]


async def test_text_and_binary_frames():
    network = MemoryNetwork()
    client, _, _, log = linked(network)
    for data in ("text", b"utf-8", "ü", b"\xff not utf-8"):
        client.send(data)
    await asyncio.sleep(0)
    assert log.data == ["text", "utf-8", "ü", b"\xff not utf-8"]

    ends = []
    network.listen(URL, ends.append)
    client = await network.connector(URL, binary=True).connect(lambda data: None, lambda error: None)
    log = Log(ends[0])
    client.send("text")
    client.send(b"bytes")
    await asyncio.sleep(0)
    assert log.data == [b"text", b"bytes"]


async def test_delay_keeps_the_order_even_when_it_varies():
    network = MemoryNetwork(seed=3)
    network.up.delay = (0.01, 0.5)
    client, _, _, log = linked(network)
    for i in range(50):
        client.send(str(i))
    await asyncio.sleep(1)
    assert log.data == [str(i) for i in range(50)]
    times = [time for time, _ in log]
    assert 0.01 <= times[0] < times[-1] <= 0.5


async def test_each_way_has_its_own_conditions():
    network = MemoryNetwork()
    network.up.delay = 0.05
    client, server, client_log, server_log = linked(network)
    client.send("up")
    server.send("down")
    await asyncio.sleep(1)
    assert server_log == [(0.05, "up")]
    assert client_log == [(0.0, "down")]


def test_loss_duplication_and_reordering_are_the_same_for_the_same_seed():
    async def main(seed):
        network = MemoryNetwork(seed=seed)
        network.up = Conditions(delay=0.01, drop=0.1, duplicate=0.1, reorder=0.1)
        client, _, _, log = linked(network)
        for i in range(300):
            client.send(str(i))
            await asyncio.sleep(0.01)
        await asyncio.sleep(1)
        await client.close()
        return [int(data) for data in log.data if isinstance(data, str)]

    def run(seed):
        return run_simulated(main(seed))

    first = run(7)
    assert first == run(7)
    assert first != run(8)
    assert 15 < 300 - len(set(first)) < 50  # lost
    assert 15 < len(first) - len(set(first)) < 50  # twice
    assert first != sorted(first)


async def test_only_the_held_up_message_is_overtaken():
    network = MemoryNetwork()
    network.up.reorder = 1.0
    client, _, _, log = linked(network)
    client.send("late")
    network.up.reorder = 0.0
    client.send("a")
    client.send("b")
    await asyncio.sleep(1)
    assert log == [(0.0, "a"), (0.0, "b"), (0.1, "late")]


async def test_chosen_messages_are_lost():
    network = MemoryNetwork()
    client, _, _, log = linked(network)
    network.up.lose_next(2, "ACK")
    network.up.lose_next(1, "BYE")
    network.up.keep = lambda data: "OPTIONS" not in data
    for data in ("ACK 1", "OPTIONS", "BYE 1", "ACK 2", "ACK 3", "BYE 2"):
        client.send(data)
    await asyncio.sleep(0)
    assert log.data == ["ACK 3", "BYE 2"]


async def test_a_server_can_have_conditions_of_its_own():
    network = MemoryNetwork()
    ends = []
    own = network.listen(URL, ends.append, down=Conditions(delay=0.3))
    client_log = Log()
    client = await network.connector(URL).connect(client_log.message, client_log.closed)
    server_log = Log(ends[0])
    network.up = Conditions(delay=0.1)  # also for connections that are up already
    network.down = Conditions(delay=0.1)
    client.send("up")
    ends[0].send("down")
    await asyncio.sleep(1)
    assert server_log == [(0.1, "up")]
    assert client_log == [(0.3, "down")]
    own.down = None
    ends[0].send("as the others")
    await asyncio.sleep(1)
    assert client_log[1] == (pytest.approx(1.1), "as the others")


async def test_the_tap_sees_everything_that_is_sent():
    network = MemoryNetwork()
    seen = []
    network.tap = lambda passed: seen.append((passed.up, passed.data, passed.fate, passed.url))
    client, server, _, _ = linked(network)
    network.up.lose_next()
    network.down.duplicate = 1.0
    client.send("one")
    client.send("two")
    server.send("three")
    client.ping()
    await asyncio.sleep(0)
    assert seen == [
        (True, "one", "lost", URL),
        (True, "two", "delivered", URL),
        (False, "three", "duplicated", URL),
    ]


async def test_closing_delivers_what_was_sent_and_ends_both_sides():
    network = MemoryNetwork()
    network.up.delay = 0.2
    client, server, client_log, server_log = linked(network)
    client.send("last words")
    await client.close(1000, "bye")
    await client.close()
    assert [type(data) for data in server_log.data] == [str, ConnectionLost]
    error = server_log.data[1]
    assert (error.code, error.reason, server_log[1][0]) == (1000, "bye", 0.2)
    assert client_log.data == [None]
    for end in (client, server):
        with pytest.raises(NotConnected):
            end.send("too late")


async def test_closing_into_a_black_hole_is_bounded():
    network = MemoryNetwork()
    client, server, client_log, server_log = linked(network)
    network.up.blackhole = True
    client.send("lost")
    await client.close()
    assert asyncio.get_running_loop().time() == 2.0
    assert client_log.data == [None]
    assert server_log == []
    server.send("into nowhere")
    await asyncio.sleep(1)
    await server.close()


async def test_a_cut_ends_both_sides_and_loses_what_is_under_way():
    network = MemoryNetwork()
    network.up.delay = 1.0
    ends = []
    server = network.listen(URL, ends.append)
    client_log = Log()
    client = await network.connector(URL).connect(client_log.message, client_log.closed)
    server_log = Log(ends[0])
    client.send("under way")
    assert server.connections == ends
    server.cut(1012, "restart")
    await asyncio.sleep(2)
    (error,) = client_log.data
    assert isinstance(error, ConnectionLost)
    assert (error.code, error.reason) == (1012, "restart")
    assert [type(data) for data in server_log.data] == [ConnectionLost]
    assert server.connections == []


async def test_abort_gives_its_error_to_its_own_side():
    client, server, client_log, server_log = linked(MemoryNetwork())
    error = ConnectionLost(URL, "no answer")
    client.abort(error)
    with pytest.raises(NotConnected):
        client.send("x")
    await asyncio.sleep(0)
    assert client_log.data == [error]
    assert "without a closing handshake" in str(server_log.data[0])
    client.abort(error)
    server.abort(error)


async def test_pings_are_answered_unless_swallowed():
    network = MemoryNetwork()
    client, _, _, log = linked(network)
    await asyncio.sleep(5)
    client.ping()
    await asyncio.sleep(1)
    assert client.last_received == 5.0
    network.down.blackhole = True
    client.ping()
    await asyncio.sleep(5)
    assert client.last_received == 5.0
    assert log == []
    network.down.blackhole = False
    await client.close()
    client.ping()


async def test_servers_refuse_ignore_and_admit():
    network = MemoryNetwork()
    loop = asyncio.get_running_loop()
    connector = network.connector(URL, weight=3, connect_timeout=7)
    assert isinstance(connector, Connector)
    assert (connector.url, connector.weight, connector.via_transport) == (URL, 3, "WSS")
    assert network.connector("ws://x/").via_transport == "WS"

    async def connect() -> Connection:
        return await connector.connect(lambda data: None, lambda error: None)

    with pytest.raises(ConnectFailed, match="no such server"):
        await connect()
    accepted = []
    server = network.listen(URL, accepted.append)
    assert network.server(URL) is server
    connection = await connect()
    assert (connection.url, connection.peer, connection.via_transport) == (URL, URL, "WSS")
    assert accepted[0].peer == "client 1"
    server.refuse()
    with pytest.raises(ConnectFailed, match="refused"):
        await connect()
    server.refuse(ConnectFailed(URL, "HTTP 503"))
    with pytest.raises(ConnectFailed, match="503"):
        await connect()
    server.ignore()
    with pytest.raises(ConnectTimeout, match="within 7 s"):
        await connect()
    assert loop.time() == 7.0
    server.admit()
    assert (await connect()).url == URL
    assert len(server.connections) == 2


async def test_a_handler_that_fails_is_logged_and_nothing_else(caplog):
    client, server, _, log = linked(MemoryNetwork())
    client.on_message = client.on_close = lambda _: 1 / 0
    server.send("boom")
    client.send("fine")
    await asyncio.sleep(0)
    assert log.data == ["fine"]
    server.cut()
    assert [record.getMessage().split(": ")[-1] for record in caplog.records] == [
        "a message could not be handled",
        "the end of the connection could not be handled",
    ]
