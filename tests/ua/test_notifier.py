"""The notifier, on the wire: RFC 6665 §4.2; and NOTIFYs that nobody subscribed to."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from sipua import (
    Cause,
    ConfigurationError,
    InvalidHeaderError,
    InvalidStateError,
    RequestFailed,
    RequestTimeout,
)
from sipua.bodies import MessageCounts, MessageSummary, Presence, PresenceTuple
from tests.wire import Log, Wire, user_agent

if TYPE_CHECKING:
    from sipua import UA
    from sipua.events import NewSubscribe, SipEvent
    from sipua.sip import Response
    from sipua.ua.notifier import Notifier

OPEN = Presence("sip:alice@example.com", (PresenceTuple("a", "open"),))
CLOSED = Presence("sip:alice@example.com", (PresenceTuple("a", "closed"),))
CONTACT = "Contact: <sip:watcher@192.0.2.1;transport=ws>\r\n"


def subscribe(
    wire: Wire,
    ua: UA,
    *,
    event: str = "presence",
    expires: int | str | None = 600,
    extra: str = CONTACT,
    call_id: str = "s1",
    method: str = "SUBSCRIBE",
    body: str = "",
) -> None:
    """A SUBSCRIBE outside of dialogs."""
    expiry = "" if expires is None else f"Expires: {expires}\r\n"
    name = f"Event: {event}\r\n" if event else ""
    wire.put(
        f"{method} {ua.contact_uri} SIP/2.0\r\nMax-Forwards: 70\r\n"
        f"Via: SIP/2.0/WS w.invalid;branch=z9hG4bK{call_id}\r\n"
        f"From: <sip:watcher@example.com>;tag=w\r\nTo: <sip:alice@example.com>\r\nCall-ID: {call_id}\r\n"
        f"CSeq: 1 {method}\r\n{name}{expiry}{extra}Content-Length: {len(body)}\r\n\r\n{body}"
    )


def again(
    wire: Wire, ok: Response, sequence: int, expires: int | None = 600, event: str = "presence", **more: Any
) -> None:
    """A SUBSCRIBE in the dialog."""
    expiry = "" if expires is None else f"Expires: {expires}\r\n"
    wire.in_dialog("SUBSCRIBE", ok, sequence=sequence, extra=f"Event: {event}\r\n{expiry}", **more)


class Taker:
    """Takes each subscription."""

    def __init__(self, ua: UA, **options: Any) -> None:
        self.ua, self.options = ua, options
        self.notifiers: list[Notifier] = []
        self.logs: list[Log] = []
        ua.on("new_subscribe", self.take)

    def take(self, event: NewSubscribe) -> None:
        notifier = self.ua.notify(event.subscribe, **self.options)
        self.notifiers.append(notifier)
        self.logs.append(Log(notifier))


async def test_a_life() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        taker = Taker(ua, body=OPEN)
        subscribe(wire, ua)
        ok = await wire.response(200, "SUBSCRIBE")
        assert ok.expires == 600
        assert ok.contact
        assert "SUBSCRIBE" in ok.allow
        first = await wire.request("NOTIFY")
        (notifier,), (log,) = taker.notifiers, taker.logs
        assert str(first.uri) == "sip:watcher@192.0.2.1;transport=ws"
        assert (first.to_tag, first.from_tag) == ("w", ok.to_tag)
        assert (first.headers["Event"], first.headers["Subscription-State"]) == (
            "presence",
            "active;expires=600",
        )
        assert first.headers["Content-Type"] == "application/pidf+xml"
        assert Presence.parse(first.body) == OPEN
        assert first.contact
        wire.reply(first, 200)
        assert notifier.state == "active"
        assert str(notifier.remote_identity.uri) == "sip:watcher@example.com"

        await asyncio.sleep(100)
        done = notifier.notify(CLOSED)
        second = await wire.request("NOTIFY")
        assert second.headers["Subscription-State"] == "active;expires=500"
        assert Presence.parse(second.body) == CLOSED
        assert second.cseq.sequence == first.cseq.sequence + 1
        wire.reply(second, 200)
        assert (await done).code == 200

        again(wire, ok, 2, 300)
        assert (await wire.response(200)).expires == 300
        third = await wire.request("NOTIFY")
        assert third.headers["Subscription-State"] == "active;expires=300"
        assert Presence.parse(third.body) == CLOSED
        wire.reply(third, 200)

        again(wire, ok, 3, 0)
        assert (await wire.response(200)).expires == 0
        last = await wire.request("NOTIFY")
        assert last.headers["Subscription-State"] == "terminated;reason=timeout"
        assert Presence.parse(last.body) == CLOSED
        wire.reply(last, 200)
        assert log.names == ["subscribe", "subscribe", "subscribe", "terminated"]
        assert [p.is_unsubscribe for p in log.payloads[:3]] == [False, False, True]
        assert (log["terminated"].originator, log["terminated"].cause) == ("remote", Cause.BYE)
        again(wire, ok, 4)
        await wire.response(481)
        for operation in (notifier.notify, notifier.terminate, notifier.set_active_state):
            with pytest.raises(InvalidStateError, match="terminated"):
                operation()
        await wire.settle(40)
        assert set(ua.counts().values()) == {0}


async def test_as_in_jssip() -> None:
    """The handler gets the request, and notifies in the notifier's ``subscribe`` event."""
    wire = Wire()
    async with user_agent(wire) as ua:

        @ua.on("new_subscribe")
        def subscribed(event: NewSubscribe) -> None:
            assert event.event == "presence"
            notifier = ua.notify(event.request, "text/plain")
            notifier.on(
                "subscribe", lambda received: notifier.notify("gone" if received.is_unsubscribe else "here")
            )
            notifier.start()

        subscribe(wire, ua)
        ok = await wire.response(200)
        first = await wire.request("NOTIFY")
        assert (first.text, first.headers["Content-Type"]) == ("here", "text/plain")
        wire.reply(first, 200)
        again(wire, ok, 2, 0)
        await wire.response(200)
        last = await wire.request("NOTIFY")
        assert (last.text, last.headers["Subscription-State"]) == ("gone", "terminated;reason=timeout")
        wire.reply(last, 200)
        await wire.settle()
        assert wire.nothing_sent()


