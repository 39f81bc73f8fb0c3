"""The calls that are going on, as a list of which one is selected."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding

from sipua.cli.phone.screen.figures import call_text
from sipua.cli.phone.screen.shown import Shown

if TYPE_CHECKING:
    from textual.binding import BindingType
    from textual.events import Click

    from sipua.cli.phone.phone import Phone

__all__ = ["Calls"]


class Calls(Shown, can_focus=True):
    """Two lines for each call. Up and down select."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "previous call", show=False),
        Binding("down", "move(1)", "next call", show=False),
    ]

    def __init__(self, phone: Phone) -> None:
        super().__init__(id="calls")
        self._phone = phone
        self.border_title = "Calls"

    def show(self) -> None:
        """As they are now."""
        phone, width = self._phone, max(20, self.content_size.width)
        calls = phone.calls
        if not calls:
            self.show_text(Text("no call; d dials", "dim"))
            return
        first = self._first()
        shown = calls[first : first + self._room]
        self.show_text(
            Text("\n").join(
                call_text(call, selected=call is phone.selected, muted=phone.desk.is_muted(call), width=width)
                for call in shown
            )
        )
        hidden = len(calls) - len(shown)
        self.border_subtitle = f"{hidden} more: ↑ ↓" if hidden else ""

    @property
    def _room(self) -> int:
        """How many calls there is room for."""
        return max(1, (int(self.screen.size.height * 0.4) - 2) // 2)

    def _first(self) -> int:
        """The first that is shown, so that the selected one is."""
        calls = self._phone.calls
        selected = calls.index(self._phone.selected) if self._phone.selected in calls else 0
        return max(0, min(selected, len(calls) - self._room))

    def action_move(self, by: int) -> None:
        """Select the next or the previous one."""
        calls = self._phone.calls
        if calls:
            now = calls.index(self._phone.selected) if self._phone.selected in calls else 0
            self._phone.select(calls[max(0, min(len(calls) - 1, now + by))].number)

    def on_click(self, event: Click) -> None:
        """Select the one that was clicked on."""
        at = event.get_content_offset(self)
        if at is not None and self._phone.calls:
            index = self._first() + at.y // 2
            if index < len(self._phone.calls):
                self._phone.select(self._phone.calls[index].number)
