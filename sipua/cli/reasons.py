"""Reason headers as people read them."""

from __future__ import annotations

from sipua.sip import ParseError, Reason

__all__ = ["reason_text", "reason_words"]

#: What Reason headers say of a call that ended as calls do (:rfc:`3326`).
_NORMAL = {("q.850", 16), ("sip", 200)}


def reason_text(reason: str | None) -> str | None:
    """What people are told of a Reason header: its text, or its cause when that is not the usual one.

    What is no such header stays as it is.
    """
    try:
        found = Reason.parse_many(reason) if reason and "cause" in reason else []
    except ParseError:
        found = []
    if not found:
        return reason
    words = [
        each.text or f"{each.protocol} {each.cause}"
        for each in found
        if each.text or (each.protocol.lower(), each.cause) not in _NORMAL
    ]
    return ", ".join(words) or None


def reason_words(reason: str | None) -> str | None:
    """The same where a status is told, too: the bare numbers of Q.850 say nothing beside it."""
    try:
        found = Reason.parse_many(reason) if reason and "cause" in reason else []
    except ParseError:
        found = []
    if not found:
        return reason or None
    return ", ".join(each.text for each in found if each.text) or None
