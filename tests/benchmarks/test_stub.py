"""The stub server, spoken to with the `websockets` client and with its own control door."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import websockets

from benchmarks._messages import OFFER, invites
from benchmarks._stub import Stub, scan, uri

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.realtime

REGISTER = (
    "REGISTER sip:stub.invalid SIP/2.0\r\nVia: SIP/2.0/WS a.invalid;branch=z9hG4bK1\r\n"
    "From: <sip:a@stub.invalid>;tag=1\r\nTo: <sip:a@stub.invalid>\r\nCall-ID: r1\r\nCSeq: 1 REGISTER\r\n"
    "Contact: <sip:a@a.invalid;transport=ws>{}\r\n\r\n"
)


@asynccontextmanager
async def running() -> AsyncIterator[tuple[Stub, Any]]:
    stub = Stub()
    server = await stub.listen()
    async with (
        server,
        websockets.connect(
            f"ws://{stub.host}", subprotocols=[websockets.Subprotocol("sip")], proxy=None
        ) as client,
    ):
        yield stub, client


async def asked(stub: Stub, path: str) -> dict[str, Any]:
    host, port = stub.host.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    body = (await reader.read()).partition(b"\r\n\r\n")[2]
    writer.close()
    await writer.wait_closed()
    answer: dict[str, Any] = json.loads(body)
    return answer


async def test_a_call_is_answered_acknowledged_and_ended() -> None:
    invite = invites(1)[0]
    async with running() as (stub, client):
        assert client.subprotocol == "sip"
        await client.send(invite)
        replies = [await client.recv() for _ in range(3)]
        assert [reply.split("\r\n")[0] for reply in replies] == [
            "SIP/2.0 100 Trying",
            "SIP/2.0 180 Ringing",
            "SIP/2.0 200 OK",
        ]
        sent, answered = scan(invite), scan(replies[2])
        assert [answered[key] for key in ("via", "from", "id", "cseq")] == [
            sent[key] for key in ("via", "from", "id", "cseq")
        ]
        assert answered["to"].startswith(sent["to"] + ";tag=")
        assert replies[2].endswith("a=setup:active" + OFFER.partition("a=setup:actpass")[2])
        await client.send(invite.replace("INVITE", "ACK"))
        await client.send(invite.replace("INVITE", "BYE").encode())
        assert (await client.recv()).startswith(b"SIP/2.0 200 OK")  # in the kind of frame it was asked in
        assert stub.received == {"INVITE": 1, "ACK": 1, "BYE": 1}


async def test_registration_and_its_end() -> None:
    async with running() as (stub, client):
        await client.send(REGISTER.format(""))
        assert "Contact: <sip:a@a.invalid;transport=ws>;expires=600\r\n" in await client.recv()
        assert (await asked(stub, "/stats"))["registered"] == 1
        await client.send(REGISTER.format(";expires=0"))
        assert "Contact" not in await client.recv()
        assert len(stub.registered) == 0


async def test_it_places_calls_to_who_registered() -> None:
    async with running() as (stub, client):
        assert "error" in await asked(stub, "/place?count=1&width=1")
        await client.send(REGISTER.format(""))
        await client.recv()
        placing = asyncio.create_task(asked(stub, "/place?count=3&width=2"))
        seen = []
        while not placing.done():
            try:
                request = await asyncio.wait_for(client.recv(), 0.2)
            except TimeoutError:
                continue
            seen.append(request.split(" ")[0])
            found = scan(request)
            if seen[-1] != "ACK":
                tag = ";tag=t" if seen[-1] == "INVITE" else ""
                await client.send(
                    f"SIP/2.0 200 OK\r\n{found['via']}{found['from']}\r\n{found['to']}{tag}\r\n"
                    f"{found['id']}\r\n{found['cseq']}\r\nContact: <sip:a@a.invalid>\r\n\r\n"
                )
        assert placing.result() == {"failed": 0}
        assert Counter(seen) == {"INVITE": 3, "ACK": 3, "BYE": 3}


async def test_keep_alive_ping_and_cut() -> None:
    async with running() as (stub, client):
        await client.send("\r\n\r\n")
        assert await client.recv() == "\r\n"
        await (await client.ping())
        assert await asked(stub, "/cut") == {"cut": 1}
        with pytest.raises(websockets.ConnectionClosedError):
            await client.recv()
        assert (await asked(stub, "/stats"))["open"] == 0


def test_scanning_keeps_what_a_reply_copies() -> None:
    found = scan(invites(1)[0])
    assert found["via"].count("Via: ") == 2
    assert uri(found["contact"]).startswith("sip:alice.")
