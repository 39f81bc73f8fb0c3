"""Two user agents, a network that delays, duplicates, reorders and cuts, and two people who press buttons at random.

When it is quiet again, both sides agree on whether there is a call, on who holds it and on what was negotiated, and
nothing is left of what is over.
"""

from __future__ import annotations

import asyncio
import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sipua import UA, InvalidStateError, RTCSession
from sipua.errors import NotConnected
from sipua.media import SignallingOnlyMedia
from sipua.sip import parse_message
from sipua.testing import run_simulated
from tests.stateful import stateful

#: Longer than every timer of a transaction, than the subscription of a REFER, and than media takes.
QUIET = 300.0
#: Longer than all that, than a session of 90 seconds, and than what is noticed only by its end.
SESSIONS_EXPIRED = 600.0


class SlowMedia(SignallingOnlyMedia):
    """Media that takes its time, so that things happen meanwhile."""

    rand = random.Random(0)

    async def create_offer(self, *, ice_restart: bool = False) -> str:
        await asyncio.sleep(self.rand.uniform(0, 0.4))
        return await super().create_offer(ice_restart=ice_restart)

    async def create_answer(self, offer: str) -> str:
        await asyncio.sleep(self.rand.uniform(0, 0.4))
        return await super().create_answer(offer)

    async def apply_answer(self, answer: str, *, branch: str = "") -> Any:
        await asyncio.sleep(self.rand.uniform(0, 0.4))
        return await super().apply_answer(answer, branch=branch)


class End:
    """One end of the network: the connection of one user agent. What it sends arrives at the other one's."""

    url = "ws://pipe.invalid"
    weight = 0
    via_transport = "WS"

    def __init__(self, rand: random.Random, faults: dict[str, float]) -> None:
        self.other: End
        self._rand = rand
        self._faults = faults
        self._up = False
        self.last_received = 0.0

    async def connect(self, on_message: Any, on_close: Any) -> End:
        self.on_message, self.on_close, self._up = on_message, on_close, True
        return self

    def send(self, data: str | bytes) -> None:
        if not self._up:
            raise NotConnected(self.url, "cut")
        loop = asyncio.get_running_loop()
        if parse_message(data) is None:
            self.last_received = loop.time()  # the answer to a keep-alive
            return
        delay = 0.01
        if self._rand.random() < self._faults["delay"]:
            delay = self._rand.uniform(0.01, 1.5)
        # A copy comes right behind: over a reliable transport a transaction remembers nothing of what is over.
        for _ in range(2 if self._rand.random() < self._faults["duplicate"] else 1):
            loop.call_later(delay, self.other._arrive, data)

    def _arrive(self, data: str | bytes) -> None:
        if self._up:
            self.last_received = asyncio.get_running_loop().time()
            self.on_message(data)

    def ping(self) -> None:
        pass

    async def close(self, code: int = 1000, reason: str = "") -> None:
        if self._up:
            self._up = False
            self.on_close(None)

    def abort(self, error: Any) -> None:
        if self._up:
            self._up = False
            self.on_close(error)

    def cut(self) -> None:
        self.abort(NotConnected(self.url, "cut"))


class Person:
    """Somebody with a user agent, and the calls on it."""

    def __init__(self, name: str, end: End, other: str, **options: Any) -> None:
        self.name = name
        self.end = end
        self.other = other
        self.calls: list[RTCSession] = []
        self.ua = UA(
            f"sip:{name}@example.com",
            sockets=end,
            register=False,
            media=SlowMedia,
            no_answer_timeout=40,
            **options,
        )
        self.ua.on("new_rtc_session", self._on_call)

    def _on_call(self, event: Any) -> None:
        self.calls.append(event.session)
        event.session.on("refer", lambda refer: refer.accept())
        event.session.on("replaces", lambda replaces: replaces.accept())

    def press(self, button: str) -> None:
        call = self.calls[-1] if self.calls else None
        try:
            if button == "call":
                if self.ua.is_connected() and (call is None or call.is_ended()):
                    self.ua.call(self.other)
            elif button == "late":
                if self.ua.is_connected() and (call is None or call.is_ended()):
                    self.ua.call(self.other, late_offer=True)
            elif button == "cut":
                self.end.cut()
            elif call is not None:
                self._press_on(button, call)
        except InvalidStateError:
            pass  # the button was dead

    def _press_on(self, button: str, call: RTCSession) -> None:
        if button == "answer":
            call.answer()
        elif button == "hang up":
            call.terminate()
        elif button == "early":
            call.progress(183, early_media=True)
        elif button == "digit":
            call.send_dtmf("5")
        elif button == "info":
            call.send_info("text/plain", "x")
        elif button == "refuse":
            call.terminate(status_code=486)
        elif button == "transfer":
            call.refer(self.name)  # to a second call between the two
        elif button == "transfer to nobody":
            call.refer("carol")
        elif button == "transfer to another call" and len(self.calls) > 1:
            call.refer(replaces=self.calls[-2])
        elif button in ("hold", "unhold"):
            getattr(call, button)()
        elif button in ("hold by UPDATE", "unhold by UPDATE"):
            getattr(call, button.split()[0])(use_update=True)
        elif button == "renegotiate":
            call.renegotiate()
        elif button == "renegotiate by UPDATE":
            call.renegotiate(use_update=True)
        elif button == "late renegotiate":
            call.renegotiate(late_offer=True)
        elif button == "new path":
            call.renegotiate(ice_restart=True)
        elif button == "add video":
            call.add_video()
        elif button == "remove video":
            call.remove_video()
        elif button == "accept video":
            call.accept_video()


