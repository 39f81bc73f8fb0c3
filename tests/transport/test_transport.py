"""Server choice, recovery and keep-alive in action, on simulated time and a simulated network."""

from __future__ import annotations

import asyncio
import itertools
import logging
import random

import pytest

from sipua.errors import (
    CertificateError,
    ConfigurationError,
    ConnectFailed,
    ConnectTimeout,
    NotConnected,
    TransportError,
)
from sipua.testing import Conditions, MemoryNetwork
from sipua.transport import ConnectionLost, Transport

A, B = "wss://a.example.com/ws", "ws://b.example.com/"
PING, PONG = "\r\n\r\n", "\r\n"


class World:
    """Two servers, a transport, and a record of what it reports and of what the servers get."""

    def __init__(self, *weights, **options):
        self.loop = asyncio.get_running_loop()
        self.network = MemoryNetwork(seed=5)
        self.got = []
        self.a = self.network.listen(A, self.accept)
        self.b = self.network.listen(B, self.accept)
        connectors = [
            self.network.connector(url, weight=weight) for url, weight in zip((A, B), weights, strict=False)
        ]
        self.events = []
        self.transport = Transport(connectors, rand=random.Random(5), **options)
        self.transport.on_connecting = lambda url, attempt: self.note("connecting", url, attempt)
        self.transport.on_connected = lambda url: self.note("connected", url)
        self.transport.on_disconnected = lambda url, error: self.note("disconnected", url, error)
        self.transport.on_message = lambda data: self.note("message", data)

    async def __aenter__(self):
        self.transport.start()
        await asyncio.sleep(0.001)
        return self

    async def __aexit__(self, *_exc):
        await self.transport.stop()

    def accept(self, connection):
        connection.on_message = lambda data: self.receive(connection, data)

    def receive(self, connection, data):
        self.got.append((self.loop.time(), connection.url, data))
        if data == PING:
            connection.send(PONG)

    def note(self, *what):
        self.events.append((round(self.loop.time(), 3), *what))

    def kinds(self):
        return [(event[1], event[2]) for event in self.events]


async def test_connect_send_receive_stop():
    async with World(1) as world:
        transport = world.transport
        assert transport.is_connected
        assert (transport.url, transport.via_transport) == (A, "WSS")
        assert transport.connection is not None
        transport.start()
        transport.send("REGISTER sip:x SIP/2.0")
        world.a.connections[0].send("SIP/2.0 200 OK")
        await asyncio.sleep(0.001)
        assert [data for _, _, data in world.got] == ["REGISTER sip:x SIP/2.0"]
        transport.send("BYE")
    assert [data for _, _, data in world.got][1:] == ["BYE"]
    assert not transport.is_connected
    assert world.events == [
        (0.0, "connecting", A, 1),
        (0.0, "connected", A),
        (0.001, "message", "SIP/2.0 200 OK"),
        (0.002, "disconnected", A, None),
    ]
    with pytest.raises(NotConnected, match="not connected"):
        transport.send("late")
    await transport.stop()


async def test_it_can_be_started_again():
    world = World(1)
    for _ in range(2):
        async with world:
            assert world.transport.is_connected
    assert [kind for kind, _ in world.kinds()] == ["connecting", "connected", "disconnected"] * 2


async def test_before_the_first_connection_the_best_server_gives_the_via_transport():
    world = World(1, 2)
    assert (world.transport.url, world.transport.via_transport) == (B, "WS")
    assert not world.transport.is_connected


async def test_fail_over_is_immediate():
    world = World(2, 1)
    world.a.refuse()
    async with world:
        assert world.transport.url == B
    assert world.events[0][1:] == ("connecting", A, 1)
    assert world.events[1][1:3] == ("disconnected", A)
    assert isinstance(world.events[1][3], ConnectFailed)
    assert world.events[2][1:] == ("connecting", B, 2)
    assert world.events[3] == (0.0, "connected", B)


async def test_when_all_fail_there_is_a_growing_pause_and_then_success():
    world = World(2, 1)
    world.a.refuse()
    world.b.refuse()
    async with world:
        await asyncio.sleep(120)
        tries = [time for time, kind, url, *_ in world.events if kind == "connecting" and url == A]
        pauses = [later - earlier for earlier, later in itertools.pairwise(tries)]
        assert 2 <= pauses[0] <= 4
        assert all(2 <= pause <= 30.001 for pause in pauses)
        assert max(pauses) > 10
        world.a.admit()
        await asyncio.sleep(31)
        assert world.transport.url == A
        assert world.transport.is_connected
        # The attempt number counts on until it works, and then begins anew.
        attempts = [event[3] for event in world.events if event[1] == "connecting"]
        assert attempts == list(range(1, len(attempts) + 1))
        world.a.cut()
        await asyncio.sleep(0.1)
        assert world.events[-2][3] == 1


