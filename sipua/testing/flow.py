"""Call flows as data: a ladder diagram that is carried out.

A `Flow` names its participants and lists its steps in order. An `Agent` is a real `sipua.UA` with media that only
signals; a `Peer` is a script: it writes what the steps say, and can therefore be wrong, late or twice. Steps are
buttons pressed (`Press`), messages on the wire (`Arrow`), time that passes (`Wait`), and what must be true
(`Events`, `Shows`, `Finished`)::

    from sipua.testing import Agent, Arrow, Events, Flow, Peer, Press, Shows, run_flow

    BUSY = Flow(
        "RFC 3665 §3.9",
        "Unsuccessful: busy",
        {"alice": Agent(), "bob": Peer()},
        [
            Press("alice", "call", "bob"),
            Arrow("alice -> bob", "INVITE", "F1", sdp="sendrecv"),
            Arrow("bob -> alice", "100"),
            Arrow("bob -> alice", "486", headers={"Retry-After": "30"}),
            Arrow("alice -> bob", "ACK", cseq="F1", branch="F1"),
            Events("alice", ("failed", {"cause": "Busy", "originator": "remote"})),
            Shows("alice", is_ended=True),
        ],
    )

    run_flow(BUSY)

The ladder is complete. What an agent sends must be the next arrow of the script, at that moment (or `after` so many
seconds), and is delivered, held up or lost as the arrow says. Nothing that the script does not show may be sent,
neither while time passes nor for 40 seconds after the last step; nothing may be logged as an error; and an agent
without calls must at the end have let go of everything. A flow that goes another way raises `FlowFailed`, which shows
the ladder up to there, what had to come, and what came instead.

Time is simulated: flows of hours take milliseconds, always in the same order.
"""

from __future__ import annotations

from sipua.testing.clock import run_simulated
from sipua.testing.flow_player import FlowFailed, play
from sipua.testing.flow_steps import (
    Agent,
    Arrives,
    Arrow,
    Call,
    Cut,
    Events,
    Fails,
    Finished,
    Flow,
    Named,
    Peer,
    Press,
    Shows,
    Wait,
    description,
)

__all__ = [
    "Agent",
    "Arrives",
    "Arrow",
    "Call",
    "Cut",
    "Events",
    "Fails",
    "Finished",
    "Flow",
    "FlowFailed",
    "Named",
    "Peer",
    "Press",
    "Shows",
    "Wait",
    "description",
    "play_flow",
    "run_flow",
]


def run_flow(flow: Flow) -> str:
    """Carry the flow out on simulated time; returns its ladder as text.

    :raises FlowFailed: it went another way.
    """
    return run_simulated(play(flow))


async def play_flow(flow: Flow) -> str:
    """Like `run_flow`, for a coroutine that runs on a `SimulatedLoop` already."""
    return await play(flow)
