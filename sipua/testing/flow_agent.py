"""A real user agent in a running flow: its wire, its calls, their events, and its user's buttons."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sipua.emitter import Emitter
from sipua.media import SignallingOnlyMedia
from sipua.sip import Request, Response, parse_message
from sipua.testing.flow_steps import MEDIA_EVENTS, Call, Named
from sipua.testing.wire import Conditions
from sipua.ua import UA

if TYPE_CHECKING:
    from collections.abc import Callable

    from sipua.session import RTCSession
    from sipua.testing.flow_steps import Agent, Press
    from sipua.testing.network import MemoryConnection, MemoryNetwork

Message = Request | Response


@dataclass(frozen=True)
class Sent:
    """A message that an agent has sent and no arrow has taken yet."""

    time: float
    data: str | bytes
    message: Message


class FlowAgent:
    """An agent in a running flow: its user agent, what it sent, its calls and their events."""

    def __init__(self, name: str, agent: Agent, network: MemoryNetwork) -> None:
        self.name = name
        self.sent: deque[Sent] = deque()
        self.something_sent = asyncio.Event()
        self.calls: list[RTCSession] = []
        self.results: list[Any] = []
        self.futures: list[asyncio.Future[Any]] = []
        self.over = False
        self.connection: MemoryConnection | None = None
        self._handlers = agent.on
        self._events: dict[int, list[tuple[str, Any]]] = {}
        self._told: dict[int, int] = {}
        self._wrapped: list[Emitter] = []
        urls = [f"ws://{name}.invalid/", *(f"ws://{name}{n}.invalid/" for n in range(2, agent.servers + 1))]
        self._servers = {url: network.listen(url, self._accept) for url in urls}
        sockets = [network.connector(url, weight=-number) for number, url in enumerate(urls)]
        options = {"register": False, "media": SignallingOnlyMedia, **agent.options}
        self.ua = UA(f"sip:{name}@example.com", sockets=sockets, **options)
        self.ua.rand = random.Random(name)  # type: ignore[assignment]  # the same on every run
        self._listen(self.ua)
        if "new_rtc_session" not in agent.on:
            self.ua.on("new_rtc_session", lambda event: None)  # somebody is there to answer

    # --- the wire ----------------------------------------------------------------------------------------------

    def _accept(self, connection: MemoryConnection) -> None:
        self.connection = connection
        connection.on_message = self._on_message

    def cut(self) -> None:
        """The connection breaks."""
        assert self.connection is not None
        self.connection.cut()

    def fail(self) -> None:
        """The server that it is connected to falls silent, for good."""
        assert self.connection is not None
        server = self._servers[self.connection.url]
        server.down = Conditions(blackhole=True)
        server.refuse()

    def _on_message(self, data: str | bytes) -> None:
        if self.over:
            return
        message = parse_message(data)
        if message is None:
            assert self.connection is not None
            self.connection.send("\r\n")  # the answer to a keep-alive
            return
        self.sent.append(Sent(asyncio.get_running_loop().time(), data, message))
        self.something_sent.set()

    def deliver(self, data: str | bytes) -> None:
        """Something arrives at it."""
        if self.connection is not None:
            self.connection.send(data)

    # --- events --------------------------------------------------------------------------------------------

    def _listen(self, emitter: Emitter) -> None:
        """Note each event before its handlers get it, without being a handler: having none means something."""
        if any(emitter is known for known in self._wrapped):
            return
        self._wrapped.append(emitter)
        log = self._events[id(emitter)] = []
        call = emitter._call  # what all ways of emitting go through

        def noting(event: str, payload: Any) -> Any:
            log.append((event, payload))
            if emitter is self.ua and event == "new_rtc_session":
                self.calls.append(payload.session)
                self._listen(payload.session)
            return call(event, payload)

        setattr(emitter, "_call", noting)  # noqa: B010  (a method is replaced on purpose)
        for name, handler in self._handlers.items():
            if name in emitter.event_names and handler is not None:
                emitter.on(name, _listener(handler))

    def emitter(self, of: int | str) -> Any:
        """A call by its number, the user agent, or what the last button gave back."""
        if of == "ua":
            return self.ua
        if of == "result":
            return self.results[-1]
        assert isinstance(of, int), f"of={of!r}: neither a number nor 'ua' nor 'result'"
        return self.calls[of - 1 if of > 0 else of]

    def new_events(self, of: int | str) -> list[tuple[str, Any]]:
        """The events since this was asked last."""
        key = id(self.emitter(of))
        log, start = self._events[key], self._told.get(key, 0)
        self._told[key] = len(log)
        return [pair for pair in log[start:] if pair[0] not in MEDIA_EVENTS]

    def payload(self, event: str, call: int) -> Any:
        """The payload of the last event of this name, of the call or of the user agent."""
        sources = [self.calls[call - 1 if call > 0 else call]] if self.calls else []
        for emitter in (*sources, self.ua):
            for name, payload in reversed(self._events[id(emitter)]):
                if name == event:
                    return payload
        raise LookupError(f"{self.name} had no event {event!r}")

    # --- buttons ---------------------------------------------------------------------------------------------

    def press(self, step: Press, named: Mapping[str, Message]) -> None:
        """Carry out what the user asks for."""
        method = self._method(step.button, step.call)
        args = [self._resolved(arg, named) for arg in step.args]
        options = {key: self._resolved(value, named) for key, value in step.options.items()}
        result = method(*args, **options)
        self.results.append(result)
        if isinstance(result, Emitter):
            self._listen(result)
        if isinstance(result, Awaitable):
            self.futures.append(asyncio.ensure_future(result))

    def _method(self, button: str, call: int) -> Callable[..., Any]:
        source, dot, name = button.rpartition(".")
        target: Any
        if button == "call":
            target = self.ua
        elif not dot:
            target = self.emitter(call)
        elif source in ("ua", "result"):
            target = self.emitter(source)
        else:
            target = self.payload(source, call)
        found: Callable[..., Any] = getattr(target, name)
        return found

    def _resolved(self, value: Any, named: Mapping[str, Message]) -> Any:
        if isinstance(value, Named):
            return value.make(named)
        return self.emitter(value.number) if isinstance(value, Call) else value

    # --- the end ---------------------------------------------------------------------------------------------

    def left(self) -> dict[str, int]:
        """What it still holds that belongs to no call."""
        alive = sum(not call.is_ended() for call in self.calls)
        counts = self.ua.counts()
        counts["sessions"] -= alive
        if alive:
            counts["dialogs"] = counts["deadlines"] = 0
        if any(call.is_in_progress() for call in self.calls):
            counts["transactions"] = 0
        return {name: count for name, count in counts.items() if count}

    async def stop(self) -> None:
        """Nothing that it sends counts any more."""
        self.over = True
        await self.ua.stop(timeout=0.01)
        for future in self.futures:
            future.cancel()
        await asyncio.gather(*self.futures, return_exceptions=True)


def _listener(what: Any) -> Callable[[Any], Any]:
    if callable(what):
        found: Callable[[Any], Any] = what
        return found
    name, *args = (what,) if isinstance(what, str) else what
    options = args.pop() if args and isinstance(args[-1], Mapping) else {}
    return lambda payload: getattr(payload, name)(*args, **options)
