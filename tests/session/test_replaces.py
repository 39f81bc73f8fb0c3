"""INVITE with Replaces (RFC 3891): somebody takes the place of the peer in a call of ours."""

from __future__ import annotations

from typing import Any

import pytest

from sipua import UA, Cause, ConfigurationError, InvalidStateError, RTCSession
from sipua.session.replaces import Replacement, dialog_ids
from sipua.sip import Replaces, Request, Response
from tests.session.test_indialog import up
from tests.wire import ANSWER, Log, Wire, user_agent


def replaces_of(invite: Request, *, tag: str = "peer", extra: str = "") -> str:
    """The header that names the call which this INVITE of ours began, as its own side sees it."""
    return f"Replaces: {invite.call_id};to-tag={invite.from_tag};from-tag={tag}{extra}\r\n"


def listen(call: RTCSession) -> list[Replacement]:
    asked: list[Replacement] = []
    call.on("replaces", lambda event: asked.append(event.replacement))
    return asked


def ack(wire: Wire, ok: Response) -> None:
    wire.in_dialog("ACK", ok, sequence=1)


async def test_accepted_replacement() -> None:
    """RFC 3891 §1, RFC 5589 §7.3: 200 to the new INVITE, and BYE in the old call once the new one is up."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        told = Log(ua)
        new: list[RTCSession] = []
        call.on("replaces", lambda event: new.append(event.accept(extra_headers=["X-A: 1"])))
        wire.invite(
            ua, extra=replaces_of(invite) + "Require: replaces\r\nReferred-By: <sip:b@example.com>\r\n"
        )
        ok = await wire.response(200, "INVITE")
        assert ok.headers["X-A"] == "1"
        assert "replaces" in ok.supported
        await wire.settle()
        assert wire.nothing_sent()
        assert call.is_established()
        ack(wire, ok)
        bye = await wire.request("BYE")
        assert bye.call_id == invite.call_id
        wire.reply(bye, 200)
        ended = await call.wait_ended()
        assert (ended.originator, ended.cause) == ("local", Cause.BYE)
        assert new[0].is_established()
        assert told["new_rtc_session"].session is new[0]
        assert new[0].request.headers["Referred-By"] == "<sip:b@example.com>"


async def test_a_handler_of_new_calls_may_answer_it() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        ua.on("new_rtc_session", lambda event: event.session.answer(extra_headers=["X-Mine: 1"]))
        call.on("replaces", lambda event: event.accept())
        wire.invite(ua, extra=replaces_of(invite))
        assert "X-Mine" in (await wire.response(200, "INVITE")).headers


async def test_new_call_without_ack_leaves_the_old_one() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        call.on("replaces", lambda event: event.accept())
        wire.invite(ua, extra=replaces_of(invite))
        message = await wire.next()
        while isinstance(message, Response):
            assert message.code == 200
            message = await wire.next()
        assert (message.method, message.call_id) == ("BYE", "c1")
        wire.reply(message, 200)
        await wire.settle(60)
        assert call.is_established()


async def test_offer_that_media_cannot_use_leaves_the_old_one() -> None:
    """RFC 3891 §3: an appropriate error, and the matched dialog unchanged."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        call.on("replaces", lambda event: event.accept())
        wire.invite(ua, sdp="garbage", extra=replaces_of(invite))
        await wire.response(488, "INVITE")
        await wire.settle(60)
        assert call.is_established()


async def test_answer_that_goes_wrong_is_told_to_both() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        errors: list[Exception] = []

        @call.on("replaces")
        def handle(event: Any) -> None:
            try:
                event.accept(nonsense=1)
            except ConfigurationError as error:
                errors.append(error)

        wire.invite(ua, extra=replaces_of(invite))
        await wire.response(500, "INVITE")
        assert len(errors) == 1
        assert call.is_established()


async def test_rejected_replacement() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        ua.on("new_rtc_session", lambda event: pytest.fail("it is no call for the application"))
        call.on("replaces", lambda event: event.reject())
        wire.invite(ua, extra=replaces_of(invite))
        await wire.response(486, "INVITE")
        assert call.is_established()
        await wire.settle(10)
        assert len(ua.sessions) == 1


