"""Tools for testing programs built on sipua, and sipua itself: simulated time and a simulated network.

`run_simulated` runs a coroutine in no time at all on a clock of its own; `MemoryNetwork` connects user agents
and servers in one process, and delays, loses, doubles, reorders and cuts what passes, the same on every run.
"""

from sipua.testing.clock import LeakedTasks, SimulatedLoop, SimulationError, run_realtime, run_simulated
from sipua.testing.network import MemoryConnection, MemoryConnector, MemoryNetwork, MemoryServer
from sipua.testing.wire import Conditions, Passed

__all__ = [
    "Conditions",
    "LeakedTasks",
    "MemoryConnection",
    "MemoryConnector",
    "MemoryNetwork",
    "MemoryServer",
    "Passed",
    "SimulatedLoop",
    "SimulationError",
    "run_realtime",
    "run_simulated",
]
