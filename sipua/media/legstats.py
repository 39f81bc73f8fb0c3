"""The figures of one leg, read from the audio engine's counters and from aiortc. Nothing here waits."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any

from sipua.media import internals
from sipua.media.emodel import CODEC_DELAYS, codec_quality
from sipua.media.quality import Quality, losses
from sipua.media.statistics import (
    MediaStats,
    MediumStats,
    ReceivedStats,
    RemoteReceivedStats,
    RemoteSentStats,
    RoundTripStats,
    SentStats,
    TransportStats,
)

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from aiortc import RTCRtpTransceiver

    from sipua.media.codecs import CodecSpec
    from sipua.media.engine.channel import AudioChannel
    from sipua.media.interface import MediaState
    from sipua.media.video.line import VideoLine

__all__ = ["LegStats"]

# What a peer's jitter buffer holds at least, in seconds, and how many times the jitter that it tells of.
_PEER_BUFFER, _PEER_BUFFER_JITTERS = 0.02, 2.0

_numbers = itertools.count(1)


class LegStats:
    """Reads the figures of one leg; its number is in their ids."""

    def __init__(self, transceiver: RTCRtpTransceiver, channel: AudioChannel, video: VideoLine) -> None:
        self._transceiver = transceiver
        self._channel = channel
        self._video = video
        self._number = next(_numbers)

    def read(self, state: MediaState) -> MediaStats:
        """As they are now."""
        now = time.time()
        video = None
        if self._video.transceiver is not None:
            video = self._read_video(self._video.transceiver, now)
        return MediaStats(state=state, timestamp=now, audio=self._read_audio(now), video=video)

    def _transport(self, transceiver: RTCRtpTransceiver, suffix: str = "") -> TransportStats:
        local, remote = internals.candidate_pair(internals.ice_of(transceiver))
        dtls = internals.dtls_of(transceiver)
        return TransportStats(f"transport-{self._number}{suffix}", *dtls, local, remote)

    # --- audio --------------------------------------------------------------------------------------------

    def _read_audio(self, now: float) -> MediumStats:
        name = f"audio-{self._number}"
        sent, received = self._sent(name), self._received(name)
        counters = self._channel.counters
        remote_received = None
        if counters.sent.reported:
            remote_received = RemoteReceivedStats(
                f"{name}-remote-received",
                lost=counters.sent.lost,
                fraction_lost=counters.sent.fraction_lost,
                jitter=counters.sent.jitter,
                round_trip=self._round_trip(),
            )
        return MediumStats(
            id=name,
            kind="audio",
            timestamp=now,
            sent=sent,
            received=received,
            transport=self._transport(self._transceiver),
            mid=self._transceiver.mid,
            direction=internals.current_direction(self._transceiver),
            remote_sent=self._remote_sent(name),
            remote_received=remote_received,
            quality=self._quality(received),
            remote_quality=self._remote_quality(sent, remote_received),
        )

    def _sent(self, name: str) -> SentStats:
        counted, codec = self._channel.counters.sent, self._channel.codec
        return SentStats(
            f"{name}-sent",
            ssrc=self._channel.sender.ssrc,
            codec=codec.label if codec is not None else None,
            payload_type=codec.payload_type if codec is not None else None,
            packets=counted.packets,
            bytes=counted.bytes,
            events=counted.events,
            failed=counted.failed,
            level=self._channel.said_level,
            reports=counted.reports,
        )

    def _received(self, name: str) -> ReceivedStats:
        channel = self._channel
        counted, source = channel.counters.received, channel.sources.current
        codec, played, rate = channel.received_codec, channel.playout.stats, channel.playout.rate
        return ReceivedStats(
            f"{name}-received",
            ssrc=source.ssrc if source is not None else None,
            codec=codec.label if codec is not None else None,
            payload_type=codec.payload_type if codec is not None else None,
            packets=counted.packets,
            bytes=counted.bytes,
            events=counted.events,
            lost=channel.sources.lost,
            discarded=counted.discarded + played.discarded,
            late=played.late,
            duplicates=played.duplicates,
            due=max(0, played.received - played.late - played.duplicates - played.discarded + played.lost),
            missing=played.lost - played.recovered,
            bursts=played.bursts,
            recovered=played.recovered,
            concealed=played.concealed / rate,
            stretched=played.stretched / rate,
            compressed=played.compressed / rate,
            jitter=source.jitter if source is not None else 0.0,
            max_jitter=source.max_jitter if source is not None else 0.0,
            buffer_delay=played.delay,
            buffer_target=played.target,
            level=channel.heard_level,
            reports=counted.reports,
        )

    def _remote_sent(self, name: str) -> RemoteSentStats | None:
        counted = self._channel.counters.received
        if counted.sender_time is None:
            return None
        return RemoteSentStats(
            f"{name}-remote-sent",
            packets=counted.sender_packets,
            bytes=counted.sender_bytes,
            time=counted.sender_time,
        )

    def _round_trip(self) -> RoundTripStats:
        trip = self._channel.counters.sent.round_trip
        if not trip.measured:
            return RoundTripStats()
        return RoundTripStats(last=trip.last, max=trip.max, mean=trip.mean, count=trip.measured)

    def _quality(self, received: ReceivedStats) -> Quality | None:
        codec = self._channel.received_codec
        known = _codec_quality(codec) if codec is not None else None
        if codec is None or known is None or not received.packets:
            return None
        loss, bursts = losses(received)
        delay = self._way(codec) + received.buffer_delay
        return Quality.estimate(known, delay=delay, loss=loss, burst_ratio=bursts)

    def _remote_quality(self, sent: SentStats, remote: RemoteReceivedStats | None) -> Quality | None:
        codec = self._channel.codec
        if codec is None or remote is None or not sent.packets:
            return None
        known = _codec_quality(codec, self._channel.bitrate_limit)
        if known is None:
            return None
        delay = self._way(codec) + max(_PEER_BUFFER, _PEER_BUFFER_JITTERS * remote.jitter)
        return Quality.estimate(known, delay=delay, loss=min(1.0, remote.lost / sent.packets))

    def _way(self, codec: CodecSpec) -> float:
        """Seconds from the one's mouth until the packet is at the other."""
        trip = self._channel.counters.sent.round_trip.mean
        return (codec.ptime + CODEC_DELAYS.get(codec.name, 0.0)) / 1000.0 + (trip or 0.0) / 2.0

    # --- video --------------------------------------------------------------------------------------------

    def _read_video(self, transceiver: RTCRtpTransceiver, now: float) -> MediumStats:
        name = f"video-{self._number}"
        codec = next(iter(internals.codecs_of(transceiver)), None)
        label = f"{codec.mimeType.partition('/')[2]}/{codec.clockRate}" if codec is not None else None
        payload_type = codec.payloadType if codec is not None else None
        clock_rate = codec.clockRate if codec is not None else 90000
        reports = _at_once(transceiver.sender.getStats()) | _at_once(transceiver.receiver.getStats())
        found = {report.type: report for report in reports.values()}
        out, arrived = found.get("outbound-rtp"), found.get("inbound-rtp")
        remote_in, remote_out = found.get("remote-inbound-rtp"), found.get("remote-outbound-rtp")
        sent = SentStats(f"{name}-sent", codec=label, payload_type=payload_type)
        if out is not None:
            sent = SentStats(
                f"{name}-sent", out.ssrc, label, payload_type, packets=out.packetsSent, bytes=out.bytesSent
            )
        received = ReceivedStats(f"{name}-received", codec=label, payload_type=payload_type, bytes=None)
        if arrived is not None:
            received = ReceivedStats(
                f"{name}-received",
                arrived.ssrc,
                label,
                payload_type,
                packets=arrived.packetsReceived,
                bytes=None,
                lost=max(0, arrived.packetsLost),
                jitter=arrived.jitter / clock_rate,
            )
        return MediumStats(
            id=name,
            kind="video",
            timestamp=now,
            sent=sent,
            received=received,
            transport=self._transport(transceiver, "-video" if self._video.has_own_path else ""),
            mid=transceiver.mid,
            direction=internals.current_direction(transceiver),
            remote_sent=_remote_sent_video(name, remote_out),
            remote_received=_remote_received_video(name, remote_in, clock_rate),
        )


