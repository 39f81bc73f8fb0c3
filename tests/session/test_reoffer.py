"""Offers of ours in a call that is up: what goes over the wire, what is refused, what meets the peer's."""

from __future__ import annotations

import asyncio
import logging
import random

import pytest

from sipua import InvalidHeaderError, InvalidStateError, RequestFailed, RequestTimeout, RTCSession
from sipua.errors import MediaNegotiationError
from sipua.media.sources import Tone
from sipua.session.reoffer import ANSWER_LIMIT, TRIES
from tests.session.calls import ALLOW, SDP_TYPE, call_in, call_out, directed, direction_of
from tests.wire import ANSWER, OFFER, Log, Wire, user_agent


def state(call: RTCSession) -> tuple[object, ...]:
    """All that a refused offer must leave as it was."""
    media = call.media
    assert media is not None
    return (
        call.status,
        call.is_on_hold(),
        media.direction,
        media.local_description,
        media.remote_description,
        media.has_pending_offer,
        media.state,
    )


async def test_hold_and_resume_rfc_5359_2_1() -> None:
    """RFC 5359 §2.1, call hold: re-INVITE with sendonly, 200 with recvonly, ACK; and back."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await call_out(wire, ua)
        log = Log(call)
        held = call.hold(extra_headers=["X-Why: lunch"])
        reinvite = await wire.request("INVITE")
        assert (direction_of(reinvite), reinvite.headers["X-Why"]) == ("sendonly", "lunch")
        assert reinvite.call_id == invite.call_id
        assert reinvite.cseq.sequence == invite.cseq.sequence + 1
        assert reinvite.contact[0].uri == invite.contact[0].uri
        assert "UPDATE" in reinvite.allow
        assert call.is_on_hold() == {"local": False, "remote": False}  # not agreed yet
        wire.reply(reinvite, 200, sdp=directed(ANSWER, "recvonly"))
        ack = await wire.request("ACK")
        assert (ack.cseq.sequence, ack.body) == (reinvite.cseq.sequence, b"")
        await held
        assert call.is_on_hold() == {"local": True, "remote": False}
        resumed = call.unhold()
        reinvite = await wire.request("INVITE")
        assert direction_of(reinvite) == "sendrecv"
        wire.reply(reinvite, 200, sdp=ANSWER.replace("40000", "40002"))
        await wire.request("ACK")
        await resumed
        assert call.is_on_hold() == {"local": False, "remote": False}
        assert log.names == ["hold", "unhold"]
        assert [event.originator for event in log.payloads] == ["local", "local"]


async def test_hold_twice_is_one_hold() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await call_out(wire, ua)
        first, second = call.hold(), call.hold()
        wire.reply(await wire.request("INVITE"), 200, sdp=directed(ANSWER, "recvonly"))
        await wire.request("ACK")
        await first
        await second
        await call.hold()
        assert wire.nothing_sent()
        assert call.is_ready_to_re_offer()


async def test_what_is_asked_for_meanwhile_waits_for_its_turn() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await call_out(wire, ua)
        wishes = [call.hold(), call.renegotiate(), call.unhold()]
        assert not call.is_ready_to_re_offer()
        for expected in ("sendonly", "sendonly", "sendrecv"):
            reinvite = await wire.request("INVITE")
            assert direction_of(reinvite) == expected
            await wire.settle(1)
            assert wire.nothing_sent()
            answer = "recvonly" if expected == "sendonly" else "sendrecv"
            wire.reply(
                reinvite, 200, sdp=directed(ANSWER, answer).replace("40000", str(reinvite.cseq.sequence))
            )
            await wire.request("ACK")
        await asyncio.gather(*wishes)
        assert call.is_ready_to_re_offer()


async def test_hold_asked_for_before_the_ack_waits_for_it() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        calls: list[RTCSession] = []
        ua.on("new_rtc_session", lambda event: calls.append(event.session))
        wire.invite(ua)
        calls[0].answer()
        await wire.response(180)
        ok = await wire.response(200)
        held = calls[0].hold()
        await wire.settle(0.1)
        assert wire.nothing_sent()
        wire.in_dialog("ACK", ok, sequence=1)
        wire.reply(await wire.request("INVITE"), 200, sdp=directed(ANSWER, "recvonly"))
        await wire.request("ACK")
        await held


@pytest.mark.parametrize("operation", ["hold", "unhold", "renegotiate"])
async def test_nothing_to_renegotiate_without_a_call(operation: str) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")
        with pytest.raises(InvalidStateError, match=f"{operation} is not possible in state null"):
            getattr(call, operation)()
        invite = await wire.request("INVITE")
        wire.reply(invite, 180)
        with pytest.raises(InvalidStateError, match=f"{operation} .* proceeding"):
            getattr(call, operation)(use_update=True)
        wire.reply(invite, 486)
        await wire.request("ACK")
        with pytest.raises(InvalidStateError, match=f"{operation} is not possible in state ended"):
            getattr(call, operation)()


async def test_bad_arguments_are_named() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await call_out(wire, ua)
        with pytest.raises(ValueError, match="direction='both'"):
            call.renegotiate(direction="both")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="late_offer=True"):
            call.renegotiate(late_offer=True, use_update=True)
        with pytest.raises(InvalidHeaderError, match="CSeq"):
            call.hold(extra_headers=["CSeq: 1 BYE"])
        await wire.settle()
        assert wire.nothing_sent()


async def test_music_of_its_own_is_for_one_hold() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await call_out(wire, ua)
        usual, other, third = Tone(440), Tone(550), Tone(660)
        call.audio.hold_music = usual
        for code in (200, 488):
            held = call.hold(hold_music=other)
            assert call.audio.hold_music is other
            reply = await wire.request("INVITE")
            wire.reply(reply, code, sdp=directed(ANSWER, "recvonly") if code == 200 else "")
            await wire.request("ACK")
            if code == 200:
                await held
                assert call.audio.hold_music is other
                await call.hold(hold_music=third)  # another one in the same hold
                assert call.audio.hold_music is third
                resumed = call.unhold()
                wire.reply(await wire.request("INVITE"), 200, sdp=ANSWER)
                await wire.request("ACK")
                await resumed
            else:
                with pytest.raises(RequestFailed):
                    await held
            assert call.audio.hold_music is usual
        with pytest.raises(InvalidHeaderError):
            call.hold(hold_music=other, extra_headers=["CSeq: 1 BYE"])
        assert call.audio.hold_music is usual


async def test_music_of_a_hold_that_waits_for_its_turn() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await call_out(wire, ua)
        usual, first, second = Tone(440), Tone(550), Tone(660)
        call.audio.hold_music = usual

        async def round_of(code: int, direction: str = "sendrecv") -> None:
            request = await wire.request("INVITE")
            wire.reply(request, code, sdp=directed(ANSWER, direction) if code == 200 else "")
            await wire.request("ACK")
            await wire.settle()

        # Behind a hold that is refused.
        refused, held = call.hold(hold_music=first), call.hold(hold_music=second)
        assert call.audio.hold_music is first
        await round_of(488)
        await round_of(200, "recvonly")
        with pytest.raises(RequestFailed):
            await refused
        await held
        assert (call.audio.hold_music, call.audio.held) == (second, True)
        # Behind an unhold that is not done yet: until then the peer goes on to hear what it heard.
        resumed, held = call.unhold(), call.hold(hold_music=first)
        assert call.audio.hold_music is second
        await round_of(200)
        await resumed
        await round_of(200, "recvonly")
        await held
        assert (call.audio.hold_music, call.audio.held) == (first, True)
        resumed = call.unhold()
        await round_of(200)
        await resumed
        assert (call.audio.hold_music, call.audio.held) == (usual, False)


@pytest.mark.parametrize("code", [403, 408, 415, 480, 486, 488, 500, 503, 603])
async def test_refused_hold_leaves_the_call_as_it_was(code: int) -> None:
    """RFC 3261 §14.1, RFC 6141 §3.1; JsSIP ends the call."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await call_out(wire, ua)
        log, before = Log(call), state(call)
        held = call.hold()
        wire.reply(await wire.request("INVITE"), code)
        await wire.request("ACK")
        with pytest.raises(RequestFailed, match=str(code)) as caught:
            await held
        assert caught.value.status_code == code
        assert state(call) == before
        assert log.names == []
        again = call.hold()  # and it may be tried again
        wire.reply(await wire.request("INVITE"), 200, sdp=directed(ANSWER, "recvonly"))
        await wire.request("ACK")
        await again


