"""What a command tells while it runs: lines for people, or JSON lines for programs.

Each thing that happens is told once, by `Output.event`, with a name and fields for programs and a text for
people; `sipua.cli.events` has them all. What a person sees of a call that is going on is a line at the bottom of
the terminal, renewed a few times a second; there is none when standard output is not a terminal.
"""

from __future__ import annotations

import contextlib
import datetime
import io
import json
import logging
import os
import re
import sys
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, TextIO

from sipua.cli.events import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Console
    from rich.live import Live

_STYLES = {
    "confirmed": "green",
    "registered": "green",
    "ended": "cyan",
    "failed": "red",
    "registration_failed": "red",
    "disconnected": "yellow",
    "warning": "yellow",
}


#: What makes terminals do things: controls of ISO 6429, but for tabulators and ends of lines.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def harmless(text: str) -> str:
    """A text that somebody else may have written, so that a terminal shows it and does not obey it."""
    return _CONTROLS.sub("\ufffd", text.replace("\r\n", "\n"))


class Output(ABC):
    """Where a command tells what happens.

    When nobody reads any more, or the disk is full, `on_broken` is called once and the rest is dropped.
    """

    def __init__(self, stream: TextIO, errors: TextIO) -> None:
        self._stream = stream
        self._errors = errors
        self.broken = False
        self.columns: int | None = None
        """Of the terminal; None: it is none."""
        self.unicode = (getattr(stream, "encoding", None) or "utf-8").lower().startswith("utf")
        """Whether the stream takes any character."""
        self.on_broken: Callable[[], object] = lambda: None

    @abstractmethod
    def event(self, name: str, text: str | None = None, /, **fields: Any) -> None:
        """Something happened. `text` is for people (None: not worth a line), the rest for programs."""

    @abstractmethod
    def error(self, text: str, code: int) -> None:
        """What ends the command, with its exit code."""

    def live(self, lines: Sequence[str]) -> None:  # noqa: B027 - only a terminal has them
        """Replace the lines at the bottom of the terminal, where there is one."""

    def text(self, text: str, style: str = "") -> None:  # noqa: B027 - programs do not get it
        """Several lines for people, such as a ladder; `style` is rich's, for terminals with colours."""

    def log(self, text: str) -> None:
        """A line of the log."""
        with contextlib.suppress(OSError):
            print(harmless(text), file=self._errors, flush=True)

    def close(self) -> None:  # noqa: B027 - only a terminal needs it
        """Leave the terminal as it was."""

    def _write(self, write: Callable[[], object]) -> None:
        if self.broken:
            return
        try:
            write()
        except OSError as error:
            self.broken = True
            if not isinstance(error, BrokenPipeError):  # that means: enough
                self.log(f"sipua: standard output: {error.strerror or error}")
            # Python flushes once more at exit, and would complain.
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
            self.on_broken()


class JsonOutput(Output):
    """One JSON object a line: ``schema``, ``event``, ``time`` (UTC, ISO 8601) and the event's own fields."""

    def event(self, name: str, text: str | None = None, /, **fields: Any) -> None:
        """Print the object. The text is for people only."""
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        record = {"schema": SCHEMA, "event": name, "time": now, **fields}
        line = json.dumps(record, ensure_ascii=False, default=str)
        self._write(lambda: print(line, file=self._stream, flush=True))

    def error(self, text: str, code: int) -> None:
        """An object for the program, and the line on standard error for who looks at it."""
        self.event("error", message=text, exit_code=code)
        self.log(text)


class PlainOutput(Output):
    """Lines of text, without colours or anything that moves."""

    def event(self, name: str, text: str | None = None, /, **fields: Any) -> None:
        """Print the text."""
        if text is not None:
            self.text(text)

    def error(self, text: str, code: int) -> None:
        """Print it on standard error."""
        self.log(text)

    def text(self, text: str, style: str = "") -> None:
        """Print it."""
        self._write(lambda: print(harmless(text), file=self._stream, flush=True))


