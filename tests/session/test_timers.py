"""Session timers (RFC 4028): who refreshes, when, how, and what becomes of a call that nobody refreshes."""

from __future__ import annotations

import pytest

from sipua import RTCSession
from sipua.sip import Request, Response
from tests.session.calls import SDP_TYPE, call_in, call_out, directed
from tests.wire import ANSWER, OFFER, Log, Wire, user_agent

TIMER = ("Supported", "timer")


def expires(message: Request | Response) -> str | None:
    return message.headers.get("Session-Expires")


async def silence(wire: Wire) -> None:
    """Nothing was sent."""
    await wire.settle()
    assert wire.nothing_sent()


async def test_invite_asks_for_a_timer_rfc_4028_7_1() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        ua.call("bob")
        invite = await wire.request("INVITE")
        assert expires(invite) == "1800"  # who refreshes is left open
        assert "timer" in invite.supported
        assert "Min-SE" not in invite.headers
        ua.call("bob", session_timers_expires=90)
        assert expires(await wire.request("INVITE")) == "90"
    async with user_agent(wire, session_timers_force_refresher=True, session_timers_expires=600) as ua:
        ua.call("bob")
        assert expires(await wire.request("INVITE")) == "600;refresher=uac"
    async with user_agent(wire, session_timers=False) as ua:
        ua.call("bob")
        invite = await wire.request("INVITE")
        assert expires(invite) is None
        assert "timer" not in invite.supported


@pytest.mark.parametrize("value", [89, 0, -1, 90.5, True, "120"])
async def test_bad_intervals_are_named(value: object) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        with pytest.raises(ValueError, match="session_timers_expires="):
            ua.call("bob", session_timers_expires=value)  # type: ignore[arg-type]
        calls: list[RTCSession] = []
        ua.on("new_rtc_session", lambda event: calls.append(event.session))
        wire.invite(ua)
        with pytest.raises(ValueError, match="session_timers_expires="):
            calls[0].answer(session_timers_expires=value)  # type: ignore[arg-type]
        assert calls[0].is_in_progress()


@pytest.mark.parametrize(
    ("supported", "asked", "answer", "required"),
    [
        # RFC 4028 §9, table 2
        (False, "Session-Expires: 300\r\n", "300;refresher=uas", False),
        (True, "Session-Expires: 300\r\n", "300;refresher=uas", True),
        (True, "Session-Expires: 300;refresher=uac\r\n", "300;refresher=uac", True),
        (True, "Session-Expires: 300;refresher=uas\r\n", "300;refresher=uas", True),
        # nobody asked, and we want one
        (True, "", "1800;refresher=uas", True),
        (False, "", "1800;refresher=uas", False),
        # a minimum of somebody on the way
        (True, "Session-Expires: 3600\r\nMin-SE: 2400\r\n", "3600;refresher=uas", True),
        (True, "Min-SE: 2400\r\n", "2400;refresher=uas", True),
        # somebody on the way asks for too little, on behalf of a caller that does not know session timers
        (False, "Session-Expires: 20\r\n", "1800;refresher=uas", False),
    ],
)
async def test_our_answer_rfc_4028_9(supported: bool, asked: str, answer: str, required: bool) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        extra = asked + ("Supported: timer\r\n" if supported else "")
        _, ok = await call_in(wire, ua, extra=extra)
        assert expires(ok) == answer
        assert ("timer" in ok.require) == required


async def test_our_answer_may_be_shorter() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        calls: list[RTCSession] = []
        ua.on("new_rtc_session", lambda event: calls.append(event.session))
        for number, (asked, wanted, answer) in enumerate(
            [("600", 120, "120"), ("600\r\nMin-SE: 300", 120, "300"), ("600", 900, "600")]
        ):
            wire.invite(ua, extra=f"Session-Expires: {asked}\r\n", call_id=f"c{number}")
            calls[-1].answer(session_timers_expires=wanted)
            await wire.response(180)
            assert expires(await wire.response(200)) == f"{answer};refresher=uas"


async def test_interval_too_small_gets_422_rfc_4028_9() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        ua.on("new_rtc_session", lambda event: pytest.fail("this is no call yet"))
        wire.invite(ua, extra="Supported: timer\r\nSession-Expires: 60\r\n")
        refusal = await wire.response(422)
        assert refusal.min_se == 90
        wire.invite(ua, extra="Session-Expires: soon\r\n", call_id="c2")
        await wire.response(400)
        wire.invite(ua, extra="Session-Expires: 100;refresher=me\r\n", call_id="c3")
        await wire.response(400)


