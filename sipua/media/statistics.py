"""What a call's media has done and how well it went, at one moment: plain figures, frozen, and JSON by `as_dict`.

The parts are those of the W3C's statistics model: what this side sent and received, and what the peer reports of
what it received and sent. Counters start at 0 with the call's branch and only grow. Bytes are those of RTP payload.
Times are in seconds, time stamps in seconds since 1970, levels in dBov (0 is the loudest, -127 silence).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from sipua.media import emodel
from sipua.media.quality import Quality, losses

if TYPE_CHECKING:
    from sipua.media.interface import Direction, MediaState

__all__ = [
    "MediaStats",
    "Medium",
    "MediumStats",
    "Quality",
    "ReceivedStats",
    "RemoteReceivedStats",
    "RemoteSentStats",
    "RoundTripStats",
    "SentStats",
    "TransportStats",
]

Medium = Literal["audio", "video"]


@dataclass(frozen=True, slots=True)
class SentStats:
    """What went to the peer."""

    id: str
    ssrc: int | None = None
    codec: str | None = None
    """``opus/48000``, ``PCMU/8000`` …"""
    payload_type: int | None = None
    packets: int = 0
    bytes: int = 0
    events: int = 0
    """Packets of telephone-event (:rfc:`4733`) among them."""
    failed: int = 0
    """Packets that the transport did not take."""
    level: float | None = None
    """Of the last 20 ms; None: nothing was sent yet, or video."""
    reports: int = 0
    """RTCP sender and receiver reports sent."""


@dataclass(frozen=True, slots=True)
class ReceivedStats:
    """What came from the peer, and what was played of it."""

    id: str
    ssrc: int | None = None
    """Of the stream that is played; None before any."""
    codec: str | None = None
    payload_type: int | None = None
    packets: int = 0
    bytes: int | None = 0
    """None: not counted, for video."""
    events: int = 0
    """Packets of telephone-event (:rfc:`4733`) among them."""
    lost: int = 0
    """Packets that never came (:rfc:`3550#appendix-A.3`)."""
    discarded: int = 0
    """Packets that came and could not be used: not authentic, malformed, of an unknown payload type or source."""
    late: int = 0
    """Packets that came after they should have been played."""
    duplicates: int = 0
    due: int = 0
    """Packets that were to be played; 0 as long as nobody listens."""
    missing: int = 0
    """Those among them that were not there in time, and were not recovered."""
    bursts: int = 0
    """Into how many runs of missing packets they fall."""
    recovered: int = 0
    """Packets made of their successor's in-band error correction."""
    concealed: float = 0.0
    """Seconds of sound made up in the place of missing audio."""
    stretched: float = 0.0
    """Seconds of sound added to make the delay longer."""
    compressed: float = 0.0
    """Seconds of sound left out to make the delay shorter."""
    jitter: float = 0.0
    """Interarrival jitter (:rfc:`3550#section-6.4.1`)."""
    max_jitter: float = 0.0
    buffer_delay: float = 0.0
    """How long the jitter buffer holds packets now."""
    buffer_target: float = 0.0
    """How long it wants to hold them."""
    level: float | None = None
    """Of the last 20 ms; None: nobody listens, or video."""
    reports: int = 0
    """RTCP sender and receiver reports received."""


@dataclass(frozen=True, slots=True)
class RemoteSentStats:
    """What the peer says that it sent, by its last sender report (:rfc:`3550#section-6.4.1`)."""

    id: str
    packets: int
    bytes: int
    time: float
    """When, by the peer's clock (its NTP time)."""


@dataclass(frozen=True, slots=True)
class RoundTripStats:
    """The time to the peer and back, by its reports (:rfc:`3550#section-6.4.1`)."""

    last: float | None = None
    max: float | None = None
    mean: float | None = None
    count: int = 0
    """How often it was measured."""


@dataclass(frozen=True, slots=True)
class RemoteReceivedStats:
    """What the peer says of what it received, by its last report block about us."""

    id: str
    lost: int = 0
    fraction_lost: float = 0.0
    """0 to 1, between its last two reports."""
    jitter: float = 0.0
    round_trip: RoundTripStats = RoundTripStats()


@dataclass(frozen=True, slots=True)
class TransportStats:
    """The path of the packets."""

    id: str
    dtls_state: str | None = None
    dtls_version: str | None = None
    """``DTLSv1.2`` …"""
    dtls_cipher: str | None = None
    """Its name in OpenSSL."""
    srtp_profile: str | None = None
    """Its name in :rfc:`5764`, as ``SRTP_AES128_CM_SHA1_80``."""
    local_candidate: str | None = None
    remote_candidate: str | None = None
    """The ICE pair in use, as ``host 192.0.2.1:4000``."""