async def test_coroutines_may_take_their_time() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:

        @ua.on("new_subscribe")
        async def subscribed(event: NewSubscribe) -> None:
            await asyncio.sleep(5)
            notifier = ua.notify(event.subscribe, body=OPEN)

            @notifier.on("subscribe")
            async def later(_: object) -> None:
                await asyncio.sleep(2)
                notifier.notify(CLOSED)

        subscribe(wire, ua)
        await wire.response(100)  # RFC 4320 §4.1
        ok = await wire.response(200)
        notify = await wire.request("NOTIFY")
        assert Presence.parse(notify.body) == CLOSED
        wire.reply(notify, 200)
        again(wire, ok, 2, 0)
        await wire.response(200)
        wire.reply(await wire.request("NOTIFY"), 200)
        await wire.settle(9)
        assert wire.nothing_sent()


async def test_pending_until_allowed() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        taker = Taker(ua, content_type="application/pidf+xml", pending=True)
        subscribe(wire, ua)
        await wire.response(200)
        first = await wire.request("NOTIFY")
        assert (first.headers["Subscription-State"], first.body) == ("pending;expires=600", b"")
        assert "Content-Type" not in first.headers
        wire.reply(first, 200)
        taker.notifiers[0].set_active_state(OPEN)
        second = await wire.request("NOTIFY")
        assert second.headers["Subscription-State"] == "active;expires=600"
        assert Presence.parse(second.body) == OPEN
        wire.reply(second, 200)
        gone = taker.notifiers[0].terminate(reason="rejected")
        last = await wire.request("NOTIFY")
        assert last.headers["Subscription-State"] == "terminated;reason=rejected"
        wire.reply(last, 200)
        await gone


