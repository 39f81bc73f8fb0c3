"""What comes from the network late, twice or in the wrong order, put in order.

Pure: the time is an argument (seconds, any origin). Sequence numbers and timestamps leave here unwrapped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from sipua.media.engine.delay import DelayEstimator

__all__ = ["Packet", "PacketBuffer"]

#: Unwrapped RTP timestamp, payload type, payload.
Packet = tuple[int, int, bytes]

# RFC 3550 A.1
_MAX_DROPOUT = 3000
_MAX_MISORDER = 100
# More seconds than this between what the timestamp says and the clock: it is another time line.
_MAX_STEP = 2.5
_MAX_PACKETS = 200
_MAX_CANDIDATES = 8
_TRIM_FROM = 8
# So many old packets in a row, when nothing else has come for so many seconds: the sender has gone back.
_RESUME_RUN = 3
_RESUME_AFTER = 0.1


class PacketBuffer:
    """Packets by unwrapped sequence number. `packets` holds None for a number that carries no audio.

    `clock_of` tells the RTP clock of a payload type, None for one that cannot be played. What spans more than
    `max_span` seconds loses its oldest packets, so memory is bounded whatever comes in. A new SSRC, or a
    sequence number far from the others, counts when a second packet follows it (:rfc:`3550#appendix-A.1`). One that
    is a little back counts when nothing but its like comes any more.
    """

    __slots__ = (
        "_accepted",
        "_behind",
        "_candidates",
        "_clock_of",
        "_payload_type",
        "_ssrc",
        "_top_timestamp",
        "clock_rate",
        "delays",
        "discarded",
        "duplicates",
        "epoch",
        "late",
        "max_span",
        "next",
        "packets",
        "received",
        "tick",
        "top",
    )

    def __init__(
        self, clock_of: Callable[[int], int | None], delays: DelayEstimator, max_span: float
    ) -> None:
        self._clock_of = clock_of
        self.delays = delays
        self.max_span = max_span
        self.received = self.late = self.duplicates = self.discarded = 0
        #: Changes when all that is known of order and time begins anew.
        self.epoch = 0
        self.clock_rate = 8000
        self.reset()

    def reset(self) -> None:
        """Nothing has come yet. The counters go on."""
        self.packets: dict[int, Packet | None] = {}
        #: The number that is played next: earlier ones are late. And the greatest that has come.
        self.next = -1
        self.top = -1
        self.tick = 1 / self.clock_rate
        self._top_timestamp = 0
        self._payload_type = -1
        self._ssrc: int | None = None
        # By SSRC: a packet that may be the first of another stream, as the arguments of `put`.
        self._candidates: dict[int, tuple[int, int, int, bytes, float]] = {}
        # When the last packet in order came; how many old ones in a row, up to which number.
        self._accepted = 0.0
        self._behind = (0, 0)
        self.epoch += 1
        self.delays.reset()

    def put(
        self, payload_type: int, sequence: int, timestamp: int, payload: bytes, now: float, ssrc: int
    ) -> None:
        """A packet has come. Never raises."""
        self.received += 1
        top = self.top
        step = (sequence - top) & 0xFFFF
        if ssrc != self._ssrc or _MAX_DROPOUT <= step <= 0xFFFF - _MAX_MISORDER:
            self._foreign(payload_type, sequence, timestamp, payload, now, ssrc)
            return
        if payload_type != self._payload_type and not self._turned(payload_type):
            if 0 < step < _MAX_DROPOUT and self._clock_of(payload_type):
                self._begin(payload_type, top + step, timestamp, payload, now)
            elif not self._resumed(payload_type, sequence, timestamp, payload, now):
                self.discarded += 1
                self.skip(sequence)
            return
        advance = (timestamp - self._top_timestamp) & 0xFFFFFFFF
        if 0 < step < _MAX_DROPOUT:
            number = top + step
            unwrapped = self._top_timestamp + advance
            transit = now - unwrapped * self.tick
            if not 0 < advance < 0x80000000 or not -_MAX_STEP < transit - self.delays.base < _MAX_STEP:
                self._begin(payload_type, number, timestamp, payload, now)
                return
            self.top = number
            self._top_timestamp = unwrapped
            self._accepted = now
        else:
            number = top - ((-step) & 0xFFFF)
            unwrapped = self._top_timestamp - (-advance & 0xFFFFFFFF)
            transit = now - unwrapped * self.tick
            if self._refused(number, unwrapped, transit, now):
                self._resumed(payload_type, sequence, timestamp, payload, now)
                return
        self.delays.arrived(transit, now)
        packets = self.packets
        packets[number] = (unwrapped, payload_type, payload)
        if len(packets) > _TRIM_FROM:
            self._trim()

    def skip(self, sequence: int) -> None:
        """This number carries something that is not audio: it is not lost."""
        step = (sequence - self.top) & 0xFFFF
        if self._ssrc is None or _MAX_DROPOUT <= step <= 0xFFFF - _MAX_MISORDER:
            return
        # `top` stays: it is that of the last timestamp.
        number = self.top + step if step < _MAX_DROPOUT else self.top - (-step & 0xFFFF)
        if number >= self.next:
            self.packets.setdefault(number, None)
            if len(self.packets) > _TRIM_FROM:
                self._trim()

    def following(self) -> tuple[int, Packet] | None:
        """The first packet that is here, and its number."""
        found: tuple[int, Packet] | None = None
        for number, packet in self.packets.items():
            if packet is not None and (found is None or number < found[0]):
                found = number, packet
        return found

    def missing_before(self, number: int) -> int:
        """How many numbers from `next` to this one have not come."""
        return number - self.next - sum(self.next <= n < number for n in self.packets)

    def drop_before(self, number: int) -> None:
        """Go on with this number, whatever is here of the earlier ones."""
        for old in [n for n in self.packets if n < number]:
            del self.packets[old]
        self.next = number

    def _turned(self, payload_type: int) -> bool:
        """Whether another payload type can follow: its timestamps are in the same unit."""
        if self._clock_of(payload_type) != self.clock_rate:
            return False
        self._payload_type = payload_type
        return True

    def _refused(self, number: int, unwrapped: int, transit: float, now: float) -> bool:
        """Whether an old packet is of no use: a duplicate, or its place has been played."""
        if number in self.packets or number == self.top:
            self.duplicates += 1
            return True
        if unwrapped >= self._top_timestamp or not -_MAX_STEP < transit - self.delays.base < _MAX_STEP:
            self.discarded += 1
            return True
        if number < self.next:
            self.late += 1
            # The next one like it should be waited for.
            self.delays.arrived(transit, now)
            return True
        return False

    def _resumed(self, payload_type: int, sequence: int, timestamp: int, payload: bytes, now: float) -> bool:
        """Whether the stream goes on with this old packet: those before it were of this kind, too."""
        run, last = self._behind
        run = run + 1 if (sequence - last) & 0xFFFF == 1 else 1
        self._behind = run, sequence
        if run < _RESUME_RUN or now - self._accepted < _RESUME_AFTER or not self._clock_of(payload_type):
            return False
        self._begin(payload_type, (sequence & 0xFFFF) + 0x10000, timestamp, payload, now)
        return True

    def _foreign(
        self, payload_type: int, sequence: int, timestamp: int, payload: bytes, now: float, ssrc: int
    ) -> None:
        """A packet of another source, or far away in the same one."""
        if not self._clock_of(payload_type):
            self.discarded += 1
            return
        if self._ssrc is None:
            self._ssrc = ssrc
            self._begin(payload_type, (sequence & 0xFFFF) + 0x10000, timestamp, payload, now)
            return
        first = self._candidates.pop(ssrc, None)
        if first is None or (sequence - first[1]) & 0xFFFF != 1:
            self.discarded += first is not None
            if len(self._candidates) >= _MAX_CANDIDATES:
                del self._candidates[next(iter(self._candidates))]
                self.discarded += 1
            self._candidates[ssrc] = payload_type, sequence, timestamp, payload, now
            return
        self._ssrc = ssrc
        self._begin(first[0], (first[1] & 0xFFFF) + 0x10000, *first[2:])
        self.received -= 1
        self.put(payload_type, sequence, timestamp, payload, now, ssrc)

    def _begin(self, payload_type: int, number: int, timestamp: int, payload: bytes, now: float) -> None:
        """With this packet order and time begin anew; what is here of before is not played any more."""
        self.discarded += sum(packet is not None for packet in self.packets.values())
        self.discarded += len(self._candidates)
        self._candidates.clear()
        self.epoch += 1
        self.delays.rebase()
        self._payload_type = payload_type
        self.clock_rate = self._clock_of(payload_type) or self.clock_rate
        self.tick = 1 / self.clock_rate
        unwrapped = timestamp & 0xFFFFFFFF
        self.top = self.next = number
        self._top_timestamp = unwrapped
        self._accepted = now
        self.packets.clear()
        self.packets[number] = (unwrapped, payload_type, payload)
        self.delays.arrived(now - unwrapped * self.tick, now)

    def _trim(self) -> None:
        packets = self.packets
        limit = self._top_timestamp - self.max_span * self.clock_rate
        while packets:
            number = min(packets)
            packet = packets[number]
            if len(packets) <= _MAX_PACKETS and (packet is None or packet[0] >= limit):
                return
            del packets[number]
            self.discarded += packet is not None
            self.next = max(self.next, number + 1)