@pytest.mark.parametrize("use_update", [False, True])
async def test_hold_without_an_answer_leaves_the_call_as_it_was(use_update: bool) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await call_out(wire, ua)
        before, start = state(call), ua.loop.time()
        with pytest.raises(RequestTimeout):
            await call.hold(use_update=use_update)
        assert ua.loop.time() - start == pytest.approx(32, abs=0.1)
        assert state(call) == before


async def test_reinvite_that_only_rings_is_cancelled() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await call_out(wire, ua)
        before, start = state(call), ua.loop.time()
        held = call.hold()
        reinvite = await wire.request("INVITE")
        wire.reply(reinvite, 100)
        cancel = await wire.request("CANCEL")
        assert ua.loop.time() - start == pytest.approx(ANSWER_LIMIT, abs=0.1)
        wire.reply(cancel, 200)
        wire.reply(reinvite, 487)
        await wire.request("ACK")
        with pytest.raises(RequestTimeout, match="no answer in 60 s"):
            await held
        assert state(call) == before


async def test_2xx_that_crosses_the_cancel_counts() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await call_out(wire, ua)
        held = call.hold()
        reinvite = await wire.request("INVITE")
        wire.reply(reinvite, 100)
        wire.reply(await wire.request("CANCEL"), 200)
        wire.reply(reinvite, 200, sdp=directed(ANSWER, "recvonly"))
        await wire.request("ACK")
        await held
        assert call.is_on_hold()["local"]


