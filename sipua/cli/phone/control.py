"""Remote control: commands and events as JSON lines.

Events are those of `sipua.cli.events`; a command is an object with ``command``, its arguments, and perhaps ``id``, and
gets a ``reply`` with the same ``id``. docs/remote.md has all of it.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from sipua._version import __version__
from sipua.cli.exits import ExitCode, Failure
from sipua.cli.phone.commands import COMMANDS, perform, refusal
from sipua.cli.phone.lines import read_lines
from sipua.cli.phone.parsing import parse_object
from sipua.cli.phone.plain import until_quit

if TYPE_CHECKING:
    from collections.abc import Callable

    from sipua.cli.output import Output
    from sipua.cli.phone.bulletin import News
    from sipua.cli.phone.phone import Phone

__all__ = ["Controller", "run_stdio"]


class Controller:
    """One who sends commands and gets events; `output` is where to."""

    def __init__(self, phone: Phone, output: Output) -> None:
        self._phone = phone
        self._output = output
        self._traces = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._forget: Callable[[], None] = lambda: None

    def begin(self) -> None:
        """Say hello, and tell all events from now on."""
        accounts = [line.as_dict() for line in self._phone.lines]
        self._output.event("ready", version=__version__, accounts=accounts)
        self._forget = self._phone.bulletin.listen(self._tell)

    def _tell(self, news: News) -> None:
        if news.name != "sip" or self._traces:
            self._output.event(news.name, news.text, **news.fields)

    def take(self, line: str) -> None:
        """A line with a command. It begins now; its reply comes when it is done."""
        if not line.strip():
            return
        task = asyncio.ensure_future(self._perform(line))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def finish(self) -> None:
        """Wait for the commands that have begun."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def end(self) -> None:
        """Nobody listens any more."""
        self._forget()
        for task in self._tasks:
            task.cancel()

    async def _perform(self, line: str) -> None:
        number: str | int | None = None
        name: str | None = None
        try:
            given = read_object(line)
            number, name = read_id(given), _name(given)
            result = await self._do(given)
        except Exception as error:  # noqa: BLE001 - told: calls have to go on
            self._output.event("reply", id=number, command=name, ok=False, error=refusal(error))
            return
        self._output.event("reply", id=number, command=name, ok=True, result=result)

    async def _do(self, given: dict[str, Any]) -> Any:
        if given.get("command") == "trace":
            wanted = given.get("on", True)
            if not isinstance(wanted, bool):
                raise Failure("trace: on: has to be true or false", ExitCode.USAGE)
            self._traces = wanted
            return None
        if given.get("command") == "commands":
            return {"commands": [command.as_dict() for command in COMMANDS.values()]}
        return await perform(self._phone, *parse_object(COMMANDS, given))


def read_object(line: str) -> dict[str, Any]:
    """The object in a line.

    :raises Failure: there is none.
    """
    try:
        given = json.loads(line.strip())
    except (ValueError, RecursionError) as error:
        where = f" at column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        raise Failure(f"not JSON{where}; a command is one object a line", ExitCode.USAGE) from None
    if not isinstance(given, dict):
        raise Failure("not an object; a command is one object a line", ExitCode.USAGE)
    return given


def read_id(given: dict[str, Any]) -> str | int | None:
    """The ``id`` of a command; None when it has none.

    :raises Failure: it is neither a text nor an integer.
    """
    number = given.get("id")
    if number is None or (isinstance(number, str | int) and not isinstance(number, bool)):
        return number
    raise Failure("id: has to be a text or an integer", ExitCode.USAGE)


def _name(given: dict[str, Any]) -> str | None:
    name = given.get("command")
    return name if isinstance(name, str) else None


# --- standard input and output --------------------------------------------------------------------------------


async def run_stdio(phone: Phone, output: Output, descriptor: int) -> None:
    """Take commands from `descriptor` until ``quit``, or until it ends: then nobody is there to hang up."""
    controller = Controller(phone, output)
    controller.begin()

    async def converse() -> None:
        await phone.settled()
        async for line in read_lines(descriptor):
            controller.take(line)
            await asyncio.sleep(0)  # it begins now
        await controller.finish()

    await until_quit(phone, converse())
