"""Transferring the peer: REFER out, the NOTIFYs that tell how it goes, and what becomes of our calls."""

from __future__ import annotations

import pytest

from sipua import (
    URI,
    Cause,
    InvalidHeaderError,
    InvalidStateError,
    InvalidTargetError,
    RTCSession,
    TransferFailed,
)
from sipua.session.subscriber import ReferSubscriber
from sipua.sip import Replaces, Request
from tests.session.test_indialog import up
from tests.wire import ANSWER, Log, Wire, user_agent

ACTIVE = "active;expires=60"
OVER = "terminated;reason=noresource"


def notify(
    wire: Wire,
    invite: Request,
    status: str,
    state: str = ACTIVE,
    *,
    sequence: int = 1,
    event: str = "refer",
    content_type: str = "message/sipfrag;version=2.0",
) -> None:
    """A NOTIFY of the callee in our call; `status` is its body."""
    wire.from_callee(
        "NOTIFY",
        invite,
        sequence=sequence,
        extra=f"Contact: <sip:peer@192.0.2.1>\r\nEvent: {event}\r\nSubscription-State: {state}\r\n"
        + (f"Content-Type: {content_type}\r\n" if status else ""),
        body=status,
    )


async def referred(wire: Wire, call: RTCSession, target: str = "carol") -> tuple[ReferSubscriber, Request]:
    """A transfer that the peer has taken on."""
    transfer = call.refer(target)
    request = await wire.request("REFER")
    wire.reply(request, 202)
    await wire.settle()
    return transfer, request


async def test_blind_transfer() -> None:
    """RFC 5359 §2.4, RFC 5589 §6.1: REFER, 202, NOTIFYs, and the transferor hangs up."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        transfer = call.refer("carol", extra_headers=["X-A: 1"])
        log = Log(transfer)
        refer = await wire.request("REFER")
        assert refer.headers["Refer-To"] == "<sip:carol@example.com>"
        assert refer.headers["Referred-By"] == "<sip:alice@example.com>"
        assert refer.headers["Contact"] == call.contact
        assert refer.headers["X-A"] == "1"
        assert "replaces" in refer.supported
        assert "norefersub" in refer.supported
        assert {"REFER", "NOTIFY"} <= set(refer.allow)
        assert "Refer-Sub" not in refer.headers
        assert str(refer.uri) == "sip:peer@192.0.2.1;transport=ws"
        wire.reply(refer, 202)
        notify(wire, invite, "SIP/2.0 100 Trying\r\n")
        await wire.response(200, "NOTIFY")
        notify(wire, invite, "SIP/2.0 180 Ringing\r\n", sequence=2)
        await wire.response(200, "NOTIFY")
        assert call.is_established()
        notify(wire, invite, "SIP/2.0 200 OK\r\nX: y\r\n", OVER, sequence=3)
        await wire.response(200, "NOTIFY")
        status = await transfer
        assert (status.status_code, status.status_line) == (200, "SIP/2.0 200 OK")
        assert log.names == ["request_succeeded", "trying", "progress", "accepted"]
        assert log["progress"].reason_phrase == "Ringing"
        assert call.is_established()  # for the application to hang up; but not for long
        wire.reply(await wire.request("BYE"), 200)
        ended = await call.wait_ended()
        assert (ended.originator, ended.cause) == ("local", Cause.BYE)
        assert ua.counts()["dialogs"] == 0


async def test_the_application_hangs_up_first() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        handlers = {"accepted": lambda event: call.terminate()}
        call.refer("carol", event_handlers=handlers)
        wire.reply(await wire.request("REFER"), 202)
        notify(wire, invite, "SIP/2.0 200 OK", OVER)
        await wire.response(200, "NOTIFY")
        wire.reply(await wire.request("BYE"), 200)
        await wire.settle(10)
        assert wire.nothing_sent()


async def test_hang_up_may_be_left_to_the_application() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        transfer = call.refer("carol", hang_up=False)
        wire.reply(await wire.request("REFER"), 202)
        notify(wire, invite, "SIP/2.0 200 OK", OVER)
        await wire.response(200, "NOTIFY")
        await transfer
        await wire.settle(60)
        assert wire.nothing_sent()
        assert call.is_established()


async def test_the_peer_hangs_up_before_it_tells() -> None:
    """RFC 5057: the subscription outlives the call in their dialog."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        transfer, _ = await referred(wire, call)
        wire.from_callee("BYE", invite)
        await wire.response(200, "BYE")
        assert call.is_ended()
        wire.from_callee("OPTIONS", invite, sequence=2)
        await wire.response(481, "OPTIONS")
        notify(wire, invite, "SIP/2.0 200 OK", OVER, sequence=3)
        await wire.response(200, "NOTIFY")
        assert (await transfer).status_code == 200
        notify(wire, invite, "SIP/2.0 200 OK", OVER, sequence=4)
        await wire.response(481, "NOTIFY")
        assert ua.counts()["dialogs"] == 0