async def test_481_ends_the_call() -> None:
    """RFC 3261 §12.2.1.2: the peer knows of no call."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await call_out(wire, ua)
        log = Log(call)
        held = call.hold()
        wire.reply(await wire.request("INVITE"), 481)
        await wire.request("ACK")
        wire.reply(await wire.request("BYE"), 481)
        with pytest.raises(RequestFailed, match="481"):
            await held
        assert log["ended"].cause == "Dialog Error"


async def test_connection_lost_during_hold_leaves_the_call_as_it_was() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await call_out(wire, ua)
        before = state(call)
        held = call.hold()
        await wire.request("INVITE")
        wire.cut()
        with pytest.raises(RequestFailed, match="Connection Error"):
            await held
        assert state(call) == before


async def test_call_that_ends_meanwhile_takes_wishes_with_it() -> None:
    """The re-INVITE's 2xx still gets its ACK, as RFC 5407 §3.2.2 has it for a BYE that crosses a re-INVITE."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await call_out(wire, ua)
        wishes = call.hold(), call.unhold()
        reinvite = await wire.request("INVITE")
        call.terminate()
        bye = await wire.request("BYE")
        for wish in wishes:
            with pytest.raises(InvalidStateError, match="hold is not possible in state ended"):
                await wish
        wire.reply(reinvite, 200, sdp=directed(ANSWER, "recvonly"))
        ack = await wire.request("ACK")
        assert ack.cseq.sequence == reinvite.cseq.sequence
        wire.reply(bye, 200)
        await wire.settle(1)
        assert wire.nothing_sent()


async def test_lost_ack_to_a_reinvite_is_repeated() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await call_out(wire, ua)
        held = call.hold()
        reinvite = await wire.request("INVITE")
        acks = []
        for _ in range(2):
            wire.reply(reinvite, 200, sdp=directed(ANSWER, "recvonly"))
            acks.append((await wire.request("ACK")).frame())
        assert acks[0] == acks[1]
        await held


async def test_2xx_to_a_reinvite_refreshes_the_target() -> None:
    """RFC 6141 §4; JsSIP keeps the old one."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await call_out(wire, ua)
        held = call.hold()
        wire.reply(
            await wire.request("INVITE"),
            200,
            (("Contact", "<sip:moved@192.0.2.9>"),),
            sdp=directed(ANSWER, "recvonly"),
        )
        ack = await wire.request("ACK")
        assert str(ack.uri) == "sip:moved@192.0.2.9"
        await held
        call.terminate()
        assert str((await wire.request("BYE")).uri) == "sip:moved@192.0.2.9"


async def test_2xx_to_an_update_refreshes_the_target() -> None:
    """RFC 3311 §5.1."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await call_out(wire, ua)
        held = call.hold(use_update=True)
        update = await wire.request("UPDATE")
        wire.reply(update, 200, (("Contact", "<sip:moved@192.0.2.9>"),), sdp=directed(ANSWER, "recvonly"))
        await held
        call.terminate()
        assert str((await wire.request("BYE")).uri) == "sip:moved@192.0.2.9"