async def test_timers_switched_off() -> None:
    wire = Wire()
    async with user_agent(wire, session_timers=False) as ua:
        _, ok = await call_in(wire, ua, extra="Supported: timer\r\nSession-Expires: 60\r\n")
        assert expires(ok) is None
        wire.invite(ua, extra="Require: timer\r\n", call_id="c2")
        assert (await wire.response(420)).headers["Unsupported"] == "timer"
        await wire.settle(4000)
        assert wire.nothing_sent()


async def test_422_is_answered_with_a_longer_interval_rfc_4028_7_3() -> None:
    """The same Call-ID, the next CSeq, Min-SE; JsSIP gives the call up."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob", session_timers_expires=90)
        log = Log(call)
        first = await wire.request("INVITE")
        wire.reply(first, 422, (("Min-SE", "120"),))
        await wire.request("ACK")
        second = await wire.request("INVITE")
        assert (second.call_id, second.from_tag, second.body) == (first.call_id, first.from_tag, first.body)
        assert second.cseq.sequence == first.cseq.sequence + 1
        assert (expires(second), second.min_se) == ("120", 120)
        assert second.branch != first.branch
        wire.reply(second, 422, (("Min-SE", "600"),))  # the next one on the way
        await wire.request("ACK")
        third = await wire.request("INVITE")
        assert (expires(third), third.min_se) == ("600", 600)
        wire.reply(third, 200, (("Session-Expires", "600;refresher=uac"), ("Require", "timer")), sdp=ANSWER)
        await wire.request("ACK")
        await call.wait_confirmed()
        assert log.names == ["peerconnection", "connecting", "sending", "accepted", "confirmed"]
        assert call.request.cseq == third.cseq


@pytest.mark.parametrize("headers", [(), (("Min-SE", "x"),), (("Min-SE", "120"),)])
async def test_422_that_asks_for_nothing_new_is_a_refusal(headers: tuple[tuple[str, str], ...]) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob", session_timers_expires=90)
        log = Log(call)
        invite = await wire.request("INVITE")
        wire.reply(invite, 422, headers)
        await wire.request("ACK")
        if headers == (("Min-SE", "120"),):
            wire.reply(await wire.request("INVITE"), 422, headers)
            await wire.request("ACK")
        await wire.settle()
        assert log["failed"].message.code == 422


async def test_cancelled_call_does_not_answer_a_422() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")
        invite = await wire.request("INVITE")
        wire.reply(invite, 180)
        call.terminate()
        wire.reply(await wire.request("CANCEL"), 200)
        wire.reply(invite, 422, (("Min-SE", "7200"),))
        await wire.request("ACK")
        await silence(wire)


# --- refreshing -------------------------------------------------------------------------------------------


async def test_refresh_by_update_at_half_time_rfc_4028_10() -> None:
    """RFC 4028 §7.4: UPDATE without offer, with the interval in force and the roles as they are."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await call_out(wire, ua, ("Session-Expires", "120;refresher=uac"), ("Require", "timer"))
        for _ in range(3):
            start = ua.loop.time()
            update = await wire.request("UPDATE")
            assert ua.loop.time() - start == pytest.approx(60)
            assert (update.body, expires(update)) == (b"", "120;refresher=uac")
            assert update.contact
            wire.reply(update, 200, (("Session-Expires", "120;refresher=uac"),))
        assert call.is_established()


async def test_refresh_by_reinvite() -> None:
    """A peer that does not take UPDATE, or a configuration that wants it so: a re-INVITE with an offer."""
    wire = Wire()
    async with user_agent(wire, session_timers_refresh_method="INVITE") as ua:
        call, _ = await call_out(wire, ua, ("Session-Expires", "90;refresher=uac"))
        start = ua.loop.time()
        reinvite = await wire.request("INVITE")
        assert ua.loop.time() - start == pytest.approx(45)
        assert "a=sendrecv" in reinvite.text
        wire.reply(reinvite, 200, (("Session-Expires", "90;refresher=uac"),), sdp=ANSWER)
        await wire.request("ACK")
        assert call.is_established()
    wire = Wire()
    async with user_agent(wire) as ua:
        await call_out(wire, ua, ("Session-Expires", "90;refresher=uac"), allow=False)
        await wire.request("INVITE")


async def test_peer_without_timers_is_refreshed_by_us_rfc_4028_7_2() -> None:
    """No Session-Expires in the 2xx of a peer that does not know them: the refreshes are ours."""
    wire = Wire()
    async with user_agent(wire, session_timers_expires=100) as ua:
        await call_out(wire, ua)
        start = ua.loop.time()
        update = await wire.request("UPDATE")
        assert (ua.loop.time() - start, expires(update)) == (pytest.approx(50), "100;refresher=uac")


