"""Reason headers as people read them."""

from __future__ import annotations

from sipua.sip import ParseError, Reason

__all__ = ["reason_text"]

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
