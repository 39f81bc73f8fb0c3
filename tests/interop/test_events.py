"""Subscriptions and publications with real servers: Asterisk's hints, Kamailio's presence."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from sipua import RequestFailed
from sipua.bodies import DialogInfo, DialogStatus, Presence, PresenceTuple
from tests.interop.test_calls import auto_answer, registered

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.lab.peers import AsteriskPeer, KamailioPeer

OPEN = PresenceTuple("desk", "open", "sip:bob@lab.test")
CLOSED = PresenceTuple("desk", "closed")


async def until(condition: Callable[[], Any], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_asterisk_tells_the_calls_of_somebody(asterisk: AsteriskPeer) -> None:
    async with registered(asterisk, "alice") as alice, registered(asterisk, "bob") as bob:
        await auto_answer(bob, echo=True)
        async with alice.subscribe("bob", "dialog") as subscriber:
            await until(lambda: isinstance(subscriber.content, DialogInfo))
            assert not subscriber.content.is_busy
            async with alice.call("bob"):
                await until(lambda: subscriber.content.is_busy)
            await until(lambda: not subscriber.content.is_busy)
            told: list[Any] = []
            subscriber.on("notify", told.append)
            assert (await subscriber.subscribe()).code == 200
            await until(lambda: told)
        assert subscriber.state == "terminated"


async def test_asterisk_tells_presence(asterisk: AsteriskPeer) -> None:
    async with registered(asterisk, "alice") as alice, alice.subscribe("bob", "presence") as subscriber:
        await until(lambda: isinstance(subscriber.content, Presence))
        assert not subscriber.content.is_open
        async with registered(asterisk, "bob"):
            await until(lambda: subscriber.content.is_open)
        await until(lambda: not subscriber.content.is_open)


async def test_asterisk_refuses_what_it_does_not_know(asterisk: AsteriskPeer) -> None:
    async with registered(asterisk, "alice") as alice:
        for target, event, code in (("nobody", "presence", 404), ("bob", "no-such-package", 489)):
            with pytest.raises(RequestFailed) as caught:
                await alice.subscribe(target, event).wait_active()
            assert caught.value.status_code == code


async def test_asterisk_restarts(asterisk: AsteriskPeer) -> None:
    """The subscription is had anew when the server is back."""
    async with registered(asterisk, "alice", connection_recovery_max_interval=2.0) as alice:
        subscriber = alice.subscribe("bob", "presence")
        await subscriber.wait_active()
        lost: list[Any] = []
        subscriber.on("terminated", lost.append)
        await asterisk.restart()
        await until(lambda: lost, 20)
        assert lost[0].resubscribing
        await until(lambda: subscriber.state == "active", 40)


async def test_kamailio_keeps_what_is_published(kamailio: KamailioPeer) -> None:
    async with registered(kamailio, "alice") as alice, registered(kamailio, "bob") as bob:
        entity = "sip:bob@lab.test"
        async with alice.subscribe("bob", "presence") as subscriber:
            async with bob.publish("presence", Presence(entity, (OPEN,))) as publication:
                assert publication.etag
                await until(lambda: subscriber.content is not None and subscriber.content.is_open)
                assert subscriber.content.entity == entity
                first = publication.etag
                await publication.refresh()
                assert publication.etag
                await publication.update(Presence(entity, (CLOSED,)))
                assert publication.etag != first
                await until(lambda: not subscriber.content.is_open)
            await until(lambda: not subscriber.content.is_open)
        assert subscriber.state == "terminated"


async def test_kamailio_forgets_what_is_published(kamailio: KamailioPeer) -> None:
    """412 to a tag that it does not know: the state is published anew."""
    state = Presence("sip:bob@lab.test", (OPEN,))
    async with registered(kamailio, "bob") as bob, bob.publish("presence", state) as publication:
        publication.etag = "a.1.2.3.4"
        await publication.refresh()
        assert publication.is_published()
        assert publication.etag != "a.1.2.3.4"


async def test_watching_somebody_through_kamailio(kamailio: KamailioPeer) -> None:
    """Both ends are ours: the proxy is in the SUBSCRIBE's route, and not in the first NOTIFY's."""
    async with registered(kamailio, "alice") as alice, registered(kamailio, "bob") as bob:
        notifiers: list[Any] = []

        def info(version: int, *dialogs: DialogStatus) -> DialogInfo:
            return DialogInfo("sip:bob@lab.test", version, "full" if version == 0 else "partial", dialogs)

        bob.on("new_subscribe", lambda event: notifiers.append(bob.notify(event.subscribe, body=info(0))))
        async with alice.subscribe("bob", "dialog") as subscriber:
            await until(lambda: subscriber.content is not None)
            assert (await notifiers[0].notify(info(1, DialogStatus("1", "early", "recipient")))).code == 200
            assert subscriber.content.is_ringing
            assert (await subscriber.subscribe()).code == 200
        await until(lambda: notifiers[0].state == "terminated")
        assert len(notifiers) == 1


async def test_a_notify_that_nobody_asked_for_through_kamailio(kamailio: KamailioPeer) -> None:
    async with registered(kamailio, "alice") as alice, registered(kamailio, "bob") as bob:
        heard: list[str] = []
        bob.on("sip_event", lambda event: heard.append(event.event))
        assert (await alice.send_notify("bob", "check-sync")).code == 200
        assert heard == ["check-sync"]
