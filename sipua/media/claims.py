"""Which files are being written: two recordings into one file would destroy each other."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from sipua.errors import MediaFileError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["claimed", "release"]

# Weak: what is given up without being closed, as when an event loop ends with calls up, is free again.
_owners: WeakValueDictionary[Path, object] = WeakValueDictionary()


@contextmanager
def claimed(path: Path, owner: object) -> Iterator[None]:
    """Open `path` inside: until `release`, nobody else can, in this process.

    :raises MediaFileError: it is being written already.
    """
    place = path.resolve()
    if place in _owners:
        raise MediaFileError(path, "is being recorded to already; choose another name")
    if place.is_file() or not place.exists():  # devices take any number
        _owners[place] = owner
    try:
        yield
    except BaseException:
        release(path, owner)
        raise


def release(path: Path, owner: object) -> None:
    """The file is closed. Idempotent."""
    place = path.resolve()
    if _owners.get(place) is owner:
        del _owners[place]