async def test_decided_later() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        asked = listen(call)
        wire.invite(ua, extra=replaces_of(invite))
        await wire.response(180, "INVITE")
        await wire.settle(10)
        with pytest.raises(ValueError, match="200"):
            asked[0].reject(200)
        asked[0].accept()
        ack(wire, await wire.response(200, "INVITE"))
        wire.reply(await wire.request("BYE"), 200)
        for decide in (asked[0].accept, asked[0].reject):
            with pytest.raises(InvalidStateError, match="accepted"):
                decide()


async def test_undecided_ends_as_unanswered() -> None:
    wire = Wire()
    async with user_agent(wire, no_answer_timeout=30) as ua:
        call, invite = await up(wire, ua)
        asked = listen(call)
        wire.invite(ua, extra=replaces_of(invite))
        await wire.response(180, "INVITE")
        await wire.response(408, "INVITE")
        with pytest.raises(InvalidStateError, match="given up"):
            asked[0].accept()
        assert call.is_established()


async def test_given_up_by_the_caller() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        asked = listen(call)
        wire.invite(ua, extra=replaces_of(invite))
        await wire.response(180, "INVITE")
        wire.put(
            f"CANCEL {ua.contact_uri} SIP/2.0\r\nVia: SIP/2.0/WS peer.invalid;branch=z9hG4bKc1INVITE\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:peer@example.com>;tag=peer\r\nTo: <{ua.configuration.uri}>\r\n"
            "Call-ID: c1\r\nCSeq: 1 CANCEL\r\n\r\n"
        )
        await wire.response(200, "CANCEL")
        await wire.response(487, "INVITE")
        with pytest.raises(InvalidStateError, match="given up"):
            asked[0].accept()
        assert call.is_established()


async def test_old_call_that_ends_first() -> None:
    """RFC 3891 §3: what is over cannot be replaced, and nobody shall ring for it."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        asked = listen(call)
        wire.invite(ua, extra=replaces_of(invite))
        await wire.response(180, "INVITE")
        wire.from_callee("BYE", invite)
        await wire.response(200, "BYE")
        await wire.response(603, "INVITE")
        with pytest.raises(InvalidStateError, match="over"):
            asked[0].accept()


async def test_old_call_that_ends_while_the_new_one_comes_up() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        new: list[RTCSession] = []
        call.on("replaces", lambda event: new.append(event.accept()))
        wire.invite(ua, extra=replaces_of(invite))
        ok = await wire.response(200, "INVITE")
        wire.from_callee("BYE", invite)
        await wire.response(200, "BYE")
        ack(wire, ok)
        await wire.settle(10)
        assert wire.nothing_sent()
        assert new[0].is_established()


async def test_nobody_listens() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        ua.on("new_rtc_session", lambda event: None)
        call, invite = await up(wire, ua)
        wire.invite(ua, extra=replaces_of(invite))
        await wire.response(603, "INVITE")
        assert call.is_established()


@pytest.mark.parametrize(
    "header",
    ["Replaces: nobody;to-tag=1;from-tag=2\r\n", "Replaces: {call_id};to-tag=1;from-tag=peer\r\n"],
)
async def test_unknown_dialog(header: str) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        _, invite = await up(wire, ua)
        ua.on("new_rtc_session", lambda event: pytest.fail("it must not ring"))
        wire.invite(ua, extra=header.format(call_id=invite.call_id))
        await wire.response(481, "INVITE")


@pytest.mark.parametrize("extra", ["", ";early-only"])
async def test_tags_the_wrong_way_round(extra: str) -> None:
    """As JsSIP writes them for a call that it received."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        call.on("replaces", lambda event: event.accept())
        wire.invite(ua, extra=f"Replaces: {invite.call_id};to-tag=peer;from-tag={invite.from_tag}{extra}\r\n")
        await wire.response(486 if extra else 200, "INVITE")


def test_tag_of_zero_is_no_tag() -> None:
    """RFC 3891 §6.1: as of an RFC 2543 peer."""
    assert dialog_ids(Replaces("c", "a", "0")) == (("c", "a", "0"), ("c", "a", ""), ("c", "0", "a"))
    assert dialog_ids(Replaces("c", "a", "b")) == (("c", "a", "b"), ("c", "b", "a"))


async def test_call_that_is_over() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        listen(call)
        wire.from_callee("BYE", invite)
        await wire.response(200, "BYE")
        wire.invite(ua, extra=replaces_of(invite))
        await wire.response(603, "INVITE")


