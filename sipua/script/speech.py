"""Text as sound, by the synthesiser of the machine."""

from __future__ import annotations

import io
import shutil
import subprocess
import wave
from functools import lru_cache
from typing import TYPE_CHECKING

from sipua.errors import MediaError
from sipua.media.sources import Pcm

if TYPE_CHECKING:
    from sipua.media.interface import AudioSource

__all__ = ["check_synthesiser", "synthesise"]

#: Synthesisers that write a wav file to standard output, in the order in which they are looked for.
PROGRAMS = ("espeak-ng", "espeak")
_TIMEOUT = 60.0


def check_synthesiser() -> None:
    """See whether there is a synthesiser.

    :raises MediaError: there is none.
    """
    _program()


def synthesise(text: str) -> AudioSource:
    """The sound of a text. Takes a while the first time: not for the event loop.

    :raises MediaError: there is no synthesiser, or it does not work.
    """
    pcm, rate = _synthesised(text)
    return Pcm([pcm], rate)


def _program() -> str:
    for name in PROGRAMS:
        if (path := shutil.which(name)) is not None:
            return path
    raise MediaError("no speech synthesiser; install espeak-ng, or play a file")


@lru_cache(maxsize=64)
def _synthesised(text: str) -> tuple[bytes, int]:
    program = _program()
    try:
        done = subprocess.run(
            [program, "--stdin", "--stdout"],
            input=text.encode(),
            capture_output=True,
            timeout=_TIMEOUT,
            check=True,
        )
        with wave.open(io.BytesIO(done.stdout)) as file:
            rate = file.getframerate()
        # The header does not know the length of what goes through a pipe: all behind it is sound.
        return done.stdout[44:], rate
    except (OSError, subprocess.SubprocessError, wave.Error, EOFError) as error:
        raise MediaError(f"{program}: {error}; say it with a file instead") from None
