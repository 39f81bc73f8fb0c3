"""The messages of a trace as a ladder, in text: user agents on the left, whom they talk to on the right.

::

     time          we                                        ws://127.0.0.1:8080/
    0.000   A       │── INVITE sip:600@localhost ──────────────────▶│  1, SDP offer
    0.002   A       │◀──────────── 407 Proxy Authentication Required│  1 INVITE
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sipua.trace.story import US, EventStep, MessageStep, Story

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sipua.trace.records import Record

__all__ = ["ASCII", "UNICODE", "WIDTH", "Glyphs", "Line", "ladder", "ladder_lines"]

#: Characters between the two lines of the ladder; with more than two lines, between two neighbours at least; and on
#: a screen that is too narrow for that.
WIDTH, NARROW, NARROWEST = 46, 24, 12

#: Before the ladder: time and dialog. Behind it, on a narrow screen, notes have so much at least.
_LEFT, _NOTES = 14, 16


@dataclass(frozen=True, slots=True)
class Glyphs:
    """What the ladder is drawn with."""

    line: str
    dash: str
    left: str
    right: str
    event: str
    cut: str
    """Where something is left out."""


UNICODE = Glyphs("│", "─", "◀", "▶", "•", "…")
ASCII = Glyphs("|", "-", "<", ">", "*", "..")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text, and what it shows: None for heads and feet."""

    text: str
    step: MessageStep | EventStep | None = None


def ladder(
    records: Iterable[Record],
    *,
    call_id: str | None = None,
    us: str = US,
    glyphs: Glyphs = UNICODE,
    columns: int | None = None,
) -> str:
    """Draw the messages, those of one call only when `call_id` is given.

    Times are in seconds since the first message shown. Messages that cannot be read are shown as such.

    :param columns: of the screen that it has to fit to, as far as it can; None: as wide as it is.
    """
    found = ladder_lines(Story(records), call_id=call_id, us=us, glyphs=glyphs, columns=columns)
    return "\n".join(line.text for line in found)


def ladder_lines(
    story: Story,
    *,
    call_id: str | None = None,
    us: str = US,
    glyphs: Glyphs = UNICODE,
    numbers: bool = False,
    events: bool = False,
    columns: int | None = None,
) -> list[Line]:
    """The same, line by line.

    :param numbers: begin each line with the number of the message.
    :param events: show also what user agents and calls told.
    """
    messages = [m for m in story.messages if call_id is None or (m.call and m.call.call_id == call_id)]
    steps: list[MessageStep | EventStep] = [*messages]
    if events:
        steps += [e for e in story.events if call_id is None or (e.call and e.call.call_id == call_id)]
        steps.sort(key=lambda step: step.time)
    if not steps:
        return [Line("no SIP message was exchanged")]
    used = {lane for m in messages for lane in (m.source, m.target)} | {
        step.lane for step in steps if isinstance(step, EventStep)
    }
    margin = "  #  " if numbers else ""
    room = None if columns is None else columns - len(margin)
    board = _Board([lane for lane in story.lanes if lane in used], us, glyphs, steps, room)
    lines = [Line(f"{margin}   time       {board.head()}"[:columns])]
    for step in steps:
        number = ""
        if numbers:
            number = f"{step.number:>3}  " if isinstance(step, MessageStep) else "     "
        lines.append(Line((number + board.row(step, steps[0].time)).rstrip(), step))
    shown = dict.fromkeys(step.call for step in messages if step.call is not None) if messages else {}
    return lines + [Line(f"{call.letter}: {call.title}, Call-ID {call.call_id}") for call in shown]


class _Board:
    """Where the lines of the ladder are."""

    def __init__(
        self,
        lanes: Sequence[str],
        us: str,
        glyphs: Glyphs,
        steps: Iterable[MessageStep | EventStep],
        columns: int | None,
    ) -> None:
        self._names = [us if lane == US else lane for lane in lanes]
        self._glyphs = glyphs
        self._columns = columns
        gaps = max(1, len(lanes) - 1)
        width = WIDTH if gaps == 1 else max(NARROW, min(WIDTH, 2 * WIDTH // gaps))
        if columns is not None:
            notes = max((len(", ".join(s.notes)) for s in steps if isinstance(s, MessageStep)), default=0)
            room = columns - _LEFT - 3 - (notes if gaps == 1 else _NOTES)
            width = max(NARROWEST, min(width, room // gaps - 1))
            self._names = [self._shortened(name, width - 1) for name in self._names]
        self._places = {lane: index * (width + 1) for index, lane in enumerate(lanes)}
        self._length = max(self._places.values()) + 1

    def head(self) -> str:
        """The names, each about its line."""
        head = ""
        for name, place in zip(self._names, self._places.values(), strict=True):
            start = place - len(name) // 2 if place else 0
            head = head.ljust(start - 1) + " " if place and len(head) >= start else head.ljust(start)
            head += name
        return head

    def row(self, step: MessageStep | EventStep, start: float) -> str:
        """The step, with its time since `start`."""
        rungs = [" "] * self._length
        for place in self._places.values():
            rungs[place] = self._glyphs.line
        if isinstance(step, EventStep):
            rungs[self._places[step.lane]] = self._glyphs.event
            name = step.call.letter if step.call is not None else ""
            return self._fitted(f"{step.time - start:7.3f}  {name:<3}  {''.join(rungs)}  {step.text}")
        ends = self._places[step.source], self._places[step.target]
        left, right = min(ends), max(ends)
        rungs[left + 1 : right] = self._arrow(step.label, right - left - 1, rightwards=ends[0] < ends[1])
        notes = ", ".join(step.notes)
        return self._fitted(f"{step.time - start:7.3f}  {step.dialog:<3}  {''.join(rungs)}  {notes}")

    def _fitted(self, row: str) -> str:
        """What is too long for the screen ends in an ellipsis: it is in the last column, the notes."""
        if self._columns is None or len(row) <= self._columns:
            return row
        return self._shortened(row, max(self._length + _LEFT + 2, self._columns))

    def _arrow(self, label: str, width: int, *, rightwards: bool) -> str:
        glyphs = self._glyphs
        dashes = glyphs.dash * (2 if width >= NARROW else 1)
        room = width - 2 - 2 * len(dashes)
        if len(label) > room and width < NARROW:
            label = label.split()[0]  # the method, or the status
        label = self._shortened(label, room)
        if rightwards:
            return f"{dashes} {label} ".ljust(width - 1, glyphs.dash) + glyphs.right
        return glyphs.left + f" {label} {dashes}".rjust(width - 1, glyphs.dash)

    def _shortened(self, text: str, most: int) -> str:
        cut = self._glyphs.cut
        return text if len(text) <= most else text[: most - len(cut)] + cut