async def test_early_only_and_a_call_that_is_up() -> None:
    """RFC 3891 §3: 486; the flag guards against the race of its §7.1."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        asked = listen(call)
        wire.invite(ua, extra=replaces_of(invite, extra=";early-only"))
        await wire.response(486, "INVITE")
        assert asked == []
        assert call.is_established()


async def ringing(wire: Wire, ua: UA) -> tuple[RTCSession, Request]:
    call = ua.call("bob")
    invite = await wire.request("INVITE")
    wire.reply(invite, 180)
    await wire.settle()
    return call, invite


@pytest.mark.parametrize("flag", ["", ";early-only"])
async def test_early_dialog_of_ours(flag: str) -> None:
    """RFC 3891 §7.1: our call still rings there and is picked up elsewhere; the INVITE is cancelled."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await ringing(wire, ua)
        call.on("replaces", lambda event: event.accept())
        wire.invite(ua, extra=replaces_of(invite, extra=flag))
        ack(wire, await wire.response(200, "INVITE"))
        cancel = await wire.request("CANCEL")
        assert cancel.call_id == invite.call_id
        wire.reply(cancel, 200)
        wire.reply(invite, 487)
        await wire.request("ACK")
        assert call.cause is Cause.CANCELED


async def test_early_dialog_that_is_answered_meanwhile() -> None:
    """The 200 of the old call crosses: it is hung up, for the new one is up."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await ringing(wire, ua)
        call.on("replaces", lambda event: event.accept())
        wire.invite(ua, extra=replaces_of(invite))
        ok = await wire.response(200, "INVITE")
        wire.reply(invite, 200, sdp=ANSWER)
        await wire.request("ACK")
        await call.wait_confirmed()
        ack(wire, ok)
        bye = await wire.request("BYE")
        assert bye.call_id == invite.call_id
        wire.reply(bye, 200)


async def test_early_dialog_of_theirs() -> None:
    """RFC 3891 §3: an early dialog that we did not begin gets 481 and is left alone."""
    wire = Wire()
    async with user_agent(wire) as ua:
        calls: list[RTCSession] = []
        ua.on("new_rtc_session", lambda event: calls.append(event.session))
        wire.invite(ua)
        early = await wire.response(180)
        asked = listen(calls[0])
        wire.invite(ua, call_id="c2", extra=f"Replaces: c1;to-tag={early.to_tag};from-tag=peer\r\n")
        await wire.response(481)
        assert asked == []
        assert calls[0].is_in_progress()


async def test_call_that_was_answered_by_us_can_be_replaced() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        calls: list[RTCSession] = []
        ua.on("new_rtc_session", lambda event: calls.append(event.session))
        wire.invite(ua)
        await wire.response(180)
        calls[0].answer()
        first = await wire.response(200)
        ack(wire, first)
        calls[0].on("replaces", lambda event: event.accept())
        wire.invite(ua, call_id="c2", extra=f"Replaces: c1;from-tag=peer;to-tag={first.to_tag};x=y\r\n")
        ack(wire, await wire.response(200))
        assert (await wire.request("BYE")).call_id == "c1"


@pytest.mark.parametrize(
    "value",
    [
        "Replaces: \r\n",
        "Replaces: a\r\n",
        "Replaces: a;to-tag=1\r\n",
        "Replaces: a;from-tag=1\r\n",
        "Replaces: a;to-tag=;from-tag=2\r\n",
        "Replaces: <a>;to-tag=1;from-tag=2\r\n",
        "Replaces: a;to-tag=1;from-tag=2\r\nReplaces: b;to-tag=1;from-tag=2\r\n",
        "Replaces: a;to-tag=1;from-tag=2, b;to-tag=1;from-tag=2\r\n",
        "Replaces: a;to-tag=1;from-tag=2\r\nJoin: a;to-tag=1;from-tag=2\r\n",
    ],
)
async def test_malformed_replaces(value: str) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await up(wire, ua)
        ua.on("new_rtc_session", lambda event: pytest.fail("it must not ring"))
        wire.invite(ua, extra=value)
        await wire.response(400, "INVITE")
        assert call.is_established()


async def test_replaces_in_anything_but_invite() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        wire.from_callee("BYE", invite, extra=replaces_of(invite))
        await wire.response(400, "BYE")
        wire.invite(ua, sdp="", method="MESSAGE", extra=replaces_of(invite))
        await wire.response(400, "MESSAGE")
        assert call.is_established()
