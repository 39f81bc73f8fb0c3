"""A STUN server on loopback that answers at once, late or never."""

from __future__ import annotations

import asyncio
from typing import Any

from aioice import stun

#: What it says that it sees, as behind a NAT.
MAPPED = "203.0.113.5"


class StunServer(asyncio.DatagramProtocol):
    """Says where a request came from; pretends that it was another address."""

    def __init__(self, answers: bool = True, delay: float = 0.0) -> None:
        self.answers = answers
        self.delay = delay
        self.requests = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    @property
    def url(self) -> str:
        return f"stun:127.0.0.1:{self.port}"

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.requests += 1
        if self.answers:
            asyncio.get_running_loop().call_later(self.delay, self._answer, data, addr)

    def _answer(self, data: bytes, addr: Any) -> None:
        request = stun.parse_message(data)
        response = stun.Message(
            message_method=request.message_method,
            message_class=stun.Class.RESPONSE,
            transaction_id=request.transaction_id,
        )
        response.attributes["XOR-MAPPED-ADDRESS"] = (MAPPED, addr[1])
        self.transport.sendto(bytes(response), addr)


async def stun_server(answers: bool = True, delay: float = 0.0) -> StunServer:
    loop = asyncio.get_running_loop()
    _, server = await loop.create_datagram_endpoint(
        lambda: StunServer(answers, delay), local_addr=("127.0.0.1", 0)
    )
    return server
