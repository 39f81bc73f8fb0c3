"""What can go wrong with a WebSocket, as one line that names the trouble and the remedy."""

from __future__ import annotations

import errno
import re
import socket
import ssl
from typing import TYPE_CHECKING

from websockets.exceptions import (
    ConnectionClosed,
    InvalidHeader,
    InvalidMessage,
    InvalidProxy,
    InvalidStatus,
    NegotiationError,
    PayloadTooBig,
    ProtocolError,
    ProxyError,
    WebSocketException,
)

from sipua.errors import (
    CertificateError,
    ConnectFailed,
    ConnectionLost,
    ConnectTimeout,
    SubprotocolError,
    TransportError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

# X509_V_ERR_… of OpenSSL, as in SSLCertVerificationError.verify_code.
OWN_CA = "pass ca_file= with the certificate of its CA, or insecure=True to trust any"
CERTIFICATE_TROUBLES = {
    2: f"certificate not trusted (issuer unknown): {OWN_CA}",
    9: "certificate not valid yet: check the clock of this machine",
    10: "certificate has expired: it has to be renewed on the server; insecure=True would ignore that",
    18: f"certificate not trusted (self-signed): {OWN_CA}",
    19: f"certificate not trusted (self-signed CA): {OWN_CA}",
    20: f"certificate not trusted (issuer unknown): {OWN_CA}",
    21: f"certificate not trusted (issuer unknown): {OWN_CA}",
    23: "certificate has been revoked",
}
WRONG_NAME = "certificate is for another name: use that name in the URL; insecure=True would ignore that ({})"
WRONG_NAME_CODES = (62, 64)

TLS_TROUBLES = {
    "WRONG_VERSION_NUMBER": "no TLS at this port: should the URL begin with ws:// instead of wss://?",
    "HTTP_REQUEST": "no TLS at this port: should the URL begin with ws:// instead of wss://?",
    "RECORD_LAYER_FAILURE": "no TLS at this port: should the URL begin with ws:// instead of wss://?",
    "UNSUPPORTED_PROTOCOL": "the server speaks only an outdated TLS version",
    "TLSV1_ALERT_PROTOCOL_VERSION": "the server accepts no TLS version that we speak",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "the server wants a client certificate: pass ssl_context=",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "TLS handshake refused: does it want a client certificate?",
}

HTTP_TROUBLES = {
    400: "check the path of the URL",
    401: "it wants HTTP authentication: user:password@ before the host, or headers={'Authorization': …}",
    403: "not allowed; perhaps it checks the header Origin: pass headers={'Origin': …}",
    404: "no WebSocket at this path: check the path of the URL, Asterisk has /ws",
    405: "no WebSocket at this path: check the path of the URL",
    426: "it does not take this kind of WebSocket",
    502: "the server behind it is down",
    503: "the server is overloaded or shutting down",
    504: "the server behind it does not answer",
}

OS_TROUBLES = {
    errno.ECONNREFUSED: "connection refused: is the server running, and is it this port?",
    errno.EHOSTUNREACH: "host unreachable: check address and network",
    errno.ENETUNREACH: "network unreachable: check address and network",
    errno.ETIMEDOUT: "no answer: check address, port and firewall",
    errno.ECONNRESET: "connection reset by the server",
    errno.EMFILE: "too many open files in this process: raise the limit (ulimit -n)",
    errno.ENFILE: "too many open files on this machine",
}

CLOSE_CODES = {
    1000: "the server closed the connection",
    1001: "the server goes away or is restarted",
    1002: "the server closed the connection: we broke the WebSocket protocol, it says",
    1003: "the server closed the connection: it does not take this kind of frame",
    1005: "the server closed the connection",
    1007: "the server closed the connection: it takes only UTF-8",
    1008: "the server closed the connection: against its policy",
    1009: "the server closed the connection: a message was too big for it",
    1011: "the server closed the connection because of an internal error",
    1012: "the server is restarted",
    1013: "the server is overloaded",
}


# How far a connection has come, and what to look at when it came no further.
NO_TCP = "no TCP connection"
NO_TLS = "TCP connection, but no TLS handshake"
NO_UPGRADE = "connected, but no answer to the WebSocket upgrade"
TIMEOUT_REMEDIES = {
    NO_TCP: "check address, port and firewall",
    NO_TLS: "is it a ws:// server?",
    NO_UPGRADE: "is it a WebSocket server, and does it still work?",
}


def connect_error(
    error: Exception, url: str, *, stage: str, timeout: float, proxy: str | None
) -> TransportError:
    """The `sipua.errors` error for what `websockets.connect` raised.

    `stage` is how far the connection had come (NO_…), `timeout` the connect time-out in seconds and `proxy` the
    address of the HTTP or SOCKS proxy, without password.
    """
    via = f" (through the proxy {proxy})" if proxy else ""
    for kind, describe in _DESCRIPTIONS:
        if isinstance(error, kind):
            failure, why = describe(error)
            return failure(url, why + via)
    if isinstance(error, TimeoutError):
        why = f"no answer within {timeout:g} s ({stage}): {TIMEOUT_REMEDIES[stage]}"
        return ConnectTimeout(url, why + via)
    if isinstance(error, OSError):
        return ConnectFailed(url, _os_trouble(error, stage) + via)
    return ConnectFailed(url, f"{_one_line(error)}{via}")


def lost_error(closed: ConnectionClosed, url: str) -> ConnectionLost:
    """The error for a connection that had been up, from what websockets says of its end."""
    cause = closed.__cause__
    if closed.rcvd is not None:
        code, reason = closed.rcvd.code, closed.rcvd.reason
        why = CLOSE_CODES.get(code, "the server closed the connection")
        return ConnectionLost(
            url, f"{why} ({code}{f': {reason}' if reason else ''})", code=code, reason=reason
        )
    if isinstance(cause, PayloadTooBig):
        return ConnectionLost(
            url, f"the server sent a message that is too big: {_one_line(cause)}", code=1009
        )
    if isinstance(cause, ProtocolError):
        return ConnectionLost(url, f"the server broke the WebSocket protocol: {_one_line(cause)}", code=1002)
    detail = f" ({_one_line(cause)})" if isinstance(cause, OSError) and str(cause) else ""
    return ConnectionLost(url, f"connection lost without a closing handshake{detail}")


def _certificate(error: ssl.SSLCertVerificationError) -> tuple[type[TransportError], str]:
    if error.verify_code in WRONG_NAME_CODES:
        return CertificateError, WRONG_NAME.format(error.verify_message.rstrip("."))
    why = CERTIFICATE_TROUBLES.get(error.verify_code)
    return CertificateError, why or f"certificate not accepted: {error.verify_message}"


def _tls(error: ssl.SSLError) -> tuple[type[TransportError], str]:
    why = TLS_TROUBLES.get(error.reason or "")
    return ConnectFailed, why or f"TLS handshake failed: {error.reason or _one_line(error)}"


def _host_name(error: socket.gaierror) -> tuple[type[TransportError], str]:
    return ConnectFailed, f"host name not found ({error.strerror}): check the name and DNS"


def _http_status(error: InvalidStatus) -> tuple[type[TransportError], str]:
    status = error.response.status_code
    remedy = HTTP_TROUBLES.get(status, "it does not offer a WebSocket here")
    return ConnectFailed, f"the server answered HTTP {status} {error.response.reason_phrase}: {remedy}"


def _subprotocol(error: NegotiationError) -> tuple[type[TransportError], str]:
    return SubprotocolError, f"the server does not speak SIP over WebSocket: {_one_line(error)}"


def _no_http(error: InvalidMessage) -> tuple[type[TransportError], str]:
    if isinstance(error.__cause__, EOFError):
        return (
            ConnectFailed,
            "the server hung up instead of answering: is it a WebSocket port, and ws or wss?",
        )
    if "HTTP/1.0" in str(error.__cause__):
        return (
            ConnectFailed,
            "what answers there is an HTTP/1.0 server, which has no WebSockets: is it the right port?",
        )
    return ConnectFailed, "what answers there does not speak HTTP: is it a WebSocket port, and ws or wss?"


def _bad_upgrade(error: InvalidHeader) -> tuple[type[TransportError], str]:
    return ConnectFailed, f"not a proper WebSocket answer: {_one_line(error)}"


def _proxy(error: Exception) -> tuple[type[TransportError], str]:
    detail = error.msg if isinstance(error, InvalidProxy) else _one_line(error)
    return ConnectFailed, f"the proxy does not work: {detail}; proxy=None connects directly"


def _no_socks(error: ImportError) -> tuple[type[TransportError], str]:
    why = "SOCKS proxies need the package python-socks: pip install python-socks, or proxy=None"
    return ConnectFailed, why if "socks" in str(error) else _one_line(error)


# The first that fits counts: special ones before general ones.
_DESCRIPTIONS: tuple[tuple[type[Exception], Callable[..., tuple[type[TransportError], str]]], ...] = (
    (ssl.SSLCertVerificationError, _certificate),
    (ssl.SSLError, _tls),
    (socket.gaierror, _host_name),
    (InvalidStatus, _http_status),
    (NegotiationError, _subprotocol),
    (InvalidHeader, _bad_upgrade),
    (InvalidMessage, _no_http),
    (ProxyError, _proxy),
    (InvalidProxy, _proxy),
    (ImportError, _no_socks),
)


def _os_trouble(error: OSError, stage: str) -> str:
    # With several addresses for one name, asyncio joins their errors into one text without errno.
    numbers = [error.errno] if error.errno else [int(n) for n in re.findall(r"\[Errno (\d+)\]", str(error))]
    for number in numbers:
        if number in OS_TROUBLES:
            return OS_TROUBLES[number]
    if isinstance(error, ConnectionError):
        return f"the server hung up ({stage}): is it the right port, and ws or wss?"
    return _one_line(error)


def _one_line(error: BaseException) -> str:
    if isinstance(error, WebSocketException | OSError | ImportError | ValueError) and str(error):
        return " ".join(str(error).split())
    return " ".join(f"{type(error).__name__}: {error}".split()).rstrip(": ")
