"""Requests inside a call, both ways: BYE, OPTIONS, INFO, DTMF, re-INVITE."""

from __future__ import annotations

import pytest

from sipua import UA, InvalidHeaderError, InvalidStateError, RequestFailed, RequestTimeout, RTCSession
from sipua.sip import Request
from tests.wire import ANSWER, OFFER, Log, Wire, user_agent


async def up(wire: Wire, ua: UA) -> tuple[RTCSession, Request]:
    """A call of ours that is confirmed, and its INVITE."""
    call = ua.call("bob")
    invite = await wire.request("INVITE")
    wire.reply(invite, 200, sdp=ANSWER)
    await wire.request("ACK")
    await call.wait_confirmed()
    return call, invite


async def test_options_in_dialog() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        _, invite = await up(wire, ua)
        wire.from_callee("OPTIONS", invite)
        ok = await wire.response(200, "OPTIONS")
        assert "INVITE" in ok.allow
        assert ok.headers["Accept"] == "application/sdp"


async def test_unknown_method_gets_405_with_allow() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        _, invite = await up(wire, ua)
        wire.from_callee("DANCE", invite)
        assert "BYE" in (await wire.response(405)).allow


async def test_request_out_of_order_gets_500() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        wire.from_callee("OPTIONS", invite, sequence=5)
        await wire.response(200)
        wire.from_callee("BYE", invite, sequence=4)
        await wire.response(500)
        assert call.is_established()


async def test_second_bye_gets_481() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        wire.from_callee("BYE", invite)
        await wire.response(200, "BYE")
        assert call.is_ended()
        wire.from_callee("BYE", invite, sequence=2)
        await wire.response(481, "BYE")


