"""Commands as lines of text and as JSON objects.

``dial 600`` is the same as ``{"command": "dial", "target": "600"}``. Of a line, the words are the arguments in their
order; the last one takes the rest of the line. Several words between ``"`` are one.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sipua.cli.exits import ExitCode, Failure

if TYPE_CHECKING:
    from sipua.cli.phone.phone import Phone

__all__ = ["Argument", "Command", "help_text", "parse_line", "parse_object"]

Kind = Literal["text", "number", "numbers"]


@dataclass(frozen=True)
class Argument:
    """One argument; one that is not `needed` may be left out."""

    name: str
    kind: Kind
    summary: str
    needed: bool = False


@dataclass(frozen=True)
class Command:
    """One command. `run` gets the phone and the arguments, None for each that was left out; it returns a result."""

    name: str
    summary: str
    run: Callable[[Phone, dict[str, Any]], Awaitable[Any] | Any]
    arguments: tuple[Argument, ...] = ()
    short: str = ""
    """Another name, for people who type."""
    also: str = ""
    """The name by which people may know it from elsewhere."""

    @property
    def usage(self) -> str:
        """``dial TARGET [ACCOUNT]``"""
        words = [a.name.upper() if a.needed else f"[{a.name.upper()}]" for a in self.arguments]
        return " ".join([self.name, *words])

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        return {
            "command": self.name,
            "summary": self.summary,
            "arguments": [
                {"name": a.name, "kind": a.kind, "needed": a.needed, "summary": a.summary}
                for a in self.arguments
            ],
        }


Commands = Mapping[str, Command]


def find(commands: Commands, name: str) -> Command:
    """The command of this name.

    :raises Failure: there is none.
    """
    for command in commands.values():
        if name and name in (command.name, command.short, command.also):
            return command
    near = difflib.get_close_matches(name, commands, 1)
    hint = f"did you mean {near[0]}?" if near else "help shows all"
    raise Failure(f"no command {name!r}; {hint}", ExitCode.USAGE)


def parse_line(commands: Commands, line: str) -> tuple[Command, dict[str, Any]]:
    """A line of text; `line` is not empty.

    :raises Failure: no such command, or wrong arguments.
    """
    name, _, rest = line.strip().partition(" ")
    command = find(commands, name.lower())
    wanted = command.arguments
    words = _words(rest, len(wanted))
    if len(words) > len(wanted):
        raise Failure(f"{command.name}: takes no arguments, not {rest!r}", ExitCode.USAGE)
    given = {argument.name: word.strip() for argument, word in zip(wanted, words, strict=False)}
    return command, _checked(command, given)


def _words(text: str, most: int) -> list[str]:
    """At most `most` words, the last one with all that is left; all of them when there shall be none."""
    words: list[str] = []
    rest = text.strip()
    while rest and len(words) < most - 1:
        found = _WORD.match(rest)
        assert found is not None
        words.append(found[0].strip('"') if found[0].startswith('"') else found[0])
        rest = rest[found.end() :].lstrip()
    if rest:
        quoted = len(rest) > 1 and rest[0] == rest[-1] == '"' and rest.count('"') == 2
        words.append(rest[1:-1] if quoted else rest)
    return words


#: Words between quotation marks, or one word.
_WORD = re.compile(r'"[^"]*"(?=\s|$)|\S+')


def parse_object(commands: Commands, given: Mapping[str, Any]) -> tuple[Command, dict[str, Any]]:
    """A JSON object with ``command`` and its arguments, and perhaps ``id``.

    :raises Failure: no such command, or wrong arguments.
    """
    name = given.get("command")
    if not isinstance(name, str):
        raise Failure('no "command" in the object', ExitCode.USAGE)
    command = find(commands, name)
    rest = {key: value for key, value in given.items() if key not in ("command", "id")}
    known = {argument.name for argument in command.arguments}
    for key in rest:
        if key not in known:
            takes = f"it takes {', '.join(known)}" if known else "it takes none"
            raise Failure(f"{name}: no argument {key!r}; {takes}", ExitCode.USAGE)
    return command, _checked(command, rest)


def _checked(command: Command, given: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for argument in command.arguments:
        value = given.get(argument.name)
        if value is None:
            if argument.needed:
                raise Failure(
                    f"{command.name}: {argument.name} is missing; usage: {command.usage}", ExitCode.USAGE
                )
            values[argument.name] = None
            continue
        try:
            values[argument.name] = _CONVERT[argument.kind](value)
        except ValueError:
            raise Failure(
                f"{command.name}: {argument.name}: {value!r} is not {_WORDS[argument.kind]}; usage: {command.usage}",
                ExitCode.USAGE,
            ) from None
    return values


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError
    return value


def _a_number(value: Any) -> float | int:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError
    number = float(value)
    if not 0 <= number < 1e6:
        raise ValueError
    return int(number) if number.is_integer() else number


def _numbers(value: Any) -> list[float | int]:
    if isinstance(value, str):
        value = value.replace(",", " ").split()
    if not isinstance(value, list):
        raise ValueError
    return [_a_number(item) for item in value]


_CONVERT: dict[Kind, Callable[[Any], Any]] = {
    "text": _text,
    "number": _a_number,
    "numbers": _numbers,
}
_WORDS: dict[Kind, str] = {
    "text": "a text",
    "number": "a number",
    "numbers": "a list of numbers",
}


def help_text(commands: Commands) -> str:
    """All commands, a line each."""
    width = max(len(command.usage) for command in commands.values()) + 2
    return "\n".join(
        f"{command.short or ' ':2}{command.usage:{width}}{command.summary}" for command in commands.values()
    )
