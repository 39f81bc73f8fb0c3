"""Tools for testing programs built on sipua, and sipua itself: simulated time and a simulated network."""

from sipua.testing.clock import LeakedTasks, SimulatedLoop, SimulationError, run_realtime, run_simulated

__all__ = ["LeakedTasks", "SimulatedLoop", "SimulationError", "run_realtime", "run_simulated"]
