"""Finding what a command is about: an account, a call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipua.cli.exits import ExitCode, Failure

if TYPE_CHECKING:
    from sipua.cli.phone.book import Book
    from sipua.cli.phone.bulletin import Bulletin
    from sipua.cli.phone.call import PhoneCall
    from sipua.cli.phone.line import Line

__all__ = ["Finding", "short"]


def short(uri: str) -> str:
    """An address as people read it, without parameters: those of a GRUU alone would fill the line."""
    return uri.partition(";")[0].partition("?")[0]


class Finding:
    """The part of `Phone` that knows which accounts and calls there are, and which call is selected."""

    lines: list[Line]
    calls: list[PhoneCall]
    """Those that are not over, in the order in which they began."""
    selected: PhoneCall | None
    """The call that commands are about when they name none."""
    bulletin: Bulletin
    book: Book

    def line(self, account: str | None = None) -> Line:
        """The account of this name or address; None: that of the selected call, else the first one.

        :raises Failure: there is none.
        """
        if account is None:
            return self.selected.line if self.selected is not None else self.lines[0]
        for line in self.lines:
            if account in (line.name, line.uri):
                return line
        there = ", ".join(line.name for line in self.lines)
        raise Failure(f"no account {account!r}; there are: {there}", ExitCode.USAGE)

    def name_of(self, uri: str) -> str | None:
        """The contact who has this address."""
        return self.book.name_of(uri, [str(line.ua.configuration.uri.host) for line in self.lines])

    def call(self, number: int | None = None) -> PhoneCall:
        """The call of this number; None: the selected one.

        :raises Failure: there is none.
        """
        if number is None:
            if self.selected is None:
                raise Failure("there is no call", ExitCode.USAGE)
            return self.selected
        for call in self.calls:
            if call.number == number:
                return call
        there = ", ".join(str(call.number) for call in self.calls) or "none"
        raise Failure(f"no call {number}; there are: {there}", ExitCode.USAGE)

    def talking(self, number: int | None = None) -> PhoneCall:
        """The same, of a call that is answered.

        :raises Failure: there is none, or it is not answered yet.
        """
        call = self.call(number)
        if not call.is_up:
            raise Failure(f"call {call.number} is not answered yet", ExitCode.USAGE)
        return call

    def waiting(self, number: int | None = None) -> PhoneCall:
        """The call of this number, or the first that waits for our answer.

        :raises Failure: there is none, or it does not wait.
        """
        if number is None:
            found = [call for call in self.calls if call.waits_for_answer]
            if not found:
                raise Failure("nobody is calling", ExitCode.USAGE)
            return self.selected if self.selected in found and self.selected is not None else found[0]
        call = self.call(number)
        if not call.waits_for_answer:
            raise Failure(f"call {number} does not wait for an answer: it is {call.state}", ExitCode.USAGE)
        return call

    def select(self, number: int | None) -> None:
        """Make it the one that commands are about when they name none."""
        self.select_call(self.call(number))

    def select_call(self, call: PhoneCall | None) -> None:
        """The same, of a call; None: there is none any more."""
        if call is not self.selected:
            self.selected = call
            self.bulletin.event("selected", call=call.number if call is not None else None)
