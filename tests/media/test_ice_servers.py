"""What URLs of STUN and TURN servers mean, and whose certificates are trusted."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest

from sipua.errors import ConfigurationError
from sipua.media.ice_servers import Server, parse_servers
from sipua.media.interface import IceServer
from tests.transport.conftest import Certificates, certificates  # noqa: F401 - a fixture

if TYPE_CHECKING:
    from pathlib import Path


def test_servers() -> None:
    assert parse_servers(
        [
            "stun:s.example.com",
            IceServer(["turn:t.example.com:99?transport=tcp", "turns:x?transport=tcp"], "u", "p"),
        ]
    ) == [
        Server("stun", ("s.example.com", 3478)),
        Server("turn", ("t.example.com", 99), "tcp", "u", "p"),
        Server("turns", ("x", 5349), "tcp", "u", "p"),
    ]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "http://example.com",
        "stun:",
        "stuns:x",
        "turn:x?transport=sctp",
        "turns:x?transport=udp",
        "turn:x:70000",
        "stun:x:0",
    ],
)
def test_servers_that_are_none(url: str) -> None:
    with pytest.raises(ConfigurationError, match="ice_servers"):
        parse_servers([url])


@pytest.mark.parametrize(
    "url",
    [
        "stun:s.example.com:3478",
        "turn:192.0.2.1:99",
        "turn:192.0.2.1:3478?transport=tcp",
        "turns:t.example.com:5349",
        "turn:[2001:db8::1]:3478",
    ],
)
def test_url_of_a_server(url: str) -> None:
    (server,) = parse_servers([IceServer(url, "user", "secret")])
    assert server.url == url


def test_whose_certificates_are_trusted(certificates: Certificates) -> None:  # noqa: F811
    def context(**options: str | bool) -> ssl.SSLContext:
        (server,) = parse_servers([IceServer("turns:t.example.com", "u", "p", **options)])  # type: ignore[arg-type]
        made = server.tls()
        assert made is not None
        assert made is server.tls()
        return made

    system, private, anybody = context(), context(ca_file=certificates.ca_file), context(insecure=True)
    assert system.verify_mode == private.verify_mode == ssl.CERT_REQUIRED
    assert private.cert_store_stats()["x509_ca"] == system.cert_store_stats()["x509_ca"] + 1
    assert anybody.verify_mode == ssl.CERT_NONE
    assert Server("turn", ("t.example.com", 3478), "tcp").tls() is None


def test_files_without_certificates(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").touch()
    for name, why in (("empty.pem", "holds no certificate"), ("none.pem", "cannot be read")):
        with pytest.raises(ConfigurationError, match=why):
            parse_servers([IceServer("turns:t.example.com", "u", "p", str(tmp_path / name))])
