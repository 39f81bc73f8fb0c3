"""What the log shows of messages, and what is known of a server that says nothing."""

from __future__ import annotations

import asyncio
import logging

import pytest

from sipua.sip import parse_message
from tests.wire import Wire, user_agent


def traced(caplog: pytest.LogCaptureFixture, name: str = "sipua.trace") -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == name]


async def test_every_message_is_traced_without_credentials(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "sipua")
    wire = Wire()
    async with user_agent(wire, password="secret") as ua:
        ua.endpoint.receive("\r\n")
        sent = ua.send_options("bob", extra_headers=["X-Old: sip:alice:5ec3e7@example.com"])
        wire.reply(await wire.request("OPTIONS"), 200)
        await sent
    out, received = traced(caplog)
    assert out.startswith(f"sent to {wire.url}\nOPTIONS sip:bob@example.com SIP/2.0\r\n")
    assert "X-Old: sip:alice:[redacted]@example.com\r\n" in out
    assert received.startswith(f"received from {wire.url}\nSIP/2.0 200 OK\r\n")
    assert "5ec3e7" not in caplog.text


async def test_nothing_is_made_of_a_message_that_nobody_wants_to_see(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO, "sipua")
    monkeypatch.setattr("sipua.ua.endpoint.redact", lambda text: pytest.fail("not needed"))
    wire = Wire()
    async with user_agent(wire) as ua:
        sent = ua.send_options("bob")
        wire.reply(await wire.request("OPTIONS"), 200)
        await sent
    assert not traced(caplog)


async def test_what_could_not_be_sent_is_named_and_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "sipua")
    wire = Wire()
    async with user_agent(wire) as ua:
        ack = (
            "ACK sip:x SIP/2.0\r\nVia: SIP/2.0/WS p.invalid;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n"
            "From: <sip:p@x>;tag=1\r\nTo: <sip:alice@x>;tag=2\r\nCall-ID: c2\r\nCSeq: 7 ACK\r\n"
            'Authorization: Digest response="5ec3e7"\r\nContent-Length: 0\r\n\r\n'
        )
        ua.endpoint.receive(ack)
        wire.refuse_connections = True
        wire.cut()
        lost = parse_message(ack)
        assert lost is not None
        ua.endpoint.layer.send(lost)
        ua.endpoint.flush()
    lines = traced(caplog, "sipua.sip")
    assert "an ACK that belongs to nothing: ACK (CSeq 7 ACK, Call-ID c2)" in lines
    assert "not sent, the connection is down: ACK (CSeq 7 ACK, Call-ID c2)" in lines
    assert "5ec3e7" not in caplog.text


async def test_silence_of_a_server() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        endpoint = ua.endpoint
        await asyncio.sleep(3)
        assert endpoint.silence == 0.0, "nobody has asked it anything"
        sent = ua.send_options("bob")
        request = await wire.request("OPTIONS")
        await asyncio.sleep(2.5)
        endpoint.receive("\r\n")
        assert endpoint.silence == 2.5
        wire.reply(request, 200)
        await sent
        await asyncio.sleep(1)
        assert endpoint.silence == 0.0
