"""Re-INVITEs of the peer: answered, refused with nothing changed, rejected by the application, overtaking and late."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sipua import RTCSession, events
from sipua.errors import InvalidStateError
from sipua.media import SignallingOnlyMedia
from tests.session.calls import SDP_TYPE, call_in, call_out, directed, direction_of
from tests.wire import ANSWER, OFFER, Log, Wire, user_agent


class SlowMedia(SignallingOnlyMedia):
    """A moment for every answer."""

    async def create_answer(self, offer: str) -> str:
        await asyncio.sleep(0.15)
        return await super().create_answer(offer)


@pytest.mark.parametrize(
    "held",
    [
        directed(OFFER, "sendonly"),
        directed(OFFER, "inactive"),
        OFFER.replace("c=IN IP4 127.0.0.1", "c=IN IP4 0.0.0.0"),
        directed(OFFER, "sendrecv")
        .replace("a=sendrecv\r\n", "")
        .replace("t=0 0\r\n", "t=0 0\r\na=sendonly\r\n"),
    ],
    ids=["sendonly", "inactive", "0.0.0.0", "sendonly for the session"],
)
async def test_peer_holds_and_resumes(held: str) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await call_out(wire, ua)
        log = Log(call)
        wire.from_callee("INVITE", invite, extra=SDP_TYPE, body=held)
        await wire.response(200, "INVITE")
        wire.from_callee("ACK", invite)
        await wire.settle()
        assert call.is_on_hold() == {"local": False, "remote": True}
        wire.from_callee("INVITE", invite, sequence=2, extra=SDP_TYPE, body=held)  # the same again is no news
        await wire.response(200, "INVITE")
        wire.from_callee("ACK", invite, sequence=2)
        await wire.settle()
        wire.from_callee("INVITE", invite, sequence=3, extra=SDP_TYPE, body=OFFER)
        assert direction_of(await wire.response(200, "INVITE")) == "sendrecv"
        wire.from_callee("ACK", invite, sequence=3)
        await wire.settle()
        assert call.is_on_hold() == {"local": False, "remote": False}
        assert log.names == ["reinvite", "hold", "reinvite", "reinvite", "unhold"]
        assert {event.originator for event in log.payloads if isinstance(event, events.Hold)} == {"remote"}


@pytest.mark.parametrize(
    "offer",
    [
        OFFER.replace("m=audio 40000", "m=audio 9").replace("c=IN IP4 127.0.0.1", "c=IN IP4 0.0.0.0"),
        directed(OFFER, "recvonly"),
        OFFER + "m=video 0 UDP/TLS/RTP/SAVPF 97\r\na=inactive\r\n",
        directed(OFFER, "sendonly") + "m=video 40002 UDP/TLS/RTP/SAVPF 97\r\na=sendrecv\r\na=mid:1\r\n",
    ],
    ids=["candidates later", "recvonly", "refused medium", "video goes on"],
)
async def test_this_is_no_hold(offer: str) -> None:
    """RFC 8840 §4.1.3: port 9 at 0.0.0.0 with ICE waits for candidates; a peer that still takes one medium is there."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await call_out(wire, ua)
        wire.from_callee("INVITE", invite, extra=SDP_TYPE, body=offer)
        await wire.response(200, "INVITE")
        wire.from_callee("ACK", invite)
        await wire.settle()
        assert call.is_on_hold() == {"local": False, "remote": False}


