"""Reliable provisional responses of the called side (RFC 3262 §4): each gets its PRACK, once, in its own dialog."""

from __future__ import annotations

import pytest

from sipua.sip import Request, Response
from tests.session.calls import directed
from tests.wire import ANSWER, OFFER, Log, Wire, user_agent


def reliably(
    wire: Wire, invite: Request, rseq: int, *, tag: str = "peer", sdp: str = "", code: int = 183
) -> Response:
    headers = (("Require", "100rel"), ("RSeq", str(rseq)), ("Contact", f"<sip:{tag}@192.0.2.1>"))
    return wire.reply(invite, code, headers, tag=tag, sdp=sdp)


async def test_reliable_response_gets_a_prack_rfc_3262_4() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")
        log = Log(call)
        invite = await wire.request("INVITE")
        assert "100rel" in invite.supported
        assert "PRACK" in invite.allow
        reliably(wire, invite, 776656, code=180)
        prack = await wire.request("PRACK")
        assert prack.headers["RAck"] == f"776656 {invite.cseq.sequence} INVITE"
        assert (str(prack.uri), prack.to_tag) == ("sip:peer@192.0.2.1", "peer")
        assert prack.cseq.sequence == invite.cseq.sequence + 1
        reliably(wire, invite, 776656, code=180)  # the PRACK is still on its way
        wire.reply(prack, 200)
        await wire.settle()
        assert wire.nothing_sent()
        assert log.names.count("progress") == 1
        wire.reply(invite, 200, sdp=ANSWER)
        await wire.request("ACK")
        await call.wait_confirmed()


async def test_order_of_rseq_rfc_3262_4() -> None:
    """What comes before its turn is neither acknowledged nor used; it comes again."""
    wire = Wire()
    async with user_agent(wire) as ua:
        ua.call("bob")
        invite = await wire.request("INVITE")
        racks = []
        for rseq in (5, 7, 4, 6, 7):
            reliably(wire, invite, rseq)
            await wire.settle()
            if not wire.nothing_sent():
                prack = await wire.request("PRACK")
                racks.append(prack.headers["RAck"].split()[0])
                wire.reply(prack, 200)
        assert racks == ["5", "6", "7"]


async def test_forked_responses_each_get_their_prack() -> None:
    """Each early dialog counts for itself; the branch that answers is the call."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")
        invite = await wire.request("INVITE")
        targets = []
        for tag, rseq in (("one", 1), ("two", 1), ("one", 2), ("two", 2)):
            reliably(wire, invite, rseq, tag=tag, sdp=ANSWER if rseq == 1 else "")
            prack = await wire.request("PRACK")
            targets.append(
                (prack.to_tag, prack.headers["RAck"].split()[0], str(prack.uri), prack.cseq.sequence)
            )
            wire.reply(prack, 200, tag=tag)
        first = invite.cseq.sequence
        assert targets == [
            ("one", "1", "sip:one@192.0.2.1", first + 1),
            ("two", "1", "sip:two@192.0.2.1", first + 1),
            ("one", "2", "sip:one@192.0.2.1", first + 2),
            ("two", "2", "sip:two@192.0.2.1", first + 2),
        ]
        wire.reply(invite, 200, tag="two")
        await wire.request("ACK")
        await call.wait_confirmed()
        await wire.settle()
        assert wire.nothing_sent()


async def test_branch_that_answers_after_another_was_heard() -> None:
    """Both answers are settled; media hears the newest, so it negotiates anew with the one that won."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")
        invite = await wire.request("INVITE")
        for tag in ("one", "two"):
            reliably(wire, invite, 1, tag=tag, sdp=ANSWER.replace("40000", str(40000 + ord(tag[0]))))
            wire.reply(await wire.request("PRACK"), 200, tag=tag)
        wire.reply(invite, 200, tag="one")
        await wire.request("ACK")
        await call.wait_confirmed()
        reinvite = await wire.request("INVITE")
        assert reinvite.to_tag == "one"
        wire.reply(reinvite, 200, sdp=ANSWER.replace("40000", "40008"), tag="one")
        await wire.request("ACK")
        await wire.settle()
        assert call.media is not None
        assert call.media.remote_description == ANSWER.replace("40000", "40008")


