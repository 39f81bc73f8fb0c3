"""Waiting messages: ``application/simple-message-summary`` (:rfc:`3842`)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from sipua.sip import ParseError

if TYPE_CHECKING:
    from collections.abc import Mapping

_N = r"[ \t]*([0-9]{1,10})[ \t]*"
_COUNTS = re.compile(rf"{_N}/{_N}(?:\({_N}/{_N}\))?[ \t]*")
_HEADER = re.compile(r"([!-9;-~]+)[ \t]*:[ \t]*(.*)")
#: The message context classes of :rfc:`3458#section-6.2`; others of the same form are read, too.
_CLASS = re.compile(r"[a-z0-9\-.!%*_+`'~]+")

Headers = tuple[tuple[str, str], ...]


class MessageCounts(NamedTuple):
    """How many messages of a class there are; `new_urgent` and `old_urgent` are None when the server does not say."""

    new: int
    old: int
    new_urgent: int | None = None
    old_urgent: int | None = None

    def __str__(self) -> str:
        text = f"{self.new}/{self.old}"
        if self.new_urgent is None and self.old_urgent is None:
            return text
        return f"{text} ({self.new_urgent or 0}/{self.old_urgent or 0})"


@dataclass(frozen=True, slots=True)
class MessageSummary:
    """What waits in a mailbox. ``str()`` gives the body."""

    content_type: ClassVar[str] = "application/simple-message-summary"

    messages_waiting: bool
    """Whether there is anything to be listened to or read."""
    account: str | None = None
    """The mailbox: a URI, which a call to listens to it."""
    counts: Mapping[str, MessageCounts] = field(default_factory=lambda: MappingProxyType({}))
    """Per message context class, in lower case: ``"voice-message"``, ``"fax-message"`` …"""
    messages: tuple[Headers, ...] = ()
    """The headers of single messages, where the server gives them."""

    @property
    def voice(self) -> MessageCounts:
        """The counts of voice messages; zeros when the server says nothing of them."""
        return self.counts.get("voice-message", MessageCounts(0, 0))

    @classmethod
    def parse(cls, body: str | bytes) -> MessageSummary:
        """The summary in a body.

        :raises ParseError: no ``Messages-Waiting`` line, or one that says neither yes nor no.
        """
        text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
        head, *groups = re.split(r"\n\n+", text.replace("\r\n", "\n").replace("\r", "\n").strip("\n"))
        waiting: bool | None = None
        account: str | None = None
        counts: dict[str, MessageCounts] = {}
        for name, value in _headers(head):
            key = name.lower()
            if key == "messages-waiting":
                waiting = {"yes": True, "no": False}.get(value.lower())
                if waiting is None:
                    raise ParseError(f"Messages-Waiting: neither yes nor no: {value!r}")
            elif key == "message-account":
                account = value or None
            elif (found := _COUNTS.fullmatch(value)) is not None:
                counts[key] = MessageCounts(*(None if n is None else int(n) for n in found.groups()))  # type: ignore[arg-type]
        if waiting is None:
            raise ParseError("a message summary without Messages-Waiting")
        messages = tuple(headers for group in groups if (headers := _headers(group)))
        return cls(waiting, account, MappingProxyType(counts), messages)

    def __str__(self) -> str:
        lines = [f"Messages-Waiting: {'yes' if self.messages_waiting else 'no'}"]
        if self.account is not None:
            lines.append(f"Message-Account: {_one_line(self.account)}")
        for name, counts in self.counts.items():
            if not _CLASS.fullmatch(name.lower()):
                raise ValueError(f"{name!r}: not a message context class such as voice-message")
            lines.append(f"{'-'.join(part.capitalize() for part in name.split('-'))}: {counts}")
        for headers in self.messages:
            lines.append("")
            lines += [f"{_one_line(name)}: {_one_line(value)}" for name, value in headers]
        return "\r\n".join((*lines, ""))


def _headers(lines: str) -> Headers:
    unfolded = re.sub(r"\n[ \t]+", " ", lines)
    found = (_HEADER.fullmatch(line.rstrip(" \t")) for line in unfolded.split("\n"))
    return tuple((match[1], match[2]) for match in found if match is not None)


def _one_line(text: str) -> str:
    if "\r" in text or "\n" in text:
        raise ValueError(f"{text!r}: more than one line")
    return text
