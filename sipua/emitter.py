"""Events for `UA` and `RTCSession`: handlers may be plain or coroutine functions, and never stop the stack."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

logger = logging.getLogger("sipua")

Handler = Callable[[Any], Any]
H = TypeVar("H", bound=Handler)


class Emitter:
    """Named events with one typed payload each.

    A subclass lists the events it has in `event_names`; an unknown name is a `ValueError` at registration, not
    silence later. What a handler raises is logged, with the emitter's own description, and goes no further.
    """

    event_names: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self._handlers: dict[str, list[tuple[Handler, bool]]] = {}
        self._handler_tasks: set[asyncio.Task[Any]] = set()

    def on(self, event: str, handler: H | None = None) -> Any:
        """Call `handler(payload)` at each `event`; without `handler`, a decorator. Returns the handler.

        :raises ValueError: there is no such event.
        :raises TypeError: `handler` cannot be called.
        """
        if handler is None:
            return lambda function: self.on(event, function)
        self._add(event, handler, once=False)
        return handler

    def once(self, event: str, handler: H | None = None) -> Any:
        """Like `on`, for the next `event` only."""
        if handler is None:
            return lambda function: self.once(event, function)
        self._add(event, handler, once=True)
        return handler

    def on_each(self, handlers: Mapping[str, Handler] | None) -> None:
        """`on` for every event of a mapping; None is an empty one.

        :raises ValueError: there is no such event.
        :raises TypeError: not a mapping, or a handler that cannot be called.
        """
        if handlers is None:
            return
        if not isinstance(handlers, Mapping):
            raise TypeError(f"event_handlers={handlers!r:.200}: not a mapping from events to handlers")
        for event, handler in handlers.items():
            self.on(event, handler)

    def off(self, event: str, handler: Handler) -> None:
        """Take `handler` off again; nothing happens when it is not there."""
        self._handlers[event] = [pair for pair in self._handlers.get(event, ()) if pair[0] != handler]

    def has_handlers(self, event: str) -> bool:
        """Whether anybody listens to `event`."""
        return bool(self._handlers.get(event))

    def _add(self, event: str, handler: Handler, *, once: bool) -> None:
        if not callable(handler):
            raise TypeError(f"handler={handler!r:.200} of {event!r}: not callable")
        if event not in self.event_names:
            raise ValueError(
                f"{type(self).__name__} has no event {event!r}; it has {', '.join(sorted(self.event_names))}"
            )
        self._handlers.setdefault(event, []).append((handler, once))

    def emit(self, event: str, payload: Any) -> None:
        """Call the handlers of `event`; coroutines go on as tasks."""
        for outcome in self._call(event, payload):
            self._spawn(outcome)

    async def emit_and_wait(self, event: str, payload: Any) -> None:
        """Call the handlers of `event` and wait for the coroutines among them: for payloads that may be changed."""
        await self._wait(event, self._call(event, payload))

    def emit_then(self, event: str, payload: Any, then: Callable[[], None]) -> None:
        """Call the handlers of `event`, and `then` when all are done: at once, unless some are coroutines."""
        pending = self._call(event, payload)
        if not pending:
            then()
            return

        async def finish() -> None:
            try:
                await self._wait(event, pending)
            finally:
                then()

        self._spawn(finish())

    async def _wait(self, event: str, pending: list[Any]) -> None:
        for outcome in pending:
            try:
                await outcome
            except Exception:
                logger.exception("%s: a handler of %r raised", self, event)

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._handler_tasks.add(task)
        task.add_done_callback(self._handler_done)

    def _call(self, event: str, payload: Any) -> list[Any]:
        pairs = self._handlers.get(event)
        if not pairs:
            return []
        pending = []
        for pair in tuple(pairs):
            handler, once = pair
            if once and pair in pairs:
                pairs.remove(pair)
            try:
                outcome = handler(payload)
            except (Exception, asyncio.CancelledError):  # nobody is cancelled in a plain call
                logger.exception("%s: a handler of %r raised", self, event)
                continue
            # Only coroutines: a plain handler may return an awaitable of ours, such as that of hold().
            if inspect.iscoroutine(outcome):
                pending.append(outcome)
        return pending

    def _handler_done(self, task: asyncio.Task[Any]) -> None:
        self._handler_tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("%s: a handler raised", self, exc_info=error)
