"""The RTP streams that come in, told apart by SSRC: what was lost of each, its jitter, and which one is heard.

Figures are those of :rfc:`3550` appendix A.3 and A.8. However many SSRCs a peer makes up, a few are remembered. A
peer that has our own SSRC is no loop (section 8.2): SRTP has another key for each direction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Source", "Sources"]

# RFC 3550 appendix A.1: a jump ahead by more than this, or back by less, is looked at twice.
_MAX_DROPOUT = 3000
_MAX_MISORDER = 100
# SSRCs that are remembered. A call has one, and now and then a new one.
_REMEMBERED = 16
# Another stream is heard after so many of its packets, one following the other: without one of the present stream in
# between, or with some that were out of order, each of which says nothing for that stream.
_RUN, _CONTESTED_RUN = 2, 5
# Seconds of silence of the stream that is heard after which any other takes its place at once.
_ABANDONED = 0.1
_LIMIT = 0x7FFFFF


class Source:
    """One stream. Sequence numbers are counted on over their wrap."""

    __slots__ = (
        "_base",
        "_cycles",
        "_expected_before",
        "_last_timestamp",
        "_max",
        "_rate",
        "_received_before",
        "_restart",
        "_transit",
        "era",
        "heard",
        "jitter",
        "left",
        "max_jitter",
        "received",
        "report",
        "resumed",
        "run",
        "ssrc",
    )

    def __init__(self, ssrc: int, sequence: int, now: float) -> None:
        self.ssrc = ssrc
        self.received = 0
        self.jitter = 0.0
        """Seconds (:rfc:`3550#appendix-A.8`)."""
        self.max_jitter = 0.0
        self.heard = now
        self.left = False
        """Whether it said BYE."""
        self.report: tuple[int, float] | None = None
        """The middle of its last report's NTP time, and when that report came."""
        self.resumed = False
        """Whether the peer was on hold since the last packet: what it has numbered and not sent is not lost."""
        self.run = 0
        """Packets that followed each other, within the `era` that `Sources` has in mind."""
        self.era = -1
        self._rate = 0
        self._transit = 0.0
        self._last_timestamp = -1
        self._begin(sequence)

    def _begin(self, sequence: int) -> None:
        self._base = self._max = sequence
        self._cycles = 0
        self._restart = -1
        self.received = 0
        self._expected_before = self._received_before = 0

    def count(self, sequence: int, now: float) -> None:
        """A packet of this number has come."""
        self.heard = now
        self.left = False
        ahead = (sequence - self._max) & 0xFFFF
        if ahead < _MAX_DROPOUT:
            if sequence < self._max:
                self._cycles += 0x10000
            if self.resumed and ahead:
                self.resumed = False
                self._base += ahead - 1
            self._max = sequence
            self._restart = -1
        elif ahead <= 0x10000 - _MAX_MISORDER:
            if sequence != self._restart:
                self._restart = (sequence + 1) & 0xFFFF
                return
            # Two in a row: the sender has begun anew without telling.
            self._begin((sequence - 1) & 0xFFFF)
            self._max, self.received = sequence, 1
        self.received += 1

    def follows(self, sequence: int) -> bool:
        """Whether this number is the next one."""
        return (sequence - self._max) & 0xFFFF == 1

    def arrival(self, timestamp: int, clock_rate: int, earliest: float, latest: float) -> float:
        """When a packet has come of which only this much is known: where it adds least to the jitter."""
        if clock_rate != self._rate:
            return latest
        return min(latest, max(earliest, self._transit + timestamp / clock_rate))

    def time(self, timestamp: int, clock_rate: int, now: float) -> None:
        """The audio of this time stamp has come now; adds to the jitter."""
        if timestamp == self._last_timestamp:
            return
        transit = now - timestamp / clock_rate
        if clock_rate == self._rate:
            change = abs(transit - self._transit)
            # Time stamps that wrap or jump say nothing about the network.
            if change < 1.0:
                self.jitter += (change - self.jitter) / 16
                if self.jitter > self.max_jitter:
                    self.max_jitter = self.jitter
        self._rate, self._transit, self._last_timestamp = clock_rate, transit, timestamp

    @property
    def clock_rate(self) -> int:
        """Of the time stamps of its audio; 0 before any."""
        return self._rate

    @property
    def highest(self) -> int:
        """The highest sequence number, with the number of its wraps in the upper half."""
        return (self._cycles + self._max) & 0xFFFFFFFF

    @property
    def expected(self) -> int:
        """Packets that the sender has sent, by its numbers."""
        return self._cycles + self._max - self._base + 1

    @property
    def lost(self) -> int:
        """Negative when more were doubled than lost."""
        return max(-_LIMIT - 1, min(_LIMIT, self.expected - self.received))

    def fraction_lost(self) -> int:
        """In 1/256, since this was asked last (:rfc:`3550#appendix-A.3`)."""
        expected, received = self.expected, self.received
        new = expected - self._expected_before
        lost = new - (received - self._received_before)
        self._expected_before, self._received_before = expected, received
        return min(255, (lost << 8) // new) if new > 0 and lost > 0 else 0


class Sources:
    """The streams of one transport. `on_forgotten` is called with the SSRC of one that makes room."""

    def __init__(self, on_forgotten: Callable[[int], None] | None = None) -> None:
        self._known: dict[int, Source] = {}
        self._on_forgotten = on_forgotten
        self._lost_before = 0
        # Whether others have come since the last packet in order of the one that is heard, how long a run of theirs
        # has to be, and how often all runs have been broken off.
        self._contested = False
        self._needed = _RUN
        self._era = 0
        self.current: Source | None = None
        """The one that is heard."""

    def packet(self, ssrc: int, sequence: int, now: float) -> Source:
        """Count a packet and say what stream it is of; `current` tells whether that one is heard.

        Another SSRC is heard when two of its packets come in a row and follow each other by their numbers
        (:rfc:`3550#appendix-A.1`), or at once when the present one has gone quiet: stray packets change nothing.
        """
        current = self.current
        if current is not None and ssrc == current.ssrc:
            if self._contested:
                self._defend(current.follows(sequence))
            current.count(sequence, now)
            return current
        source = self._known.get(ssrc)
        if source is None:
            source = self._add(ssrc, sequence, now)
        source.run = source.run + 1 if source.era == self._era and source.follows(sequence) else 1
        source.era = self._era
        self._contested = True
        if current is None or current.left or now - current.heard > _ABANDONED or source.run >= self._needed:
            self.current = source
            self._defend(True)
        source.count(sequence, now)
        return source

    def _defend(self, in_order: bool) -> None:
        """The stream that is heard goes on: the others have to begin anew, or to be patient."""
        if in_order:
            self._contested, self._needed = False, _RUN
            self._era += 1
        else:
            self._needed = _CONTESTED_RUN

    def find(self, ssrc: int) -> Source | None:
        """The stream of this SSRC, if packets of it have come."""
        return self._known.get(ssrc)

    def since(self, moment: float) -> list[Source]:
        """Those that packets have come of since then."""
        return [source for source in self._known.values() if source.heard >= moment]

    def resume(self) -> None:
        """The peer may send again. Some go on numbering while they must not."""
        for source in self._known.values():
            source.resumed = True

    @property
    def lost(self) -> int:
        """Packets of all streams that never came."""
        return self._lost_before + sum(max(0, source.lost) for source in self._known.values())

    def _add(self, ssrc: int, sequence: int, now: float) -> Source:
        if len(self._known) >= _REMEMBERED:
            quiet = min((s for s in self._known.values() if s is not self.current), key=lambda s: s.heard)
            del self._known[quiet.ssrc]
            self._lost_before += max(0, quiet.lost)
            if self._on_forgotten is not None:
                self._on_forgotten(quiet.ssrc)
        source = self._known[ssrc] = Source(ssrc, sequence, now)
        return source
