"""SIP over WebSocket (:rfc:`7118`), the client's side: where to connect to and how."""

from __future__ import annotations

import ipaddress
import logging
import re
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from sipua.errors import CertificateError, ConfigurationError
from sipua.transport.tls import client_context

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from sipua.transport.interface import CloseHandler, Connection, MessageHandler

logger = logging.getLogger("sipua.transport")

SUBPROTOCOL = "sip"

# Larger than any SIP message that is accepted, so that one that is too large can be answered with 513
# instead of costing the connection.
MAX_SIZE = 256 * 1024

# Servers whose certificate is not checked, and of which that was said.
_warned: set[str] = set()


class WebSocketInterface:
    """A SIP server at a ``ws://`` or ``wss://`` URL.

    - `weight`: servers of a higher weight are tried first.
    - `ca_file`: PEM file of the certificates to trust, instead of the system's. `insecure`: trust any
      certificate (logs a warning). `ssl_context`: all of that, and client certificates, by yourself.
    - `proxy`: True for that of the environment (``https_proxy``, ``no_proxy`` …), which is never used for
      loopback addresses; a URL (http, https, socks5, socks5h …); None to connect directly.
    - `connect_timeout`: seconds for name look-up, TCP, TLS and upgrade together. `close_timeout`: seconds
      that the server has for the closing handshake.
    - `headers`: further HTTP headers of the upgrade request, such as Origin, Cookie or Authorization. A user
      name and password in the URL become Basic authentication, and appear in no log and no error.
    - `max_size`: bytes of the largest message that is accepted; a larger one ends the connection.
    - `binary`: send everything in binary frames, for servers that want that.

    :raises ConfigurationError: a value that cannot be used.
    """

    def __init__(
        self,
        url: str,
        *,
        weight: int = 0,
        ca_file: str | None = None,
        insecure: bool = False,
        ssl_context: ssl.SSLContext | None = None,
        proxy: str | Literal[True] | None = True,
        connect_timeout: float = 10.0,
        close_timeout: float = 2.0,
        headers: Mapping[str, str] | None = None,
        max_size: int = MAX_SIZE,
        binary: bool = False,
    ) -> None:
        self._full_url = url
        self._scheme, self._host, self.url = _check_url(url)
        self.weight = weight
        self.via_transport = self._scheme.upper()
        self.binary = binary
        self.max_size = max_size
        self.connect_timeout = _positive("connect_timeout", connect_timeout)
        self.close_timeout = _positive("close_timeout", close_timeout)
        self.headers = _check_headers(headers or {})
        self._proxy = proxy
        self._ca_file = ca_file
        self._insecure = insecure
        self._ssl_context = ssl_context
        if ca_file is not None:
            client_context(ca_file)  # a wrong file is told now, not in the middle of a night's recovery

    def __repr__(self) -> str:
        return f"WebSocketInterface({self.url!r}, weight={self.weight})"

    async def connect(self, on_message: MessageHandler, on_close: CloseHandler) -> Connection:
        """Connect, and check that the server speaks ``sip`` (:rfc:`7118#section-4.1`).

        :raises ConnectFailed: refused, unreachable, unknown host name, or an answer that is no WebSocket.
        :raises ConnectTimeout: nothing within the connect time-out.
        :raises CertificateError: the server's certificate is not trusted or is for another name.
        :raises SubprotocolError: a WebSocket, but not for SIP.
        """
        # Loaded on first use: it takes longer than the rest of sipua together.
        from sipua.transport.ws_client import open_connection

        return await open_connection(self, on_message, on_close)

    @property
    def full_url(self) -> str:
        """The URL as it was given, perhaps with a password in it: not for logs."""
        return self._full_url

    def tls(self) -> ssl.SSLContext | None:
        """The TLS settings; None for a ``ws://`` URL.

        :raises CertificateError: the CA file has become unreadable.
        """
        if self._scheme == "ws":
            return None
        if self._ssl_context is not None:
            return self._ssl_context
        if self._insecure and self.url not in _warned:
            _warned.add(self.url)
            logger.warning("%s: insecure=True, the server's certificate is not checked", self.url)
        try:
            return client_context(self._ca_file, insecure=self._insecure)
        except ConfigurationError as error:
            raise CertificateError(self.url, str(error)) from None

    def proxy_setting(self) -> str | Literal[True] | None:
        """The proxy as websockets wants it: True for the environment's, a URL, None for none."""
        # A proxy could not reach our loopback; browsers have the same rule.
        return None if self._proxy is True and _is_loopback(self._host) else self._proxy


def _check_url(url: str) -> tuple[str, str, str]:
    """Scheme, host, and the URL without user name and password."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigurationError("url", _without_credentials(url), str(error)) from None
    shown = _without_credentials(url)
    if parts.scheme not in ("ws", "wss") or "://" not in url:
        raise ConfigurationError("url", shown, "must begin with ws:// or wss://, like wss://example.com/ws")
    if not host:
        raise ConfigurationError("url", shown, "has no host name")
    if port == 0:
        raise ConfigurationError("url", shown, "port 0 cannot be connected to")
    if parts.fragment or re.search(r"[\x00-\x20\x7f]", url):
        raise ConfigurationError("url", shown, "a WebSocket URL has no # part and no blanks")
    if parts.username is not None and parts.password is None:
        raise ConfigurationError("url", shown, "a user name needs a password: wss://user:password@host/path")
    return parts.scheme, host, shown


def _without_credentials(url: str) -> str:
    return re.sub(r"(?<=://)[^/?#]*@", "", url)


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_headers(headers: Mapping[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
            raise ConfigurationError("headers", name, "not a header name")
        if re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value):
            raise ConfigurationError("headers", name, "its value has control characters")
    return dict(headers)


def _positive(key: str, value: float) -> float:
    if not value > 0:
        raise ConfigurationError(key, value, "must be a positive number of seconds")
    return value