async def test_transfer_that_does_not_come_about_leaves_the_call() -> None:
    """RFC 5589 §6.2, RFC 5359 §2.4: the target is busy."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        transfer, _ = await referred(wire, call)
        log = Log(transfer)
        notify(wire, invite, "SIP/2.0 486 Busy Here", OVER)
        await wire.response(200, "NOTIFY")
        with pytest.raises(TransferFailed, match=r"Busy \(486 Busy Here\)") as caught:
            await transfer
        assert (caught.value.status_code, caught.value.cause) == (486, Cause.BUSY)
        assert log["failed"].status_line == "SIP/2.0 486 Busy Here"
        await wire.settle(60)
        assert wire.nothing_sent()
        assert call.is_established()


async def test_refused_refer_leaves_the_call() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await up(wire, ua)
        transfer = call.refer("carol")
        log = Log(transfer)
        wire.reply(await wire.request("REFER"), 603)
        with pytest.raises(TransferFailed, match="603") as caught:
            await transfer
        assert caught.value.response is not None
        assert log.names == ["request_failed"]
        assert log["request_failed"].cause is Cause.REJECTED
        assert call.is_established()


async def test_refer_without_answer_leaves_the_call() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await up(wire, ua)
        transfer = call.refer("carol")
        log = Log(transfer)
        with pytest.raises(TransferFailed) as caught:
            await transfer
        assert caught.value.cause is Cause.REQUEST_TIMEOUT
        assert log["request_failed"].response is None
        assert call.is_established()


async def test_challenged_refer_is_known_by_its_last_number() -> None:
    wire = Wire()
    async with user_agent(wire, password="x") as ua:
        call, invite = await up(wire, ua)
        transfer = call.refer("carol")
        first = await wire.request("REFER")
        wire.reply(first, 407, (("Proxy-Authenticate", 'Digest realm="r", nonce="n", qop="auth"'),))
        second = await wire.request("REFER")
        assert second.cseq.sequence == first.cseq.sequence + 1
        wire.reply(second, 202)
        notify(wire, invite, "SIP/2.0 200 OK", OVER, event=f"refer;id={second.cseq.sequence}")
        await wire.response(200, "NOTIFY")
        await transfer


async def test_two_transfers_in_one_call_are_told_apart() -> None:
    """RFC 3515 §2.4.6: by the CSeq number of the REFER; the first may go without."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        first, _ = await referred(wire, call)
        second, request = await referred(wire, call, "dave")
        notify(wire, invite, "SIP/2.0 404 Not Found", OVER, event=f"refer;id={request.cseq.sequence}")
        await wire.response(200, "NOTIFY")
        with pytest.raises(TransferFailed):
            await second
        notify(wire, invite, "SIP/2.0 200 OK", OVER, sequence=2)
        await wire.response(200, "NOTIFY")
        await first


async def test_notify_before_the_response() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        transfer = call.refer("carol")
        request = await wire.request("REFER")
        notify(wire, invite, "SIP/2.0 100 Trying", ACTIVE)
        await wire.response(200, "NOTIFY")
        wire.reply(request, 202)
        await wire.settle(50)
        notify(wire, invite, "SIP/2.0 200 OK", OVER, sequence=2)
        await wire.response(200, "NOTIFY")
        await transfer