async def test_fetch() -> None:
    """RFC 6665 §4.4.3: just the present state."""
    wire = Wire()
    async with user_agent(wire) as ua:
        taker = Taker(ua, body=MessageSummary(True, counts={"voice-message": MessageCounts(1, 2)}))
        subscribe(wire, ua, event="message-summary", expires=0)
        assert (await wire.response(200)).expires == 0
        notify = await wire.request("NOTIFY")
        assert notify.headers["Subscription-State"] == "terminated;reason=timeout"
        assert notify.text == "Messages-Waiting: yes\r\nVoice-Message: 1/2\r\n"
        wire.reply(notify, 200)
        await wire.settle()
        assert taker.notifiers[0].state == "terminated"
        assert ua.counts()["dialogs"] == 0


@pytest.mark.parametrize(("asked", "granted"), [(None, 3600), (7200, 3600), (60, 60)])
async def test_duration(asked: int | None, granted: int) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        taker = Taker(ua)
        subscribe(wire, ua, expires=asked)
        assert (await wire.response(200)).expires == granted
        wire.reply(await wire.request("NOTIFY"), 200)
        taker.notifiers[0].terminate(retry_after=7)
        last = await wire.request("NOTIFY")
        assert last.headers["Subscription-State"] == "terminated;retry-after=7"
        wire.reply(last, 200)


async def test_too_brief() -> None:
    wire = Wire()
    async with user_agent(wire, subscription_min_expires=60) as ua:
        taker = Taker(ua)
        subscribe(wire, ua, expires=59)
        assert (await wire.response(423)).min_expires == 60
        subscribe(wire, ua, expires=60, call_id="s2")
        ok = await wire.response(200)
        wire.reply(await wire.request("NOTIFY"), 200)
        again(wire, ok, 2, 10)
        assert (await wire.response(423)).min_expires == 60
        assert taker.notifiers[0].state == "active"
        taker.notifiers[0].terminate()
        wire.reply(await wire.request("NOTIFY"), 200)


async def test_it_expires() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        taker = Taker(ua, body=OPEN)
        subscribe(wire, ua, expires=100)
        await wire.response(200)
        wire.reply(await wire.request("NOTIFY"), 200)
        before = asyncio.get_running_loop().time()
        last = await wire.request("NOTIFY")
        assert asyncio.get_running_loop().time() - before == pytest.approx(100)
        assert last.headers["Subscription-State"] == "terminated;reason=timeout"
        wire.reply(last, 200)
        assert taker.logs[0]["terminated"].cause is Cause.EXPIRES


@pytest.mark.parametrize("code", [481, 404, 489, None])
async def test_a_refused_notify_ends_the_subscription(code: int | None) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        taker = Taker(ua)
        subscribe(wire, ua)
        ok = await wire.response(200)
        notify = await wire.request("NOTIFY")
        notifier = taker.notifiers[0]
        second = notifier.notify("x", "text/plain")
        if code is None:
            await wire.settle(33)
        else:
            wire.reply(notify, code)
        with pytest.raises(RequestFailed):
            await second
        assert notifier.state == "terminated"
        assert taker.logs[0]["terminated"].originator == ("system" if code is None else "remote")
        again(wire, ok, 2)
        await wire.response(481)
        await wire.settle(40)
        assert set(ua.counts().values()) == {0}


async def test_a_notify_that_may_work_later() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        taker = Taker(ua, body=OPEN)
        subscribe(wire, ua)
        await wire.response(200)
        wire.reply(await wire.request("NOTIFY"), 503, (("Retry-After", "9"),))
        before = asyncio.get_running_loop().time()
        notify = await wire.request("NOTIFY")
        assert asyncio.get_running_loop().time() - before == pytest.approx(9)
        wire.reply(notify, 500)
        await wire.settle()
        assert taker.notifiers[0].state == "active"
        taker.notifiers[0].terminate()
        wire.reply(await wire.request("NOTIFY"), 200)


