"""What is asked for in a window of its own: where to transfer, what to write, digits.

Titles and labels are no markup: addresses and messages may have square brackets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding
from textual.containers import Grid, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.suggester import SuggestFromList
from textual.widgets import Button, Input, Label, OptionList, Static
from textual.widgets.option_list import Option

from sipua.cli.phone.finding import short

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.events import Key

    from sipua.cli.phone.call import PhoneCall

__all__ = ["Ask", "Keypad", "Show", "TransferTo"]

_CLOSE = Binding("escape", "dismiss(None)", "close", show=False)


class Ask(ModalScreen[tuple[str, ...] | None]):
    """Asks for one or several texts; Enter goes on to the next, and with the last one gives all of them.

    :param fields: the name and the first value of each.
    """

    BINDINGS: ClassVar[list[BindingType]] = [_CLOSE]

    def __init__(
        self, title: str, fields: Sequence[tuple[str, str]], hint: str, suggestions: Sequence[str] = ()
    ) -> None:
        super().__init__()
        self._title = title
        self._fields = fields
        self._hint = hint
        self._suggestions = suggestions

    def compose(self) -> ComposeResult:
        """The fields, from top to bottom."""
        with Vertical(classes="dialog") as window:
            window.border_title = Text(self._title)
            for number, (name, value) in enumerate(self._fields):
                yield Label(name, markup=False)
                suggester = SuggestFromList(self._suggestions, case_sensitive=False) if not number else None
                yield Input(value, id=f"field{number}", suggester=suggester)
            following = "   Tab next" if len(self._fields) > 1 else ""
            yield Label(f"{self._hint}{following}   Esc back", classes="hint", markup=False)

    def on_mount(self) -> None:
        """Begin with the first empty one."""
        empty = [number for number, (_, value) in enumerate(self._fields) if not value]
        self.query_one(f"#field{empty[0] if empty else 0}", Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go on, or give all."""
        event.stop()
        number = int(str(event.input.id).removeprefix("field"))
        if number + 1 < len(self._fields):
            self.query_one(f"#field{number + 1}", Input).focus()
            return
        self.dismiss(tuple(field.value.strip() for field in self.query(Input)))


class TransferTo(ModalScreen["str | int | None"]):
    """Asks where to send a peer: gives a target (blind), or the number of a call (attended)."""

    BINDINGS: ClassVar[list[BindingType]] = [_CLOSE]

    def __init__(self, call: PhoneCall, others: Sequence[PhoneCall], suggestions: Sequence[str]) -> None:
        super().__init__()
        self._call = call
        self._others = others
        self._suggestions = suggestions

    def compose(self) -> ComposeResult:
        """A field for a target, and the other calls."""
        with Vertical(classes="dialog") as window:
            window.border_title = Text(f"Transfer {short(self._call.remote)}")
            yield Label("To (blind: the peer calls it by itself)")
            yield Input(id="target", suggester=SuggestFromList(self._suggestions, case_sensitive=False))
            if self._others:
                yield Label("Or connect it with (attended)")
                yield OptionList(
                    *(
                        Option(Text(f"{call.number}  {short(call.remote)}"), id=str(call.number))
                        for call in self._others
                    )
                )
            yield Label("Enter transfer   Tab other calls   Esc back", classes="hint")

    def on_mount(self) -> None:
        """Begin with the target."""
        self.query_one("#target", Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Blind."""
        event.stop()
        if event.value.strip():
            self.dismiss(event.value.strip())

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Attended."""
        event.stop()
        self.dismiss(int(str(event.option.id)))


class Keypad(ModalScreen[None]):
    """Sends digits as they are pressed; `send` gets each."""

    BINDINGS: ClassVar[list[BindingType]] = [_CLOSE, Binding("k", "dismiss(None)", "close", show=False)]
    _KEYS = "123456789*0#"

    def __init__(self, title: str, send: Callable[[str], None]) -> None:
        super().__init__()
        self._title = title
        self._send = send
        self._sent = ""

    def compose(self) -> ComposeResult:
        """Twelve keys, as on a telephone."""
        with Vertical(classes="dialog", id="pad") as window:
            window.border_title = Text(self._title)
            yield Static("", id="sent")
            with Grid():
                for digit in self._KEYS:
                    yield Button(digit, name=digit)
            yield Label("0-9 * # A-D   Esc back", classes="hint")

    def press(self, digit: str) -> None:
        """Send it, and show it."""
        self._send(digit)
        self._sent += digit
        self.query_one("#sent", Static).update(Text(self._sent[-28:], "bold"))

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """With the mouse, or Enter."""
        event.stop()
        self.press(str(event.button.name))

    def on_key(self, event: Key) -> None:
        """With the keyboard."""
        if event.character is not None and event.character.upper() in f"{self._KEYS}ABCD":
            event.stop()
            self.press(event.character.upper())


class Show(ModalScreen[None]):
    """A text that can be scrolled."""

    BINDINGS: ClassVar[list[BindingType]] = [
        _CLOSE,
        Binding("q,enter,question_mark", "dismiss(None)", "close", show=False),
    ]

    def __init__(self, title: str, text: Text) -> None:
        super().__init__()
        self._title = title
        self._text = text

    def compose(self) -> ComposeResult:
        """The text, and how to leave."""
        with Vertical(classes="dialog tall") as window:
            window.border_title = Text(self._title)
            with VerticalScroll():
                yield Static(self._text)
            yield Label("↑ ↓ scroll   Esc back", classes="hint")

    def on_mount(self) -> None:
        """So that the keys scroll."""
        self.query_one(VerticalScroll).focus()