async def test_no_subscription_wanted() -> None:
    """RFC 4488 §4: the answer says that there is none; that is all we learn."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        transfer = call.refer("carol", refer_sub=False)
        log = Log(transfer)
        refer = await wire.request("REFER")
        assert refer.headers["Refer-Sub"] == "false"
        wire.reply(refer, 202, (("Refer-Sub", "false"),))
        assert (await transfer).status_code == 202
        assert log.names == ["request_succeeded"]
        notify(wire, invite, "SIP/2.0 200 OK", OVER)
        await wire.response(481, "NOTIFY")
        wire.reply(await wire.request("BYE"), 200)


async def test_subscription_that_was_not_wanted_is_served_all_the_same() -> None:
    """RFC 4488 §4: a recipient that does not know Refer-Sub makes one."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        transfer = call.refer("carol", refer_sub=False)
        wire.reply(await wire.request("REFER"), 202)
        notify(wire, invite, "SIP/2.0 200 OK", OVER)
        await wire.response(200, "NOTIFY")
        assert (await transfer).status_code == 200


@pytest.mark.parametrize(
    ("first", "seconds"),
    [(None, 32), ("active;expires=20", 25), ("active", 185), ("active;expires=99999999", 3605)],
)
async def test_peer_that_never_tells_the_end(first: str | None, seconds: float) -> None:
    """RFC 6665 §4.1.2.4: no NOTIFY at all for timer N, or none before the subscription runs out."""
    wire = Wire()
    async with user_agent(wire, session_timers=False) as ua:
        call, invite = await up(wire, ua)
        transfer, _ = await referred(wire, call)
        log = Log(transfer)
        start = ua.loop.time()
        if first is not None:
            notify(wire, invite, "SIP/2.0 100 Trying", first)
            await wire.response(200, "NOTIFY")
        with pytest.raises(TransferFailed, match="no NOTIFY in time"):
            await transfer
        assert ua.loop.time() - start == pytest.approx(seconds, abs=0.1)
        assert log["failed"].status_code == 408
        assert call.is_established()
        notify(wire, invite, "SIP/2.0 200 OK", OVER, sequence=2)
        await wire.response(481, "NOTIFY")


@pytest.mark.parametrize("body", ["", "SIP/2.0 100 Trying"])
async def test_subscription_that_ends_without_result(body: str) -> None:
    wire = Wire()
    async with user_agent(wire, session_timers=False) as ua:
        call, invite = await up(wire, ua)
        transfer, _ = await referred(wire, call)
        notify(wire, invite, body, "terminated;reason=giveup")
        await wire.response(200, "NOTIFY")
        with pytest.raises(TransferFailed, match="giveup"):
            await transfer
        assert call.is_established()