async def test_notifys_go_one_after_the_other() -> None:
    wire = Wire()
    async with user_agent(wire, password="x") as ua:
        taker = Taker(ua, body="1", content_type="text/plain")
        subscribe(wire, ua)
        await wire.response(200)
        first = await wire.request("NOTIFY")
        done = [taker.notifiers[0].notify("2"), taker.notifiers[0].notify("3")]
        gone = taker.notifiers[0].terminate("4", "noresource")
        await wire.settle()
        assert wire.nothing_sent()
        wire.reply(first, 401, (("WWW-Authenticate", 'Digest realm="r", nonce="n", qop="auth"'),))
        bodies, sequences = [], []
        for _ in range(4):
            request = await wire.request("NOTIFY")
            bodies.append(request.text)
            sequences.append(request.cseq.sequence)
            wire.reply(request, 200)
        assert bodies == ["1", "2", "3", "4"]
        assert sequences == sorted(set(sequences))
        await asyncio.gather(*done)
        await gone


async def test_a_cut_does_not_end_it() -> None:
    """The subscriber is told the present state when the connection is back."""
    wire = Wire()
    async with user_agent(wire) as ua:
        taker = Taker(ua, body=OPEN)
        subscribe(wire, ua)
        await wire.response(200)
        wire.reply(await wire.request("NOTIFY"), 200)
        wire.cut()
        failed = taker.notifiers[0].notify(CLOSED)
        with pytest.raises(RequestFailed):
            await failed
        notify = await wire.request("NOTIFY")
        assert Presence.parse(notify.body) == CLOSED
        wire.reply(notify, 200)
        taker.notifiers[0].terminate()
        wire.reply(await wire.request("NOTIFY"), 200)


async def test_stop_says_goodbye() -> None:
    wire = Wire()
    ua = user_agent(wire)
    ua.start()
    await ua.ready()
    Taker(ua)
    subscribe(wire, ua)
    await wire.response(200)
    wire.reply(await wire.request("NOTIFY"), 200)
    stopping = asyncio.ensure_future(ua.stop())
    last = await wire.request("NOTIFY")
    assert last.headers["Subscription-State"] == "terminated;reason=deactivated"
    wire.reply(last, 200)
    await stopping
    with pytest.raises(InvalidStateError, match="stopped"):
        ua.send_notify("bob", "check-sync")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"event": "dialog"}, 489),
        ({"event": "presence;id=1"}, 489),
        ({"event": ";;"}, 400),
        ({"expires": "soon"}, 400),
        ({"sequence": 1}, 500),
    ],
)
async def test_refreshes_that_are_none(change: dict[str, Any], code: int) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        taker = Taker(ua)
        subscribe(wire, ua)
        ok = await wire.response(200)
        wire.reply(await wire.request("NOTIFY"), 200)
        again(wire, ok, **{"sequence": 2, "branch": "other", **change})
        await wire.response(code)
        wire.in_dialog("INFO", ok, sequence=3)
        await wire.response(405)
        assert taker.notifiers[0].state == "active"
        taker.notifiers[0].terminate()
        wire.reply(await wire.request("NOTIFY"), 200)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"event": ""}, 400),
        ({"event": "a b"}, 400),
        ({"expires": "-1"}, 400),
        ({"extra": ""}, 400),
        ({"extra": f"{CONTACT}Accept: <<\r\n"}, 400),
        ({"extra": f"{CONTACT}Record-Route: <<<\r\n"}, 400),
    ],
)
async def test_malformed_subscribes(change: dict[str, Any], code: int) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        ua.on("new_subscribe", lambda event: pytest.fail("not to be told"))
        subscribe(wire, ua, **change)
        await wire.response(code)
        assert set(ua.counts().values()) - {0, 1} == set()