async def test_2xx_after_a_183_refreshes_the_target() -> None:
    """RFC 3261 §12.1.2: the 200 to the INVITE has another Contact than the 183; JsSIP keeps the first."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")
        invite = await wire.request("INVITE")
        wire.reply(invite, 183, (("Contact", "<sip:early@192.0.2.8>"),), sdp=ANSWER)
        wire.reply(invite, 200, (("Contact", "<sip:late@192.0.2.9>"),), sdp=ANSWER)
        assert str((await wire.request("ACK")).uri) == "sip:late@192.0.2.9"
        await call.wait_confirmed()
        call.terminate()
        assert str((await wire.request("BYE")).uri) == "sip:late@192.0.2.9"


async def test_hold_by_update() -> None:
    """RFC 3311 §5: an offer and its answer without ACK."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await call_out(wire, ua)
        held = call.hold(use_update=True)
        update = await wire.request("UPDATE")
        assert direction_of(update) == "sendonly"
        wire.reply(update, 200, sdp=directed(ANSWER, "recvonly"))
        await held
        assert call.is_on_hold() == {"local": True, "remote": False}
        assert wire.nothing_sent()


async def test_peer_that_does_not_take_update_gets_a_reinvite() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await call_out(wire, ua, allow=False)
        held = call.hold(use_update=True)
        wire.reply(await wire.request("INVITE"), 200, (ALLOW,), sdp=directed(ANSWER, "recvonly"))
        await wire.request("ACK")
        await held
        resumed = call.unhold(use_update=True)  # now it says that it takes them; it lies
        wire.reply(await wire.request("UPDATE"), 501)
        wire.reply(await wire.request("INVITE"), 200, sdp=ANSWER.replace("40000", "40002"))
        await wire.request("ACK")
        await resumed


async def test_reinvite_without_offer_lets_the_peer_make_it() -> None:
    """RFC 3261 §14.1: the 2xx has the offer, the ACK the answer."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await call_out(wire, ua)
        done = call.renegotiate(late_offer=True)
        reinvite = await wire.request("INVITE")
        assert reinvite.body == b""
        wire.reply(reinvite, 200, sdp=OFFER.replace("40000", "40004"))
        ack = await wire.request("ACK")
        assert "m=audio" in ack.text
        assert ack.headers["Content-Type"] == "application/sdp"
        await done
        assert call.media is not None
        assert call.media.remote_description == OFFER.replace("40000", "40004")


async def test_reinvite_without_offer_while_held() -> None:
    """What the peer offers is answered with what this side wants: it still holds."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await call_out(wire, ua)
        held = call.hold()
        wire.reply(await wire.request("INVITE"), 200, sdp=directed(ANSWER, "recvonly"))
        await wire.request("ACK")
        await held
        done = call.renegotiate(late_offer=True)
        wire.reply(await wire.request("INVITE"), 200, sdp=OFFER)
        assert direction_of(await wire.request("ACK")) == "sendonly"
        await done
        assert call.is_on_hold() == {"local": True, "remote": False}


@pytest.mark.parametrize("sdp", ["", "garbage", ANSWER.replace("m=audio 40000", "m=audio 0")])
@pytest.mark.parametrize("use_update", [False, True])
async def test_2xx_with_an_answer_that_cannot_be_used(sdp: str, use_update: bool) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await call_out(wire, ua)
        log, before = Log(call), state(call)
        held = call.hold(use_update=use_update)
        wire.reply(await wire.request("UPDATE" if use_update else "INVITE"), 200, sdp=sdp)
        if not use_update:
            await wire.request("ACK")
        with pytest.raises(MediaNegotiationError):
            await held
        assert state(call) == before
        applied = ["peerconnection_setremotedescriptionfailed"] if sdp else []
        assert log.names == [*applied, "media_failed"]


async def test_offer_in_the_2xx_that_cannot_be_used() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await call_out(wire, ua)
        before = state(call)
        done = call.renegotiate(late_offer=True)
        wire.reply(await wire.request("INVITE"), 200, sdp="garbage")
        assert (await wire.request("ACK")).body == b""
        with pytest.raises(MediaNegotiationError):
            await done
        assert state(call) == before


