"""REFER outside of calls: asking somebody to call, and being asked."""

from __future__ import annotations

import asyncio

import pytest

from sipua import Cause, InvalidStateError, InvalidTargetError, TransferFailed
from sipua.session.referred import IncomingRefer
from sipua.sip import Request
from tests.wire import ANSWER, Log, Wire, user_agent

OVER = "terminated;reason=noresource"


def notify(
    wire: Wire,
    refer: Request,
    status: str,
    state: str = "active;expires=60",
    *,
    sequence: int = 1,
    tag: str = "peer",
    event: str = "refer",
) -> None:
    wire.from_callee(
        "NOTIFY",
        refer,
        sequence=sequence,
        tag=tag,
        extra=f"Contact: <sip:{tag}@192.0.2.1>\r\nEvent: {event}\r\nSubscription-State: {state}\r\n"
        "Content-Type: message/sipfrag\r\n",
        body=status,
    )


async def test_somebody_is_asked_to_call() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        wish = ua.refer("bob", "carol", extra_headers=["X-A: 1"])
        log = Log(wish)
        refer = await wire.request("REFER")
        assert str(refer.uri) == "sip:bob@example.com"
        assert refer.headers["Refer-To"] == "<sip:carol@example.com>"
        assert refer.headers["Referred-By"] == "<sip:alice@example.com>"
        assert refer.headers["X-A"] == "1"
        assert "Contact" in refer.headers
        wire.reply(refer, 202, (("Contact", "<sip:peer@192.0.2.1>"),))
        notify(wire, refer, "SIP/2.0 100 Trying")
        await wire.response(200, "NOTIFY")
        notify(wire, refer, "SIP/2.0 200 OK", OVER, sequence=2)
        await wire.response(200, "NOTIFY")
        assert (await wish).status_code == 200
        assert log.names == ["request_succeeded", "trying", "accepted"]
        assert ua.counts()["dialogs"] == 0


async def test_notify_before_the_response_and_of_another_branch() -> None:
    """RFC 6665 §4.4.1: the NOTIFY makes the dialog; those of other branches get 481."""
    wire = Wire()
    async with user_agent(wire) as ua:
        wish = ua.refer("bob", "carol")
        refer = await wire.request("REFER")
        notify(wire, refer, "SIP/2.0 100 Trying", tag="one")
        await wire.response(200, "NOTIFY")
        notify(wire, refer, "SIP/2.0 100 Trying", tag="two")
        await wire.response(481, "NOTIFY")
        wire.reply(refer, 202, tag="two")
        notify(wire, refer, "SIP/2.0 486 Busy Here", OVER, tag="one", sequence=2)
        await wire.response(200, "NOTIFY")
        with pytest.raises(TransferFailed, match="486"):
            await wish
        notify(wire, refer, "SIP/2.0 200 OK", OVER, tag="one", sequence=3)
        await wire.response(481, "NOTIFY")


async def test_refused_unanswered_and_unsubscribed() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        refused = ua.refer("bob", "carol")
        wire.reply(await wire.request("REFER"), 405)
        with pytest.raises(TransferFailed, match="405"):
            await refused
        silent = ua.refer("bob", "carol", refer_sub=False)
        wire.reply(await wire.request("REFER"), 200, (("Refer-Sub", "false"),))
        assert (await silent).status_code == 200
        with pytest.raises(TransferFailed) as caught:
            await ua.refer("bob", "carol")
        assert caught.value.cause is Cause.REQUEST_TIMEOUT
        assert ua.counts()["dialogs"] == 0


async def test_bad_requests_in_the_dialog() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        wish = ua.refer("bob", "carol")
        refer = await wire.request("REFER")
        wire.reply(refer, 202)
        await wire.settle()
        notify(wire, refer, "garbage")
        await wire.response(400, "NOTIFY")
        notify(wire, refer, "SIP/2.0 100 Trying", event="presence", sequence=2)
        await wire.response(489, "NOTIFY")
        wire.from_callee("NOTIFY", refer, sequence=3)
        await wire.response(400, "NOTIFY")
        wire.from_callee("NOTIFY", refer, sequence=4, extra="Event: @\r\n")
        await wire.response(400, "NOTIFY")
        wire.from_callee("BYE", refer, sequence=5)
        await wire.response(405, "BYE")
        notify(wire, refer, "SIP/2.0 200 OK", OVER, sequence=2)
        await wire.response(500, "NOTIFY")
        notify(wire, refer, "SIP/2.0 200 OK", OVER, sequence=6)
        await wire.response(200, "NOTIFY")
        await wish