@dataclass(frozen=True, slots=True)
class MediumStats:
    """The audio or the video of a call."""

    id: str
    """The same for one medium of one branch of the call; the parts have this and their own name."""
    kind: Medium
    timestamp: float
    sent: SentStats
    received: ReceivedStats
    transport: TransportStats
    mid: str | None = None
    direction: Direction | None = None
    """What was negotiated, seen from this side."""
    remote_sent: RemoteSentStats | None = None
    """None before the peer's first sender report."""
    remote_received: RemoteReceivedStats | None = None
    """None before the peer's first report about us."""
    quality: Quality | None = None
    """Of what this side hears, over the whole call; None: video, or nothing was heard."""
    remote_quality: Quality | None = None
    """Of what the peer hears, as far as its reports tell; None: video, or none of them has come."""

    def quality_since(self, earlier: MediumStats | None) -> Quality | None:
        """Of what was heard between two moments; None: nothing was.

        Of the whole call without `earlier`, or when that is of another branch.
        """
        now = self.quality
        if now is None or earlier is None or earlier.id != self.id:
            return now
        if self.received.packets == earlier.received.packets:
            return None
        loss, bursts = losses(self.received, earlier.received)
        codec = emodel.CodecQuality(now.model, now.ie, now.bpl)
        return Quality.estimate(codec, delay=now.delay, loss=loss, burst_ratio=bursts)


@dataclass(frozen=True, slots=True)
class MediaStats:
    """Figures of one call's media at one moment. Those of the audio that are asked for most have short names."""

    state: MediaState = "new"
    timestamp: float = 0.0
    audio: MediumStats | None = None
    """None before anything was negotiated, and with signalling-only media."""
    video: MediumStats | None = None
    """None: there was none so far."""

    def __getitem__(self, medium: Medium) -> MediumStats | None:
        return self.audio if medium == "audio" else self.video

    def as_dict(self) -> dict[str, Any]:
        """All of it as dicts, strings, numbers and None."""
        return asdict(self)

    # --- of the audio -------------------------------------------------------------------------------------

    @property
    def codec(self) -> str | None:
        """What is sent, as ``opus/48000``; None before negotiation."""
        return self.audio.sent.codec if self.audio is not None else None

    @property
    def direction(self) -> Direction | None:
        """What was negotiated, seen from this side."""
        return self.audio.direction if self.audio is not None else None

    @property
    def packets_sent(self) -> int:
        """All, tones as well."""
        return self.audio.sent.packets if self.audio is not None else 0

    @property
    def bytes_sent(self) -> int:
        """Of RTP payload."""
        return self.audio.sent.bytes if self.audio is not None else 0

    @property
    def packets_received(self) -> int:
        """All that were authentic and well formed."""
        return self.audio.received.packets if self.audio is not None else 0

    @property
    def bytes_received(self) -> int:
        """Of RTP payload."""
        return (self.audio.received.bytes or 0) if self.audio is not None else 0

    @property
    def packets_lost(self) -> int:
        """Of those the peer sent."""
        return self.audio.received.lost if self.audio is not None else 0

    @property
    def packets_lost_remote(self) -> int:
        """Of those we sent, by the peer's reports."""
        remote = self.audio.remote_received if self.audio is not None else None
        return remote.lost if remote is not None else 0

    @property
    def packets_discarded(self) -> int:
        """Received and of no use: not authentic, malformed, of an unknown payload type or source."""
        return self.audio.received.discarded if self.audio is not None else 0

    @property
    def jitter(self) -> float:
        """Interarrival jitter in seconds (:rfc:`3550#section-6.4.1`)."""
        return self.audio.received.jitter if self.audio is not None else 0.0

    @property
    def rtt(self) -> float | None:
        """The last round trip in seconds, by RTCP; None before the first."""
        remote = self.audio.remote_received if self.audio is not None else None
        return remote.round_trip.last if remote is not None else None

    @property
    def quality(self) -> Quality | None:
        """How the peer sounds here, estimated."""
        return self.audio.quality if self.audio is not None else None

    @property
    def mos(self) -> float | None:
        """How the peer sounds here: 1 to 4.5, estimated."""
        return self.quality.mos if self.quality is not None else None

    @property
    def local_candidate(self) -> str | None:
        """Ours of the ICE pair in use, as ``host 192.0.2.1:4000``."""
        return self.audio.transport.local_candidate if self.audio is not None else None

    @property
    def remote_candidate(self) -> str | None:
        """The peer's."""
        return self.audio.transport.remote_candidate if self.audio is not None else None
