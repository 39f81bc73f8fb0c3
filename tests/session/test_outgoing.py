"""Calls that this side makes, on the wire."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

import pytest

from sipua import (
    CallBusy,
    CallCanceled,
    CallFailed,
    CallIncompatible,
    CallRejected,
    CallTimeout,
    CallUnauthorized,
    CallUnavailable,
    Cause,
    InvalidHeaderError,
    InvalidTargetError,
)
from sipua.events import Sdp
from sipua.sip import make_response
from tests.wire import ANSWER, OFFER, Log, Wire, user_agent


async def test_successful_call_and_hangup() -> None:
    """RFC 3665 §3.1: session establishment through one proxy."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")
        log = Log(call)
        invite = await wire.request("INVITE")
        assert str(invite.uri) == "sip:bob@example.com"
        assert invite.headers["Content-Type"] == "application/sdp"
        wire.reply(invite, 100)
        wire.reply(invite, 180)
        wire.reply(invite, 200, sdp=ANSWER)
        ack = await wire.request("ACK")
        assert str(ack.uri) == "sip:peer@192.0.2.1;transport=ws"
        assert ack.cseq.sequence == invite.cseq.sequence
        await call.wait_confirmed()
        assert call.is_established()
        over = call.terminate()
        bye = await wire.request("BYE")
        assert bye.to_tag == "peer"
        assert bye.cseq.sequence == invite.cseq.sequence + 1
        wire.reply(bye, 200)
        await over
        assert log.names == [
            "peerconnection",
            "connecting",
            "sending",
            "progress",
            "accepted",
            "confirmed",
            "ended",
        ]
        assert log["ended"].cause is Cause.BYE
        assert call.is_ended()
    assert wire.nothing_sent()
    assert ua.counts()["sessions"] == 0


async def test_busy() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")
        wire.reply(await wire.request("INVITE"), 486)
        await wire.request("ACK")
        with pytest.raises(CallBusy, match="486 Busy Here") as caught:
            await call.wait_confirmed()
        assert caught.value.status_code == 486
        assert caught.value.cause is Cause.BUSY


async def test_cancel_while_ringing() -> None:
    """RFC 3665 §3.8: unsuccessful, no answer."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")
        invite = await wire.request("INVITE")
        wire.reply(invite, 180)
        await wire.settle()
        gone = call.terminate()
        cancel = await wire.request("CANCEL")
        assert cancel.branch == invite.branch
        wire.reply(cancel, 200)
        wire.reply(invite, 487)
        await wire.request("ACK")
        await gone
        with pytest.raises(CallCanceled):
            await call.wait_confirmed()


async def test_cancel_crosses_200_is_acknowledged_and_hung_up() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")
        invite = await wire.request("INVITE")
        wire.reply(invite, 180)
        await wire.settle()
        gone = call.terminate()
        await wire.request("CANCEL")
        wire.reply(invite, 200, sdp=ANSWER)
        await wire.request("ACK")
        bye = await wire.request("BYE")
        wire.reply(bye, 200)
        await gone
        assert call.cause is Cause.CANCELED


async def test_forked_200_of_another_branch_is_hung_up_in_its_own_dialog() -> None:
    """The BYE for the second branch belongs to the second branch's dialog, not to the call."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")
        invite = await wire.request("INVITE")
        wire.reply(invite, 180, tag="one")
        wire.reply(invite, 180, tag="two")
        wire.reply(invite, 200, tag="two", sdp=ANSWER)
        assert (await wire.request("ACK")).to_tag == "two"
        wire.reply(invite, 200, tag="one", sdp=ANSWER)
        ack = await wire.request("ACK")
        assert ack.to_tag == "one"
        assert str(ack.uri) == "sip:one@192.0.2.1;transport=ws"
        bye = await wire.request("BYE")
        assert bye.to_tag == "one"
        assert bye.cseq.sequence == invite.cseq.sequence + 1
        wire.reply(bye, 200)
        await call.wait_confirmed()
        assert call.is_established()
        assert ua.counts()["dialogs"] == 1
        call.terminate()
        assert (await wire.request("BYE")).to_tag == "two"


