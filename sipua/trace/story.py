"""What a trace tells, put in order for who draws it: who takes part, which calls there are, step by step."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from sipua.session.multipart import media_type
from sipua.sip import ParseError, Request, Response, parse_message
from sipua.trace.descriptions import Description, Descriptions
from sipua.trace.records import TracedEvent, TracedMessage

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sipua.trace.records import Record

__all__ = ["Call", "EventStep", "MessageStep", "Story", "records_of_call"]

Kind = Literal["request", "provisional", "success", "redirection", "failure", "illegible"]

US = "we"
"""The name of a user agent that the trace has no name for."""

# Of the others the target says nothing that the dialog does not say.
_WITH_TARGET = frozenset({"INVITE", "REGISTER", "MESSAGE", "OPTIONS", "SUBSCRIBE", "PUBLISH"})
_KINDS: dict[int, Kind] = {1: "provisional", 2: "success", 3: "redirection"}


@dataclass(slots=True, eq=False)
class Call:
    """All messages with one Call-ID: a call, a registration, or another exchange."""

    call_id: str
    letter: str
    """``A`` for the first one of the trace, then ``B``, …"""
    caller: str
    callee: str
    method: str
    """Of its first request that was seen; empty when there was none."""
    branches: list[str] = field(default_factory=list)
    """The To tags of the responses that set dialogs up: several when it was forked."""
    descriptions: dict[tuple[str, str], Descriptions] = field(default_factory=dict)
    """By user agent and whom it talks to: a proxy has two for each call."""

    @property
    def title(self) -> str:
        """``sip:alice@example.com → sip:bob@example.com``."""
        return f"{self.caller} → {self.callee}"


@dataclass(frozen=True, slots=True)
class MessageStep:
    """A message on its way from one lane to another."""

    number: int
    """Counts the messages of the trace, from 1."""
    time: float
    source: str
    target: str
    label: str
    """``INVITE sip:bob@example.com``, ``180 Ringing``."""
    notes: tuple[str, ...]
    kind: Kind
    again: bool
    """The same was sent before."""
    traced: TracedMessage
    call: Call | None
    """None: it is not legible."""
    branch: int
    """Of a forked call: which of `Call.branches` it belongs to, from 1; else 0."""
    description: Description | None

    @property
    def dialog(self) -> str:
        """``A``, or ``A2`` for the second branch of a forked call."""
        if self.call is None:
            return ""
        numbered = self.branch and len(self.call.branches) > 1
        return f"{self.call.letter}{self.branch}" if numbered else self.call.letter


@dataclass(frozen=True, slots=True)
class EventStep:
    """Something that a user agent told."""

    time: float
    lane: str
    text: str
    event: TracedEvent
    call: Call | None


class Story:
    """Reads the records of a trace, which are in the order of their times."""

    def __init__(self, records: Iterable[Record]) -> None:
        self.records: Sequence[Record] = tuple(records)
        self.calls: dict[str, Call] = {}
        """By Call-ID."""
        self.messages: list[MessageStep] = []
        self.events: list[EventStep] = []
        self.lanes: list[str] = []
        """The first user agent, whom they all talk to, the other user agents."""
        self.start = self.records[0].time if self.records else 0.0
        self._seen: set[tuple[str, str, str, str]] = set()
        agents: dict[str, None] = {}
        peers: dict[str, None] = {}
        for record in self.records:
            if isinstance(record, TracedMessage):
                agents.setdefault(record.agent or US)
                peers.setdefault(record.peer or "server")
                self._add_message(record)
            elif isinstance(record, TracedEvent):
                agents.setdefault(record.agent or US)
        for record in self.records:  # now that all calls are known: some events come before the first message
            if isinstance(record, TracedEvent):
                self._add_event(record)
        ours = [*agents]
        # Between them, so that the arrows of two that talk by one server do not cross each other's lines.
        self.lanes = [*ours[:1], *(peer for peer in peers if peer not in agents), *ours[1:]]

    def call_named(self, name: str) -> Call | None:
        """The call with this letter or Call-ID, or the only one whose Call-ID begins so."""
        for call in self.calls.values():
            if call.call_id == name or call.letter == name.upper():
                return call
        begun = [call for call in self.calls.values() if call.call_id.startswith(name)]
        return begun[0] if len(begun) == 1 else None

    def _add_message(self, traced: TracedMessage) -> None:
        message = parse(traced.message)
        us, them = traced.agent or US, traced.peer or "server"
        again = (us, them, traced.direction, traced.message) in self._seen
        self._seen.add((us, them, traced.direction, traced.message))
        call = self._call_of(message) if message is not None else None
        description = None
        if call is not None and message is not None and not again:
            seen = call.descriptions.setdefault((traced.agent, traced.peer), Descriptions())
            description = seen.see(len(self.messages), traced, message)
        self.messages.append(
            MessageStep(
                number=len(self.messages) + 1,
                time=traced.time,
                source=us if traced.direction == "out" else them,
                target=them if traced.direction == "out" else us,
                label=_label(message, traced.message),
                notes=_notes(message, description, again=again),
                kind=_kind(message),
                again=again,
                traced=traced,
                call=call,
                branch=_branch(call, message),
                description=description,
            )
        )

    def _call_of(self, message: Request | Response) -> Call:
        call_id = message.call_id
        call = self.calls.get(call_id)
        if call is None:
            ends = str(message.from_address.uri), str(message.to_address.uri)
            call = Call(call_id, _letter(len(self.calls)), *ends, message.cseq.method)
            self.calls[call_id] = call
        if isinstance(message, Response) and 100 < message.code < 300 and message.cseq.method == "INVITE":
            tag = message.to_tag
            if tag and tag not in call.branches:
                call.branches.append(tag)
        return call

    def _add_event(self, event: TracedEvent) -> None:
        call = self.calls.get(event.call) if event.call is not None else None
        values = (_detail(name, value) for name, value in event.details.items() if value not in (None, ""))
        said = ", ".join(dict.fromkeys(values))  # a cause often says what the status says
        text = f"{event.name.replace('_', ' ')}{f': {said}' if said else ''}"
        self.events.append(EventStep(event.time, event.agent or US, text, event, call))


def records_of_call(records: Iterable[Record], call_id: str) -> list[Record]:
    """The messages, events and figures of one call."""
    found: list[Record] = []
    for record in records:
        if isinstance(record, TracedMessage):
            message = parse(record.message)
            of = message.call_id if message is not None else None
        else:
            of = record.call
        if of == call_id:
            found.append(record)
    return found


def parse(text: str) -> Request | Response | None:
    """The message; None when it is not legible."""
    for attempt in (text, _with_own_length(text)):
        try:
            message = parse_message(attempt)
            if message is not None:
                # All that is shown of it; a message that lacks one of these is not legible.
                _ = message.call_id, message.cseq, message.from_address, message.to_address
        except (ParseError, ValueError):
            continue
        return message
    return None


def _with_own_length(text: str) -> str:
    """A body from which a secret was taken is not as long as the header says."""
    head, gap, body = text.partition("\r\n\r\n")
    size = len(body.encode(errors="replace"))
    return re.sub(r"(?im)^(content-length|l)([ \t]*:).*$", rf"\1\2 {size}\r", head) + gap + body


def _letter(index: int) -> str:
    """A … Z, then A' … Z', and so on."""
    return chr(ord("A") + index % 26) + "'" * (index // 26)


def _label(message: Request | Response | None, text: str) -> str:
    if isinstance(message, Request):
        return f"{message.method} {message.uri}" if message.method in _WITH_TARGET else message.method
    if isinstance(message, Response):
        return f"{message.code} {message.phrase}".strip()
    return f"illegible: {text.split(chr(10), 1)[0].strip()}"


def _kind(message: Request | Response | None) -> Kind:
    if message is None:
        return "illegible"
    return "request" if isinstance(message, Request) else _KINDS.get(message.code // 100, "failure")


def _branch(call: Call | None, message: Request | Response | None) -> int:
    if call is None or message is None:
        return 0
    ends = (message.to_tag, message.from_tag)
    return next((number for number, tag in enumerate(call.branches, 1) if tag in ends), 0)


def _notes(
    message: Request | Response | None, description: Description | None, *, again: bool
) -> tuple[str, ...]:
    if message is None:
        return ()
    notes = []
    if isinstance(message, Response):
        notes.append(f"{message.cseq.sequence} {message.cseq.method}")
    else:
        notes.append(str(message.cseq.sequence))
        if "Authorization" in message.headers or "Proxy-Authorization" in message.headers:
            notes.append("with credentials")
    if description is not None:
        notes.append(f"SDP {description.role}")
    elif message.body:
        kind = media_type(message)
        notes.append("SDP" if kind == "application/sdp" else kind or "body")
    reason = message.headers.get("Reason")
    if reason:
        notes.append(reason)
    if again:
        notes.append("again")
    return tuple(notes)


def _detail(name: str, value: object) -> str:
    return f"{value:g} s" if name == "expires" and isinstance(value, int | float) else str(value)
