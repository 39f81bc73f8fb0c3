"""Where the playing of a stream is: what has been decoded and not played, what comes next, and when it is due."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipua.media.engine.decoding import StreamDecoder
from sipua.media.engine.delay import DelayEstimator
from sipua.media.engine.jitter import PacketBuffer
from sipua.media.pcm import SAMPLE_BYTES, samples_per_frame

if TYPE_CHECKING:
    from collections.abc import Callable

    from sipua.media.codecs.base import AudioDecoder
    from sipua.media.engine.jitter import Packet

__all__ = ["Playhead"]


class Playhead:
    """The packets, the decoder and the present of one stream; arguments as those of `Playout`."""

    __slots__ = (
        "buffer",
        "cursor",
        "delays",
        "flowing",
        "frame_bytes",
        "now",
        "rate",
        "smooth",
        "sound",
        "tail",
    )

    def __init__(
        self,
        decoders: Callable[[int], AudioDecoder | None],
        min_delay: float,
        max_delay: float,
        rate: int,
    ) -> None:
        self.sound = StreamDecoder(decoders, rate)
        self.delays = DelayEstimator(min_delay, max_delay)
        self.buffer = PacketBuffer(self.sound.clock_of, self.delays, max_delay + 0.2)
        self.now = 0.0
        self.forget()

    def reset(self) -> None:
        """Forget the stream and its decoder."""
        self.buffer.reset()
        self.sound.reset()
        self.forget()

    def forget(self) -> None:
        """Nothing has been played."""
        self.set_rate()
        #: Whether a stream is being played.
        self.flowing = False
        #: The timestamp of what follows the tail, None before there is any.
        self.cursor: int | None = None
        #: Whether the last packet was followed at once by the next, each 20 ms.
        self.smooth = False

    def set_rate(self) -> None:
        """Go on at the rate of the decoder."""
        self.rate = self.sound.rate
        self.frame_bytes = samples_per_frame(self.rate) * SAMPLE_BYTES
        #: What is decoded and not played yet.
        self.tail = b""

    def decoded(self, packet: Packet) -> bytes:
        """The PCM of the next packet, and the cursor after it. Empty: it is malformed, and lost from now on."""
        buffer = self.buffer
        del buffer.packets[buffer.next]
        pcm = self.sound.decode(packet[2])
        if pcm:
            buffer.next += 1
            self.cursor = packet[0] + len(pcm) * self.sound.clock_rate // (SAMPLE_BYTES * self.rate)
        else:
            buffer.discarded += 1
        return pcm

    def read_ahead(self) -> None:
        """Have one more packet in the tail, if it is here."""
        buffer = self.buffer
        packet = buffer.packets.get(buffer.next)
        if packet is not None and packet[0] == self.cursor and packet[1] == self.sound.payload_type:
            self.tail += self.decoded(packet)

    def waited(self, packet: Packet) -> float:
        """How long the fastest packet would have been here when this one is decoded now."""
        return self.now - self.delays.base - packet[0] * self.buffer.tick

    @property
    def delay(self) -> float:
        """Seconds from the arrival of the fastest packet until its first sample is due; 0.0 before any is."""
        if self.cursor is None:
            return 0.0
        held = len(self.tail) / (SAMPLE_BYTES * self.rate)
        return self.now - self.delays.base - self.cursor * self.buffer.tick + held

    def samples(self, units: int) -> int:
        """So many units of the RTP clock, at `rate`."""
        return units * self.rate // self.sound.clock_rate

    def units(self, seconds: float) -> int:
        """Of the RTP clock."""
        return round(seconds * self.sound.clock_rate)
