"""The WebSocket client against servers on loopback."""

from __future__ import annotations

import asyncio
import base64
import logging
import socket
import subprocess
import sys
import time

import pytest

from sipua.errors import ConfigurationError, ConnectFailed, ConnectTimeout, NotConnected, SubprotocolError
from sipua.transport import ConnectionLost, Connector, WebSocketInterface
from tests.transport.loopback import HOST, connect, free_port, tcp_server, upgrade, websocket_server

realtime = pytest.mark.realtime


# --- frames -------------------------------------------------------------------------------------------------


@realtime
async def test_the_handshake_and_both_kinds_of_frames():
    seen = {}

    async def handler(ws):
        seen.update(ws.request.headers.raw_items())
        seen["path"] = ws.request.path
        seen["frames"] = [await ws.recv() for _ in range(6)]
        await ws.send("text ü")
        await ws.send(b"binary \xff")
        await ws.recv()

    async with websocket_server(handler) as url:
        address = url.replace("://", "://user:p%40ss@")
        connection, record = await connect(
            f"{address}/ws?x=1", headers={"Origin": "https://phone.example.com", "X-Own": "yes"}
        )
        assert connection.url == connection.peer == f"{url}/ws?x=1"
        assert connection.via_transport == "WS"
        for data in ("text", b"ascii", "ü".encode(), b"latin \xfc", "surrogate \udcfc", "\ud800"):
            connection.send(data)
        assert await record.until(2) == ["text ü", b"binary \xff"]
        await connection.close()
    assert seen["frames"] == ["text", "ascii", "ü", b"latin \xfc", b"surrogate \xfc", "?"]
    assert seen["path"] == "/ws?x=1"
    assert seen["Sec-WebSocket-Protocol"] == "sip"
    assert seen["Origin"] == "https://phone.example.com"
    assert seen["X-Own"] == "yes"
    assert seen["User-Agent"].startswith("sipua/")
    assert seen["Authorization"] == "Basic " + base64.b64encode(b"user:p@ss").decode()
    assert "Sec-WebSocket-Extensions" not in seen


@realtime
async def test_binary_frames_on_demand():
    async with websocket_server() as url:
        connection, record = await connect(url, binary=True)
        connection.send("as binary")
        assert await record.until(1) == [b"as binary"]
        await connection.close()


@realtime
async def test_text_that_is_not_utf8_comes_up_as_bytes_and_harms_nobody():
    async def handler(ws):
        await ws.send(b"From: M\xfcller", text=True)
        await ws.send("next")
        await ws.recv()

    async with websocket_server(handler) as url:
        connection, record = await connect(url)
        assert await record.until(2) == [b"From: M\xfcller", "next"]
        await connection.close()


@realtime
async def test_fragments_are_put_together():
    async def handler(ws):
        await ws.send(["SIP/2.0 ", "200 ", "O", "K"])
        await ws.send([b"\x00", b"\x01"])
        await ws.send("plain")
        await ws.recv()

    async with websocket_server(handler) as url:
        connection, record = await connect(url)
        assert await record.until(3) == ["SIP/2.0 200 OK", b"\x00\x01", "plain"]
        await connection.close()


@realtime
async def test_a_large_message_in_pieces_of_tcp():
    async with websocket_server(max_size=None) as url:
        connection, record = await connect(url)
        connection.send("x" * 200_000)
        assert await record.until(1) == ["x" * 200_000]
        await connection.close()


@realtime
async def test_what_comes_in_one_packet_with_the_handshake_is_not_lost():
    async def handler(reader, writer):
        await upgrade(reader, writer, b"\x81\x05early\x81\x03two")
        await reader.read(1)
        writer.write(b"\x81\x05three")
        await reader.read()

    async with tcp_server(handler) as port:
        connection, record = await connect(f"ws://{HOST}:{port}")
        assert record == []
        connection.send("go on")
        assert await record.until(3) == ["early", "two", "three"]
        connection.abort(ConnectionLost("", "test"))
        await record.end()


