"""Where certificates come from: a directory, and the Web with care."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import http.server
import ipaddress
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from cryptography import x509

from sipua.passport.sources import CertificateDirectory, HttpsCertificates
from sipua.passport.verifier import MAX_CERTIFICATE
from tests.passport.authority import Holder


def test_directory(tmp_path: Path) -> None:
    (tmp_path / "passport.pem").write_bytes(b"it")
    (tmp_path / ".hidden").write_bytes(b"secret")
    source = CertificateDirectory(tmp_path)
    assert source("https://certs.example.com/a/passport.pem?x=1") == b"it"
    with pytest.raises(OSError):
        source("https://certs.example.com/other.pem")
    for name in ("", "..", ".hidden", "a%2F..", "a\x00b"):
        with pytest.raises(ValueError):
            source(f"https://certs.example.com/{name}")


class Answers(http.server.BaseHTTPRequestHandler):
    """What a server may do."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        name = self.path.partition("?")[0]
        if name == "/moved":
            self.send_response(302)
            self.send_header("Location", "/fine")
            self.end_headers()
            return
        if name == "/missing":
            self.send_error(404)
            return
        self.send_response(200)
        self.end_headers()
        with contextlib.suppress(OSError):
            if name == "/big":
                self.wfile.write(bytes(MAX_CERTIFICATE + 1))
            elif name == "/drips":
                for _ in range(20):
                    self.wfile.write(b"x")
                    self.wfile.flush()
                    time.sleep(0.05)
            elif name == "/hangs":
                time.sleep(1)
            else:
                self.wfile.write(b"certificate")

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """An https server on loopback; its URL, and the authority of its certificate."""
    directory = tmp_path_factory.mktemp("https")
    now = datetime.datetime.now(datetime.UTC).timestamp() - 60
    root = Holder("https root", ca=True, start=now)
    names = x509.SubjectAlternativeName(
        [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    )
    own = Holder("localhost", names, issuer=root, start=now)
    (directory / "ca.pem").write_bytes(root.pem)
    (directory / "own.pem").write_bytes(own.key_pem + own.pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "own.pem")
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    httpd.daemon_threads = True
    httpd.socket = context.wrap_socket(httpd.socket, server_side=True)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{httpd.server_address[1]}", directory / "ca.pem"
    httpd.shutdown()
    thread.join()
    httpd.server_close()


@pytest.mark.realtime
def test_https(server: tuple[str, Path]) -> None:
    url, ca_file = server
    source = HttpsCertificates(hosts=["127.0.0.1"], ca_file=ca_file, timeout=0.3)

    async def work() -> None:
        Answers.asked.clear()
        assert await source(f"{url}/fine?a=1") == b"certificate"
        assert await source(f"{url}/fine?a=1") == b"certificate"
        assert Answers.asked == ["/fine?a=1"]  # the second time it was still known
        for path, why in (("moved", "302"), ("missing", "404"), ("big", "more than")):
            with pytest.raises(ValueError, match=why):
                await source(f"{url}/{path}")
        for path in ("drips", "hangs"):
            with pytest.raises(TimeoutError):
                await source(f"{url}/{path}")

    asyncio.run(work())


@pytest.mark.realtime
def test_what_is_not_asked(server: tuple[str, Path]) -> None:
    url, ca_file = server

    async def work() -> None:
        with pytest.raises(ValueError, match="not a public address"):
            await HttpsCertificates(ca_file=ca_file)(f"{url}/fine")
        with pytest.raises(ValueError, match="not to be asked"):
            await HttpsCertificates(hosts=["certs.example.com"])(f"{url}/fine")
        with pytest.raises(ssl.SSLError):
            await HttpsCertificates(hosts=["127.0.0.1"])(f"{url}/fine")  # an authority that nobody knows
        for bad in ("http://127.0.0.1/x", "file:///etc/passwd", "https://", "https://a@127.0.0.1/x", "x"):
            with pytest.raises(ValueError, match="not an https URL"):
                await HttpsCertificates()(bad)

    asyncio.run(work())


@pytest.mark.realtime
def test_only_so_many_are_kept(server: tuple[str, Path]) -> None:
    url, ca_file = server
    source = HttpsCertificates(hosts=["127.0.0.1"], ca_file=ca_file, keep=0)

    async def work() -> None:
        Answers.asked.clear()
        for _ in range(2):
            await source(f"{url}/fine")
        assert len(Answers.asked) == 2

    asyncio.run(work())
