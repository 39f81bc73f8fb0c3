"""Calls that come in, on the wire."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sipua import UA, CallCanceled, CallIncompatible, Cause, InvalidStateError, RTCSession
from sipua.events import NewRTCSession
from sipua.media import MediaOptions, MediaSession, SignallingOnlyMedia
from sipua.sip import Response
from tests.wire import ANSWER, OFFER, Log, Wire, user_agent


class Calls:
    """The incoming calls of a user agent."""

    def __init__(self, ua: UA) -> None:
        self.sessions: list[RTCSession] = []
        self.logs: list[Log] = []
        ua.on("new_rtc_session", self._new)

    def _new(self, event: NewRTCSession) -> None:
        self.sessions.append(event.session)
        self.logs.append(Log(event.session))

    @property
    def last(self) -> RTCSession:
        return self.sessions[-1]


async def answered(wire: Wire, ua: UA, calls: Calls, **options: Any) -> Response:
    """An incoming call, up to the ACK; returns the 200."""
    wire.invite(ua)
    await wire.response(180)
    calls.last.answer(**options)
    ok = await wire.response(200)
    wire.in_dialog("ACK", ok, sequence=1)
    await calls.last.wait_confirmed()
    return ok


async def test_ring_answer_and_remote_hangup() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        calls = Calls(ua)
        wire.invite(ua)
        ringing = await wire.response(180)
        call, log = calls.last, calls.logs[-1]
        assert call.direction == "incoming"
        assert str(call.remote_identity.uri) == "sip:peer@example.com"
        assert ringing.to_tag
        assert ringing.headers["Contact"] == f"<{ua.contact_uri};ob>"
        confirmed = call.answer()
        ok = await wire.response(200)
        assert ok.to_tag == ringing.to_tag
        assert ok.headers["Content-Type"] == "application/sdp"
        assert "a=setup:active" in ok.text
        assert not confirmed.done()
        wire.in_dialog("ACK", ok, sequence=1)
        await confirmed
        wire.in_dialog("BYE", ok, extra='Reason: Q.850;cause=16;text="Normal"\r\n')
        await wire.response(200, "BYE")
        over = await call.wait_ended()
        assert over.originator == "remote"
        assert over.cause is Cause.BYE
        assert over.reason == "Normal"
        assert log.names == ["progress", "peerconnection", "connecting", "accepted", "confirmed", "ended"]
        assert ua.counts()["dialogs"] == 0


@pytest.mark.parametrize(
    ("options", "code", "phrase", "cause"),
    [
        ({}, 480, "Temporarily Unavailable", Cause.REJECTED),
        ({"status_code": 486}, 486, "Busy Here", Cause.BUSY),
        ({"status_code": 603, "reason_phrase": "No thanks"}, 603, "No thanks", Cause.REJECTED),
    ],
)
async def test_reject(options: dict[str, Any], code: int, phrase: str, cause: Cause) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        calls = Calls(ua)
        wire.invite(ua)
        await wire.response(180)
        calls.last.terminate(extra_headers=["X-Why: because"], **options)
        refusal = await wire.response(code)
        assert refusal.phrase == phrase
        assert refusal.headers["X-Why"] == "because"
        assert calls.logs[-1]["failed"].cause is cause


async def test_reject_in_the_handler_sends_no_180() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        ua.on("new_rtc_session", lambda event: event.session.terminate(status_code=486))
        wire.invite(ua)
        await wire.response(486)


async def test_answer_in_an_async_handler() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:

        @ua.on("new_rtc_session")
        async def take(event: NewRTCSession) -> None:
            await event.session.answer()
            event.session.data["up"] = True

        wire.invite(ua)
        await wire.response(180)
        ok = await wire.response(200)
        wire.in_dialog("ACK", ok, sequence=1)
        await wire.settle()
        (session,) = ua.sessions
        assert session.data["up"]


async def test_cancel_before_the_answer() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        calls = Calls(ua)
        wire.invite(ua)
        await wire.response(180)
        wire.invite(ua, method="CANCEL", sdp="")
        # another branch than the INVITE's: it cancels nothing
        await wire.response(481, "CANCEL")
        invite = calls.last.request
        wire.put(
            f"CANCEL {invite.uri} SIP/2.0\r\nVia: {invite.headers['Via']}\r\nMax-Forwards: 70\r\n"
            f"From: {invite.headers['From']}\r\nTo: {invite.headers['To']}\r\nCall-ID: {invite.call_id}\r\n"
            'CSeq: 1 CANCEL\r\nReason: SIP;cause=200;text="Call completed elsewhere"\r\n\r\n'
        )
        await wire.response(200, "CANCEL")
        await wire.response(487, "INVITE")
        failed = calls.logs[-1]["failed"]
        assert failed.cause is Cause.CANCELED
        assert failed.originator == "remote"
        assert failed.reason == "Call completed elsewhere"
        with pytest.raises(InvalidStateError, match="answer"):
            calls.last.answer()


class SlowMedia(SignallingOnlyMedia):
    """Media that takes a second to make a description."""

    async def create_answer(self, offer: str) -> str:
        await asyncio.sleep(1)
        return await super().create_answer(offer)


async def test_cancel_while_the_answer_is_made() -> None:
    wire = Wire()
    async with user_agent(wire, media=SlowMedia) as ua:
        calls = Calls(ua)
        wire.invite(ua)
        await wire.response(180)
        confirmed = calls.last.answer()
        await wire.settle(0.5)
        invite = calls.last.request
        wire.put(
            f"CANCEL {invite.uri} SIP/2.0\r\nVia: {invite.headers['Via']}\r\nFrom: {invite.headers['From']}\r\n"
            f"To: {invite.headers['To']}\r\nCall-ID: {invite.call_id}\r\nCSeq: 1 CANCEL\r\n\r\n"
        )
        await wire.response(200, "CANCEL")
        await wire.response(487, "INVITE")
        with pytest.raises(CallCanceled):
            await confirmed
        await wire.settle(2)
        assert wire.nothing_sent()


async def test_terminate_while_the_answer_is_made() -> None:
    wire = Wire()
    async with user_agent(wire, media=SlowMedia) as ua:
        calls = Calls(ua)
        wire.invite(ua)
        await wire.response(180)
        calls.last.answer()
        await wire.settle(0.5)
        calls.last.terminate(status_code=486)
        await wire.response(486)
        await wire.settle(2)
        assert wire.nothing_sent()


async def test_200_is_repeated_until_the_ack() -> None:
    """RFC 3261 §13.3.1.4: T1, doubled up to T2."""
    wire = Wire()
    async with user_agent(wire) as ua:
        calls = Calls(ua)
        wire.invite(ua)
        await wire.response(180)
        calls.last.answer()
        first = await wire.response(200)
        times = []
        start = ua.loop.time()
        for _ in range(4):
            assert str(await wire.response(200)) == str(first)
            times.append(ua.loop.time() - start)
        assert times == pytest.approx([0.5, 1.5, 3.5, 7.5])
        wire.in_dialog("ACK", first, sequence=1)
        await calls.last.wait_confirmed()
        await wire.settle(20)
        assert wire.nothing_sent()


async def test_no_ack_ends_with_bye_after_32_seconds() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        calls = Calls(ua)
        wire.invite(ua)
        await wire.response(180)
        start = ua.loop.time()
        calls.last.answer()
        message = await wire.next()
        while isinstance(message, Response):
            assert message.code == 200
            message = await wire.next()
        assert message.method == "BYE"
        assert ua.loop.time() - start == pytest.approx(32)
        assert calls.logs[-1]["ended"].cause is Cause.NO_ACK
        wire.reply(message, 200)


async def test_terminate_before_the_ack_waits_with_the_bye() -> None:
    """RFC 3261 §15: the callee's BYE must not come before the ACK."""
    wire = Wire()
    async with user_agent(wire) as ua:
        calls = Calls(ua)
        wire.invite(ua)
        await wire.response(180)
        calls.last.answer()
        ok = await wire.response(200)
        gone = calls.last.terminate(status_code=503)
        await wire.settle()
        assert wire.nothing_sent()
        assert calls.last.is_ended()
        wire.in_dialog("ACK", ok, sequence=1)
        bye = await wire.request("BYE")
        assert bye.headers["Reason"].startswith("SIP;cause=503")
        wire.reply(bye, 200)
        await gone