class TerminalOutput(Output):
    """Lines of text with some colour (not with NO_COLOR), and live lines below them."""

    def __init__(self, stream: TextIO, errors: TextIO) -> None:
        super().__init__(stream, errors)
        from rich.console import Console

        self._console: Console = Console(file=stream, highlight=False, soft_wrap=True)
        self.columns = self._console.width
        self._live: Live | None = None

    def event(self, name: str, text: str | None = None, /, **fields: Any) -> None:
        """Print the text above the live lines."""
        if text is not None:
            self._print(text, _STYLES.get(name, ""))

    def error(self, text: str, code: int) -> None:
        """Print it on standard error, after the live lines."""
        self.close()
        self.log(text)

    def text(self, text: str, style: str = "") -> None:
        """Print it as it is."""
        self._print(text, style)

    def log(self, text: str) -> None:
        """Print it; above the live lines when standard error is the same terminal."""
        if self._live is not None and self._errors.isatty():
            self._print(text, "dim")
        else:
            super().log(text)

    def live(self, lines: Sequence[str]) -> None:
        """Show these, cut to the width of the terminal."""
        from rich.live import Live
        from rich.text import Text

        if not lines:
            self.close()
            return
        text = Text(harmless("\n".join(lines)), no_wrap=True, overflow="ellipsis", style="bold")
        if self._live is None:
            # Refreshed by who calls this: no thread of its own.
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._write(self._live.start)
        live = self._live
        self._write(lambda: live.update(text, refresh=True))

    def close(self) -> None:
        """Take the live lines away and show the cursor."""
        live, self._live = self._live, None
        if live is not None:
            self._write(live.stop)

    def _print(self, text: str, style: str) -> None:
        from rich.text import Text

        self._write(lambda: self._console.print(Text(harmless(text), style=style)))


def make_output(*, json: bool, stream: TextIO | None = None, errors: TextIO | None = None) -> Output:
    """The output for standard output as it is: JSON if asked for, else for a terminal or a pipe."""
    out, err = stream or sys.stdout, errors or sys.stderr
    for text in (out, err):
        if isinstance(text, io.TextIOWrapper):
            # What the locale cannot show must not end a call; JSON is UTF-8 always (RFC 8259 section 8.1).
            text.reconfigure(errors="replace", encoding="utf-8" if json and text is out else None)
    if json:
        return JsonOutput(out, err)
    if out.isatty() and os.environ.get("TERM") != "dumb":
        try:
            return TerminalOutput(out, err)
        except ModuleNotFoundError:
            pass  # without rich: the same without colours
    return PlainOutput(out, err)


#: Of a STUN or TURN server.
EXAMINE = "sipua doctor examines it"


class LogHandler(logging.Handler):
    """Sends the log of the library through an `Output`, so that it does not tear live lines apart.

    :param told: further loggers whose warnings the command tells in its own words.
    """

    # Without -v, a warning that the command tells in its own words is not told a second time.
    _TOLD = ("sipua.registration", "sipua.transport", "sipua.session", "sipua.sip", "sipua.media", "sipua.ua")
    # Warnings that nothing else tells, and that matter to whoever calls: each is an event, once.
    _EVENTS = ("sipua.media.gathering",)

    def __init__(self, output: Output, verbose: int, told: Sequence[str] = ()) -> None:
        super().__init__(level=(logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)])
        self._output = output
        self._verbose = verbose
        self._told = tuple(told)
        self._events: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Without -v: only what nothing else tells."""
        told = record.levelno < logging.ERROR and record.name.startswith(self._TOLD)
        return bool(self._verbose) or not told or self._is_event(record)

    def emit(self, record: logging.LogRecord) -> None:
        """One line for each record; stack traces with -v only."""
        if self._is_event(record):
            self._tell(f"{record.getMessage()}; {EXAMINE}")
            return
        text = f"{record.levelname.lower()}: {record.name}: {record.getMessage()}"
        if record.exc_info and record.exc_info[1] is not None:
            if self._verbose:
                text += "\n" + logging.Formatter().formatException(record.exc_info)
            else:
                text += f": {record.exc_info[1]}"
        self._output.log(text)

    def _is_event(self, record: logging.LogRecord) -> bool:
        name = record.name
        return record.levelno == logging.WARNING and name in self._EVENTS and name not in self._told

    def _tell(self, message: str) -> None:
        if message not in self._events:  # every call finds it out anew
            self._events.add(message)
            self._output.event("warning", message, message=message)
