"""Whatever two people press at the same moment, and in whatever order it arrives: at the end both sides agree.

The buttons are pressed in a call that is up, before either side has heard of the other's; then what is under way
arrives in one of several orders. When it is quiet, both have the same call or none, each knows who holds whom, and
nothing else is left.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import pytest

from sipua import InvalidStateError
from sipua.testing import Agent, MemoryNetwork, Press, run_simulated
from sipua.testing.flow_agent import FlowAgent

if TYPE_CHECKING:
    from collections.abc import Callable

BUTTONS: dict[str, list[Press]] = {
    "hold": [Press("", "hold")],
    "hold by UPDATE": [Press("", "hold", use_update=True)],
    "hold and unhold": [Press("", "hold"), Press("", "unhold")],
    "renegotiate": [Press("", "renegotiate")],
    "receive only": [Press("", "renegotiate", direction="recvonly")],
    "late offer": [Press("", "renegotiate", late_offer=True)],
    "refer": [Press("", "refer", "nobody")],
    "digits": [Press("", "send_dtmf", "12")],
    "hold and hang up": [Press("", "hold"), Press("", "terminate")],
    "hang up": [Press("", "terminate")],
}
#: Which side's message arrives next when both have one under way.
ORDERS: dict[str, Callable[[random.Random], int]] = {
    "alice's first": lambda rand: 0,
    "bob's first": lambda rand: 1,
    "mixed": lambda rand: rand.randint(0, 1),
}
#: How long a message is under way at most.
SLOW = 0.8
QUIET = 45.0


async def _deliver(
    sides: tuple[FlowAgent, FlowAgent], order: Callable[[random.Random], int], seed: str
) -> None:
    """Until nobody has sent anything for a long time."""
    rand = random.Random(seed)
    while await _something_sent(sides):
        waiting = [side for side in sides if side.sent]
        chosen = sides[order(rand)] if len(waiting) == 2 else waiting[0]
        if seed:
            await asyncio.sleep(rand.choice((0.0, 0.0, 0.1, SLOW)))
        other = sides[1] if chosen is sides[0] else sides[0]
        other.deliver(chosen.sent.popleft().data)


async def _something_sent(sides: tuple[FlowAgent, FlowAgent]) -> bool:
    """Whether a message is under way, at once or after a while."""
    for _ in range(20):
        await asyncio.sleep(0)
    if any(side.sent for side in sides):
        return True
    for side in sides:
        side.something_sent.clear()
    waits = [asyncio.ensure_future(side.something_sent.wait()) for side in sides]
    done, pending = await asyncio.wait(waits, timeout=QUIET, return_when=asyncio.FIRST_COMPLETED)
    for wait in pending:
        wait.cancel()
    await asyncio.gather(*waits, return_exceptions=True)
    return bool(done)


async def _cross(first: str, second: str, order: str, seed: str, setup: str = "") -> None:
    network = MemoryNetwork()
    agent = Agent(on={"refer": ("reject", 486)})
    alice, bob = FlowAgent("alice", agent, network), FlowAgent("bob", agent, network)
    sides = alice, bob
    try:
        for side in sides:
            side.ua.start()
            await side.ua.ready()
        alice.press(Press("alice", "call", "bob"), {})
        bob.ua.on(
            "new_rtc_session", lambda event: event.session.on("progress", lambda _: event.session.answer())
        )
        await _deliver(sides, ORDERS["mixed"], "")
        assert [side.calls[0].is_established() for side in sides] == [True, True]
        if setup:
            for press in BUTTONS[setup]:
                bob.press(press, {})
            await _deliver(sides, ORDERS["mixed"], "")
        for side, name in ((alice, first), (bob, second)):
            for press in BUTTONS[name]:
                try:
                    side.press(press, {})
                except InvalidStateError:
                    assert name == "hold and hang up"
        await _deliver(sides, ORDERS[order], seed)
        _agree(alice, bob)
    finally:
        for side in sides:
            await side.stop()


def _agree(alice: FlowAgent, bob: FlowAgent) -> None:
    one, two = alice.calls[0], bob.calls[0]
    assert one.is_ended() == two.is_ended()
    assert [alice.left(), bob.left()] == [{}, {}]
    for side in (alice, bob):
        assert all(future.done() for future in side.futures)
    if one.is_ended():
        return
    for mine, theirs in ((one, two), (two, one)):
        assert mine.is_on_hold()["local"] == theirs.is_on_hold()["remote"]
        assert mine.is_ready_to_re_offer()
        assert _sends(mine) == _receives(theirs), (_directions(mine), _directions(theirs))


def _directions(call: Any) -> tuple[str, str]:
    description = call.media.local_description
    own = next(line[2:] for line in description.splitlines() if line[2:] in _ALL)
    return own, call.media.remote_direction


_ALL = ("sendrecv", "sendonly", "recvonly", "inactive")


def _sends(call: Any) -> bool:
    own, remote = _directions(call)
    return own in ("sendrecv", "sendonly") and remote in ("sendrecv", "recvonly")


def _receives(call: Any) -> bool:
    own, remote = _directions(call)
    return own in ("sendrecv", "recvonly") and remote in ("sendrecv", "sendonly")


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("second", BUTTONS)
@pytest.mark.parametrize("first", BUTTONS)
def test_two_buttons_at_once(first: str, second: str, order: str) -> None:
    run_simulated(_cross(first, second, order, ""))


@pytest.mark.parametrize("second", BUTTONS)
@pytest.mark.parametrize("first", BUTTONS)
def test_two_buttons_on_a_slow_network(first: str, second: str) -> None:
    run_simulated(_cross(first, second, "mixed", f"{first} and {second}"))


@pytest.mark.parametrize("setup", ["hold", "receive only"])
@pytest.mark.parametrize("second", BUTTONS)
@pytest.mark.parametrize("first", BUTTONS)
def test_two_buttons_in_a_call_on_hold(first: str, second: str, setup: str) -> None:
    run_simulated(_cross(first, second, "mixed", f"{first} {second}", setup))
