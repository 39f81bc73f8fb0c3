"""wss: what is trusted, and what is said when something is not."""

from __future__ import annotations

import logging
import os
import ssl

import pytest

from sipua.errors import CertificateError, ConfigurationError, ConnectFailed
from sipua.transport import WebSocketInterface
from sipua.transport.tls import client_context
from tests.transport.loopback import connect, tcp_server, websocket_server

realtime = pytest.mark.realtime


@realtime
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_a_private_authority(certificates, host):
    async with websocket_server(scheme="wss", ssl=certificates.server()) as url:
        connection, record = await connect(url.replace("127.0.0.1", host), ca_file=certificates.ca_file)
        assert connection.via_transport == "WSS"
        connection.send("x" * 100_000)
        assert await record.until(1) == ["x" * 100_000]
        await connection.close()
        assert await record.end() is None


@realtime
@pytest.mark.parametrize(
    ("certificate", "trusted", "text"),
    [
        ("localhost", False, "certificate not trusted (issuer unknown): pass ca_file= with the certificate"),
        (
            "self",
            False,
            "certificate not trusted (self-signed): pass ca_file= with the certificate of its CA",
        ),
        ("expired", True, "certificate has expired: it has to be renewed on the server"),
        ("future", True, "certificate not valid yet: check the clock of this machine"),
        ("other", True, "certificate is for another name: use that name in the URL"),
    ],
)
async def test_certificates_that_are_not_accepted(certificates, certificate, trusted, text):
    async with websocket_server(scheme="wss", ssl=certificates.server(certificate)) as url:
        for address in (url, url.replace("127.0.0.1", "localhost")):
            with pytest.raises(CertificateError) as caught:
                await connect(address, ca_file=certificates.ca_file if trusted else None)
            assert str(caught.value).startswith(f"{address}: {text}")
            assert "insecure=True" in str(caught.value) or certificate == "future"
            assert "\n" not in str(caught.value)


@realtime
async def test_insecure_takes_anything_and_says_so_once(certificates, caplog):
    async with websocket_server(scheme="wss", ssl=certificates.server("expired")) as url:
        interface = WebSocketInterface(url, insecure=True)
        for _ in range(2):
            connection = await interface.connect(lambda data: None, lambda error: None)
            await connection.close()
    warnings = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert warnings == [f"{url}: insecure=True, the server's certificate is not checked"]


@realtime
async def test_an_own_context_for_client_certificates(certificates):
    server = certificates.server()
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_verify_locations(certificates.ca_file)
    client = ssl.create_default_context(cafile=certificates.ca_file)
    client.load_cert_chain(certificates.folder / "other.pem")
    async with websocket_server(scheme="wss", ssl=server) as url:
        connection, record = await connect(url, ssl_context=client)
        connection.send("hello")
        assert await record.until(1) == ["hello"]
        await connection.close()
        # TLS 1.3 tells the client only after its own handshake.
        with pytest.raises(ConnectFailed, match=r"client certificate|hung up"):
            await connect(url, ca_file=certificates.ca_file)


@realtime
async def test_tls_and_no_tls_mixed_up(certificates):
    async with websocket_server() as url:
        with pytest.raises(ConnectFailed, match=r"hung up \(.*no TLS handshake\): .* ws or wss"):
            await connect(url.replace("ws:", "wss:"))

    async def plain(reader, writer):
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with tcp_server(plain) as port:
        with pytest.raises(ConnectFailed, match="no TLS at this port: should the URL begin with ws://"):
            await connect(f"wss://127.0.0.1:{port}/")
    async with websocket_server(scheme="wss", ssl=certificates.server()) as url:
        with pytest.raises(ConnectFailed, match="ws or wss"):
            await connect(url.replace("wss:", "ws:"))


def test_ca_files_that_cannot_be_used(tmp_path):
    missing = str(tmp_path / "missing.pem")
    with pytest.raises(ConfigurationError, match=r"ca_file=.*missing.pem.*No such file"):
        WebSocketInterface("wss://example.com", ca_file=missing)
    rubbish = tmp_path / "rubbish.pem"
    for text in ("no certificate", ""):
        rubbish.write_text(text)
        with pytest.raises(ConfigurationError, match="holds no certificate in PEM format"):
            WebSocketInterface("wss://example.com", ca_file=str(rubbish))


def test_a_ca_file_that_vanishes_later_is_an_error_of_the_connection(certificates, tmp_path):
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes((certificates.folder / "ca.crt").read_bytes())
    interface = WebSocketInterface("wss://example.com", ca_file=str(ca_file))
    assert interface.tls() is not None
    ca_file.unlink()
    with pytest.raises(CertificateError, match=r"wss://example.com: ca_file=.*cannot be read"):
        interface.tls()


def test_contexts_are_shared_until_the_file_changes(certificates, tmp_path):
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes((certificates.folder / "ca.crt").read_bytes())
    first = client_context(str(ca_file))
    assert client_context(str(ca_file)) is first
    os.utime(ca_file, ns=(1, 1))
    assert client_context(str(ca_file)) is not first
    assert client_context() is client_context()
    assert client_context().verify_mode is ssl.CERT_REQUIRED
    assert client_context().check_hostname
    assert client_context(insecure=True).verify_mode is ssl.CERT_NONE
