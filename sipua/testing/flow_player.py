"""Carries a flow out, step by step, and says where it goes another way (see `sipua.testing.flow`)."""

from __future__ import annotations

import asyncio
import inspect
import logging
from typing import TYPE_CHECKING, NoReturn

from sipua.sip import ParseError, Request, Response
from sipua.testing.flow_agent import FlowAgent, Sent
from sipua.testing.flow_facts import fits, is_kind, problems, shown
from sipua.testing.flow_ladder import Ladder, indented
from sipua.testing.flow_peer import ScriptedPeer
from sipua.testing.flow_steps import (
    Agent,
    Arrives,
    Arrow,
    Cut,
    Events,
    Fails,
    Finished,
    Peer,
    Press,
    Shows,
    Wait,
)
from sipua.testing.network import MemoryNetwork

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sipua.testing.flow_steps import Flow, Step

Message = Request | Response

#: Turns of the event loop in which everything that can happen at a moment has happened.
TURNS = 40
#: Seconds by which a moment may be missed.
TOLERANCE = 0.001


class FlowFailed(AssertionError):
    """A flow went another way than it is written; the text shows the ladder and the difference."""


class _ErrorLog(logging.Handler):
    """Keeps what is logged as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Called by logging."""
        self.records.append(record)


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
        self.agents = {name: FlowAgent(name, who, network) for name, who in people if isinstance(who, Agent)}
        self.peers = {
            name: ScriptedPeer(name, who, self.named) for name, who in people if isinstance(who, Peer)
        }
        self._step: Step | None = None
        self._errors = _ErrorLog()

    async def play(self) -> str:
        log = logging.getLogger("sipua")
        log.addHandler(self._errors)
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
            log.removeHandler(self._errors)
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
            self.agents[step.who].cut()
        elif isinstance(step, Fails):
            self._note(step.who, "the server falls silent")
            self.agents[step.who].fail()
        elif isinstance(step, Events):
            self._events(step)
        elif isinstance(step, Shows):
            self._shows(step)
        else:
            self._finished(step)
        await _settle()
        self._no_errors()

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

    async def _expect(self, arrow: Arrow, agent: FlowAgent) -> tuple[str | bytes, Message]:
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
            self.agents[step.who].press(step, self.named)
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
        self._no_errors()
        if self.held:
            raise ValueError(f"{', '.join(self.held)} never arrives in this flow")
        if not self.flow.leaves:
            for agent in self.agents.values():
                if left := agent.left():
                    self._fail([f"{agent.name} still holds {left}"])

    def _no_errors(self) -> None:
        """Nobody may have logged an error: a handler that raised, or a bug."""
        if self._errors.records:
            record = self._errors.records[0]
            error = record.exc_info[1] if record.exc_info else None
            self._fail([f"error: {record.getMessage()}{f': {error!r}' if error else ''}"], error)

    # --- telling -----------------------------------------------------------------------------------------------

    def _note(self, who: str, text: str) -> None:
        self.ladder.note(self.loop.time(), who, text)

    def _fail(
        self, why: Iterable[str], cause: BaseException | None = None, *, came: Sent | None = None
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