@realtime
async def test_a_server_that_speaks_and_hangs_up_in_one_packet():
    async def handler(reader, writer):
        await upgrade(reader, writer, b"\x81\x05early\x88\x02\x03\xf4")

    async with tcp_server(handler) as port:
        connection, record = await connect(f"ws://{HOST}:{port}")
        error = await record.end()
        assert record == ["early"]
        assert error.code == 1012
        with pytest.raises(NotConnected):
            connection.send("x")


@realtime
@pytest.mark.parametrize("rude", [b"\x83\x00", b"\x81\x85MASK....."])
async def test_a_server_that_breaks_the_rules_at_once(rude):
    async def handler(reader, writer):
        await upgrade(reader, writer, b"\x81\x05early" + rude)
        await reader.read()

    async with tcp_server(handler) as port:
        started = time.monotonic()
        _, record = await connect(f"ws://{HOST}:{port}")
        error = await record.end()
        assert record == ["early"]
        assert error.code == 1002
        assert time.monotonic() - started < 1


@realtime
async def test_messages_of_one_turn_leave_in_one_write():
    chunks = []

    async def handler(reader, writer):
        await upgrade(reader, writer)
        chunks.append(await reader.read(4096))
        writer.write(b"\x88\x02\x03\xe8")
        await reader.read()

    async with tcp_server(handler) as port:
        connection, record = await connect(f"ws://{HOST}:{port}", close_timeout=0.1)
        for _ in range(3):
            connection.send("message")
        connection.ping()
        await record.end()
    assert len(chunks[0]) == 3 * (2 + 4 + 7) + 6


@realtime
async def test_a_handler_that_fails_is_logged_and_the_next_message_is_handled(caplog):
    async def handler(ws):
        await ws.send("bad")
        await ws.send("good")
        await ws.recv()

    def on_message(data):
        if data == "bad":
            raise RuntimeError("boom")
        got.set_result(data)

    got = asyncio.get_running_loop().create_future()
    async with websocket_server(handler) as url:
        connection = await WebSocketInterface(url).connect(on_message, lambda error: None)
        assert await asyncio.wait_for(got, 5) == "good"
        await connection.close()
    ours = [record.message for record in caplog.records if record.name == "sipua.transport"]
    assert ours == [f"{url}: a message could not be handled"]


# --- the end of a connection --------------------------------------------------------------------------------


@realtime
@pytest.mark.parametrize(
    ("code", "reason", "text"),
    [
        (1000, "", "the server closed the connection (1000)"),
        (1001, "restart", "the server goes away or is restarted (1001: restart)"),
        (1011, "oops", "the server closed the connection because of an internal error (1011: oops)"),
        (4000, "", "the server closed the connection (4000)"),
    ],
)
async def test_the_close_code_of_the_server(code, reason, text):
    async def handler(ws):
        await ws.recv()
        await ws.close(code, reason)

    async with websocket_server(handler) as url:
        connection, record = await connect(url)
        connection.send("close, please")
        error = await record.end()
        assert isinstance(error, ConnectionLost)
        assert str(error) == f"{url}: {text}"
        assert (error.code, error.reason, error.url) == (code, reason, url)
        with pytest.raises(NotConnected):
            connection.send("too late")
        connection.ping()
        connection.abort(error)
        await connection.close()


@realtime
async def test_sending_while_the_server_closes():
    async def handler(reader, writer):
        await upgrade(reader, writer)
        await reader.read(1)
        writer.write(b"\x81\x05close\x88\x02\x03\xe8")
        await reader.read()

    refused = asyncio.get_running_loop().create_future()

    def on_message(data):
        connection.ping()
        try:
            connection.send("answer")
        except NotConnected as error:
            refused.set_result(error)

    async with tcp_server(handler) as port:
        interface = WebSocketInterface(f"ws://{HOST}:{port}", close_timeout=0.05)
        connection = await interface.connect(on_message, lambda error: 1 / 0)
        connection.send("hello")
        assert "is being closed" in str(await asyncio.wait_for(refused, 5))
        await connection.close()


