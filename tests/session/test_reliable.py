"""Our own reliable provisional responses (RFC 3262 §3, §5): repetition, PRACK, descriptions, the 2xx after them."""

from __future__ import annotations

from typing import Any

import pytest

from sipua import UA, RTCSession
from sipua.sip import Response
from tests.session.calls import SDP_TYPE, directed, direction_of
from tests.wire import ANSWER, OFFER, Log, Wire, user_agent

REQUIRED = "Require: 100rel\r\n"
SUPPORTED = "Supported: 100rel\r\n"


def ring(wire: Wire, ua: UA, **options: Any) -> RTCSession:
    """An INVITE of the peer; the application has not done anything with it yet."""
    calls: list[RTCSession] = []
    ua.once("new_rtc_session", lambda event: calls.append(event.session))
    wire.invite(ua, **options)
    return calls[0]


def prack(wire: Wire, response: Response, *, sequence: int = 2, rack: str = "", sdp: str = "") -> None:
    """Acknowledge our response."""
    extra = f"RAck: {rack or f'{response.rseq} 1 INVITE'}\r\n" + (SDP_TYPE if sdp else "")
    wire.in_dialog("PRACK", response, sequence=sequence, extra=extra, body=sdp)


async def test_180_is_repeated_until_its_prack_rfc_3262_3() -> None:
    """From T1 on, doubled each time."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, start = ring(wire, ua, extra=REQUIRED), ua.loop.time()
        times = []
        for _ in range(4):
            ringing = await wire.response(180)
            times.append(ua.loop.time() - start)
        assert times == pytest.approx([0, 0.5, 1.5, 3.5])
        assert "100rel" in ringing.require
        assert ringing.rseq is not None
        assert 1 <= ringing.rseq < 2**31
        assert "PRACK" in ringing.allow
        prack(wire, ringing)
        await wire.response(200, "PRACK")
        await wire.settle(30)
        assert wire.nothing_sent()
        assert call.is_in_progress()


async def test_without_prack_the_invite_is_refused() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, start = ring(wire, ua, extra=REQUIRED), ua.loop.time()
        log = Log(call)
        message = await wire.next()
        while isinstance(message, Response) and message.code == 180:
            message = await wire.next()
        assert isinstance(message, Response)
        assert message.code == 504
        assert ua.loop.time() - start == pytest.approx(63.5 / 2, abs=0.6)
        assert log["failed"].originator == "system"


async def test_early_media_is_reliable_if_the_peer_can() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ring(wire, ua, extra=SUPPORTED)
        assert (await wire.response(180)).rseq is None  # nothing in it that must not be lost
        call.progress(183, early_media=True)
        early = await wire.response(183)
        assert "m=audio" in early.text
        prack(wire, early)
        await wire.response(200, "PRACK")
        call.answer()
        ok = await wire.response(200, "INVITE")
        assert ok.body == b""  # it was given reliably (RFC 6337 §3.1.1)
        wire.in_dialog("ACK", ok, sequence=1)
        await call.wait_confirmed()


async def test_early_media_for_a_peer_that_cannot() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ring(wire, ua)
        await wire.response(180)
        with pytest.raises(ValueError, match="reliable=True"):
            call.progress(183, reliable=True)
        call.progress(183, early_media=True)
        assert (await wire.response(183)).rseq is None


async def test_2xx_waits_for_the_prack_of_a_description_rfc_3262_3() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ring(wire, ua, extra=SUPPORTED)
        await wire.response(180)
        call.progress(183, early_media=True)
        early = await wire.response(183)
        call.answer()
        await wire.settle(0.1)
        assert wire.nothing_sent()
        prack(wire, early)
        await wire.response(200, "PRACK")
        ok = await wire.response(200, "INVITE")
        wire.in_dialog("ACK", ok, sequence=1)
        await call.wait_confirmed()


async def test_2xx_does_not_wait_for_the_prack_of_a_180() -> None:
    """The 180 is not repeated any more, and its PRACK is answered all the same."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ring(wire, ua, extra=REQUIRED)
        ringing = await wire.response(180)
        call.answer()
        ok = await wire.response(200, "INVITE")
        assert "m=audio" in ok.text
        prack(wire, ringing)
        await wire.response(200, "PRACK")
        wire.in_dialog("ACK", ok, sequence=1)
        await call.wait_confirmed()
        await wire.settle(40)
        assert wire.nothing_sent()


async def test_second_one_waits_for_the_first() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ring(wire, ua, extra=REQUIRED)
        first = await wire.response(180)
        call.progress(182)
        call.progress(183, reliable=True)
        await wire.response(180)
        prack(wire, first)
        await wire.response(200, "PRACK")
        second = await wire.response(182)
        prack(wire, second, sequence=3)
        await wire.response(200, "PRACK")
        third = await wire.response(183)
        assert first.rseq is not None
        assert [second.rseq, third.rseq] == [first.rseq + 1, first.rseq + 2]


