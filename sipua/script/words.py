"""Reading the words of one step, with errors that say where and what to write."""

from __future__ import annotations

import difflib
import math
import re
from typing import TYPE_CHECKING

from sipua.script.lexer import ScriptError, Word

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Words", "parse_seconds"]

_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse_seconds(text: str) -> float | None:
    """``3``, ``3s``, ``200ms``, ``1.5m``, ``1h`` in seconds; None for what is no time."""
    match = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)(ms|s|m|h|)", text.lower())
    return float(match[1]) * _UNITS[match[2]] if match else None


class Words:
    """The words of a step, read from left to right. `usage` is how such a step is written."""

    def __init__(self, words: list[Word], source: str, usage: str = "") -> None:
        self.source = source
        self.usage = usage
        self._words = words
        self._next = 0

    @property
    def text(self) -> str:
        """The step as one line."""
        return " ".join(map(_written, self._words))

    @property
    def first(self) -> Word:
        """Where the step stands."""
        return self._words[0]

    def wrong(self, problem: str, word: Word | None = None) -> ScriptError:
        """An error at `word`; None: at the word that was read last."""
        word = word or self._words[max(0, self._next - 1)]
        return ScriptError(self.source, word.line, word.column, problem)

    def peek(self) -> str | None:
        """The next word, left where it is."""
        return self._words[self._next].text if self._next < len(self._words) else None

    def take(self, what: str) -> Word:
        """The next word, which is `what`."""
        if self._next >= len(self._words):
            last = self._words[-1]
            raise ScriptError(self.source, last.line, last.end, f"here goes {what}; write: {self.usage}")
        self._next += 1
        return self._words[self._next - 1]

    def accept(self, *keywords: str) -> str | None:
        """The next word if it is one of these, else None."""
        text = self.peek()
        if text is None or self._words[self._next].quoted or text.lower() not in keywords:
            return None
        self._next += 1
        return text.lower()

    def choice(self, what: str, names: Iterable[str]) -> str:
        """The next word, which must be one of `names`; a near one is shown for any other."""
        word = self.take(f"a kind of {what}")
        names = list(names)
        if word.text.lower() in names:
            return word.text.lower()
        near = difflib.get_close_matches(word.text.lower(), names, 1)
        remedy = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
        raise self.wrong(f"no {what} {word.text!r}; {remedy}")

    def seconds(self, what: str = "a time") -> float:
        """The next word as a time, in seconds."""
        word = self.take(what)
        seconds = parse_seconds(word.text)
        if seconds is None or not math.isfinite(seconds):
            raise self.wrong(f"{word.text!r} is not a time; it looks like 3s, 1.5s, 200ms or 2m")
        return seconds

    def end(self) -> None:
        """There must be no more."""
        if self._next < len(self._words):
            word = self._words[self._next]
            raise self.wrong(f"{word.text!r} does not belong here; write: {self.usage}", word)


def _written(word: Word) -> str:
    quote = "'" if '"' in word.text else '"'
    return f"{quote}{word.text}{quote}" if word.quoted else word.text
