"""Three people who call, transfer, follow and hang up at random, over a slow network and the embedded server.

When it is quiet again, every call that is up has two ends, each with the other at it: nobody is left listening to
silence. And nothing is left of what is over.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sipua import UA, InvalidStateError, RTCSession
from sipua.media import SignallingOnlyMedia
from sipua.testing import Conditions, run_simulated
from tests.server.client import ACCOUNTS, running
from tests.stateful import stateful

#: Longer than any subscription, and than a call may ring.
QUIET = 600.0
NAMES = ("alice", "bob", "carol")


class Person:
    """Somebody with a user agent, who does what the buttons say and else what chance says."""

    def __init__(self, name: str, ua: UA, rand: random.Random) -> None:
        self.name = name
        self.ua = ua
        self.rand = rand
        self.calls: list[RTCSession] = []
        ua.on("new_rtc_session", self._on_call)
        ua.on("refer", self._decide)

    def _on_call(self, event: Any) -> None:
        call: RTCSession = event.session
        self.calls.append(call)
        call.on("refer", self._decide)
        call.on("replaces", self._decide)
        if event.originator == "remote":
            asyncio.get_running_loop().call_later(self.rand.choice((0, 0.3, 4)), self._pick_up, call)

    def _pick_up(self, call: RTCSession) -> None:
        try:
            if self.rand.random() < 0.8:
                call.answer()
            else:
                call.terminate(status_code=486)
        except InvalidStateError:
            pass  # decided meanwhile, or over

    def _decide(self, event: Any) -> None:
        def decide() -> None:
            try:
                (event.accept if chance < 0.7 else event.reject)()
            except InvalidStateError:
                pass  # it is too late

        chance = self.rand.random()
        if chance < 0.4:
            decide()
        elif chance < 0.95:
            asyncio.get_running_loop().call_later(self.rand.choice((0.1, 3, 20)), decide)

    def press(self, button: str, other: str) -> None:
        up = [call for call in self.calls if call.is_established()]
        try:
            if button == "call":
                self.ua.call(other)
            elif button == "ask":
                self.ua.refer(other, self.rand.choice(NAMES))
            elif button == "hang up" and self.calls and not self.calls[-1].is_ended():
                self.calls[-1].terminate()
            elif button == "blind" and up:
                up[-1].refer(other)
            elif button == "blind and gone" and up:
                up[-1].refer(other, refer_sub=self.rand.random() < 0.5)
                up[-1].terminate()
            elif button == "attended" and len(up) > 1:
                up[-2].refer(replaces=up[-1])
            elif button == "attended, unobserved" and len(up) > 1:
                up[-2].refer(replaces=up[-1], refer_sub=False)
        except InvalidStateError:
            pass  # the button was dead


BUTTONS = (
    "call",
    "call",
    "blind",
    "blind and gone",
    "attended",
    "attended",
    "attended, unobserved",
    "ask",
    "hang up",
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(NAMES),
        st.sampled_from(BUTTONS),
        st.sampled_from(NAMES),
        st.sampled_from((0.0, 0.05, 0.5, 1.0, 5.0)),
    ),
    min_size=2,
    max_size=14,
)


async def play(steps: list[tuple[str, str, str, float]], delay: float, seed: int) -> None:
    rand = random.Random(seed)
    async with running() as server, AsyncExitStack() as stack:
        server.network.up = server.network.down = Conditions(delay=(0.0, delay) if delay else 0.0)
        people: dict[str, Person] = {}
        for name in NAMES:
            ua = UA(
                f"sip:{name}@example.com",
                sockets=server.connector(),
                password=ACCOUNTS[name],
                media=SignallingOnlyMedia,
                session_timers=False,
                no_answer_timeout=40,
                register_expires=86400,
            )
            people[name] = Person(name, await stack.enter_async_context(ua), rand)
        for who, button, other, pause in steps:
            if other != who:
                people[who].press(button, other)
            await asyncio.sleep(pause)
        await asyncio.sleep(QUIET)

        ends: dict[str, list[str]] = {}
        for person in people.values():
            for call in person.calls:
                assert call.is_ended() or call.is_established(), call
                if call.is_established():
                    ends.setdefault(call.request.call_id, []).append(person.name)
        assert all(len(found) == 2 for found in ends.values()), ends
        for person in people.values():
            up = sum(call.is_established() for call in person.calls)
            held = person.ua.counts()
            assert (held["sessions"], held["dialogs"]) == (up, up), held
            assert held["transactions"] == held["tasks"] == 0, held


@stateful(60)
@given(steps=STEPS, delay=st.sampled_from((0.0, 0.2, 1.0)), seed=st.integers(0, 2**16))
def test_nobody_is_left_with_silence(
    steps: list[tuple[str, str, str, float]], delay: float, seed: int
) -> None:
    run_simulated(play(steps, delay, seed))
