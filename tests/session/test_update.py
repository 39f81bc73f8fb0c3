"""UPDATEs of the peer (RFC 3311): with and without offer, in a call and before it is answered."""

from __future__ import annotations

import asyncio

import pytest

from sipua import RTCSession, events
from tests.session.calls import SDP_TYPE, call_in, call_out, directed, direction_of
from tests.wire import ANSWER, OFFER, Log, Wire, user_agent

RELIABLE = (("Require", "100rel"), ("RSeq", "1"), ("Allow", "INVITE, ACK, CANCEL, BYE, PRACK, UPDATE"))


async def test_update_with_an_offer_is_answered() -> None:
    """RFC 3311 §5.2: the 200 has the answer; there is no ACK, and the peer may offer again at once."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await call_out(wire, ua)
        log = Log(call)
        contact = "Contact: <sip:moved@192.0.2.7>\r\n"
        wire.from_callee("UPDATE", invite, extra=contact + SDP_TYPE, body=directed(OFFER, "sendonly"))
        ok = await wire.response(200, "UPDATE")
        assert direction_of(ok) == "recvonly"
        assert ok.contact[0].uri == invite.contact[0].uri
        assert call.is_on_hold() == {"local": False, "remote": True}
        wire.from_callee("UPDATE", invite, sequence=2, extra=SDP_TYPE, body=OFFER)
        await wire.response(200, "UPDATE")
        assert log.names == ["update", "hold", "update", "unhold"]
        assert call.is_ready_to_re_offer()
        call.terminate()
        assert str((await wire.request("BYE")).uri) == "sip:moved@192.0.2.7"  # JsSIP keeps the old target


async def test_update_without_offer_refreshes_the_target_only() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await call_out(wire, ua)
        assert call.media is not None
        before = call.media.remote_description
        held = call.hold()
        reinvite = await wire.request("INVITE")
        wire.from_callee(
            "UPDATE", invite, extra="Contact: <sip:moved@192.0.2.7>\r\n"
        )  # offers do not matter to it
        ok = await wire.response(200, "UPDATE")
        assert (ok.body, call.media.remote_description) == (b"", before)
        wire.reply(reinvite, 488)
        assert (
            str((await wire.request("ACK")).uri) == "sip:peer@192.0.2.1;transport=ws"
        )  # its re-INVITE's own
        with pytest.raises(Exception, match="488"):
            await held
        call.terminate()
        assert str((await wire.request("BYE")).uri) == "sip:moved@192.0.2.7"


async def test_application_rejects_an_update() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await call_out(wire, ua)
        call.on("update", lambda event: event.reject(status_code=504))
        for sequence, extra, body in ((1, SDP_TYPE, OFFER), (2, "", "")):
            wire.from_callee("UPDATE", invite, sequence=sequence, extra=extra, body=body)
            await wire.response(504, "UPDATE")
        assert call.is_ready_to_re_offer()


async def test_second_update_before_the_first_is_answered() -> None:
    """RFC 3311 §5.2: 500 with a Retry-After between 0 and 10 s."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await call_out(wire, ua)
        asked = []

        async def decide(event: events.Update) -> None:
            asked.append(event)
            await asyncio.sleep(1)

        call.on("update", decide)
        wire.from_callee("UPDATE", invite, extra=SDP_TYPE, body=OFFER)
        wire.from_callee("UPDATE", invite, sequence=2)
        refusal = await wire.response(500, "UPDATE")
        assert refusal.retry_after is not None
        assert 0 <= refusal.retry_after.delay <= 10
        wire.from_callee("INVITE", invite, sequence=3, extra=SDP_TYPE, body=OFFER)
        await wire.response(500, "INVITE")
        await wire.response(200, "UPDATE")
        assert len(asked) == 1


async def test_update_that_overtakes_the_ack_of_a_reinvite() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await call_out(wire, ua)
        wire.from_callee("INVITE", invite, extra=SDP_TYPE, body=OFFER)
        await wire.response(200, "INVITE")
        wire.from_callee("UPDATE", invite, sequence=2, extra=SDP_TYPE, body=directed(OFFER, "inactive"))
        await wire.response(200, "UPDATE")
        wire.from_callee("ACK", invite)
        await wire.settle(40)
        assert wire.nothing_sent()
        assert call.is_on_hold()["remote"]


@pytest.mark.parametrize(
    ("extra", "body", "code"),
    [
        (SDP_TYPE, "garbage", 488),
        ("Content-Type: text/plain\r\n", "hello", 415),
        ("Session-Expires: 1x\r\n", "", 400),
        ("Session-Expires: 30\r\nSupported: timer\r\n", "", 422),
    ],
)
async def test_bad_update_is_refused_and_changes_nothing(extra: str, body: str, code: int) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await call_out(wire, ua)
        extra += "Contact: <sip:moved@192.0.2.7>\r\n"
        wire.from_callee("UPDATE", invite, extra=extra, body=body)
        refusal = await wire.response(code, "UPDATE")
        if code == 422:
            assert refusal.min_se == 90
        assert call.is_ready_to_re_offer()
        call.terminate()
        assert str((await wire.request("BYE")).uri) == "sip:peer@192.0.2.1;transport=ws"


