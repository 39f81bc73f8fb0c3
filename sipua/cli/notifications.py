"""What a NOTIFY says: one line for people, fields for programs."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from sipua.bodies import DialogInfo, MessageSummary, Presence, RegInfo


def describe(content: Any, body: str) -> str:
    """A line for people: the state that is told, or the beginning of a body that is of no known type."""
    if content is None:
        first = " ".join(body.split())
        return f"{first[:100]}…" if len(first) > 100 else first or "(empty)"
    describer = _DESCRIBERS.get(type(content).__name__)
    return describer(content) if describer is not None else " ".join(str(content).split())


def _presence(presence: Presence) -> str:
    state = "open" if presence.is_open else "closed"
    doing = f", {', '.join(presence.activities)}" if presence.activities else ""
    return f"{presence.entity} is {state}{doing}{f': {presence.note}' if presence.note else ''}"


def _dialogs(info: DialogInfo) -> str:
    calls = [
        f"{dialog.state}{f' with {dialog.remote.identity}' if dialog.remote.identity else ''}"
        for dialog in info.dialogs
    ]
    return f"{info.entity}: {'; '.join(calls) or 'no calls'}"


def _summary(summary: MessageSummary) -> str:
    counts = [f"{name} {counts.new} new, {counts.old} old" for name, counts in summary.counts.items()]
    head = "messages are waiting" if summary.messages_waiting else "no messages are waiting"
    return f"{head} ({'; '.join(counts)})" if counts else head


def _registrations(info: RegInfo) -> str:
    parts = []
    for one in info.registrations:
        contacts = ", ".join(contact.uri for contact in one.contacts)
        parts.append(f"{one.aor} {one.state}{f' at {contacts}' if contacts else ''}")
    return "; ".join(parts) or "no registrations"


_DESCRIBERS: dict[str, Callable[[Any], str]] = {
    "Presence": _presence,
    "DialogInfo": _dialogs,
    "MessageSummary": _summary,
    "RegInfo": _registrations,
}


def fields_of(content: Any) -> Any:
    """A value of `sipua.bodies` as JSON knows it: its attributes by their names; None for None."""
    if dataclasses.is_dataclass(content) and not isinstance(content, type):
        return {field.name: fields_of(getattr(content, field.name)) for field in dataclasses.fields(content)}
    if isinstance(content, Mapping):
        return {str(key): fields_of(value) for key, value in content.items()}
    if isinstance(content, tuple) and hasattr(content, "_asdict"):
        return fields_of(content._asdict())
    if isinstance(content, tuple | list):
        return [fields_of(one) for one in content]
    if isinstance(content, datetime.datetime):
        return content.isoformat()
    return content
