"""Somebody who watches, somebody who is watched, a network that delays, duplicates and cuts.

When it is quiet again, each subscription that was not ended is active and knows the present state, the other side has
just these subscribers, and nothing is left of the others.
"""

from __future__ import annotations

import asyncio
import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sipua import UA
from sipua.bodies import MessageCounts, MessageSummary
from sipua.testing import run_simulated
from sipua.ua.notifier import Notifier
from sipua.ua.subscription import Subscriber
from tests.session.test_properties import End
from tests.stateful import stateful

#: Longer than any subscription and than most pauses between tries.
QUIET = 4000.0
EXPIRES = 600


class Watched:
    """Has a mailbox that others may watch."""

    def __init__(self, end: End) -> None:
        self.end = end
        self.count = 0
        self.notifiers: list[Notifier] = []
        self.ua = UA("sip:alice@example.com", sockets=end, register=False)
        self.ua.on("new_subscribe", self._take)

    @property
    def state(self) -> MessageSummary:
        return MessageSummary(self.count > 0, counts={"voice-message": MessageCounts(self.count, 0)})

    def _take(self, event: Any) -> None:
        self.notifiers.append(self.ua.notify(event.subscribe, body=self.state, pending=self.count % 3 == 2))

    @property
    def alive(self) -> list[Notifier]:
        return [notifier for notifier in self.notifiers if notifier.state != "terminated"]

    def press(self, button: str) -> None:
        self.count += 1
        for notifier in self.alive:
            if button == "news":
                notifier.notify(self.state)
            elif button == "allow":
                notifier.set_active_state(self.state)
            else:
                notifier.terminate(self.state, button)


class Watcher:
    """Watches the mailbox."""

    def __init__(self, end: End) -> None:
        self.end = end
        self.subscribers: list[Subscriber] = []
        self.ua = UA("sip:bob@example.com", sockets=end, register=False)

    @property
    def alive(self) -> list[Subscriber]:
        return [one for one in self.subscribers if one.state != "terminated" and not one._leaving]

    def press(self, button: str) -> None:
        if button == "watch":
            self.subscribers.append(self.ua.subscribe("alice", "message-summary", expires=EXPIRES))
        elif button == "fetch":
            self.subscribers.append(self.ua.subscribe("alice", "message-summary", expires=0))
        elif self.alive:
            getattr(self.alive[-1], button)()


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["watch", "watch", "fetch", "subscribe", "terminate", "news", "news", "allow", "deactivated", "probation",
             "noresource", "cut alice", "cut bob"]
        ),
        st.sampled_from((0.0, 0.005, 0.02, 0.5, 5.0, 60.0, 700.0)),
    ),
    min_size=1,
    max_size=14,
)  # fmt: skip
FAULTS = st.fixed_dictionaries(
    {"delay": st.sampled_from((0.0, 0.3)), "duplicate": st.sampled_from((0.0, 0.2))}
)


async def play(steps: list[tuple[str, float]], faults: dict[str, float], seed: int) -> None:
    rand = random.Random(seed)
    ends = End(rand, faults), End(rand, faults)
    ends[0].other, ends[1].other = ends[1], ends[0]
    alice, bob = Watched(ends[0]), Watcher(ends[1])
    for ua in (alice.ua, bob.ua):
        ua.rand = rand  # type: ignore[assignment]
        ua.start()
        await ua.ready()
    for button, pause in steps:
        if button.startswith("cut"):
            (alice if button == "cut alice" else bob).end.cut()
        else:
            (bob if button in ("watch", "fetch", "subscribe", "terminate") else alice).press(button)
        await asyncio.sleep(pause)
    faults.update(delay=0.0, duplicate=0.0)
    await asyncio.sleep(QUIET)
    for notifier in alice.alive:
        notifier.set_active_state(alice.state)
    await asyncio.sleep(1)
    for subscriber in bob.alive:
        assert subscriber.state == "active", subscriber
        assert subscriber.content == alice.state
    assert {notifier.id for notifier in alice.alive} == {
        one._dialog.id.call_id + one._dialog.id.remote_tag + one._dialog.id.local_tag
        for one in bob.alive
        if one._dialog is not None
    }
    for ended in bob.subscribers:
        assert ended in bob.alive or ended.state == "terminated"
    await bob.ua.stop()
    await asyncio.sleep(40)
    assert not alice.alive
    assert set(alice.ua.counts().values()) == {0}
    await alice.ua.stop()
    assert set(bob.ua.counts().values()) == {0}


@stateful(60)
@given(STEPS, FAULTS, st.integers(0, 2**32))
def test_when_it_is_quiet_the_watcher_knows(
    steps: list[tuple[str, float]], faults: dict[str, float], seed: int
) -> None:
    run_simulated(play(steps, faults, seed))