async def test_repeated_200_gets_the_same_ack_again() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        ua.call("bob")
        invite = await wire.request("INVITE")
        wire.reply(invite, 200, sdp=ANSWER)
        first = await wire.request("ACK")
        wire.reply(invite, 200, sdp=ANSWER)
        assert str(await wire.request("ACK")) == str(first)


async def test_terminate_before_anything_was_sent_sends_nothing() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")
        log = Log(call)
        await call.terminate()
        await wire.settle()
        assert wire.nothing_sent()
        assert log["failed"].cause is Cause.CANCELED


async def test_cancel_waits_for_a_provisional_response() -> None:
    """RFC 3261 §9.1: no CANCEL before the first 1xx."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")
        invite = await wire.request("INVITE")
        gone = call.terminate(status_code=408, reason_phrase="Gave up")
        await wire.settle()
        assert wire.nothing_sent()
        wire.reply(invite, 100)
        cancel = await wire.request("CANCEL")
        assert cancel.headers["Reason"] == 'SIP;cause=408;text="Gave up"'
        wire.reply(cancel, 200)
        wire.reply(invite, 487)
        await gone


async def test_terminated_call_that_is_answered_without_provisional_is_hung_up() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")
        invite = await wire.request("INVITE")
        gone = call.terminate()
        wire.reply(invite, 200, sdp=ANSWER)
        await wire.request("ACK")
        wire.reply(await wire.request("BYE"), 200)
        await gone


async def test_no_answer_cancels_with_its_cause() -> None:
    wire = Wire()
    async with user_agent(wire, no_answer_timeout=20) as ua:
        call = ua.call("bob")
        invite = await wire.request("INVITE")
        wire.reply(invite, 180)
        started = ua.loop.time()
        cancel = await wire.request("CANCEL")
        assert ua.loop.time() - started == pytest.approx(20)
        wire.reply(cancel, 200)
        wire.reply(invite, 487)
        with pytest.raises(CallTimeout) as caught:
            await call.wait_confirmed()
        assert caught.value.cause is Cause.NO_ANSWER


async def test_expires_goes_out_and_limits_the_wait() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        ua.call("bob", expires=7)
        invite = await wire.request("INVITE")
        assert invite.headers["Expires"] == "7"
        wire.reply(invite, 180)
        started = ua.loop.time()
        await wire.request("CANCEL")
        assert ua.loop.time() - started == pytest.approx(7)


async def test_no_response_at_all_is_a_timeout_after_32_seconds() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")
        started = ua.loop.time()
        with pytest.raises(CallTimeout) as caught:
            await call.wait_confirmed()
        assert ua.loop.time() - started == pytest.approx(32)
        assert caught.value.cause is Cause.REQUEST_TIMEOUT


async def test_lost_connection_fails_a_call_that_was_not_answered() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")
        wire.reply(await wire.request("INVITE"), 180)
        await wire.settle()
        wire.cut()
        with pytest.raises(CallUnavailable) as caught:
            await call.wait_confirmed()
        assert caught.value.cause is Cause.CONNECTION_ERROR


async def test_established_call_outlives_its_connection() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")
        wire.reply(await wire.request("INVITE"), 200, sdp=ANSWER)
        await wire.request("ACK")
        await call.wait_confirmed()
        wire.cut()
        await wire.settle(60)
        assert wire.connections == 2
        assert call.is_established()
        gone = call.terminate()
        wire.reply(await wire.request("BYE"), 200)
        await gone


async def test_call_without_connection_fails_at_once() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        wire.refuse_connections = True
        wire.cut()
        await wire.settle()
        call = ua.call("bob")
        with pytest.raises(CallUnavailable):
            await call.wait_confirmed()


async def test_answer_in_a_provisional_response_is_early_media() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")
        invite = await wire.request("INVITE")
        wire.reply(invite, 183, sdp=ANSWER)
        await wire.settle()
        assert call.media is not None
        assert call.media.remote_description == ANSWER
        wire.reply(invite, 200)
        await wire.request("ACK")
        await call.wait_confirmed()


async def test_media_follows_the_branch_that_won() -> None:
    wire = Wire()
    other = ANSWER.replace("192.0.2.1", "192.0.2.9").replace("40000", "50000")
    async with user_agent(wire) as ua:
        call = ua.call("bob")
        invite = await wire.request("INVITE")
        wire.reply(invite, 183, tag="one", sdp=ANSWER)
        wire.reply(invite, 200, tag="two", sdp=other)
        await wire.request("ACK")
        await call.wait_confirmed()
        assert call.media is not None
        assert call.media.remote_description == other


async def test_remote_target_is_taken_from_the_200_not_the_183() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        ua.call("bob")
        invite = await wire.request("INVITE")
        wire.reply(invite, 183, (("Contact", "<sip:first@192.0.2.1>"),))
        wire.reply(invite, 200, (("Contact", "<sip:second@192.0.2.2>"),), sdp=ANSWER)
        assert str((await wire.request("ACK")).uri) == "sip:second@192.0.2.2"


async def test_route_set_of_the_200_is_followed() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")
        invite = await wire.request("INVITE")
        routes = (("Record-Route", "<sip:p2.example.com;lr>, <sip:p1.example.com;lr>"),)
        wire.reply(invite, 200, routes, sdp=ANSWER)
        ack = await wire.request("ACK")
        assert ack.headers.values("Route") == ["<sip:p1.example.com;lr>", "<sip:p2.example.com;lr>"]
        await call.wait_confirmed()


async def test_late_offer_is_answered_in_the_ack() -> None:
    """RFC 3261 §13.2.1: the offer in the 2xx, the answer in the ACK."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob", late_offer=True)
        invite = await wire.request("INVITE")
        assert not invite.body
        wire.reply(invite, 200, sdp=OFFER)
        ack = await wire.request("ACK")
        assert ack.headers["Content-Type"] == "application/sdp"
        assert "a=setup:active" in ack.text
        await call.wait_confirmed()