@realtime
async def test_a_connection_that_breaks():
    async def handler(ws):
        await ws.recv()
        ws.transport.abort()

    async with websocket_server(handler) as url:
        connection, record = await connect(url)
        connection.send("die")
        error = await record.end()
        assert error.code == 1006
        assert "connection lost" in str(error)


@realtime
async def test_our_close_sends_what_is_queued_and_is_no_error():
    seen = []

    async def handler(ws):
        seen.extend([message async for message in ws])
        seen.append((ws.close_code, ws.close_reason))

    async with websocket_server(handler) as url:
        connection, record = await connect(url)
        connection.send("BYE")
        connection.send("un-REGISTER")
        await connection.close(1000, "done")
        assert await record.end() is None
        await connection.close()
    assert seen == ["BYE", "un-REGISTER", (1000, "done")]


@realtime
async def test_closing_a_connection_to_a_dead_server_is_bounded():
    async def handler(reader, writer):
        await upgrade(reader, writer)
        await asyncio.sleep(10)

    async with tcp_server(handler) as port:
        connection, record = await connect(f"ws://{HOST}:{port}", close_timeout=0.1)
        started = time.monotonic()
        await connection.close()
        assert 0.05 < time.monotonic() - started < 1
        assert await record.end() is None

        connection, record = await connect(f"ws://{HOST}:{port}", close_timeout=5)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(connection.close(), 0.05)
        assert await record.end() is None


@realtime
async def test_a_server_that_reads_nothing_fills_a_bounded_queue(monkeypatch):
    monkeypatch.setattr("sipua.transport.ws_connection.SEND_LIMIT", 100_000)

    async def handler(reader, writer):
        await upgrade(reader, writer)
        writer.transport.pause_reading()
        await asyncio.sleep(10)

    async def fill(connection):
        for _ in range(10_000):
            connection.send("x" * 10_000)
            await asyncio.sleep(0)

    async with tcp_server(handler) as port:
        connection, record = await connect(f"ws://{HOST}:{port}")
        with pytest.raises(NotConnected, match="takes nothing any more"):
            await fill(connection)
        assert "bytes are waiting" in str(await record.end())


@realtime
async def test_closing_with_a_full_queue_is_bounded_too(monkeypatch):
    monkeypatch.setattr("sipua.transport.ws_connection.SEND_LIMIT", 100_000_000)

    async def handler(reader, writer):
        await upgrade(reader, writer)
        writer.transport.pause_reading()
        await asyncio.sleep(10)

    async with tcp_server(handler) as port:
        connection, record = await connect(f"ws://{HOST}:{port}", close_timeout=0.1)
        for _ in range(1000):
            connection.send("x" * 30_000)
        await asyncio.sleep(0.01)
        started = time.monotonic()
        await connection.close()
        assert time.monotonic() - started < 2
        assert await record.end() is None


@realtime
async def test_messages_that_are_too_big_and_broken_frames_end_the_connection():
    async def handler(ws):
        await ws.recv()
        await ws.send("x" * 5000)
        await ws.wait_closed()

    async with websocket_server(handler) as url:
        connection, record = await connect(url, max_size=4096)
        connection.send("go")
        error = await record.end()
        assert error.code == 1009
        assert "too big" in str(error)
        assert "4096" in str(error)
        assert record == []

    async def broken(reader, writer):
        await upgrade(reader, writer)
        writer.write(b"\x83\x00")
        await reader.read()

    async with tcp_server(broken) as port:
        _, record = await connect(f"ws://{HOST}:{port}")
        error = await record.end()
        assert error.code == 1002
        assert "broke the WebSocket protocol" in str(error)


# --- connecting that fails ----------------------------------------------------------------------------------