async def test_peer_that_wants_no_timer_rfc_4028_7_2() -> None:
    wire = Wire()
    async with user_agent(wire, session_timers_expires=100) as ua:
        call, _ = await call_out(wire, ua, TIMER)
        await wire.settle(500)
        assert wire.nothing_sent()
        assert call.is_established()


@pytest.mark.parametrize(("interval", "left"), [(90, 30), (120, 32), (1800, 32)])
async def test_call_that_is_not_refreshed_ends_rfc_4028_10(interval: int, left: float) -> None:
    """Both sides hang up 32 s, or a third of the interval, before it has passed; JsSIP at 110 % of it."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await call_out(wire, ua, ("Session-Expires", f"{interval};refresher=uas"))
        log, start = Log(call), ua.loop.time()
        bye = await wire.request("BYE")
        assert ua.loop.time() - start == pytest.approx(interval - left)
        assert bye.reasons[0].cause == 408
        assert log["ended"].cause == "Request Timeout"
        assert log["ended"].originator == "system"


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
async def test_refresh_of_the_peer_counts(method: str) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await call_out(wire, ua, ("Session-Expires", "90;refresher=uas"))
        for sequence in range(1, 6):
            await wire.settle(50)
            extra = "Supported: timer\r\nSession-Expires: 90;refresher=uac\r\n"
            if method == "INVITE":
                wire.from_callee("INVITE", invite, sequence=sequence, extra=extra + SDP_TYPE, body=OFFER)
            else:
                wire.from_callee("UPDATE", invite, sequence=sequence, extra=extra)
            ok = await wire.response(200, method)
            assert (expires(ok), ok.require) == ("90;refresher=uac", ["timer"])
            if method == "INVITE":
                wire.from_callee("ACK", invite, sequence=sequence)
        assert call.is_established()
        start = ua.loop.time()
        await wire.request("BYE")
        assert ua.loop.time() - start == pytest.approx(60)


async def test_roles_stay_as_they_are_rfc_4028_7_4() -> None:
    """A re-INVITE of the side that does not refresh names the other as refresher."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await call_out(wire, ua, ("Session-Expires", "120;refresher=uas"), TIMER)
        held = call.hold()
        reinvite = await wire.request("INVITE")
        assert expires(reinvite) == "120;refresher=uas"
        wire.reply(
            reinvite, 200, (("Session-Expires", "120;refresher=uas"),), sdp=directed(ANSWER, "recvonly")
        )
        await wire.request("ACK")
        await held
        wire.from_callee(
            "UPDATE", invite, extra="Supported: timer\r\n"
        )  # says nothing of it: neither do roles change
        assert expires(await wire.response(200)) == "120;refresher=uac"


async def test_any_reinvite_is_a_refresh() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await call_out(wire, ua, ("Session-Expires", "120;refresher=uac"))
        await wire.settle(50)
        held = call.hold()
        wire.reply(
            await wire.request("INVITE"),
            200,
            (("Session-Expires", "120;refresher=uac"),),
            sdp=directed(ANSWER, "recvonly"),
        )
        await wire.request("ACK")
        await held
        start = ua.loop.time()
        await wire.request("UPDATE")
        assert ua.loop.time() - start == pytest.approx(60)


@pytest.mark.parametrize("refresh", ["INVITE", "UPDATE"])
async def test_refresh_that_is_due_while_busy_follows(refresh: str) -> None:
    """JsSIP skips it and never comes back to it. An UPDATE waits for another UPDATE only."""
    wire = Wire()
    async with user_agent(wire, session_timers_refresh_method=refresh) as ua:
        call, _ = await call_out(wire, ua, ("Session-Expires", "120;refresher=uac"))
        await wire.settle(50)
        held = call.hold(use_update=refresh == "UPDATE")
        busy = await wire.request(refresh)
        wire.reply(busy, 100)
        await wire.settle(20)  # now it is due
        assert wire.nothing_sent()
        wire.reply(busy, 488)  # this was no refresh
        if refresh == "INVITE":
            await wire.request("ACK")
        with pytest.raises(Exception, match="488"):
            await held
        wire.reply(await wire.request(refresh), 200, (("Session-Expires", "120;refresher=uac"),), sdp=ANSWER)
        if refresh == "INVITE":
            await wire.request("ACK")
        await wire.settle(55)
        assert wire.nothing_sent()
        assert call.is_established()