async def test_direction_of_our_own() -> None:
    """What the application wants stays so over hold and resume (RFC 3264 §8.4: recvonly becomes inactive)."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await call_out(wire, ua)
        for wish, offered, answered in (
            (lambda: call.renegotiate(direction="recvonly"), "recvonly", "sendonly"),
            (call.hold, "inactive", "inactive"),
            (call.unhold, "recvonly", "sendonly"),
            (lambda: call.renegotiate(direction="sendrecv"), "sendrecv", "sendrecv"),
        ):
            done = wish()
            reinvite = await wire.request("INVITE")
            assert direction_of(reinvite) == offered
            answer = directed(ANSWER, answered).replace("40000", str(reinvite.cseq.sequence))
            wire.reply(reinvite, 200, sdp=answer)
            await wire.request("ACK")
            await done
            assert not call.is_on_hold()["remote"]  # it does not send only because we do not listen


async def test_ice_restart_is_passed_to_media() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await call_out(wire, ua)
        media, asked = call.media, []
        assert media is not None
        create = media.create_offer

        async def create_offer(*, ice_restart: bool = False) -> str:
            asked.append(ice_restart)
            return await create(ice_restart=ice_restart)

        media.create_offer = create_offer  # type: ignore[method-assign]
        done = call.renegotiate(ice_restart=True)
        wire.reply(await wire.request("INVITE"), 200, sdp=ANSWER.replace("40000", "40002"))
        await wire.request("ACK")
        await done
        assert asked == [True]


async def test_media_that_cannot_offer_changes_nothing() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await call_out(wire, ua)
        before = state(call)
        assert call.media is not None

        async def fail(**options: object) -> str:
            raise MediaNegotiationError("no idea")

        call.media.create_offer = fail  # type: ignore[method-assign]
        with pytest.raises(MediaNegotiationError, match="no idea"):
            await call.hold()
        assert state(call) == before
        assert wire.nothing_sent()


# --- glare (RFC 3261 §14.1) -------------------------------------------------------------------------------


@pytest.mark.parametrize(("outgoing", "low", "high"), [(True, 2.1, 4.0), (False, 0.0, 2.0)])
@pytest.mark.parametrize("use_update", [False, True])
async def test_491_is_tried_again_by_role(outgoing: bool, low: float, high: float, use_update: bool) -> None:
    """RFC 3261 §14.1: who made the Call-ID waits 2.1 to 4 s, the other 0 to 2 s; JsSIP 1 s, with the same CSeq."""
    wire = Wire()
    method = "UPDATE" if use_update else "INVITE"
    async with user_agent(wire) as ua:
        call = (await call_out(wire, ua) if outgoing else await call_in(wire, ua))[0]
        ua.rand = random.Random(1)  # type: ignore[assignment]
        before, held = state(call), call.hold(use_update=use_update)
        waits, last, asked = [], None, 0.0
        for _ in range(4):
            request = await wire.request(method)
            if last is not None:
                waits.append(ua.loop.time() - asked)
                assert request.cseq.sequence == last.cseq.sequence + 1
            wire.reply(request, 491)
            if not use_update:
                await wire.request("ACK")
            await wire.settle()
            assert state(call) == before  # while it waits, nothing is pending
            asked, last = ua.loop.time(), request
        request = await wire.request(method)
        wire.reply(request, 200, sdp=directed(ANSWER, "recvonly"))
        await held
        assert all(low - 0.001 <= wait <= high + 0.001 for wait in waits)
        assert len({round(wait, 2) for wait in waits}) > 1, "at random"


async def test_491_for_good_is_a_refusal() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await call_out(wire, ua)
        before, held = state(call), call.hold()
        for _ in range(TRIES):
            wire.reply(await wire.request("INVITE"), 491)
            await wire.request("ACK")
        with pytest.raises(RequestFailed, match="491"):
            await held
        assert state(call) == before


async def test_500_with_retry_after_is_tried_again_then() -> None:
    """RFC 3261 §14.2: the peer's own re-INVITE is not answered yet."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await call_out(wire, ua)
        held = call.hold()
        wire.reply(await wire.request("INVITE"), 500, (("Retry-After", "7"),))
        await wire.request("ACK")
        start = ua.loop.time()
        wire.reply(await wire.request("INVITE"), 200, sdp=directed(ANSWER, "recvonly"))
        assert ua.loop.time() - start == pytest.approx(7, abs=0.01)
        await held