async def test_bye_before_the_ack() -> None:
    """RFC 5407 §3.1.3: the caller hangs up before its ACK has come."""
    wire = Wire()
    async with user_agent(wire) as ua:
        calls = Calls(ua)
        wire.invite(ua)
        await wire.response(180)
        calls.last.answer()
        ok = await wire.response(200)
        wire.in_dialog("BYE", ok)
        await wire.response(200, "BYE")
        await wire.settle(20)
        assert wire.nothing_sent()  # the 200 to the INVITE is not repeated any more
        wire.in_dialog("ACK", ok, sequence=1)
        await wire.settle()
        assert calls.logs[-1].names[-1] == "ended"
        assert calls.last.cause is Cause.BYE


async def test_retransmitted_invite_gets_the_last_response_again() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        calls = Calls(ua)
        wire.invite(ua)
        first = await wire.response(180)
        wire.invite(ua)
        assert str(await wire.response(180)) == str(first)
        assert len(calls.sessions) == 1


async def test_no_answer_timer() -> None:
    wire = Wire()
    async with user_agent(wire, no_answer_timeout=30) as ua:
        calls = Calls(ua)
        wire.invite(ua)
        await wire.response(180)
        start = ua.loop.time()
        await wire.response(408)
        assert ua.loop.time() - start == pytest.approx(30)
        assert calls.last.cause is Cause.NO_ANSWER


