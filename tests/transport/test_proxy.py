"""HTTP and SOCKS proxies, from the environment and given."""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager

import pytest

from sipua.errors import ConnectFailed, ConnectTimeout
from sipua.transport import WebSocketInterface
from tests.transport.loopback import HOST, connect, free_port, tcp_server, websocket_server

pytestmark = pytest.mark.realtime

NAMES = ("http_proxy", "https_proxy", "ws_proxy", "wss_proxy", "socks_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@asynccontextmanager
async def http_proxy(answer=b"HTTP/1.1 200 Connection established\r\n\r\n"):
    """An HTTP proxy that connects every name to loopback. Gives its URL and the requests that it got."""
    requests = []

    async def pipe(reader, writer):
        while data := await reader.read(4096):
            writer.write(data)
        writer.close()

    async def handler(reader, writer):
        request = await reader.readuntil(b"\r\n\r\n")
        requests.append(request.decode())
        writer.write(answer)
        if b" 200 " not in answer:
            return
        port = int(request.split()[1].split(b":")[1])
        far_reader, far_writer = await asyncio.open_connection(HOST, port)
        await asyncio.gather(pipe(reader, far_writer), pipe(far_reader, writer))

    async with tcp_server(handler) as port:
        yield f"http://{HOST}:{port}", requests


@pytest.mark.parametrize("variable", ["https_proxy", "wss_proxy"])
async def test_wss_through_the_proxy_of_the_environment(certificates, monkeypatch, variable):
    async with (
        http_proxy() as (proxy, requests),
        websocket_server(scheme="wss", ssl=certificates.server("other")) as url,
    ):
        monkeypatch.setenv(variable, proxy.replace("://", "://me:secret@"))
        url = url.replace(HOST, "sip.example.com")
        connection, record = await connect(url, ca_file=certificates.ca_file)
        connection.send("through")
        assert await record.until(1) == ["through"]
        await connection.close()
    (request,) = requests
    assert request.startswith("CONNECT sip.example.com:")
    assert "Proxy-Authorization: Basic" in request


async def test_ws_through_a_given_proxy_even_to_loopback():
    async with http_proxy() as (proxy, requests), websocket_server() as url:
        connection, _ = await connect(url, proxy=proxy)
        await connection.close()
    assert len(requests) == 1


@pytest.mark.parametrize("host", [HOST, "localhost", "127.0.0.5"])
async def test_loopback_is_never_looked_for_behind_the_environments_proxy(monkeypatch, host):
    for name in ("http_proxy", "https_proxy", "socks_proxy"):
        monkeypatch.setenv(name, f"http://{HOST}:{free_port()}")
    assert WebSocketInterface(f"ws://{host}/").proxy_setting() is None
    assert WebSocketInterface("ws://[::1]/").proxy_setting() is None
    assert WebSocketInterface("ws://sip.example.com/").proxy_setting() is True
    async with websocket_server() as url:
        connection, _ = await connect(url.replace(HOST, "localhost"))
        await connection.close()


async def test_no_proxy_and_none_connect_directly(monkeypatch):
    async def refused(*_args, **_kwargs):
        raise ConnectionRefusedError(111, "refused")

    monkeypatch.setenv("https_proxy", f"http://{HOST}:{free_port()}")
    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", refused)
    for environment, options in (("sip.example.com", {}), ("", {"proxy": None})):
        monkeypatch.setenv("no_proxy", environment)
        with pytest.raises(ConnectFailed) as caught:
            await connect("wss://sip.example.com/", **options)
        assert "proxy" not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "HTTP 407"),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "HTTP 502"),
        (b"garbage\r\n\r\n", "did not receive a valid HTTP response from proxy"),
    ],
)
async def test_a_proxy_that_refuses(answer, text):
    async with http_proxy(answer) as (proxy, _):
        with pytest.raises(ConnectFailed) as caught:
            await connect("wss://sip.example.com/", proxy=proxy.replace("://", "://me:secret@"))
    message = str(caught.value)
    assert text in message
    assert f"(through the proxy {proxy})" in message
    assert "proxy=None connects directly" in message
    assert "secret" not in message


async def test_a_proxy_that_is_not_there_or_silent():
    proxy = f"http://{HOST}:{free_port()}"
    with pytest.raises(ConnectFailed, match=r"connection refused.*\(through the proxy"):
        await connect("wss://sip.example.com/", proxy=proxy)

    async def silent(reader, writer):
        await asyncio.sleep(10)

    async with tcp_server(silent) as port:
        with pytest.raises(ConnectTimeout, match=r"within 0\.3 s .*\(through the proxy"):
            await connect("wss://sip.example.com/", proxy=f"http://{HOST}:{port}", connect_timeout=0.3)


@pytest.mark.parametrize("proxy", ["ftp://proxy.example.com", "http://me@proxy.example.com", "nonsense"])
async def test_proxy_addresses_that_cannot_be_used(proxy):
    with pytest.raises(ConnectFailed, match="the proxy does not work"):
        await connect("wss://sip.example.com/", proxy=proxy)


async def test_socks_without_its_package_says_what_to_install(monkeypatch):
    async def missing(*_args, **_kwargs):
        raise ImportError("connecting through a SOCKS proxy requires python-socks")

    from websockets.asyncio import client

    if "python_socks" in sys.modules:
        monkeypatch.setattr(client, "connect_socks_proxy", missing)
    with pytest.raises(ConnectFailed, match=r"pip install python-socks, or proxy=None"):
        await connect("wss://sip.example.com/", proxy=f"socks5h://{HOST}:1080")
