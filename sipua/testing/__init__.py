"""Tools for testing programs built on sipua, and sipua itself: simulated time and a simulated network.

`run_simulated` runs a coroutine in no time at all on a clock of its own; `MemoryNetwork` connects user agents
and servers in one process, and delays, loses, doubles, reorders and cuts what passes, the same on every run;
`run_flow` carries out a call flow that is written down as data (`Flow`); `steady` measures sound again when the
machine stood still meanwhile.
"""

from sipua.testing.clock import LeakedTasks, SimulatedLoop, SimulationError, run_realtime, run_simulated
from sipua.testing.flow import (
    Agent,
    Arrives,
    Arrow,
    Call,
    Cut,
    Events,
    Fails,
    Finished,
    Flow,
    FlowFailed,
    Named,
    Peer,
    Press,
    Shows,
    Wait,
    description,
    play_flow,
    run_flow,
)
from sipua.testing.network import MemoryConnection, MemoryConnector, MemoryNetwork, MemoryServer
from sipua.testing.stalls import STALL, StallWatch, calm, steady
from sipua.testing.wire import Conditions, Passed

__all__ = [
    "STALL",
    "Agent",
    "Arrives",
    "Arrow",
    "Call",
    "Conditions",
    "Cut",
    "Events",
    "Fails",
    "Finished",
    "Flow",
    "FlowFailed",
    "LeakedTasks",
    "MemoryConnection",
    "MemoryConnector",
    "MemoryNetwork",
    "MemoryServer",
    "Named",
    "Passed",
    "Peer",
    "Press",
    "Shows",
    "SimulatedLoop",
    "SimulationError",
    "StallWatch",
    "Wait",
    "calm",
    "description",
    "play_flow",
    "run_flow",
    "run_realtime",
    "run_simulated",
    "steady",
]
