"""aiortc's ``getStats`` for audio, out of the engine's counters.

Whoever uses a call's `connection` gets the figures where aiortc has them, in its units.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from aiortc.stats import (
    RTCInboundRtpStreamStats,
    RTCOutboundRtpStreamStats,
    RTCRemoteInboundRtpStreamStats,
    RTCStatsReport,
)

if TYPE_CHECKING:
    from aiortc import RTCRtpTransceiver

    from sipua.media.engine.channel import AudioChannel

__all__ = ["report_stats"]


def report_stats(transceiver: RTCRtpTransceiver, channel: AudioChannel) -> None:
    """From now on sender and receiver of this transceiver report what the channel has counted."""

    async def sent() -> RTCStatsReport:
        return _sent(channel, str(id(transceiver.sender)))

    async def received() -> RTCStatsReport:
        return _received(channel, str(id(transceiver.receiver)))

    sender, receiver = cast("Any", transceiver.sender), cast("Any", transceiver.receiver)
    sender.getStats, receiver.getStats = sent, received


def _common(channel: AudioChannel, kind: str, name: str, ssrc: int) -> dict[str, Any]:
    return {
        "timestamp": datetime.now(UTC),
        "type": kind,
        "id": f"{kind}_{name}",
        "ssrc": ssrc,
        "kind": "audio",
        "transportId": f"transport_{id(channel)}",
    }


def _sent(channel: AudioChannel, name: str) -> RTCStatsReport:
    report, counted, ssrc = RTCStatsReport(), channel.counters.sent, channel.sender.ssrc
    report.add(
        RTCOutboundRtpStreamStats(
            **_common(channel, "outbound-rtp", name, ssrc),
            packetsSent=counted.packets,
            bytesSent=counted.bytes,
            trackId=name,
        )
    )
    if counted.round_trip.last is not None:
        report.add(
            RTCRemoteInboundRtpStreamStats(
                **_common(channel, "remote-inbound-rtp", name, ssrc),
                packetsReceived=max(0, counted.packets - counted.lost),
                packetsLost=counted.lost,
                jitter=round(counted.jitter * channel.sender.clock_rate),
                roundTripTime=counted.round_trip.last,
                fractionLost=counted.fraction_lost,
            )
        )
    return report


def _received(channel: AudioChannel, name: str) -> RTCStatsReport:
    report, source = RTCStatsReport(), channel.sources.current
    if source is not None:
        report.add(
            RTCInboundRtpStreamStats(
                **_common(channel, "inbound-rtp", name, source.ssrc),
                packetsReceived=source.received,
                packetsLost=source.lost,
                jitter=round(source.jitter * source.clock_rate),
            )
        )
    return report