RENEGOTIATION = (
    "hold",
    "unhold",
    "hold by UPDATE",
    "unhold by UPDATE",
    "renegotiate",
    "renegotiate by UPDATE",
    "late renegotiate",
    "new path",
)
VIDEO = ("add video", "remove video", "accept video")
#: What one side calls the direction that the other calls so.
SEEN_FROM_THERE = {
    "sendrecv": "sendrecv",
    "sendonly": "recvonly",
    "recvonly": "sendonly",
    "inactive": "inactive",
}
TRANSFERS = ("transfer", "transfer to nobody", "transfer to another call")
BUTTONS = (
    *("call", "late", "answer", "answer", "hang up", "refuse", "early", "digit", "info"),
    *RENEGOTIATION,
    *VIDEO,
    *TRANSFERS,
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(("a", "b")),
        st.sampled_from(BUTTONS),
        st.sampled_from((0.0, 0.005, 0.05, 0.3, 1.0, 5.0)),
    ),
    min_size=1,
    max_size=14,
)
#: Calls to begin with: none, one that rings, one that is up.
UP = [("a", "call", 5.0), ("b", "answer", 10.0)]
BEGINNINGS = ([], UP[:1], UP)
FAULTS = st.fixed_dictionaries(
    {"delay": st.sampled_from((0.0, 0.3)), "duplicate": st.sampled_from((0.0, 0.2))}
)


def assert_agreement(one: RTCSession, other: RTCSession) -> None:
    """What one side has sent is what the other has, and both draw the same conclusions from it."""
    held, holds = one.is_on_hold(), other.is_on_hold()
    assert (held["local"], held["remote"]) == (holds["remote"], holds["local"])
    there = {medium: SEEN_FROM_THERE[direction] for medium, direction in other.directions().items()}
    assert one.directions() == there
    assert one.media is not None
    assert other.media is not None
    assert one.media.local_description == other.media.remote_description
    assert other.media.local_description == one.media.remote_description
    for call in (one, other):
        assert call.media is not None
        assert not call.media.has_pending_offer
        assert call.media.direction == ("sendonly" if call.is_on_hold()["local"] else "sendrecv")
        assert call.is_ready_to_re_offer()


async def connect(rand: random.Random, faults: dict[str, float], **options: Any) -> dict[str, Person]:
    """Two people, and the network between them."""
    ends = End(rand, faults), End(rand, faults)
    ends[0].other, ends[1].other = ends[1], ends[0]
    people = {
        "a": Person("alice", ends[0], "bob", **options),
        "b": Person("bob", ends[1], "alice", **options),
    }
    for person in people.values():
        person.ua.start()
        await person.ua.ready()
    return people


async def play(
    steps: list[tuple[str, str, float]],
    faults: dict[str, float],
    seed: int,
    *,
    lossless: bool = True,
    **options: Any,
) -> None:
    SlowMedia.rand = random.Random(seed)
    people = await connect(random.Random(seed), faults, **options)
    for who, button, pause in steps:
        people[who].press(button)
        await asyncio.sleep(pause)
    await asyncio.sleep(QUIET if lossless else SESSIONS_EXPIRED)
    by_id: dict[str, list[RTCSession]] = {}
    for person in people.values():
        for call in person.calls:
            by_id.setdefault(call.request.call_id, []).append(call)
    for sides in by_id.values():
        assert len(sides) <= 2, "one call, twice on one side"
        states = {call.status.name for call in sides}
        assert states <= {"ENDED", "CONFIRMED"}, states
        assert all(call.is_ended() == (call.status.name == "ENDED") for call in sides)
        assert len({call.is_ended() for call in sides}) == 1, [str(call) for call in sides]
        assert len(sides) == 2 or sides[0].is_ended(), f"{sides[0]} has nobody at the other end"
        if lossless and not sides[0].is_ended():
            assert_agreement(*sides)
    for person in people.values():
        alive = sum(not call.is_ended() for call in person.calls)
        held = person.ua.counts()
        assert (held.pop("sessions"), held.pop("dialogs")) == (alive, alive)
        if lossless:  # else a refresh may be under way
            assert not any(held.values()), held
    for call in people["a"].calls:
        if not call.is_ended():
            call.terminate()
    await asyncio.sleep(QUIET)
    for person in people.values():
        assert all(call.is_ended() for call in person.calls)
        assert not any(person.ua.counts().values()), person.ua.counts()
        await person.ua.stop(timeout=1)


