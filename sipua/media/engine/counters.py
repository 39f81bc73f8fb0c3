"""What is counted of one leg's audio, in one place: an object per direction, both in `AudioCounters`.

Counters start at 0 and only grow; bytes are those of RTP payload, times are in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["AudioCounters", "PlayoutStats", "Received", "RoundTrip", "Sent"]


@dataclass(slots=True)
class RoundTrip:
    """The time from us to the peer and back, as its reports tell (:rfc:`3550#section-6.4.1`)."""

    last: float | None = None
    max: float = 0.0
    total: float = 0.0
    measured: int = 0
    """How often."""

    @property
    def mean(self) -> float | None:
        """None before the first report."""
        return self.total / self.measured if self.measured else None

    def add(self, seconds: float) -> None:
        """One more measurement."""
        self.last = seconds
        self.max = max(self.max, seconds)
        self.total += seconds
        self.measured += 1


@dataclass(slots=True)
class Sent:
    """What went to the peer, and what its reports say of it."""

    packets: int = 0
    bytes: int = 0
    events: int = 0
    """Packets of telephone-event among them."""
    failed: int = 0
    """Packets that the transport did not take."""
    level: int = 127
    """Of the last packet, in -dBov; measured only when the peer wants to be told (:rfc:`6464`)."""
    reports: int = 0
    """Sender and receiver reports sent."""
    lost: int = 0
    """By the peer's last report."""
    fraction_lost: float = 0.0
    """0 to 1, between the peer's last two reports."""
    reported: bool = False
    """Whether the peer has reported about us."""
    jitter: float = 0.0
    """As the peer sees it."""
    round_trip: RoundTrip = field(default_factory=RoundTrip)


@dataclass(slots=True)
class Received:
    """What came from the peer. What was lost is in the sources (`sipua.media.engine.sources`)."""

    packets: int = 0
    """Authentic and well formed, of any SSRC."""
    bytes: int = 0
    events: int = 0
    """Packets of telephone-event among them."""
    discarded: int = 0
    """Not authentic, malformed, of an unknown payload type, or of an SSRC that is not played."""
    reports: int = 0
    """Sender and receiver reports."""
    payload_type: int | None = None
    """Of the last packet of audio."""
    sender_packets: int = 0
    """What the peer says that it has sent, by its last sender report."""
    sender_bytes: int = 0
    sender_time: float | None = None
    """When, by the peer's clock, in seconds since 1970; None before its first sender report."""


@dataclass(slots=True)
class AudioCounters:
    """Both directions."""

    sent: Sent = field(default_factory=Sent)
    received: Received = field(default_factory=Received)


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
