"""STUN and TURN servers: what their URLs say, and whose certificates are trusted."""

from __future__ import annotations

import functools
import os
import re
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sipua.errors import ConfigurationError
from sipua.media.interface import IceServer

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Server", "parse_servers", "read_url"]

#: :rfc:`7064#section-3.1`, :rfc:`7065#section-3.1`.
_URL = re.compile(
    r"(?P<scheme>stun|turns?):(?:(?P<host>[A-Za-z0-9._\-]+)|\[(?P<ipv6>[0-9A-Fa-f:.]+)\])(?::(?P<port>[0-9]{1,5}))?"
    r"(?:\?transport=(?P<transport>udp|tcp))?"
)
#: STUN over TLS is of no use to media over UDP, nor is there TURN over DTLS here.
_TRANSPORTS = {"stun": (None,), "turn": (None, "udp", "tcp"), "turns": (None, "tcp")}


@dataclass(frozen=True, slots=True)
class Server:
    """One STUN or TURN server."""

    scheme: str
    address: tuple[str, int]
    transport: str = "udp"
    username: str | None = None
    credential: str | None = None
    ca_file: str | None = None
    insecure: bool = False

    @property
    def url(self) -> str:
        """Without user name and password."""
        host, port = self.address
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        over_tcp = self.scheme == "turn" and self.transport == "tcp"
        return f"{self.scheme}:{where}{'?transport=tcp' if over_tcp else ''}"

    def tls(self) -> ssl.SSLContext | None:
        """How its certificate is checked; None where there is no TLS.

        :raises ConfigurationError: the CA file cannot be read, or holds no certificate.
        """
        if self.scheme != "turns":
            return None
        if self.insecure:
            return _insecure()
        try:
            return _trusting(self.ca_file, os.stat(self.ca_file).st_mtime_ns if self.ca_file else 0)
        except ssl.SSLError:
            why = "holds no certificate in PEM format"
        except OSError as error:
            why = f"cannot be read ({error.strerror or error})"
        raise ConfigurationError("ca_file", self.ca_file, why)


def read_url(url: str) -> tuple[str, tuple[str, int], str]:
    """Scheme, address and transport of a URL (:rfc:`7064`, :rfc:`7065`).

    :raises ConfigurationError: it is none, or not of a server that can be used.
    """
    parts = _URL.fullmatch(url)
    if parts is None or parts["transport"] not in _TRANSPORTS[parts["scheme"]]:
        wanted = "no URL of a STUN or TURN server; it looks like stun:host, turn:host?transport=tcp or turns:host:port"
        raise ConfigurationError("ice_servers", url, wanted)
    over_tls = parts["scheme"] == "turns"
    port = int(parts["port"] or (5349 if over_tls else 3478))
    if not 0 < port < 65536:
        raise ConfigurationError("ice_servers", url, "ports go from 1 to 65535")
    transport = parts["transport"] or ("tcp" if over_tls else "udp")
    return parts["scheme"], (parts["host"] or parts["ipv6"], port), transport


def parse_servers(servers: Sequence[IceServer | str]) -> list[Server]:
    """Read the URLs.

    :raises ConfigurationError: one of them is wrong, or a CA file cannot be used.
    """
    parsed = []
    for given in servers:
        server = IceServer(given) if isinstance(given, str) else given
        for url in [server.urls] if isinstance(server.urls, str) else server.urls:
            credentials, trust = (server.username, server.credential), (server.ca_file, server.insecure)
            parsed.append(Server(*read_url(url), *credentials, *trust))
            parsed[-1].tls()
    return parsed


# Making a context takes tens of milliseconds.


@functools.lru_cache(maxsize=16)
def _trusting(ca_file: str | None, _mtime: int) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return context


@functools.cache
def _insecure() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
