"""Being transferred: REFER in, the call it asks for, and the NOTIFYs that tell the peer how it goes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sipua import ConfigurationError, InvalidHeaderError, InvalidStateError, RTCSession
from sipua.session.referred import IncomingRefer
from sipua.sip import Request
from tests.session.test_indialog import up
from tests.wire import ANSWER, Wire, user_agent

CAROL = "Refer-To: <sip:carol@example.com>\r\n"


def refer(wire: Wire, invite: Request, extra: str = CAROL, *, sequence: int = 1) -> None:
    """The callee's REFER in our call."""
    wire.from_callee(
        "REFER",
        invite,
        sequence=sequence,
        extra=f"Contact: <sip:peer@192.0.2.1;transport=ws>\r\n{extra}",
    )


def listen(call: RTCSession) -> list[IncomingRefer]:
    """Collect what the peer asks for, and leave it undecided."""
    asked: list[IncomingRefer] = []
    call.on("refer", lambda event: asked.append(event.refer))
    return asked


async def notified(wire: Wire, status: str, state: str, *, answer: int = 200) -> Request:
    """The next message, which must be a NOTIFY that says so."""
    notify = await wire.request("NOTIFY")
    assert notify.text == f"SIP/2.0 {status}\r\n"
    assert notify.headers["Content-Type"] == "message/sipfrag;version=2.0"
    found = notify.headers["Subscription-State"]
    assert found.partition("=")[0] == state.partition("=")[0]
    if state.startswith("terminated"):
        assert found == state
    assert "Contact" in notify.headers  # servers refuse it otherwise, and the transfer hangs
    if answer:
        wire.reply(notify, answer)
    return notify


async def test_accepted_transfer() -> None:
    """RFC 5589 §6.1: 202, NOTIFY 100, INVITE, NOTIFYs, and the transferor hangs up."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        calls: list[RTCSession] = []
        call.on("refer", lambda event: calls.append(event.accept(extra_headers=["X-A: 1"])))
        refer(wire, invite, CAROL + "Referred-By: <sip:peer@example.com>\r\n")
        accepted = await wire.response(202, "REFER")
        assert accepted.headers["Contact"] == call.contact
        assert "Refer-Sub" not in accepted.headers
        first = await notified(wire, "100 Trying", "active;expires")
        assert first.headers["Event"] == "refer"
        assert str(first.uri) == "sip:peer@192.0.2.1;transport=ws"
        new = await wire.request("INVITE")
        assert str(new.uri) == "sip:carol@example.com"
        assert new.headers["Referred-By"] == "<sip:peer@example.com>"
        assert new.headers["X-A"] == "1"
        assert new.call_id != invite.call_id
        wire.reply(new, 180)
        await notified(wire, "180 Ringing", "active;expires")
        wire.reply(new, 200, sdp=ANSWER)
        await wire.request("ACK")
        await notified(wire, "200 OK", "terminated;reason=noresource")
        assert calls[0].is_established()
        wire.from_callee("BYE", invite, sequence=2)
        await wire.response(200, "BYE")
        assert calls[0].is_established()
        await wire.settle(60)
        assert wire.nothing_sent()


async def test_target_refuses_and_the_call_is_as_it_was() -> None:
    """RFC 5589 §6.2."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        call.on("refer", lambda event: event.accept())
        refer(wire, invite)
        await wire.response(202)
        await notified(wire, "100 Trying", "active;expires")
        new = await wire.request("INVITE")
        wire.reply(new, 486)
        await wire.request("ACK")
        await notified(wire, "486 Busy Here", "terminated;reason=noresource")
        await wire.settle(120)
        assert wire.nothing_sent()
        assert call.is_established()


async def test_target_never_answers() -> None:
    wire = Wire()
    async with user_agent(wire, no_answer_timeout=20) as ua:
        call, invite = await up(wire, ua)
        call.on("refer", lambda event: event.accept())
        refer(wire, invite)
        await wire.response(202)
        await notified(wire, "100 Trying", "active;expires")
        new = await wire.request("INVITE")
        wire.reply(new, 180)
        await notified(wire, "180 Ringing", "active;expires")
        cancel = await wire.request("CANCEL")
        wire.reply(cancel, 200)
        await notified(wire, "408 Request Timeout", "terminated;reason=noresource")
        wire.reply(new, 487)
        await wire.request("ACK")
        assert call.is_established()