async def test_expires_header_ends_an_unanswered_call_with_487() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        calls = Calls(ua)
        wire.invite(ua, extra="Expires: 5\r\n")
        await wire.response(180)
        start = ua.loop.time()
        await wire.response(487)
        assert ua.loop.time() - start == pytest.approx(5)
        assert calls.last.cause is Cause.EXPIRES


async def test_media_is_made_when_it_is_needed_and_once() -> None:
    """Ringing needs none, so what `answer` says of media counts; two early descriptions are of one media."""
    wire = Wire()
    async with user_agent(wire) as ua:
        calls = Calls(ua)
        wire.invite(ua)
        call = calls.last
        await call.progress(182)
        assert call.media is None
        await call.progress(183, early_media=True)
        media = call.media
        assert media is not None
        await call.progress(183, early_media=True)
        call.answer()
        await wire.settle()
        assert call.media is media


async def test_progress_with_early_media_and_the_same_answer_in_the_200() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        ua.on("new_rtc_session", lambda event: event.session.progress(183, early_media=True))
        calls = Calls(ua)
        wire.invite(ua)
        early = await wire.response(183)
        assert early.headers["Content-Type"] == "application/sdp"
        calls.last.answer()
        ok = await wire.response(200)
        assert ok.body == early.body


async def test_progress_is_for_incoming_calls_before_the_answer() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        calls = Calls(ua)
        wire.invite(ua)
        await wire.response(180)
        with pytest.raises(ValueError, match="200"):
            calls.last.progress(200)
        calls.last.progress(182, "Queued", extra_headers=["X-Place: 3"])
        queued = await wire.response(182)
        assert (queued.phrase, queued.headers["X-Place"]) == ("Queued", "3")
        calls.last.answer()
        with pytest.raises(InvalidStateError, match="progress"):
            calls.last.progress()


async def test_invite_without_offer_gets_ours() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        calls = Calls(ua)
        wire.invite(ua, sdp="")
        await wire.response(180)
        calls.last.answer()
        ok = await wire.response(200)
        assert "a=setup:actpass" in ok.text
        wire.in_dialog("ACK", ok, sequence=1, extra="Content-Type: application/sdp\r\n", body=ANSWER)
        await calls.last.wait_confirmed()
        assert calls.last.media is not None
        assert calls.last.media.remote_description == ANSWER


async def test_late_offer_without_answer_in_the_ack_is_hung_up() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        calls = Calls(ua)
        wire.invite(ua, sdp="")
        await wire.response(180)
        calls.last.answer()
        ok = await wire.response(200)
        wire.in_dialog("ACK", ok, sequence=1)
        await wire.request("BYE")
        assert calls.last.cause is Cause.MISSING_SDP


async def test_offer_that_media_refuses_gets_488() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        calls = Calls(ua)
        wire.invite(ua, sdp="garbage\r\n")
        await wire.response(180)
        confirmed = calls.last.answer()
        await wire.response(488)
        with pytest.raises(CallIncompatible):
            await confirmed


class BrokenMedia(SignallingOnlyMedia):
    """Media that fails in a way nobody foresaw."""

    async def create_answer(self, offer: str) -> str:
        raise RuntimeError("out of sockets")


async def test_media_that_breaks_gets_500() -> None:
    wire = Wire()
    async with user_agent(wire, media=BrokenMedia) as ua:
        calls = Calls(ua)
        wire.invite(ua)
        await wire.response(180)
        calls.last.answer()
        await wire.response(500)
        failed = calls.logs[-1]["failed"]
        assert failed.cause is Cause.WEBRTC_ERROR
        assert "out of sockets" in failed.reason