async def test_a_cut_moves_to_the_other_server_at_once():
    async with World(2, 1) as world:
        await asyncio.sleep(10)
        world.a.cut(1012, "restart")
        assert not world.transport.is_connected
        with pytest.raises(NotConnected):
            world.transport.send("x")
        await asyncio.sleep(0.001)
        assert world.transport.url == B
        assert world.transport.is_connected
        error = world.events[2][3]
        assert isinstance(error, ConnectionLost)
        assert (error.code, error.reason) == (1012, "restart")
        # The next cut leads back: A has been left alone long enough.
        await asyncio.sleep(10)
        world.b.cut()
        await asyncio.sleep(0.001)
        assert world.transport.url == A


async def test_the_only_server_is_tried_again_promptly_after_a_cut():
    async with World(1) as world:
        await asyncio.sleep(10)
        world.a.cut()
        await asyncio.sleep(1)
        assert world.transport.is_connected
        assert 10.001 <= world.events[-1][0] <= 11.001


async def test_a_server_that_accepts_and_hangs_up_does_not_make_us_spin():
    world = World(1)
    world.a._accept = lambda connection: world.loop.call_soon(connection.cut)
    async with world:
        await asyncio.sleep(60)
        assert 4 <= sum(kind == "connected" for kind, _ in world.kinds()) <= 30


async def test_a_silent_server_costs_one_connect_timeout():
    world = World(2, 1)
    world.a.ignore()
    async with world:
        await asyncio.sleep(10)
        assert world.transport.url == B
        assert isinstance(world.events[1][3], ConnectTimeout)


async def test_lasting_errors_are_retried_slowly_and_logged_once(caplog):
    world = World(1)
    world.a.refuse(CertificateError(A, "certificate not trusted (self-signed): pass ca_file="))
    with caplog.at_level(logging.WARNING, "sipua.transport"):
        async with world:
            await asyncio.sleep(100)
    tries = [time for time, kind, *_ in world.events if kind == "connecting"]
    assert len(tries) in (4, 5)
    assert [record.getMessage() for record in caplog.records] == [
        f"{A}: certificate not trusted (self-signed): pass ca_file="
    ]
    assert sum(kind == "disconnected" for kind, _ in world.kinds()) == len(tries)


async def test_stop_while_connecting_and_while_pausing():
    world = World(1)
    world.a.ignore()
    async with world:
        pass
    assert world.kinds() == [("connecting", A)]
    world = World(1)
    world.a.refuse()
    async with world:
        await asyncio.sleep(0.5)
    assert world.kinds() == [("connecting", A), ("disconnected", A)]


async def test_stop_at_the_moment_of_a_loss_still_reports_it():
    async with World(1) as world:
        await asyncio.sleep(5)
        world.a.cut()
    assert world.kinds()[-1] == ("disconnected", A)
    assert len(world.events) == 3


async def test_two_stops_at_once_both_wait():
    world = World(1)
    async with world:
        world.network.up.blackhole = True
        stops = [asyncio.create_task(world.transport.stop()) for _ in range(2)]
        await asyncio.sleep(1)
        assert not any(stop.done() for stop in stops)
        await asyncio.gather(*stops)
    assert world.events[-1] == (2.001, "disconnected", A, None)


async def test_a_cancelled_stop_leaves_nothing_running():
    world = World(1)
    async with world:
        world.network.up.blackhole = True
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(world.transport.stop(), 0.5)
    await asyncio.sleep(3)


async def test_giving_up_a_server_goes_on_with_the_next():
    async with World(2, 1) as world:
        await asyncio.sleep(5)
        world.transport.give_up("the registrar answers 503")
        await asyncio.sleep(0.001)
        assert world.transport.url == B
        assert "503" in str(world.events[2][3])
        world.transport.give_up("again")
    world.transport.give_up("without a connection nothing happens")


async def test_callbacks_that_fail_are_logged_and_stop_nothing(caplog):
    world = World(1)

    def boom(*_args):
        raise RuntimeError("boom")

    world.transport.on_connecting = world.transport.on_connected = world.transport.on_disconnected = boom
    async with world:
        assert world.transport.is_connected
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR] == [
        f"{A}: a callback failed"
    ] * 3