async def test_answer_that_media_cannot_use_is_a_failure() -> None:
    """The one who transfers must not hang up on a call that is none."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        call.on("refer", lambda event: event.accept())
        refer(wire, invite)
        await wire.response(202)
        await notified(wire, "100 Trying", "active;expires")
        new = await wire.request("INVITE")
        wire.reply(new, 200, sdp="garbage")
        await wire.request("ACK")
        await notified(wire, "488 Not Acceptable Here", "terminated;reason=noresource")
        wire.reply(await wire.request("BYE"), 200)
        assert call.is_established()


async def test_new_call_that_the_application_gives_up() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        ua.on("new_rtc_session", lambda event: event.session.terminate())
        call.on("refer", lambda event: event.accept())
        refer(wire, invite)
        await wire.response(202)
        await notified(wire, "100 Trying", "active;expires")
        await notified(wire, "487 Request Terminated", "terminated;reason=noresource")
        assert call.is_established()


async def test_who_transferred_us_and_does_not_hang_up() -> None:
    """No silent call is left behind."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        calls: list[RTCSession] = []
        call.on("refer", lambda event: calls.append(event.accept()))
        refer(wire, invite)
        await wire.response(202)
        await notified(wire, "100 Trying", "active;expires")
        wire.reply(await wire.request("INVITE"), 200, sdp=ANSWER)
        await wire.request("ACK")
        await notified(wire, "200 OK", "terminated;reason=noresource")
        start = ua.loop.time()
        bye = await wire.request("BYE")
        assert ua.loop.time() - start == pytest.approx(32, abs=0.1)
        assert bye.call_id == invite.call_id
        wire.reply(bye, 200)
        assert calls[0].is_established()


@pytest.mark.parametrize("keep", [True, False])
async def test_old_call_stays_if_so_wanted_or_if_the_new_one_ends(keep: bool) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        options: dict[str, Any] = {"hang_up_after": None} if keep else {}
        calls: list[RTCSession] = []
        call.on("refer", lambda event: calls.append(event.accept(**options)))
        refer(wire, invite)
        await wire.response(202)
        await notified(wire, "100 Trying", "active;expires")
        wire.reply(await wire.request("INVITE"), 200, sdp=ANSWER)
        await wire.request("ACK")
        await notified(wire, "200 OK", "terminated;reason=noresource")
        if not keep:
            calls[0].terminate()
            wire.reply(await wire.request("BYE"), 200)
        await wire.settle(100)
        assert wire.nothing_sent()
        assert call.is_established()


async def test_transferor_that_hangs_up_at_once_is_still_told() -> None:
    """RFC 5057 §4.2: the subscription does not end with the call."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        call.on("refer", lambda event: event.accept())
        refer(wire, invite)
        await wire.response(202)
        await notified(wire, "100 Trying", "active;expires")
        new = await wire.request("INVITE")
        wire.from_callee("BYE", invite, sequence=2)
        await wire.response(200, "BYE")
        assert call.is_ended()
        wire.reply(new, 180)
        await notified(wire, "180 Ringing", "active;expires")
        wire.reply(new, 200, sdp=ANSWER)
        await wire.request("ACK")
        await notified(wire, "200 OK", "terminated;reason=noresource")
        assert ua.counts()["dialogs"] == 1
        assert ua.counts()["sessions"] == 1


@pytest.mark.parametrize("code", [481, 408, 500])
async def test_notify_that_is_refused_ends_the_subscription_only(code: int) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        call.on("refer", lambda event: event.accept())
        refer(wire, invite)
        await wire.response(202)
        await notified(wire, "100 Trying", "active;expires", answer=code)
        new = await wire.request("INVITE")
        wire.reply(new, 180)
        wire.reply(new, 200, sdp=ANSWER)
        await wire.request("ACK")
        await wire.settle(10)
        assert wire.nothing_sent()
        assert call.is_established()


async def test_notifies_wait_for_each_other() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        call.on("refer", lambda event: event.accept())
        refer(wire, invite)
        await wire.response(202)
        first = await notified(wire, "100 Trying", "active;expires", answer=0)
        new = await wire.request("INVITE")
        wire.reply(new, 183)
        wire.reply(new, 404)
        await wire.request("ACK")
        await wire.settle()
        assert wire.nothing_sent()
        wire.reply(first, 200)
        await notified(wire, "183 Session Progress", "active;expires")
        await notified(wire, "404 Not Found", "terminated;reason=noresource")


async def test_attended_transfer() -> None:
    """RFC 5589 §7.3: what the Refer-To URI holds goes into the INVITE; what it must not hold does not."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        asked = listen(call)
        refer(
            wire,
            invite,
            "Refer-To: Carol <sip:carol@example.com;method=INVITE?Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2"
            "&Require=replaces,100rel&Call-ID=1&From=x&Contact=y&X-A=b%20c&Subject=hi>;p=q\r\n"
            'Referred-By: <sip:peer@example.com>;cid="1@x"\r\n',
        )
        await wire.response(202)
        await notified(wire, "100 Trying", "pending;expires")
        assert str(asked[0].uri) == "sip:carol@example.com"
        assert asked[0].replaces is not None
        assert asked[0].replaces.call_id == "a@b"
        assert asked[0].referred_by is not None
        assert asked[0].session is call
        with pytest.raises(InvalidHeaderError):
            asked[0].accept(extra_headers=["Via: x"])
        asked[0].accept()
        await notified(wire, "100 Trying", "active;expires")
        new = await wire.request("INVITE")
        assert str(new.uri) == "sip:carol@example.com"
        assert new.headers["Replaces"] == "a@b;to-tag=1;from-tag=2"
        assert new.headers["Require"] == "replaces"
        assert new.headers["X-A"] == "b c"
        assert new.headers["Subject"] == "hi"
        assert new.headers["Referred-By"] == "<sip:peer@example.com>"  # the token did not come along
        assert new.call_id != "1"
        assert len(new.headers.getlist("Contact")) == len(new.headers.getlist("From")) == 1


