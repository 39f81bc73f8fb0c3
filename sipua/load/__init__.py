"""Load tests: many calls at given rates, measured; the engine of ``sipua load``, and a user class for Locust."""

from sipua.load.figures import Figures
from sipua.load.generator import Generator
from sipua.load.plan import Plan, Slope, parse_ramp
from sipua.load.processes import Processes, ProcessFailed
from sipua.load.report import LoadReport
from sipua.load.thresholds import Threshold, parse_threshold

__all__ = [
    "Figures",
    "Generator",
    "LoadReport",
    "Plan",
    "ProcessFailed",
    "Processes",
    "Slope",
    "Threshold",
    "parse_ramp",
    "parse_threshold",
]
