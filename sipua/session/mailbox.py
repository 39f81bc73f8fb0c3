"""One thing after the other: whatever happens to a call is an action in its mailbox.

Actions are carried out in the event loop's thread, each to its end. Work of media takes time: while it goes on, the
other actions wait, except the urgent ones, those that may end the call.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, TypeVar

from sipua.errors import MediaError
from sipua.events import Cause

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

logger = logging.getLogger("sipua.session")

T = TypeVar("T")

#: Media work that takes longer than this many seconds has failed.
MEDIA_WORK_LIMIT = 20.0


class Mailbox(ABC):
    """The mailbox of a call, as a part of the call."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        # Lists, for they seldom hold more than one or two, and an empty deque weighs 0.8 kB.
        self._waiting: list[Callable[[], None]] = []
        self._urgent: list[Callable[[], None]] = []
        self._acting = False
        self._work: asyncio.Task[Any] | None = None

    @abstractmethod
    def _give_up(self, cause: Cause, reason: str) -> None:
        """An action raised: this is the end of the call."""

    @abstractmethod
    def _is_past(self) -> bool:
        """Whether the outcome of media work matters to nobody any more."""

    def _post(self, action: Callable[[], None], *, urgent: bool = False) -> None:
        """Carry `action` out after those that came before it, and after the media work that is going on."""
        (self._urgent if urgent else self._waiting).append(action)
        self._act()

    def _act(self) -> None:
        """Carry out what can be carried out now."""
        if self._acting:
            return
        self._acting = True
        try:
            while True:
                if self._urgent:
                    action = self._urgent.pop(0)
                elif self._waiting and self._work is None:
                    action = self._waiting.pop(0)
                else:
                    return
                try:
                    action()
                except Exception as error:
                    logger.exception("%s: cannot go on", self)
                    self._give_up(Cause.INTERNAL_ERROR, str(error))
        finally:
            self._acting = False

    def _do(
        self,
        work: Coroutine[Any, Any, T],
        then: Callable[[T], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """Let media work; `then` or `failed` is the next action after it, unless the call is over by then."""
        assert self._work is None, "one piece of media work at a time"
        task = self._work = self._loop.create_task(_bounded(work))

        def done(task: asyncio.Task[T]) -> None:
            work.close()  # it was never begun if the task was cancelled at once
            if not task.cancelled():
                task.exception()  # seen
            self._post(finished, urgent=True)

        def finished() -> None:
            if self._work is not task:
                return
            self._work = None
            if self._is_past():
                return
            if task.cancelled():
                failed(MediaError("cancelled"))
            elif (error := task.exception()) is None:
                then(task.result())
            elif isinstance(error, Exception):
                failed(error)

        task.add_done_callback(done)

    def _stop_work(self) -> None:
        if self._work is not None:
            work, self._work = self._work, None
            work.cancel()


async def _bounded(work: Coroutine[Any, Any, T]) -> T:
    async with asyncio.timeout(MEDIA_WORK_LIMIT):
        return await work
