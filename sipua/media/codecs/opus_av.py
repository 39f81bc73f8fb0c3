"""Opus by av's codec contexts, where libopus itself cannot be loaded: no error correction, no concealment."""

from __future__ import annotations

from sipua.media.codecs.avcodec import AvDecoder, AvEncoder
from sipua.media.codecs.base import AudioDecoder, AudioEncoder, CodecError

__all__ = ["AvOpusDecoder", "AvOpusEncoder"]

_RATE = 48000
# Samples in a frame, by the configuration number in the first byte (RFC 6716 table 2).
_FRAMES = (480, 960, 1920, 2880) * 3 + (480, 960) * 2 + (120, 240, 480, 960) * 4
_MAX_SAMPLES = 5760


class AvOpusEncoder(AudioEncoder):
    """One `ptime`, in ms, for every packet."""

    rate = _RATE
    clock_rate = _RATE

    def __init__(self, bit_rate: int = 48000, *, complexity: int = 1, ptime: int = 20) -> None:
        self._bit_rate = bit_rate
        self._ptime = ptime
        self._samples = _RATE // 1000 * ptime
        self._complexity = complexity
        self.reset()

    def encode(self, pcm: bytes) -> bytes:
        """Raises CodecError when `pcm` is not of the length that was said."""
        if len(pcm) != 2 * self._samples:
            raise CodecError(f"opus: {len(pcm)} bytes of PCM are not {self._ptime} ms")
        return b"".join(self._encoder.encode(pcm))

    def reset(self) -> None:
        """Begin anew."""
        self._encoder = AvEncoder(
            "libopus",
            _RATE,
            self._samples,
            bit_rate=self._bit_rate,
            options={
                "application": "audio",
                "compression_level": str(self._complexity),
                "frame_duration": str(self._ptime),
            },
        )


class AvOpusDecoder(AudioDecoder):
    """Without a memory for what was lost."""

    rate = _RATE
    clock_rate = _RATE

    def __init__(self) -> None:
        self._decoder = AvDecoder("libopus", _RATE)

    def duration(self, payload: bytes) -> int:
        """By the first two bytes (:rfc:`6716#section-3.1`). Raises CodecError for what cannot be."""
        if not payload:
            raise CodecError("an empty payload")
        match payload[0] & 3:
            case 0:
                frames = 1
            case 3:
                frames = payload[1] & 63 if len(payload) > 1 else 0
            case _:
                frames = 2
        samples = frames * _FRAMES[payload[0] >> 3]
        if not 0 < samples <= _MAX_SAMPLES:
            raise CodecError(f"opus: a packet of {samples} samples")
        return samples

    def decode(self, payload: bytes) -> bytes:
        """Raises CodecError for what av cannot decode."""
        return self._decoder.decode(payload)

    def reset(self) -> None:
        """Begin anew."""
        self._decoder.reset()
