"""RTCP: reports that another implementation reads, and what is made of the peer's."""

from __future__ import annotations

import random
import statistics
import struct

import pytest
from aiortc.rtp import (
    AnyRtcpPacket,
    RtcpByePacket,
    RtcpPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpSdesPacket,
    RtcpSenderInfo,
    RtcpSrPacket,
)
from hypothesis import given
from hypothesis import strategies as st

from sipua.media.engine.counters import AudioCounters
from sipua.media.engine.rtcp import RtcpSession, interval
from sipua.media.engine.sources import Sources

NTP = 2208988800


class End:
    """One side of a call."""

    def __init__(self, ssrc: int, wall: float = 1.7e9) -> None:
        self.counters = AudioCounters()
        self.sources = Sources()
        self.now = 0.0
        self.session = RtcpSession(
            ssrc, f"name{ssrc}", self.counters, self.sources, wall=lambda: wall + self.now, rng=lambda: 0.5
        )
        self.session.clock_rate = 8000

    def report(self, timestamp: int = 0) -> list[AnyRtcpPacket]:
        return RtcpPacket.parse(self.session.report(self.now, timestamp))


def test_a_sender_report_maps_rtp_time_to_the_time_of_day() -> None:
    end = End(7)
    end.counters.sent.packets, end.counters.sent.bytes = 50, 8000
    end.now = 12.25
    report, names = end.report(0xFFFFFFF0)
    assert isinstance(report, RtcpSrPacket)
    assert report.ssrc == 7
    info = report.sender_info
    assert info.ntp_timestamp / 2**32 - NTP == pytest.approx(1.7e9 + 12.25, abs=1e-4)
    assert (info.rtp_timestamp, info.packet_count, info.octet_count) == (0xFFFFFFF0, 50, 8000)
    assert report.reports == []
    assert isinstance(names, RtcpSdesPacket)
    assert [(c.ssrc, c.items) for c in names.chunks] == [(7, [(1, b"name7")])]


def test_who_sends_nothing_sends_receiver_reports() -> None:
    end = End(7)
    assert isinstance(end.report()[0], RtcpRrPacket)
    end.counters.sent.packets = 1
    # Sender for the two intervals after (RFC 3550 section 6.4).
    assert [type(end.report()[0]) for _ in range(3)] == [RtcpSrPacket, RtcpSrPacket, RtcpRrPacket]
    assert end.counters.sent.reports == 4


def test_report_blocks() -> None:
    end = End(7)
    for n in (10, 11, 13, 14):
        end.sources.packet(9, n, 0.02 * n).time(160 * n, 8000, 0.02 * n + (n == 14) * 0.016)
    end.now = 0.3
    peer = RtcpSrPacket(9, RtcpSenderInfo(0x0123456789ABCDEF, 0, 1, 1))
    assert end.session.receive(bytes(peer), 0.3)
    end.now = 1.3
    block = end.report()[0].reports[0]  # type: ignore[union-attr]
    assert block == RtcpReceiverInfo(
        ssrc=9,
        fraction_lost=51,
        packets_lost=1,
        highest_sequence=14,
        jitter=8,
        lsr=0x456789AB,
        dlsr=0x10000,
    )
    assert end.report()[0].reports == []  # type: ignore[union-attr]


def test_the_round_trip_is_measured() -> None:
    a, b = End(1), End(2, wall=99.0)
    a.counters.sent.packets = b.counters.sent.packets = 1
    b.sources.packet(1, 0, 0.0)
    for way in (0.030, 0.050):
        report = a.session.report(a.now, 0)
        b.now = a.now + way
        b.session.receive(report, b.now)
        b.sources.packet(1, 1, b.now)
        b.now += 0.5
        answer = b.session.report(b.now, 0)
        a.now = b.now + way
        a.session.receive(answer, a.now)
    trip = a.counters.sent.round_trip
    assert trip.last == pytest.approx(0.1, abs=1e-3)
    assert trip.max == pytest.approx(0.1, abs=1e-3)
    assert trip.mean == pytest.approx(0.08, abs=1e-3)
    assert trip.measured == 2
    assert b.counters.received.reports == 2


