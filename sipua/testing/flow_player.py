"""Carries a flow out, step by step, and says where it goes another way (see `sipua.testing.flow`)."""

from __future__ import annotations

import asyncio
import inspect
import random
from collections import deque
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from sipua.emitter import Emitter
from sipua.media import SignallingOnlyMedia
from sipua.sip import ParseError, Request, Response, parse_message
from sipua.testing.flow_facts import fits, is_kind, problems, shown
from sipua.testing.flow_ladder import Ladder, indented
from sipua.testing.flow_peer import ScriptedPeer
from sipua.testing.flow_steps import (
    MEDIA_EVENTS,
    Agent,
    Arrives,
    Arrow,
    Call,
    Cut,
    Events,
    Finished,
    Peer,
    Press,
    Shows,
    Wait,
)
from sipua.testing.network import MemoryNetwork
from sipua.ua import UA

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sipua.session import RTCSession
    from sipua.testing.flow_steps import Flow, Step
    from sipua.testing.network import MemoryConnection

Message = Request | Response

#: Turns of the event loop in which everything that can happen at a moment has happened.
TURNS = 40
#: Seconds by which a moment may be missed.
TOLERANCE = 0.001


class FlowFailed(AssertionError):
    """A flow went another way than it is written; the text shows the ladder and the difference."""


@dataclass(frozen=True)
class _Sent:
    """A message that an agent has sent and no arrow has taken yet."""

    time: float
    data: str | bytes
    message: Message


class _Agent:
    """An agent in a running flow: its user agent, what it sent, its calls and their events."""

    def __init__(self, name: str, agent: Agent, network: MemoryNetwork) -> None:
        self.name = name
        self.sent: deque[_Sent] = deque()
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
        url = f"ws://{name}.invalid/"
        self.server = network.listen(url, self._accept)
        options = {"register": False, "media": SignallingOnlyMedia, **agent.options}
        self.ua = UA(f"sip:{name}@example.com", sockets=network.connector(url), **options)
        self.ua.rand = random.Random(name)  # type: ignore[assignment]  # the same on every run
        self._listen(self.ua)
        if "new_rtc_session" not in agent.on:
            self.ua.on("new_rtc_session", lambda event: None)  # somebody is there to answer

    # --- the wire ----------------------------------------------------------------------------------------------

    def _accept(self, connection: MemoryConnection) -> None:
        self.connection = connection
        connection.on_message = self._on_message

    def _on_message(self, data: str | bytes) -> None:
        if self.over:
            return
        message = parse_message(data)
        if message is None:
            assert self.connection is not None
            self.connection.send("\r\n")  # the answer to a keep-alive
            return
        self.sent.append(_Sent(asyncio.get_running_loop().time(), data, message))
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
        emit = emitter.emit

        def noting(event: str, payload: Any) -> None:
            log.append((event, payload))
            if emitter is self.ua and event == "new_rtc_session":
                self.calls.append(payload.session)
                self._listen(payload.session)
            emit(event, payload)

        setattr(emitter, "emit", noting)  # noqa: B010  (a method is replaced on purpose)
        for name, handler in self._handlers.items():
            if name in emitter.event_names and handler is not None:
                emitter.on(name, _handler(handler))

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

    def press(self, step: Press) -> None:
        """Carry out what the user asks for."""
        method = self._method(step.button, step.call)
        args = [self._resolved(arg) for arg in step.args]
        result = method(*args, **{key: self._resolved(value) for key, value in step.options.items()})
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

    def _resolved(self, value: Any) -> Any:
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


