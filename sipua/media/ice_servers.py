"""STUN and TURN servers: what their URLs say, and whose certificates are trusted."""

from __future__ import annotations

import functools
import os
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiortc.rtcicetransport import parse_stun_turn_uri

from sipua.errors import ConfigurationError
from sipua.media.interface import IceServer

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Server", "parse_servers"]


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
        over_tcp = self.scheme == "turn" and self.transport == "tcp"
        return f"{self.scheme}:{host}:{port}{'?transport=tcp' if over_tcp else ''}"

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


def parse_servers(servers: Sequence[IceServer | str]) -> list[Server]:
    """Read the URLs (:rfc:`7064`, :rfc:`7065`). Raises ConfigurationError for one that is wrong."""
    parsed = []
    for server in servers:
        made = IceServer(server) if isinstance(server, str) else server
        for url in [made.urls] if isinstance(made.urls, str) else made.urls:
            try:
                parts = parse_stun_turn_uri(url)
                transport = parts.get("transport", "udp")
                if parts["scheme"] == "stuns" or (parts["scheme"], transport) == ("turns", "udp"):
                    raise ValueError("cannot be used over this transport")
            except ValueError as error:
                raise ConfigurationError(
                    "ice_servers",
                    url,
                    f"{error}; give stun:host[:port] or turn[s]:host[:port][?transport=udp|tcp]",
                ) from None
            if transport not in ("udp", "tcp"):
                raise ConfigurationError("ice_servers", url, "the transport must be udp or tcp")
            if not 0 < parts["port"] < 65536:
                raise ConfigurationError("ice_servers", url, "ports go from 1 to 65535")
            one = Server(
                parts["scheme"],
                (parts["host"], parts["port"]),
                transport,
                made.username,
                made.credential,
                made.ca_file,
                made.insecure,
            )
            one.tls()
            parsed.append(one)
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
