"""A STUN and TURN server on loopback that does what a test wants: enough of RFC 8489 and RFC 8656 for an allocation."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from aioice import stun, turn

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable

REALM, NONCE, USER, PASSWORD = "relay", b"n0nce", "alice", "secret"
RELAYED = ("192.0.2.77", 40000)


class Relay(asyncio.DatagramProtocol):
    """Answers binding requests, and allocation requests of `USER` with `PASSWORD`."""

    def __init__(
        self, refuse: tuple[int, str] | None = None, *, mute: bool = False, mapped: bool = True
    ) -> None:
        self.refuse = refuse
        self.mute = mute
        self.mapped = mapped
        self.allocations = 0
        self.requests: list[str] = []
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        answer = self.answer(data, addr[:2])
        if answer is not None:
            self.transport.sendto(answer, addr)

    def answer(self, data: bytes, addr: tuple[str, int]) -> bytes | None:
        request = stun.parse_message(data)
        self.requests.append(request.message_method.name)
        if self.mute:
            return None
        key: bytes | None = None
        response = stun.Message(
            message_method=request.message_method,
            message_class=stun.Class.RESPONSE,
            transaction_id=request.transaction_id,
        )
        if self.refuse is not None:
            self._error(response, *self.refuse)
            if "USERNAME" in request.attributes:
                key = turn.make_integrity_key(USER, REALM, PASSWORD)
        elif request.message_method is stun.Method.BINDING:
            if self.mapped:
                response.attributes["XOR-MAPPED-ADDRESS"] = addr
        else:
            key = self._authenticate(request, response)
            if key is not None:
                self._allocate(request, response, addr)
        if key is not None:
            response.add_message_integrity(key)
        return bytes(response)

    def _authenticate(self, request: stun.Message, response: stun.Message) -> bytes | None:
        key = turn.make_integrity_key(USER, REALM, PASSWORD)
        if request.attributes.get("USERNAME") == USER and request.check_message_integrity(key):
            return key
        self._error(response, 401, "Unauthorized")
        response.attributes["REALM"] = REALM
        response.attributes["NONCE"] = NONCE
        return None

    def _allocate(self, request: stun.Message, response: stun.Message, addr: tuple[str, int]) -> None:
        lifetime = request.attributes["LIFETIME"]
        self.allocations += 1 if lifetime else -1
        response.attributes["LIFETIME"] = lifetime
        if lifetime:
            response.attributes["XOR-MAPPED-ADDRESS"] = addr
            response.attributes["XOR-RELAYED-ADDRESS"] = RELAYED

    def _error(self, response: stun.Message, code: int, reason: str) -> None:
        response.message_class = stun.Class.ERROR
        response.attributes["ERROR-CODE"] = (code, reason)


@asynccontextmanager
async def relay(
    make: Callable[[], Relay] = Relay, host: str = "127.0.0.1"
) -> AsyncIterator[tuple[Relay, str]]:
    """A running server, and its ``127.0.0.1:port``."""
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(make, local_addr=(host, 0))
    try:
        where = f"[{host}]" if ":" in host else host
        yield protocol, f"{where}:{transport.get_extra_info('sockname')[1]}"
    finally:
        transport.close()


@asynccontextmanager
async def relay_over_tcp(tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[Relay, str]]:
    """The same over TCP, or over TLS."""
    served = Relay()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readexactly(20)
                data = head + await reader.readexactly(int.from_bytes(head[2:4]))
                answer = served.answer(data, writer.get_extra_info("peername")[:2])
                if answer is not None:
                    writer.write(answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield served, f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