async def test_late_offer_that_never_comes_ends_the_call() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob", late_offer=True)
        wire.reply(await wire.request("INVITE"), 200)
        await wire.request("ACK")
        await wire.request("BYE")
        assert call.cause is Cause.MISSING_SDP


async def test_200_without_answer_is_hung_up() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")
        wire.reply(await wire.request("INVITE"), 200)
        await wire.request("ACK")
        bye = await wire.request("BYE")
        assert "488" in bye.headers["Reason"]
        with pytest.raises(CallIncompatible):
            await call.wait_confirmed()
        assert call.cause is Cause.MISSING_SDP


async def test_answer_that_is_no_sdp_is_hung_up() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")
        wire.reply(await wire.request("INVITE"), 200, sdp="garbage")
        await wire.request("ACK")
        await wire.request("BYE")
        with pytest.raises(CallIncompatible):
            await call.wait_confirmed()
        assert call.cause is Cause.BAD_MEDIA_DESCRIPTION


async def test_invite_is_sent_again_with_credentials() -> None:
    wire = Wire()
    async with user_agent(wire, password="secret") as ua:
        call = ua.call("bob")
        first = await wire.request("INVITE")
        challenge = (("Proxy-Authenticate", 'Digest realm="example.com", nonce="n1", qop="auth"'),)
        wire.reply(first, 407, challenge)
        assert (await wire.request("ACK")).branch == first.branch
        second = await wire.request("INVITE")
        assert second.cseq.sequence == first.cseq.sequence + 1
        assert second.from_tag == first.from_tag
        assert second.branch != first.branch
        wire.reply(second, 200, sdp=ANSWER)
        ack = await wire.request("ACK")
        assert ack.cseq.sequence == second.cseq.sequence
        assert ack.headers["Proxy-Authorization"] == second.headers["Proxy-Authorization"]
        await call.wait_confirmed()
        call.terminate()
        bye = await wire.request("BYE")
        assert bye.cseq.sequence == second.cseq.sequence + 1
        assert "Proxy-Authorization" in bye.headers  # sent ahead


