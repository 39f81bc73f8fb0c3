"""The subscriber, on the wire: RFC 6665 §4.1."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from sipua import (
    Cause,
    InvalidHeaderError,
    InvalidStateError,
    InvalidTargetError,
    RequestFailed,
    RequestTimeout,
)
from sipua.bodies import DialogInfo, DialogStatus, MessageSummary, Presence
from tests.wire import Log, Wire, user_agent

if TYPE_CHECKING:
    from sipua.sip import Request
    from sipua.ua.subscription import Subscriber

SUMMARY = "Messages-Waiting: yes\r\nVoice-Message: 2/8\r\n"
CONTACT = (("Contact", "<sip:peer@192.0.2.1;transport=ws>"),)


def notify(
    wire: Wire,
    subscribe: Request,
    state: str = "active;expires=600",
    *,
    event: str = "",
    sequence: int = 1,
    body: str = "",
    content_type: str = "application/simple-message-summary",
    tag: str = "peer",
    extra: str = "Contact: <sip:notifier@192.0.2.2;transport=ws>\r\n",
) -> None:
    """A NOTIFY of the subscription that `subscribe` asked for."""
    event = event or subscribe.headers["Event"]
    kind = f"Content-Type: {content_type}\r\n" if body else ""
    wire.from_callee(
        "NOTIFY",
        subscribe,
        sequence=sequence,
        tag=tag,
        body=body,
        extra=f"Event: {event}\r\nSubscription-State: {state}\r\n{kind}{extra}",
    )


def accept(wire: Wire, request: Request, expires: int = 600) -> None:
    wire.reply(request, 200, (("Expires", str(expires)), *CONTACT))


async def subscribed(
    wire: Wire, ua: Any, event: str = "message-summary", **options: Any
) -> tuple[Subscriber, Log, Request]:
    """An active subscription."""
    subscriber = ua.subscribe("alice", event, **options)
    log = Log(subscriber)
    request = await wire.request("SUBSCRIBE")
    accept(wire, request)
    notify(wire, request)
    await wire.response(200, "NOTIFY")
    return subscriber, log, request


async def end(wire: Wire, subscriber: Subscriber, sequence: int = 9) -> None:
    """End the subscription in an orderly way."""
    if subscriber.state == "terminated":
        return
    subscriber.terminate()
    request = await wire.request("SUBSCRIBE")
    assert request.expires == 0
    accept(wire, request, 0)
    notify(wire, request, "terminated;reason=timeout", sequence=sequence)
    await wire.response(200, "NOTIFY")


async def test_a_life() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        subscriber = ua.subscribe("sip:mail@example.com", "message-summary", expires=600)
        log = Log(subscriber)
        assert subscriber.state == "init"
        request = await wire.request("SUBSCRIBE")
        assert str(request.uri) == "sip:mail@example.com"
        assert (request.headers["Event"], request.expires) == ("message-summary", 600)
        assert request.headers["Accept"] == "application/simple-message-summary"
        assert "NOTIFY" in request.allow
        assert request.contact
        assert request.cseq.sequence == 1
        assert subscriber.state == "notify_wait"
        accept(wire, request)
        notify(wire, request, "pending;expires=600")
        await wire.response(200, "NOTIFY")
        assert subscriber.state == "pending"
        notify(wire, request, "active;expires=600", sequence=2, body=SUMMARY)
        await wire.response(200, "NOTIFY")
        assert subscriber.state == "active"
        assert isinstance(subscriber.content, MessageSummary)
        assert subscriber.content.voice.new == 2
        done = subscriber.terminate()
        last = await wire.request("SUBSCRIBE")
        assert last.expires == 0
        assert (last.to_tag, last.cseq.sequence, last.call_id) == ("peer", 2, request.call_id)
        assert str(last.uri) == "sip:notifier@192.0.2.2;transport=ws"
        accept(wire, last, 0)
        assert not done.done()
        notify(wire, request, "terminated;reason=timeout", sequence=3, body=SUMMARY)
        await wire.response(200, "NOTIFY")
        await done
        assert log.names == [
            "accepted", "dialog_created", "pending", "notify", "active", "notify", "notify", "terminated",
        ]  # fmt: skip
        assert [p.is_final for n, p in zip(log.names, log.payloads, strict=True) if n == "notify"] == [
            False,
            False,
            True,
        ]
        assert log["terminated"].originator == "local"
        assert log["terminated"].reason == "timeout"
        assert not log["terminated"].resubscribing
        with pytest.raises(InvalidStateError, match="terminate is not possible in state terminated"):
            subscriber.terminate()
        with pytest.raises(InvalidStateError):
            subscriber.subscribe()
        await wire.settle(40)
        assert set(ua.counts().values()) == {0}


async def test_notify_before_the_200() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        subscriber = ua.subscribe("alice", "message-summary")
        log = Log(subscriber)
        request = await wire.request("SUBSCRIBE")
        notify(wire, request, body=SUMMARY)
        await wire.response(200, "NOTIFY")
        assert subscriber.state == "active"
        accept(wire, request)
        await wire.settle()
        assert log.names == ["dialog_created", "active", "notify", "accepted"]
        await end(wire, subscriber)


@pytest.mark.parametrize("notify_first", [True, False])
@pytest.mark.parametrize("in_notify", [True, False])
async def test_route(notify_first: bool, in_notify: bool) -> None:
    """RFC 6665 §4.3: proxies are in the NOTIFY; older ones know RFC 3265 and are in the response only."""
    wire = Wire()
    async with user_agent(wire) as ua:
        subscriber = ua.subscribe("alice", "message-summary")
        request = await wire.request("SUBSCRIBE")
        route = "Record-Route: <sip:p2.example.com;lr>, <sip:p1.example.com;lr>\r\n" if in_notify else ""
        told = f"{route}Contact: <sip:notifier@192.0.2.2;transport=ws>\r\n"
        if notify_first:
            notify(wire, request, extra=told)
            await wire.response(200)
        ok = (("Record-Route", "<sip:p1.example.com;lr>"), ("Record-Route", "<sip:p2.example.com;lr>"))
        wire.reply(request, 200, (("Expires", "600"), *ok, *CONTACT))
        if not notify_first:
            notify(wire, request, extra=told)
            await wire.response(200)
        subscriber.subscribe()
        refresh = await wire.request("SUBSCRIBE")
        assert [str(one.uri) for one in refresh.route] == ["sip:p2.example.com;lr", "sip:p1.example.com;lr"]
        assert str(refresh.uri) == "sip:notifier@192.0.2.2;transport=ws"
        accept(wire, refresh)
        notify(wire, request, sequence=2)
        await wire.response(200)
        await end(wire, subscriber)


async def test_no_notify_within_timer_n_is_no_subscription() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        subscriber = ua.subscribe("alice", "presence")
        log = Log(subscriber)
        accept(wire, await wire.request("SUBSCRIBE"))
        with pytest.raises(RequestTimeout, match="no NOTIFY"):
            await subscriber.wait_active()
        assert log["terminated"].cause is Cause.REQUEST_TIMEOUT
        assert log["terminated"].originator == "system"


async def test_refused() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        subscriber = ua.subscribe("alice", "no-such-package")
        log = Log(subscriber)
        request = await wire.request("SUBSCRIBE")
        assert "Accept" not in request.headers
        wire.reply(request, 489)
        with pytest.raises(RequestFailed, match="489") as caught:
            await subscriber.wait_active()
        assert caught.value.status_code == 489
        assert (log["terminated"].originator, log["terminated"].resubscribing) == ("remote", False)
        await wire.settle(4000)
        assert wire.nothing_sent()


async def test_too_brief_is_raised() -> None:
    """423 (RFC 6665 §4.1.2.1), at first and at a refresh."""
    wire = Wire()
    async with user_agent(wire) as ua:
        subscriber = ua.subscribe("alice", "message-summary", expires=60)
        first = await wire.request("SUBSCRIBE")
        wire.reply(first, 423, (("Min-Expires", "120"),))
        second = await wire.request("SUBSCRIBE")
        assert (second.expires, second.call_id, second.cseq.sequence) == (120, first.call_id, 2)
        assert second.from_tag == first.from_tag
        assert second.to_tag is None
        accept(wire, second, 120)
        notify(wire, second, "active;expires=120")
        await wire.response(200)
        third = await wire.request("SUBSCRIBE")
        wire.reply(third, 423, (("Min-Expires", "3600"),))
        fourth = await wire.request("SUBSCRIBE")
        assert (fourth.expires, fourth.cseq.sequence) == (3600, 4)
        accept(wire, fourth, 3600)
        notify(wire, second, "active;expires=3600", sequence=2)
        await wire.response(200)
        await end(wire, subscriber)


async def test_a_server_that_keeps_raising_is_given_up() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        subscriber = ua.subscribe("alice", "message-summary", expires=60)
        tries = 0
        while subscriber.state != "terminated":
            tries += 1
            wire.reply(await wire.request("SUBSCRIBE"), 423, (("Min-Expires", str(1000 * tries)),))
            await wire.settle()
        assert tries == 4


@pytest.mark.parametrize("least", ["60", "x", ""])
async def test_423_that_asks_for_no_more_is_a_refusal(least: str) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        subscriber = ua.subscribe("alice", "message-summary", expires=60)
        wire.reply(await wire.request("SUBSCRIBE"), 423, (("Min-Expires", least),) if least else ())
        with pytest.raises(RequestFailed, match="423"):
            await subscriber.wait_active()


async def test_refreshes_go_on() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        loop = asyncio.get_running_loop()
        subscriber, log, request = await subscribed(wire, ua)
        for number in range(2, 5):
            before = loop.time()
            refresh = await wire.request("SUBSCRIBE")
            assert 300 <= loop.time() - before <= 600 - 32
            assert (refresh.cseq.sequence, refresh.to_tag, refresh.expires) == (number, "peer", 900)
            accept(wire, refresh)
            notify(wire, request, sequence=number)
            await wire.response(200)
        assert "terminated" not in log.names
        await end(wire, subscriber)


async def test_the_notifier_may_shorten() -> None:
    """RFC 6665 §4.1.3: its word on the duration holds."""
    wire = Wire()
    async with user_agent(wire) as ua:
        loop = asyncio.get_running_loop()
        subscriber, _, request = await subscribed(wire, ua)
        notify(wire, request, "active;expires=60", sequence=2)
        await wire.response(200)
        before = loop.time()
        accept(wire, await wire.request("SUBSCRIBE"))
        assert loop.time() - before <= 60
        notify(wire, request, "active;expires=600", sequence=3)
        await wire.response(200)
        await end(wire, subscriber)


async def test_a_refresh_that_fails_is_tried_again() -> None:
    """RFC 6665 §4.1.2.2: the subscription lives on until its time is over."""
    wire = Wire()
    async with user_agent(wire) as ua:
        loop = asyncio.get_running_loop()
        subscriber, log, request = await subscribed(wire, ua)
        refresh = await wire.request("SUBSCRIBE")
        wire.reply(refresh, 503, (("Retry-After", "7"),))
        before = loop.time()
        refresh = await wire.request("SUBSCRIBE")
        assert loop.time() - before == pytest.approx(7)
        assert subscriber.state == "active"
        accept(wire, refresh)
        notify(wire, request, sequence=2)
        await wire.response(200)
        assert "terminated" not in log.names
        await end(wire, subscriber)


async def test_481_to_a_refresh_brings_a_new_subscription() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        subscriber, log, request = await subscribed(wire, ua)
        wire.reply(await wire.request("SUBSCRIBE"), 481)
        again = await wire.request("SUBSCRIBE")
        assert again.to_tag is None
        assert again.call_id != request.call_id
        assert log["terminated"].resubscribing
        assert log["terminated"].cause is Cause.SIP_FAILURE_CODE
        accept(wire, again)
        notify(wire, again)
        await wire.response(200)
        assert subscriber.state == "active"
        await end(wire, subscriber)


async def test_a_refresh_without_notify_brings_a_new_subscription() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        subscriber, log, request = await subscribed(wire, ua)
        accept(wire, await wire.request("SUBSCRIBE"))
        again = await wire.request("SUBSCRIBE")
        assert again.call_id != request.call_id
        assert log["terminated"].cause is Cause.REQUEST_TIMEOUT
        accept(wire, again)
        notify(wire, again)
        await wire.response(200)
        await end(wire, subscriber)


@pytest.mark.parametrize(
    ("state", "least", "most"),
    [
        ("terminated;reason=deactivated", 0, 0),
        ("terminated;reason=timeout", 0, 0),
        ("terminated;reason=probation;retry-after=100", 100, 100),
        ("terminated;reason=giveup;retry-after=5", 5, 5),
        ("terminated;reason=probation", 15, 30),
        ("terminated", 15, 30),
        ("terminated;reason=something", 15, 30),
    ],
)
async def test_reasons_that_allow_another_subscription(state: str, least: float, most: float) -> None:
    """RFC 6665 §4.1.3."""
    wire = Wire()
    async with user_agent(wire) as ua:
        loop = asyncio.get_running_loop()
        subscriber, log, request = await subscribed(wire, ua)
        await asyncio.sleep(60)
        notify(wire, request, state, sequence=2)
        await wire.response(200)
        before = loop.time()
        again = await wire.request("SUBSCRIBE")
        assert least <= loop.time() - before <= most + 0.001
        assert again.call_id != request.call_id
        assert log["terminated"].resubscribing
        accept(wire, again)
        notify(wire, again)
        await wire.response(200)
        await end(wire, subscriber)


@pytest.mark.parametrize("reason", ["rejected", "noresource", "invariant"])
async def test_reasons_that_do_not(reason: str) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        subscriber, log, request = await subscribed(wire, ua)
        notify(wire, request, f"terminated;reason={reason};retry-after=9", sequence=2)
        await wire.response(200)
        await subscriber.wait_terminated()
        assert (log["terminated"].reason, log["terminated"].retry_after) == (reason, 9)
        assert not log["terminated"].resubscribing
        await wire.settle(4000)
        assert wire.nothing_sent()


async def test_one_that_wants_no_other() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        subscriber, _, request = await subscribed(wire, ua, resubscribe=False)
        notify(wire, request, "terminated;reason=deactivated", sequence=2)
        await wire.response(200)
        await subscriber.wait_terminated()


async def test_a_notifier_that_always_deactivates_is_not_hammered() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        loop = asyncio.get_running_loop()
        subscriber, _, request = await subscribed(wire, ua)
        pauses = []
        for _ in range(5):
            notify(wire, request, "terminated;reason=deactivated", sequence=2)
            await wire.response(200)
            before = loop.time()
            request = await wire.request("SUBSCRIBE")
            pauses.append(loop.time() - before)
            accept(wire, request)
            notify(wire, request)
            await wire.response(200)
        assert pauses[0] >= 15
        assert pauses[-1] > 200
        await end(wire, subscriber)


async def test_forked() -> None:
    """RFC 6665 §4.4.1: each notifier has a subscription of its own, if somebody wants them."""
    wire = Wire()
    async with user_agent(wire) as ua:
        subscriber = ua.subscribe("bob", "dialog")
        log = Log(subscriber)
        request = await wire.request("SUBSCRIBE")
        accept(wire, request)
        notify(wire, request, tag="one")
        await wire.response(200)
        notify(wire, request, "active;expires=100", tag="two", sequence=50)
        await wire.response(200)
        fork = log["forked"].subscriber
        assert (subscriber.state, fork.state) == ("active", "active")
        assert fork.id != subscriber.id
        refresh = await wire.request("SUBSCRIBE")
        assert (refresh.to_tag, refresh.cseq.sequence) == ("two", 2)
        accept(wire, refresh, 100)
        notify(wire, request, "terminated;reason=noresource", tag="two", sequence=51)
        await wire.response(200)
        assert fork.state == "terminated"
        assert subscriber.state == "active"
        notify(wire, request, tag="three")
        await wire.response(481)  # long after Timer N
        subscriber.terminate()
        last = await wire.request("SUBSCRIBE")
        assert (last.to_tag, last.cseq.sequence) == ("one", 2)
        accept(wire, last, 0)
        notify(wire, request, "terminated", tag="one", sequence=2)
        await wire.response(200)
        await wire.settle(40)
        assert set(ua.counts().values()) == {0}


@pytest.mark.parametrize(("event", "listen"), [("presence", True), ("dialog", False)])
async def test_forks_that_nobody_wants_get_481(event: str, listen: bool) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        subscriber = ua.subscribe("bob", event)
        if listen:
            subscriber.on("forked", lambda _: pytest.fail("presence has one subscription per SUBSCRIBE"))
        request = await wire.request("SUBSCRIBE")
        notify(wire, request, tag="peer")
        await wire.response(200)
        notify(wire, request, tag="two")
        await wire.response(481)
        accept(wire, request)
        await end(wire, subscriber)


@pytest.mark.parametrize(
    ("event", "extra", "code"),
    [
        ("presence", "", 489),
        ("message-summary;id=7", "", 489),
        ("", "CSeq-Is-Old: yes\r\n", 500),
    ],
)
async def test_notifys_that_are_not_ours(event: str, extra: str, code: int) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        subscriber, _, request = await subscribed(wire, ua)
        notify(wire, request, event=event, sequence=2 if not extra else 0, extra=extra)
        refused = await wire.response(code)
        if code == 489:
            assert refused.allow_events == ["message-summary"]
        assert subscriber.state == "active"
        await end(wire, subscriber)


@pytest.mark.parametrize(
    "headers",
    [
        "Event: message-summary\r\n",
        "Subscription-State: active\r\n",
        "Event: \r\nSubscription-State: active\r\n",
        "Event: message-summary\r\nSubscription-State: ;;\r\n",
        "Event: message-summary\r\nSubscription-State: active;expires=soon\r\n",
        "Event: message-summary\r\nSubscription-State: active\r\nContact: <<>\r\n",
    ],
)
async def test_malformed_notifys_get_400(headers: str) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        subscriber, log, request = await subscribed(wire, ua)
        wire.from_callee("NOTIFY", request, sequence=2, extra=headers)
        await wire.response(400)
        assert subscriber.state == "active"
        assert log.names.count("notify") == 1
        await end(wire, subscriber)


async def test_other_methods_in_the_dialog() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        subscriber, _, request = await subscribed(wire, ua)
        wire.from_callee("INFO", request, sequence=2)
        assert "NOTIFY" in (await wire.response(405)).allow
        await end(wire, subscriber)


async def test_a_body_that_cannot_be_read_ends_nothing() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        subscriber, log, request = await subscribed(wire, ua, "presence")
        xml = '<!DOCTYPE x [<!ENTITY e "e">]><presence entity="sip:a@b"/>'
        notify(wire, request, sequence=2, body=xml, content_type="application/pidf+xml")
        await wire.response(200)
        notification = log.payloads[-1]
        assert (notification.body, notification.content) == (xml, None)
        good = str(Presence("sip:a@b"))
        notify(wire, request, sequence=3, body=good, content_type="application/pidf+xml;charset=utf-8")
        await wire.response(200)
        assert log.payloads[-1].content == subscriber.content == Presence("sip:a@b")
        assert log.payloads[-1].content_type == "application/pidf+xml"
        await end(wire, subscriber)


async def test_partial_documents_are_kept_together() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        subscriber, _, request = await subscribed(wire, ua, "dialog")

        async def tell(sequence: int, version: int, state: Any, *dialogs: DialogStatus) -> None:
            body = str(DialogInfo("sip:a@b", version, state, dialogs))
            notify(wire, request, sequence=sequence, body=body, content_type="application/dialog-info+xml")
            await wire.response(200)

        one, two = DialogStatus("1", "early"), DialogStatus("2", "confirmed")
        await tell(2, 0, "full", one)
        await tell(3, 1, "partial", two)
        assert subscriber.content.dialogs == (one, two)
        body = str(DialogInfo("sip:a@b", 5, "partial", (two,)))
        notify(wire, request, sequence=4, body=body, content_type="application/dialog-info+xml")
        await wire.response(200)
        refresh = await wire.request("SUBSCRIBE")  # something was lost: the full state, please
        accept(wire, refresh)
        assert subscriber.content.dialogs == (one, two)
        await tell(5, 6, "full", two)
        assert subscriber.content.dialogs == (two,)
        await end(wire, subscriber)


async def test_fetch() -> None:
    """RFC 6665 §4.4.3: Expires 0 asks for the state of the moment."""
    wire = Wire()
    async with user_agent(wire) as ua:
        subscriber = ua.subscribe("alice", "message-summary", expires=0)
        request = await wire.request("SUBSCRIBE")
        assert request.expires == 0
        accept(wire, request, 0)
        notify(wire, request, "terminated;reason=timeout", body=SUMMARY)
        await wire.response(200)
        await subscriber.wait_active()
        await subscriber.wait_terminated()
        assert subscriber.content.messages_waiting
        assert wire.nothing_sent()


async def test_fetch_whose_notify_comes_first() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        subscriber = ua.subscribe("alice", "message-summary", expires=0)
        done = subscriber.subscribe()
        request = await wire.request("SUBSCRIBE")
        notify(wire, request, "terminated;reason=timeout", body=SUMMARY)
        await wire.response(200)
        await subscriber.wait_terminated()
        assert not done.done()
        accept(wire, request, 0)
        assert (await done).code == 200
        await wire.settle(40)
        assert wire.nothing_sent()
        assert set(ua.counts().values()) == {0}


async def test_raised_late() -> None:
    """The time for NOTIFYs begins anew with each SUBSCRIBE."""
    wire = Wire()
    async with user_agent(wire) as ua:
        subscriber = ua.subscribe("alice", "message-summary", expires=60)
        request = await wire.request("SUBSCRIBE")
        await asyncio.sleep(25)
        wire.reply(request, 423, (("Min-Expires", "600"),))
        request = await wire.request("SUBSCRIBE")
        await asyncio.sleep(25)
        notify(wire, request)
        await wire.response(200)
        accept(wire, request)
        assert subscriber.state == "active"
        await end(wire, subscriber)


async def test_terminate_before_the_first_notify() -> None:
    """There is no dialog to unsubscribe in until the NOTIFY makes one."""
    wire = Wire()
    async with user_agent(wire) as ua:
        subscriber = ua.subscribe("alice", "message-summary")
        request = await wire.request("SUBSCRIBE")
        gone = subscriber.terminate()
        accept(wire, request)
        await wire.settle()
        assert wire.nothing_sent()
        notify(wire, request)
        await wire.response(200)
        assert (await wire.request("SUBSCRIBE")).expires == 0
        notify(wire, request, "terminated;reason=timeout", sequence=2)
        await wire.response(200)
        await gone
        assert subscriber.state == "terminated"


async def test_terminate_before_anything_was_sent() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        subscriber = ua.subscribe("alice", "message-summary")
        await subscriber.terminate()
        await wire.settle()
        assert wire.nothing_sent()


@pytest.mark.parametrize("answer", [200, 481, None])
async def test_terminate_ends_whatever_the_notifier_does(answer: int | None) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        subscriber, log, _ = await subscribed(wire, ua)
        gone = subscriber.terminate()
        request = await wire.request("SUBSCRIBE")
        if answer is not None:
            wire.reply(request, answer, (("Expires", "0"),))
        await gone
        assert not log["terminated"].resubscribing


async def test_what_is_asked_while_busy_waits() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        subscriber, _, request = await subscribed(wire, ua)
        done = subscriber.subscribe()
        refresh = await wire.request("SUBSCRIBE")
        subscriber.subscribe()
        await wire.settle()
        assert wire.nothing_sent()
        accept(wire, refresh)
        assert (await done).code == 200
        accept(wire, await wire.request("SUBSCRIBE"))
        notify(wire, request, sequence=2)
        await wire.response(200)
        await end(wire, subscriber)


async def test_challenges_are_answered() -> None:
    wire = Wire()
    async with user_agent(wire, password="x") as ua:
        subscriber = ua.subscribe("alice", "message-summary")
        first = await wire.request("SUBSCRIBE")
        wire.reply(first, 401, (("WWW-Authenticate", 'Digest realm="r", nonce="n", qop="auth"'),))
        second = await wire.request("SUBSCRIBE")
        assert "Authorization" in second.headers
        assert (second.call_id, second.from_tag, second.cseq.sequence) == (first.call_id, first.from_tag, 2)
        accept(wire, second)
        notify(wire, second)
        await wire.response(200)
        assert subscriber.state == "active"
        await end(wire, subscriber)


async def test_a_new_connection_brings_a_new_subscription() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        subscriber, log, request = await subscribed(wire, ua)
        wire.cut()
        await wire.settle()
        assert subscriber.state == "waiting"
        assert log["terminated"].cause is Cause.CONNECTION_ERROR
        assert log["terminated"].resubscribing
        again = await wire.request("SUBSCRIBE")
        assert again.call_id != request.call_id
        accept(wire, again)
        notify(wire, again)
        await wire.response(200)
        assert subscriber.state == "active"
        await end(wire, subscriber)


async def test_a_new_subscription_waits_for_the_registration() -> None:
    wire = Wire()
    wire.answer_registers = False
    ua = user_agent(wire, register=True)
    ua.start()
    wire.reply(register := await wire.request("REGISTER"), 200, (("Contact", register.headers["Contact"]),))
    subscriber, _, _ = await subscribed(wire, ua)
    wire.cut()
    register = await wire.request("REGISTER")
    await wire.settle()
    assert wire.nothing_sent()
    wire.reply(register, 200, (("Contact", register.headers["Contact"]),))
    await wire.request("SUBSCRIBE")
    wire.answer_registers = True
    await ua.stop()
    assert subscriber.state == "terminated"


async def test_subscribed_before_there_is_a_connection() -> None:
    wire = Wire()
    ua = user_agent(wire)
    ua.start()
    subscriber = ua.subscribe("alice", "message-summary")
    request = await wire.request("SUBSCRIBE")
    accept(wire, request)
    notify(wire, request)
    await wire.response(200)
    assert subscriber.state == "active"
    stopping = asyncio.ensure_future(ua.stop())
    last = await wire.request("SUBSCRIBE")
    assert last.expires == 0
    accept(wire, last, 0)
    notify(wire, request, "terminated;reason=timeout", sequence=2)
    await wire.response(200)
    await stopping
    assert subscriber.state == "terminated"


async def test_stop_does_not_wait_for_ever() -> None:
    wire = Wire()
    ua = user_agent(wire)
    ua.start()
    await ua.ready()
    subscriber, log, _ = await subscribed(wire, ua)
    before = asyncio.get_running_loop().time()
    await ua.stop()
    assert asyncio.get_running_loop().time() - before <= 6
    assert subscriber.state == "terminated"
    assert log.names.count("terminated") == 1
    with pytest.raises(InvalidStateError, match="stopped"):
        ua.subscribe("alice", "presence")


async def test_async_with_and_for() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:

        async def serve() -> None:
            request = await wire.request("SUBSCRIBE")
            accept(wire, request)
            notify(wire, request, body=SUMMARY)
            await wire.response(200)
            notify(wire, request, body="Messages-Waiting: no\r\n", sequence=2)
            await wire.response(200)
            notify(wire, request, "terminated;reason=noresource", sequence=3)
            await wire.response(200)

        serving = asyncio.ensure_future(serve())
        async with ua.subscribe("alice", "message-summary") as subscriber:
            contents = [notification.content async for notification in subscriber]
        waiting = [content and content.messages_waiting for content in contents]
        assert waiting == [True, False, None]
        await serving
        assert (await anext(aiter(subscriber))).is_final


async def test_leaving_async_with_unsubscribes() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:

        async def serve() -> None:
            request = await wire.request("SUBSCRIBE")
            accept(wire, request)
            notify(wire, request)
            await wire.response(200)
            accept(wire, await wire.request("SUBSCRIBE"), 0)
            notify(wire, request, "terminated", sequence=2)
            await wire.response(200)

        serving = asyncio.ensure_future(serve())
        async with ua.subscribe("alice", "message-summary") as subscriber:
            assert subscriber.state == "active"
        await serving
        assert subscriber.state == "terminated"


async def test_bad_arguments() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        with pytest.raises(InvalidHeaderError, match="not an event package"):
            ua.subscribe("alice", "no event")
        with pytest.raises(InvalidTargetError):
            ua.subscribe("", "presence")
        with pytest.raises(ValueError, match="expires=-1"):
            ua.subscribe("alice", "presence", expires=-1)
        with pytest.raises(ValueError, match="content_type"):
            ua.subscribe("alice", "presence", body="<filter/>")
        with pytest.raises(InvalidHeaderError):
            ua.subscribe("alice", "presence", "a/b\r\nX: y")
        with pytest.raises(InvalidHeaderError, match="accept='nope'"):
            ua.subscribe("alice", "presence", "nope")
        with pytest.raises(TypeError, match="not a mapping"):
            ua.subscribe("alice", "presence", event_handlers=["accepted"])  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="has no event"):
            ua.subscribe("alice", "presence", event_handlers={"nothing": print})
        await wire.settle()
        assert wire.nothing_sent()
        assert set(ua.counts().values()) == {0}


async def test_what_an_application_may_add() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        seen: list[Any] = []
        subscriber = ua.subscribe(
            "bob",
            "presence;id=3",
            "application/pidf+xml, application/cpim-pidf+xml",
            body="<filter/>",
            content_type="application/simple-filter+xml",
            allow_events="presence",
            extra_headers=["X-A: 1"],
            from_user_name="carol",
            from_display_name="Carol",
            event_handlers={"active": seen.append},
        )
        request = await wire.request("SUBSCRIBE")
        assert request.headers["Event"] == "presence;id=3"
        assert request.headers["Accept"] == "application/pidf+xml, application/cpim-pidf+xml"
        assert (request.body, request.headers["Content-Type"]) == (
            b"<filter/>",
            "application/simple-filter+xml",
        )
        assert (request.headers["Allow-Events"], request.headers["X-A"]) == ("presence", "1")
        assert (request.from_address.name, request.from_address.uri.user) == ("Carol", "carol")
        accept(wire, request)
        notify(wire, request)
        await wire.response(200)
        assert len(seen) == 1
        await end(wire, subscriber)


async def test_entering_can_be_cancelled() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        subscriber = ua.subscribe("alice", "message-summary")

        async def enter() -> None:
            async with subscriber:
                pytest.fail("nobody has answered")

        entering = asyncio.ensure_future(enter())
        request = await wire.request("SUBSCRIBE")
        accept(wire, request)
        await wire.settle()
        entering.cancel()
        await wire.settle()
        notify(wire, request)
        await wire.response(200)
        assert (await wire.request("SUBSCRIBE")).expires == 0
        notify(wire, request, "terminated", sequence=2)
        await wire.response(200)
        assert subscriber.state == "terminated"


async def test_a_response_that_cannot_be_read() -> None:
    """What was asked for counts then."""
    wire = Wire()
    async with user_agent(wire) as ua:
        loop = asyncio.get_running_loop()
        subscriber = ua.subscribe("alice", "message-summary", expires=100)
        log = Log(subscriber)
        request = await wire.request("SUBSCRIBE")
        wire.reply(request, 200, (("Expires", "soon"), ("Contact", "<<>")))
        notify(wire, request, "active")
        await wire.response(200)
        assert log["accepted"].expires == 100
        before = loop.time()
        refresh = await wire.request("SUBSCRIBE")
        assert 50 <= loop.time() - before <= 75
        accept(wire, refresh)
        notify(wire, request, sequence=2)
        await wire.response(200)
        await end(wire, subscriber)


async def test_refreshes_that_are_never_answered_end_it() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        subscriber, log, request = await subscribed(wire, ua)
        began = asyncio.get_running_loop().time()
        tries = 0
        while (again := await wire.request("SUBSCRIBE")).call_id == request.call_id:
            assert subscriber.state == "active"
            tries += 1
        assert tries >= 2
        assert asyncio.get_running_loop().time() - began == pytest.approx(600)
        assert (log["terminated"].cause, log["terminated"].resubscribing) == (Cause.EXPIRES, True)
        accept(wire, again)
        notify(wire, again)
        await wire.response(200)
        await end(wire, subscriber)


async def test_a_subscription_had_anew_may_be_ended_while_it_waits() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        subscriber, log, request = await subscribed(wire, ua)
        notify(wire, request, "terminated;reason=probation;retry-after=1000", sequence=2)
        await wire.response(200)
        assert subscriber.state == "waiting"
        assert log["terminated"].retry_after == 1000
        await subscriber.terminate()
        await wire.settle(2000)
        assert wire.nothing_sent()
        assert set(ua.counts().values()) == {0}


async def test_what_waits_may_be_had_at_once() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        subscriber, _, request = await subscribed(wire, ua)
        notify(wire, request, "terminated;reason=giveup;retry-after=1000", sequence=2)
        await wire.response(200)
        done = subscriber.subscribe()
        again = await wire.request("SUBSCRIBE")
        accept(wire, again)
        notify(wire, again)
        await wire.response(200)
        assert (await done).code == 200
        await end(wire, subscriber)
