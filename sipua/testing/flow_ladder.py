"""A flow as a ladder, in text: one column for each participant, one line for each thing that happened."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sipua.testing.flow_steps import Fate

#: Characters between two columns.
WIDTH = 30


@dataclass
class Ladder:
    """The lines so far; `str` gives the drawing."""

    people: Sequence[str]
    lines: list[str] = field(default_factory=list)

    def arrow(self, time: float, sender: str, receiver: str, text: str, fate: Fate = "arrives") -> None:
        """A message. One that is lost or held ends before its column."""
        start, end = self._column(sender), self._column(receiver)
        low, high = min(start, end), max(start, end)
        room = high - low - 1
        label = f" {text} "[: room - 2]
        shaft = label.center(room, "─")
        if fate != "arrives":
            mark = "✗" if fate == "lost" else "…"
            shaft = f"{shaft[:-1]}{mark}" if end > start else f"{mark}{shaft[1:]}"
        elif end > start:
            shaft = f"{shaft[:-1]}▶"
        else:
            shaft = f"◀{shaft[1:]}"
        row = self._rails()
        row[low + 1 : high] = shaft
        self._add(time, "".join(row))

    def note(self, time: float, who: str, text: str) -> None:
        """Something that a participant does or shows."""
        row = "".join(self._rails())
        start = self._column(who) if who in self.people else 0
        self._add(time, f"{row[:start]}● {text}")

    def __str__(self) -> str:
        head = [" "] * (WIDTH * len(self.people) + 8)
        for who in self.people:
            start = self._column(who)
            head[start : start + len(who)] = who
        return "\n".join([" " * 11 + "".join(head).rstrip(), *self.lines])

    def _add(self, time: float, row: str) -> None:
        self.lines.append(f"{time:9.3f}  {row.rstrip()}")

    def _column(self, who: str) -> int:
        return list(self.people).index(who) * WIDTH

    def _rails(self) -> list[str]:
        row = [" "] * (WIDTH * (len(self.people) - 1) + 1)
        for number in range(len(self.people)):
            row[number * WIDTH] = "│"
        return row


def indented(text: str, prefix: str) -> Iterable[str]:
    """The lines of `text` behind `prefix`."""
    return (f"{prefix}{line}" for line in text.replace("\r\n", "\n").rstrip("\n").split("\n"))