async def test_update_answers_list_what_we_take() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        _, invite = await call_out(wire, ua)
        wire.from_callee("UPDATE", invite)
        ok = await wire.response(200, "UPDATE")
        assert {"UPDATE", "PRACK"} <= set(ok.allow)
        assert {"timer", "100rel"} <= set(ok.supported)


# --- before the call is answered --------------------------------------------------------------------------


async def test_early_update_of_the_called_side_rfc_3311_5_2() -> None:
    """After a reliable answer and its PRACK either side may offer anew."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")
        invite = await wire.request("INVITE")
        wire.reply(invite, 183, RELIABLE, sdp=ANSWER)
        wire.reply(await wire.request("PRACK"), 200)
        wire.from_callee("UPDATE", invite, extra=SDP_TYPE, body=directed(OFFER, "sendonly"))
        assert direction_of(await wire.response(200, "UPDATE")) == "recvonly"
        wire.reply(invite, 200)
        await wire.request("ACK")
        await call.wait_confirmed()
        assert call.is_on_hold() == {"local": False, "remote": True}


async def test_early_update_of_ours() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")
        invite = await wire.request("INVITE")
        wire.reply(invite, 183, RELIABLE, sdp=ANSWER)
        wire.reply(await wire.request("PRACK"), 200)
        await wire.settle()
        done = call.renegotiate(use_update=True, direction="recvonly")
        update = await wire.request("UPDATE")
        assert direction_of(update) == "recvonly"
        assert update.to_tag == "peer"
        wire.reply(update, 200, sdp=directed(ANSWER, "sendonly").replace("40000", "40002"))
        await done
        wire.reply(invite, 200)
        await wire.request("ACK")
        await call.wait_confirmed()


async def test_early_update_while_the_first_offer_is_open() -> None:
    """RFC 3311 §5.2: 491 when ours waits for its answer, 500 when the peer's waits for ours."""
    wire = Wire()
    async with user_agent(wire) as ua:
        ua.call("bob")
        invite = await wire.request("INVITE")
        wire.reply(invite, 180)
        wire.from_callee("UPDATE", invite, extra=SDP_TYPE, body=OFFER)
        await wire.response(491, "UPDATE")
        wire.from_callee("UPDATE", invite, sequence=2)  # no offer: only a new target
        await wire.response(200, "UPDATE")
        calls: list[RTCSession] = []
        ua.on("new_rtc_session", lambda event: calls.append(event.session))
        wire.invite(ua)
        ringing = await wire.response(180)
        wire.in_dialog("UPDATE", ringing, extra=SDP_TYPE, body=OFFER)
        assert (await wire.response(500, "UPDATE")).retry_after is not None


async def test_early_update_before_the_called_side_answers() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        calls: list[RTCSession] = []
        ua.on("new_rtc_session", lambda event: calls.append(event.session))
        wire.invite(ua, extra="Supported: 100rel\r\nAllow: INVITE, ACK, BYE, PRACK, UPDATE\r\n")
        await wire.response(180)
        calls[0].progress(183, early_media=True)
        early = await wire.response(183)
        wire.in_dialog("PRACK", early, sequence=2, extra=f"RAck: {early.rseq} 1 INVITE\r\n")
        await wire.response(200, "PRACK")
        extra = SDP_TYPE + "Session-Expires: 100\r\n"
        wire.in_dialog("UPDATE", early, sequence=3, extra=extra, body=directed(OFFER, "inactive"))
        updated = await wire.response(200, "UPDATE")
        assert direction_of(updated) == "inactive"
        assert "Session-Expires" not in updated.headers  # there is no session yet
        done = calls[0].hold(use_update=True)
        update = await wire.request("UPDATE")
        calls[0].answer()
        await wire.settle()
        assert wire.nothing_sent()  # the 200 waits until the UPDATE is through
        wire.reply(update, 200, sdp=directed(ANSWER, "inactive"))
        await done
        ok = await wire.response(200, "INVITE")
        assert ok.body == b""  # what is agreed is not repeated (RFC 6337 §3.1.1)
        wire.in_dialog("ACK", ok, sequence=1)
        await calls[0].wait_confirmed()
        assert calls[0].is_on_hold() == {"local": True, "remote": True}


async def test_update_before_the_ack() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, ok = await call_in(wire, ua)
        wire.in_dialog("UPDATE", ok, extra=SDP_TYPE, body=directed(OFFER, "sendonly"))
        await wire.response(200, "UPDATE")
        assert call.is_on_hold()["remote"]
