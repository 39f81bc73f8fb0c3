"""TLS and the certificate of a server, with what is wrong about them in the order in which it has to be mended."""

from __future__ import annotations

import asyncio
import ssl
from asyncio import open_connection
from typing import TYPE_CHECKING, NamedTuple

from sipua.cli.doctor.findings import Finding, Wrong, in_words, ok, warning
from sipua.cli.exits import ExitCode

if TYPE_CHECKING:
    from sipua.cli.doctor.certificates import CertificateFacts

__all__ = ["SERVER", "TURN_SERVER", "Kind", "check_tls", "speaks_tls"]

#: A certificate that expires within so many days is told of.
SOON = 14.0


class Kind(NamedTuple):
    """How one gives such a server to the command."""

    option: str
    plain: str
    """What its URL begins with where there is no TLS."""


SERVER = Kind("--server", "ws://")
TURN_SERVER = Kind("--ice-server", "turn:")


async def check_tls(context: ssl.SSLContext, host: str, port: int, timeout: float, kind: Kind) -> Finding:
    """The handshake, and what the certificate says.

    :raises Wrong: there is no TLS, or the certificate is not accepted.
    """
    try:
        async with asyncio.timeout(timeout):
            facts, version = await _connect(context, host, port)
    except TimeoutError:
        why = f"no answer to the handshake within {timeout:g} s"
        raise Wrong(why, _not_tls(kind), ExitCode.TIMEOUT) from None
    except ssl.SSLCertVerificationError as error:
        async with asyncio.timeout(timeout):
            shown, _ = await _connect(_untrusting(), host, port)
        raise _distrusted(error, shown, host, kind) from None
    except ssl.SSLError as error:
        raise _no_tls(error, kind) from None
    except OSError as error:
        why = f"the server hung up during the handshake ({in_words(error)})"
        raise Wrong(why, _not_tls(kind)) from None
    if context.verify_mode == ssl.CERT_NONE:
        return warning(f"{version}, not checked (--insecure)", "leave --insecure out, and give --ca-file")
    days = facts.days_left()
    until = f"{facts.ends:%Y-%m-%d}"
    if days < SOON:
        return warning(f"{version}, certificate valid until {until}: {days:.0f} days", "renew it in time")
    return ok(f"{version}, certificate for {facts.names_shown()} by {facts.issuer}, valid until {until}")


async def speaks_tls(host: str, port: int, timeout: float) -> bool:
    """Whether there is a TLS server, whatever its certificate."""
    try:
        async with asyncio.timeout(timeout):
            await _connect(_untrusting(), host, port)
    except (OSError, ValueError):
        return False
    return True


async def _connect(context: ssl.SSLContext, host: str, port: int) -> tuple[CertificateFacts, str]:
    from sipua.cli.doctor.certificates import read_certificate

    _, writer = await open_connection(host, port, ssl=context, server_hostname=host)
    try:
        connection = writer.get_extra_info("ssl_object")
        return read_certificate(connection.getpeercert(binary_form=True)), connection.version()
    finally:
        writer.transport.abort()


def _untrusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


#: X509_V_ERR_… of OpenSSL.
_NOT_YET, _EXPIRED, _WRONG_NAMES = 9, 10, (62, 64)


def _distrusted(error: ssl.SSLCertVerificationError, facts: CertificateFacts, host: str, kind: Kind) -> Wrong:
    if error.verify_code in _WRONG_NAMES:
        remedy = f"use that name in {kind.option}, or have a certificate made with the right one"
        return Wrong(f"the certificate is for {facts.names_shown()}, and not for {host}", remedy)
    days = facts.days_left()
    if error.verify_code == _EXPIRED or days < 0:
        when = f"{facts.ends:%Y-%m-%d}"
        return Wrong(f"the certificate expired on {when}, {-days:.0f} days ago", "renew it on the server")
    if error.verify_code == _NOT_YET:
        when = f"{facts.begins:%Y-%m-%d %H:%M} UTC"
        return Wrong(f"the certificate is not valid before {when}", "check the clock of this machine")
    if facts.self_signed:
        remedy = "give --ca-file with that certificate, or have it signed by an authority that is known here"
        return Wrong(f"the certificate of {facts.subject} is self-signed: nobody vouches for it", remedy)
    remedy = (
        f"give --ca-file with the certificate of {facts.issuer}; if that is a public authority, the server lacks the "
        "intermediate certificates"
    )
    return Wrong(f"the certificate is signed by {facts.issuer}, which is not trusted here", remedy)


def _no_tls(error: ssl.SSLError, kind: Kind) -> Wrong:
    reason = error.reason or "TLS_ERROR"
    if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"):
        return Wrong(
            "what answers there does not speak TLS", f"begin the URL with {kind.plain}, or use the TLS port"
        )
    if "CERTIFICATE_REQUIRED" in reason:
        return Wrong(
            "the server wants a client certificate", "ask who runs it; sipua gives one with ssl_context="
        )
    if "PROTOCOL" in reason:
        return Wrong(
            "the server and we have no TLS version in common", "the server has to offer TLS 1.2 or later"
        )
    return Wrong(f"the handshake failed: {reason.replace('_', ' ').lower()}", "look into the server's log")


def _not_tls(kind: Kind) -> str:
    return f"is it a TLS port? If not, the URL begins with {kind.plain}"
