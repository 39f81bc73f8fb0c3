"""Load tests: many calls at given rates, measured; the engine of ``sipua load``, and a user class for Locust."""

from sipua.load.errors import AccountFailed, LoadError, ProcessFailed
from sipua.load.figures import Figures
from sipua.load.generator import Generator
from sipua.load.plan import MAX_RATE, Plan, Slope, parse_ramp
from sipua.load.processes import Processes
from sipua.load.report import LoadReport
from sipua.load.thresholds import Threshold, parse_threshold

__all__ = [
    "MAX_RATE",
    "AccountFailed",
    "Figures",
    "Generator",
    "LoadError",
    "LoadReport",
    "Plan",
    "ProcessFailed",
    "Processes",
    "Slope",
    "Threshold",
    "parse_ramp",
    "parse_threshold",
]
