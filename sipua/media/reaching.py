"""Whether a STUN or TURN server answers, and what it says: for diagnosis. Calls take `why` from here."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from aioice import stun, turn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

    from sipua.media.ice_servers import Server

__all__ = ["Fault", "IceServerError", "Reached", "check_family", "reach", "why"]

Fault = Literal[
    "name",
    "name server",
    "network",
    "family",
    "refused",
    "silence",
    "tls",
    "no credentials",
    "credentials",
    "refusal",
    "nonsense",
]

_WORDS: dict[Fault, str] = {
    "name": "its name is not known ({})",
    "name server": "its name cannot be looked up ({})",
    "tls": "no TLS connection: {}",
    "no credentials": "it wants user name and password ({})",
    "credentials": "it does not take user name and password ({})",
    "refusal": "it refuses: {}",
}


class IceServerError(Exception):
    """The server is of no use: it cannot be reached, or it refuses.

    `code` is that of its STUN error, if it sent one. As text, it is what is wrong in plain words.
    """

    def __init__(self, fault: Fault, detail: str, code: int | None = None) -> None:
        super().__init__(_WORDS.get(fault, "{}").format(detail))
        self.fault = fault
        self.detail = detail
        self.code = code


class Reached(NamedTuple):
    """What a server said. Addresses are those of an IP address and a port."""

    server: tuple[str, int]
    mapped: tuple[str, int]
    """Ours, as the server sees it."""
    relayed: tuple[str, int] | None
    """What a TURN server gave us; None for STUN."""


def check_family(server: Server) -> None:
    """Whether calls can ask the server at all: aioice asks STUN servers over IPv4 only.

    :raises IceServerError: they cannot.
    """
    if server.scheme == "stun" and ":" in server.address[0]:
        raise IceServerError("family", "it has an IPv6 address, and STUN servers are asked over IPv4 only")


async def reach(server: Server, timeout: float) -> Reached:
    """Ask a STUN server for our address (:rfc:`8489`), or a TURN server for an allocation (:rfc:`8656`).

    The allocation is given back.

    :param timeout: seconds.
    :raises IceServerError: it did not work; `IceServerError.fault` says why.
    """
    check_family(server)
    try:
        async with asyncio.timeout(timeout):
            address = await _resolve(server)
            if server.scheme == "stun":
                return await _ask_stun(address)
            if server.transport == "udp":
                return await _unless_refused(_allocate(server, address), address)
            return await _allocate(server, address)
    except (OSError, stun.TransactionError) as error:  # TimeoutError is one
        raise why(server, error, timeout) from None


def why(server: Server, error: BaseException, timeout: float) -> IceServerError:
    """What is wrong with the server, from what came of asking it for `timeout` seconds."""
    match error:
        case IceServerError():
            return error
        case stun.TransactionFailed():
            return _refusal(server, error)
        case TimeoutError() | stun.TransactionTimeout():
            return IceServerError("silence", f"no answer within {timeout:g} s")
        case socket.gaierror():
            fault: Fault = "name server" if error.errno == socket.EAI_AGAIN else "name"
            return IceServerError(fault, error.strerror or str(error))
        case ssl.SSLError():
            return IceServerError("tls", _of_tls(error))
        case ConnectionError(errno=None) if (
            type(error) is ConnectionError
        ):  # aioice's, of an answer that lacks something
            return IceServerError("nonsense", str(error))
        case ConnectionError(errno=None):  # asyncio's
            over_tls = server.scheme == "turns"
            return (
                IceServerError("tls", "it hung up") if over_tls else IceServerError("network", "it hung up")
            )
        case OSError(errno=int(number)) if number > 0:
            fault = "refused" if isinstance(error, ConnectionRefusedError) else "network"
            return IceServerError(fault, os.strerror(number).lower())
        case OSError():
            return IceServerError("network", str(error) or type(error).__name__)
        case KeyError():
            return IceServerError("nonsense", f"its answer lacks {error.args[0]}")
        case _:
            return IceServerError("nonsense", str(error) or type(error).__name__)


def _of_tls(error: ssl.SSLError) -> str:
    words = getattr(error, "verify_message", None)
    return str(words) if words else (error.reason or str(error)).replace("_", " ").lower()


async def _resolve(server: Server) -> tuple[str, int]:
    loop = asyncio.get_running_loop()
    family = socket.AF_INET if server.scheme == "stun" else socket.AF_UNSPEC  # as aioice does
    found = await loop.getaddrinfo(*server.address, family=family, type=socket.SOCK_DGRAM)
    ip, number = found[0][4][:2]
    return str(ip), int(number)


def _refusal(server: Server, error: stun.TransactionFailed) -> IceServerError:
    code, reason = error.response.attributes.get("ERROR-CODE", (0, "no reason"))
    detail = f"{code} {reason}".strip()
    if code == 401:
        given = server.username is not None and server.credential is not None
        return IceServerError("credentials" if given else "no credentials", detail, code)
    return IceServerError("refusal", detail, code)


# --- STUN -------------------------------------------------------------------------------------------------


class _Binding(asyncio.DatagramProtocol):
    """Sends requests and hands on responses to them."""

    transport: asyncio.DatagramTransport

    def __init__(self) -> None:
        self.transaction: stun.Transaction | None = None
        self.number = b""
        self.broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        try:
            message = stun.parse_message(data)
        except ValueError:
            return
        if message.transaction_id == self.number and self.transaction is not None:
            self.transaction.response_received(message, addr)

    def error_received(self, exc: Exception) -> None:
        if not self.broken.done():
            self.broken.set_exception(exc)

    def send_stun(self, message: stun.Message, addr: tuple[str, int]) -> None:
        self.transport.sendto(bytes(message))


async def _ask_stun(address: tuple[str, int]) -> Reached:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(_Binding, remote_addr=address)
    try:
        request = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
        protocol.number = request.transaction_id
        protocol.transaction = stun.Transaction(request, address, protocol)
        answer = asyncio.ensure_future(protocol.transaction.run())
        async with _cancelled_at_end(answer, protocol.broken):
            either: set[asyncio.Future[Any]] = {answer, protocol.broken}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if protocol.broken.done() and not answer.done():
                await protocol.broken
            response, _ = await answer
    finally:
        transport.close()
    mapped = response.attributes.get("XOR-MAPPED-ADDRESS") or response.attributes.get("MAPPED-ADDRESS")
    if mapped is None:
        raise IceServerError("nonsense", "its answer does not say which address we have")
    return Reached(address, mapped, None)


@contextlib.asynccontextmanager
async def _cancelled_at_end(*futures: asyncio.Future[Any]) -> AsyncIterator[None]:
    try:
        yield
    finally:
        for future in futures:
            future.cancel()
        await asyncio.gather(*futures, return_exceptions=True)


# --- TURN -------------------------------------------------------------------------------------------------


#: Seconds for giving an allocation back; the server forgets it by itself when that is lost.
_GOODBYE = 2.0


class _Relay(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.gone = asyncio.Event()

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone.set()


async def _unless_refused(allocation: Coroutine[Any, Any, Reached], address: tuple[str, int]) -> Reached:
    """The allocation, unless the machine says that nothing takes packets at that port: aioice does not listen to it."""
    asked = asyncio.ensure_future(allocation)
    probe = asyncio.ensure_future(_ask_stun(address))
    async with _cancelled_at_end(asked, probe):
        either: set[asyncio.Future[Any]] = {asked, probe}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not asked.done() and isinstance(refused := probe.exception(), OSError):
            raise refused
        return await asked


async def _allocate(server: Server, address: tuple[str, int]) -> Reached:
    # By name, where the certificate has to fit, and where further addresses of the name are tried, too.
    where = address if server.transport == "udp" else server.address
    transport, relay = await turn.create_turn_endpoint(
        _Relay,
        server_addr=where,
        username=server.username,
        password=server.credential,
        ssl=server.tls(),
        transport=server.transport,
    )
    relayed = transport.get_extra_info("sockname")
    mapped = transport.get_extra_info("related_address")
    transport.close()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(relay.gone.wait(), _GOODBYE)
    return Reached(address, mapped, relayed)