async def test_peer_that_calls_each_notify_the_last() -> None:
    """SIP.js: ``terminated`` without reason from the first NOTIFY on; and JsSIP sends none with a Contact."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        transfer, refer = await referred(wire, call)
        log = Log(transfer)
        for sequence, status in enumerate(("100 Trying", "180 Ringing", "200 OK"), start=1):
            wire.from_callee(
                "NOTIFY",
                invite,
                sequence=sequence,
                extra=f"Event: refer;id={refer.cseq.sequence}\r\nSubscription-State: terminated\r\n"
                "Content-Type: message/sipfrag\r\n",
                body=f"SIP/2.0 {status}",
            )
            await wire.response(200, "NOTIFY")
        await transfer
        assert log.names == ["trying", "progress", "accepted"]


async def test_result_before_the_end_of_the_subscription() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        transfer, _ = await referred(wire, call)
        log = Log(transfer)
        for sequence, state in enumerate((ACTIVE, ACTIVE, OVER), start=1):
            notify(wire, invite, "SIP/2.0 200 OK", state, sequence=sequence)
            await wire.response(200, "NOTIFY")
        await transfer
        assert log.names == ["accepted"]


# --- what the peer writes wrongly -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "state", "event", "content_type", "code"),
    [
        ("SIP/2.0 200 OK", OVER, "refer;id=4711", "message/sipfrag", 481),
        ("SIP/2.0 200 OK", OVER, "refer;id=x", "message/sipfrag", 481),
        ("SIP/2.0 200 OK", "", "refer", "message/sipfrag", 400),
        ("SIP/2.0 200 OK", "active;expires=soon", "refer", "message/sipfrag", 400),
        ("SIP/2.0 200 OK", OVER, "", "message/sipfrag", 400),
        ("SIP/2.0 200 OK", OVER, "@@@", "message/sipfrag", 400),
        ("SIP/2.0 200 OK", OVER, "conference", "message/sipfrag", 489),
        ("SIP/2.0 200 OK", ACTIVE, "refer", "text/plain", 415),
        ("SIP/2.0 200 OK", ACTIVE, "refer", "nonsense", 400),
        ("", ACTIVE, "refer", "message/sipfrag", 400),
        ("OK", ACTIVE, "refer", "message/sipfrag", 400),
        ("SIP/3.0 200 OK", ACTIVE, "refer", "message/sipfrag", 400),
        ("SIP/2.0 2000 OK", ACTIVE, "refer", "message/sipfrag", 400),
        ("SIP/2.0 999 OK", ACTIVE, "refer", "message/sipfrag", 400),
        ("INVITE sip:a@b SIP/2.0", ACTIVE, "refer", "message/sipfrag", 400),
        ("\x00\xff", ACTIVE, "refer", "message/sipfrag", 400),
    ],
)
async def test_bad_notify_changes_nothing(
    status: str, state: str, event: str, content_type: str, code: int
) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        transfer, _ = await referred(wire, call)
        log = Log(transfer)
        notify(wire, invite, status, state, event=event, content_type=content_type)
        refusal = await wire.response(code, "NOTIFY")
        if code == 415:
            assert refusal.headers["Accept"] == "message/sipfrag"
        if code == 489:
            assert refusal.headers["Allow-Events"] == "refer"
        assert log.names == []
        assert call.is_established()
        notify(wire, invite, "SIP/2.0 200 OK", OVER, sequence=2)
        await wire.response(200, "NOTIFY")
        await transfer


async def test_last_notify_that_cannot_be_read_ends_the_waiting() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        transfer, _ = await referred(wire, call)
        notify(wire, invite, "garbage", OVER)
        await wire.response(400, "NOTIFY")
        with pytest.raises(TransferFailed):
            await transfer
        assert call.is_established()


async def test_notify_without_refer_and_without_event() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        notify(wire, invite, "SIP/2.0 200 OK")
        await wire.response(481, "NOTIFY")
        wire.from_callee("NOTIFY", invite, sequence=2)
        await wire.response(400, "NOTIFY")
        assert call.is_established()


async def test_notify_of_other_packages_is_the_applications() -> None:
    """``talk`` and ``hold``, by which servers drive phones."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        wire.from_callee("NOTIFY", invite, extra="Event: talk\r\n")
        await wire.response(489, "NOTIFY")
        log = Log(call)
        wire.from_callee("NOTIFY", invite, sequence=2, extra="Event: talk\r\nSubscription-State: active\r\n")
        await wire.response(200, "NOTIFY")
        assert log["notify"].event == "talk"


# --- attended ---------------------------------------------------------------------------------------------------


async def consultation(wire: Wire, ua: object) -> tuple[RTCSession, Request]:
    call = ua.call("carol")  # type: ignore[attr-defined]
    invite = await wire.request("INVITE")
    wire.reply(invite, 200, sdp=ANSWER, tag="carol")
    await wire.request("ACK")
    await call.wait_confirmed()
    return call, invite


async def test_attended_transfer() -> None:
    """RFC 5589 §7.3, RFC 5359 §2.5: Refer-To with Replaces, whose tags are as the target sees them."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        other, other_invite = await consultation(wire, ua)
        transfer = call.refer(replaces=other)
        refer = await wire.request("REFER")
        assert refer.call_id == invite.call_id
        target = refer.refer_to
        assert target is not None
        assert target.uri.replace(headers=None) == URI.parse("sip:carol@example.com")
        assert target.uri.headers["Replaces"] == (
            f"{other_invite.call_id};to-tag=carol;from-tag={other_invite.from_tag}"
        )
        wire.reply(refer, 202)
        wire.from_callee("BYE", other_invite, tag="carol")
        await wire.response(200, "BYE")
        notify(wire, invite, "SIP/2.0 200 OK", OVER)
        await wire.response(200, "NOTIFY")
        await transfer
        bye = await wire.request("BYE")
        assert bye.call_id == invite.call_id
        wire.reply(bye, 200)
        await wire.settle(10)
        assert wire.nothing_sent()
        assert ua.counts()["sessions"] == 0


async def test_attended_transfer_leaves_no_silent_call() -> None:
    """A target that does not hang up what was replaced: we do."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        other, other_invite = await consultation(wire, ua)
        call.refer(replaces=other)
        wire.reply(await wire.request("REFER"), 202)
        notify(wire, invite, "SIP/2.0 200 OK", OVER)
        await wire.response(200, "NOTIFY")
        byes = [await wire.request("BYE"), await wire.request("BYE")]
        assert {bye.call_id for bye in byes} == {invite.call_id, other_invite.call_id}
        for bye in byes:
            wire.reply(bye, 200)


