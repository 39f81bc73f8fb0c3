"""The screen of the phone: what it shows, and what its keys do."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding
from textual.containers import Horizontal
from textual.widgets import Input, OptionList

from sipua.cli.phone.screen.actions import Actions
from sipua.cli.phone.screen.calls import Calls
from sipua.cli.phone.screen.controls import NoControls
from sipua.cli.phone.screen.dial import DialField
from sipua.cli.phone.screen.dialogs import Show
from sipua.cli.phone.screen.figures import accounts_text
from sipua.cli.phone.screen.keys import KEYS, PAGES, keys_text
from sipua.cli.phone.screen.pages import Pages
from sipua.cli.phone.screen.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.filter import LineFilter

    from sipua.cli.phone.bulletin import News
    from sipua.cli.phone.phone import Phone

__all__ = ["PhoneApp", "run_screen"]

#: Seconds between two looks at meters and timers.
REFRESH = 0.2


def _bindings() -> Iterator[tuple[str, str]]:
    for key in KEYS:
        if key.action:
            yield key.key, key.action
    for name, function_key, _, _ in PAGES:
        yield function_key.lower(), f"page('{name}')"
    for digit in "0123456789*#+":
        yield _NAMES.get(digit, digit), f"digit('{digit}')"
    yield from (("y", "accept_transfer"), ("x", "refuse_transfer"), ("slash", "dial"))
    yield from (("delete", "forget"), ("escape", "calls"))


#: What textual calls these.
_NAMES = {"*": "asterisk", "#": "number_sign", "+": "plus"}

#: What may be done while somebody types.
_WHILE_TYPING = ("page", "calls", "end")


class PhoneApp(Actions):
    """Shows a phone, and starts and stops it."""

    CSS_PATH = "phone.tcss"
    ENABLE_COMMAND_PALETTE = False
    TITLE = "sipua phone"
    # With priority, so that each key has done its work before the next one is looked at; see `check_action`.
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(key, action, show=False, priority=True) for key, action in _bindings()),
        Binding("ctrl+c,ctrl+q", "end", show=False, priority=True),
    ]

    def __init__(self, phone: Phone) -> None:
        super().__init__(phone)
        self._news = Text()
        self._no_controls = NoControls()
        self.was_cut_short = False
        """Whether it was ended at once, without waiting for the goodbyes."""
        self._leaving: asyncio.Task[None] | None = None
        self._bells = 0

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Nothing but text is drawn, whatever it comes from."""
        return [*super().get_line_filters(), self._no_controls]

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        yield Shown(id="accounts")
        yield Calls(self.phone)
        yield Pages(self.phone)
        yield Shown(id="news")
        with Horizontal(id="dialling"):
            yield Shown(id="from")
            yield DialField(self.phone)
        yield Shown(id="keys")

    def on_mount(self) -> None:
        """Begin when there is a layout: the phone connects once there is somebody to see it."""
        self.query_one(Calls).focus()
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        self.phone.bulletin.on_log = lambda text: self.query_one(Pages).log_line(text, "dim")
        self.phone.bulletin.listen(self._tell)
        self.set_interval(REFRESH, self.show_now)
        self.phone.start()
        self.show_now()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys are the phone's unless a window is open or somebody types."""
        if action in _ACTIONS:
            if len(self.screen_stack) > 1:
                return False
            return action in _WHILE_TYPING or not isinstance(self.focused, Input)
        return super().check_action(action, parameters)

    # --- what is shown ------------------------------------------------------------------------------------

    def _tell(self, news: News) -> None:
        if not self.is_running:
            return
        self.query_one(Pages).tell(news)
        if news.text is not None:
            self._news = Text(news.text, no_wrap=True, overflow="ellipsis")
        if news.name == "message":
            self.bell()

    def show_now(self) -> None:
        """Everything as it is at this moment."""
        if not self.is_running or not self.screen_stack:
            return
        screen = self.screen_stack[0]
        width = self.size.width - 2
        screen.query_one(Calls).show()
        screen.query_one(Pages).show(self.chosen)
        screen.query_one("#accounts", Shown).show_text(accounts_text(self.phone, width))
        screen.query_one("#news", Shown).show_text(self._news)
        screen.query_one("#from", Shown).show_text(Text(f"{self.chosen.name} calls:", no_wrap=True))
        dialling, page = isinstance(screen.focused, DialField), screen.query_one(Pages).focused_page
        screen.query_one("#keys", Shown).show_text(keys_text(self.phone, width, dialling=dialling, page=page))
        self._ring()
        if self.phone.quitting.is_set():
            self._leave()

    def _ring(self) -> None:
        """The bell of the terminal, every two seconds."""
        if any(call.waits_for_answer for call in self.phone.calls):
            if self._bells % round(2 / REFRESH) == 0:
                self.bell()
            self._bells += 1
        else:
            self._bells = 0

    # --- lists, fields and digits ---------------------------------------------------------------------------

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter on a line of a page."""
        pages, index = self.query_one(Pages), event.option_index
        if pages.active == "history":
            entry = self.phone.book.history[-1 - index]
            ours = any(line.name == entry.account for line in self.phone.lines)
            self._dial(entry.remote, entry.account if ours else None)
        elif pages.active == "contacts":
            self._dial(self.phone.book.contacts[index].target)
        elif pages.active == "trace":
            title, message = pages.traced(index)
            self.push_screen(Show(title, Text(message.replace("\r\n", "\n"))))
        elif pages.active == "lines":
            self.chosen = self.phone.lines[index]
            self.show_now()

    def action_forget(self) -> None:
        """Forget the contact that is highlighted."""
        pages = self.query_one(Pages)
        at = pages.highlighted("contacts")
        if pages.active == "contacts" and at is not None and at < len(self.phone.book.contacts):
            self.do(lambda: self.phone.book.remove(self.phone.book.contacts[at].name))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter in the dial field."""
        if event.value.strip() and self._dial(event.value.strip()):
            event.input.value = ""

    def _dial(self, target: str, account: str | None = None) -> bool:
        done = self.do(lambda: self.phone.dial(target, account or self.chosen.name))
        if done:
            self.action_calls()
        return done

    def action_digit(self, digit: str) -> None:
        """A digit is sent in the selected call, or else begins a number."""
        call = self.phone.selected
        if call is not None and call.is_up and digit != "+":
            self.do(lambda: self.phone.send_digits(digit, call.number))
        else:
            self.query_one(DialField).begin(digit)

    # --- the end ------------------------------------------------------------------------------------------

    def action_leave(self) -> None:
        """End the phone; the second time at once."""
        self.action_end()

    def action_end(self) -> None:
        """The same, also from a window or while somebody types."""
        if self._leaving is not None:
            self.was_cut_short = True
            self.exit()
            return
        self._leave()

    def _leave(self) -> None:
        if self._leaving is None:
            self.phone.quit()
            self._news = Text("ending calls and registrations; q once more ends at once")
            self._leaving = asyncio.ensure_future(self._stop())

    async def _stop(self) -> None:
        try:
            await self.phone.stop()
        finally:
            self.exit()


_ACTIONS = frozenset(action.partition("(")[0] for _, action in _bindings())


async def run_screen(phone: Phone) -> bool:
    """Show the phone until it has been stopped; returns False when it was not, because that was to be at once."""
    app = PhoneApp(phone)
    try:
        await app.run_async()
    finally:
        phone.bulletin.on_log = None
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError  # by a signal; textual takes it for an ordinary end
    return not app.was_cut_short