async def test_what_cannot_be_asked() -> None:
    wire = Wire()
    stopped = user_agent(wire)
    with pytest.raises(InvalidStateError, match="refer"):
        stopped.refer("bob", "carol")
    async with user_agent(wire) as ua:
        with pytest.raises(InvalidTargetError):
            ua.refer("", "carol")
        with pytest.raises(InvalidTargetError):
            ua.refer("bob", "a b")
        with pytest.raises(ValueError, match="target"):
            ua.refer("bob")
        assert wire.nothing_sent()


# --- being asked -------------------------------------------------------------------------------------------------


def ask(wire: Wire, uri: str, extra: str, *, contact: str = "Contact: <sip:peer@192.0.2.1>\r\n") -> None:
    wire.put(
        f"REFER {uri} SIP/2.0\r\nVia: SIP/2.0/WS p.invalid;branch=z9hG4bKr1\r\nMax-Forwards: 70\r\n"
        "From: <sip:peer@example.com>;tag=p\r\nTo: <sip:alice@example.com>\r\nCall-ID: r1\r\nCSeq: 1 REFER\r\n"
        f"{contact}{extra}\r\n"
    )


CAROL = "Refer-To: <sip:carol@example.com>\r\n"


async def test_we_are_asked_to_call() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        asked: list[IncomingRefer] = []
        ua.on("refer", lambda event: asked.append(event.refer))
        ask(wire, ua.contact_uri, CAROL)
        accepted = await wire.response(202, "REFER")
        assert "Contact" in accepted.headers
        notify = await wire.request("NOTIFY")
        assert (str(notify.uri), notify.to_tag, notify.from_tag) == (
            "sip:peer@192.0.2.1",
            "p",
            accepted.to_tag,
        )
        assert notify.headers["Subscription-State"].startswith("pending;expires=")
        wire.reply(notify, 200)
        assert asked[0].session is None
        call = asked[0].accept()
        wire.reply(await wire.request("NOTIFY"), 200)
        wire.reply(await wire.request("INVITE"), 200, sdp=ANSWER)
        await wire.request("ACK")
        last = await wire.request("NOTIFY")
        assert (last.text, last.headers["Subscription-State"]) == ("SIP/2.0 200 OK\r\n", OVER)
        wire.reply(last, 200)
        await wire.settle(60)
        assert wire.nothing_sent()
        assert call.is_established()
        assert ua.counts()["dialogs"] == 1


async def test_rejected_and_nobody_listens() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        ask(wire, ua.contact_uri, CAROL)
        await wire.response(603, "REFER")
        await wire.settle(40)
        ua.on("refer", lambda event: event.reject(486))
        ask(wire, ua.contact_uri, CAROL)
        await wire.response(486, "REFER")
        assert ua.counts()["dialogs"] == 0


async def test_asked_without_subscription() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        ua.on("refer", lambda event: event.accept())
        ask(wire, ua.contact_uri, CAROL + "Refer-Sub: false\r\n")
        assert (await wire.response(202, "REFER")).headers["Refer-Sub"] == "false"
        await wire.request("INVITE")


@pytest.mark.parametrize("seconds", [0, 1])
async def test_subscription_is_ended_by_the_peer(seconds: float) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        ua.on("refer", lambda event: asyncio.sleep(seconds))
        ask(wire, ua.contact_uri, CAROL)
        accepted = await wire.response(202, "REFER")
        wire.reply(await wire.request("NOTIFY"), 200)
        wire.in_dialog("SUBSCRIBE", accepted, extra="Event: refer\r\nExpires: 0\r\n")
        await wire.response(200, "SUBSCRIBE")
        last = await wire.request("NOTIFY")
        assert last.headers["Subscription-State"] == "terminated;reason=timeout"
        wire.reply(last, 200)
        await wire.settle()
        assert ua.counts()["dialogs"] == 0


@pytest.mark.parametrize(
    ("extra", "contact", "code"),
    [
        ("", "Contact: <sip:p@x>\r\n", 400),
        (CAROL, "", 400),
        (CAROL + CAROL, "Contact: <sip:p@x>\r\n", 400),
        ("Refer-To: <http://x/>\r\n", "Contact: <sip:p@x>\r\n", 416),
    ],
)
async def test_bad_refer(extra: str, contact: str, code: int) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        ua.on("refer", lambda event: pytest.fail("it cannot be followed"))
        ask(wire, ua.contact_uri, extra, contact=contact)
        await wire.response(code, "REFER")
        assert ua.counts()["dialogs"] == 0


async def test_stop_while_undecided() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        asked: list[IncomingRefer] = []
        ua.on("refer", lambda event: asked.append(event.refer))
        ask(wire, ua.contact_uri, CAROL)
        await wire.response(202, "REFER")
    with pytest.raises(InvalidStateError):
        asked[0].accept()
    assert ua.counts()["dialogs"] == 0