async def test_answer_that_is_settled_is_not_taken_from_the_2xx() -> None:
    """RFC 6337 §3.1.1."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")
        invite = await wire.request("INVITE")
        reliably(wire, invite, 1, sdp=ANSWER)
        wire.reply(await wire.request("PRACK"), 200)
        wire.reply(invite, 180, sdp=directed(ANSWER, "inactive"))
        wire.reply(invite, 200, sdp=directed(ANSWER, "inactive"))
        await wire.request("ACK")
        await call.wait_confirmed()
        assert call.media is not None
        assert call.media.remote_description == ANSWER


async def test_offer_in_a_reliable_response_is_answered_in_the_prack_rfc_3262_5() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob", late_offer=True)
        invite = await wire.request("INVITE")
        assert invite.body == b""
        reliably(wire, invite, 1, sdp=OFFER)
        prack = await wire.request("PRACK")
        assert prack.headers["Content-Type"] == "application/sdp"
        assert "a=setup:active" in prack.text
        wire.reply(prack, 200)
        wire.reply(invite, 200)
        assert (await wire.request("ACK")).body == b""
        await call.wait_confirmed()


async def test_answer_that_cannot_be_used_ends_the_call() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")
        log = Log(call)
        invite = await wire.request("INVITE")
        reliably(wire, invite, 1, sdp="garbage")
        wire.reply(await wire.request("PRACK"), 200)
        wire.reply(await wire.request("CANCEL"), 200)
        wire.reply(invite, 487)
        await wire.request("ACK")
        assert log["failed"].cause == "Bad Media Description"


@pytest.mark.parametrize(
    "headers",
    [
        (("Require", "100rel"), ("RSeq", "x")),
        (("Require", "100rel"), ("RSeq", "0")),
        (("Require", "100rel"),),
        (("RSeq", "7"),),
    ],
)
async def test_what_does_not_ask_for_a_prack_gets_none(headers: tuple[tuple[str, str], ...]) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")
        invite = await wire.request("INVITE")
        wire.reply(invite, 183, headers)
        await wire.settle(1)
        assert wire.nothing_sent()
        wire.reply(invite, 200, sdp=ANSWER)
        await wire.request("ACK")
        await call.wait_confirmed()


async def test_refused_prack_leaves_the_call() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")
        invite = await wire.request("INVITE")
        reliably(wire, invite, 1)
        wire.reply(await wire.request("PRACK"), 481)
        wire.reply(invite, 200, sdp=ANSWER)
        await wire.request("ACK")
        await call.wait_confirmed()


async def test_reliable_responses_to_a_reinvite() -> None:
    """RFC 6141 §3.2: their answer counts once the 2xx has come."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")
        invite = await wire.request("INVITE")
        wire.reply(invite, 200, sdp=ANSWER)
        await wire.request("ACK")
        await call.wait_confirmed()
        held = call.hold()
        reinvite = await wire.request("INVITE")
        reliably(wire, reinvite, 1, sdp=directed(ANSWER, "recvonly"))
        prack = await wire.request("PRACK")
        assert prack.headers["RAck"] == f"1 {reinvite.cseq.sequence} INVITE"
        wire.reply(prack, 200)
        await wire.settle()
        assert not call.is_on_hold()["local"]
        wire.reply(reinvite, 200)
        await wire.request("ACK")
        await held
        assert call.is_on_hold()["local"]


async def test_offer_in_a_reliable_response_to_a_reinvite() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")
        invite = await wire.request("INVITE")
        wire.reply(invite, 200, sdp=ANSWER)
        await wire.request("ACK")
        await call.wait_confirmed()
        done = call.renegotiate(late_offer=True)
        reinvite = await wire.request("INVITE")
        reliably(wire, reinvite, 1, sdp=OFFER)
        prack = await wire.request("PRACK")
        assert "a=setup:active" in prack.text
        wire.reply(prack, 200)
        wire.reply(reinvite, 200)
        assert (await wire.request("ACK")).body == b""
        await done