@stateful(300)
@given(begin=st.sampled_from(BEGINNINGS), steps=STEPS, faults=FAULTS, seed=st.integers(0, 2**16))
def test_both_sides_agree_and_nothing_is_left(
    begin: list[tuple[str, str, float]],
    steps: list[tuple[str, str, float]],
    faults: dict[str, float],
    seed: int,
) -> None:
    run_simulated(play([*begin, *steps], faults, seed))


CUTTING_STEPS = st.lists(
    st.tuples(
        st.sampled_from(("a", "b")),
        st.sampled_from((*BUTTONS, "cut")),
        st.sampled_from((0.0, 0.05, 0.3, 1.0, 5.0)),
    ),
    min_size=1,
    max_size=14,
)


@stateful(300)
@given(begin=st.sampled_from(BEGINNINGS), steps=CUTTING_STEPS, faults=FAULTS, seed=st.integers(0, 2**16))
def test_connections_that_break_leave_nobody_in_a_call_alone(
    begin: list[tuple[str, str, float]],
    steps: list[tuple[str, str, float]],
    faults: dict[str, float],
    seed: int,
) -> None:
    """What was lost with a connection may leave one side in a call, until its session expires; nothing else is left."""
    options = {"session_timers_expires": 90}
    run_simulated(play([*begin, *steps], faults, seed, lossless=False, **options))


HOLDING_STEPS = st.lists(
    st.tuples(
        st.sampled_from(("a", "b")),
        st.sampled_from((*RENEGOTIATION, *RENEGOTIATION, *VIDEO, "digit", "hang up")),
        st.sampled_from((0.0, 0.005, 0.05, 0.3, 1.0, 5.0)),
    ),
    min_size=1,
    max_size=14,
)


@stateful(300)
@given(steps=HOLDING_STEPS, faults=FAULTS, seed=st.integers(0, 2**16))
def test_two_who_renegotiate_agree_in_the_end(
    steps: list[tuple[str, str, float]], faults: dict[str, float], seed: int
) -> None:
    """A call that is up, and both hold, resume and offer anew as they like: glare of every kind."""
    run_simulated(play([*UP, *steps], faults, seed))


REFRESHING_STEPS = st.lists(
    st.tuples(
        st.sampled_from(("a", "b")),
        st.sampled_from(RENEGOTIATION),
        st.sampled_from((0.0, 1.0, 40.0, 85.0, 90.0, 95.0)),
    ),
    min_size=1,
    max_size=14,
)


@stateful(100)
@given(
    steps=REFRESHING_STEPS,
    delay=st.sampled_from((0.0, 0.3)),
    seed=st.integers(0, 2**16),
    method=st.sampled_from(("UPDATE", "INVITE")),
)
def test_no_refresh_is_ever_missed(
    steps: list[tuple[str, str, float]], delay: float, seed: int, method: str
) -> None:
    """A short session timer, and people who are always in its way: the call goes on for all that."""

    async def scenario() -> None:
        SlowMedia.rand = random.Random(seed)
        options = {"session_timers_expires": 180, "session_timers_refresh_method": method}
        # No duplicates: the answer to the copy of an UPDATE may come first, and it is a refusal.
        faults = {"delay": delay, "duplicate": 0.0}
        people = await connect(random.Random(seed), faults, **options)
        for who, button, pause in [*UP, *steps]:
            people[who].press(button)
            await asyncio.sleep(pause)
        await asyncio.sleep(1000)
        one, other = (person.calls[0] for person in people.values())
        assert one.is_established()
        assert other.is_established()
        held, holds = one.is_on_hold(), other.is_on_hold()
        assert (held["local"], held["remote"]) == (holds["remote"], holds["local"])
        for person in people.values():
            await person.ua.stop(timeout=1)

    run_simulated(scenario())
