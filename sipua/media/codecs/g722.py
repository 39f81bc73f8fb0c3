"""G.722 at 64 kbit/s (:rfc:`3551#section-4.5.2`): 16 kHz audio, whose RTP clock runs at 8000 Hz all the same."""

from __future__ import annotations

from sipua.media.codecs.avcodec import AvDecoder, AvEncoder
from sipua.media.codecs.base import AudioDecoder, AudioEncoder, CodecError

__all__ = ["G722Decoder", "G722Encoder"]

_FRAME = 320


class G722Encoder(AudioEncoder):
    """Takes multiples of 20 ms; a byte holds two samples."""

    rate = 16000
    clock_rate = 8000

    def __init__(self) -> None:
        self.reset()

    def encode(self, pcm: bytes) -> bytes:
        """Raises CodecError when `pcm` is no multiple of 20 ms."""
        return b"".join(self._encoder.encode(pcm))

    def reset(self) -> None:
        """Begin anew."""
        self._encoder = AvEncoder("g722", self.rate, _FRAME)


class G722Decoder(AudioDecoder):
    """A payload may have any length."""

    rate = 16000
    clock_rate = 8000

    def __init__(self) -> None:
        self._decoder = AvDecoder("g722", self.rate)

    def duration(self, payload: bytes) -> int:
        """Two samples a byte. Raises CodecError when there is none."""
        if not payload:
            raise CodecError("an empty payload")
        return 2 * len(payload)

    def decode(self, payload: bytes) -> bytes:
        """Raises CodecError for an empty payload."""
        return self._decoder.decode(payload)

    def reset(self) -> None:
        """Begin anew."""
        self._decoder.reset()
