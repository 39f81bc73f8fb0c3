"""A layer on a clock of its own, and messages to feed it: what the tests of transactions share."""

from __future__ import annotations

import random
from typing import TypeVar

from sipua.sip import Headers, Request, Response, TransactionLayer, make_response, parse_message
from sipua.sip.uri import URI

EventT = TypeVar("EventT")


def new_request(
    method: str = "INVITE",
    *,
    uri: str = "sip:bob@example.com",
    cseq: int = 1,
    call_id: str = "call-1",
    from_tag: str = "alice-tag",
    to_tag: str = "",
    headers: tuple[tuple[str, str], ...] = (),
    body: bytes = b"",
) -> Request:
    """A request as a transaction user makes it: without Via."""
    to = f"<{uri}>;tag={to_tag}" if to_tag else f"<{uri}>"
    fields = [
        ("Max-Forwards", "70"),
        ("From", f"<sip:alice@example.com>;tag={from_tag}"),
        ("To", to),
        ("Call-ID", call_id),
        ("CSeq", f"{cseq} {method}"),
        *headers,
    ]
    return Request(method, URI.parse(uri), body, Headers(fields))


def received(
    method: str = "INVITE",
    *,
    branch: str | None = "z9hG4bKpeer1",
    sent_by: str = "peer.invalid",
    **options: object,
) -> Request:
    """A request as it comes from a peer: with a Via, and through the parser."""
    request = new_request(method, **options)  # type: ignore[arg-type]
    parameters = "" if branch is None else f";branch={branch}"
    request.headers.prepend("Via", f"SIP/2.0/WS {sent_by}{parameters}")
    return over_the_wire(request)


MessageT = TypeVar("MessageT", Request, Response)


def over_the_wire(message: MessageT) -> MessageT:
    """What the other side reads."""
    parsed = parse_message(bytes(message))
    assert type(parsed) is type(message)
    return parsed


def answer(request: Request, code: int, to_tag: str | None = "bob-tag", **options: object) -> Response:
    """A peer's response to a request of ours."""
    response = make_response(request, code, to_tag=to_tag, **options)  # type: ignore[arg-type]
    return over_the_wire(response)


class Rig:
    """A layer, what it sent and told, and when."""

    def __init__(self, **options: object) -> None:
        options.setdefault("sent_by", "us.invalid")
        options.setdefault("rand", random.Random(1))
        self.layer = TransactionLayer(**options)  # type: ignore[arg-type]
        self.now = 0.0
        self.sent: list[tuple[float, Request | Response]] = []
        self.events: list[tuple[float, object]] = []

    def collect(self) -> None:
        self.sent += [(self.now, message) for message, _ in self.layer.take_messages()]
        self.events += [(self.now, event) for event in self.layer.take_events()]

    def run(self, until: float) -> None:
        """Let time pass, stopping at each deadline."""
        self.collect()
        while (deadline := self.layer.next_deadline()) is not None and deadline <= until:
            self.now = deadline
            self.layer.handle_timeout(deadline)
            self.collect()
        self.now = until

    def feed(self, message: Request | Response, flow: object = "flow") -> None:
        self.layer.receive(message, self.now, flow)
        self.collect()

    def start(self, request: Request | None = None, **options: object):
        transaction = self.layer.request(request or new_request(), self.now, **options)  # type: ignore[arg-type]
        self.collect()
        return transaction

    def take(self, request: Request | None = None):
        """The server transaction of a request fed in."""
        self.feed(request or received())
        return self.last().transaction

    def reply(self, transaction, code: int, **options: object) -> bool:
        done = transaction.reply(self.now, code, **options)
        self.collect()
        return done

    def times(self, start: str) -> list[float]:
        """When messages whose first line begins with `start` were sent."""
        return [time for time, message in self.sent if message.start_line().startswith(start)]

    def told(self, kind: type[EventT]) -> list[tuple[float, EventT]]:
        return [(time, event) for time, event in self.events if isinstance(event, kind)]

    def kinds(self) -> list[str]:
        return [type(event).__name__ for _, event in self.events]

    def last(self):
        return self.events[-1][1]

    @property
    def is_empty(self) -> bool:
        return len(self.layer) == 0 and not any(self.layer.counts) and self.layer.next_deadline() is None