class _Player:
    """A running flow."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.loop = asyncio.get_running_loop()
        self.ladder = Ladder(tuple(flow.people))
        self.named: dict[str, Message] = {}
        self.held: dict[str, tuple[str, str, str | bytes, Message]] = {}
        network = MemoryNetwork(seed=flow.figure)
        people = flow.people.items()
        self.agents = {name: _Agent(name, who, network) for name, who in people if isinstance(who, Agent)}
        self.peers = {
            name: ScriptedPeer(name, who, self.named) for name, who in people if isinstance(who, Peer)
        }
        self._step: Step | None = None

    async def play(self) -> str:
        try:
            for agent in self.agents.values():
                agent.ua.start()
                if not agent.ua.configuration.register:
                    await agent.ua.ready()
            await _settle()
            for step in self.flow.steps:
                self._step = step
                await self._carry_out(step)
            await self._end()
        finally:
            for agent in self.agents.values():
                await agent.stop()
        return str(self.ladder)

    async def _carry_out(self, step: Step) -> None:
        if isinstance(step, Arrow):
            await self._arrow(step)
        elif isinstance(step, Press):
            self._press(step)
        elif isinstance(step, Arrives):
            self._arrives(step)
        elif isinstance(step, Wait):
            self._note("", f"{step.seconds:g} s pass")
            await self._silence(step.seconds)
        elif isinstance(step, Cut):
            self._note(step.who, "the connection breaks")
            self.agents[step.who].server.cut()
        elif isinstance(step, Events):
            self._events(step)
        elif isinstance(step, Shows):
            self._shows(step)
        else:
            self._finished(step)
        await _settle()

    # --- messages --------------------------------------------------------------------------------------------

    async def _arrow(self, arrow: Arrow) -> None:
        for who in (arrow.sender, arrow.receiver):
            if who not in self.flow.people:
                raise ValueError(f"{arrow.way!r}: there is no {who!r} in this flow")
        if arrow.sender in self.agents:
            data, message = await self._expect(arrow, self.agents[arrow.sender])
        else:
            message = self.peers[arrow.sender].write(arrow)
            data = message.frame()
        if arrow.name:
            self.named[arrow.name] = message
        self.ladder.arrow(self.loop.time(), arrow.sender, arrow.receiver, _label(arrow, message), arrow.fate)
        if arrow.fate == "arrives":
            self._deliver(arrow.sender, arrow.receiver, data, message)
        elif arrow.fate == "held":
            if not arrow.name:
                raise ValueError(f"{arrow}: a message that is held needs a name")
            self.held[arrow.name] = (arrow.sender, arrow.receiver, data, message)

    async def _expect(self, arrow: Arrow, agent: _Agent) -> tuple[str | bytes, Message]:
        """The next message of an agent, which must be the arrow's, at the arrow's time."""
        began = self.loop.time()
        if arrow.after is not None:
            low, high = arrow.after if isinstance(arrow.after, tuple) else (arrow.after, arrow.after)
            await self._until_sent(began + high + TOLERANCE)
            self._no_other(arrow.sender)
            if agent.sent and not low - TOLERANCE <= agent.sent[0].time - began <= high + TOLERANCE:
                self._fail([f"it came after {agent.sent[0].time - began:g} s"])
        if not agent.sent:
            self._fail([f"{arrow.sender} sends nothing"])
        sent = agent.sent.popleft()
        if not is_kind(arrow, sent.message):
            self._fail([], came=sent)
        found = list(problems(arrow, sent.message, self.named))
        if found:
            self._fail(found, came=sent)
        return sent.data, sent.message

    async def _until_sent(self, moment: float) -> None:
        """Wait until anybody sends something, but not beyond `moment`."""
        waits = [asyncio.ensure_future(agent.something_sent.wait()) for agent in self.agents.values()]
        for agent in self.agents.values():
            if not agent.sent:
                agent.something_sent.clear()
        timeout = max(moment - self.loop.time(), 0.0)
        await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        await _settle()

    def _no_other(self, name: str) -> None:
        """While time passed, nobody but this agent may have sent anything."""
        if self.agents[name].sent:
            return
        for agent in self.agents.values():
            if agent.sent:
                self._fail([f"{agent.name} sends something else first"], came=agent.sent[0])

    def _deliver(self, sender: str, receiver: str, data: str | bytes, message: Message) -> None:
        if receiver in self.agents:
            self.agents[receiver].deliver(data)
        else:
            self.peers[receiver].receive(sender, message)

    def _arrives(self, step: Arrives) -> None:
        sender, receiver, data, message = self.held.pop(step.name)
        self.ladder.arrow(self.loop.time(), sender, receiver, f"({step.name} arrives)")
        self._deliver(sender, receiver, data, message)

    # --- everything else ---------------------------------------------------------------------------------------

    def _press(self, step: Press) -> None:
        self._note(step.who, str(step))
        try:
            self.agents[step.who].press(step)
        except Exception as error:  # noqa: BLE001  (whatever it is, it is told)
            if step.raises is None or not isinstance(error, step.raises):
                self._fail([f"{step.button} raised {type(error).__name__}: {error}"], error)
        else:
            if step.raises is not None:
                self._fail([f"{step.button} raised nothing, not {step.raises.__name__}"])

    async def _silence(self, seconds: float) -> None:
        self._nothing_sent()
        await self._until_sent(self.loop.time() + seconds)
        self._nothing_sent()

    def _nothing_sent(self) -> None:
        for agent in self.agents.values():
            if agent.sent:
                self._fail([f"{agent.name} sends what is not in the flow"], came=agent.sent[0])

    def _events(self, step: Events) -> None:
        found = self.agents[step.who].new_events(step.of)
        expected = [(item, {}) if isinstance(item, str) else item for item in step.expected]
        if [name for name, _ in found] != [name for name, _ in expected]:
            self._fail(_difference([n for n, _ in expected], [n for n, _ in found]))
        wrong = [
            f"{name}.{key}: {shown(value)} expected, found {getattr(payload, key)!r}"
            for (name, facts), (_, payload) in zip(expected, found, strict=True)
            for key, value in facts.items()
            if not fits(value, getattr(payload, key))
        ]
        if wrong:
            self._fail(wrong)
        self._note(step.who, f"events: {', '.join(name for name, _ in found) or 'none'}")

    def _shows(self, step: Shows) -> None:
        target = self.agents[step.who].emitter(step.of)
        wrong = []
        for name, value in step.facts.items():
            found = getattr(target, name)
            if inspect.ismethod(found):
                found = found()
            if not fits(value, found):
                wrong.append(f"{name}: {shown(value)} expected, found {found!r}")
        if wrong:
            self._fail(wrong)

    def _finished(self, step: Finished) -> None:
        future = self.agents[step.who].futures[-step.back]
        if not future.done():
            self._fail(["what the button began is not done"])
        error = future.exception()
        if step.raises is None and error is not None:
            self._fail([f"it failed: {type(error).__name__}: {error}"])
        if step.raises is not None and not isinstance(error, step.raises):
            self._fail([f"{step.raises.__name__} expected, found {error!r}"])

    async def _end(self) -> None:
        self._step = None
        await self._silence(self.flow.quiet)
        if self.held:
            raise ValueError(f"{', '.join(self.held)} never arrives in this flow")
        if not self.flow.leaves:
            for agent in self.agents.values():
                if left := agent.left():
                    self._fail([f"{agent.name} still holds {left}"])

    # --- telling -----------------------------------------------------------------------------------------------

    def _note(self, who: str, text: str) -> None:
        self.ladder.note(self.loop.time(), who, text)

    def _fail(
        self, why: Iterable[str], cause: BaseException | None = None, *, came: _Sent | None = None
    ) -> NoReturn:
        lines = [f"{self.flow.figure} {self.flow.title}", "", str(self.ladder), ""]
        lines.append(f"- {_shown_step(self._step)}")
        if came is not None:
            lines.append(f"+ {_label(None, came.message)}   (at {came.time:.3f} s)")
        lines.extend(f"  {line}" for line in why)
        for agent in self.agents.values():
            lines.extend(
                f"  {agent.name} has sent {_label(None, sent.message)} at {sent.time:.3f} s"
                for sent in agent.sent
            )
        if came is not None:
            lines.extend(("", *indented(str(came.message), "    ")))
        raise FlowFailed("\n".join(lines)) from cause


async def play(flow: Flow) -> str:
    """Carry the flow out; returns its ladder as text. To be run on simulated time."""
    return await _Player(flow).play()


async def _settle() -> None:
    for _ in range(TURNS):
        await asyncio.sleep(0)


def _handler(what: Any) -> Callable[[Any], Any]:
    if callable(what):
        found: Callable[[Any], Any] = what
        return found
    name, *args = (what,) if isinstance(what, str) else what
    return lambda payload: getattr(payload, name)(*args)


def _difference(expected: list[str], found: list[str]) -> list[str]:
    return [
        f"events expected: {', '.join(expected) or 'none'}",
        f"events found:    {', '.join(found) or 'none'}",
    ]


def _label(arrow: Arrow | None, message: Message) -> str:
    words = [arrow.name] if arrow is not None and arrow.name else []
    try:
        method = message.cseq.method
    except ParseError:
        method = "?"
    if isinstance(message, Request):
        words.append(message.method)
    else:
        words.append(f"{message.code} {method}")
    if message.body:
        kind = (message.headers.get("Content-Type") or "").partition(";")[0].partition("/")[2]
        words.append(f"({kind})")
    return " ".join(words)


def _shown_step(step: Step | None) -> str:
    if step is None:
        return "the end of the flow: silence, and nothing left"
    if isinstance(step, Arrow):
        when = f" after {step.after} s" if step.after is not None else ""
        return f"{step.way}: {step.what} {step.name}".rstrip() + when
    return str(step) if not isinstance(step, Press) else f"{step.who}: {step}"
