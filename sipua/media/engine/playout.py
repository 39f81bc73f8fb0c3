"""From RTP packets to an endless stream of PCM: waiting, decoding, concealing, stretching.

Pure: the time is an argument (seconds, of a clock that does not go back). Nothing here raises for what a peer
sends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sipua.media.engine.correction import Correction
from sipua.media.engine.decoding import StreamDecoder
from sipua.media.engine.delay import DelayEstimator
from sipua.media.engine.jitter import Packet, PacketBuffer
from sipua.media.engine.patience import Patience
from sipua.media.pcm import FRAME_DURATION, SAMPLE_BYTES, samples_per_frame, silence

if TYPE_CHECKING:
    from collections.abc import Callable

    from sipua.media.codecs.base import AudioDecoder

__all__ = ["Playout", "PlayoutStats"]

# Seconds by which the delay may be off its target before that is corrected.
_SLACK = 0.005
# Without a packet for so long, nothing is being played any more. Comfort noise stays longer.
_IDLE, _NOISE_IDLE = 1.0, 30.0
# What came before the first `pull` is played from its beginning if that is no more than so late.
_MAX_HEAD_START = 0.1
# A packet that comes when this much has been filled in for it is played all the same, and all after it later.
_MAX_OUTLIVED = 0.04
# More than this for each missing packet: the sender has paused, too.
_LONGEST_PACKET = 0.06


@dataclass(frozen=True, slots=True)
class PlayoutStats:
    """What has happened since the beginning, in packets and samples (at `Playout.rate`); and the delays now."""

    received: int
    lost: int
    """Packets that were missing when they had to be played."""
    bursts: int
    """Into how many runs those among them fall that were not recovered."""
    late: int
    """Those among them that came afterwards."""
    duplicates: int
    discarded: int
    """Packets that came and could not be used: malformed, of no known payload type or source, too many."""
    recovered: int
    """Packets made of their successor's in-band error correction."""
    concealed: int
    """Samples put in the place of missing audio."""
    stretched: int
    """Samples added to make the delay longer."""
    compressed: int
    """Samples left out to make the delay shorter."""
    jitter: float
    """Interarrival jitter in seconds (:rfc:`3550#section-6.4.1`)."""
    delay: float
    """Seconds from the arrival of the fastest packets until they are played, now."""
    target: float
    """Seconds that are enough for nearly all packets to come in time."""


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
        self._sound = StreamDecoder(decoders, rate)
        self._delays = DelayEstimator(min_delay, max_delay)
        self._buffer = PacketBuffer(self._sound.clock_of, self._delays, max_delay + 0.2)
        self._correction = Correction()
        self._lost = self._recovered = self._concealed = 0
        # Runs of lost packets, and the number after the last one.
        self._bursts, self._burst_end = 0, -1
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
            self._set_rate()

    def skip(self, sequence: int, timestamp: int, now: float) -> None:
        """A packet of the same stream that is no audio (a telephone-event) has come: it is not lost."""
        self._buffer.skip(sequence)

    def reset(self) -> None:
        """Forget the stream and its decoder; the counters go on."""
        self._buffer.reset()
        self._sound.reset()
        self._forget()

    def _forget(self) -> None:
        self._set_rate()
        #: Whether a stream is being played.
        self.flowing = False
        # The timestamp of what follows the tail, None before there is any.
        self._cursor: int | None = None
        self._epoch = self._buffer.epoch
        # Whether the last packet was followed at once by the next, each 20 ms.
        self._smooth = False
        # The steps in which packets and pulls meet: the greatest common divisor of their lengths.
        self._grain = FRAME_DURATION
        # Seconds that were filled in while nothing was there, and whether this pull has filled in anything.
        self._starving = 0.0
        self._filled = False
        self._correction.reset()
        self._patience = Patience(self._delays)
        self._now = 0.0

    def _set_rate(self) -> None:
        #: Hz of the PCM that `pull` gives: that of the decoder in use.
        self.rate = self._sound.rate
        self._frame_bytes = samples_per_frame(self.rate) * SAMPLE_BYTES
        # What is decoded and not played yet.
        self._tail = b""

    @property
    def stats(self) -> PlayoutStats:
        """A snapshot."""
        buffer, delays = self._buffer, self._delays
        return PlayoutStats(
            received=buffer.received,
            lost=self._lost,
            bursts=self._bursts,
            late=buffer.late,
            duplicates=buffer.duplicates,
            discarded=buffer.discarded,
            recovered=self._recovered,
            concealed=self._concealed,
            stretched=self._correction.stretched,
            compressed=self._correction.compressed,
            jitter=delays.jitter,
            delay=0.0 if self._cursor is None else max(0.0, self._delay(self._cursor) + FRAME_DURATION),
            target=delays.target,
        )

    # --- out -------------------------------------------------------------------------------------------------

    def pull(self, now: float) -> bytes:
        """The next 20 ms of PCM at `rate`, silence when there is nothing. Never raises."""
        self._now = now
        buffer = self._buffer
        packet = buffer.packets.get(buffer.next)
        # Nothing is held back, nothing is missing, the delay is right: decode, and that is all.
        if (
            packet is not None
            and packet[0] == self._cursor
            and self._smooth
            and not self._tail
            and packet[1] == self._sound.payload_type
            and buffer.epoch == self._epoch
            and -_SLACK
            <= now - self._delays.base - packet[0] * buffer.tick - self._delays.target
            < _SLACK + FRAME_DURATION
        ):
            pcm = self._decoded(packet)
            if len(pcm) == self._frame_bytes:
                self._sound.history.append(pcm)
                return pcm
            self._tail = pcm
        return self._assembled()

    def _assembled(self) -> bytes:
        """20 ms, of whatever has to be put together for them."""
        if self._buffer.epoch != self._epoch:
            self._epoch = self._buffer.epoch
            self._cursor = None
            self._smooth = False
            self._sound.restart()
        self._filled = False
        while len(self._tail) < self._frame_bytes:
            piece = self._next()
            # Only now: another codec may have begun, and the tail be gone.
            self._tail += piece
        if not self._filled and self._now >= self._correction.next:
            self._adjust()
        size = self._frame_bytes
        pcm, self._tail = self._tail[:size], self._tail[size:]
        self._sound.history.append(pcm)
        return pcm

    def _next(self) -> bytes:
        """What follows the tail. May be empty, but not for ever."""
        if self._cursor is None and not self._started():
            return self._starved()
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
        return self._starved() if following is None else self._bridged(*following)

    def _started(self) -> bool:
        """Whether it is time for the first packet of a stream; the cursor is at it then."""
        buffer = self._buffer
        while (following := buffer.following()) is not None:
            number, packet = following
            early = self._delays.target - self._waited(packet)
            if early > 0:
                return False
            buffer.drop_before(number)
            self._cursor = packet[0]
            self._correction.begin(self._now)
            if early >= -_MAX_HEAD_START or number == buffer.top:
                return True
            buffer.drop_before(number + 1)
        return False

    def _reached(self, packet: Packet) -> bytes:
        """The next packet is here: its PCM, or what comes before it."""
        assert self._cursor is not None
        gap = packet[0] - self._cursor
        if gap > 0 and self._waited(packet) < self._delays.target:
            return self._fill(min(gap, self._units(FRAME_DURATION)))
        if gap < 0 and self._starving and self._outlived():
            self._lose(1)
            self._buffer.drop_before(self._buffer.next + 1)
            self._buffer.late += 1
            self._concealed += round(self._starving * self.rate)
            self._starving = 0.0
            return b""
        if packet[1] != self._sound.payload_type and not self._turned(packet):
            return b""
        pcm = self._decoded(packet)
        if not pcm:
            return b""
        # What was filled in before a packet that follows the last one was a pause of the sender, and only what
        # was filled in after it had been due took the place of audio.
        self._concealed += max(0, self._samples(-gap)) if self._starving else 0
        if not self._smooth:
            pcm = self._sound.join(pcm)
        self._starving = 0.0
        self._smooth = len(pcm) == self._frame_bytes
        self._grain = FRAME_DURATION if len(pcm) % self._frame_bytes == 0 else FRAME_DURATION / 2
        self.flowing = True
        return pcm

    def _outlived(self) -> bool:
        """Whether a packet is dropped whose place has been filled while nothing was there.

        So it is when the next one is in time. Otherwise it is played, and all after it later by that much.
        """
        buffer = self._buffer
        follower = buffer.packets.get(buffer.next + 1)
        return (
            follower is not None
            and self._cursor is not None
            and follower[0] <= self._cursor
            and self._starving <= _MAX_OUTLIVED
            and self._waited(follower) >= self._delays.target - _SLACK
        )

    def _turned(self, packet: Packet) -> bool:
        """Another payload type: whether it is audio. Else it is used up."""
        sound = self._sound
        if sound.turn_to(packet[1]):
            if sound.rate != self.rate:
                self._recount(sound.rate)
                self.rate = sound.rate
                self._frame_bytes = samples_per_frame(self.rate) * SAMPLE_BYTES
                self._tail = b""
            return True
        self._buffer.drop_before(self._buffer.next + 1)
        if sound.describe_noise(packet[1], packet[2]):
            self._cursor = packet[0]
            self._starving = 0.0
            self._smooth = False
            self.flowing = True
        else:
            self._buffer.discarded += 1
        return False

    def _recount(self, rate: int) -> None:
        """What is counted in samples, at another rate."""
        self._concealed = self._concealed * rate // self.rate
        correction = self._correction
        correction.stretched = correction.stretched * rate // self.rate
        correction.compressed = correction.compressed * rate // self.rate

    def _decoded(self, packet: Packet) -> bytes:
        """The PCM of the next packet, and the cursor after it. Empty: it is malformed, and lost from now on."""
        buffer = self._buffer
        del buffer.packets[buffer.next]
        pcm = self._sound.decode(packet[2])
        if pcm:
            buffer.next += 1
            self._cursor = packet[0] + len(pcm) * self._sound.clock_rate // (SAMPLE_BYTES * self.rate)
        else:
            buffer.discarded += 1
        return pcm

    # --- what is missing -------------------------------------------------------------------------------------

    def _bridged(self, number: int, packet: Packet) -> bytes:
        """A later packet is here, the next one is not: it is lost."""
        assert self._cursor is not None
        buffer = self._buffer
        gap = packet[0] - self._cursor
        missing = buffer.missing_before(number)
        if self._starving and missing == 1 and self._sound.may_recover:
            self._patience.missed(self._now)
        self._concealed += round(self._starving * self.rate)
        self._starving = 0.0
        pause = gap > missing * self._units(_LONGEST_PACKET)
        if gap <= 0 or (pause and self._waited(packet) >= self._delays.target):
            self._lose(missing)
            buffer.drop_before(number)
            return b""
        if missing == 1 and not pause and self._sound.may_recover:
            pcm = self._sound.recover(packet[1], packet[2], self._samples(gap))
            self._patience.tried(pcm is not None, self._now)
            if pcm is not None:
                self._lost += 1
                self._recovered += 1
                self._cursor = packet[0]
                buffer.drop_before(number)
                return self._sound.join(pcm)
        units = min(gap // missing or gap, self._units(FRAME_DURATION))
        # Their places are taken, one after the other; what comes now is late.
        done = missing * units // gap
        self._lose(done)
        buffer.drop_before(buffer.next + done)
        self._concealed += self._samples(units)
        return self._fill(units)

    def _lose(self, count: int) -> None:
        """So many packets, from the next one on, are not there when they have to be played."""
        if count <= 0:
            return
        first = self._buffer.next
        self._bursts += first != self._burst_end
        self._burst_end = first + count
        self._lost += count

    def _starved(self) -> bytes:
        """Nothing is here, or nothing that is due."""
        if not self.flowing:
            self._filled = True
            return silence(samples_per_frame(self.rate))
        self._starving += FRAME_DURATION
        if self._starving > (_NOISE_IDLE if self._sound.in_noise else _IDLE):
            self.flowing = False
            self._cursor = None
            self._starving = 0.0
            self._sound.restart()
        return self._fill(self._units(FRAME_DURATION))

    def _fill(self, units: int) -> bytes:
        samples = self._samples(units)
        self._filled = True
        self._smooth = False
        if self._cursor is not None:
            self._cursor += units
        return self._sound.fill(samples, self._tail)

    # --- delay -----------------------------------------------------------------------------------------------

    def _waited(self, packet: Packet) -> float:
        """How long the fastest packet would have been here when this one is decoded now."""
        return self._now - self._delays.base - packet[0] * self._buffer.tick

    def _delay(self, cursor: int) -> float:
        held = len(self._tail) / (SAMPLE_BYTES * self.rate)
        return self._now - self._delays.base - cursor * self._buffer.tick + held

    def _adjust(self) -> None:
        """Make the delay longer or shorter when it is not right, by a part of what is played now."""
        if self._cursor is None:
            return
        target, grain = self._delays.target, self._grain
        # Of the delay, what is left over between packets and pulls helps no packet to be in time.
        left = (len(self._tail) - self._frame_bytes) / (SAMPLE_BYTES * self.rate) % grain
        off = self._delay(self._cursor) - (FRAME_DURATION - grain) - left - target
        correction, now = self._correction, self._now
        if off < -_SLACK:
            self._tail = correction.lengthen(self._tail, self.rate, -off, now)
            return
        excess = left + max(0.0, off - _SLACK) // grain * grain
        frame = self._tail[: self._frame_bytes]
        if excess * self.rate >= 1 and correction.may_shorten(frame, self._sound.history, excess, now):
            self._read_ahead()
            self._tail = correction.shorten(self._tail, self.rate, excess, now)

    def _read_ahead(self) -> None:
        """Have one more packet in the tail, if it is here."""
        buffer = self._buffer
        packet = buffer.packets.get(buffer.next)
        if packet is not None and packet[0] == self._cursor and packet[1] == self._sound.payload_type:
            self._tail += self._decoded(packet)

    # --- units -----------------------------------------------------------------------------------------------

    def _samples(self, units: int) -> int:
        return units * self.rate // self._sound.clock_rate

    def _units(self, seconds: float) -> int:
        return round(seconds * self._sound.clock_rate)
