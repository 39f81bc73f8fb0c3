"""Text as sound, by the synthesiser of the machine."""

from __future__ import annotations

import asyncio
import io
import shutil
import wave
from typing import TYPE_CHECKING

from sipua.errors import MediaError
from sipua.media.sources import Pcm

if TYPE_CHECKING:
    from sipua.media.interface import AudioSource

__all__ = ["check_synthesiser", "has_words", "synthesise"]

#: Synthesisers that write a wav file to standard output, in the order in which they are looked for.
PROGRAMS = ("espeak-ng", "espeak")
_TIMEOUT = 60.0
#: Texts whose sound is kept: a call that is made a thousand times says the same each time.
_REMEMBERED = 64
#: Bytes of the header of a wav file, as synthesisers write it.
_HEADER = 44

_spoken: dict[str, tuple[bytes, int]] = {}


def check_synthesiser() -> None:
    """See whether there is a synthesiser.

    :raises MediaError: there is none.
    """
    _program()


def has_words(text: str) -> bool:
    """Whether there is anything in it that can be said."""
    return any(character.isalnum() for character in text)


async def synthesise(text: str) -> AudioSource:
    """The sound of a text. Takes a while the first time; a cancelled one ends the synthesiser.

    :raises MediaError: there is no synthesiser, or it does not work.
    """
    if text not in _spoken:
        spoken = await _spoken_by(_program(), text)
        while len(_spoken) >= _REMEMBERED:
            del _spoken[next(iter(_spoken))]
        _spoken[text] = spoken
    pcm, rate = _spoken[text]
    return Pcm([pcm], rate)


def _program() -> str:
    for name in PROGRAMS:
        if (path := shutil.which(name)) is not None:
            return path
    raise MediaError("no speech synthesiser; install espeak-ng, or play a file")


async def _spoken_by(program: str, text: str) -> tuple[bytes, int]:
    pipe = asyncio.subprocess.PIPE
    try:
        process = await asyncio.create_subprocess_exec(
            program, "--stdin", "--stdout", stdin=pipe, stdout=pipe, stderr=pipe
        )
    except OSError as error:
        raise _broken(program, error.strerror or str(error)) from None
    try:
        async with asyncio.timeout(_TIMEOUT):
            sound, complaint = await process.communicate(text.encode(errors="replace"))
    except TimeoutError:
        raise _broken(program, f"was not done after {_TIMEOUT:g} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        said = complaint.decode(errors="replace").strip().splitlines()
        raise _broken(program, said[-1] if said else f"ended with code {process.returncode}")
    return _read(program, sound)


def _read(program: str, sound: bytes) -> tuple[bytes, int]:
    try:
        with wave.open(io.BytesIO(sound)) as file:
            form, rate = (file.getnchannels(), file.getsampwidth()), file.getframerate()
    except (wave.Error, EOFError):
        raise _broken(program, "gave no sound") from None
    if form != (1, 2):
        raise _broken(program, "gave something else than mono PCM of 16 bits")
    # The header does not know the length of what goes through a pipe: all behind it is sound.
    pcm = sound[_HEADER : len(sound) // 2 * 2]
    if not pcm:
        raise _broken(program, "gave no sound")
    return pcm, rate


def _broken(program: str, what: str) -> MediaError:
    return MediaError(f"{program}: {what}; play a file instead")