async def test_a_connector_with_a_bug_does_not_end_the_recovery(caplog):
    world = World(2, 1)
    calls = []

    class Broken:
        url, weight, via_transport = "ws://broken.example/", 9, "WS"

        async def connect(self, on_message, on_close):
            calls.append(1)
            raise KeyError("bug")

    transport = Transport([Broken(), world.network.connector(B)], rand=random.Random(1))
    errors = []
    transport.on_disconnected = lambda url, error: errors.append(error)
    transport.start()
    await asyncio.sleep(0.001)
    assert transport.url == B
    assert transport.is_connected
    assert isinstance(errors[0], TransportError)
    assert "KeyError" in str(errors[0])
    await transport.stop()
    assert calls == [1]


@pytest.mark.parametrize(
    "options",
    [
        {"recovery_min_interval": 0},
        {"recovery_min_interval": 5, "recovery_max_interval": 4},
        {"recovery_min_interval": -1},
    ],
)
async def test_intervals_are_checked(options):
    connector = MemoryNetwork().connector(A)
    with pytest.raises(ConfigurationError, match="positive"):
        Transport([connector], **options)
    with pytest.raises(ConfigurationError, match="at least one server"):
        Transport([])


# --- keep-alive ---------------------------------------------------------------------------------------------


async def test_keep_alives_are_sent_at_jittered_intervals():
    async with World(1, keep_alive_interval=30) as world:
        await asyncio.sleep(3600)
        assert world.transport.is_connected
        times = [time for time, _, data in world.got if data == PING]
        gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
        assert all(24 <= gap <= 30 for gap in gaps)
        assert max(gaps) - min(gaps) > 3
    assert [kind for kind, _ in world.kinds()] == ["connecting", "connected", "disconnected"]


async def test_a_dead_connection_is_found_and_replaced():
    async with World(1, keep_alive_interval=30, pong_timeout=10) as world:
        world.a.up = world.a.down = Conditions(blackhole=True)
        await asyncio.sleep(40)
        dead = world.events[2]
        assert dead[1] == "disconnected"
        assert 34 <= dead[0] <= 40
        assert "no answer to a keep-alive within 10 s" in str(dead[3])
        await asyncio.sleep(2)
        assert world.events[4][1] == "connected"


async def test_a_server_that_answers_only_below_sip_is_alive():
    async with World(1, keep_alive_interval=30) as world:
        world.receive = lambda connection, data: None
        await asyncio.sleep(600)
        assert world.transport.is_connected


async def test_a_check_on_demand_does_not_wait_for_its_turn():
    async with World(1, keep_alive_interval=None, pong_timeout=10) as world:
        await asyncio.sleep(600)
        assert world.got == []
        world.transport.check()
        await asyncio.sleep(11)
        assert [data for _, _, data in world.got] == [PING]
        world.network.down.blackhole = True
        world.transport.check()
        await asyncio.sleep(6)
        world.transport.check()  # does not put off the end
        await asyncio.sleep(5)
        assert world.kinds()[2] == ("disconnected", A)
        world.network.down.blackhole = False
    world.transport.check()


async def test_a_check_while_the_connection_closes_is_harmless():
    async with World(1) as world:
        connection = world.transport.connection
        closing = asyncio.create_task(connection.close())
        await asyncio.sleep(0)
        world.transport.check()
        await closing
        await asyncio.sleep(0.001)
        # Closed behind the transport's back: it comes back.
        assert world.kinds()[2] == ("disconnected", A)
        await asyncio.sleep(5)
        assert world.transport.is_connected


async def test_pings_of_the_server_are_answered_and_pongs_swallowed():
    async with World(1, keep_alive_interval=None) as world:
        server = world.a.connections[0]
        for data in (PING, PING.encode(), PONG, "", "\n", b"\xff\xfe", "REAL!"):
            server.send(data)
        await asyncio.sleep(0.001)
        assert [data for _, _, data in world.got] == [PONG, PONG]
        assert [event[2] for event in world.events if event[1] == "message"] == ["REAL!"]


async def test_a_ping_that_comes_while_we_close_is_no_error(caplog):
    async with World(1, keep_alive_interval=None) as world:
        world.network.down.delay = world.network.up.delay = 0.5
        world.a.connections[0].send(PING)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