async def failure(url, **options):
    """The error of connecting to `url`: one line, that begins with the URL."""
    with pytest.raises(OSError) as caught:
        await connect(url, **options)
    text = str(caught.value)
    assert text.startswith(f"{url}: ")
    assert "\n" not in text
    return caught.value


@realtime
@pytest.mark.parametrize("offered", [None, ["xmpp", "msrp"]])
async def test_a_server_without_the_subprotocol(offered):
    async with websocket_server(subprotocols=None, select_subprotocol=None) as url:
        error = await failure(url)
        assert type(error) is SubprotocolError
        assert "did not select the sub-protocol sip" in str(error)


@realtime
async def test_a_server_that_selects_another_subprotocol():
    async with websocket_server(select_subprotocol=lambda ws, offered: "xmpp") as url:
        error = await failure(url)
        assert type(error) is SubprotocolError
        assert "xmpp" in str(error)


@realtime
@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (400, "check the path"),
        (401, "user:password@"),
        (403, "Origin"),
        (404, "Asterisk has /ws"),
        (503, "overloaded"),
        (418, "does not offer a WebSocket"),
    ],
)
async def test_http_answers(status, remedy):
    async with websocket_server(process_request=lambda ws, request: ws.respond(status, "no")) as url:
        error = await failure(f"{url}/nothing")
        assert type(error) is ConnectFailed
        assert f"HTTP {status}" in str(error)
        assert remedy in str(error)


@realtime
async def test_redirects_are_followed():
    def redirect(ws, request):
        if request.path == "/ws":
            return None
        response = ws.respond(302, "")
        response.headers["Location"] = "/ws"
        return response

    async with websocket_server(process_request=redirect) as url:
        connection, _ = await connect(f"{url}/old")
        await connection.close()


@realtime
@pytest.mark.parametrize("host", [HOST, "localhost"])
async def test_nobody_listens(host):
    error = await failure(f"ws://{host}:{free_port()}/ws")
    assert type(error) is ConnectFailed
    assert "connection refused: is the server running" in str(error)


@realtime
@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OSError(113, "No route to host"), "host unreachable"),
        (OSError("Multiple exceptions: [Errno 101] x, [Errno 113] y"), "network unreachable"),
        (OSError(24, "Too many open files"), "raise the limit"),
        (OSError(99, "Cannot assign requested address"), "Cannot assign requested address"),
        (ConnectionResetError(), "the server hung up (no TCP connection)"),
        (RuntimeError("odd\nthing"), "RuntimeError: odd thing"),
        (ImportError("other"), "other"),
    ],
)
async def test_other_troubles_of_the_network(monkeypatch, error, text):
    async def create_connection(*_args, **_kwargs):
        raise error

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", create_connection)
    caught = await failure("ws://192.0.2.1/", proxy=None)
    assert type(caught) is ConnectFailed
    assert text in str(caught)


