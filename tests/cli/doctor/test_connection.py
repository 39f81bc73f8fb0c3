"""The way to the server, broken in one way each, over real sockets on loopback: name, TCP, TLS, WebSocket."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Any

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_websocket

from sipua.cli.doctor import connection
from sipua.cli.exits import ExitCode
from tests.cli.commands import server
from tests.cli.doctor.examining import WHO, check, closed_port, doctor, wrong
from tests.transport.conftest import Certificates, certificates  # noqa: F401 - a fixture

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.realtime


@pytest.mark.parametrize(
    ("number", "said", "to_do"),
    [
        (socket.EAI_NONAME, "the name is not known (no answer for it)", "check the spelling in --server"),
        (
            socket.EAI_AGAIN,
            "the name cannot be looked up (no answer for it)",
            "the name server does not answer",
        ),
    ],
)
async def test_unknown_name(monkeypatch: pytest.MonkeyPatch, number: int, said: str, to_do: str) -> None:
    real = asyncio.BaseEventLoop.getaddrinfo

    async def unknown(loop: Any, host: Any, *args: Any, **options: Any) -> Any:
        if host == "sip.invalid":
            raise socket.gaierror(number, "no answer for it")
        return await real(loop, host, *args, **options)

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", unknown)
    done = await doctor(*WHO, "--server", "wss://sip.invalid/ws")
    detail, remedy = wrong(done, "name")
    assert detail == said
    assert to_do in remedy
    assert check(done, "register")["state"] == "skipped"
    assert done.code == ExitCode.FAILED


async def test_closed_port() -> None:
    done = await doctor(*WHO, "--server", f"ws://127.0.0.1:{closed_port()}/", "--call", "600")
    detail, remedy = wrong(done, "TCP")
    assert detail == "connection refused"
    assert "is the server running" in remedy
    assert check(done, "call")["state"] == "skipped"


async def test_firewall_that_drops(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*args: Any, **options: Any) -> Any:
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(connection, "open_connection", never)
    done = await doctor(*WHO, "--server", "ws://127.0.0.1/", "--timeout", "0.2")
    detail, remedy = wrong(done, "TCP")
    assert detail == "no answer"
    assert remedy.startswith("a firewall on the way drops it")
    assert done.code == ExitCode.TIMEOUT


async def test_server_that_waits_for_something_else_than_tls() -> None:
    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()

    async with await asyncio.start_server(wait, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        done = await doctor(*WHO, "--server", f"wss://127.0.0.1:{port}/", "--timeout", "0.3")
        plain = await doctor(*WHO, "--server", f"ws://127.0.0.1:{port}/", "--timeout", "0.3")
    detail, remedy = wrong(done, "TLS")
    assert detail == "no answer to the handshake within 0.3 s"
    assert "ws://" in remedy
    detail, remedy = wrong(plain, "WebSocket")
    assert detail == "no answer within 0.3 s (connected, but no answer to the WebSocket upgrade)"
    assert remedy == "is it a WebSocket server, and does it still work?"
    assert plain.code == ExitCode.TIMEOUT


async def test_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "no_proxy", "NO_PROXY", "all_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", f"http://user:secret@127.0.0.1:{closed_port()}")
    done = await doctor(*WHO, "--server", "wss://sip.example.com/ws")
    detail, _ = wrong(done, "WebSocket")
    assert check(done, "proxy")["target"].startswith("127.0.0.1:")
    assert "through the proxy" in detail or "through the proxy" in check(done, "WebSocket")["remedy"]
    assert "secret" not in done.out


@contextlib.asynccontextmanager
async def tls_server(certificates: Certificates, name: str) -> AsyncIterator[str]:  # noqa: F811
    async def handler(connection: ServerConnection) -> None:
        await connection.wait_closed()

    context = certificates.server(name)
    async with serve_websocket(handler, "127.0.0.1", 0, ssl=context) as listening:
        yield f"wss://localhost:{next(iter(listening.sockets)).getsockname()[1]}/"


@pytest.mark.parametrize(
    ("name", "said", "to_do"),
    [
        ("expired", "the certificate expired on ", "renew it on the server"),
        ("future", "the certificate is not valid before ", "check the clock"),
        ("self", "the certificate of localhost is self-signed: nobody vouches for it", "give --ca-file"),
        (
            "other",
            "the certificate is for sip.example.com, and not for localhost",
            "use that name in --server",
        ),
    ],
)
async def test_certificates(certificates: Certificates, name: str, said: str, to_do: str) -> None:  # noqa: F811
    async with tls_server(certificates, name) as url:
        done = await doctor(*WHO, "--server", url, "--ca-file", certificates.ca_file)
    detail, remedy = wrong(done, "TLS")
    assert detail.startswith(said)
    assert to_do in remedy


async def test_authority_that_is_not_known(certificates: Certificates) -> None:  # noqa: F811
    async with tls_server(certificates, "localhost") as url:
        done = await doctor(*WHO, "--server", url)
        insecure = await doctor(*WHO, "--server", url, "--insecure")
        trusted = await doctor(*WHO, "--server", url, "--ca-file", certificates.ca_file)
    detail, remedy = wrong(done, "TLS")
    assert detail == "the certificate is signed by Test CA, which is not trusted here"
    assert "--ca-file with the certificate of Test CA" in remedy
    assert check(insecure, "TLS")["state"] == "warning"
    # It is valid for a day: that is told, too.
    assert check(trusted, "TLS")["state"] == "warning"
    assert "certificate valid until" in check(trusted, "TLS")["detail"]


async def test_no_tls_at_that_port() -> None:
    async with server() as s:
        done = await doctor(*WHO, "--server", s.url.replace("ws://", "wss://"))
    detail, remedy = wrong(done, "TLS")
    assert "does not speak TLS" in detail or "hung up during the handshake" in detail
    assert "ws://" in remedy


async def test_web_server_that_has_no_websocket() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as listening:
        done = await doctor(*WHO, "--server", f"ws://127.0.0.1:{listening.sockets[0].getsockname()[1]}/")
    detail, remedy = wrong(done, "WebSocket")
    assert detail == "the server answered HTTP 404 Not Found"
    assert "Asterisk has /ws" in remedy


@pytest.mark.parametrize(
    ("status", "to_do"),
    [
        ("200 OK", "it does not offer a WebSocket here"),
        ("401 Unauthorized", "it wants HTTP authentication: user:password@ before the host"),
        ("403 Forbidden", "not allowed; perhaps it checks the header Origin"),
        ("502 Bad Gateway", "the server behind it is down"),
    ],
)
async def test_what_web_servers_say(status: str, to_do: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as listening:
        done = await doctor(*WHO, "--server", f"ws://127.0.0.1:{listening.sockets[0].getsockname()[1]}/")
    assert wrong(done, "WebSocket") == (f"the server answered HTTP {status}", to_do)
    assert done.code == ExitCode.FAILED


async def test_tls_where_the_url_says_that_there_is_none(certificates: Certificates) -> None:  # noqa: F811
    async with tls_server(certificates, "self") as url:
        done = await doctor(*WHO, "--server", url.replace("wss://", "ws://"))
    assert wrong(done, "WebSocket") == ("the server speaks TLS at this port", "begin the URL with wss://")


async def test_websocket_without_the_sub_protocol() -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.wait_closed()

    async with serve_websocket(handler, "127.0.0.1", 0) as listening:
        done = await doctor(
            *WHO, "--server", f"ws://127.0.0.1:{next(iter(listening.sockets)).getsockname()[1]}/"
        )
    detail, remedy = wrong(done, "WebSocket")
    assert detail == "a WebSocket, but its server does not speak the sub-protocol sip"
    assert "path" in remedy
