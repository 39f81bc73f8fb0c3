"""What a load test shall do: how many calls when, and what each of them is."""

from __future__ import annotations

import math
import random
import re
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Self

from sipua.errors import ConfigurationError
from sipua.script.words import parse_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MAX_RATE", "Plan", "Slope", "parse_ramp"]

#: Calls/s: no machine makes more.
MAX_RATE = 10_000


@dataclass(frozen=True, slots=True)
class Slope:
    """A stretch of the test in which the rate goes from `start` to `end` calls/s."""

    start: float
    end: float
    seconds: float

    @property
    def calls(self) -> float:
        """How many are made in it."""
        return (self.start + self.end) / 2 * self.seconds

    def when(self, calls: float) -> float:
        """After how many seconds so many are made."""
        bend = (self.end - self.start) / self.seconds if math.isfinite(self.seconds) else 0.0
        if abs(bend) < 1e-12:
            return calls / self.start
        return (math.sqrt(max(0.0, self.start**2 + 2 * bend * calls)) - self.start) / bend


def parse_ramp(text: str) -> tuple[Slope, ...]:
    """Read such as ``10:30s,20:30s,20-50:1m``: calls/s, or from-to, and for how long.

    :raises ConfigurationError: it cannot be read.
    """
    slopes = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)(?:-(\d+(?:\.\d+)?))?\s*:\s*(\S+)\s*", part)
        seconds = parse_seconds(match[3]) if match else None
        if match is None or not seconds:
            raise ConfigurationError(
                "ramp", part.strip(), "no step; it looks like 10:30s, or 10-50:1m for a slope"
            )
        start, end = float(match[1]), float(match[2] or match[1])
        if max(start, end) > MAX_RATE:
            raise ConfigurationError("ramp", part.strip(), f"more than {MAX_RATE} calls/s; give less")
        slopes.append(Slope(start, end, seconds))
    if not any(slope.calls for slope in slopes):
        raise ConfigurationError("ramp", text, "makes no call; give rates above 0")
    return tuple(slopes)


@dataclass(frozen=True, slots=True)
class Plan:
    """One load test. Plain values only: it goes to other processes as JSON."""

    uri: str
    options: dict[str, Any]
    """Of `UA`: sockets, password and so on."""
    targets: tuple[str, ...]
    """Called in turn."""
    slopes: tuple[Slope, ...] = ()
    """When calls begin; none: another as soon as one is over, `limit` at once."""
    limit: int = 0
    """Calls at once; 0: any number. One that is due beyond that is missed."""
    seconds: float | None = None
    """How long calls are begun; None: as long as the slopes say."""
    calls: int | None = None
    """How many are made in all."""
    chance: bool = False
    """Whether they come as telephone calls do: at random (a Poisson process), at the rate in the mean."""
    talk: float = 10.0
    """Seconds that a call lasts when there is no script."""
    script: str | None = None
    script_source: str = "script"
    script_folder: str = "."
    media: bool = False
    """Whether there is audio; else it is signalling only."""
    media_options: dict[str, Any] = field(default_factory=dict)
    timeout: float = 30.0
    """Seconds for the answer."""
    agents: int = 1
    """Connections of each account, in each process that has it."""
    others: tuple[tuple[str, dict[str, Any]], ...] = ()
    """Further accounts, each its address and its options of `UA`: calls are spread over all."""
    register: bool = False
    drain: float = 30.0
    """Seconds that calls have for their end when the test is broken off."""
    processes: int = 1
    process: int = 0
    """Which of them this is."""
    seed: int = 0

    @property
    def duration(self) -> float | None:
        """Seconds in which calls are begun; None: that depends."""
        whole = sum(slope.seconds for slope in self.slopes) if self.slopes else math.inf
        whole = min(whole, self.seconds if self.seconds is not None else math.inf)
        if self.slopes and self.calls is not None:
            whole = min(whole, self.begin(self.calls))
        return whole if math.isfinite(whole) else None

    @property
    def own_accounts(self) -> list[tuple[str, dict[str, Any]]]:
        """Of this process. Accounts are dealt out; where there are fewer than processes, some share one."""
        accounts = [(self.uri, self.options), *self.others]
        own = accounts[self.process :: self.processes]
        return own or [accounts[self.process % len(accounts)]]

    @property
    def own_limit(self) -> int:
        """Of this process; 0: any number."""
        if not self.limit:
            return 0
        return self.limit // self.processes + (self.process < self.limit % self.processes)

    @property
    def own_calls(self) -> int | None:
        """How many of all calls this process makes, where nothing but their number says so."""
        if self.calls is None:
            return None
        return self.calls // self.processes + (self.process < self.calls % self.processes)

    def begin(self, calls: float) -> float:
        """After how many seconds so many calls have been due; infinite: never."""
        passed = 0.0
        for slope in self.slopes:
            if calls < slope.calls - 1e-9:
                return passed + slope.when(calls)
            calls -= slope.calls
            passed += slope.seconds
        return math.inf

    def arrivals(self) -> Iterator[tuple[int, float]]:
        """The calls of this process: which of all they are, from 0, and when they are due, in seconds."""
        chance = random.Random(self.seed)
        due = 0.0
        number = 0
        end = math.inf if self.seconds is None else self.seconds
        while self.calls is None or number < self.calls:
            when = self.begin(due)
            if when >= end:
                return
            if number % self.processes == self.process:
                yield number, when
            number += 1
            due += chance.expovariate(1.0) if self.chance else 1.0

    def as_dict(self) -> dict[str, Any]:
        """For another process."""
        return asdict(self)

    @classmethod
    def of_dict(cls, values: dict[str, Any]) -> Self:
        """What `as_dict` gave, also by way of JSON."""
        slopes = tuple(Slope(**slope) for slope in values["slopes"])
        others = tuple((uri, options) for uri, options in values["others"])
        return cls(**{**values, "targets": tuple(values["targets"]), "slopes": slopes, "others": others})
