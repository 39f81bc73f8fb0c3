"""The order in which packets belong."""

from __future__ import annotations

import pytest

from sipua.media.engine.delay import DelayEstimator
from sipua.media.engine.jitter import PacketBuffer


def buffer(max_span: float = 0.6) -> PacketBuffer:
    return PacketBuffer({0: 8000, 111: 48000}.get, DelayEstimator(0.01, 0.4), max_span)


def put(packets: PacketBuffer, *numbers: int, start: float = 0.0, ssrc: int = 1) -> None:
    for n in numbers:
        packets.put(0, n & 0xFFFF, n * 160 & 0xFFFFFFFF, b"%d" % n, start + n * 0.02, ssrc)


def payloads(packets: PacketBuffer) -> list[bytes]:
    return [packet[2] for _, packet in sorted(packets.packets.items()) if packet is not None]


def test_packets_are_kept_by_unwrapped_number() -> None:
    packets = buffer()
    put(packets, 65534, 65535, 65536, 65538, 65537)
    assert payloads(packets) == [b"65534", b"65535", b"65536", b"65537", b"65538"]
    numbers = sorted(packets.packets)
    assert numbers == list(range(numbers[0], numbers[0] + 5))


def test_duplicates_late_and_missing_packets() -> None:
    packets = buffer()
    put(packets, 0, 1, 1, 3, 5)
    first = packets.next
    assert packets.duplicates == 1
    assert packets.missing_before(first + 5) == 2
    packets.skip(2)
    assert packets.missing_before(first + 5) == 1
    packets.drop_before(first + 5)
    put(packets, 4)
    assert packets.late == 1
    assert payloads(packets) == [b"5"]


def test_a_number_without_audio_is_kept_and_harms_no_packet() -> None:
    packets = buffer()
    packets.skip(7)
    assert not packets.packets
    put(packets, 0, 1)
    packets.skip(3)
    packets.skip(1)
    put(packets, 2, 4)
    assert payloads(packets) == [b"0", b"1", b"2", b"4"]
    assert packets.following() is not None
    assert packets.missing_before(packets.next + 5) == 0


def test_a_new_source_counts_from_its_second_packet_on_but_with_the_first() -> None:
    packets = buffer()
    put(packets, 0, 1)
    put(packets, 2, ssrc=2)
    assert payloads(packets) == [b"0", b"1"]
    epoch = packets.epoch
    put(packets, 3, ssrc=2)
    assert packets.epoch == epoch + 1
    assert payloads(packets) == [b"2", b"3"]
    assert (packets.received, packets.discarded) == (4, 2)


@pytest.mark.parametrize("number", [5000, -5000, 32768])
def test_a_number_far_away_counts_when_another_follows(number: int) -> None:
    packets = buffer()
    put(packets, 0, 1)
    packets.put(0, number & 0xFFFF, 400, b"a", 0.05, 1)
    assert payloads(packets) == [b"0", b"1"]
    packets.put(0, number + 1 & 0xFFFF, 560, b"b", 0.07, 1)
    assert payloads(packets) == [b"a", b"b"]


def test_timestamps_that_jump_begin_anew() -> None:
    packets = buffer()
    put(packets, 0, 1)
    epoch = packets.epoch
    packets.put(0, 2, 10**6, b"far", 0.04, 1)
    assert payloads(packets) == [b"far"]
    packets.put(0, 3, 10**6 - 160, b"back", 0.06, 1)
    assert payloads(packets) == [b"back"]
    assert packets.epoch == epoch + 2


def test_another_clock_rate_begins_anew() -> None:
    packets = buffer()
    put(packets, 0, 1)
    packets.put(111, 2, 960, b"opus", 0.04, 1)
    assert payloads(packets) == [b"opus"]
    assert packets.clock_rate == 48000


@pytest.mark.parametrize(("payload_type", "stamp"), [(111, 960), (0, 10**6), (0, 160 * 70)])
def test_a_stray_that_is_far_ahead_is_believed_for_a_tenth_of_a_second(payload_type: int, stamp: int) -> None:
    packets = buffer()
    put(packets, *range(10))
    packets.put(payload_type, 70, stamp, b"stray", 0.19, 1)
    packets.next = 0x10000 + 71
    put(packets, *range(10, 30))
    assert payloads(packets)[-1] == b"29"
    # Those of the first 0.1 s are lost, or each of them is a time line of its own.
    assert len(packets.packets) >= 14


def test_late_packets_do_not_bring_back_what_is_over() -> None:
    packets = buffer()
    put(packets, *range(10))
    packets.drop_before(0x10000 + 20)
    put(packets, *range(20, 30))
    epoch = packets.epoch
    for number in range(10, 20):
        packets.put(0, number, 160 * number, b"late", 0.6, 1)
        put(packets, 20 + number)
    assert packets.epoch == epoch
    assert b"late" not in payloads(packets)
    assert packets.late == 10


def test_an_unknown_payload_type_takes_its_number_only() -> None:
    packets = buffer()
    put(packets, 0)
    packets.put(77, 1, 160, b"?", 0.02, 1)
    put(packets, 2)
    assert packets.discarded == 1
    assert packets.missing_before(packets.next + 3) == 0


def test_no_more_is_kept_than_the_span() -> None:
    packets = buffer(0.2)
    put(packets, *range(50), start=0.0)
    assert payloads(packets)[0] == b"39"
    assert packets.discarded == 39
    put(packets, 20)
    assert packets.late == 1
