"""The way to a server: name, TCP, TLS, WebSocket."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
import urllib.request
from asyncio import open_connection
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sipua.cli.doctor.findings import Examination, Finding, Wrong, for_commands, in_words, ok, warning
from sipua.cli.exits import ExitCode
from sipua.errors import ConnectTimeout, SubprotocolError, TransportError
from sipua.transport import WebSocketInterface

if TYPE_CHECKING:
    from sipua.cli.accounts import AccountOptions
    from sipua.cli.doctor.certificates import CertificateFacts

__all__ = ["check_connection"]

#: A certificate that expires within so many days is told of.
SOON = 14.0


async def check_connection(examination: Examination, account: AccountOptions, url: str) -> bool:
    """Check all of the way to `url`; returns whether it can be used."""
    server = WebSocketInterface(
        url, ca_file=account.ca_file, insecure=account.insecure, connect_timeout=examination.timeout
    )
    parts = urlsplit(server.full_url)
    host, secure = parts.hostname or "", parts.scheme == "wss"
    port = parts.port or (443 if secure else 80)
    if (proxy := _proxy(server, host, secure=secure)) is not None:
        examination.note("proxy", proxy, ok("the connection goes through it; it looks up the name"))
    else:
        way = _Way(host, port, examination.timeout)
        if not await examination.check("name", host, way.find()):
            return False
        if not await examination.check("TCP", f"{host} port {port}", way.connect()):
            return False
        if secure and not await examination.check(
            "TLS", host, _handshake(server, host, port, examination.timeout)
        ):
            return False
    return await examination.check("WebSocket", server.url, _upgrade(server))


def _proxy(server: WebSocketInterface, host: str, *, secure: bool) -> str | None:
    """The proxy that will be used, without its password."""
    if server.proxy_setting() is not True or urllib.request.proxy_bypass(host):
        return None
    proxies = urllib.request.getproxies()
    names = ("https", "socks", "all") if secure else ("http", "socks", "all")
    found = next((proxies[name] for name in names if name in proxies), None)
    return found.rpartition("@")[2] if found else None


# --- name and TCP -----------------------------------------------------------------------------------------


class _Way:
    """The addresses of a host, and whether there are connections to them."""

    def __init__(self, host: str, port: int, timeout: float) -> None:
        self._host = host
        self._port = port
        self._timeout = timeout
        self._addresses: list[str] = []

    async def find(self) -> Finding:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            why = error.strerror if isinstance(error, socket.gaierror) else str(error)
            temporary = isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN
            remedy = (
                "the name server does not answer: check the network of this machine"
                if temporary
                else "check the spelling in --server; if it is right, the name has to be entered in DNS"
            )
            raise Wrong(f"the name is not known ({why})", remedy) from None
        self._addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
        if self._addresses == [self._host]:
            return ok("an address, nothing to look up")
        return ok(f"is {', '.join(self._addresses)}")

    async def connect(self) -> Finding:
        faults: dict[str, OSError] = {}
        for address in self._addresses:
            try:
                async with asyncio.timeout(self._timeout / len(self._addresses)):
                    _, writer = await open_connection(address, self._port)
            except OSError as error:  # TimeoutError is one
                faults[address] = error
            else:
                writer.close()
                return self._connected(address, faults)
        raise self._unreachable(faults)

    def _connected(self, address: str, faults: dict[str, OSError]) -> Finding:
        # Names of this machine have two addresses, and most servers listen on one of them.
        faults = {tried: error for tried, error in faults.items() if not _is_loopback(tried)}
        if not faults:
            return ok(f"connected to {address}" if address != self._host else "connected")
        which = ", ".join(f"{tried} ({in_words(error)})" for tried, error in faults.items())
        remedy = "each connection loses time with that: mend the address, or take it out of DNS"
        return warning(f"connected to {address}, but not to {which}", remedy)

    def _unreachable(self, faults: dict[str, OSError]) -> Wrong:
        which = "; ".join(
            in_words(error) if len(faults) == 1 else f"{tried}: {in_words(error)}"
            for tried, error in faults.items()
        )
        if any(isinstance(error, ConnectionRefusedError) for error in faults.values()):
            remedy = "nothing listens there: is the server running, and is it this port? A firewall may refuse, too"
        elif any(isinstance(error, TimeoutError) for error in faults.values()):
            remedy = "a firewall on the way drops it, or the machine is off: check address and port, and ask its owner"
            return Wrong(which, remedy, ExitCode.TIMEOUT)
        else:
            remedy = "check the network of this machine, the address, and firewalls on the way"
        return Wrong(which, remedy)


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


# --- TLS --------------------------------------------------------------------------------------------------


async def _handshake(server: WebSocketInterface, host: str, port: int, timeout: float) -> Finding:
    context = server.tls()
    assert context is not None
    try:
        async with asyncio.timeout(timeout):
            facts, version = await _connect(context, host, port)
    except TimeoutError:
        remedy = "is it a TLS port? If not, the URL begins with ws://"
        raise Wrong(f"no answer to the handshake within {timeout:g} s", remedy, ExitCode.TIMEOUT) from None
    except ssl.SSLCertVerificationError as error:
        untrusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        untrusting.check_hostname = False
        untrusting.verify_mode = ssl.CERT_NONE
        shown, _ = await _connect(untrusting, host, port)
        raise _distrusted(error, shown, host) from None
    except ssl.SSLError as error:
        raise _no_tls(error) from None
    except OSError as error:
        remedy = "is it a TLS port? If not, the URL begins with ws://"
        raise Wrong(f"the server hung up during the handshake ({in_words(error)})", remedy) from None
    if context.verify_mode == ssl.CERT_NONE:
        return warning(f"{version}, not checked (--insecure)", "leave --insecure out, and give --ca-file")
    days = facts.days_left()
    until = f"{facts.ends:%Y-%m-%d}"
    if days < SOON:
        return warning(f"{version}, certificate valid until {until}: {days:.0f} days", "renew it in time")
    return ok(f"{version}, certificate for {facts.names_shown()} by {facts.issuer}, valid until {until}")


async def _connect(context: ssl.SSLContext, host: str, port: int) -> tuple[CertificateFacts, str]:
    from sipua.cli.doctor.certificates import read_certificate

    _, writer = await open_connection(host, port, ssl=context, server_hostname=host)
    try:
        connection = writer.get_extra_info("ssl_object")
        return read_certificate(connection.getpeercert(binary_form=True)), connection.version()
    finally:
        writer.transport.abort()


#: X509_V_ERR_… of OpenSSL.
_NOT_YET, _EXPIRED, _WRONG_NAMES = 9, 10, (62, 64)


def _distrusted(error: ssl.SSLCertVerificationError, facts: CertificateFacts, host: str) -> Wrong:
    """Why the certificate is not accepted; all that is wrong with it in the order in which it has to be mended."""
    if error.verify_code in _WRONG_NAMES:
        remedy = "use that name in --server, or have a certificate made with the right one"
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


def _no_tls(error: ssl.SSLError) -> Wrong:
    reason = error.reason or "TLS_ERROR"
    if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"):
        return Wrong("what answers there does not speak TLS", "begin the URL with ws://, or use the TLS port")
    if "CERTIFICATE_REQUIRED" in reason:
        return Wrong(
            "the server wants a client certificate", "ask who runs it; sipua gives one with ssl_context="
        )
    if "PROTOCOL" in reason:
        return Wrong(
            "the server and we have no TLS version in common", "the server has to offer TLS 1.2 or later"
        )
    return Wrong(f"the handshake failed: {reason.replace('_', ' ').lower()}", "look into the server's log")


# --- WebSocket --------------------------------------------------------------------------------------------


async def _upgrade(server: WebSocketInterface) -> Finding:
    try:
        connection = await server.connect(lambda data: None, lambda error: None)
    except SubprotocolError:
        raise Wrong(
            "a WebSocket, but its server does not speak the sub-protocol sip",
            "check the path of the URL: Asterisk has /ws; other servers have to be told to speak SIP there",
        ) from None
    except TransportError as error:
        why, _, remedy = error.why.partition(": ")
        code = ExitCode.TIMEOUT if isinstance(error, ConnectTimeout) else ExitCode.FAILED
        raise Wrong(why, for_commands(remedy) or "check address, port and path of --server", code) from None
    await connection.close()
    return ok("upgraded, sub-protocol sip")
