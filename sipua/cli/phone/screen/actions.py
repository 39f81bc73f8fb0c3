"""What the keys of the phone do with calls, and the windows in which they ask for more."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from textual.app import App
from textual.widgets import OptionList

from sipua.cli.phone.commands import choose_sound, refusal
from sipua.cli.phone.finding import short
from sipua.cli.phone.screen.calls import Calls
from sipua.cli.phone.screen.dial import DialField
from sipua.cli.phone.screen.dialogs import Ask, Keypad, Show, TransferTo
from sipua.cli.phone.screen.keys import help_text
from sipua.cli.phone.screen.pages import Pages
from sipua.cli.phone.sound import CHOICES

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from sipua.cli.phone.line import Line
    from sipua.cli.phone.phone import Phone

__all__ = ["Actions"]


class Actions(App[None]):
    """The part of the screen that does something."""

    def __init__(self, phone: Phone) -> None:
        super().__init__()
        self.phone = phone
        self.chosen: Line = phone.lines[0]
        """The account that calls and messages go out from."""
        self._tasks: set[asyncio.Task[Any]] = set()

    @abstractmethod
    def show_now(self) -> None:
        """Everything as it is at this moment."""

    def do(self, action: Callable[[], object]) -> bool:
        """What cannot be done is told in one line. Returns whether it could."""
        try:
            action()
        except Exception as error:  # noqa: BLE001 - told: calls have to go on
            self.phone.bulletin.notice(refusal(error))
            return False
        finally:
            self.show_now()
        return True

    def _await(self, work: Coroutine[Any, Any, Any]) -> None:
        async def guarded() -> None:
            try:
                await work
            except Exception as error:  # noqa: BLE001 - told: calls have to go on
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
        self.do(self.phone.answer)

    def action_hang_up(self) -> None:
        """End the selected call; of one that waits for an answer, refuse it."""
        self.do(self.phone.hang_up)

    def action_hold(self) -> None:
        """Hold, or resume."""
        call = self.phone.selected
        if call is None or not call.is_up:
            self.do(self.phone.talking)
        elif call.state == "held":
            self._await(self.phone.resume(call.number))
        else:
            self._await(self.phone.hold(call.number))

    def action_mute(self) -> None:
        """Mute, or not."""
        self.do(self.phone.mute)

    def action_conference(self) -> None:
        """Begin one, take further calls in, or end it."""
        desk, calls = self.phone.desk, [call for call in self.phone.calls if call.is_up]
        if desk.conference and len(desk.conference) == len(calls):
            self.do(desk.split)
        else:
            self.do(lambda: desk.join(calls))

    def action_record(self) -> None:
        """Begin a recording, or end it; on the page of accounts, register."""
        if self.query_one(Pages).active == "lines" and isinstance(self.focused, OptionList):
            index = self.query_one(Pages).highlighted("lines") or 0
            self._await(_register(self.phone.lines[index]))
            return
        call = self.phone.selected
        recordings = self.phone.recordings
        self.do(recordings.stop if call is not None and call.is_recorded else recordings.start)

    def action_accept_transfer(self) -> None:
        """Call whom the peer asks us to call."""
        self.do(self.phone.transfers.accept)

    def action_refuse_transfer(self) -> None:
        """Do not."""
        self.do(self.phone.transfers.refuse)

    def action_help(self) -> None:
        """All keys."""
        self.push_screen(Show("Keys", help_text()))

    # --- windows ------------------------------------------------------------------------------------------

    def action_transfer(self) -> None:
        """Ask where to."""
        call = self.phone.selected
        if call is None or not call.is_up:
            self.do(self.phone.talking)
            return
        others = [other for other in self.phone.calls if other is not call and other.is_up]

        def chosen(where: str | int | None) -> None:
            if isinstance(where, int):
                self.do(lambda: self.phone.transfers.attended(where, call.number))
            elif where:
                self.do(lambda: self.phone.transfers.blind(where, call.number))

        self.push_screen(TransferTo(call, others, self.phone.book.suggestions()), chosen)

    def action_keypad(self) -> None:
        """Digits for the selected call."""
        call = self.phone.selected
        if call is None or not call.is_up:
            self.do(self.phone.talking)
            return

        def send(digit: str) -> None:
            self.do(lambda: self.phone.send_digits(digit, call.number))

        self.push_screen(Keypad(f"Digits to {short(call.remote)}", send))

    def action_message(self) -> None:
        """Write to somebody: whom we talk to, or who wrote last."""
        selected, messages = self.phone.selected, self.phone.messages.all
        to, account = "", self.chosen.name
        if selected is not None:
            to, account = selected.remote, selected.line.name
        elif messages:
            to, account = messages[-1].remote, messages[-1].account

        def written(fields: tuple[str, ...] | None) -> None:
            if fields is not None:
                ours = account if fields[0] == to else self.chosen.name
                self.do(lambda: self.phone.messages.send(fields[0], fields[1], ours))

        fields = [("To", to), ("Text", "")]
        self.push_screen(Ask("Message", fields, "Enter send", self.phone.book.suggestions()), written)

    def action_contact(self) -> None:
        """Remember somebody: whom we talk to, or who is highlighted in the history."""

        def named(fields: tuple[str, ...] | None) -> None:
            if fields is not None and all(fields):
                self.do(lambda: self.phone.book.add(*fields))

        fields = [("Name", ""), ("What to dial", self._somebody())]
        self.push_screen(Ask("New contact", fields, "Enter save"), named)

    def action_sound(self) -> None:
        """Choose what peers hear, or where we hear them."""

        def chosen(fields: tuple[str, ...] | None) -> None:
            if fields is not None and fields[0]:
                self.do(lambda: choose_sound(self.phone, fields[0]))

        sound = self.phone.sound
        now = f"Now: {sound.source_name}; {sound.sink_name or 'no speaker'}\nOne of: {CHOICES}"
        self.push_screen(Ask("Sound", [(now, "")], "Enter choose", sound.suggestions()), chosen)

    def _somebody(self) -> str:
        pages, history = self.query_one(Pages), self.phone.book.history
        at = pages.highlighted("history")
        if pages.active == "history" and at is not None and history:
            return history[-1 - at].remote
        return self.phone.selected.remote if self.phone.selected is not None else ""


async def _register(line: Line) -> None:
    await line.register()
