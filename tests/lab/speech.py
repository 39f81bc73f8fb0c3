"""A speech synthesiser, for calls that say a text."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

NAME = "speech"


def lacking() -> str | None:
    """What is not installed; None when texts can be said."""
    return None if shutil.which("espeak-ng") else "there is no espeak-ng"


def speak(text: str, path: Path) -> Path:
    """The text as a wav file, for comparison."""
    subprocess.run(["espeak-ng", "-w", str(path), text], check=True)
    return path
