"""What a load test has counted so far, in all and for each second."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from sipua.load.histogram import Histogram

if TYPE_CHECKING:
    from sipua.media.interface import MediaStats

__all__ = ["Figures", "Second"]

_COUNTS = ("started", "answered", "passed", "failed", "missed")
_OTHERS = ("disconnects", "packets_sent", "packets_received", "packets_lost")
_HISTOGRAMS = ("setup", "ringing", "lasted", "jitter", "round_trip", "mos")


@dataclass(slots=True)
class Second:
    """One second of the test."""

    started: int = 0
    answered: int = 0
    passed: int = 0
    failed: int = 0
    missed: int = 0
    active: int = 0
    """The most calls at once in it."""
    setup: Histogram = field(default_factory=Histogram)


class Figures:
    """All of it. Times are in seconds; those of the calls are since the beginning of the test."""

    def __init__(self) -> None:
        self.started = 0
        self.answered = 0
        self.passed = 0
        """Calls that went as they should."""
        self.failed = 0
        self.missed = 0
        """Calls that were due and not made, as there were as many as may be."""
        self.active = 0
        self.peak = 0
        self.disconnects = 0
        """How often a connection to the server was lost."""
        self.packets_sent = self.packets_received = self.packets_lost = 0
        self.causes: Counter[str] = Counter()
        """Of failures."""
        self.setup = Histogram()
        """From the INVITE to the answer."""
        self.ringing = Histogram()
        """From the INVITE to the first provisional response of 180 or more."""
        self.lasted = Histogram()
        """From the answer to the end."""
        self.jitter, self.round_trip, self.mos = Histogram(), Histogram(), Histogram()
        """Of the calls with media, at their end."""
        self.seconds: dict[int, Second] = {}

    @property
    def over(self) -> int:
        """Calls that are."""
        return self.passed + self.failed

    @property
    def failure_share(self) -> float:
        """Of the calls that are over, from 0 to 1."""
        return self.failed / self.over if self.over else 0.0

    @property
    def loss_share(self) -> float | None:
        """Of the packets that should have come, from 0 to 1; None: there were none."""
        expected = self.packets_received + self.packets_lost
        return self.packets_lost / expected if expected else None

    def _second(self, time: float) -> Second:
        second = self.seconds.get(int(time))
        if second is None:
            second = self.seconds[int(time)] = Second(active=self.active)
        return second

    def pass_time(self, time: float) -> None:
        """It is so late now: each second is to have its figures, also one in which nothing happens."""
        self._second(time)

    # --- while it runs ------------------------------------------------------------------------------------

    def call_started(self, time: float) -> None:
        """One more call."""
        second = self._second(time)
        self.started += 1
        second.started += 1
        self.active += 1
        self.peak = max(self.peak, self.active)
        second.active = max(second.active, self.active)

    def call_missed(self, time: float) -> None:
        """There should have been one more."""
        self.missed += 1
        self._second(time).missed += 1

    def call_answered(self, time: float, setup: float) -> None:
        """It was, `setup` seconds after its INVITE."""
        second = self._second(time)
        self.answered += 1
        second.answered += 1
        self.setup.add(setup)
        second.setup.add(setup)

    def call_over(
        self, time: float, cause: str | None, lasted: float | None, stats: MediaStats | None
    ) -> None:
        """It is over.

        :param cause: why it failed; None: it did not.
        :param lasted: seconds since the answer; None: there was none.
        """
        second = self._second(time)
        self.active -= 1
        if cause is None:
            self.passed += 1
            second.passed += 1
        else:
            self.failed += 1
            second.failed += 1
            self.causes[cause] += 1
        if lasted is not None:
            self.lasted.add(lasted)
        if stats is not None:
            self._add_media(stats)

    def _add_media(self, stats: MediaStats) -> None:
        self.packets_sent += stats.packets_sent
        self.packets_received += stats.packets_received
        self.packets_lost += stats.packets_lost
        if stats.packets_received:
            self.jitter.add(stats.jitter)
        if stats.rtt is not None:
            self.round_trip.add(stats.rtt)
        if stats.mos is not None:
            self.mos.add(stats.mos)

    def abandon(self) -> None:
        """Who has counted is gone: of calls that went on nothing will be heard."""
        self.failed += self.active
        if self.active:
            self.causes["lost with its process"] += self.active
        self.active = 0

    # --- over processes -----------------------------------------------------------------------------------

    def merge(self, other: Self) -> None:
        """Add those of another process. The peak is that of the sums of each second, where these are known."""
        for name in (*_COUNTS, "active", *_OTHERS):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.causes.update(other.causes)
        for name in _HISTOGRAMS:
            getattr(self, name).merge(getattr(other, name))
        for index, theirs in other.seconds.items():
            ours = self.seconds.setdefault(index, Second())
            for name in (*_COUNTS, "active"):
                setattr(ours, name, getattr(ours, name) + getattr(theirs, name))
            ours.setup.merge(theirs.setup)
        self.peak = max((second.active for second in self.seconds.values()), default=self.peak + other.peak)

    def as_dict(self, *, seconds: bool = True) -> dict[str, Any]:
        """For another process.

        :param seconds: with the figures of each second.
        """
        values: dict[str, Any] = {
            name: getattr(self, name) for name in (*_COUNTS, "active", "peak", *_OTHERS)
        }
        values["causes"] = dict(self.causes)
        values |= {name: getattr(self, name).as_dict() for name in _HISTOGRAMS}
        values["seconds"] = {
            str(index): {
                **{name: getattr(second, name) for name in (*_COUNTS, "active")},
                "setup": second.setup.as_dict(),
            }
            for index, second in (self.seconds if seconds else {}).items()
        }
        return values

    @classmethod
    def of_dict(cls, values: dict[str, Any]) -> Self:
        """What `as_dict` gave."""
        made = cls()
        for name in (*_COUNTS, "active", "peak", *_OTHERS):
            setattr(made, name, values[name])
        made.causes = Counter(values["causes"])
        for name in _HISTOGRAMS:
            setattr(made, name, Histogram.of_dict(values[name]))
        for index, second in values["seconds"].items():
            counts = {name: second[name] for name in (*_COUNTS, "active")}
            made.seconds[int(index)] = Second(**counts, setup=Histogram.of_dict(second["setup"]))
        return made
