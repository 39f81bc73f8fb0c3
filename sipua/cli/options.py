"""Options that several subcommands share, and the types of their values."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import click
from click.shell_completion import CompletionItem

F = TypeVar("F", bound=Callable[..., Any])


class Seconds(click.ParamType[float]):
    """A time: ``30``, ``1.5``, ``90s``, ``2m`` or ``1h``. Gives seconds."""

    name = "seconds"
    _UNITS: ClassVar = {"": 1, "s": 1, "m": 60, "h": 3600}

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds, more than 0."""
        match = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)\s*([smh]?)", str(value).strip())
        seconds = float(match[1]) * self._UNITS[match[2]] if match else math.nan
        if not seconds > 0:
            self.fail(f"{value!r} is not a time; it looks like 30, 1.5 or 2m", param, ctx)
        return seconds


class Header(click.ParamType[str]):
    """``Name: value``, fit to go into a request."""

    name = "'name: value'"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The header as it was given."""
        from sipua.errors import InvalidHeaderError
        from sipua.session.headers import header_list

        try:
            header_list([value])
        except InvalidHeaderError as error:
            self.fail(str(error), param, ctx)
        return str(value)


class Digits(click.ParamType[str]):
    """DTMF: ``0``–``9``, ``*``, ``#``, ``A``–``D``, and ``,`` for a pause of two seconds."""

    name = "digits"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The digits in upper case."""
        digits = str(value).upper().replace(" ", "")
        if not re.fullmatch(r"[0-9*#A-D,]+", digits):
            self.fail(f"{value!r} has a character that is none of 0-9 * # A-D and , (a pause)", param, ctx)
        return digits


class Codec(click.Choice[str]):
    """The name of an audio codec, in any case."""

    def __init__(self) -> None:
        super().__init__(["opus", "G722", "PCMU", "PCMA"], case_sensitive=False)


class File(click.ParamType[Path]):
    """The name of a file. Whether it can be read or written is for who does that to say."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path; no file has an empty name."""
        if not str(value).strip():
            self.fail("the name of the file is empty", param, ctx)
        return Path(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The shell knows files better."""
        return [CompletionItem(incomplete, type="file")]


FILE = File()


@dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """How a command tells what happens."""

    json: bool
    verbose: int
    trace: Path | None = None


OUTPUT = (
    click.option("--json", is_flag=True, help="Print one JSON object a line instead (see docs/cli.md)."),
    click.option("-v", "--verbose", count=True, help="Log what goes on; -vv: every detail."),
)
TRACE = (
    click.option(
        "--trace",
        type=FILE,
        metavar="FILE",
        help="Write SIP messages, events and media statistics to FILE, without credentials (see sipua trace).",
    ),
)


def output_options(function: F) -> F:
    """Add ``--json`` and ``-v``; the function gets them as `output`."""
    return gather(function, OutputOptions, "output", OUTPUT)


def traced_output_options(function: F) -> F:
    """The same and ``--trace``."""
    return gather(function, OutputOptions, "output", (*OUTPUT, *TRACE))


def gather(
    function: F,
    kind: type[Any],
    name: str,
    options: tuple[Callable[[Any], Any], ...],
    *,
    make: Callable[[Any], Any] = lambda value: value,
) -> F:
    """Add `options`; `function` gets their values as one object of `kind`, in its argument `name`.

    :param make: what is done with the object before it is handed on.
    """

    @functools.wraps(function)
    def callback(**given: Any) -> Any:
        values = {field.name: given.pop(field.name) for field in fields(kind) if field.name in given}
        return function(**given, **{name: make(kind(**values))})

    for option in reversed(options):
        callback = option(callback)
    return callback  # type: ignore[return-value]


def timeout_option(help: str) -> Callable[[F], F]:
    """Add ``--timeout``, 60 seconds by default."""
    return click.option("--timeout", type=Seconds(), default="60", show_default=True, help=help)


def duration_option(help: str) -> Callable[[F], F]:
    """Add ``--duration``, without limit by default."""
    return click.option("--duration", type=Seconds(), help=help)


def header_option(function: F) -> F:
    """Add ``--header``, for requests of all kinds."""
    return click.option("--header", type=Header(), multiple=True, help="Add this header to the request.")(
        function
    )


def register_option(function: F) -> F:
    """Add ``--register``."""
    return click.option("--register", is_flag=True, help="Register first, for servers that want that.")(
        function
    )
