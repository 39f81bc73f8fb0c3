"""Times by the thousand in little memory, to be added up over processes."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any, Self

__all__ = ["Histogram"]

#: The least value that is told apart from 0, and by how much each class is wider than the one before: 2 %.
_LEAST = 1e-4
_GROWTH = math.log(1.02)


class Histogram:
    """How often which value (0 or more) was there. Quantiles are right to 1 %."""

    def __init__(self) -> None:
        self.count = 0
        self.total = 0.0
        self.least = math.inf
        self.most = 0.0
        self._classes: Counter[int] = Counter()

    def add(self, value: float) -> None:
        """One more."""
        value = max(0.0, value)
        self.count += 1
        self.total += value
        self.least = min(self.least, value)
        self.most = max(self.most, value)
        self._classes[self._class(value)] += 1

    def merge(self, other: Self) -> None:
        """All of another one."""
        self.count += other.count
        self.total += other.total
        self.least = min(self.least, other.least)
        self.most = max(self.most, other.most)
        self._classes.update(other._classes)

    @staticmethod
    def _class(value: float) -> int:
        return -1 if value < _LEAST else int(math.log(value / _LEAST) / _GROWTH)

    @property
    def mean(self) -> float | None:
        """None: there is no value."""
        return self.total / self.count if self.count else None

    def quantile(self, share: float) -> float | None:
        """The value that so many, of 1, do not exceed; None: there is no value."""
        if not self.count:
            return None
        rank = max(1, math.ceil(share * self.count - 1e-9))
        for index, count in sorted(self._classes.items()):
            rank -= count
            if rank <= 0:
                value = 0.0 if index < 0 else _LEAST * math.exp((index + 0.5) * _GROWTH)
                return min(max(value, self.least), self.most)
        return self.most

    def bars(self) -> list[tuple[float, float, int]]:
        """The classes that are not empty: from, to, how many."""
        return [
            (
                _LEAST * math.exp(index * _GROWTH) if index >= 0 else 0.0,
                _LEAST * math.exp((index + 1) * _GROWTH) if index >= 0 else _LEAST,
                count,
            )
            for index, count in sorted(self._classes.items())
        ]

    def summary(self) -> dict[str, float | int | None]:
        """The figures that a report has."""
        quantiles = {f"p{percent:g}": self.quantile(percent / 100) for percent in (50, 90, 95, 99, 99.9)}
        ends = {"min": self.least if self.count else None, "max": self.most if self.count else None}
        return {"count": self.count, "mean": self.mean, **ends, **quantiles}

    def as_dict(self) -> dict[str, Any]:
        """For another process."""
        return {
            "count": self.count,
            "total": self.total,
            "least": self.least if self.count else None,
            "most": self.most,
            "classes": {str(index): count for index, count in self._classes.items()},
        }

    @classmethod
    def of_dict(cls, values: dict[str, Any]) -> Self:
        """What `as_dict` gave."""
        made = cls()
        made.count, made.total, made.most = values["count"], values["total"], values["most"]
        made.least = math.inf if values["least"] is None else values["least"]
        made._classes = Counter({int(index): count for index, count in values["classes"].items()})
        return made
