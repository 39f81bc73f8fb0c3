"""The messages of a call as a ladder, in text: we on the left, the server on the right.

::

     time          we                                        ws://127.0.0.1:8080/
    0.000   A       │── INVITE sip:600@localhost ──────────────────▶│ offer
    0.002   A       │◀──────────── 407 Proxy Authentication Required│
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sipua.sip import ParseError, Request, Response, parse_message

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sipua.cli.trace import TracedMessage

#: Characters between the two lines of the ladder.
WIDTH = 46


@dataclass(frozen=True, slots=True)
class Glyphs:
    """What the ladder is drawn with."""

    line: str
    dash: str
    left: str
    right: str


UNICODE = Glyphs("│", "─", "◀", "▶")
ASCII = Glyphs("|", "-", "<", ">")


@dataclass(slots=True)
class _Dialogs:
    """Letters for Call-IDs, with a number for each branch when the call was forked."""

    calls: dict[str, str] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    branches: dict[str, list[str]] = field(default_factory=dict)

    def see(self, message: Request | Response) -> None:
        """Note what this message tells of dialogs."""
        call_id = message.call_id
        if call_id not in self.calls:
            self.calls[call_id] = _letter(len(self.calls))
            self.titles[call_id] = f"{message.from_address.uri} → {message.to_address.uri}"
        if isinstance(message, Response) and 100 < message.code < 300 and message.cseq.method == "INVITE":
            tags = self.branches.setdefault(call_id, [])
            if message.to_tag and message.to_tag not in tags:
                tags.append(message.to_tag)

    def name(self, message: Request | Response) -> str:
        """``A``, or ``A2`` for the second branch of a forked call."""
        letter = self.calls[message.call_id]
        tags = self.branches.get(message.call_id, ())
        if len(tags) < 2:
            return letter
        found = next((i for i, tag in enumerate(tags, 1) if tag in (message.to_tag, message.from_tag)), None)
        return f"{letter}{found}" if found else letter


def _letter(index: int) -> str:
    """A … Z, then A' … Z', and so on."""
    return chr(ord("A") + index % 26) + "'" * (index // 26)


def ladder(
    messages: Iterable[TracedMessage],
    *,
    call_id: str | None = None,
    us: str = "we",
    glyphs: Glyphs = UNICODE,
) -> str:
    """Draw the messages, those of one call only when `call_id` is given.

    Times are in seconds since the first message shown. Messages that cannot be read are shown as such.
    """
    rows = [(message, _parse(message.message)) for message in messages]
    rows = [row for row in rows if call_id is None or (row[1] is not None and _call_id(row[1]) == call_id)]
    if not rows:
        return "no SIP message was exchanged"
    dialogs = _Dialogs()
    for _, message in rows:
        if message is not None:
            dialogs.see(message)
    start = rows[0][0].time
    server = next((traced.server for traced, _ in rows if traced.server), "server")
    seen: set[tuple[str, str]] = set()
    lines = [f"   time       {us:<{WIDTH - len(server) // 2}}  {server}"]
    for traced, message in rows:
        again = (traced.direction, traced.message) in seen
        seen.add((traced.direction, traced.message))
        name = dialogs.name(message) if message is not None else ""
        notes = _notes(message, again=again)
        arrow = _arrow(_label(message, traced.message), traced.direction, glyphs)
        lines.append(f"{traced.time - start:7.3f}  {name:<3}  {arrow}  {notes}".rstrip())
    lines += [f"{letter}: {dialogs.titles[cid]}, Call-ID {cid}" for cid, letter in dialogs.calls.items()]
    return "\n".join(lines)


def _parse(text: str) -> Request | Response | None:
    try:
        message = parse_message(text)
        if message is not None:
            # All that is shown of it; a message that lacks one of these is not legible.
            _ = message.call_id, message.cseq, message.from_address, message.to_address
    except (ParseError, ValueError):
        return None
    return message


def _call_id(message: Request | Response) -> str:
    return message.call_id


def _label(message: Request | Response | None, text: str) -> str:
    if isinstance(message, Request):
        return f"{message.method} {message.uri}" if message.method in _WITH_TARGET else message.method
    if isinstance(message, Response):
        return f"{message.code} {message.phrase}".strip()
    first = text.split("\n", 1)[0].strip()
    return f"illegible: {first}"


# Of the others the target says nothing that the dialog does not say.
_WITH_TARGET = frozenset({"INVITE", "REGISTER", "MESSAGE", "OPTIONS", "SUBSCRIBE", "PUBLISH"})


def _arrow(label: str, direction: str, glyphs: Glyphs) -> str:
    if len(label) > WIDTH - 6:
        label = label[: WIDTH - 7] + "…"
    if direction == "out":
        shaft = f"{glyphs.dash * 2} {label} ".ljust(WIDTH - 1, glyphs.dash) + glyphs.right
    else:
        shaft = glyphs.left + f" {label} {glyphs.dash * 2}".rjust(WIDTH - 1, glyphs.dash)
    return f"{glyphs.line}{shaft}{glyphs.line}"


def _notes(message: Request | Response | None, *, again: bool) -> str:
    if message is None:
        return ""
    notes = []
    if isinstance(message, Response):
        notes.append(f"{message.cseq.sequence} {message.cseq.method}")
    else:
        notes.append(str(message.cseq.sequence))
        if "Authorization" in message.headers or "Proxy-Authorization" in message.headers:
            notes.append("with credentials")
    kind = (message.headers.get("Content-Type") or "").partition(";")[0].strip().lower()
    if message.body:
        notes.append("SDP" if kind == "application/sdp" else kind or "body")
    reason = message.headers.get("Reason")
    if reason:
        notes.append(reason)
    if again:
        notes.append("again")
    return ", ".join(notes)
