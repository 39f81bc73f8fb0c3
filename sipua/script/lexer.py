"""The words of a script, and where they stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sipua.errors import SipuaError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ScriptError", "Word", "split"]


class ScriptError(SipuaError, ValueError):
    """A script that cannot be run: where, what is wrong, and what to write instead."""

    def __init__(self, source: str, line: int, column: int, problem: str) -> None:
        super().__init__(f"{source}:{line}:{column}: {problem}")
        self.source = source
        self.line = line
        """From 1."""
        self.column = column
        """From 1, in characters."""
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Word:
    """A word, without its quotes."""

    text: str
    line: int
    column: int
    quoted: bool = False

    @property
    def end(self) -> int:
        """The column behind it."""
        return self.column + len(self.text) + 2 * self.quoted


#: Behind these a # is the key of a telephone, not a comment.
_KEYS_FOLLOW = frozenset({"dtmf"})


def split(text: str, source: str) -> Iterator[list[Word]]:
    """The steps of a script, each as its words; there are no empty ones.

    :raises ScriptError: a quotation without an end.
    """
    for number, line in enumerate(text.splitlines(), 1):
        words: list[Word] = []
        for word in _words(line, number, source):
            if word.text == ";" and not word.quoted:
                if words:
                    yield words
                words = []
            else:
                words.append(word)
        if words:
            yield words


def _words(line: str, number: int, source: str) -> Iterator[Word]:
    at, before = 0, ""
    while at < len(line):
        character = line[at]
        if character.isspace() or character == "\ufeff":
            at += 1
            continue
        if character == "#" and before not in _KEYS_FOLLOW:
            return
        if character == ";":
            word = Word(";", number, at + 1)
        elif character in "\"'":
            close = line.find(character, at + 1)
            if close < 0:
                raise ScriptError(source, number, at + 1, f"no closing {character}; put one at its end")
            word = Word(line[at + 1 : close], number, at + 1, quoted=True)
        else:
            close = at
            while close < len(line) and not line[close].isspace() and line[close] != ";":
                close += 1
            word = Word(line[at:close], number, at + 1)
        yield word
        at, before = word.end - 1, word.text
