"""Documents that come in parts: a full one first, then what has changed.

:rfc:`4235#section-4.3`, :rfc:`3680#section-5.1`
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

T = TypeVar("T")


def is_stale(version: int, held: int) -> bool:
    """Whether a document with this version is no newer than the one that is held."""
    return version <= held


def is_gap(version: int, held: int) -> bool:
    """Whether documents between the held one and this one were lost."""
    return version > held + 1


def merged(held: Iterable[T], changed: Iterable[T], key: Callable[[T], str]) -> tuple[T, ...]:
    """`held` with what has changed in the place of what it changes, and what is new behind."""
    table = {key(one): one for one in held}
    table.update((key(one), one) for one in changed)
    return tuple(table.values())
