"""RTCP of one audio stream (:rfc:`3550#section-6`): reports in both directions, and the good-bye.

Packets are made and read by aiortc's classes. Sans-I/O: time is an argument, bytes come and go.
"""

from __future__ import annotations

import random
import time
from collections import deque
from typing import TYPE_CHECKING

from aiortc.rtp import (
    RtcpByePacket,
    RtcpPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpSdesPacket,
    RtcpSenderInfo,
    RtcpSourceInfo,
    RtcpSrPacket,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from sipua.media.engine.counters import AudioCounters
    from sipua.media.engine.sources import Source, Sources

__all__ = ["MINIMUM_INTERVAL", "RtcpSession", "interval"]

#: Seconds. With feedback profiles (RFC 4585 section 3.4) the 5 s of RFC 3550 do not bind.
MINIMUM_INTERVAL = 1.0
# Bytes a second for RTCP: 5 % of a 64 kbit/s session (RFC 3550 section 6.2).
_BANDWIDTH = 400.0
# Of a compound packet with one report block, UDP and IP included, before any has been seen.
_USUAL_SIZE = 128.0
# RFC 3550 section 6.3.1: what reconsideration takes away is given back.
_COMPENSATION = 2.71828 - 1.5
_NTP_EPOCH = 2208988800
_CNAME = 1
_MOST_BLOCKS = 31
# Round trips longer than this, in seconds, are a mistake of somebody.
_LONGEST_ROUND_TRIP = 30.0


def interval(
    members: int, size: float, *, initial: bool = False, rng: Callable[[], float] = random.random
) -> float:
    """Seconds to the next report (:rfc:`3550#section-6.3.1`), at random.

    `members` is the number of participants, `size` the mean size of their RTCP packets in bytes.
    """
    least = MINIMUM_INTERVAL / 2 if initial else MINIMUM_INTERVAL
    return max(least, members * size / _BANDWIDTH) * (0.5 + rng()) / _COMPENSATION


class RtcpSession:
    """What is told to the peer, and what it tells.

    `wall` gives the time of day in seconds since 1970, for NTP time stamps.
    """

    def __init__(
        self,
        ssrc: int,
        cname: str,
        counters: AudioCounters,
        sources: Sources,
        *,
        wall: Callable[[], float] = time.time,
        rng: Callable[[], float] = random.random,
    ) -> None:
        self.ssrc = ssrc
        self.cname = cname
        self.clock_rate = 0
        """Of the stream that we send, in Hz; 0 before it is known."""
        self._counters = counters
        self._sources = sources
        self._wall = wall
        self._rng = rng
        self._size = _USUAL_SIZE
        self._told = 0.0
        self._next: float | None = None
        # Packets sent by the time of the last two reports: whether we count as a sender.
        self._sent_before: deque[int] = deque((0, 0), maxlen=2)
        # Our reports by the middle of their NTP time, and when they were sent.
        self._ours: deque[tuple[int, float]] = deque(maxlen=8)

    def due(self, now: float) -> bool:
        """Whether it is time for a report."""
        if self._next is None:
            self._next = now + interval(2, self._size, initial=True, rng=self._rng)
        return now >= self._next

    def report(self, now: float, timestamp: int) -> bytes:
        """A compound packet; `timestamp` is the RTP time of `now` in the stream that we send."""
        self._next = now + interval(2, self._size, rng=self._rng)
        data = self._reports(now, timestamp) + bytes(RtcpSdesPacket([self._name()]))
        self._counters.sent.reports += 1
        self._seen(data)
        return data

    def bye(self, now: float, timestamp: int) -> bytes:
        """The last compound packet (:rfc:`3550#section-6.6`)."""
        return (
            self._reports(now, timestamp)
            + bytes(RtcpSdesPacket([self._name()]))
            + bytes(RtcpByePacket([self.ssrc]))
        )

    def receive(self, data: bytes, now: float) -> bool:
        """Take in a compound packet of the peer. False: it is malformed, and nothing was taken from it."""
        try:
            packets = RtcpPacket.parse(data)
        except Exception:  # noqa: BLE001 - whatever a parser may raise for a peer's bytes
            return False
        self._seen(data)
        for packet in packets:
            if isinstance(packet, RtcpSrPacket | RtcpRrPacket):
                self._counters.received.reports += 1
                for block in packet.reports:
                    if block.ssrc == self.ssrc:
                        self._take(block, now)
                source = self._sources.find(packet.ssrc)
                if source is not None and isinstance(packet, RtcpSrPacket):
                    source.report = (packet.sender_info.ntp_timestamp >> 16) & 0xFFFFFFFF, now
                    if source is self._sources.current:
                        self._note(packet.sender_info)
            elif isinstance(packet, RtcpByePacket):
                for ssrc in packet.sources:
                    source = self._sources.find(ssrc)
                    if source is not None:
                        source.left = True
        return True

    def _note(self, info: RtcpSenderInfo) -> None:
        received = self._counters.received
        received.sender_packets, received.sender_bytes = info.packet_count, info.octet_count
        received.sender_time = info.ntp_timestamp / (1 << 32) - _NTP_EPOCH

    def _take(self, block: RtcpReceiverInfo, now: float) -> None:
        sent = self._counters.sent
        sent.reported = True
        sent.lost = max(0, block.packets_lost)
        sent.fraction_lost = block.fraction_lost / 256
        if self.clock_rate:
            sent.jitter = block.jitter / self.clock_rate
        when = next((moment for middle, moment in self._ours if middle == block.lsr), None)
        if block.lsr and when is not None:
            trip = now - when - block.dlsr / 65536
            # The two clocks do not tick alike: a little less than nothing is nothing.
            if -0.1 < trip < _LONGEST_ROUND_TRIP:
                sent.round_trip.add(max(0.0, trip))

    def _reports(self, now: float, timestamp: int) -> bytes:
        blocks = [self._block(source, now) for source in self._sources.since(self._told)[:_MOST_BLOCKS]]
        self._told = now
        sent = self._counters.sent
        sending = sent.packets > self._sent_before[0]
        self._sent_before.append(sent.packets)
        if not sending:
            return bytes(RtcpRrPacket(self.ssrc, blocks))
        ntp = int((self._wall() + _NTP_EPOCH) * (1 << 32)) & 0xFFFFFFFFFFFFFFFF
        self._ours.append(((ntp >> 16) & 0xFFFFFFFF, now))
        info = RtcpSenderInfo(ntp, timestamp, sent.packets & 0xFFFFFFFF, sent.bytes & 0xFFFFFFFF)
        return bytes(RtcpSrPacket(self.ssrc, info, blocks))

    def _block(self, source: Source, now: float) -> RtcpReceiverInfo:
        middle, delay = 0, 0
        if source.report is not None:
            middle, came = source.report
            delay = min(0xFFFFFFFF, max(0, int((now - came) * 65536)))
        return RtcpReceiverInfo(
            ssrc=source.ssrc,
            fraction_lost=source.fraction_lost(),
            packets_lost=source.lost,
            highest_sequence=source.highest,
            jitter=min(0xFFFFFFFF, int(source.jitter * source.clock_rate)),
            lsr=middle,
            dlsr=delay,
        )

    def _name(self) -> RtcpSourceInfo:
        return RtcpSourceInfo(self.ssrc, [(_CNAME, self.cname.encode()[:255])])

    def _seen(self, data: bytes) -> None:
        # RFC 3550 section 6.3.3: a sixteenth of the new, UDP and IP included.
        self._size += (len(data) + 28 - self._size) / 16