async def test_challenge_without_password_is_a_refusal() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")
        wire.reply(await wire.request("INVITE"), 401, (("WWW-Authenticate", 'Digest realm="x", nonce="n"'),))
        await wire.request("ACK")
        with pytest.raises(CallUnauthorized):
            await call.wait_confirmed()


async def test_in_dialog_request_is_authenticated() -> None:
    wire = Wire()
    async with user_agent(wire, password="secret") as ua:
        call = ua.call("bob")
        wire.reply(await wire.request("INVITE"), 200, sdp=ANSWER)
        await wire.request("ACK")
        await call.wait_confirmed()
        gone = call.terminate()
        first = await wire.request("BYE")
        wire.reply(
            first, 401, (("WWW-Authenticate", 'Digest realm="x", nonce="n", algorithm=SHA-256, qop="auth"'),)
        )
        second = await wire.request("BYE")
        assert second.cseq.sequence == first.cseq.sequence + 1
        assert "algorithm=SHA-256" in second.headers["Authorization"]
        wire.reply(second, 200)
        await gone


async def test_extra_headers_and_injection() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        ua.call("bob", extra_headers=["X-Id: 7"])
        assert (await wire.request("INVITE")).headers["X-Id"] == "7"
        with pytest.raises(InvalidHeaderError):
            ua.call("bob", extra_headers=["X-Id: 7\r\nEvil: yes"])
        with pytest.raises(InvalidHeaderError, match="Via"):
            ua.call("bob", extra_headers={"Via": "SIP/2.0/WS evil"})


async def test_anonymous_call() -> None:
    """RFC 3323."""
    wire = Wire()
    async with user_agent(wire) as ua:
        ua.call("bob", anonymous=True)
        invite = await wire.request("INVITE")
        assert str(invite.from_address.uri) == "sip:anonymous@anonymous.invalid"
        assert invite.headers["Privacy"] == "id"
        assert invite.headers["P-Preferred-Identity"] == "<sip:alice@example.com>"
        assert "alice" not in invite.headers["Contact"]


async def test_sdp_handler_changes_what_is_sent() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")

        @call.on("sdp")
        async def change(event: Sdp) -> None:
            event.sdp = event.sdp.replace("s=-", "s=changed")

        assert "s=changed" in (await wire.request("INVITE")).text


async def test_handler_that_raises_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob", event_handlers={"progress": lambda event: 1 / 0})
        invite = await wire.request("INVITE")
        wire.reply(invite, 180)
        wire.reply(invite, 200, sdp=ANSWER)
        await wire.request("ACK")
        await call.wait_confirmed()
        assert "ZeroDivisionError" in caplog.text


async def test_context_manager_hangs_up() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:

        async def peer() -> None:
            wire.reply(await wire.request("INVITE"), 200, sdp=ANSWER)
            await wire.request("ACK")
            wire.reply(await wire.request("BYE"), 200)

        other_side = asyncio.create_task(peer())
        async with ua.call("bob") as call:
            assert call.is_established()
        assert call.is_ended()
        await other_side


async def test_bye_in_an_early_dialog_ends_the_call_and_cancels() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")
        invite = await wire.request("INVITE")
        wire.reply(invite, 180)
        await wire.settle()
        wire.from_callee("BYE", invite)
        await wire.response(200, "BYE")
        cancel = await wire.request("CANCEL")
        wire.reply(cancel, 200)
        wire.reply(invite, 487)
        await wire.request("ACK")
        with pytest.raises(CallCanceled):
            await call.wait_confirmed()


async def test_redirection_is_a_refusal_with_its_cause() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")
        wire.reply(await wire.request("INVITE"), 302, (("Contact", "<sip:carol@example.com>"),))
        await wire.request("ACK")
        with pytest.raises(CallRejected) as caught:
            await call.wait_confirmed()
        assert caught.value.cause is Cause.REDIRECTED


