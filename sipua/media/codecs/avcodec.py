"""av's codec contexts for audio that comes in packets, one in for one out."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import av

from sipua.media.codecs.base import CodecError
from sipua.media.pcm import SAMPLE_BYTES, frame_of, time_base

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["AvDecoder", "AvEncoder"]


class AvEncoder:
    """An encoder of av for mono PCM at `rate`, `frame` samples at a time."""

    def __init__(
        self, name: str, rate: int, frame: int, *, bit_rate: int = 0, options: Mapping[str, str] | None = None
    ) -> None:
        context = cast("av.AudioCodecContext", av.CodecContext.create(name, "w"))
        context.format = "s16"
        context.layout = "mono"
        context.sample_rate = rate
        context.time_base = time_base(rate)
        context.options = dict(options or {})
        if bit_rate:
            context.bit_rate = bit_rate
        self._context = context
        self._rate = rate
        self._bytes = frame * SAMPLE_BYTES

    def encode(self, pcm: bytes) -> list[bytes]:
        """A payload for every frame in `pcm`. Raises CodecError when it is no whole number of them."""
        if not pcm or len(pcm) % self._bytes:
            raise CodecError(f"{len(pcm)} bytes of PCM cannot be cut into frames of {self._bytes}")
        payloads = []
        try:
            for start in range(0, len(pcm), self._bytes):
                frame = frame_of(pcm[start : start + self._bytes], self._rate)
                payloads += [bytes(packet) for packet in self._context.encode(frame)]
        except av.FFmpegError as error:
            raise CodecError(f"cannot encode: {error}") from error
        return payloads


class AvDecoder:
    """A decoder of av that gives mono PCM at `rate`."""

    def __init__(self, name: str, rate: int) -> None:
        self._name = name
        self._rate = rate
        self.reset()

    def decode(self, payload: bytes) -> bytes:
        """Raises CodecError for what av cannot decode."""
        if not payload:
            # For av it would be the end of the stream.
            raise CodecError("an empty payload")
        try:
            frames = self._context.decode(av.Packet(payload))
        except av.FFmpegError as error:
            raise CodecError(f"cannot decode: {error}") from error
        return b"".join(bytes(frame.planes[0])[: frame.samples * SAMPLE_BYTES] for frame in frames)

    def reset(self) -> None:
        """Begin anew."""
        context = cast("av.AudioCodecContext", av.CodecContext.create(self._name, "r"))
        context.format = "s16"
        context.layout = "mono"
        context.sample_rate = self._rate
        self._context = context
