"""Immutable values whose parts are worked out when they are first read.

A message is full of values nobody looks at. The classes of `sipua.sip` therefore keep the text they were parsed
from, already known to be well formed, and take it apart only on demand. The result lands in the instance's
``__dict__``, so that the second read is a plain attribute access.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class _Lazy:
    __slots__ = ("__doc__", "_build", "_name")

    def __init__(self, build: Callable[[Any], Any]) -> None:
        self._build = build
        self._name = ""
        self.__doc__ = build.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        value = instance.__dict__[self._name] = self._build(instance)
        return value


def lazy(build: Callable[[Any], T]) -> T:
    """An attribute computed by `build(self)` at the first read and kept (no lock: values are pure)."""
    return cast("T", _Lazy(build))


class Recent(dict[str, T]):
    """Values that were parsed lately, by their text. The messages of a call repeat most of theirs.

    Values are immutable, so all who ask share one. Bounded in number and in length of text; emptied when full.
    """

    _room = 64
    _length = 256

    def keep(self, text: str, value: T) -> T:
        """Remember that `text` means `value`, which is returned."""
        if len(text) <= self._length:
            if len(self) >= self._room:
                self.clear()
            self[text] = value
        return value


class Frozen:
    """A value that is what its text says: refuses assignment, also for names that are no dataclass fields."""

    def __reduce__(self) -> tuple[Any, ...]:
        return self.__class__.parse, (str(self),)  # type: ignore[attr-defined]

    def __setattr__(self, name: str, value: object) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")