async def test_sdp_inside_multipart() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        calls = Calls(ua)
        parts = (
            f"--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n"
            f"--b\r\nContent-Type: application/sdp\r\n\r\n{OFFER}\r\n--b--\r\n"
        )
        wire.put(
            f"INVITE {ua.contact_uri} SIP/2.0\r\nVia: SIP/2.0/WS p.invalid;branch=z9hG4bKmp\r\nMax-Forwards: 70\r\n"
            "From: <sip:p@example.com>;tag=p\r\nTo: <sip:alice@example.com>\r\nCall-ID: mp\r\nCSeq: 1 INVITE\r\n"
            "Contact: <sip:p@192.0.2.1>\r\nContent-Type: multipart/mixed;boundary=b\r\n"
            f"Content-Length: {len(parts)}\r\n\r\n{parts}"
        )
        await wire.response(180)
        calls.last.answer()
        assert "a=setup:active" in (await wire.response(200)).text


async def test_body_that_is_no_sdp_is_refused() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        Calls(ua)
        wire.put(
            f"INVITE {ua.contact_uri} SIP/2.0\r\nVia: SIP/2.0/WS p.invalid;branch=z9hG4bKx\r\nMax-Forwards: 70\r\n"
            "From: <sip:p@example.com>;tag=p\r\nTo: <sip:alice@example.com>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n"
            "Contact: <sip:p@192.0.2.1>\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi"
        )
        refusal = await wire.response(415)
        assert refusal.headers["Accept"] == "application/sdp"


async def test_more_calls_than_allowed_get_486() -> None:
    wire = Wire()
    async with user_agent(wire, max_calls=1) as ua:
        Calls(ua)
        wire.invite(ua, call_id="a")
        await wire.response(180)
        wire.invite(ua, call_id="b")
        await wire.response(486)


async def test_without_anybody_to_answer_a_call_gets_480() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        wire.invite(ua)
        await wire.response(480)


async def test_lost_connection_fails_an_unanswered_call() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        calls = Calls(ua)
        wire.invite(ua)
        await wire.response(180)
        wire.cut()
        await wire.settle()
        assert calls.logs[-1]["failed"].cause is Cause.CONNECTION_ERROR


async def test_stop_refuses_hangs_up_and_unregisters() -> None:
    wire = Wire()
    ua = user_agent(wire, register=True)
    async with ua:
        calls = Calls(ua)
        assert ua.is_registered()
        await answered(wire, ua, calls)
        wire.invite(ua, call_id="waiting")
        await wire.response(180)
        stopping = asyncio.ensure_future(ua.stop())
        said = [await wire.next() for _ in range(2)]
        bye = next(message for message in said if not isinstance(message, Response))
        assert bye.method == "BYE"
        assert any(isinstance(message, Response) and message.code == 480 for message in said)
        wire.reply(bye, 200)
        await stopping
        assert not ua.is_registered()
        assert not ua.is_connected()


async def test_options_of_media_that_do_not_exist() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        calls = Calls(ua)
        wire.invite(ua)
        await wire.response(180)
        with pytest.raises(ValueError, match="recrod"):
            calls.last.answer(recrod="x.wav")
        assert calls.last.is_in_progress()
        calls.last.answer()
        await wire.response(200)


def test_media_options_reach_the_factory() -> None:
    seen: list[MediaOptions] = []

    def factory(options: MediaOptions) -> MediaSession:
        seen.append(options)
        return SignallingOnlyMedia(options)

    async def main() -> None:
        wire = Wire()
        async with user_agent(wire, media=factory, media_options={"codecs": ("PCMU",)}) as ua:
            calls = Calls(ua)
            await answered(wire, ua, calls, echo=True)

    from sipua.testing import run_simulated

    run_simulated(main())
    assert (seen[0].codecs, seen[0].echo) == (("PCMU",), True)


async def test_expires_that_is_not_legible_counts_as_absent() -> None:
    wire = Wire()
    async with user_agent(wire, no_answer_timeout=50) as ua:
        calls = Calls(ua)
        wire.invite(ua, extra="Expires: soon\r\n")
        await wire.response(180)
        await wire.response(408)
        assert calls.last.cause is Cause.NO_ANSWER


async def test_redirection_by_the_called_side() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        calls = Calls(ua)
        wire.invite(ua)
        await wire.response(180)
        calls.last.terminate(status_code=302, extra_headers=["Contact: <sip:carol@example.com>"])
        assert str((await wire.response(302)).contact[0].uri) == "sip:carol@example.com"
        assert calls.last.cause is Cause.REDIRECTED