def _remote_sent_video(name: str, report: Any) -> RemoteSentStats | None:
    if report is None:
        return None
    return RemoteSentStats(
        f"{name}-remote-sent", report.packetsSent, report.bytesSent, report.remoteTimestamp.timestamp()
    )


def _remote_received_video(name: str, report: Any, clock_rate: int) -> RemoteReceivedStats | None:
    if report is None:
        return None
    return RemoteReceivedStats(
        f"{name}-remote-received",
        lost=max(0, report.packetsLost),
        fraction_lost=report.fractionLost,
        jitter=report.jitter / clock_rate,
        round_trip=RoundTripStats(last=report.roundTripTime),
    )


def _codec_quality(codec: CodecSpec, bitrate: float | None = None) -> Any:
    """By what was agreed: silence takes fewer bits, and tells nothing of how speech sounds."""
    limits = [bitrate, codec.max_bitrate, _number(codec.fmtp.get("maxaveragebitrate"))]
    rate = _number(codec.fmtp.get("maxplaybackrate"))
    return codec_quality(
        codec.name, min((limit for limit in limits if limit), default=None), int(rate or 48000)
    )


def _number(text: str | None) -> float | None:
    return float(text) if text is not None and text.isdecimal() else None


def _at_once(coroutine: Coroutine[Any, Any, Any]) -> dict[str, Any]:
    """The result of a coroutine that never waits, as those of aiortc's that only read."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return dict(done.value)
    coroutine.close()
    return {}