async def test_update_without_offer_does_not_wait_for_a_reinvite() -> None:
    """RFC 3311 §5.1: only offers exclude each other, and a re-INVITE may ring for long."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await call_out(wire, ua, ("Session-Expires", "120;refresher=uac"))
        await wire.settle(50)
        held = call.hold()
        reinvite = await wire.request("INVITE")
        wire.reply(reinvite, 100)
        update = await wire.request("UPDATE")
        assert update.body == b""
        wire.reply(update, 200, (("Session-Expires", "120;refresher=uac"),))
        await wire.settle(30)
        wire.reply(reinvite, 200, sdp=directed(ANSWER, "recvonly"))
        await wire.request("ACK")
        await held
        assert call.is_on_hold()["local"]


async def test_refresh_that_is_due_while_busy_and_done_by_then() -> None:
    wire = Wire()
    async with user_agent(wire, session_timers_refresh_method="INVITE") as ua:
        call, _ = await call_out(wire, ua, ("Session-Expires", "120;refresher=uac"))
        await wire.settle(50)
        held = call.hold()
        reinvite = await wire.request("INVITE")
        wire.reply(reinvite, 100)
        await wire.settle(20)
        session_expires = ("Session-Expires", "120;refresher=uac")
        wire.reply(reinvite, 200, (session_expires,), sdp=directed(ANSWER, "recvonly"))
        await wire.request("ACK")
        await held
        await wire.settle(55)
        assert wire.nothing_sent()


@pytest.mark.parametrize("code", [408, 481, None])
async def test_refresh_that_finds_nobody_ends_the_call_rfc_4028_10(code: int | None) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await call_out(wire, ua, ("Session-Expires", "1800;refresher=uac"))
        update = await wire.request("UPDATE")
        if code is not None:
            wire.reply(update, code)
        bye = await wire.request("BYE")
        assert ua.loop.time() < 900 + 40
        assert call.is_ended()
        assert bye.reasons[0].cause == 408


@pytest.mark.parametrize("code", [488, 491, 500, 503])
async def test_refused_refresh_is_tried_again_until_it_is_too_late(code: int) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await call_out(wire, ua, ("Session-Expires", "180;refresher=uac"))
        start, tries = ua.loop.time(), 0
        while True:
            message = await wire.next()
            assert isinstance(message, Request)
            if message.method == "BYE":
                break
            assert message.method == "UPDATE"
            tries += 1
            wire.reply(message, code)
        assert ua.loop.time() - start == pytest.approx(148)
        assert tries > 2
        assert call.is_ended()


async def test_refused_refresh_that_works_the_second_time() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await call_out(wire, ua, ("Session-Expires", "180;refresher=uac"))
        wire.reply(await wire.request("UPDATE"), 500)
        wire.reply(await wire.request("UPDATE"), 200, (("Session-Expires", "180;refresher=uac"),))
        start = ua.loop.time()
        await wire.request("UPDATE")
        assert ua.loop.time() - start == pytest.approx(90)
        assert call.is_established()


async def test_refresh_gets_422_and_405() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await call_out(wire, ua, ("Session-Expires", "120;refresher=uac"))
        wire.reply(await wire.request("UPDATE"), 422, (("Min-SE", "240"),))
        update = await wire.request("UPDATE")
        assert (expires(update), update.min_se) == ("240;refresher=uac", 240)
        wire.reply(update, 405)
        reinvite = await wire.request("INVITE")
        assert (expires(reinvite), reinvite.min_se) == ("240;refresher=uac", 240)
        wire.reply(reinvite, 200, (("Session-Expires", "240;refresher=uac"),), sdp=ANSWER)
        await wire.request("ACK")
        await wire.settle(100)
        assert wire.nothing_sent()
        assert call.is_established()


async def test_refresh_by_the_called_side() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        _, ok = await call_in(wire, ua, extra="Session-Expires: 120\r\nSupported: timer\r\n")
        start = ua.loop.time()
        update = await wire.request("UPDATE")
        assert ua.loop.time() - start == pytest.approx(60)
        assert expires(update) == "120;refresher=uac"
        wire.reply(update, 200)
        await wire.settle(500)  # a 200 without says: no more (RFC 4028 §7.2)
        assert wire.nothing_sent()
        assert ok.require == ["timer"]


@pytest.mark.parametrize("value", ["", "x", "5", "0"])
async def test_nonsense_in_a_2xx_does_not_hurt(value: str) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await call_out(wire, ua, ("Session-Expires", f"{value};refresher=uas"), allow=False)
        await wire.settle(15)
        assert wire.nothing_sent()
        assert call.is_established()
