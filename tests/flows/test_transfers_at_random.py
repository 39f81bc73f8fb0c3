"""A transfer among three, while messages take their time and somebody hangs up in the middle of it.

Whatever happens, no call is left that only one side knows, and nothing else is left either.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from sipua.sip import Request
from sipua.testing import Agent, Call, MemoryNetwork, Press, run_simulated
from sipua.testing.flow_agent import FlowAgent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sipua.sip import Response

#: Seconds that a message may take.
DELAYS = (0.0, 0.01, 0.1, 0.3, 0.9)
#: Longer than a subscription of a REFER lives, and than anybody rings.
QUIET = 300.0


def _answer(event: Any) -> None:
    event.session.on("progress", lambda _: None if event.session.is_ended() else event.session.answer())


class Wires:
    """Brings messages from one agent to another; between two of them they keep their order."""

    def __init__(self, agents: Sequence[FlowAgent], rand: random.Random) -> None:
        self._agents = agents
        self._rand = rand
        self._last: dict[tuple[str, str], float] = {}
        self._hosts = {agent.ua.identity.sent_by: agent for agent in agents}
        self._names = {agent.name: agent for agent in agents}

    async def carry(self, seconds: float) -> None:
        """Carry what is sent in the next seconds."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while (left := end - loop.time()) > 0.001:
            for agent in self._agents:
                agent.something_sent.clear()
                while agent.sent:
                    self._send(agent, agent.sent.popleft())
            waits = [asyncio.ensure_future(agent.something_sent.wait()) for agent in self._agents]
            await asyncio.wait(waits, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    def _send(self, sender: FlowAgent, sent: Any) -> None:
        loop = asyncio.get_running_loop()
        receiver = self._receiver(sent.message)
        pair = sender.name, receiver.name
        arrival = max(self._last.get(pair, 0.0), loop.time() + self._rand.choice(DELAYS))
        self._last[pair] = arrival
        loop.call_at(arrival, receiver.deliver, sent.data)

    def _receiver(self, message: Request | Response) -> FlowAgent:
        if not isinstance(message, Request):
            return self._hosts[message.via[0].host]
        return self._hosts.get(message.uri.host) or self._names[message.uri.user or ""]


async def _play(kind: str, meddler: str, seed: int) -> None:
    network, rand = MemoryNetwork(), random.Random(f"{kind} {meddler} {seed}")
    agent = Agent(on={"refer": "accept", "replaces": "accept", "new_rtc_session": _on_call})
    agents = [FlowAgent(name, agent, network) for name in ("alice", "bob", "carol")]
    alice, bob, _ = agents
    wires = Wires(agents, rand)
    try:
        for each in agents:
            each.ua.start()
            await each.ua.ready()
        alice.press(Press("alice", "call", "bob"), {})
        await wires.carry(5)
        if kind == "attended":
            bob.press(Press("bob", "hold"), {})
            bob.press(Press("bob", "call", "carol"), {})
            await wires.carry(5)
            bob.press(Press("bob", "refer", call=1, replaces=Call(2)), {})
        else:
            bob.press(Press("bob", "refer", "carol", call=1), {})
        await wires.carry(rand.uniform(0, 4))
        _meddle(next((each for each in agents if each.name == meddler), None), rand)
        await wires.carry(QUIET)
        _agree(agents, meddler)
    finally:
        for each in agents:
            await each.stop()


def _on_call(event: Any) -> None:
    if event.originator == "remote":
        _answer(event)


def _meddle(agent: FlowAgent | None, rand: random.Random) -> None:
    """Somebody hangs up one of his calls."""
    alive = [call for call in agent.calls if not call.is_ended()] if agent is not None else []
    if alive:
        rand.choice(alive).terminate()


def _agree(agents: list[FlowAgent], meddler: str) -> None:
    up = Counter(call.request.call_id for agent in agents for call in agent.calls if not call.is_ended())
    assert all(count == 2 for count in up.values()), up
    assert [agent.left() for agent in agents] == [{}, {}, {}]
    if meddler == "nobody":
        alive = [
            [call.remote_identity.uri.user for call in agent.calls if not call.is_ended()] for agent in agents
        ]
        assert alive == [["carol"], [], ["alice"]]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("meddler", ["nobody", "alice", "bob", "carol"])
@pytest.mark.parametrize("kind", ["blind", "attended"])
def test_transfer_leaves_no_call_with_one_side(kind: str, meddler: str, seed: int) -> None:
    run_simulated(_play(kind, meddler, seed))
