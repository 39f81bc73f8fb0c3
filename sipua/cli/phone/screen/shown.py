"""A text that is looked at often and changes seldom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.widgets import Static

if TYPE_CHECKING:
    from rich.text import Text

__all__ = ["Shown"]


class Shown(Static):
    """Draws a text only when it has changed, and asks for a new layout only when it has other lines."""

    _now: Text | None = None

    def show_text(self, text: Text) -> None:
        """Show it."""
        before = self._now
        if before is not None and before == text and before.spans == text.spans:
            return
        self._now = text
        same = before is not None and before.plain.count("\n") == text.plain.count("\n")
        self.update(text, layout=not same)
