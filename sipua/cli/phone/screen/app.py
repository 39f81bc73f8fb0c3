"""The screen of the phone: what it shows, and what its keys do."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual.app import App
from textual.binding import Binding
from textual.containers import Horizontal
from textual.widgets import Input, OptionList

from sipua.cli.phone.commands import REFUSALS, refusal
from sipua.cli.phone.screen.calls import Calls
from sipua.cli.phone.screen.dial import DialField
from sipua.cli.phone.screen.dialogs import Ask, Keypad, Show, TransferTo
from sipua.cli.phone.screen.figures import accounts_text
from sipua.cli.phone.screen.keys import KEYS, PAGES, help_text, keys_text
from sipua.cli.phone.screen.pages import Pages
from sipua.cli.phone.screen.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from sipua.cli.phone.bulletin import News
    from sipua.cli.phone.line import Line
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


class PhoneApp(App[None]):
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
        super().__init__()
        self.phone = phone
        self._from: Line = phone.lines[0]
        self._news = Text()
        self.was_cut_short = False
        """Whether it was ended at once, without waiting for the goodbyes."""
        self._leaving: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._bells = 0

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
        self.set_interval(REFRESH, self._refresh)
        self.phone.start()
        self._refresh()

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

    def _refresh(self) -> None:
        if not self.is_running or not self.screen_stack:
            return
        screen = self.screen_stack[0]
        width = self.size.width - 2
        screen.query_one(Calls).show()
        screen.query_one(Pages).show(self._from)
        screen.query_one("#accounts", Shown).show_text(accounts_text(self.phone, width))
        screen.query_one("#news", Shown).show_text(self._news)
        screen.query_one("#from", Shown).show_text(Text(f"{self._from.name} calls:", no_wrap=True))
        dialling = isinstance(self.focused, DialField)
        screen.query_one("#keys", Shown).show_text(keys_text(self.phone, width, dialling=dialling))
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

    # --- doing --------------------------------------------------------------------------------------------

    def _do(self, action: Callable[[], object]) -> bool:
        """What cannot be done is told in one line. Returns whether it could."""
        try:
            action()
        except REFUSALS as error:
            self.phone.bulletin.notice(refusal(error))
            return False
        finally:
            self._refresh()
        return True

    def _await(self, work: Coroutine[Any, Any, Any]) -> None:
        async def guarded() -> None:
            try:
                await work
            except REFUSALS as error:
                self.phone.bulletin.notice(refusal(error))

        task = asyncio.ensure_future(guarded())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def action_dial(self) -> None:
        """To the dial field."""
        self.query_one(DialField).begin()

    def action_calls(self) -> None:
        """To the list of calls."""
        self.screen.set_focus(self.query_one(Calls))

    def action_page(self, page: str) -> None:
        """To a page."""
        self.query_one(Pages).focus_page(page)

    def action_answer(self) -> None:
        """Take a call."""
        self._do(self.phone.answer)

    def action_hang_up(self) -> None:
        """End the selected call; of one that waits for an answer, refuse it."""
        self._do(self.phone.hang_up)

    def action_hold(self) -> None:
        """Hold, or resume."""
        call = self.phone.selected
        if call is None or not call.is_up:
            self._do(self.phone.talking)
        elif call.state == "held":
            self._await(self.phone.resume(call.number))
        else:
            self._await(self.phone.hold(call.number))

    def action_mute(self) -> None:
        """Mute, or not."""
        self._do(self.phone.mute)

    def action_conference(self) -> None:
        """Begin one, take further calls in, or end it."""
        desk, calls = self.phone.desk, [call for call in self.phone.calls if call.is_up]
        if desk.conference and len(desk.conference) == len(calls):
            self._do(desk.split)
        else:
            self._do(lambda: desk.join(calls))

    def action_record(self) -> None:
        """Begin a recording, or end it; on the page of accounts, register."""
        if self.query_one(Pages).active == "lines" and isinstance(self.focused, OptionList):
            index = self.query_one(Pages).highlighted("lines") or 0
            self._await(_register(self.phone.lines[index]))
            return
        call = self.phone.selected
        recordings = self.phone.recordings
        self._do(recordings.stop if call is not None and call.is_recorded else recordings.start)

    def action_accept_transfer(self) -> None:
        """Call whom the peer asks us to call."""
        self._do(self.phone.transfers.accept)

    def action_refuse_transfer(self) -> None:
        """Do not."""
        self._do(self.phone.transfers.refuse)

    def action_help(self) -> None:
        """All keys."""
        self.push_screen(Show("Keys", help_text()))

    # --- windows ------------------------------------------------------------------------------------------

    def action_transfer(self) -> None:
        """Ask where to."""
        call = self.phone.selected
        if call is None or not call.is_up:
            self._do(self.phone.talking)
            return
        others = [other for other in self.phone.calls if other is not call and other.is_up]

        def chosen(where: str | int | None) -> None:
            if isinstance(where, int):
                self._do(lambda: self.phone.transfers.attended(where, call.number))
            elif where:
                self._do(lambda: self.phone.transfers.blind(where, call.number))

        self.push_screen(TransferTo(call, others, self.phone.book.suggestions()), chosen)

    def action_keypad(self) -> None:
        """Digits for the selected call."""
        call = self.phone.selected
        if call is None or not call.is_up:
            self._do(self.phone.talking)
            return

        def send(digit: str) -> None:
            self._do(lambda: self.phone.send_digits(digit, call.number))

        self.push_screen(Keypad(f"Digits to {call.remote}", send))

    def action_message(self) -> None:
        """Write to somebody: whom we talk to, or who wrote last."""
        selected, messages = self.phone.selected, self.phone.messages.all
        to = selected.remote if selected is not None else messages[-1].remote if messages else ""

        def written(fields: tuple[str, ...] | None) -> None:
            if fields is not None:
                self._do(lambda: self.phone.messages.send(fields[0], fields[1], self._from.name))

        fields = [("To", to), ("Text", "")]
        self.push_screen(Ask("Message", fields, "Enter send", self.phone.book.suggestions()), written)

    def action_contact(self) -> None:
        """Remember somebody: whom we talk to, or who is highlighted in the history."""

        def named(fields: tuple[str, ...] | None) -> None:
            if fields is not None and all(fields):
                self._do(lambda: self.phone.book.add(*fields))

        fields = [("Name", ""), ("What to dial", self._somebody())]
        self.push_screen(Ask("New contact", fields, "Enter save"), named)

    def _somebody(self) -> str:
        pages, history = self.query_one(Pages), self.phone.book.history
        at = pages.highlighted("history")
        if pages.active == "history" and at is not None and history:
            return history[-1 - at].remote
        return self.phone.selected.remote if self.phone.selected is not None else ""

    # --- lists, fields and digits ---------------------------------------------------------------------------

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter on a line of a page."""
        pages, index = self.query_one(Pages), event.option_index
        if pages.active == "history":
            self._dial(self.phone.book.history[-1 - index].remote)
        elif pages.active == "contacts":
            self._dial(self.phone.book.contacts[index].target)
        elif pages.active == "trace":
            title, message = pages.traced(index)
            self.push_screen(Show(title, Text(message.replace("\r\n", "\n"))))
        elif pages.active == "lines":
            self._from = self.phone.lines[index]
            self._refresh()

    def action_forget(self) -> None:
        """Forget the contact that is highlighted."""
        pages = self.query_one(Pages)
        at = pages.highlighted("contacts")
        if pages.active == "contacts" and at is not None and at < len(self.phone.book.contacts):
            self._do(lambda: self.phone.book.remove(self.phone.book.contacts[at].name))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter in the dial field."""
        if event.value.strip() and self._dial(event.value.strip()):
            event.input.value = ""

    def _dial(self, target: str) -> bool:
        done = self._do(lambda: self.phone.dial(target, self._from.name))
        if done:
            self.action_calls()
        return done

    def action_digit(self, digit: str) -> None:
        """A digit is sent in the selected call, or else begins a number."""
        call = self.phone.selected
        if call is not None and call.is_up and digit != "+":
            self._do(lambda: self.phone.send_digits(digit, call.number))
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


async def _register(line: Line) -> None:
    await line.ua.register()


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
