"""Extra headers in the ways an application may give them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sipua.sip import Headers, InvalidHeaderError, MediaType, ParseError
from sipua.sip.codec import LIMITS
from sipua.sip.grammar import excerpt
from sipua.sip.headers import KEYS

HeaderPairs = tuple[tuple[str, str], ...]
HeaderLike = Sequence[str] | Mapping[str, str] | Sequence[tuple[str, str]]

#: What a dialog or transaction cannot do without being told otherwise by the stack itself.
RESERVED = frozenset(
    {
        "via",
        "from",
        "to",
        "call-id",
        "cseq",
        "contact",
        "content-length",
        "content-type",
        "max-forwards",
        "record-route",
    }
)

#: Of an application's headers; the others of a message fit in beside them (see `sipua.sip.Limits`).
MAX_HEADERS = 150

#: The answers whose Contact tells the caller where else to try (:rfc:`3261#section-20.10`).
_WITH_ALTERNATIVES = frozenset({*range(300, 400), 485})


def header_list(value: HeaderLike) -> HeaderPairs:
    """Extra headers as pairs of name and value.

    ``["X-A: 1"]``, ``{"X-A": "1"}`` and ``[("X-A", "1")]`` are the same. Route and Authorization may be given, for
    those who know their way and have credentials of their own; what the stack puts there itself comes first.
    At most 150 headers of at most 8 KiB each.

    :raises InvalidHeaderError: no header, one that must not go on the wire or is too long, or one of `RESERVED`,
        by whatever spelling of its name.
    """
    return _checked(value, RESERVED)


def response_header_list(value: HeaderLike, status_code: int | None) -> HeaderPairs:
    """Extra headers of a message that may have a body of the application's: Content-Type, too.

    Also Contact, in a final answer that says where else to try (3xx, 485).

    :raises InvalidHeaderError: as `header_list`.
    """
    allowed = {"content-type", "contact"} if status_code in _WITH_ALTERNATIVES else {"content-type"}
    return _checked(value, RESERVED - allowed)


def content_type_header(value: Any) -> HeaderPairs:
    """The Content-Type header for a media type of the application.

    :raises InvalidHeaderError: no media type.
    """
    try:
        if not isinstance(value, str) or not value.isprintable() or "*" in MediaType.parse(value).mime_type:
            raise ParseError("")
    except ParseError:
        raise InvalidHeaderError(f"content_type={value!r}: not a media type such as text/plain") from None
    return _checked([("Content-Type", value)], frozenset())


def _checked(value: HeaderLike, reserved: frozenset[str]) -> HeaderPairs:
    if isinstance(value, str | bytes):
        raise InvalidHeaderError(f"{value!r}: a list of headers is needed, such as [{value!r}]")
    if not value:
        return ()
    if not isinstance(value, Mapping | Sequence):
        raise InvalidHeaderError(f"{value!r}: a list of headers is needed, such as ['X-Name: value']")
    items: Sequence[Any] = list(value.items()) if isinstance(value, Mapping) else value
    if len(items) > MAX_HEADERS:
        raise InvalidHeaderError(f"{len(items)} headers are too many: {MAX_HEADERS} may be given")
    check = Headers()
    pairs: list[tuple[str, str]] = []
    for item in items:
        name, content = _pair(item)
        if len(f"{name}: {content}".encode("utf-8", "surrogatepass")) > LIMITS.line:
            raise InvalidHeaderError(f"{excerpt(name)}: a header of more than {LIMITS.line} bytes")
        check.add(name, content)
        if KEYS[name] in reserved:
            raise InvalidHeaderError(f"{name}: this header is not the application's to set")
        pairs.append((name, content))
    return tuple(pairs)


def _pair(item: Any) -> tuple[str, str]:
    if isinstance(item, str):
        name, colon, content = item.partition(":")
        if colon and name.strip():
            return name.strip(), content.strip()
    elif isinstance(item, Sequence) and len(item) == 2:
        name, content = item
        if isinstance(name, str) and name.strip() and isinstance(content, str | int):
            return name.strip(), str(content).strip()
    raise InvalidHeaderError(f"{item!r:.200}: not a header; it looks like 'X-Name: value'")


def checked_status(value: Any, low: int = 300, high: int = 699) -> int:
    """A status code of the application, between `low` and `high`.

    :raises ValueError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"status_code={value!r}: not between {low} and {high}")
    return int(value)


def checked_phrase(phrase: Any) -> str | None:
    """A reason phrase of the application.

    :raises InvalidHeaderError: not a text of printable characters.
    """
    if phrase is not None and not (isinstance(phrase, str) and phrase.isprintable()):
        raise InvalidHeaderError(f"{phrase!r}: not a text of printable characters")
    return phrase


def checked_body(body: str | bytes) -> bytes:
    """A body of the application, as bytes.

    :raises TypeError: neither text nor bytes.
    """
    if not isinstance(body, str | bytes):
        raise TypeError(f"a body is str or bytes, not {type(body).__name__}")
    return body.encode() if isinstance(body, str) else body
