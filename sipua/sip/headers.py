"""The header fields of a message: in order, as written, and findable by any spelling of their name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, overload

import sipmessage
from sipmessage.message import COMPACT_FORMS

from . import grammar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NAMES = (
    "Accept", "Accept-Contact", "Accept-Encoding", "Accept-Language", "Alert-Info", "Allow", "Allow-Events",
    "Authentication-Info", "Authorization", "Call-ID", "Call-Info", "Contact", "Content-Disposition",
    "Content-Encoding", "Content-Language", "Content-Length", "Content-Type", "CSeq", "Date", "Diversion",
    "Error-Info", "Event", "Expires", "Flow-Timer", "From", "Geolocation", "History-Info", "Identity", "In-Reply-To",
    "Info-Package", "Join", "Max-Forwards", "MIME-Version", "Min-Expires", "Min-SE", "Organization",
    "P-Asserted-Identity", "P-Associated-URI", "P-Preferred-Identity", "Path", "Priority", "Privacy",
    "Proxy-Authenticate", "Proxy-Authentication-Info", "Proxy-Authorization", "Proxy-Require", "RAck", "Reason",
    "Record-Route", "Recv-Info", "Refer-Sub", "Refer-To", "Referred-By", "Reject-Contact", "Remote-Party-ID",
    "Replaces", "Reply-To", "Request-Disposition", "Require", "Retry-After", "Route", "RSeq", "Server",
    "Service-Route", "Session-Expires", "SIP-ETag", "SIP-If-Match", "Subject", "Subscription-State", "Supported",
    "Target-Dialog", "Timestamp", "To", "Unsupported", "User-Agent", "Via", "Warning", "WWW-Authenticate",
)  # fmt: skip
"Header fields known by name, in the spelling of the RFCs."

LISTS = frozenset(
    name.lower()
    for name in (
        "Accept", "Accept-Contact", "Accept-Encoding", "Accept-Language", "Alert-Info", "Allow", "Allow-Events",
        "Call-Info", "Contact", "Content-Encoding", "Content-Language", "Diversion", "Error-Info", "Geolocation",
        "History-Info", "In-Reply-To", "P-Asserted-Identity", "P-Associated-URI", "P-Preferred-Identity", "Path",
        "Proxy-Require", "Reason", "Record-Route", "Recv-Info", "Reject-Contact", "Remote-Party-ID",
        "Request-Disposition", "Require", "Route", "Service-Route", "Supported", "Unsupported", "Via", "Warning",
    )
)  # fmt: skip
"Header fields whose value is a comma-separated list, so that several of them mean the same as one."

_SECRET = frozenset({"authorization", "proxy-authorization"})

_COMPACT = {short: name.lower() for short, name in COMPACT_FORMS.items()}

_FIELD_NAME = re.compile(rf"({grammar.TOKEN})[ \t]*+")


class _Keys(dict[str, str]):
    """What header fields are filed under, the full name in lower case, by their name as written.

    Holds the spellings that are met from the start and learns others, a bounded number of them. Raises ValueError for
    a name that is no token; white space behind it is let pass.
    """

    _room = 1000

    def __missing__(self, name: str) -> str:
        match = _FIELD_NAME.fullmatch(name)
        if match is None:
            raise ValueError(f"not a header name: {grammar.excerpt(name)}")
        key = match[1].lower()
        key = _COMPACT.get(key, key)
        if match[1] == name and len(name) <= 64 and self._room > 0:
            self._room -= 1
            self[name] = key
        return key


KEYS = _Keys(
    {
        spelling: name.lower()
        for name in NAMES
        for spelling in (name, name.lower(), name.title(), name.upper())
    }
)
KEYS.update({spelling: key for short, key in _COMPACT.items() for spelling in (short, short.upper())})


def field_value(line: str) -> str:
    """The value in a header field: what is behind the colon, trimmed and on one line."""
    value = line[line.index(":") + 1 :].strip(" \t\r\n")
    return grammar.unfold(value) if "\n" in value else value


def _key(name: str) -> str:
    """The key for a name to look up, which may be any text."""
    try:
        return KEYS[name]
    except ValueError:
        return name


def _new_field(name: str, value: str) -> tuple[str, str]:
    if name not in KEYS:
        grammar.check_token("header name", name)
    if not value.isprintable():
        grammar.check_text(name, value)
    return KEYS[name], f"{name}: {value}"


class Headers(sipmessage.Headers):
    """An ordered multi-dictionary of header fields (:rfc:`3261#section-7.3`).

    Names are found in any case and in their compact form. Order, spelling, white space and folding of fields that were
    parsed are kept. Names and values set by the application are checked: CR, LF or NUL raise
    :class:`InvalidHeaderError`, so that no value can smuggle in another field.
    """

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self._keys: list[str] = []
        self._lines: list[str] = []
        self._cache: dict[str, Any] = {}
        for name, value in fields:
            self.add(name, value)

    @classmethod
    def _of(cls, keys: list[str], lines: list[str]) -> Headers:
        self = cls.__new__(cls)
        self._keys = keys
        self._lines = lines
        self._cache = {}
        return self

    # --- reading ---

    @overload
    def get(self, name: str, default: str) -> str: ...
    @overload
    def get(self, name: str, default: str | None = None) -> str | None: ...
    def get(self, name: str, default: str | None = None) -> str | None:
        """The value of the first field called `name`, or `default`."""
        key = _key(name)
        return field_value(self._lines[self._keys.index(key)]) if key in self._keys else default

    def getlist(self, name: str) -> list[str]:
        """The values of all fields called `name`, one per field."""
        key = _key(name)
        keys, lines = self._keys, self._lines
        values: list[str] = []
        at = -1
        for _ in range(keys.count(key)):
            at = keys.index(key, at + 1)
            values.append(field_value(lines[at]))
        return values

    def values(self, name: str) -> list[str]:
        """As :meth:`getlist`, with the members of comma-separated lists one by one."""
        values = self.getlist(name)
        if _key(name) in LISTS:
            return [member for value in values for member in grammar.split_list(value)]
        return values

    def keys(self) -> list[str]:
        """The names of the fields, each once, as first written."""
        names: dict[str, str] = {}
        for key, line in zip(self._keys, self._lines, strict=True):
            names.setdefault(key, line[: line.index(":")].rstrip(" \t"))
        return list(names.values())

    def items(self) -> Iterator[tuple[str, str]]:
        """Name, as written, and value of each field, in order."""
        for line in self._lines:
            yield line[: line.index(":")].rstrip(" \t"), field_value(line)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and _key(name) in self._keys

    def __getitem__(self, name: str) -> str:
        value: str | None = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    def __len__(self) -> int:
        return len(self._lines)

    # --- changing ---

    def add(self, name: str, value: str) -> None:
        """Put a field at the end."""
        key, line = _new_field(name, value)
        self._keys.append(key)
        self._lines.append(line)
        self._cache.pop(key, None)

    def prepend(self, name: str, value: str) -> None:
        """Put a field in front of the others of its name (at the very top when there are none)."""
        key, line = _new_field(name, value)
        at = self._keys.index(key) if key in self._keys else 0
        self._keys.insert(at, key)
        self._lines.insert(at, line)
        self._cache.pop(key, None)

    def set(self, name: str, value: str) -> None:
        """Make `value` the only value of the field called `name`, in the place of the first."""
        self.setlist(name, [value])

    def setlist(self, name: str, values: list[str]) -> None:
        """Make `values` the fields called `name`, in the place of the first."""
        fields = [_new_field(name, value) for value in values]
        key = _key(name)
        at = self._keys.index(key) if key in self._keys else len(self._keys)
        self._discard(key)
        self._keys[at:at] = [key for key, _ in fields]
        self._lines[at:at] = [line for _, line in fields]

    def remove(self, name: str) -> None:
        """Take away all fields called `name`; there need be none."""
        self._discard(_key(name))

    def remove_first(self, name: str) -> None:
        """Take away the first value of `name`: a whole field, or the first member of a list in it."""
        key = _key(name)
        if key not in self._keys:
            return
        at = self._keys.index(key)
        line = self._lines[at]
        members = grammar.split_list(field_value(line)) if key in LISTS and "," in line else []
        if len(members) > 1:
            self._lines[at] = f"{line[: line.index(':')]}: {', '.join(members[1:])}"
        else:
            del self._keys[at], self._lines[at]
        self._cache.pop(key, None)

    def _discard(self, key: str) -> None:
        self._cache.pop(key, None)
        keys = self._keys
        if key in keys:
            keep = [i for i, k in enumerate(keys) if k != key]
            self._lines = [self._lines[i] for i in keep]
            self._keys = [keys[i] for i in keep]

    def copy_from(self, other: Headers, *names: str) -> None:
        """Append `other`'s fields called `names`, to the letter as they are there."""
        for name in names:
            key = _key(name)
            for k, line in zip(other._keys, other._lines, strict=True):
                if k == key:
                    self._keys.append(key)
                    self._lines.append(line)
            self._cache.pop(key, None)

    def copy(self) -> Headers:
        """An independent copy."""
        copy = Headers._of(self._keys.copy(), self._lines.copy())
        copy._cache = self._cache.copy()
        return copy

    # --- the whole ---

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Headers):
            return NotImplemented
        return self._keys == other._keys and [*map(field_value, self._lines)] == [
            *map(field_value, other._lines)
        ]

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return "\r\n".join([*self._lines, "", ""])

    def __repr__(self) -> str:
        shown = [(name, "…" if _key(name) in _SECRET else value) for name, value in self.items()]
        return f"Headers({shown!r})"
