"""Keeps what peers have written from steering the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.segment import Segment
from textual.filter import LineFilter

if TYPE_CHECKING:
    from textual.color import Color

__all__ = ["NoControls"]

#: The controls of ISO 6429, which have no width.
_CONTROLS = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0)))


class NoControls(LineFilter):
    """Leaves control characters out of whatever is drawn: names, messages and traces may have them."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same without them."""
        return [
            segment
            if segment.control or segment.text.isprintable()
            else Segment(segment.text.translate(_CONTROLS), segment.style)
            for segment in segments
        ]
