"""Parameters: ``;name=value`` after addresses, Via and media types, inside URIs, and ``?name=value`` in URIs.

The library's :class:`sipmessage.Parameters` percent-decodes all of them and percent-encodes what it writes. That is
right inside a URI only: elsewhere ``%`` is an ordinary character, and other characters are quoted. So there are
three classes here, one per syntax. All find names in any case and give back the text they came from.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

import sipmessage

from . import grammar
from .errors import InvalidHeaderError, ParseError

Source = Mapping[str, str | None] | Iterable[tuple[str, str | None]]

_VALID = re.compile(grammar.PARAMETERS + grammar.WS)
_VALID_URI = re.compile(grammar.URI_PARAMETERS)
_PIECE = re.compile(rf"{grammar.WS};({grammar.PARAMETER})")
_BARE = re.compile(r"[A-Za-z0-9\-.!%*_+`'~:\[\]]++")
_QUOTED = re.compile(grammar.QUOTED)


class Parameters(sipmessage.Parameters):
    """The parameters of a header field value (:rfc:`3261#section-7.3.1`): an immutable mapping.

    A value is None for a parameter without one. Quoted values are given without their quotes; values that are no
    token or host get quotes when written. A value passed in *with* quotes is written just so. Of several parameters
    by one name the first counts.

    ``Parameters(tag="abc")``, ``Parameters({"+sip.instance": "<urn:uuid:…>", "lr": None})``
    """

    _lead = ";"
    _separator = ";"

    _text: str
    _values: dict[str, str | None] | None = None

    def __init__(self, source: Source = (), /, **kwargs: str | None) -> None:
        entries = {
            name.lower(): self._piece(name, value) for name, value in (*_pairs(source), *kwargs.items())
        }
        self._text = self._join(entries.values())

    @classmethod
    def parse(cls, value: str) -> Self:
        """The parameters in `value`, which begins with ``;`` or is empty. Raises :class:`ParseError`."""
        value = grammar.unfold(value)
        if _VALID.fullmatch(value) is None:
            raise ParseError(f"not valid parameters: {grammar.excerpt(value)}")
        return cls._of(value)

    @classmethod
    def _of(cls, text: str) -> Self:
        """From text known to be well formed."""
        self = cls.__new__(cls)
        self._text = text
        return self

    # --- the syntax, which subclasses replace ---

    @classmethod
    def _split(cls, text: str) -> list[str]:
        return _PIECE.findall(text) if '"' in text else text.split(";")[1:]

    @staticmethod
    def _name(raw: str) -> str:
        return raw.strip(" \t")

    @staticmethod
    def _value(raw: str) -> str:
        return grammar.readable(grammar.unquote(raw.strip(" \t")))

    @classmethod
    def _piece(cls, name: str, value: str | None) -> str:
        """One parameter as text, from what the application gave."""
        grammar.check_token("parameter name", name)
        if value is None:
            return name
        grammar.check_text(f"parameter {name}", value)
        bare = _BARE.fullmatch(value) or _QUOTED.fullmatch(value)
        return f"{name}={value if bare else grammar.quote(value)}"

    def _index(self) -> dict[str, str | None]:
        text = self._text
        if '"' in text or " " in text or "\t" in text or not text.isascii():
            return self._index_slowly()
        return self._index_plainly(text[1:].split(";") if text else ())

    # --- common to all ---

    def _index_plainly(self, pieces: Iterable[str]) -> dict[str, str | None]:
        """For pieces in which nothing is quoted or escaped."""
        values: dict[str, str | None] = {}
        for piece in pieces:
            name, equals, value = piece.partition("=")
            name = name.lower()
            if name not in values:
                values[name] = value if equals else None
        self._values = values
        return values

    def _index_slowly(self) -> dict[str, str | None]:
        values: dict[str, str | None] = {}
        for piece in self._split(self._text):
            name, equals, value = piece.partition("=")
            values.setdefault(self._name(name).lower(), self._value(value) if equals else None)
        self._values = values
        return values

    @classmethod
    def _join(cls, pieces: Iterable[str]) -> str:
        text = cls._separator.join(pieces)
        return cls._lead + text if text else ""

    def _entries(self) -> dict[str, str]:
        """The text of each parameter by its name in lower case."""
        entries: dict[str, str] = {}
        for piece in self._split(self._text):
            entries.setdefault(self._name(piece.partition("=")[0]).lower(), piece)
        return entries

    def replace(self, **changes: str | None) -> Self:
        """A copy with `changes`; what does not change keeps its spelling."""
        return self.updated(changes)

    def updated(self, changes: Source) -> Self:
        """As :meth:`replace`, for names that are no Python identifiers."""
        entries = self._entries()
        for name, value in _pairs(changes):
            entries[name.lower()] = self._piece(name, value)
        return self._of(self._join(entries.values()))

    def without(self, *names: str) -> Self:
        """A copy that lacks the parameters called `names`."""
        gone = {name.lower() for name in names}
        return self._of(self._join(piece for key, piece in self._entries().items() if key not in gone))

    def __getitem__(self, key: str) -> str | None:
        values = self._values
        if values is None:
            values = self._index()
        return values[key.lower()]

    def get(self, key: str, default: Any = None) -> Any:
        """The value of the parameter called `key`, `default` when there is none."""
        values = self._values
        if values is None:
            values = self._index()
        return values.get(key.lower(), default)

    def __contains__(self, key: object) -> bool:
        values = self._values if self._values is not None else self._index()
        return isinstance(key, str) and key.lower() in values

    def __iter__(self) -> Iterator[str]:
        return (self._name(piece.partition("=")[0]) for piece in self._entries().values())

    def __len__(self) -> int:
        return len(self._values if self._values is not None else self._index())

    def __eq__(self, other: object) -> bool:
        values = self._values if self._values is not None else self._index()
        if isinstance(other, Parameters):
            return values == (other._values if other._values is not None else other._index())
        if isinstance(other, Mapping):
            return values == {str(key).lower(): value for key, value in other.items()}
        return NotImplemented

    def __hash__(self) -> int:
        return hash(frozenset((self._values if self._values is not None else self._index()).items()))

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}({dict(self)!r})"

    def __str__(self) -> str:
        return self._text


class URIParameters(Parameters):
    """The parameters inside a URI (:rfc:`3261#section-19.1.1`): percent-escaped, never quoted."""

    _safe = "!*'()[]/:&+$"

    @classmethod
    def parse(cls, value: str) -> Self:
        """The parameters in `value`, which begins with ``;`` or is empty. Raises :class:`ParseError`."""
        if _VALID_URI.fullmatch(value) is None:
            raise ParseError(f"not valid URI parameters: {grammar.excerpt(value)}")
        return cls._of(value)

    @classmethod
    def _split(cls, text: str) -> list[str]:
        return text[1:].split(cls._separator) if text else []

    @staticmethod
    def _name(raw: str) -> str:
        return grammar.percent_decode(raw)

    @staticmethod
    def _value(raw: str) -> str:
        return grammar.percent_decode(raw)

    @classmethod
    def _piece(cls, name: str, value: str | None) -> str:
        if not name:
            raise InvalidHeaderError("a parameter needs a name")
        piece = grammar.percent_encode(name, cls._safe)
        return piece if value is None else f"{piece}={grammar.percent_encode(value, cls._safe)}"

    def _index(self) -> dict[str, str | None]:
        text = self._text
        if "%" in text or not text.isascii():
            return self._index_slowly()
        return self._index_plainly(self._split(text))


class URIHeaders(URIParameters):
    """The header fields inside a URI, ``?Subject=x&Priority=urgent`` (:rfc:`3261#section-19.1.1`)."""

    _lead = "?"
    _separator = "&"
    _safe = "!*'()[]/?:+$"

    @classmethod
    def _split(cls, text: str) -> list[str]:
        return [piece for piece in text[1:].split("&") if piece]

    @classmethod
    def parse(cls, value: str) -> Self:
        """The header fields in `value`, which begins with ``?`` or is empty. Raises :class:`ParseError`."""
        if value and (value[0] != "?" or grammar.URI_TEXT_ONLY.fullmatch(value) is None):
            raise ParseError(f"not valid URI headers: {grammar.excerpt(value)}")
        return cls._of(value)


def _pairs(source: Source) -> Iterable[tuple[str, str | None]]:
    return source.items() if isinstance(source, Mapping) else source