async def test_both_hold_and_each_resumes() -> None:
    """RFC 6337 §5.3: each side takes off its own hold only."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await call_out(wire, ua)
        wire.from_callee("INVITE", invite, extra=SDP_TYPE, body=directed(OFFER, "sendonly"))
        assert direction_of(await wire.response(200)) == "recvonly"
        wire.from_callee("ACK", invite)
        held = call.hold()
        reinvite = await wire.request("INVITE")
        assert direction_of(reinvite) == "sendonly"
        wire.reply(reinvite, 200, sdp=directed(ANSWER, "inactive"))
        await wire.request("ACK")
        await held
        assert call.is_on_hold() == {"local": True, "remote": True}
        wire.from_callee("INVITE", invite, sequence=2, extra=SDP_TYPE, body=OFFER)
        assert direction_of(await wire.response(200)) == "sendonly"
        wire.from_callee("ACK", invite, sequence=2)
        await wire.settle()
        assert call.is_on_hold() == {"local": True, "remote": False}
        resumed = call.unhold()
        wire.reply(await wire.request("INVITE"), 200, sdp=directed(ANSWER, "sendonly"))  # it holds again
        await wire.request("ACK")
        await resumed
        assert call.is_on_hold() == {"local": False, "remote": True}


async def test_call_that_begins_on_hold() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await call_in(wire, ua, sdp=directed(OFFER, "sendonly"))
        assert call.is_on_hold() == {"local": False, "remote": True}


async def test_application_rejects_a_reinvite() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await call_out(wire, ua)
        seen: list[events.Reinvite] = []

        async def handler(event: events.Reinvite) -> None:
            seen.append(event)
            await asyncio.sleep(0.1)  # asks somebody
            event.reject(status_code=488, reason_phrase="Not Now", extra_headers=["X-Why: busy"])

        call.on("reinvite", handler)
        assert call.media is not None
        before = call.media.remote_description
        target = "Contact: <sip:elsewhere@192.0.2.7>\r\n"
        wire.from_callee("INVITE", invite, extra=target + SDP_TYPE, body=directed(OFFER, "sendonly"))
        refusal = await wire.response(488, "INVITE")
        assert (refusal.phrase, refusal.headers["X-Why"]) == ("Not Now", "busy")
        wire.from_callee("ACK", invite)
        await wire.settle()
        assert call.media.remote_description == before
        assert call.is_on_hold() == {"local": False, "remote": False}
        with pytest.raises(InvalidStateError, match="reject"):
            seen[0].reject()
        call.terminate()
        assert str((await wire.request("BYE")).uri) == "sip:peer@192.0.2.1;transport=ws"


async def test_rejection_by_default_is_403_and_bad_ones_are_named() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await call_out(wire, ua)
        errors: list[str] = []

        def handler(event: events.Reinvite) -> None:
            for arguments in ({"status_code": 200}, {"extra_headers": ["nonsense"]}):
                try:
                    event.reject(**arguments)  # type: ignore[arg-type]
                except ValueError as error:
                    errors.append(str(error))
            event.reject()

        call.on("reinvite", handler)
        wire.from_callee("INVITE", invite, extra=SDP_TYPE, body=OFFER)
        await wire.response(403, "INVITE")
        assert [error.split(":")[0] for error in errors] == ["status_code=200", "'nonsense'"]


async def test_callback_after_acceptance() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await call_out(wire, ua)
        told: list[str] = []

        def handler(event: events.Reinvite) -> None:
            event.callback = lambda: told.append("in force")

        call.on("reinvite", handler)
        wire.from_callee("INVITE", invite, extra=SDP_TYPE, body=OFFER)
        await wire.response(200, "INVITE")
        wire.from_callee("ACK", invite)
        await wire.settle()
        assert told == ["in force"]


async def test_handlers_change_both_descriptions() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await call_out(wire, ua)

        def change(event: events.Sdp) -> None:
            event.sdp = event.sdp.replace("s=-", f"s={event.originator} {event.type}")

        call.on("sdp", change)
        wire.from_callee("INVITE", invite, extra=SDP_TYPE, body=OFFER)
        assert "s=local answer" in (await wire.response(200, "INVITE")).text
        assert call.media is not None
        assert "s=remote offer" in (call.media.remote_description or "")
        wire.from_callee("ACK", invite)
        await wire.settle()
        held = call.hold()
        reinvite = await wire.request("INVITE")
        assert "s=local offer" in reinvite.text
        wire.reply(reinvite, 200, sdp=directed(ANSWER, "recvonly"))
        await held
        assert "s=remote answer" in (call.media.remote_description or "")


@pytest.mark.parametrize(
    ("extra", "body", "code"),
    [
        (SDP_TYPE, "garbage", 488),
        (SDP_TYPE, OFFER.replace("m=audio 40000", "m=audio 0"), 488),
        ("Content-Type: text/plain\r\n", "hello", 415),
        (SDP_TYPE + "Session-Expires: soon\r\n", OFFER, 400),
        (SDP_TYPE + "Min-SE: never\r\n", OFFER, 400),
        (SDP_TYPE + "Require: magic\r\n", OFFER, 420),
        (SDP_TYPE + "Contact: <sip:\r\n", OFFER, 400),
    ],
)
async def test_bad_reinvite_is_refused_and_changes_nothing(extra: str, body: str, code: int) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await call_out(wire, ua)
        assert call.media is not None
        before = (call.media.local_description, call.media.remote_description, call.is_on_hold())
        wire.from_callee("INVITE", invite, extra=extra, body=body)
        refusal = await wire.response(code, "INVITE")
        if code == 415:
            assert refusal.headers["Accept"] == "application/sdp"
        wire.from_callee("ACK", invite)
        await wire.settle()
        assert call.is_established()
        assert (call.media.local_description, call.media.remote_description, call.is_on_hold()) == before
        assert call.is_ready_to_re_offer()


async def test_second_reinvite_before_the_first_is_answered_rfc_3261_14_2() -> None:
    wire = Wire()
    async with user_agent(wire, media=SlowMedia) as ua:
        _, invite = await call_out(wire, ua)
        wire.from_callee("INVITE", invite, sequence=1, extra=SDP_TYPE, body=OFFER)
        wire.from_callee("INVITE", invite, sequence=2, extra=SDP_TYPE, body=OFFER)
        refusal = await wire.response(500, "INVITE")
        assert refusal.cseq.sequence == 2
        assert refusal.retry_after is not None
        assert 0 <= refusal.retry_after.delay <= 10
        assert (await wire.response(200, "INVITE")).cseq.sequence == 1


async def test_reinvite_that_overtakes_the_ack_rfc_5407_3_1_4() -> None:
    """RFC 5407 §3.1.4: the first offer is answered, so the next one is taken, and stands for the ACK."""
    wire = Wire()
    async with user_agent(wire) as ua:
        calls: list[RTCSession] = []
        ua.on("new_rtc_session", lambda event: calls.append(event.session))
        wire.invite(ua)
        calls[0].answer()
        await wire.response(180)
        ok = await wire.response(200)
        wire.in_dialog("INVITE", ok, extra=SDP_TYPE, body=directed(OFFER, "sendonly"))
        second = await wire.response(200, "INVITE")
        assert second.cseq.sequence == 2
        await calls[0].wait_confirmed()
        wire.in_dialog(
            "INVITE", ok, sequence=3, extra=SDP_TYPE, body=OFFER
        )  # and once more, before this one's ACK
        assert (await wire.response(200, "INVITE")).cseq.sequence == 3
        wire.in_dialog("ACK", ok, sequence=1)
        wire.in_dialog("ACK", ok, sequence=3)
        await wire.settle(40)
        assert wire.nothing_sent()
        assert calls[0].is_established()


async def test_reinvite_while_our_offer_is_open_rfc_5407_3_1_5() -> None:
    """RFC 5407 §3.1.5: our offer is in the 200, its answer in the ACK that did not come yet."""
    wire = Wire()
    async with user_agent(wire) as ua:
        calls: list[RTCSession] = []
        ua.on("new_rtc_session", lambda event: calls.append(event.session))
        wire.invite(ua, sdp="")
        calls[0].answer()
        await wire.response(180)
        ok = await wire.response(200)
        wire.in_dialog("INVITE", ok, extra=SDP_TYPE, body=OFFER)
        await wire.response(491, "INVITE")
        wire.in_dialog("ACK", ok, sequence=2)
        wire.in_dialog("ACK", ok, sequence=1, extra=SDP_TYPE, body=ANSWER)
        await calls[0].wait_confirmed()


async def test_reinvite_without_offer_gets_ours() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await call_out(wire, ua)
        held = call.hold()
        wire.reply(await wire.request("INVITE"), 200, sdp=directed(ANSWER, "recvonly"))
        await wire.request("ACK")
        await held
        wire.from_callee("INVITE", invite)
        assert direction_of(await wire.response(200, "INVITE")) == "sendonly"  # it still holds
        wire.from_callee("INVITE", invite, sequence=2, extra=SDP_TYPE, body=OFFER)
        await wire.response(491, "INVITE")
        waiting = call.unhold()
        await wire.settle(0.1)
        wire.from_callee("ACK", invite, extra=SDP_TYPE, body=directed(ANSWER, "inactive"))
        await wire.settle()
        assert call.is_on_hold() == {"local": True, "remote": True}
        wire.reply(await wire.request("INVITE"), 200, sdp=directed(ANSWER, "sendrecv"))
        await waiting


@pytest.mark.parametrize("answer", ["", "garbage"])
async def test_ack_without_an_answer_that_can_be_used(answer: str) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await call_out(wire, ua)
        assert call.media is not None
        before = call.media.local_description, call.media.remote_description
        wire.from_callee("INVITE", invite)
        await wire.response(200, "INVITE")
        wire.from_callee("ACK", invite, extra=SDP_TYPE if answer else "", body=answer)
        await wire.settle()
        assert (call.media.local_description, call.media.remote_description) == before
        assert call.is_ready_to_re_offer()


async def test_cancelled_reinvite_changes_nothing() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await call_out(wire, ua)
        log = Log(call)
        deciding: asyncio.Future[Any] = ua.loop.create_future()

        async def decide(event: events.Reinvite) -> None:
            await deciding

        call.on("reinvite", decide)
        assert call.media is not None
        before = call.media.remote_description
        wire.from_callee("INVITE", invite, extra=SDP_TYPE, body=directed(OFFER, "sendonly"))
        await wire.settle()
        cancel = (
            f"CANCEL {invite.contact[0].uri} SIP/2.0\r\n"
            f"Via: SIP/2.0/WS peer.invalid;branch=z9hG4bKINVITE1peer{invite.call_id}\r\n"
            f"Max-Forwards: 70\r\nFrom: {invite.headers['To']};tag=peer\r\nTo: {invite.headers['From']}\r\n"
            f"Call-ID: {invite.call_id}\r\nCSeq: 1 CANCEL\r\nContent-Length: 0\r\n\r\n"
        )
        wire.put(cancel)
        await wire.response(200, "CANCEL")
        await wire.response(487, "INVITE")
        wire.from_callee("ACK", invite)
        deciding.set_result(None)
        await wire.settle()
        assert wire.nothing_sent()
        assert call.media.remote_description == before
        assert "hold" not in log.names
        assert call.is_ready_to_re_offer()


async def test_cancel_that_comes_when_media_has_taken_the_offer_is_too_late() -> None:
    wire = Wire()
    async with user_agent(wire, media=SlowMedia) as ua:
        call, invite = await call_out(wire, ua)
        wire.from_callee("INVITE", invite, extra=SDP_TYPE, body=directed(OFFER, "sendonly"))
        await wire.settle(0.1)
        wire.put(
            f"CANCEL {invite.contact[0].uri} SIP/2.0\r\n"
            f"Via: SIP/2.0/WS peer.invalid;branch=z9hG4bKINVITE1peer{invite.call_id}\r\n"
            f"Max-Forwards: 70\r\nFrom: {invite.headers['To']};tag=peer\r\nTo: {invite.headers['From']}\r\n"
            f"Call-ID: {invite.call_id}\r\nCSeq: 1 CANCEL\r\nContent-Length: 0\r\n\r\n"
        )
        await wire.response(200, "CANCEL")
        await wire.response(200, "INVITE")
        wire.from_callee("ACK", invite)
        await wire.settle()
        assert call.is_on_hold()["remote"]


async def test_bye_while_a_reinvite_is_open_rfc_3261_15_1_2() -> None:
    wire = Wire()
    async with user_agent(wire, media=SlowMedia) as ua:
        call, invite = await call_out(wire, ua)
        wire.from_callee("INVITE", invite, extra=SDP_TYPE, body=OFFER)
        await wire.settle(0.1)
        wire.from_callee("BYE", invite, sequence=2)
        await wire.response(200, "BYE")
        await wire.response(487, "INVITE")
        wire.from_callee("ACK", invite)
        await wire.settle(40)
        assert wire.nothing_sent()
        assert call.is_ended()
        assert ua.counts()["transactions"] == 0


async def test_reinvite_whose_connection_breaks_leaves_nothing_behind() -> None:
    wire = Wire()
    async with user_agent(wire, media=SlowMedia) as ua:
        call, invite = await call_out(wire, ua)
        wire.from_callee("INVITE", invite, extra=SDP_TYPE, body=OFFER)
        await wire.settle(0.1)
        wire.cut()
        await wire.settle(60)
        assert call.is_established()
        assert call.is_ready_to_re_offer()
        assert ua.counts()["transactions"] == 0


async def test_reinvite_before_the_call_is_answered() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        calls: list[RTCSession] = []
        ua.on("new_rtc_session", lambda event: calls.append(event.session))
        wire.invite(ua)
        ringing = await wire.response(180)
        wire.in_dialog("INVITE", ringing, extra=SDP_TYPE, body=OFFER)
        assert (await wire.response(500, "INVITE")).retry_after is not None
        other = ua.call("bob")
        invite = await wire.request("INVITE")
        wire.reply(invite, 180)
        wire.from_callee("INVITE", invite, extra=SDP_TYPE, body=OFFER)
        await wire.response(491, "INVITE")
        assert other.is_in_progress()
        assert calls[0].is_in_progress()