async def test_reference_to_a_telephone_number() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        call.on("refer", lambda event: event.accept())
        refer(wire, invite, "Refer-To: <tel:+49-30-1234;phone-context=example.com>\r\n")
        await wire.response(202)
        await notified(wire, "100 Trying", "active;expires")
        assert str((await wire.request("INVITE")).uri) == "tel:+49-30-1234;phone-context=example.com"


async def test_rejected_at_once() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        call.on("refer", lambda event: event.reject(488, "Not now"))
        refer(wire, invite)
        assert (await wire.response(488, "REFER")).phrase == "Not now"
        await wire.settle(10)
        assert wire.nothing_sent()
        assert call.is_established()


async def test_rejected_later() -> None:
    """RFC 3515 §2.4.5: accepted before it could be decided, then denied."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        asked = listen(call)
        refer(wire, invite)
        await wire.response(202)
        await notified(wire, "100 Trying", "pending;expires")
        await wire.settle(20)
        asked[0].reject()
        await notified(wire, "603 Decline", "terminated;reason=noresource")
        assert call.is_established()
        for decide in (asked[0].accept, asked[0].reject):
            with pytest.raises(InvalidStateError, match="rejected"):
                decide()
        with pytest.raises(ValueError, match="200"):
            asked[0].reject(200)


@pytest.mark.parametrize("seconds", [0, 1, 10])
async def test_a_coroutine_decides(seconds: float) -> None:
    """It has some seconds before the REFER is answered without it."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)

        @call.on("refer")
        async def handle(event: Any) -> None:
            await asyncio.sleep(seconds)
            event.reject(488)

        refer(wire, invite)
        if seconds < 5:
            await wire.response(488, "REFER")
        else:
            await wire.response(100, "REFER")
            await wire.response(202, "REFER")
            await notified(wire, "100 Trying", "pending;expires")
            await notified(wire, "488 Not Acceptable Here", "terminated;reason=noresource")
        await wire.settle(60)
        assert wire.nothing_sent()


async def test_never_decided() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        asked = listen(call)
        refer(wire, invite)
        await wire.response(202)
        await notified(wire, "100 Trying", "pending;expires")
        start = ua.loop.time()
        await notified(wire, "603 Decline", "terminated;reason=giveup")
        assert ua.loop.time() - start == pytest.approx(180, abs=1)
        with pytest.raises(InvalidStateError, match="expired"):
            asked[0].accept()
        assert call.is_established()


async def test_nobody_listens() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        refer(wire, invite)
        await wire.response(603, "REFER")
        assert call.is_established()


async def test_accept_that_goes_wrong_is_told_to_both() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        errors: list[Exception] = []

        @call.on("refer")
        def handle(event: Any) -> None:
            try:
                event.accept(nonsense=1)
            except ConfigurationError as error:
                errors.append(error)

        refer(wire, invite)
        await wire.response(500, "REFER")
        assert len(errors) == 1
        assert call.is_established()


