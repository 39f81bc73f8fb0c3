"""What a torture test is: a message, what becomes of it, and what is to be read from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Fate(Enum):
    """What becomes of a message that is not refused with a status."""

    TAKEN = "taken"
    DROPPED = "dropped"


TAKEN, DROPPED = Fate.TAKEN, Fate.DROPPED

SDP = (
    b"v=0\r\no=robin 2890844526 2890844526 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n"
    b"m=audio 49170 RTP/AVP 0 8\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n"
)


@dataclass(frozen=True)
class Case:
    """One section of the RFC.

    `fate` is what the parser does: take it, drop it, or refuse it with a status. `reads` and `gives`: what to read
    from a message that is taken, and what it has to be. `asked` and `answer`: arguments for `check_request`, and the
    status (or None) that has to come of it. `same` is False where the message does not go out again as it came in.
    """

    section: str
    title: str
    data: bytes
    fate: Fate | int = TAKEN
    reads: Callable[[Any], object] | None = None
    gives: object = None
    asked: dict[str, Any] = field(default_factory=dict)
    answer: int | None = None
    same: bool = True

    def __str__(self) -> str:
        return f"{self.section} {self.title}"


_STANDARD = {
    "via": "Via: SIP/2.0/WS client.example.com;branch=z9hG4bK{mark}",
    "max-forwards": "Max-Forwards: 70",
    "from": "From: <sip:wren@example.com>;tag={mark}-from",
    "to": "To: <sip:robin@example.org>",
    "call-id": "Call-ID: {mark}@client.example.com",
    "cseq": "CSeq: 7 {method}",
    "content-length": "Content-Length: {length}",
}


def message(
    start: str,
    *fields: str,
    without: str = "",
    body: bytes = b"",
    mark: str = "torture",
    method: str | None = None,
) -> bytes:
    """A message with `fields`, and whatever mandatory field is not among them nor named in `without`.

    In `fields`, LF stands for the end of a line.
    """
    given = {line.partition(":")[0].strip().lower() for line in fields} | set(without.split())
    method = method or start.split(" ")[0]
    standard = [
        line.format(mark=mark, method=method, length=len(body))
        for name, line in _STANDARD.items()
        if name not in given
    ]
    head = "\n".join([start, *standard, *fields, "", ""]).replace("\n", "\r\n")
    return head.encode("utf-8", "surrogateescape") + body


def request(method: str, *fields: str, uri: str = "sip:robin@example.org", **how: Any) -> bytes:
    """A request; see :func:`message`."""
    return message(f"{method} {uri} SIP/2.0", *fields, **how)


def response(status: str, *fields: str, method: str = "INVITE", **how: Any) -> bytes:
    """A response; see :func:`message`."""
    return message(
        f"SIP/2.0 {status}",
        *fields,
        method=method,
        without="max-forwards " + how.pop("without", ""),
        **how,
    )