async def test_nobody_knows_the_package() -> None:
    wire = Wire()
    async with user_agent(wire, allow_events=["presence", "dialog"]) as ua:
        subscribe(wire, ua)
        refused = await wire.response(489)  # no handler at all
        assert refused.allow_events == ["presence", "dialog"]
        seen: list[NewSubscribe] = []
        ua.on("new_subscribe", seen.append)
        subscribe(wire, ua, event="reg", call_id="s2")
        assert (await wire.response(489)).allow_events == ["presence", "dialog"]
        assert not seen
        subscribe(wire, ua, event="dialog;id=1", call_id="s3")
        await wire.response(489)  # the handler did nothing with it
        assert (seen[0].event, seen[0].subscribe.event.id) == ("dialog", "1")
        with pytest.raises(InvalidStateError, match="answered"):
            ua.notify(seen[0].subscribe)
        with pytest.raises(InvalidStateError, match="answered"):
            ua.notify(seen[0].request)
        wire.put(
            f"OPTIONS {ua.contact_uri} SIP/2.0\r\nVia: SIP/2.0/WS w.invalid;branch=z9hG4bKo\r\nMax-Forwards: 70\r\n"
            "From: <sip:w@example.com>;tag=w\r\nTo: <sip:alice@example.com>\r\nCall-ID: o\r\nCSeq: 1 OPTIONS\r\n\r\n"
        )
        options = await wire.response(200)
        assert options.allow_events == ["presence", "dialog"]
        assert {"SUBSCRIBE", "NOTIFY"} <= set(options.allow)
        await wire.settle(40)
        assert set(ua.counts().values()) == {0}


async def test_the_application_may_refuse_or_wait() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        kept: list[Any] = []

        @ua.on("new_subscribe")
        def subscribed(event: NewSubscribe) -> None:
            assert event.subscribe.accepts == ("application/pidf+xml",)
            if event.subscribe.expires == 1:
                event.subscribe.reject(403, "Not You", extra_headers=["X-A: 1"])
            else:
                event.subscribe.defer()
                kept.append(event.subscribe)

        extra = f"{CONTACT}Accept: application/pidf+xml\r\n"
        subscribe(wire, ua, expires=1, extra=extra)
        refused = await wire.response(403)
        assert (refused.phrase, refused.headers["X-A"]) == ("Not You", "1")
        subscribe(wire, ua, call_id="s2", extra=extra)
        await wire.settle(10)
        await wire.response(100)
        assert wire.nothing_sent()
        notifier = ua.notify(kept[0])
        await wire.response(200)
        wire.reply(await wire.request("NOTIFY"), 200)
        notifier.terminate()
        wire.reply(await wire.request("NOTIFY"), 200)
        subscribe(wire, ua, call_id="s3", extra=extra)
        await wire.response(100)
        await wire.response(480)  # the application forgot it
        with pytest.raises(InvalidStateError):
            kept[1].reject()
        await wire.settle(40)
        assert set(ua.counts().values()) == {0}


async def test_bad_arguments() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        kept: list[Any] = []

        @ua.on("new_subscribe")
        def subscribed(event: NewSubscribe) -> None:
            kept.append(event.subscribe)
            with pytest.raises(ValueError, match="content_type"):
                ua.notify(event.subscribe, body="x")
            with pytest.raises(ValueError, match="expires=0"):
                ua.notify(event.subscribe, expires=0)
            with pytest.raises(InvalidHeaderError):
                ua.notify(event.subscribe, "a/b\r\nX: y")
            kept.append(ua.notify(event.subscribe))

        subscribe(wire, ua)
        await wire.response(200)
        notifier = kept[1]
        with pytest.raises(InvalidHeaderError, match="reason"):
            notifier.terminate(reason="a b")
        with pytest.raises(InvalidHeaderError, match="retry_after"):
            notifier.terminate(retry_after=-1)
        with pytest.raises(ValueError, match="content_type"):
            notifier.notify("x")
        wire.reply(await wire.request("NOTIFY"), 200)
        notifier.terminate()
        wire.reply(await wire.request("NOTIFY"), 200)
    for bad in ("presence", ["a b"], 7):
        with pytest.raises(ConfigurationError, match="allow_events"):
            user_agent(wire, allow_events=bad)