def test_what_the_peer_says_of_our_packets() -> None:
    end = End(7)
    block = RtcpReceiverInfo(7, 64, 12, 500, 80, 0, 0)
    other = RtcpReceiverInfo(8, 255, 999, 500, 80, 0, 0)
    end.session.receive(bytes(RtcpRrPacket(3, [other, block])), 1.0)
    sent = end.counters.sent
    assert (sent.lost, sent.fraction_lost, sent.jitter) == (12, 0.25, 0.01)
    assert sent.round_trip.last is None
    # Doubled packets are no loss, and a report of a report we never sent is no round trip.
    end.session.receive(bytes(RtcpRrPacket(3, [RtcpReceiverInfo(7, 0, -3, 500, 0, 4711, 1)])), 1.0)
    assert (sent.lost, sent.round_trip.measured) == (0, 0)


def test_round_trips_that_cannot_be() -> None:
    end = End(7)
    end.counters.sent.packets = 1
    middle = (end.report()[0].sender_info.ntp_timestamp >> 16) & 0xFFFFFFFF  # type: ignore[union-attr]
    for lsr, dlsr, now in ((middle, 0xFFFFFFFF, 1.0), (middle, 0, 3600.0)):
        end.session.receive(bytes(RtcpRrPacket(3, [RtcpReceiverInfo(7, 0, 0, 0, 0, lsr, dlsr)])), now)
    assert end.counters.sent.round_trip.measured == 0
    end.session.receive(bytes(RtcpRrPacket(3, [RtcpReceiverInfo(7, 0, 0, 0, 0, middle, 65536)])), 0.999)
    assert end.counters.sent.round_trip.last == 0.0


def test_good_bye() -> None:
    a, b = End(1), End(2)
    b.sources.packet(1, 0, 0.0)
    data = a.session.bye(1.0, 0)
    assert [type(p) for p in RtcpPacket.parse(data)] == [RtcpRrPacket, RtcpSdesPacket, RtcpByePacket]
    assert b.session.receive(data, 1.0)
    assert b.sources.current is not None
    assert b.sources.current.left


@given(st.binary(max_size=120))
def test_whatever_comes_is_read_or_not(data: bytes) -> None:
    end = End(7)
    end.session.receive(data, 0.0)
    end.session.receive(bytes([0x80 | len(data) % 32, 200 + len(data) % 7]) + data, 0.0)
    size = struct.pack("!H", len(data) // 4)
    end.session.receive(bytes([0x80 | len(data) % 32, 200 + len(data) % 7]) + size + data, 0.0)


def test_malformed_packets_are_refused_whole() -> None:
    end = End(7)
    good = bytes(RtcpRrPacket(3, [RtcpReceiverInfo(7, 64, 12, 500, 80, 0, 0)]))
    assert not end.session.receive(good + b"\x80", 0.0)
    assert end.counters.sent.lost == 0


def test_reports_come_at_random_intervals() -> None:
    rng = random.Random(5)
    many = [interval(2, 128.0, rng=rng.random) for _ in range(3000)]
    assert 0.5 / 1.22 <= min(many) < 0.45
    assert 1.5 / 1.218 >= max(many) > 1.2
    assert statistics.mean(many) == pytest.approx(1 / 1.21828, rel=0.02)
    assert interval(2, 128.0, initial=True, rng=lambda: 0.5) == pytest.approx(0.64 / 1.21828)
    # With many members everybody speaks less.
    assert interval(100, 128.0, rng=lambda: 0.5) > 20


def test_when_reports_are_due() -> None:
    end = End(7)
    assert not end.session.due(10.0)
    assert not end.session.due(10.4)
    assert end.session.due(10.6)
    end.session.report(10.6, 0)
    assert not end.session.due(11.4)
    assert end.session.due(11.5)