async def test_crossing_reinvites_rfc_5407_3_3_1() -> None:
    """RFC 5407 §3.3.1: both get 491, and the one that did not make the Call-ID comes first the second time."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await call_out(wire, ua)
        held = call.hold()
        ours = await wire.request("INVITE")
        wire.from_callee("INVITE", invite, extra=SDP_TYPE, body=directed(OFFER, "sendonly"))
        await wire.response(491, "INVITE")
        wire.from_callee("ACK", invite)
        wire.reply(ours, 491)
        await wire.request("ACK")
        await wire.settle(0.5)
        wire.from_callee("INVITE", invite, sequence=2, extra=SDP_TYPE, body=directed(OFFER, "sendonly"))
        assert direction_of(await wire.response(200, "INVITE")) == "recvonly"
        wire.from_callee("ACK", invite, sequence=2)
        again = await wire.request("INVITE")
        assert direction_of(again) == "sendonly"
        wire.reply(again, 200, sdp=directed(ANSWER, "inactive"))
        await wire.request("ACK")
        await held
        assert call.is_on_hold() == {"local": True, "remote": True}


async def test_glare_gets_491_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    """RFC 3261 §14.2; JsSIP answers 491 and applies the offer all the same."""
    caplog.set_level(logging.ERROR)
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await call_out(wire, ua)
        log = Log(call)
        held = call.hold()
        ours = await wire.request("INVITE")
        assert call.media is not None
        before = call.media.remote_description
        target = "Contact: <sip:elsewhere@192.0.2.7>\r\n"
        wire.from_callee("INVITE", invite, extra=target + SDP_TYPE, body=directed(OFFER, "inactive"))
        await wire.response(491, "INVITE")
        wire.from_callee("ACK", invite)
        wire.from_callee(
            "UPDATE", invite, sequence=2, extra=target + SDP_TYPE, body=directed(OFFER, "inactive")
        )
        await wire.response(491, "UPDATE")
        assert call.media.remote_description == before
        wire.reply(ours, 200, sdp=directed(ANSWER, "recvonly"))
        await wire.request("ACK")
        await held
        assert log.names == ["hold"]
        call.terminate()
        assert str((await wire.request("BYE")).uri) == "sip:peer@192.0.2.1;transport=ws"
        assert not caplog.records


async def test_reinvite_is_authenticated() -> None:
    """RFC 3261 §22.2: a challenge in the dialog is answered, with the dialog's next CSeq."""
    wire = Wire()
    async with user_agent(wire, password="secret") as ua:
        call, _ = await call_out(wire, ua)
        held = call.hold()
        first = await wire.request("INVITE")
        wire.reply(first, 407, (("Proxy-Authenticate", 'Digest realm="x", nonce="n", algorithm=MD5'),))
        await wire.request("ACK")
        second = await wire.request("INVITE")
        assert second.cseq.sequence == first.cseq.sequence + 1
        assert "Proxy-Authorization" in second.headers
        wire.reply(second, 200, sdp=directed(ANSWER, "recvonly"))
        ack = await wire.request("ACK")
        assert (ack.cseq.sequence, "Proxy-Authorization" in ack.headers) == (second.cseq.sequence, True)
        await held


async def test_a_reinvite_that_only_rings_is_cancelled_when_the_call_ends() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")
        wire.reply(await wire.request("INVITE"), 200, sdp=ANSWER)
        await wire.request("ACK")
        await call.wait_confirmed()
        call.hold()
        again = await wire.request("INVITE")
        wire.reply(again, 180)
        await wire.settle()
        gone = call.terminate()
        said = {message.cseq.method: message for message in (await wire.next(), await wire.next())}
        assert said.keys() == {"CANCEL", "BYE"}
        wire.reply(said["BYE"], 200)  # type: ignore[arg-type]
        await gone
        await wire.settle(100)
        assert set(ua.counts().values()) == {0}


@pytest.mark.parametrize("use_update", [False, True])
async def test_a_contact_that_cannot_be_read_changes_nothing(use_update: bool) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")
        wire.reply(await wire.request("INVITE"), 200, (("Allow", "INVITE, ACK, BYE, UPDATE"),), sdp=ANSWER)
        await wire.request("ACK")
        await call.wait_confirmed()
        held = call.hold(use_update=use_update)
        offer = await wire.request("UPDATE" if use_update else "INVITE")
        answer = ANSWER.replace("a=sendrecv", "a=recvonly")
        wire.reply(offer, 200, (("Contact", ",<sip:p@1.2.3.4>"),), sdp=answer)
        if not use_update:
            await wire.request("ACK")
        await held
        assert call.is_on_hold()["local"]
        call.terminate()
        assert str((await wire.request("BYE")).uri) == "sip:peer@192.0.2.1;transport=ws"