async def test_handler_that_raises_leaves_it_undecided() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        call.on("refer", lambda event: 1 / 0)
        refer(wire, invite)
        await wire.response(202, "REFER")
        await notified(wire, "100 Trying", "pending;expires")


async def test_no_subscription_wanted() -> None:
    """RFC 4488 §4."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        asked = listen(call)
        refer(wire, invite, CAROL + "Refer-Sub: false\r\nRequire: norefersub\r\n")
        accepted = await wire.response(202, "REFER")
        assert accepted.headers["Refer-Sub"] == "false"
        asked[0].accept()
        wire.reply(await wire.request("INVITE"), 200, sdp=ANSWER)
        await wire.request("ACK")
        refer(wire, invite, CAROL + "Refer-Sub: false\r\n", sequence=2)
        await wire.response(202)
        asked[1].reject()
        await wire.settle(10)
        assert wire.nothing_sent()


async def test_second_refer_is_told_with_its_number() -> None:
    """RFC 3515 §2.4.6."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        asked = listen(call)
        refer(wire, invite, sequence=3)
        await wire.response(202)
        assert (await notified(wire, "100 Trying", "pending;expires")).headers["Event"] == "refer"
        refer(wire, invite, sequence=7)
        await wire.response(202)
        assert (await notified(wire, "100 Trying", "pending;expires")).headers["Event"] == "refer;id=7"
        asked[1].reject(404)
        last = await notified(wire, "404 Not Found", "terminated;reason=noresource")
        assert last.headers["Event"] == "refer;id=7"


# --- what the peer writes wrongly -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("extra", "code"),
    [
        ("", 400),
        (CAROL + CAROL, 400),
        ("Refer-To: <sip:a@example.com>, <sip:b@example.com>\r\n", 400),
        ("Refer-To: \r\n", 400),
        ("Refer-To: nonsense\r\n", 400),
        ("Refer-To: <sip:>\r\n", 400),
        ("Refer-To: <sip:carol@example.com\r\n", 400),
        ("Refer-To: tel:\r\n", 400),
        ("Refer-To: <tel:nobody>\r\n", 400),
        ("Refer-To: <tel:+1?Replaces=x>\r\n", 400),
        ("Refer-To: <sip:carol@example.com?Replaces>\r\n", 400),
        ("Refer-To: <sip:carol@example.com?Replaces=x>\r\n", 400),
        ("Refer-To: <sip:carol@example.com?Replaces=x%3Bto-tag%3D1>\r\n", 400),
        ("Refer-To: <sip:carol@example.com?Replaces=x%3Bto-tag%3D1%3Bfrom-tag%3D%0D%0AVia:2>\r\n", 400),
        ("Refer-To: <sip:c@x?Replaces=x%3Bto-tag%3D1%3Bfrom-tag%3D2&Replaces=y%3Bto-tag%3D1%3Bfrom-tag%3D2>\r\n", 400),
        ("Refer-To: <sip:carol@example.com?X-A=1%0D%0AVia:%20x>\r\n", 400),
        (CAROL + "Referred-By: nonsense\r\n", 400),
        (CAROL + "Referred-By: <sip:a@b>\r\nReferred-By: <sip:c@d>\r\n", 400),
        (CAROL + "Refer-Sub: perhaps\r\n", 400),
        (CAROL + "Replaces: a;to-tag=1;from-tag=2\r\n", 400),
        ("Refer-To: <http://example.com/>\r\n", 416),
        ("Refer-To: <mailto:carol@example.com>\r\n", 416),
        ("Refer-To: <sip:carol@example.com;method=SUBSCRIBE>\r\n", 501),
        (CAROL + "Require: teleport\r\n", 420),
    ],
)  # fmt: skip
async def test_bad_refer_changes_nothing(extra: str, code: int) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        asked = listen(call)
        refer(wire, invite, extra)
        await wire.response(code, "REFER")
        assert asked == []
        assert call.is_established()
        refer(wire, invite, sequence=2)
        await wire.response(202, "REFER")
        assert len(asked) == 1


async def test_refer_with_a_bad_contact_changes_nothing() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        listen(call)
        wire.from_callee("REFER", invite, extra=CAROL + "Contact: <sip:\r\n")
        await wire.response(400, "REFER")
        call.terminate()
        assert str((await wire.request("BYE")).uri) == "sip:peer@192.0.2.1;transport=ws"


