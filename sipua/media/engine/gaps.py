"""What is missing in a stream: it is recovered, or something is put in its place, and all that is counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipua.media.engine.patience import Patience
from sipua.media.pcm import FRAME_DURATION, samples_per_frame, silence

if TYPE_CHECKING:
    from sipua.media.engine.jitter import Packet
    from sipua.media.engine.playhead import Playhead

__all__ = ["Gaps"]

# Without a packet for so long, nothing is being played any more. Comfort noise stays longer.
_IDLE, _NOISE_IDLE = 1.0, 30.0
# A packet that comes when this much has been filled in for it is played all the same, and all after it later.
_MAX_OUTLIVED = 0.04
# More than this for each missing packet: the sender has paused, too.
_LONGEST_PACKET = 0.06


class Gaps:
    """Fills what is missing at `head`. All counts are of packets, `concealed` is in samples at the head's rate."""

    def __init__(self, head: Playhead) -> None:
        self._head = head
        self.lost = self.recovered = self.concealed = 0
        self.bursts = 0
        """Runs of lost packets."""
        self._burst_end = -1  # the number after the last one
        self.forget()

    def forget(self) -> None:
        """Another stream; the counters go on."""
        self.starving = 0.0
        """Seconds that were filled in while nothing was there."""
        self.filled = False
        """Set when anything has been filled in."""
        self._patience = Patience(self._head.delays)

    def bridged(self, number: int, packet: Packet) -> bytes:
        """This later packet is here, the next one is not: PCM in its place. May be empty: go on as things are now."""
        head = self._head
        assert head.cursor is not None
        buffer, sound = head.buffer, head.sound
        gap = packet[0] - head.cursor
        missing = buffer.missing_before(number)
        if self.starving and missing == 1 and sound.may_recover:
            self._patience.missed(head.now)
        self.concealed += round(self.starving * head.rate)
        self.starving = 0.0
        pause = gap > missing * head.units(_LONGEST_PACKET)
        if gap <= 0 or (pause and head.waited(packet) >= head.delays.target):
            self.lose(missing)
            buffer.drop_before(number)
            return b""
        if missing == 1 and not pause and sound.may_recover:
            pcm = sound.recover(packet[1], packet[2], head.samples(gap))
            self._patience.tried(pcm is not None, head.now)
            if pcm is not None:
                self.lost += 1
                self.recovered += 1
                head.cursor = packet[0]
                buffer.drop_before(number)
                return sound.join(pcm)
        units = min(gap // missing or gap, head.units(FRAME_DURATION))
        # Their places are taken, one after the other; what comes now is late.
        done = missing * units // gap
        self.lose(done)
        buffer.drop_before(buffer.next + done)
        self.concealed += head.samples(units)
        return self.fill(units)

    def starved(self) -> bytes:
        """Nothing is here, or nothing that is due: 20 ms for now."""
        head = self._head
        if not head.flowing:
            self.filled = True
            return silence(samples_per_frame(head.rate))
        self.starving += FRAME_DURATION
        if self.starving > (_NOISE_IDLE if head.sound.in_noise else _IDLE):
            head.flowing = False
            head.cursor = None
            self.starving = 0.0
            head.sound.restart()
        return self.fill(head.units(FRAME_DURATION))

    def fill(self, units: int) -> bytes:
        """Something for so many units of the RTP clock."""
        head = self._head
        self.filled = True
        head.smooth = False
        if head.cursor is not None:
            head.cursor += units
        return head.sound.fill(head.samples(units), head.tail)

    def outlived(self, punctual: float) -> bool:
        """Whether the next packet is dropped, whose place has been filled while nothing was there.

        So it is when the one after it has waited for `punctual` seconds: it is in time. Otherwise it is played, and
        all after it later by that much.
        """
        head = self._head
        follower = head.buffer.packets.get(head.buffer.next + 1)
        return (
            0 < self.starving <= _MAX_OUTLIVED
            and follower is not None
            and head.cursor is not None
            and follower[0] <= head.cursor
            and head.waited(follower) >= punctual
        )

    def drop_late(self) -> None:
        """The next packet has come after its place had been filled: it was lost."""
        head = self._head
        self.lose(1)
        head.buffer.drop_before(head.buffer.next + 1)
        head.buffer.late += 1
        self.concealed += round(self.starving * head.rate)
        self.starving = 0.0

    def lose(self, count: int) -> None:
        """So many packets, from the next one on, are not there when they have to be played."""
        if count <= 0:
            return
        first = self._head.buffer.next
        self.bursts += first != self._burst_end
        self._burst_end = first + count
        self.lost += count
