"""The sound of one stream: of its payloads, of its pauses, and of what is missing."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from sipua.media.codecs.base import AudioDecoder, CodecError
from sipua.media.codecs.comfort import ComfortNoiseDecoder
from sipua.media.engine.conceal import HISTORY, Concealer
from sipua.media.engine.pitch import pcm_bytes, samples_of
from sipua.media.pcm import FRAME_DURATION, SAMPLE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["StreamDecoder"]

# One packet holds no more than this (s).
_MAX_PACKET = 0.4


class StreamDecoder:
    """Decodes with one of several decoders, and fills gaps by what suits: noise, the decoder itself, a Concealer.

    `rate` is that of the decoder in use, and of all PCM here. `history` is what was played last; who plays it
    appends to it.
    """

    def __init__(self, decoders: Callable[[int], AudioDecoder | None], rate: int) -> None:
        self._decoders = decoders
        #: What a gap is filled from.
        self.history: deque[bytes] = deque(maxlen=round(HISTORY / FRAME_DURATION))
        self.set_rate(rate)
        self.reset()

    def reset(self) -> None:
        """Nothing has been decoded yet."""
        self._made: dict[int, AudioDecoder] = {}
        self.payload_type = -1
        self.clock_rate = 8000
        self._decoder: AudioDecoder | None = None
        self._noise: ComfortNoiseDecoder | None = None
        self.history.clear()
        self._concealer = Concealer(self.rate)

    def restart(self) -> None:
        """Another stream begins, with the same codec; it is joined to what was heard before."""
        self._noise = None
        if self._decoder is not None:
            self._decoder.reset()

    @property
    def in_noise(self) -> bool:
        """Whether the sender has paused and described its background noise (:rfc:`3389`)."""
        return self._noise is not None

    def set_rate(self, rate: int) -> None:
        """Another rate; what was heard before is forgotten."""
        self.rate = rate
        self._longest = int(_MAX_PACKET * rate) * SAMPLE_BYTES
        self.history.clear()
        self._concealer = Concealer(rate)

    def clock_of(self, payload_type: int) -> int | None:
        """Hz of the timestamps; None when there is no decoder."""
        decoder = self._decoder_of(payload_type)
        if isinstance(decoder, ComfortNoiseDecoder) and self._decoder is not None:
            return self.clock_rate
        return decoder.clock_rate if decoder is not None else None

    def turn_to(self, payload_type: int) -> bool:
        """Decode with another decoder from now on: whether there is one that gives audio."""
        decoder = self._decoder_of(payload_type)
        if decoder is None or isinstance(decoder, ComfortNoiseDecoder):
            return False
        decoder.reset()
        self._decoder = decoder
        self.payload_type = payload_type
        self.clock_rate = decoder.clock_rate
        if decoder.rate != self.rate:
            self.set_rate(decoder.rate)
        return True

    def describe_noise(self, payload_type: int, payload: bytes) -> bool:
        """The sender pauses: whether that was a description of the noise meanwhile."""
        noise = self._decoder_of(payload_type)
        if not isinstance(noise, ComfortNoiseDecoder):
            return False
        try:
            noise.decode(payload)
        except CodecError:
            return False
        self._noise = noise
        return True

    def _decoder_of(self, payload_type: int) -> AudioDecoder | None:
        decoder = self._made.get(payload_type)
        if decoder is None and (decoder := self._decoders(payload_type)) is not None:
            self._made[payload_type] = decoder
        return decoder

    def decode(self, payload: bytes) -> bytes:
        """The PCM of the next payload. Empty: it is malformed, or far too long."""
        if self._decoder is None:
            return b""
        try:
            pcm = self._decoder.decode(payload)
        except CodecError:
            return b""
        return pcm if len(pcm) <= self._longest else b""

    def join(self, pcm: bytes) -> bytes:
        """The first audio after a gap, without a seam."""
        self._noise = None
        return self._concealer.merge(pcm)

    @property
    def may_recover(self) -> bool:
        """Whether payloads of this codec may carry in-band error correction."""
        return self._decoder is not None and type(self._decoder).recover is not AudioDecoder.recover

    def recover(self, payload_type: int, payload: bytes, samples: int) -> bytes | None:
        """The samples before this payload out of it, by in-band error correction."""
        if payload_type != self.payload_type or self._decoder is None:
            return None
        try:
            pcm = self._decoder.recover(payload, samples)
        except CodecError:
            return None
        return pcm if pcm and len(pcm) == samples * SAMPLE_BYTES else None

    def fill(self, samples: int, tail: bytes) -> bytes:
        """Something for so many samples that are missing after history and `tail`."""
        if self._noise is not None:
            return self._noise_of(samples)
        if (pcm := self._decoder_fills(samples)) is not None:
            return pcm
        if not self._concealer.active:
            self._concealer.begin(b"".join(self.history) + tail)
        return self._concealer.take(samples)

    def _decoder_fills(self, samples: int) -> bytes | None:
        if self._decoder is None:
            return None
        # Opus does it in steps of 2.5 ms only.
        step = max(1, self.rate // 400)
        try:
            pcm = self._decoder.conceal(-(-samples // step) * step)
        except CodecError:
            return None
        size = samples * SAMPLE_BYTES
        return None if pcm is None or len(pcm) < size else pcm[:size]

    def _noise_of(self, samples: int) -> bytes:
        noise = self._noise
        assert noise is not None
        needed = samples if noise.rate == self.rate else -(-samples * noise.rate // self.rate)
        pcm = noise.conceal(needed)
        if needed == samples:
            return pcm
        places = np.arange(samples) * (noise.rate / self.rate)
        return pcm_bytes(np.interp(places, np.arange(needed), samples_of(pcm)).astype(np.float32))
