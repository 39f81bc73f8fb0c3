"""What the phone tells, handed on to all who look at it."""

from __future__ import annotations

import logging
import sys
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sipua.cli.output import Output

__all__ = ["Bulletin", "Listener", "News"]

logger = logging.getLogger("sipua.cli.phone")


@dataclass(frozen=True)
class News:
    """One event of `sipua.cli.events`; `text` is the line for people, None when it is not worth one."""

    name: str
    text: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)


Listener = Callable[[News], object]


class Bulletin(Output):
    """An output that calls its listeners, in the order in which they came. A listener that fails is taken off.

    What happens before there is any is told to the first one.
    """

    def __init__(self) -> None:
        super().__init__(sys.stdout, sys.stderr)
        self._listeners: list[Listener] = []
        self._early: deque[News] | None = deque(maxlen=100)
        self.on_log: Callable[[str], object] | None = None
        """Where lines of the log go instead of standard error: a screen takes them."""

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` at each event from now on; returns what ends that."""
        self._listeners.append(listener)
        early, self._early = self._early, None
        for news in early or ():
            self._tell(listener, news)
        return lambda: self._forget(listener)

    def _forget(self, listener: Listener) -> None:
        if listener in self._listeners:
            self._listeners.remove(listener)

    def event(self, name: str, text: str | None = None, /, **fields: Any) -> None:
        """Tell all listeners."""
        news = News(name, text, fields)
        if self._early is not None:
            self._early.append(news)
        for listener in tuple(self._listeners):
            self._tell(listener, news)

    def _tell(self, listener: Listener, news: News) -> None:
        try:
            listener(news)
        except Exception:
            self._forget(listener)
            logger.exception("what listens to the phone has failed, and is told nothing more")

    def notice(self, text: str) -> None:
        """Something that is not as it should be, in one line."""
        self.event("warning", text, message=text)

    def error(self, text: str, code: int) -> None:
        """What ends the command. It is on standard error, too: the screen is gone by then."""
        self.event("error", message=text, exit_code=code)
        super().log(text)

    def log(self, text: str) -> None:
        """A line of the log."""
        if self.on_log is not None:
            self.on_log(text)
        else:
            super().log(text)