async def test_attended_transfer_that_fails_leaves_both_calls() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        other, _ = await consultation(wire, ua)
        transfer = call.refer(replaces=other)
        wire.reply(await wire.request("REFER"), 202)
        notify(wire, invite, "SIP/2.0 603 Decline", OVER)
        await wire.response(200, "NOTIFY")
        with pytest.raises(TransferFailed, match="603"):
            await transfer
        await wire.settle(60)
        assert wire.nothing_sent()
        assert call.is_established()
        assert other.is_established()


async def test_attended_transfer_without_notify_keeps_what_is_replaced() -> None:
    """Nothing says that the INVITE with Replaces has come: that call is the target's to end."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await up(wire, ua)
        other, _ = await consultation(wire, ua)
        call.refer(replaces=other, refer_sub=False)
        wire.reply(await wire.request("REFER"), 202, (("Refer-Sub", "false"),))
        wire.reply(await wire.request("BYE"), 200)
        await wire.settle(60)
        assert wire.nothing_sent()
        assert other.is_established()


async def test_attended_transfer_to_a_gruu() -> None:
    """RFC 5589 §7.3: an address of the device that is good for everybody is better than that of its user."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await up(wire, ua)
        other = ua.call("carol")
        invite = await wire.request("INVITE")
        wire.reply(invite, 200, (("Contact", "<sip:carol@example.com;gr=urn:uuid:1>"),), sdp=ANSWER)
        await wire.request("ACK")
        await other.wait_confirmed()
        call.refer(replaces=other)
        value = (await wire.request("REFER")).headers["Refer-To"]
        assert value.startswith("<sip:carol@example.com;gr=urn:uuid:1?Replaces=")


async def test_replaces_by_value_and_with_a_target() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await up(wire, ua)
        call.refer("sip:dave@example.com;x=y?Subject=hi", replaces=Replaces("a@b", "1", "2"))
        assert (await wire.request("REFER")).headers["Refer-To"] == (
            "<sip:dave@example.com;x=y?Subject=hi&Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2&Require=replaces>"
        )


# --- what the application does wrongly --------------------------------------------------------------------------


async def test_refer_needs_a_call_that_is_up() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        early = ua.call("bob")
        with pytest.raises(InvalidStateError, match="refer"):
            early.refer("carol")
        await wire.request("INVITE")
        call, _ = await up(wire, ua)
        with pytest.raises(InvalidStateError, match="refer with replaces"):
            call.refer(replaces=early)
        call.terminate()
        with pytest.raises(InvalidStateError, match="refer"):
            call.refer("carol")


@pytest.mark.parametrize("target", ["", "a b", "sip:", URI.parse("http://example.com/"), "x\r\ny"])
async def test_refer_needs_a_target(target: str | URI) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await up(wire, ua)
        with pytest.raises(InvalidTargetError):
            call.refer(target)
        assert wire.nothing_sent()


async def test_refer_needs_arguments_that_make_sense() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await up(wire, ua)
        with pytest.raises(ValueError, match="target"):
            call.refer()
        with pytest.raises(ValueError, match="target"):
            call.refer(replaces=Replaces("a", "1", "2"))
        with pytest.raises(ValueError, match="replaces"):
            call.refer(replaces=call)
        with pytest.raises(InvalidTargetError, match="tel"):
            call.refer("tel:+4912345", replaces=Replaces("a", "1", "2"))
        with pytest.raises(InvalidHeaderError):
            call.refer("carol", extra_headers=["Call-ID: 1"])
        with pytest.raises(ValueError, match="no event"):
            call.refer("carol", event_handlers={"nonsense": print})
        assert wire.nothing_sent()


async def test_anonymous_calls_do_not_say_who_refers() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob", anonymous=True)
        invite = await wire.request("INVITE")
        wire.reply(invite, 200, sdp=ANSWER)
        await wire.request("ACK")
        await call.wait_confirmed()
        call.refer("tel:+4912345")
        refer = await wire.request("REFER")
        assert "Referred-By" not in refer.headers
        assert refer.headers["Refer-To"] == "<tel:+4912345>"


async def test_stop_ends_the_waiting() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await up(wire, ua)
        transfer, _ = await referred(wire, call)
    with pytest.raises(TransferFailed, match="stopped"):
        await transfer