# --- NOTIFY that nobody subscribed to --------------------------------------------------------------------------------


async def test_sip_event() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        seen: list[SipEvent] = []
        ua.on("sip_event", seen.append)
        body = "Messages-Waiting: yes\r\n"
        subscribe(
            wire,
            ua,
            method="NOTIFY",
            event="message-summary",
            expires=None,
            extra="Subscription-State: active\r\nContent-Type: application/simple-message-summary\r\n",
            body=body,
        )
        await wire.response(200, "NOTIFY")
        assert (seen[0].event, seen[0].notify.body) == ("message-summary", body)
        assert seen[0].content == MessageSummary(True)
        subscribe(
            wire, ua, method="NOTIFY", event="check-sync;reboot=true", expires=None, extra="", call_id="n2"
        )
        await wire.response(200)
        assert (seen[1].event, seen[1].content) == ("check-sync", None)
        assert seen[1].request.event is not None
        assert seen[1].request.event.parameters["reboot"] == "true"


async def test_sip_event_refused() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        subscribe(wire, ua, method="NOTIFY", event="check-sync")
        await wire.response(481)  # nobody listens (RFC 6665 §4.1.3)
        ua.on("sip_event", lambda event: event.notify.reject(489))
        subscribe(wire, ua, method="NOTIFY", event="check-sync", call_id="n2")
        await wire.response(489)
        subscribe(wire, ua, method="NOTIFY", event="", call_id="n3")
        await wire.response(400)
        bad = "Content-Type: application/pidf+xml\r\n"
        subscribe(wire, ua, method="NOTIFY", extra=bad, body="<", call_id="n4")
        await wire.response(489)


async def test_publish_is_not_for_us() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        subscribe(wire, ua, method="PUBLISH")
        refused = await wire.response(405)
        assert "PUBLISH" not in refused.allow
        assert "SUBSCRIBE" in refused.allow


async def test_send_notify() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        sent = ua.send_notify("bob", "check-sync;reboot=true", MessageSummary(False))
        notify = await wire.request("NOTIFY")
        assert notify.headers["Event"] == "check-sync;reboot=true"
        assert notify.subscription_state is not None
        assert notify.contact
        assert notify.headers["Content-Type"] == "application/simple-message-summary"
        wire.reply(notify, 200)
        assert (await sent).code == 200
        with pytest.raises(RequestTimeout):
            await ua.send_notify("bob", "check-sync")
        with pytest.raises(InvalidHeaderError):
            ua.send_notify("bob", "check sync")


async def test_a_cut_while_a_notify_is_under_way() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        taker = Taker(ua, body=OPEN)
        subscribe(wire, ua)
        await wire.response(200)
        await wire.request("NOTIFY")
        waiting = taker.notifiers[0].notify(CLOSED)
        wire.cut()
        with pytest.raises(RequestFailed):
            await waiting
        notify = await wire.request("NOTIFY")
        assert Presence.parse(notify.body) == CLOSED
        wire.reply(notify, 200)
        taker.notifiers[0].terminate()
        wire.reply(await wire.request("NOTIFY"), 200)


async def test_stop_does_not_wait_for_ever() -> None:
    wire = Wire()
    ua = user_agent(wire)
    ua.start()
    await ua.ready()
    taker = Taker(ua)
    subscribe(wire, ua)
    await wire.response(200)
    await wire.request("NOTIFY")
    await ua.stop()
    assert taker.notifiers[0].state == "terminated"
    assert taker.logs[0].names.count("terminated") == 1
    assert ua.counts()["subscriptions"] == 0


async def test_the_last_notify_needs_no_answer() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        taker = Taker(ua)
        subscribe(wire, ua)
        await wire.response(200)
        wire.reply(await wire.request("NOTIFY"), 200)
        gone = taker.notifiers[0].terminate()
        last = await wire.request("NOTIFY")
        await gone  # after Timer F
        assert last.subscription_state is not None
        await wire.settle(40)
        assert set(ua.counts().values()) == {0}
