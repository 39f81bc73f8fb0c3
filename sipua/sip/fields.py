"""Header fields as attributes of a message: descriptors that parse at the first read and remember.

What was parsed stays in the cache of the message's :class:`Headers`, which drops it when that field changes. Assigning
writes the field; None, or an empty list, removes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from . import grammar
from .errors import InvalidHeaderError, ParseError
from .extensions import parse_number
from .headers import field_value

if TYPE_CHECKING:
    from collections.abc import Callable

    from .message import Message

T = TypeVar("T")


class _Field(Generic[T]):
    """A header field with one value. Several are an error if it has to be `single`; else the first counts."""

    def __init__(
        self, name: str, parse: Callable[[str], T], write: Callable[[T], str], *, single: bool
    ) -> None:
        self.name = name
        self.single = single
        self.key = name.lower()
        self.parse = parse
        self.write = write
        self.__doc__ = f"The {name} header field."

    def __get__(self, message: Message | None, owner: type | None = None) -> Any:
        if message is None:
            return self
        headers = message.headers
        cache = headers._cache
        key = self.key
        if key in cache:
            return cache[key]
        keys = headers._keys
        if key not in keys:
            return self.absent(message)
        if self.single and keys.count(key) > 1:
            raise message.malformed(self.name, "more than one")
        try:
            value = cache[key] = self.parse(field_value(headers._lines[keys.index(key)]))
        except ParseError as error:
            raise message.malformed(self.name, str(error)) from None
        return value

    def absent(self, message: Message) -> T | None:
        return None

    def __set__(self, message: Message, value: T | None) -> None:
        message.headers.setlist(self.name, [] if value is None else [self.write(value)])


class _Required(_Field[T]):
    """A header field that every message has."""

    def absent(self, message: Message) -> T | None:
        raise message.malformed(self.name, "missing")


class _List(Generic[T]):
    """A header field with any number of values. Readers get a list of their own."""

    def __init__(
        self, name: str, parse: Callable[[str], list[T]], write: Callable[[list[T]], list[str]]
    ) -> None:
        self.name = name
        self.key = name.lower()
        self.parse = parse
        self.write = write
        self.__doc__ = f"The {name} header fields."

    def __get__(self, message: Message | None, owner: type | None = None) -> Any:
        if message is None:
            return self
        headers = message.headers
        cache = headers._cache
        key = self.key
        if key in cache:
            return cache[key].copy()
        values: list[T] = []
        keys, lines = headers._keys, headers._lines
        at = -1
        try:
            for _ in range(keys.count(key)):
                at = keys.index(key, at + 1)
                values += self.parse(field_value(lines[at]))
        except ParseError as error:
            raise message.malformed(self.name, str(error)) from None
        cache[key] = values
        return values.copy()

    def __set__(self, message: Message, value: list[T] | None) -> None:
        message.headers.setlist(self.name, self.write(value) if value else [])


class _OptionalList(_List[T]):
    """A list whose absence is one thing and whose emptiness another."""

    def __get__(self, message: Message | None, owner: type | None = None) -> Any:
        if message is not None and self.key not in message.headers._keys:
            return None
        return super().__get__(message, owner)

    def __set__(self, message: Message, value: list[T] | None) -> None:
        message.headers.setlist(self.name, [] if value is None else self.write(value) or [""])


# The types promised here are those of the attributes, not of the descriptors.


def one(name: str, parse: Callable[[str], T], write: Callable[[T], str] = str) -> T | None:
    """A field with one value, None when it is not there, an error when it is there more than once."""
    return cast("T | None", _Field(name, parse, write, single=True))


def required(name: str, parse: Callable[[str], T]) -> T:
    """A field that has to be there."""
    return cast("T", _Required(name, parse, str, single=True))


def many(name: str, parse: Callable[[str], list[T]]) -> list[T]:
    """A field with a list of values, written as one field each."""
    return cast("list[T]", _List(name, parse, lambda values: [str(value) for value in values]))


def each(name: str, parse: Callable[[str], T]) -> list[T]:
    """A field that may be there several times, with one value each."""
    return many(name, lambda text: [parse(text)])


def tokens(name: str) -> list[str]:
    """A field with a comma-separated list of words, written as one field."""
    return cast("list[str]", _List(name, grammar.split_list, lambda values: [", ".join(values)]))


def optional_list(name: str, parse: Callable[[str], list[T]]) -> list[T] | None:
    """A field with a list of values that can be there and empty."""
    return cast(
        "list[T] | None",
        _OptionalList(name, parse, lambda values: [", ".join(map(str, values))] if values else []),
    )


def plain(name: str) -> str | None:
    """A field that is just text; of several the first counts."""
    return cast("str | None", _Field(name, str, str, single=False))


def number(name: str, limit: int) -> int | None:
    """A field with a number from 0 to `limit`; assigning another raises :class:`InvalidHeaderError`."""

    def write(value: int) -> str:
        if not 0 <= value <= limit:
            raise InvalidHeaderError(f"{name} is from 0 to {limit}, not {value}")
        return str(value)

    return one(name, lambda value: parse_number(value, limit), write)
