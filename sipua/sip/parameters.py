"""Parameters: ``;name=value`` after addresses, Via and media types, inside URIs, and ``?name=value`` in URIs.

The library's :class:`sipmessage.Parameters` percent-decodes all of them and percent-encodes what it writes. That is
right inside a URI only: elsewhere ``%`` is an ordinary character and other characters are quoted. So there are three
classes here, one per syntax. All look names up without regard to case and give back the text they came from.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import sipmessage

from . import grammar
from .errors import InvalidHeaderError, ParseError

Source = Mapping[str, str | None] | Iterable[tuple[str, str | None]]

_PIECE = re.compile(rf'{grammar.WS};({grammar.WS}[^ \t;,=<>"]++(?:{grammar.WS}={grammar.WS}'
                    rf'(?:{grammar.QUOTED}|[^ \t;,<>"]*+))?)', re.DOTALL)  # fmt: skip
_VALID = re.compile(grammar.PARAMETERS + grammar.WS, re.DOTALL)
_VALID_URI = re.compile(grammar.URI_PARAMETERS)
_BARE = re.compile(r"[A-Za-z0-9\-.!%*_+`'~:\[\]]++")
_QUOTED = re.compile(grammar.QUOTED, re.DOTALL)


class Parameters(sipmessage.Parameters):
    """The parameters of a header field value (:rfc:`3261#section-7.3.1`): an immutable mapping.

    A value is None for a parameter without one. Quoted values are given without their quotes; values that are
    no token or host get quotes when written. A value passed in *with* quotes is written just so.

    ``Parameters(tag="abc")``, ``Parameters({"+sip.instance": "<urn:uuid:…>", "lr": None})``
    """

    _separator = ";"
    _lead = ";"

    _text: str | None
    _entries: dict[str, tuple[str, str | None, str]] | None

    def __init__(self, source: Source = (), /, **kwargs: str | None) -> None:
        entries: dict[str, tuple[str, str | None, str]] = {}
        pairs = source.items() if isinstance(source, Mapping) else source
        for name, value in (*pairs, *kwargs.items()):
            entries[name.lower()] = self._entry(name, value)
        self._entries = entries
        self._text = None

    @classmethod
    def parse(cls, value: str) -> Parameters:
        """The parameters in `value`, which starts with the separator or is empty. Raises :class:`ParseError`."""
        value = grammar.unfold(value)
        if _VALID.fullmatch(value) is None:
            raise ParseError(f"not valid parameters: {value!r}")
        return cls._of(value)

    @classmethod
    def _of(cls, text: str) -> Any:
        """From text known to be well formed."""
        self = cls.__new__(cls)
        self._text = text
        self._entries = None
        return self

    # --- one syntax per class ---

    @staticmethod
    def _pieces(text: str) -> list[str]:
        return _PIECE.findall(text) if '"' in text else text.split(";")[1:]

    @staticmethod
    def _decode_name(name: str) -> str:
        return name

    @staticmethod
    def _decode(value: str) -> str:
        return grammar.readable(grammar.unquote(value))

    @staticmethod
    def _encode(name: str, value: str | None) -> tuple[str | None, str]:
        grammar.check_token("parameter name", name)
        if value is None:
            return None, name
        grammar.check_text(f"parameter {name}", value)
        if _QUOTED.fullmatch(value):
            return grammar.unquote(value), f"{name}={value}"
        return value, f"{name}={value if _BARE.fullmatch(value) else grammar.quote(value)}"

    # --- common to all ---

    @classmethod
    def _entry(cls, name: str, value: str | None) -> tuple[str, str | None, str]:
        decoded, piece = cls._encode(name, value)
        return name, decoded, piece

    def _index(self) -> dict[str, tuple[str, str | None, str]]:
        entries: dict[str, tuple[str, str | None, str]] = {}
        for piece in self._pieces(self._text or ""):
            name, equals, value = piece.partition("=")
            name = self._decode_name(name.strip(" \t"))
            key = name.lower()
            if key not in entries:  # of several by one name the first counts
                entries[key] = (name, self._decode(value.strip(" \t")) if equals else None, piece)
        self._entries = entries
        return entries

    def replace(self, **changes: str | None) -> Parameters:
        """A copy with `changes`; parameters that do not change keep the spelling they came with."""
        return self.updated(changes)

    def updated(self, changes: Source) -> Parameters:
        """As :meth:`replace`, for names that are no Python identifiers."""
        entries = dict(self._entries if self._entries is not None else self._index())
        for name, value in changes.items() if isinstance(changes, Mapping) else changes:
            entries[name.lower()] = self._entry(name, value)
        return self._from_entries(entries)

    def without(self, *names: str) -> Parameters:
        """A copy that lacks the parameters called `names`."""
        gone = {name.lower() for name in names}
        entries = self._entries if self._entries is not None else self._index()
        return self._from_entries({key: entry for key, entry in entries.items() if key not in gone})

    def _from_entries(self, entries: dict[str, tuple[str, str | None, str]]) -> Parameters:
        copy = self.__class__.__new__(self.__class__)
        copy._entries = entries
        copy._text = None
        return copy

    def __getitem__(self, key: str) -> str | None:
        entries = self._entries
        if entries is None:
            entries = self._index()
        return entries[key.lower()][1]

    def get(self, key: str, default: Any = None) -> Any:
        """The value of parameter `key`, or `default` when there is none by that name."""
        entries = self._entries
        if entries is None:
            entries = self._index()
        entry = entries.get(key.lower())
        return default if entry is None else entry[1]

    def __contains__(self, key: object) -> bool:
        entries = self._entries if self._entries is not None else self._index()
        return isinstance(key, str) and key.lower() in entries

    def __iter__(self) -> Iterator[str]:
        entries = self._entries if self._entries is not None else self._index()
        return (entry[0] for entry in entries.values())

    def __len__(self) -> int:
        return len(self._entries if self._entries is not None else self._index())

    def _comparable(self) -> dict[str, str | None]:
        entries = self._entries if self._entries is not None else self._index()
        return {key: entry[1] for key, entry in entries.items()}

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Parameters):
            return self._comparable() == other._comparable()
        if isinstance(other, Mapping):
            return self._comparable() == {str(key).lower(): value for key, value in other.items()}
        return NotImplemented

    def __hash__(self) -> int:
        return hash(frozenset(self._comparable().items()))

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}({dict(self)!r})"

    def __str__(self) -> str:
        text = self._text
        if text is None:
            pieces = [entry[2] for entry in (self._entries or {}).values()]
            text = self._text = self._lead + self._separator.join(pieces) if pieces else ""
        return text


class URIParameters(Parameters):
    """The parameters inside a URI (:rfc:`3261#section-19.1.1`): percent-escaped, never quoted."""

    _safe = "!*'()[]/:&+$"

    @classmethod
    def parse(cls, value: str) -> Parameters:
        """The parameters in `value`, which starts with ``;`` or is empty. Raises :class:`ParseError`."""
        if _VALID_URI.fullmatch(value) is None:
            raise ParseError(f"not valid URI parameters: {value!r}")
        parameters: Parameters = cls._of(value)
        return parameters

    @staticmethod
    def _pieces(text: str) -> list[str]:
        return text.split(";")[1:]

    @staticmethod
    def _decode_name(name: str) -> str:
        return grammar.percent_decode(name)

    @staticmethod
    def _decode(value: str) -> str:
        return grammar.percent_decode(value)

    @classmethod
    def _entry(cls, name: str, value: str | None) -> tuple[str, str | None, str]:
        if not name:
            raise InvalidHeaderError("a URI parameter needs a name")
        piece = grammar.percent_encode(name, cls._safe)
        if value is not None:
            piece += "=" + grammar.percent_encode(value, cls._safe)
        return name, value, piece


class URIHeaders(URIParameters):
    """The header fields inside a URI, ``?Subject=x&Priority=urgent`` (:rfc:`3261#section-19.1.1`)."""

    _separator = "&"
    _lead = "?"
    _safe = "!*'()[]/?:+$"

    @classmethod
    def parse(cls, value: str) -> Parameters:
        """The header fields in `value`, which starts with ``?`` or is empty. Raises :class:`ParseError`."""
        if value and value[0] != "?":
            raise ParseError(f"not valid URI headers: {value!r}")
        parameters: Parameters = cls._of(value)
        return parameters

    @staticmethod
    def _pieces(text: str) -> list[str]:
        return [piece for piece in text[1:].split("&") if piece]
