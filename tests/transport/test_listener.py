"""The server's side, and a transport that loses and finds real servers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random

import pytest
from websockets.asyncio.client import connect as plain_connect
from websockets.exceptions import InvalidStatus

from sipua.errors import ConnectFailed
from sipua.transport import Transport, WebSocketInterface
from sipua.transport.listener import WebSocketListener
from tests.transport.loopback import HOST, Record, connect, free_port, tcp_server, upgrade

pytestmark = pytest.mark.realtime


class Server:
    """Collects its connections and answers each message with itself in upper case."""

    def __init__(self):
        self.connections = []
        self.ends = []

    def accept(self, connection):
        self.connections.append(connection)
        connection.on_message = lambda data: connection.send(data.upper())
        connection.on_close = self.ends.append


async def test_both_ends(certificates):
    server = Server()
    for options in ({}, {"ssl_context": certificates.server()}):
        async with WebSocketListener(server.accept, **options) as listener:
            connection, record = await connect(f"{listener.url}ws", ca_file=certificates.ca_file)
            for i in range(5):
                connection.send(f"message {i}")
            assert await record.until(5) == [f"MESSAGE {i}" for i in range(5)]
            await connection.close()
            assert await record.end() is None
            peer = server.connections[-1]
            assert peer.peer.startswith(f"{HOST}:")
            assert peer.via_transport == listener.via_transport == connection.via_transport
            assert listener.url.startswith("wss://" if options else "ws://")
    assert [error.code for error in server.ends] == [1000, 1000]


async def test_closing_the_listener_says_goodbye():
    server = Server()
    async with WebSocketListener(server.accept) as listener:
        _, record = await connect(listener.url)
    error = await record.end()
    assert error.code == 1001
    assert server.ends == [None] or server.ends[0].code == 1001


@pytest.mark.parametrize("tls", [False, True])
async def test_closing_the_listener_does_not_wait_for_who_says_nothing(tls, certificates):
    options = {"ssl_context": certificates.server()} if tls else {}
    listener = WebSocketListener(lambda connection: None, **options)
    await listener.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    await asyncio.sleep(0.05)
    closing = asyncio.ensure_future(listener.close())
    await asyncio.sleep(0.05)
    if tls:  # TLS that is not up is asyncio's
        writer.close()
    await asyncio.wait_for(closing, 5)
    if not tls:
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
    writer.close()


async def test_clients_that_do_not_speak_sip_are_refused_in_one_line(caplog):
    server = Server()
    with caplog.at_level(logging.WARNING):
        async with WebSocketListener(server.accept) as listener:
            with pytest.raises(InvalidStatus, match="400"):
                await plain_connect(listener.url, proxy=None)
            with pytest.raises(InvalidStatus, match="400"):
                await plain_connect(listener.url, subprotocols=["xmpp"], proxy=None)
            reader, writer = await asyncio.open_connection(HOST, listener.port)
            writer.write(b"\x16\x03\x01 this is not HTTP\r\n\r\n")
            await reader.read()
            writer.close()
            await writer.wait_closed()
    assert server.connections == []
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    for record in caplog.records:
        assert record.getMessage().startswith(f"{HOST}:")
        assert "refused with HTTP 400" in record.getMessage()
        assert "subprotocol" in record.getMessage()
        assert record.exc_info is None
        assert "\n" not in record.getMessage()


async def test_an_address_that_is_taken():
    async with WebSocketListener(Server().accept) as listener:
        with pytest.raises(ConnectFailed, match=r"cannot listen there: .*in use"):
            await WebSocketListener(Server().accept, port=listener.port).start()
    await WebSocketListener(Server().accept).close()


async def test_vanished_clients_are_found():
    server = Server()
    async with WebSocketListener(
        server.accept, ping_interval=0.05, ping_timeout=0.05, close_timeout=0.1
    ) as listener:
        connection, _ = await connect(listener.url)
        connection._ws.transport.pause_reading()
        for _ in range(100):
            await asyncio.sleep(0.02)
            if server.ends:
                break
        connection._ws.transport.abort()
    assert len(server.ends) == 1


# --- the whole transport over real sockets --------------------------------------------------------------------


def transport_to(*urls, **options):
    record = Record()
    transport = Transport(
        [WebSocketInterface(url, weight=-i) for i, url in enumerate(urls)],
        recovery_min_interval=0.02,
        recovery_max_interval=0.1,
        rand=random.Random(1),
        **options,
    )
    transport.on_connected = lambda url: record.append(("connected", url))
    transport.on_disconnected = lambda url, error: record.append(("disconnected", url, error))
    transport.on_message = record.append
    return transport, record


async def test_fail_over_and_recovery():
    first, second = Server(), Server()
    port = free_port()
    async with WebSocketListener(second.accept) as backup:
        main_url = f"ws://{HOST}:{port}/"
        transport, record = transport_to(main_url, backup.url)
        transport.start()
        await record.until(2)
        assert record[0][:2] == ("disconnected", main_url)
        assert record[1] == ("connected", backup.url)
        async with WebSocketListener(first.accept, port=port):
            await asyncio.sleep(0.05)
            second.connections[0]._ws.transport.abort()  # a cut
            await record.until(4)
            assert record[2][:2] == ("disconnected", backup.url)
            assert record[3] == ("connected", main_url)
            transport.send("hello")
            assert (await record.until(5))[4] == "HELLO"
            await asyncio.sleep(0.05)
        await record.until(7)  # the first one goes away: back to the second
        assert record[5][2].code == 1001
        assert record[6] == ("connected", backup.url)
        await transport.stop()
        assert record[7] == ("disconnected", backup.url, None)


async def test_recovery_of_the_only_server():
    server = Server()
    async with WebSocketListener(server.accept) as listener:
        port = listener.port
        transport, record = transport_to(listener.url)
        transport.start()
        await record.until(1)
    await record.until(3)  # at least one more try in vain
    assert isinstance(record[2][2], ConnectFailed)
    async with WebSocketListener(server.accept, port=port):
        async with asyncio.timeout(5):
            while record[-1][0] != "connected":
                await record.until(len(record) + 1)
        await transport.stop()


async def test_a_server_that_falls_silent():
    async def handler(reader, writer):
        await upgrade(reader, writer)
        await asyncio.sleep(10)

    async with tcp_server(handler) as port:
        transport, record = transport_to(f"ws://{HOST}:{port}/", keep_alive_interval=0.05, pong_timeout=0.05)
        transport.start()
        await record.until(3)
        assert [what[0] for what in record[:3]] == ["connected", "disconnected", "connected"]
        assert "no answer to a keep-alive" in str(record[1][2])
        transport.give_up("enough")
        await transport.stop()


async def test_keep_alive_with_a_server_that_answers():
    server = Server()
    pings = []

    def accept(connection):
        server.accept(connection)
        connection.on_message = lambda data: (pings.append(data), connection.send("\r\n"))

    async with WebSocketListener(accept) as listener:
        transport, record = transport_to(listener.url, keep_alive_interval=0.02, pong_timeout=0.2)
        transport.start()
        await asyncio.sleep(0.7)
        assert transport.is_connected
        assert len(pings) >= 2
        assert set(pings) == {"\r\n\r\n"}
        assert record == [("connected", listener.url)]
        await transport.stop()
