"""The way to a server: name, TCP, TLS, WebSocket."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import urllib.request
from asyncio import open_connection
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sipua.cli.doctor.findings import Examination, Finding, Wrong, for_commands, in_words, ok, warning
from sipua.cli.doctor.tls import SERVER, check_tls, speaks_tls
from sipua.cli.exits import ExitCode
from sipua.errors import ConnectTimeout, SubprotocolError, TransportError
from sipua.transport import WebSocketInterface

if TYPE_CHECKING:
    from sipua.cli.accounts import AccountOptions

__all__ = ["check_connection"]


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
        if (context := server.tls()) is not None and not await examination.check(
            "TLS", host, check_tls(context, host, port, examination.timeout, SERVER)
        ):
            return False
    direct = (host, port) if proxy is None else None
    return await examination.check("WebSocket", server.url, _upgrade(server, direct))


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
            what = "the name cannot be looked up" if temporary else "the name is not known"
            raise Wrong(f"{what} ({why})", remedy) from None
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


# --- WebSocket --------------------------------------------------------------------------------------------


async def _upgrade(server: WebSocketInterface, direct: tuple[str, int] | None) -> Finding:
    try:
        connection = await server.connect(lambda data: None, lambda error: None)
    except SubprotocolError:
        raise Wrong(
            "a WebSocket, but its server does not speak the sub-protocol sip",
            "check the path of the URL: Asterisk has /ws; other servers have to be told to speak SIP there",
        ) from None
    except TransportError as error:
        if direct is not None and _may_want_tls(server, error) and await speaks_tls(*direct, timeout=2.0):
            raise Wrong("the server speaks TLS at this port", "begin the URL with wss://") from None
        why, _, remedy = error.why.partition(": ")
        code = ExitCode.TIMEOUT if isinstance(error, ConnectTimeout) else ExitCode.FAILED
        raise Wrong(why, for_commands(remedy) or "check address, port and path of --server", code) from None
    await connection.close()
    return ok("upgraded, sub-protocol sip")


def _may_want_tls(server: WebSocketInterface, error: TransportError) -> bool:
    """Servers that want TLS hang up on what is none, say something that is no HTTP, or 400 Bad Request."""
    if server.tls() is not None or isinstance(error, ConnectTimeout):
        return False
    return "answered HTTP" not in error.why or "HTTP 400" in error.why