@realtime
async def test_an_unknown_host_name(monkeypatch):
    async def getaddrinfo(*_args, **_kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    error = await failure("wss://sip.example.invalid/ws", proxy=None)
    assert type(error) is ConnectFailed
    assert "host name not found" in str(error)


@realtime
@pytest.mark.parametrize(
    ("scheme", "text"),
    [
        ("ws", "(connected, but no answer to the WebSocket upgrade): is it a WebSocket server"),
        ("wss", "(TCP connection, but no TLS handshake): is it a ws:// server?"),
    ],
)
async def test_a_silent_server(scheme, text):
    async def handler(reader, writer):
        await asyncio.sleep(10)

    async with tcp_server(handler) as port:
        started = time.monotonic()
        error = await failure(f"{scheme}://{HOST}:{port}", connect_timeout=0.3, insecure=True)
        assert time.monotonic() - started < 2
        assert type(error) is ConnectTimeout
        assert isinstance(error, TimeoutError)
        assert f"no answer within 0.3 s {text}" in str(error)


@realtime
async def test_an_address_that_swallows_packets(monkeypatch):
    async def create_connection(*_args, **_kwargs):
        await asyncio.sleep(10)

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", create_connection)
    error = await failure("ws://192.0.2.1/", connect_timeout=0.05, proxy=None)
    assert type(error) is ConnectTimeout
    assert "(no TCP connection): check address, port and firewall" in str(error)


@realtime
@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b"SIP/2.0 400 Bad Request\r\n\r\n", "does not speak HTTP"),
        (b"220 mail.example.com ESMTP\r\n", "does not speak HTTP"),
        (b"HTTP/1.0 404 File not found\r\n\r\n", "an HTTP/1.0 server, which has no WebSockets"),
        (b"", "hung up instead of answering"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "HTTP 200 OK: it does not offer a WebSocket"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "not a proper WebSocket answer: missing Connection"),
    ],
)
async def test_a_server_for_something_else(answer, text):
    async def handler(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)

    async with tcp_server(handler) as port:
        error = await failure(f"ws://{HOST}:{port}")
        assert type(error) is ConnectFailed
        assert text in str(error)


@realtime
async def test_cancelling_leaves_nothing_behind():
    async def handler(reader, writer):
        await reader.read()

    async with tcp_server(handler) as port:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(connect(f"ws://{HOST}:{port}"), 0.05)


# --- configuration ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://example.com", "ws:// or wss://"),
        ("example.com", "ws:// or wss://"),
        ("ws:example.com", "ws:// or wss://"),
        ("", "ws:// or wss://"),
        ("wss://", "no host name"),
        ("wss://example.com:port", "[Pp]ort"),
        ("wss://example.com:70000", "[Pp]ort"),
        ("wss://example.com:0", "port 0"),
        ("wss://example.com/#x", "no # part"),
        ("wss://example.com/a b", "blanks"),
        ("wss://exam\nple.com/", "blanks"),
        ("wss://[::1/", "IPv6"),
        ("wss://user@example.com/", "needs a password"),
    ],
)
def test_urls_that_cannot_be_used(url, why):
    with pytest.raises(ConfigurationError, match=why) as caught:
        WebSocketInterface(url)
    assert "user@" not in str(caught.value)


def test_a_password_in_the_url_is_shown_nowhere():
    interface = WebSocketInterface("wss://alice:secret@example.com:8089/ws", weight=7)
    assert interface.url == "wss://example.com:8089/ws"
    assert repr(interface) == "WebSocketInterface('wss://example.com:8089/ws', weight=7)"
    assert (interface.weight, interface.via_transport) == (7, "WSS")
    assert isinstance(interface, Connector)
    with pytest.raises(ConfigurationError) as caught:
        WebSocketInterface("wss://alice:secret@example.com:0/")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"headers": {"X-A": "b\r\nX-Evil: c"}}, "control characters"),
        ({"headers": {"X A": "b"}}, "not a header name"),
        ({"connect_timeout": 0}, "positive"),
        ({"connect_timeout": float("nan")}, "positive"),
        ({"close_timeout": -1}, "positive"),
    ],
)
def test_options_that_cannot_be_used(options, why):
    with pytest.raises(ConfigurationError, match=why):
        WebSocketInterface("wss://example.com", **options)


def test_websockets_is_loaded_only_when_it_is_needed():
    code = "import sipua.transport, sipua.testing, sys; sys.exit('websockets' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@realtime
async def test_the_library_logs_nothing_not_even_passwords(caplog):
    with caplog.at_level(logging.DEBUG):
        error = await failure(f"ws://{HOST}:{free_port()}/")
        async with websocket_server(logger=logging.getLogger("test.server")) as url:
            connection, _ = await connect(url.replace("://", "://user:secret@"))
            connection.send("Authorization: Digest response=0123")
            await connection.close()
    assert error is not None
    assert [record for record in caplog.records if record.name.startswith(("sipua", "websockets"))] == []
