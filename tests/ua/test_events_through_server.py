"""Subscriptions through the embedded server, which challenges every request and stays in the dialog."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from sipua import UA, Cause, RequestFailed
from sipua.bodies import Presence, PresenceTuple
from sipua.media import SignallingOnlyMedia
from tests.server.client import ACCOUNTS, running

if TYPE_CHECKING:
    from sipua.server import Server

OPEN = Presence("sip:alice@example.com", (PresenceTuple("a", "open"),))
CLOSED = Presence("sip:alice@example.com", (PresenceTuple("a", "closed"),))


def agent(server: Server, user: str, **options: Any) -> UA:
    return UA(
        f"sip:{user}@example.com",
        sockets=server.connector(),
        password=ACCOUNTS[user],
        media=SignallingOnlyMedia,
        **options,
    )


async def test_watching_somebody() -> None:
    async with running() as server, agent(server, "alice") as alice, agent(server, "bob") as bob:
        notifiers: list[Any] = []
        alice.on("new_subscribe", lambda event: notifiers.append(alice.notify(event.subscribe, body=OPEN)))
        async with bob.subscribe("alice", "presence", expires=120) as subscriber:
            assert subscriber.content == OPEN
            await notifiers[0].notify(CLOSED)
            assert subscriber.content == CLOSED
            await asyncio.sleep(3600)  # many refreshes later
            assert (subscriber.state, notifiers[0].state, len(notifiers)) == ("active", "active", 1)
            await notifiers[0].notify(OPEN)
            assert subscriber.content == OPEN
        assert notifiers[0].state == "terminated"


async def test_the_watched_one_ends_it() -> None:
    async with running() as server, agent(server, "alice") as alice, agent(server, "bob") as bob:
        notifiers: list[Any] = []
        alice.on("new_subscribe", lambda event: notifiers.append(alice.notify(event.subscribe, body=OPEN)))
        subscriber = bob.subscribe("alice", "presence")
        await subscriber.wait_active()
        await notifiers[0].terminate(reason="noresource")
        await subscriber.wait_terminated()
        assert subscriber.state == "terminated"


async def test_the_watched_one_restarts() -> None:
    async with running() as server, agent(server, "bob") as bob:
        for state in (OPEN, CLOSED):
            async with agent(server, "alice") as alice:
                alice.on(
                    "new_subscribe", lambda event, ua=alice, body=state: ua.notify(event.subscribe, body=body)
                )
                if state is OPEN:
                    subscriber = bob.subscribe("alice", "presence")
                    await subscriber.wait_active()
                else:
                    await asyncio.sleep(120)
                assert subscriber.content == state
                assert subscriber.state == "active"


async def test_nobody_there() -> None:
    async with running() as server, agent(server, "bob") as bob:
        with pytest.raises(RequestFailed) as caught:
            await bob.subscribe("alice", "presence").wait_active()
        assert caught.value.cause in (Cause.UNAVAILABLE, Cause.NOT_FOUND)


async def test_a_package_that_is_not_known() -> None:
    async with (
        running() as server,
        agent(server, "alice", allow_events=["presence"]) as alice,
        agent(server, "bob") as bob,
    ):
        alice.on("new_subscribe", lambda event: alice.notify(event.subscribe, body=OPEN))
        with pytest.raises(RequestFailed) as caught:
            await bob.subscribe("alice", "dialog").wait_active()
        assert caught.value.response is not None
        assert caught.value.response.allow_events == ["presence"]


async def test_a_notify_that_nobody_asked_for() -> None:
    async with running() as server, agent(server, "alice") as alice, agent(server, "bob") as bob:
        heard: list[str] = []
        alice.on("sip_event", lambda event: heard.append(event.event))
        assert (await bob.send_notify("alice", "check-sync")).code == 200
        assert heard == ["check-sync"]
