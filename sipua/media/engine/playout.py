"""From RTP packets to an endless stream of PCM: waiting, decoding, concealing, stretching.

Pure: the time is an argument (seconds, of a clock that does not go back). Nothing here raises for what a peer
sends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipua.media.engine.correction import Correction
from sipua.media.engine.counters import PlayoutStats
from sipua.media.engine.gaps import Gaps
from sipua.media.engine.playhead import Playhead
from sipua.media.pcm import FRAME_DURATION, SAMPLE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from sipua.media.codecs.base import AudioDecoder
    from sipua.media.engine.jitter import Packet

__all__ = ["Playout", "PlayoutStats"]

# Seconds by which the delay may be off its target before that is corrected.
_SLACK = 0.005
# What came before the first `pull` is played from its beginning if that is no more than so late.
_MAX_HEAD_START = 0.1


class Playout:
    """One incoming stream. `put` what comes, `pull` 20 ms of PCM at `rate` every 20 ms.

    `decoders` makes the decoder of a payload type, None for one that is not audio; a ComfortNoiseDecoder fills
    the pauses of the others (:rfc:`3389`). It is asked once for each payload type that comes, until `reset`. The
    delay is as small as the arrival of packets allows, between `min_delay` and `max_delay` seconds, and follows
    it without clicks or gaps; after a stall it is 0.2 s longer at most until that is worked off. `rate` is the
    rate until the first packet is played.
    """

    def __init__(
        self,
        decoders: Callable[[int], AudioDecoder | None],
        *,
        min_delay: float = 0.01,
        max_delay: float = 0.4,
        rate: int = 8000,
    ) -> None:
        self._head = head = Playhead(decoders, min_delay, max_delay, rate)
        self._buffer, self._delays, self._sound = head.buffer, head.delays, head.sound
        self._gaps = Gaps(head)
        self._correction = Correction()
        self._forget()

    # --- in --------------------------------------------------------------------------------------------------

    def put(
        self,
        payload_type: int,
        sequence: int,
        timestamp: int,
        marker: bool,
        payload: bytes,
        now: float,
        ssrc: int = 0,
    ) -> None:
        """A packet has come at `now`. Never raises."""
        self._buffer.put(payload_type, sequence, timestamp, payload, now, ssrc)

    def expect(self, rate: int) -> None:
        """Until the first packet `pull` gives silence at this rate, that the stream may begin as it goes on."""
        if self._sound.payload_type < 0:
            self._sound.set_rate(rate)
            self._head.set_rate()

    def skip(self, sequence: int, timestamp: int, now: float) -> None:
        """A packet of the same stream that is no audio (a telephone-event) has come: it is not lost."""
        self._buffer.skip(sequence)

    def reset(self) -> None:
        """Forget the stream and its decoder; the counters go on."""
        self._head.reset()
        self._forget()

    def _forget(self) -> None:
        self._gaps.forget()
        self._correction.reset()
        self._epoch = self._buffer.epoch
        # The steps in which packets and pulls meet: the greatest common divisor of their lengths.
        self._grain = FRAME_DURATION

    @property
    def rate(self) -> int:
        """Hz of the PCM that `pull` gives: that of the decoder in use."""
        return self._head.rate

    @property
    def flowing(self) -> bool:
        """Whether a stream is being played."""
        return self._head.flowing

    @property
    def stats(self) -> PlayoutStats:
        """A snapshot."""
        buffer, delays, gaps = self._buffer, self._delays, self._gaps
        return PlayoutStats(
            received=buffer.received,
            lost=gaps.lost,
            bursts=gaps.bursts,
            late=buffer.late,
            duplicates=buffer.duplicates,
            discarded=buffer.discarded,
            recovered=gaps.recovered,
            concealed=gaps.concealed,
            stretched=self._correction.stretched,
            compressed=self._correction.compressed,
            jitter=delays.jitter,
            delay=0.0 if self._head.cursor is None else max(0.0, self._head.delay + FRAME_DURATION),
            target=delays.target,
        )

    # --- out -------------------------------------------------------------------------------------------------

    def pull(self, now: float) -> bytes:
        """The next 20 ms of PCM at `rate`, silence when there is nothing. Never raises."""
        head = self._head
        head.now = now
        buffer = self._buffer
        packet = buffer.packets.get(buffer.next)
        # Nothing is held back, nothing is missing, the delay is right: decode, and that is all.
        if (
            packet is not None
            and packet[0] == head.cursor
            and head.smooth
            and not head.tail
            and packet[1] == self._sound.payload_type
            and buffer.epoch == self._epoch
            and -_SLACK
            <= now - self._delays.base - packet[0] * buffer.tick - self._delays.target
            < _SLACK + FRAME_DURATION
        ):
            pcm = head.decoded(packet)
            if len(pcm) == head.frame_bytes:
                self._sound.history.append(pcm)
                return pcm
            head.tail = pcm
        return self._assembled()

    def _assembled(self) -> bytes:
        """20 ms, of whatever has to be put together for them."""
        head = self._head
        if self._buffer.epoch != self._epoch:
            self._epoch = self._buffer.epoch
            head.cursor = None
            head.smooth = False
            self._sound.restart()
        gaps = self._gaps
        gaps.filled = False
        while len(head.tail) < head.frame_bytes:
            piece = self._next()
            # Only now: another codec may have begun, and the tail be gone.
            head.tail += piece
        if not gaps.filled and head.now >= self._correction.next:
            self._adjust()
        size = head.frame_bytes
        pcm, head.tail = head.tail[:size], head.tail[size:]
        self._sound.history.append(pcm)
        return pcm

    def _next(self) -> bytes:
        """What follows the tail. May be empty, but not for ever."""
        head = self._head
        if head.cursor is None and not self._started():
            return self._gaps.starved()
        buffer = self._buffer
        number = buffer.next
        packet = buffer.packets.get(number)
        if packet is not None:
            return self._reached(packet)
        if number in buffer.packets:
            del buffer.packets[number]
            buffer.next += 1
            return b""
        following = buffer.following()
        return self._gaps.starved() if following is None else self._gaps.bridged(*following)

    def _started(self) -> bool:
        """Whether it is time for the first packet of a stream; the cursor is at it then."""
        head = self._head
        buffer = self._buffer
        while (following := buffer.following()) is not None:
            number, packet = following
            early = self._delays.target - head.waited(packet)
            if early > 0:
                return False
            buffer.drop_before(number)
            head.cursor = packet[0]
            self._correction.begin(head.now)
            if early >= -_MAX_HEAD_START or number == buffer.top:
                return True
            buffer.drop_before(number + 1)
        return False

    def _reached(self, packet: Packet) -> bytes:
        """The next packet is here: its PCM, or what comes before it."""
        head = self._head
        assert head.cursor is not None
        gaps, target = self._gaps, self._delays.target
        gap = packet[0] - head.cursor
        if gap > 0 and head.waited(packet) < target:
            return gaps.fill(min(gap, head.units(FRAME_DURATION)))
        if gap < 0 and gaps.outlived(target - _SLACK):
            gaps.drop_late()
            return b""
        if packet[1] != self._sound.payload_type and not self._turned(packet):
            return b""
        pcm = head.decoded(packet)
        if not pcm:
            return b""
        # What was filled in before a packet that follows the last one was a pause of the sender, and only what
        # was filled in after it had been due took the place of audio.
        gaps.concealed += max(0, head.samples(-gap)) if gaps.starving else 0
        if not head.smooth:
            pcm = self._sound.join(pcm)
        gaps.starving = 0.0
        head.smooth = len(pcm) == head.frame_bytes
        self._grain = FRAME_DURATION if len(pcm) % head.frame_bytes == 0 else FRAME_DURATION / 2
        head.flowing = True
        return pcm

    def _turned(self, packet: Packet) -> bool:
        """Another payload type: whether it is audio. Else it is used up."""
        head = self._head
        sound = self._sound
        if sound.turn_to(packet[1]):
            if sound.rate != head.rate:
                self._recount(sound.rate)
                head.set_rate()
            return True
        self._buffer.drop_before(self._buffer.next + 1)
        if sound.describe_noise(packet[1], packet[2]):
            head.cursor = packet[0]
            self._gaps.starving = 0.0
            head.smooth = False
            head.flowing = True
        else:
            self._buffer.discarded += 1
        return False

    def _recount(self, rate: int) -> None:
        """What is counted in samples, at another rate."""
        before, gaps, correction = self._head.rate, self._gaps, self._correction
        gaps.concealed = gaps.concealed * rate // before
        correction.stretched = correction.stretched * rate // before
        correction.compressed = correction.compressed * rate // before

    # --- delay -----------------------------------------------------------------------------------------------

    def _adjust(self) -> None:
        """Make the delay longer or shorter when it is not right, by a part of what is played now."""
        head = self._head
        if head.cursor is None:
            return
        target, grain = self._delays.target, self._grain
        # Of the delay, what is left over between packets and pulls helps no packet to be in time.
        left = (len(head.tail) - head.frame_bytes) / (SAMPLE_BYTES * head.rate) % grain
        off = head.delay - (FRAME_DURATION - grain) - left - target
        correction, now = self._correction, head.now
        if off < -_SLACK:
            head.tail = correction.lengthen(head.tail, head.rate, -off, now)
            return
        excess = left + max(0.0, off - _SLACK) // grain * grain
        frame = head.tail[: head.frame_bytes]
        if excess * head.rate >= 1 and correction.may_shorten(frame, self._sound.history, excess, now):
            head.read_ahead()
            head.tail = correction.shorten(head.tail, head.rate, excess, now)
