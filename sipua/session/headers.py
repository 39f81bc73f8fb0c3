"""Extra headers in the ways an application may give them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sipua.sip import Headers, InvalidHeaderError

HeaderPairs = tuple[tuple[str, str], ...]
HeaderLike = Sequence[str] | Mapping[str, str] | Sequence[tuple[str, str]]

#: What a dialog or transaction cannot do without being told otherwise by the stack itself.
RESERVED = frozenset(
    {"via", "from", "to", "call-id", "cseq", "content-length", "max-forwards", "record-route"}
)


def header_list(value: HeaderLike) -> tuple[tuple[str, str], ...]:
    """Extra headers as pairs of name and value.

    ``["X-A: 1"]``, ``{"X-A": "1"}`` and ``[("X-A", "1")]`` are the same.

    :raises InvalidHeaderError: no name, characters that must not go on the wire, or a header that is the stack's own.
    """
    if not value:
        return ()
    if isinstance(value, str):
        raise InvalidHeaderError(f"{value!r}: a list of headers is needed, such as [{value!r}]")
    items: Sequence[Any] = list(value.items()) if isinstance(value, Mapping) else list(value)
    pairs: list[tuple[str, str]] = []
    check = Headers()
    for item in items:
        name, colon, content = (
            item.partition(":") if isinstance(item, str) else (str(item[0]), ":", str(item[1]))
        )
        name, content = name.strip(), content.strip()
        if not colon or not name:
            raise InvalidHeaderError(f"{item!r}: not a header; it looks like 'X-Name: value'")
        if name.lower() in RESERVED:
            raise InvalidHeaderError(f"{name}: this header is not the application's to set")
        check.add(name, content)
        pairs.append((name, content))
    return tuple(pairs)


def checked_phrase(phrase: str | None) -> str | None:
    """A reason phrase of the application.

    :raises InvalidHeaderError: not a text of printable characters.
    """
    if phrase is not None and not str(phrase).isprintable():
        raise InvalidHeaderError(f"{phrase!r}: not a text of printable characters")
    return phrase


def checked_body(body: str | bytes) -> bytes:
    """A body of the application, as bytes.

    :raises TypeError: neither text nor bytes.
    """
    if not isinstance(body, str | bytes):
        raise TypeError(f"a body is str or bytes, not {type(body).__name__}")
    return body.encode() if isinstance(body, str) else body