async def test_crossing_byes() -> None:
    """RFC 5407 §3.2.1: both hang up at once, and each BYE is answered with 200."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        gone = call.terminate()
        bye = await wire.request("BYE")
        wire.from_callee("BYE", invite)
        await wire.response(200, "BYE")
        wire.reply(bye, 200)
        await gone
        wire.from_callee("BYE", invite, sequence=2)
        await wire.response(481, "BYE")


async def test_info_both_ways() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        log = Log(call)
        answer = call.send_info("application/json", '{"a": 1}', extra_headers=["X-A: 1"])
        info = await wire.request("INFO")
        assert (info.headers["Content-Type"], info.body, info.headers["X-A"]) == (
            "application/json",
            b'{"a": 1}',
            "1",
        )
        wire.reply(info, 200)
        assert (await answer).code == 200
        wire.from_callee("INFO", invite, extra="Content-Type: text/plain\r\n", body="hello")
        await wire.response(200, "INFO")
        ours, theirs = log.payloads
        assert (ours.originator, theirs.originator, theirs.body) == ("local", "remote", b"hello")


async def test_info_refused_and_unanswered() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await up(wire, ua)
        refused = call.send_info("text/plain", "x")
        wire.reply(await wire.request("INFO"), 415)
        with pytest.raises(RequestFailed, match="415"):
            await refused
        with pytest.raises(RequestTimeout):
            await call.send_info("text/plain", "x")
        assert call.is_established()


async def test_info_needs_a_call_and_a_media_type() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        early = ua.call("bob")
        with pytest.raises(InvalidStateError, match="send_info"):
            early.send_info("text/plain", "x")
        await wire.request("INVITE")
        call, _ = await up(wire, ua)
        with pytest.raises(ValueError, match="not a media type"):
            call.send_info("nonsense", "x")
        with pytest.raises(InvalidHeaderError):
            call.send_info("text/plain", "x", extra_headers=["nonsense"])


async def test_dtmf_is_sent_one_by_one_with_gaps_and_pauses() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await up(wire, ua)
        start = ua.loop.time()
        first = call.send_dtmf("1,#", duration=100, inter_tone_gap=200)
        second = call.send_dtmf(2)
        sent = []
        for _ in range(3):
            info = await wire.request("INFO")
            sent.append((info.text.split("\r\n")[0], round(ua.loop.time() - start, 3)))
            wire.reply(info, 200)
        assert sent == [("Signal=1", 0.0), ("Signal=#", 2.3), ("Signal=2", 2.6)]
        await first
        await second


@pytest.mark.parametrize(
    ("content_type", "body", "tone", "duration"),
    [
        ("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", "5", 160),
        ("application/dtmf-relay", "Signal= 11\nDuration= 250\n", "#", 250),
        ("application/dtmf", "*", "*", 100),
        ("application/dtmf-relay;x=y", "signal=a\r\n", "A", 100),
    ],
)
async def test_dtmf_is_received(content_type: str, body: str, tone: str, duration: int) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        log = Log(call)
        wire.from_callee("INFO", invite, extra=f"Content-Type: {content_type}\r\n", body=body)
        await wire.response(200, "INFO")
        heard = log["new_dtmf"]
        assert (heard.originator, heard.tone, heard.duration) == ("remote", tone, duration)


@pytest.mark.parametrize("body", ["", "Signal=\r\n", "Signal=99\r\n", "Duration=160\r\n", "Signal=Z"])
async def test_bad_dtmf_gets_400_and_leaves_the_call(body: str) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        wire.from_callee("INFO", invite, extra="Content-Type: application/dtmf-relay\r\n", body=body)
        await wire.response(400, "INFO")
        assert call.is_established()


@pytest.mark.parametrize(
    "arguments",
    [{"tones": ""}, {"tones": "12x"}, {"tones": "1", "duration": 5}, {"tones": "1", "inter_tone_gap": 1}],
)
async def test_bad_dtmf_arguments(arguments: dict[str, object]) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await up(wire, ua)
        with pytest.raises(ValueError, match=r"=(''|'12x'|5|1)"):
            call.send_dtmf(**arguments)  # type: ignore[arg-type]


async def test_dtmf_that_waits_when_the_call_ends_is_told() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await up(wire, ua)
        sending = call.send_dtmf("1234")
        await wire.request("INFO")
        call.terminate()
        with pytest.raises(InvalidStateError, match="send_dtmf"):
            await sending


async def test_reinvite_is_answered_and_refreshes_the_target() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        wire.from_callee(
            "INVITE",
            invite,
            extra="Contact: <sip:new@192.0.2.7>\r\nContent-Type: application/sdp\r\n",
            body=OFFER.replace(" 1 IN", " 2 IN"),
        )
        ok = await wire.response(200, "INVITE")
        assert "m=audio" in ok.text
        wire.from_callee("ACK", invite)
        await wire.settle(10)
        assert wire.nothing_sent()
        call.terminate()
        assert str((await wire.request("BYE")).uri) == "sip:new@192.0.2.7"


async def test_refused_reinvite_leaves_everything_as_it_was() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        wire.from_callee(
            "INVITE",
            invite,
            extra="Contact: <sip:new@192.0.2.7>\r\nContent-Type: application/sdp\r\n",
            body="garbage",
        )
        await wire.response(488, "INVITE")
        wire.from_callee("ACK", invite)
        await wire.settle()
        assert call.is_established()
        call.terminate()
        assert str((await wire.request("BYE")).uri) == "sip:peer@192.0.2.1;transport=ws"


async def test_reinvite_without_offer() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        wire.from_callee("INVITE", invite)
        ok = await wire.response(200, "INVITE")
        assert "a=setup:actpass" in ok.text
        changed = ANSWER.replace("40000", "40002")
        wire.from_callee("ACK", invite, extra="Content-Type: application/sdp\r\n", body=changed)
        await wire.settle()
        assert call.media is not None
        assert call.media.remote_description == changed


async def test_reinvite_without_ack_ends_the_call() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        wire.from_callee("INVITE", invite, extra="Content-Type: application/sdp\r\n", body=OFFER)
        message = await wire.next()
        while not isinstance(message, Request):
            assert message.code == 200
            message = await wire.next()
        assert message.method == "BYE"
        assert call.is_ended()


async def test_request_in_an_unknown_dialog_gets_481() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        wire.put(
            f"BYE {ua.contact_uri} SIP/2.0\r\nVia: SIP/2.0/WS p.invalid;branch=z9hG4bKq\r\n"
            "From: <sip:p@x.example>;tag=p\r\n"
            "To: <sip:alice@example.com>;tag=nobody\r\nCall-ID: q\r\nCSeq: 2 BYE\r\nMax-Forwards: 70\r\n\r\n"
        )
        await wire.response(481)
