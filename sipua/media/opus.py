"""The Opus encoder for calls, in the place of aiortc's.

aiortc encodes stereo at 96 kbit/s in libopus's ``voip`` mode, whose high-pass filter turns the phase of low
voices: what comes back does not look like what was sent, to an echo canceller or to a monitor. A call is one
channel of speech.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import av
from aiortc.codecs.base import Encoder
from aiortc.mediastreams import convert_timebase

from sipua.media.pcm import time_base

if TYPE_CHECKING:
    from av.frame import Frame
    from av.packet import Packet

__all__ = ["OpusEncoder"]

_RATE = 48000
_FRAME = 960


class OpusEncoder(Encoder):
    """One channel, 20 ms, 48 kHz, `bit_rate` bit/s."""

    def __init__(self, bit_rate: int = 48000) -> None:
        codec = av.CodecContext.create("libopus", "w")
        codec.bit_rate = bit_rate
        codec.format = "s16"
        codec.layout = "mono"
        codec.sample_rate = _RATE
        codec.time_base = time_base(_RATE)
        codec.options = {"application": "audio"}
        self._codec = codec
        self._resampler = av.AudioResampler(format="s16", layout="mono", rate=_RATE, frame_size=_FRAME)
        self._origin: int | None = None

    def encode(self, frame: Frame, force_keyframe: bool = False) -> tuple[list[bytes], int]:
        """Payloads and the RTP time stamp of the first, counted from the first of all."""
        packets: list[Any] = []
        for part in self._resampler.resample(cast("av.AudioFrame", frame)):
            packets += self._codec.encode(part)
        if not packets:
            return [], 0
        # libopus counts from before the first sample, by its own delay.
        if self._origin is None:
            self._origin = packets[0].pts
        return [bytes(packet) for packet in packets], packets[0].pts - self._origin

    def pack(self, packet: Packet[Any]) -> tuple[list[bytes], int]:
        """A packet that is encoded already."""
        return [bytes(packet)], convert_timebase(packet.pts or 0, packet.time_base, time_base(_RATE))
