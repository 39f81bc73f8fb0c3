"""What the server answers to SUBSCRIBE for users whose own telephones do not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from sipua import UA, RequestFailed
from sipua.bodies import DialogInfo, MessageCounts, MessageSummary, Presence, PresenceTuple
from sipua.media import SignallingOnlyMedia
from tests.server.client import running

if TYPE_CHECKING:
    from sipua.server import Server


def agent(server: Server, user: str, **options: Any) -> UA:
    passwords = {"alice": "wonderland", "bob": "builder"}
    return UA(
        f"sip:{user}@example.com",
        sockets=server.connector(),
        password=passwords[user],
        media=SignallingOnlyMedia,
        **options,
    )


async def settled() -> None:
    await asyncio.sleep(1)


def presence(basic: Any, *, entity: str = "sip:bob@example.com", **more: Any) -> Presence:
    return Presence(entity, (PresenceTuple(more.pop("id", "t"), basic),), **more)


async def test_presence_is_that_of_the_registration_until_something_is_published() -> None:
    async with running(presence=True) as server, agent(server, "alice") as alice:
        heard: list[tuple[bool, str | None]] = []
        watching = alice.subscribe("bob", "presence")
        watching.on("notify", lambda event: heard.append((event.content.is_open, event.content.note)))
        await watching.wait_active()
        bob = agent(server, "bob")
        async with bob:
            await settled()
            async with bob.publish("presence", presence("closed", notes=())) as publication:
                await publication.update(presence("open", activities=("meeting",)))
                await settled()
                assert watching.content.activities == ("meeting",)
        await settled()
        assert heard == [
            (False, None),
            (True, None),
            (False, None),
            (True, None),
            (True, None),
            (False, None),
        ]


async def test_publications_of_a_user_are_told_together() -> None:
    async with running(presence=True) as server, agent(server, "alice") as alice, agent(server, "bob") as bob:
        desk = bob.publish("presence", presence("open", activities=("meeting",)))
        mobile = bob.publish("presence", presence("closed", activities=("meeting", "travel")))
        await desk.wait_published()
        await mobile.wait_published()
        async with alice.subscribe("bob", "presence", expires=0) as watching:
            content = watching.content
        assert [(one.id, one.basic) for one in content.tuples] == [("t", "open"), ("t-1", "closed")]
        assert content.activities == ("meeting", "travel")


async def test_calls_are_told_to_who_watches_them() -> None:
    async with running(presence=True) as server, agent(server, "alice") as alice, agent(server, "bob") as bob:
        bob.on("new_rtc_session", lambda event: event.session.answer())
        heard: list[list[tuple[str, str | None]]] = []
        watching = alice.subscribe("bob", "dialog")
        watching.on(
            "notify",
            lambda event: heard.append([(one.state, one.remote.identity) for one in event.content.dialogs]),
        )
        await watching.wait_active()
        async with alice.call("bob"):
            await settled()
        await settled()
        assert heard[0] == heard[-1] == []
        assert heard[-2] == [("confirmed", "sip:alice@example.com")]


async def test_what_a_telephone_tells_itself_comes_from_it() -> None:
    async with running(presence=True) as server, agent(server, "alice") as alice, agent(server, "bob") as bob:
        elsewhere = DialogInfo("sip:bob@elsewhere.example")
        bob.on("new_subscribe", lambda event: bob.notify(event.subscribe, body=elsewhere))
        async with alice.subscribe("bob", "dialog", expires=0) as watching:
            assert watching.content.entity == "sip:bob@elsewhere.example"


async def test_a_telephone_that_does_not_answer() -> None:
    async with running(presence=True) as server, agent(server, "alice") as alice, agent(server, "bob") as bob:
        bob.on("new_subscribe", lambda event: event.subscribe.reject(480))
        async with alice.subscribe("bob", "presence", expires=0) as watching:
            assert watching.content.is_open


@pytest.mark.parametrize(
    ("target", "package", "status"),
    [
        ("bob", "message-summary", 403),
        ("bob", "reg", 403),
        ("nobody", "presence", 404),
        ("bob", "winfo", 480),
    ],
)
async def test_what_is_not_told(target: str, package: str, status: int) -> None:
    async with running(presence=True) as server, agent(server, "alice") as alice:
        with pytest.raises(RequestFailed) as failure:
            await alice.subscribe(target, package).wait_active()
        assert failure.value.status_code == status


async def test_our_own_mailbox_and_registrations() -> None:
    async with running(presence=True) as server, agent(server, "alice") as alice:
        async with alice.subscribe("alice", "reg") as registrations:
            (registration,) = registrations.content.registrations
            assert (registration.state, len(registration.contacts)) == ("active", 1)
            async with agent(server, "alice"):
                await settled()
                assert len(registrations.content.registrations[0].contacts) == 2
        async with alice.subscribe("alice", "message-summary") as mailbox:
            assert not mailbox.content.messages_waiting
            summary = MessageSummary(True, counts={"voice-message": MessageCounts(2, 1)})
            await alice.publish("message-summary", summary).wait_published()
            await settled()
            assert mailbox.content.voice.new == 2


async def test_a_subscription_that_is_refreshed_goes_on() -> None:
    async with running(presence=True) as server, agent(server, "alice") as alice:
        versions: list[int] = []
        watching = alice.subscribe("bob", "dialog", expires=120)
        watching.on("notify", lambda event: versions.append(event.content.version))
        await watching.wait_active()
        await asyncio.sleep(300)
        assert versions == list(range(len(versions)))
        assert len(versions) >= 3
        watching.terminate()
        await settled()


async def test_nothing_is_left_when_all_have_gone() -> None:
    async with running(presence=True) as server:
        async with agent(server, "alice") as alice:
            await alice.subscribe("bob", "presence").wait_active()
            assert server._watching is not None
            assert len(server._watching._watchers) == 1
        await settled()
        assert server._watching._watchers == {}
        assert server.registrations() == {}
