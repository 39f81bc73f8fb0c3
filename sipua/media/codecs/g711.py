"""G.711, both laws (:rfc:`3551#section-4.5.14`): every sample and every code word has its place in a table."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Literal

import numpy as np

from sipua.media.codecs.base import AudioDecoder, AudioEncoder, CodecError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["G711Decoder", "G711Encoder"]

Law = Literal["pcmu", "pcma"]

_PCM = np.dtype("<i2")
_WORDS = np.dtype("<u2")


class G711Encoder(AudioEncoder):
    """One byte for each sample at 8 kHz."""

    rate = 8000
    clock_rate = 8000

    def __init__(self, law: Law) -> None:
        self._take = _codes(law).take

    def encode(self, pcm: bytes) -> bytes:
        """Any number of samples. Raises CodecError for half a sample."""
        try:
            return self._take(np.frombuffer(pcm, _WORDS)).tobytes()
        except ValueError as error:
            raise CodecError(f"{len(pcm)} bytes are no whole number of samples") from error


class G711Decoder(AudioDecoder):
    """A payload may have any length."""

    rate = 8000
    clock_rate = 8000

    def __init__(self, law: Law) -> None:
        self._take = _samples(law).take

    def duration(self, payload: bytes) -> int:
        """One sample a byte. Raises CodecError when there is none."""
        if not payload:
            raise CodecError("an empty payload")
        return len(payload)

    def decode(self, payload: bytes) -> bytes:
        """Raises CodecError for an empty payload."""
        if not payload:
            raise CodecError("an empty payload")
        return self._take(np.frombuffer(payload, np.uint8)).tobytes()


@cache
def _samples(law: Law) -> NDArray[np.int16]:
    """The 16-bit sample that each of the 256 code words stands for."""
    code = np.arange(256)
    code = code ^ (0xFF if law == "pcmu" else 0x55)
    segment, step = code >> 4 & 7, code & 15
    if law == "pcmu":
        size = ((2 * step + 33) << segment) - 33 << 2
        positive = code & 0x80 == 0
    else:
        size = np.where(segment == 0, 2 * step + 1, (2 * step + 33) << np.maximum(segment - 1, 0)) << 3
        positive = code & 0x80 != 0
    return np.where(positive, size, -size).astype(_PCM)


@cache
def _codes(law: Law) -> NDArray[np.uint8]:
    """The code word of each 16-bit sample, by the sample's bits taken as a number from 0 to 65535."""
    pcm = np.arange(65536, dtype=np.uint16).astype(np.int16).astype(np.int64)
    # ITU-T G.191: the one's complement, so that both signs are cut in the same places.
    size = np.where(pcm < 0, ~pcm, pcm)
    if law == "pcmu":
        size = np.minimum((size >> 2) + 33, 0x1FFF)
        segment = np.floor(np.log2(size)).astype(np.int64) - 5
        code = segment << 4 | (size >> segment + 1 & 15)
        return np.asarray(np.where(pcm < 0, code | 0x80, code) ^ 0xFF, np.uint8)
    size >>= 4
    segment = np.maximum(np.floor(np.log2(np.maximum(size, 1))).astype(np.int64) - 3, 0)
    # Segments 0 and 1 have the same step.
    code = np.where(segment <= 0, size, segment << 4 | (size >> np.maximum(segment - 1, 0) & 15))
    return np.asarray(np.where(pcm < 0, code, code | 0x80) ^ 0x55, np.uint8)
