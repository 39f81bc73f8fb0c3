"""One outgoing audio stream: PCM in, RTP out (:rfc:`3550#section-5`).

The stream keeps its SSRC and counts its packets through every change of codec. Time stamps move on with time,
whether packets are sent or not; the marker bit tells of the first packet after a pause.
"""

from __future__ import annotations

import logging
import random
from typing import TYPE_CHECKING

from sipua.media.codecs.pauses import Pauses
from sipua.media.engine.clock import TICK
from sipua.media.engine.rtp import SILENT, audio_level, build_packet, extension_blocks
from sipua.media.pcm import SAMPLE_BYTES, samples_per_frame, silence

if TYPE_CHECKING:
    from collections.abc import Callable

    from sipua.media.codecs.base import AudioEncoder, CodecSpec
    from sipua.media.dtmf import CallDtmf, EventPacket
    from sipua.media.engine.counters import Sent

__all__ = ["AudioSender"]

logger = logging.getLogger(__name__)

# Codecs without memory: a payload of silence is always the same.
_MEMORYLESS = frozenset({"pcmu", "pcma"})
_NO_EXTENSIONS = extension_blocks(None, None)


class AudioSender:
    """Sends through `transmit`, which takes an RTP packet and says whether it went.

    `dtmf`, when set, may put tones in the place of audio packets. Nothing is sent while `enabled` is False, or
    before a codec is set.
    """

    def __init__(self, ssrc: int, transmit: Callable[[bytes], bool], counters: Sent) -> None:
        self.ssrc = ssrc
        # In the lower half, so that the receiver's SRTP does not take a first loss at the wrap for another round
        # (RFC 3711 section 3.3.1).
        self.sequence = random.getrandbits(15)
        self.timestamp = random.getrandbits(32)
        """Of the next packet."""
        self.enabled = False
        self.dtmf: CallDtmf | None = None
        self.rate = 48000
        """Hz of the PCM that `send` takes."""
        self.codec: CodecSpec | None = None
        self._transmit = transmit
        self._counters = counters
        self._encoder: AudioEncoder | None = None
        self._blocks = _NO_EXTENSIONS
        self._levels = False
        self._talking = False
        self._pending = bytearray()
        self._silence = b""
        self._silent_payload: bytes | None = None
        self._complained = False
        self._noise_type: int | None = None
        self._pauses: Pauses | None = None
        self._loss = 0.0
        self._set_sizes(8000, 20)

    def set_codec(self, codec: CodecSpec, encoder: AudioEncoder) -> None:
        """Go on with this codec: same SSRC, next sequence number."""
        # What waited for the rest of its packet is not sent, but its time has passed.
        self.timestamp = (self.timestamp + self.waiting) & 0xFFFFFFFF
        self._pending.clear()
        self.codec, self._encoder = codec, encoder
        self.rate = encoder.rate
        self._set_sizes(encoder.clock_rate, codec.ptime)
        self._silence = silence(samples_per_frame(self.rate))
        self._silent_payload = None
        self._complained = False
        encoder.set_expected_loss(100 * self._loss)

    def set_comfort_noise(self, payload_type: int | None) -> None:
        """Leave out the pauses of the codec that was set, and describe their noise (:rfc:`3389`); None: do not."""
        wanted = payload_type is not None and self.codec is not None and self.codec.name in _MEMORYLESS
        self._noise_type = payload_type
        self._pauses = Pauses(self.codec.ptime) if wanted and self.codec is not None else None

    def expect_loss(self, fraction: float) -> None:
        """The share of packets that the peer has missed of late, 0 to 1, as it reports it."""
        # One good report is not the end of the trouble.
        self._loss = max(fraction, 0.7 * self._loss)
        if self._encoder is not None:
            self._encoder.set_expected_loss(100 * self._loss)

    def set_extensions(self, level_id: int | None, mid_id: int | None, mid: str = "") -> None:
        """The header extensions that the peer knows, by identifier; None: it does not."""
        self._blocks = extension_blocks(level_id, mid_id, mid)
        self._levels = level_id is not None

    def send(self, pcm: bytes) -> None:
        """The next 20 ms at `rate`: a packet, or a part of one, or several, as the codec's ptime says."""
        if self._encoder is None:
            self._pass(TICK)
        elif self._frame_bytes == len(pcm):
            self._packet(pcm)
        else:
            self._pending += pcm
            while len(self._pending) >= self._frame_bytes:
                frame = bytes(self._pending[: self._frame_bytes])
                del self._pending[: self._frame_bytes]
                self._packet(frame)

    @property
    def waiting(self) -> int:
        """What waits for the rest of its packet, in units of the RTP clock."""
        return len(self._pending) // SAMPLE_BYTES * self.clock_rate // self.rate

    def skip(self, ticks: int) -> None:
        """Time has passed and nothing was sent: that many times 20 ms."""
        self._pass(ticks * TICK)

    def _set_sizes(self, clock_rate: int, ptime: int) -> None:
        self.clock_rate = clock_rate
        self._samples = clock_rate * ptime // 1000
        self._frame_bytes = self.rate * ptime // 1000 * SAMPLE_BYTES

    def _pass(self, seconds: float) -> None:
        self.timestamp = (self.timestamp + round(seconds * self.clock_rate)) & 0xFFFFFFFF
        self._talking = False

    def _packet(self, pcm: bytes) -> None:
        """One slot in the stream: audio, a tone, or nothing."""
        timestamp = self.timestamp
        self.timestamp = (timestamp + self._samples) & 0xFFFFFFFF
        if not self.enabled:
            self._talking = False
            return
        dtmf = self.dtmf
        if dtmf is not None and dtmf.codec is not None and dtmf.sender.active:
            event = dtmf.sender.next(timestamp, self._samples)
            if event is not None:
                self._event(event, dtmf.codec.payload_type)
                return
        noise = self._pauses.judge(pcm) if self._pauses is not None else None
        if noise is not None:
            self._talking = False
            if noise and self._noise_type is not None:
                self._put(self._noise_type, False, timestamp, noise, self._blocks[SILENT])
            return
        payload = self._encode(pcm)
        if not payload:
            self._talking = False
            return
        assert self.codec is not None
        block = self._blocks[0]
        if self._levels:
            level = SILENT if pcm is self._silence else audio_level(pcm)
            self._counters.level = level
            block = self._blocks[level]
        if self._put(self.codec.payload_type, not self._talking, timestamp, payload, block):
            self._talking = True

    def _event(self, event: EventPacket, payload_type: int) -> None:
        block = self._blocks[SILENT]
        if self._put(payload_type, event.marker, event.timestamp, event.payload, block):
            self._counters.events += 1

    def _put(self, payload_type: int, marker: bool, timestamp: int, payload: bytes, block: bytes) -> bool:
        packet = build_packet(payload_type, marker, self.sequence, timestamp, self.ssrc, payload, block)
        counters = self._counters
        if not self._transmit(packet):
            counters.failed += 1
            return False
        self.sequence = (self.sequence + 1) & 0xFFFF
        counters.packets += 1
        counters.bytes += len(payload)
        return True

    def _encode(self, pcm: bytes) -> bytes:
        encoder, codec = self._encoder, self.codec
        assert encoder is not None
        assert codec is not None
        try:
            if pcm is not self._silence or codec.name not in _MEMORYLESS:
                return encoder.encode(pcm)
            if self._silent_payload is None:
                self._silent_payload = encoder.encode(pcm)
        except Exception:
            if not self._complained:
                self._complained = True
                logger.exception("%s cannot encode", codec.name)
            return b""
        else:
            return self._silent_payload