@pytest.mark.parametrize(
    ("rack", "code"),
    [
        ("none", 400),
        ("1 INVITE", 400),
        ("99999999999 1 INVITE", 400),
        ("{wrong} 1 INVITE", 481),
        ("{right} 2 INVITE", 481),
        ("{right} 1 UPDATE", 481),
    ],
)
async def test_prack_that_fits_nothing(rack: str, code: int) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ring(wire, ua, extra=REQUIRED)
        ringing = await wire.response(180)
        assert ringing.rseq is not None
        prack(wire, ringing, rack=rack.format(right=ringing.rseq, wrong=ringing.rseq + 1))
        await wire.response(code, "PRACK")
        await wire.response(180)  # it goes on
        prack(wire, ringing, sequence=3)
        await wire.response(200, "PRACK")
        prack(wire, ringing, sequence=4)  # was acknowledged
        await wire.response(481, "PRACK")
        assert call.is_in_progress()


async def test_prack_without_rack() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        ring(wire, ua, extra=REQUIRED)
        wire.in_dialog("PRACK", await wire.response(180), sequence=2)
        await wire.response(400, "PRACK")


async def test_offer_in_the_183_and_answer_in_the_prack_rfc_3262_5() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ring(wire, ua, sdp="", extra=SUPPORTED)
        await wire.response(180)
        call.progress(183, early_media=True)
        early = await wire.response(183)
        assert "a=setup:actpass" in early.text
        prack(wire, early)  # without the answer
        await wire.response(400, "PRACK")
        prack(wire, early, sequence=3, sdp="garbage")
        await wire.response(488, "PRACK")
        wire.in_dialog("UPDATE", early, sequence=4, extra=SDP_TYPE, body=OFFER)
        await wire.response(491, "UPDATE")  # ours is open
        prack(wire, early, sequence=5, sdp=ANSWER)
        await wire.response(200, "PRACK")
        call.answer()
        ok = await wire.response(200, "INVITE")
        assert ok.body == b""
        wire.in_dialog("ACK", ok, sequence=1)
        await call.wait_confirmed()
        assert call.media is not None
        assert call.media.remote_description == ANSWER


async def test_offer_in_the_prack_rfc_3262_5() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ring(wire, ua, extra=SUPPORTED)
        await wire.response(180)
        call.progress(183, early_media=True)
        early = await wire.response(183)
        prack(wire, early, sdp=directed(OFFER, "sendonly"))
        ok = await wire.response(200, "PRACK")
        assert direction_of(ok) == "recvonly"
        call.answer()
        ok = await wire.response(200, "INVITE")
        wire.in_dialog("ACK", ok, sequence=1)
        await call.wait_confirmed()
        assert call.is_on_hold() == {"local": False, "remote": True}


async def test_bad_offer_in_the_prack() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ring(wire, ua, extra=SUPPORTED)
        await wire.response(180)
        call.progress(183, early_media=True)
        early = await wire.response(183)
        prack(wire, early, sdp="garbage")
        await wire.response(488, "PRACK")
        call.answer()
        wire.in_dialog("ACK", await wire.response(200, "INVITE"), sequence=1)
        await call.wait_confirmed()


async def test_offer_in_the_prack_of_a_180_is_too_early() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        ring(wire, ua, extra=REQUIRED)
        ringing = await wire.response(180)
        prack(wire, ringing, sdp=OFFER)
        assert (await wire.response(500, "PRACK")).retry_after is not None


async def test_body_in_the_prack_that_is_no_description() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        ring(wire, ua, extra=REQUIRED)
        ringing = await wire.response(180)
        extra = f"RAck: {ringing.rseq} 1 INVITE\r\nContent-Type: text/plain\r\n"
        wire.in_dialog("PRACK", ringing, sequence=2, extra=extra, body="hello")
        assert (await wire.response(415, "PRACK")).headers["Accept"] == "application/sdp"


@pytest.mark.parametrize("end", ["refused", "cancelled", "cut"])
async def test_nothing_is_repeated_after_the_end(end: str) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ring(wire, ua, extra=REQUIRED)
        await wire.response(180)
        if end == "refused":
            call.terminate(status_code=486)
            await wire.response(486)
        elif end == "cancelled":
            invite = call.request
            wire.put(
                f"CANCEL {invite.uri} SIP/2.0\r\nVia: {invite.headers['Via']}\r\nFrom: {invite.headers['From']}\r\n"
                f"To: {invite.headers['To']}\r\nCall-ID: {invite.call_id}\r\nCSeq: 1 CANCEL\r\n\r\n"
            )
            await wire.response(200, "CANCEL")
            await wire.response(487, "INVITE")
        else:
            wire.cut()
        await wire.settle(70)
        assert call.is_ended()
        assert not any(isinstance(m, Response) and m.code == 180 for m in wire.received[1:])


async def test_invite_again_before_the_answer_gets_the_180_again() -> None:
    """RFC 3261 §17.2.1; JsSIP swallows it."""
    wire = Wire()
    async with user_agent(wire) as ua:
        ring(wire, ua)
        first = await wire.response(180)
        wire.invite(ua)
        again = await wire.response(180)
        assert again.frame() == first.frame()
