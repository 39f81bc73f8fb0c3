"""Music made of sums of sines, so that there is something to play without a file."""

from __future__ import annotations

import asyncio
import functools
import itertools
import math
from typing import TYPE_CHECKING

from sipua.media.sources import Pcm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sipua import RTCSession
    from sipua.media.interface import AudioSource

RATE = 16000
_BEAT = 0.36  # seconds
_CHUNK = RATE // 10 * 2  # bytes: a tenth of a second
#: Level and decay (1/s) of a note's partials: something between a music box and a vibraphone.
_PARTIALS = ((0.6, 4.0), (0.25, 7.0), (0.1, 12.0), (0.05, 18.0))
_ATTACK = 0.006  # seconds
_LEVEL = 0.35

_SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}

#: Beethoven's Ode to Joy, first line: notes with their lengths in beats.
_TUNE = (
    "E4 1 E4 1 F4 1 G4 1 G4 1 F4 1 E4 1 D4 1 "
    "C4 1 C4 1 D4 1 E4 1 D4 1.5 C4 0.5 C4 2"
)  # fmt: skip
_HOLD = " ".join(
    f"{low} 0.5 {middle} 0.5 {high} 0.5 {top} 0.5 {high} 0.5 {middle} 0.5 {top} 0.5 {high} 0.5"
    for low, middle, high, top in (
        ("C3", "G3", "C4", "E4"),
        ("A3", "E4", "A4", "C5"),
        ("F3", "C4", "F4", "A4"),
        ("G3", "D4", "G4", "B4"),
    )
)

TUNE_SECONDS = _BEAT * sum(map(float, _TUNE.split()[1::2]))


def tune() -> AudioSource:
    """A tune of `TUNE_SECONDS`."""
    return Pcm(lambda: _chunks(_render(_TUNE)), RATE)


def music() -> AudioSource:
    """Broken chords, over and over."""
    return Pcm(
        lambda: itertools.chain.from_iterable(_chunks(_render(_HOLD)) for _ in itertools.repeat(None)), RATE
    )


async def play(call: RTCSession, source: AudioSource, seconds: float) -> None:
    """Play a source that lasts `seconds`; whether anybody hears it or not, this takes no more than 1 s longer."""
    sound = call.audio.play(source)
    try:
        await asyncio.wait_for(sound.wait(), seconds + 1.0)
    except TimeoutError:
        sound.stop()


def frequency(note: str) -> float:
    """The frequency in Hz of a note such as ``A4`` (440)."""
    semitones = _SEMITONES[note[0]] + 12 * int(note[1:]) - (_SEMITONES["A"] + 12 * 4)
    return float(440.0 * 2 ** (semitones / 12))


def _chunks(pcm: bytes) -> Iterator[bytes]:
    return (pcm[at : at + _CHUNK] for at in range(0, len(pcm), _CHUNK))


@functools.cache
def _render(score: str) -> bytes:
    words = score.split()
    notes = zip(words[::2], map(float, words[1::2]), strict=True)
    return b"".join(_sound(frequency(note), beats * _BEAT) for note, beats in notes)


def _sound(pitch: float, seconds: float) -> bytes:
    """One note. It ends in silence, and so can be followed by any other without a click."""
    import numpy as np

    time = np.arange(round(seconds * RATE)) / RATE
    wave = np.zeros(len(time))
    for number, (level, decay) in enumerate(_PARTIALS, 1):
        wave += level * np.exp(-decay * time) * np.sin(2 * math.pi * number * pitch * time)
    fade = np.minimum(1.0, time / _ATTACK) * np.minimum(1.0, (seconds - time) / (4 * _ATTACK))
    return bytes((32767 * _LEVEL * wave * fade).astype("<i2"))
