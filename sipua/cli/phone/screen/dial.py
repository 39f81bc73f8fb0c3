"""The dial field: completes contacts and past targets, and goes back through them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.suggester import Suggester
from textual.widgets import Input

if TYPE_CHECKING:
    from textual.binding import BindingType
    from textual.events import Key

    from sipua.cli.phone.phone import Phone

__all__ = ["BookSuggester", "DialField"]


class BookSuggester(Suggester):
    """Contacts and those who were talked to, as they are at the moment."""

    def __init__(self, phone: Phone) -> None:
        super().__init__(use_cache=False, case_sensitive=False)
        self._phone = phone

    async def get_suggestion(self, value: str) -> str | None:
        """The first that begins so, or whose user part does."""
        wanted = value.lower()
        found = self._phone.book.suggestions()
        found += [text.partition(":")[2] for text in found if text.startswith(("sip:", "sips:"))]
        return next((text for text in found if text.lower().startswith(wanted)), None)


class DialField(Input):
    """Where a target is typed. Up and down go through what was dialled before."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "past(1)", "earlier", show=False),
        Binding("down", "past(-1)", "later", show=False),
    ]

    def __init__(self, phone: Phone) -> None:
        super().__init__(
            placeholder="number, name, contact or SIP address",
            suggester=BookSuggester(phone),
            id="dial",
            select_on_focus=False,
        )
        self._phone = phone
        self._at = 0

    async def _on_key(self, event: Key) -> None:
        """Enter counts when it comes: as a binding it would after keys that came later."""
        if event.key == "enter":
            event.stop()
            event.prevent_default()
            await self.action_submit()
        else:
            await super()._on_key(event)

    def begin(self, text: str = "") -> None:
        """Type here from now on, after `text`."""
        self._at = 0
        self.screen.set_focus(self)  # now, for the next key may be there already
        if text:
            self.value = text
        self.cursor_position = len(self.value)

    def action_past(self, by: int) -> None:
        """An earlier target (1), or a later one (-1)."""
        past = [entry.remote for entry in reversed(self._phone.book.history) if entry.direction == "outgoing"]
        past = list(dict.fromkeys(past))
        self._at = max(0, min(len(past), self._at + by))
        self.value = past[self._at - 1] if self._at else ""
        self.cursor_position = len(self.value)