@pytest.mark.parametrize(
    ("target", "uri"),
    [
        ("bob", "sip:bob@example.com"),
        ("+1 (555) 123-4567", "sip:+15551234567@example.com"),
        ("sip:bob@elsewhere.example;transport=ws", "sip:bob@elsewhere.example;transport=ws"),
        ("tel:+15551234567", "tel:+15551234567"),
        ("bob@elsewhere.example", "sip:bob@elsewhere.example"),
    ],
)
async def test_targets(target: str, uri: str) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        ua.call(target)
        assert str((await wire.request("INVITE")).uri) == uri


@pytest.mark.parametrize("target", ["", "  ", "sip:", "bob carol", "<sip:bob@x>", "bob\r\nEvil: 1", "@x"])
async def test_bad_targets(target: str) -> None:
    async with user_agent(Wire()) as ua:
        with pytest.raises(InvalidTargetError):
            ua.call(target)


async def test_200_whose_contact_is_not_legible_fails_the_call() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")
        invite = await wire.request("INVITE")
        wire.reply(invite, 180, (("Contact", "<>;;,"),))
        wire.reply(invite, 200, (("Contact", "<>;;,"),), sdp=ANSWER)
        with pytest.raises(CallFailed) as caught:
            await call.wait_confirmed()
        assert caught.value.cause is Cause.DIALOG_ERROR
        await wire.settle(40)
        assert ua.counts()["sessions"] == 0


async def test_2xx_that_come_after_the_call_are_acknowledged_and_hung_up() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")
        invite = await wire.request("INVITE")
        wire.reply(invite, 200, sdp=ANSWER)
        ack = await wire.request("ACK")
        gone = call.terminate()
        wire.reply(await wire.request("BYE"), 200)
        await gone
        wire.reply(invite, 200, sdp=ANSWER)
        assert str(await wire.request("ACK")) == str(ack)
        wire.reply(invite, 200, tag="late", sdp=ANSWER)
        late = await wire.request("ACK")
        assert (late.to_tag, str(late.uri)) == ("late", "sip:late@192.0.2.1;transport=ws")
        bye = await wire.request("BYE")
        assert bye.to_tag == "late"
        wire.reply(invite, 200, tag="late", sdp=ANSWER)
        assert str(await wire.request("ACK")) == str(late)
        wire.reply(bye, 200)
        await wire.settle()
        assert wire.nothing_sent()


@pytest.mark.parametrize("direction", ["outgoing", "incoming"])
async def test_transactions_that_outlive_a_call_hold_nothing_of_it(direction: str) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        if direction == "outgoing":
            call = ua.call("bob")
            wire.reply(await wire.request("INVITE"), 200, sdp=ANSWER)
            await wire.request("ACK")
        else:
            ua.once("new_rtc_session", lambda event: event.session.answer())
            wire.invite(ua)
            wire.in_dialog("ACK", await wire.response(200), sequence=1)
            (call,) = ua.sessions
        await call.wait_confirmed()
        gone = call.terminate()
        wire.reply(await wire.request("BYE"), 200)
        await gone
        session = weakref.ref(call)
        del call, gone
        await wire.settle()
        gc.collect()
        assert session() is None
        assert len(ua.endpoint.layer) == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Call-ID: ", "Call-ID: x"),
        ("alice@example.com>;tag=", "alice@example.com>;tag=x"),
        ("CSeq: 1 ", "CSeq: 77 "),
    ],
    ids=["Call-ID", "From tag", "CSeq"],
)
async def test_response_that_answers_another_request_is_not_ours(old: str, new: str) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")
        invite = await wire.request("INVITE")
        ok = make_response(invite, 200, to_tag="peer", body=ANSWER.encode(), content_type="application/sdp")
        ok.headers.add("Contact", "<sip:peer@192.0.2.1>")
        wire.put(str(ok).replace(old, new, 1))
        await wire.settle()
        assert wire.nothing_sent()
        assert call.is_in_progress()


