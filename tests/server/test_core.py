"""Connections and bad input: nothing a client does ends the server or the connection of another."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipua.server import Limits, Server
from sipua.transport import ConnectionLost
from tests.server.client import ACCOUNTS, Client, connected, running

BOB = "sip:bob@example.com"


async def still_serves(server: Server) -> None:
    alice, bob = await connected(server, "alice", "bob")
    await alice.ask("MESSAGE", BOB)
    bob.reply(await bob.request("MESSAGE"), 200)
    await alice.response(200)


async def test_keep_alive() -> None:
    async with running() as server:
        alice = await Client(server).connect()
        alice.put("\r\n\r\n")
        alice.put(b"\r\n\r\n")
        alice.put("\r\n")
        await alice.silence()
        assert alice.raw == ["\r\n", "\r\n"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("nonsense", None),
        ("MESSAGE sip:bob@example.com SIP/2.0\r\n\r\n", None),
        (
            "MESSAGE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/WS a.invalid;branch=z9hG4bK1\r\nCSeq: 1 MESSAGE\r\n"
            "From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nContent-Length: 9\r\n\r\n",
            400,
        ),
        (
            "MESSAGE sip:bob@example.com SIP/3.0\r\nVia: SIP/2.0/WS a.invalid;branch=z9hG4bK1\r\nCSeq: 1 MESSAGE\r\n"
            "From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\n\r\n",
            505,
        ),
        (
            "ACK sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/WS a.invalid;branch=z9hG4bK1\r\nCSeq: 1 MESSAGE\r\n"
            "From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\n\r\n",
            None,
        ),
        (b"\xff\xfe\x00", None),
        ("SIP/2.0 200 OK\r\n\r\n", None),
        ("SIP/2.0 200 OK\r\nVia: SIP/2.0/WS example.com;branch=z9hG4bK1\r\n\r\n", None),
    ],
)
async def test_what_is_not_sip(text: str | bytes, code: int | None, caplog: pytest.LogCaptureFixture) -> None:
    async with running() as server:
        mallory = await Client(server, "mallory").connect()
        mallory.put(text)
        if code is not None:
            await mallory.response(code)
        await mallory.silence()
        assert not mallory.closed
        assert any("bad message" in record.getMessage() for record in caplog.records)
        await still_serves(server)


async def test_a_client_that_sends_nothing_but_garbage_is_disconnected() -> None:
    async with running(limits=Limits(bad_messages=5)) as server:
        mallory = await Client(server, "mallory").connect()
        for _ in range(4):
            mallory.put("garbage")
        mallory.put("\r\n\r\n")
        for _ in range(4):
            mallory.put("garbage")
        await mallory.silence()
        assert not mallory.closed
        mallory.put("garbage")
        await mallory.silence(5)
        (error,) = mallory.closed
        assert isinstance(error, ConnectionLost)
        assert error.code == 1008
        await still_serves(server)


async def test_too_many_connections() -> None:
    async with running(limits=Limits(connections=2)) as server:
        await connected(server, "alice", "bob")
        third = await Client(server, "carol").connect()
        await third.silence(5)
        (error,) = third.closed
        assert isinstance(error, ConnectionLost)
        assert error.code == 1013


async def test_too_many_requests_at_a_time() -> None:
    async with running(limits=Limits(pending_requests=2)) as server:
        alice, bob, carol = await connected(server, "alice", "bob", "carol")
        first = await alice.ask("MESSAGE", BOB)
        second = await alice.ask("MESSAGE", BOB)
        messages = {message.call_id: message for message in [await bob.request("MESSAGE") for _ in range(2)]}
        await alice.ask("MESSAGE", BOB)
        refused = await alice.response(503)
        assert refused.retry_after is not None
        assert refused.retry_after.delay == 10
        await carol.ask("MESSAGE", BOB)
        await bob.request("MESSAGE")
        bob.reply(messages[first.call_id], 200)
        assert (await alice.response(200)).call_id == first.call_id
        await alice.ask("MESSAGE", BOB)
        await bob.request("MESSAGE")
        assert second.call_id in messages


async def test_a_response_that_is_only_half_readable() -> None:
    async with running() as server:
        alice, bob = await connected(server, "alice", "bob")
        await alice.ask("MESSAGE", BOB)
        message = await bob.request("MESSAGE")
        bob.put(
            str(bob.build("MESSAGE", BOB)).replace(
                "MESSAGE sip:bob@example.com SIP/2.0", "SIP/2.0 999 What", 1
            )
        )
        bob.reply(message, 200, fields=(("Contact", "<sip:unclosed"),))
        assert (await alice.response(200)).headers["Contact"] == "<sip:unclosed"


async def test_a_call_that_was_answered_is_not_pending() -> None:
    async with running(limits=Limits(pending_requests=1)) as server:
        alice, bob = await connected(server, "alice", "bob")
        for _ in range(3):
            await alice.invite(BOB)
            bob.reply(await bob.request("INVITE"), 200)
            await alice.response(200)


async def test_an_error_of_ours_is_a_500(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with running() as server:
        (alice,) = await connected(server, "alice")

        def fail(*_: object) -> None:
            raise ZeroDivisionError

        with monkeypatch.context() as patch:
            patch.setattr(server._exchange.proxy, "_check_loop", fail)
            alice.send("MESSAGE", BOB)
            await alice.response(500)
        assert "could not be handled" in caplog.text
        await still_serves(server)


async def test_messages_to_a_connection_that_is_just_closing_are_no_error() -> None:
    async with running() as server:
        alice, bob = await connected(server, "alice", "bob")
        await alice.invite(BOB)
        invite = await bob.request("INVITE")
        closing = asyncio.ensure_future(alice.connection.close())
        bob.reply(invite, 200)
        await closing
        await bob.silence()
        await still_serves(server)


MESSAGE = (
    "MESSAGE sip:bob@example.com SIP/2.0\r\n"
    "Via: SIP/2.0/WS x.invalid;branch=z9hG4bKx\r\n"
    "Max-Forwards: 70\r\n"
    'From: "X" <sip:x@example.com>;tag=1\r\n'
    "To: <sip:bob@example.com>\r\n"
    "Call-ID: x@x.invalid\r\n"
    "CSeq: 1 MESSAGE\r\n"
    "Route: <sip:example.com;lr>\r\n"
    'Proxy-Authorization: Digest username="x", realm="example.com", nonce="n", uri="sip:x", response="0"\r\n'
    "Content-Length: 5\r\n"
    "\r\n"
    "hello"
)


@settings(max_examples=60)
@given(st.data())
async def test_mutilated_messages(data: st.DataObject) -> None:
    """Whatever bytes are changed in a message, the server answers or drops it, and goes on."""
    text = bytearray(MESSAGE.encode())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(text) - 1))
        text[at : at + data.draw(st.integers(0, 12))] = data.draw(st.binary(max_size=6))
    async with Server(ACCOUNTS, port=None, apps=False, domain="example.com") as server:
        client = await Client(server).connect()
        client.put(bytes(text))
        await asyncio.sleep(40)
        assert not client.closed
        assert server.counts()["transactions"] == 0
