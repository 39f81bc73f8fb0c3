"""Making files that only their owner can read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["create"]


def create(path: Path) -> int:
    """The number of a new, empty file open for writing. One that is there is replaced: it may be readable by others.

    :raises OSError: it cannot be made.
    """
    if path.is_file() and not path.is_symlink():
        path.unlink()
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
