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

__all__ = ["check_synthesiser", "has_words", "synthesise"]

#: Synthesisers that write a wav file to standard output, in the order in which they are looked for.
PROGRAMS = ("espeak-ng", "espeak")
_TIMEOUT = 60.0
#: Bytes of the header of a wav file, as synthesisers write it.
_HEADER = 44


def check_synthesiser() -> None:
    """See whether there is a synthesiser.

    :raises MediaError: there is none.
    """
    _program()


def has_words(text: str) -> bool:
    """Whether there is anything in it that can be said."""
    return any(character.isalnum() for character in text)


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
            form, rate = (file.getnchannels(), file.getsampwidth()), file.getframerate()
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines()
        raise _broken(program, said[-1] if said else f"ended with code {error.returncode}") from None
    except subprocess.TimeoutExpired:
        raise _broken(program, f"was not done after {_TIMEOUT:g} s") from None
    except OSError as error:
        raise _broken(program, error.strerror or str(error)) from None
    except (wave.Error, EOFError):
        raise _broken(program, "gave no sound") from None
    # The header does not know the length of what goes through a pipe: all behind it is sound.
    pcm = done.stdout[_HEADER : len(done.stdout) // 2 * 2]
    if form != (1, 2) or not pcm:
        raise _broken(
            program, "gave no sound" if form == (1, 2) else "gave something else than mono PCM of 16 bits"
        )
    return pcm, rate


def _broken(program: str, what: str) -> MediaError:
    return MediaError(f"{program}: {what}; play a file instead")