async def test_2xx_with_an_illegible_contact_is_acknowledged_and_hung_up_where_the_1xx_led() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")
        invite = await wire.request("INVITE")
        wire.reply(invite, 180)
        wire.reply(invite, 200, (("Contact", "<sip:a@b"),), sdp=ANSWER)
        assert str((await wire.request("ACK")).uri) == "sip:peer@192.0.2.1;transport=ws"
        wire.reply(await wire.request("BYE"), 200)
        with pytest.raises(CallFailed):
            await call.wait_confirmed()
        await wire.settle(40)
        assert set(ua.counts().values()) == {0}


@pytest.mark.parametrize(
    "arguments",
    [{"reason_phrase": "x\r\nEvil: 1"}, {"extra_headers": ["X: a\nb"]}, {"body": 5}, {"status_code": 99}],
)
async def test_what_cannot_be_said_is_refused_and_the_call_goes_on(arguments: dict[str, Any]) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")
        wire.reply(await wire.request("INVITE"), 200, sdp=ANSWER)
        await wire.request("ACK")
        await call.wait_confirmed()
        with pytest.raises((ValueError, TypeError)):
            call.terminate(**{"status_code": 500, **arguments})
        assert call.is_established()
        gone = call.terminate()
        wire.reply(await wire.request("BYE"), 200)
        await gone


async def test_call_that_cannot_be_sent_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")

        def broken(*args: Any, **options: Any) -> None:
            raise RuntimeError("no way")

        monkeypatch.setattr(ua.endpoint, "send_request", broken)
        with pytest.raises(CallFailed, match="no way"):
            await call.wait_confirmed()
        await call.wait_closed()
        assert not ua.sessions


async def test_call_whose_bye_cannot_be_sent_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")
        wire.reply(await wire.request("INVITE"), 200, sdp=ANSWER)
        await wire.request("ACK")
        await call.wait_confirmed()

        def broken(*args: Any, **options: Any) -> None:
            raise RuntimeError("no way")

        with monkeypatch.context() as patch:
            patch.setattr(ua.endpoint, "send_request", broken)
            call.terminate()
        await call.wait_closed()
        assert call.is_ended()
        assert not ua.sessions
        assert ua.counts()["dialogs"] == 0


async def test_more_branches_than_anybody_listens_to() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")
        invite = await wire.request("INVITE")
        for number in range(1000):
            wire.reply(invite, 180, tag=f"t{number}")
        assert ua.counts()["dialogs"] == 32
        wire.reply(invite, 200, tag="t999", sdp=ANSWER)
        assert (await wire.request("ACK")).to_tag == "t999"
        await call.wait_confirmed()


async def test_a_second_200_that_cannot_be_read_ends_only_its_own_branch() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")
        invite = await wire.request("INVITE")
        wire.reply(invite, 200, sdp=ANSWER)
        await wire.request("ACK")
        wire.reply(invite, 200, (("Contact", "<sip:"),), tag="other", sdp=ANSWER)
        assert (await wire.request("ACK")).to_tag == "other"
        bye = await wire.request("BYE")
        assert bye.to_tag == "other"
        wire.reply(bye, 200)
        await wire.settle(1)
        assert call.is_established()
        assert ua.counts()["dialogs"] == 1
        call.terminate()
        bye = await wire.request("BYE")
        assert bye.to_tag == "peer"
        wire.reply(bye, 200)


async def test_a_200_that_cannot_be_read_after_the_user_has_given_up() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")
        log = Log(call)
        invite = await wire.request("INVITE")
        wire.reply(invite, 180)
        await wire.settle()
        call.terminate()
        wire.reply(await wire.request("CANCEL"), 200)
        wire.reply(invite, 200, (("Contact", "<sip:"),), sdp=ANSWER)
        await wire.request("ACK")
        wire.reply(await wire.request("BYE"), 200)
        await call.wait_closed()
        assert log.names.count("failed") == 1
        assert call.cause is Cause.CANCELED
        await wire.settle(40)
        assert set(ua.counts().values()) == {0}