async def test_refused_refer_takes_no_contact() -> None:
    """RFC 6141 §4.6: what is refused refreshes nothing."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        wire.from_callee("REFER", invite, extra=CAROL + "Contact: <sip:new@192.0.2.9>\r\n")
        await wire.response(603, "REFER")
        call.terminate()
        assert str((await wire.request("BYE")).uri) == "sip:peer@192.0.2.1;transport=ws"


async def test_refer_before_the_call_is_up() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")
        asked = listen(call)
        invite = await wire.request("INVITE")
        wire.reply(invite, 180)
        await wire.settle()
        refer(wire, invite)
        await wire.response(403, "REFER")
        assert asked == []
        assert call.is_in_progress()


# --- SUBSCRIBE in what a REFER began --------------------------------------------------------------------------


def subscribe(wire: Wire, invite: Request, extra: str, sequence: int) -> None:
    wire.from_callee("SUBSCRIBE", invite, sequence=sequence, extra=extra)


async def test_subscription_is_refreshed_and_ended() -> None:
    """RFC 3515 §2.4.4: ending it does not take the reference back."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        asked = listen(call)
        refer(wire, invite)
        await wire.response(202)
        await notified(wire, "100 Trying", "pending;expires")
        call_made = asked[0].accept()
        await notified(wire, "100 Trying", "active;expires")
        new = await wire.request("INVITE")
        subscribe(wire, invite, "Event: refer\r\nExpires: 300\r\n", 2)
        ok = await wire.response(200, "SUBSCRIBE")
        assert (ok.headers["Expires"], ok.headers["Contact"]) == ("300", call.contact)
        assert (
            (await notified(wire, "100 Trying", "active;expires"))
            .headers["Subscription-State"]
            .endswith("=300")
        )
        subscribe(wire, invite, "Event: refer\r\nExpires: 0\r\n", 3)
        await wire.response(200, "SUBSCRIBE")
        await notified(wire, "100 Trying", "terminated;reason=timeout")
        wire.reply(new, 200, sdp=ANSWER)
        await wire.request("ACK")
        await wire.settle()
        assert wire.nothing_sent()
        assert call_made.is_established()


@pytest.mark.parametrize(
    ("extra", "code"),
    [
        ("Event: refer\r\n", 403),
        ("Event: refer;id=9\r\n", 403),
        ("Event: presence\r\n", 489),
        ("", 400),
        ("Event: @\r\n", 400),
    ],
)
async def test_subscribe_begins_nothing(extra: str, code: int) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        subscribe(wire, invite, extra, 1)
        await wire.response(code, "SUBSCRIBE")
        assert call.is_established()


async def test_call_that_ends_before_the_coroutine_decides() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)

        @call.on("refer")
        async def handle(event: Any) -> None:
            await asyncio.sleep(1)
            event.accept()

        refer(wire, invite)
        wire.from_callee("BYE", invite, sequence=2)
        await wire.response(200, "BYE")
        await wire.response(202, "REFER")
        await notified(wire, "100 Trying", "active;expires")
        await wire.request("INVITE")
        subscribe(wire, invite, "Event: refer\r\nExpires: 0\r\n", 3)
        await wire.response(200, "SUBSCRIBE")
        await notified(wire, "100 Trying", "terminated;reason=timeout")
        await wire.settle()
        assert ua.counts()["dialogs"] == 0


async def test_stop_in_the_middle() -> None:
    """Nothing goes on when the user agent is stopped, whatever was under way."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        asked = listen(call)
        refer(wire, invite)
        await wire.response(202)
        wire.from_callee("BYE", invite, sequence=2)
        await wire.settle()
        assert ua.counts()["dialogs"] == 1
    assert ua.counts()["dialogs"] == 0
    with pytest.raises(InvalidStateError):
        asked[0].accept()
    asked[0].reject()
    await asyncio.sleep(300)


async def test_subscription_that_runs_out_while_it_still_rings() -> None:
    wire = Wire()
    async with user_agent(wire, no_answer_timeout=500) as ua:
        call, invite = await up(wire, ua)
        call.on("refer", lambda event: event.accept())
        refer(wire, invite)
        await wire.response(202)
        await notified(wire, "100 Trying", "active;expires")
        new = await wire.request("INVITE")
        wire.reply(new, 180)
        await notified(wire, "180 Ringing", "active;expires")
        subscribe(wire, invite, "Event: refer\r\nExpires: 30\r\n", 2)
        await wire.response(200, "SUBSCRIBE")
        await notified(wire, "180 Ringing", "active;expires")
        await notified(wire, "180 Ringing", "terminated;reason=timeout")
        wire.reply(new, 200, sdp=ANSWER)
        await wire.request("ACK")
