"""Incoming streams: loss and jitter by RFC 3550, and which of several is heard."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipua.media.engine.sources import Source, Sources


def fed(numbers: list[int]) -> Source:
    source = Source(1, numbers[0], 0.0)
    for number in numbers:
        source.count(number & 0xFFFF, 0.0)
    return source


@given(st.integers(0, 0xFFFF), st.integers(1, 3000), st.data())
def test_loss_over_the_wrap(first: int, count: int, data: st.DataObject) -> None:
    numbers = [first + i for i in range(count)]
    lost = data.draw(st.sets(st.sampled_from(numbers), max_size=min(50, count))) - {first, numbers[-1]}
    source = fed([n for n in numbers if n not in lost])
    assert source.lost == len(lost)
    assert source.expected == count
    assert source.highest & 0xFFFF == numbers[-1] & 0xFFFF


def test_disorder_is_no_loss() -> None:
    rng = random.Random(1)
    numbers = [65000 + i for i in range(2000)]
    for i in range(0, 1990, 5):
        part = numbers[i + 1 : i + 5]
        rng.shuffle(part)
        numbers[i + 1 : i + 5] = part
    source = fed(numbers)
    assert source.lost == 0
    assert source.highest == 0x10000 + ((65000 + 1999) & 0xFFFF)


def test_doubled_packets_count_as_less_than_no_loss() -> None:
    assert fed([1, 2, 2, 3]).lost == -1


def test_the_fraction_is_that_since_it_was_asked() -> None:
    source = fed([0, 1, 2, 3])
    assert source.fraction_lost() == 0
    for number in (4, 6, 7):
        source.count(number, 0.0)
    assert source.fraction_lost() == 64
    assert source.fraction_lost() == 0


def test_a_single_stray_number_changes_nothing_and_two_in_a_row_begin_anew() -> None:
    source = fed([100, 101, 40000, 102])
    assert (source.lost, source.highest) == (0, 102)
    source.count(40000, 0.0)
    source.count(40001, 0.0)
    assert source.highest == 40001
    assert source.lost == 0
    source.count(40004, 0.0)
    assert (source.received, source.lost) == (3, 2)


def test_jitter_is_that_of_rfc_3550() -> None:
    steady, uneven = Source(1, 0, 0.0), Source(2, 0, 0.0)
    rng = random.Random(7)
    for n in range(2000):
        steady.time(160 * n, 8000, 5.0 + 0.02 * n)
        uneven.time(160 * n, 8000, 5.0 + 0.02 * n + rng.uniform(0, 0.03))
    assert steady.jitter < 1e-9
    # The mean difference of two uniform numbers is a third of their range.
    assert uneven.jitter == pytest.approx(0.01, rel=0.4)


def test_jitter_does_not_see_wraps_changes_of_codec_and_repeated_stamps() -> None:
    source = Source(1, 0, 0.0)
    for n in range(100):
        source.time((0xFFFFFFFF - 4000 + 160 * n) & 0xFFFFFFFF, 8000, 0.02 * n)
    source.time(5, 48000, 2.0)
    source.time(965, 48000, 2.02)
    source.time(965, 48000, 2.5)
    assert source.jitter < 1e-6
    assert source.clock_rate == 48000


def test_when_a_packet_came_that_was_read_late() -> None:
    source = Source(1, 0, 0.0)
    for n in range(10):
        source.time(160 * n, 8000, 7.003 + 0.02 * n)
    # Expected at 7.203; it came between the two times given.
    assert source.arrival(1600, 8000, 7.19, 7.26) == pytest.approx(7.203)
    assert source.arrival(1600, 8000, 7.21, 7.26) == 7.21
    assert source.arrival(1600, 8000, 7.10, 7.20) == 7.20
    assert source.arrival(1600, 16000, 7.10, 7.20) == 7.20  # another codec: nothing is known


def test_stray_packets_of_others_change_nothing() -> None:
    sources, now, heard = Sources(), 0.0, 0
    rng = random.Random(3)
    for n in range(500):
        now += 0.02
        heard += sources.packet(1, n, now) is sources.current
        for _ in range(5):
            sources.packet(rng.getrandbits(32), rng.getrandbits(16), now + 0.001)
    assert heard == 500
    assert sources.current is not None
    assert sources.current.ssrc == 1


def test_a_flood_of_one_source_without_order_is_not_heard() -> None:
    sources, rng = Sources(), random.Random(2)
    for n in range(200):
        sources.packet(1, n, n * 0.02)
        for number in rng.sample(range(0, 65536, 2), 5):
            sources.packet(2, number, n * 0.02)
        assert sources.current is not None
        assert sources.current.ssrc == 1


def test_a_stream_wins_back_its_place_from_one_without_order() -> None:
    """However that one got there, and whatever else comes."""
    sources, rng = Sources(), random.Random(3)
    sources.packet(1, 0, 0.0)
    sources.packet(2, 500, 0.001)
    sources.packet(2, 501, 0.002)
    for n in range(1, 7):
        assert sources.current is not None
        assert sources.current.ssrc == (2 if n < 6 else 1)
        sources.packet(1, n, n * 0.02)
        sources.packet(rng.getrandbits(32), rng.getrandbits(16), n * 0.02)
        sources.packet(2, rng.randrange(0, 65536, 2), n * 0.02)


def test_of_two_streams_the_first_stays_also_when_its_packets_overtake_each_other() -> None:
    sources = Sources()
    for n in range(500):
        sources.packet(1, n + {2: 1, 3: -1}.get(n % 5, 0), n * 0.02)
        sources.packet(2, n, n * 0.02)
        assert sources.current is not None
        assert sources.current.ssrc == 1


def test_a_new_stream_is_heard_from_its_second_packet() -> None:
    sources = Sources()
    for n in range(10):
        sources.packet(1, n, 0.02 * n)
    assert sources.packet(2, 500, 0.2) is not sources.current
    assert sources.packet(2, 501, 0.21) is sources.current
    # The old one does not come back by a single late packet.
    assert sources.packet(1, 10, 0.22) is not sources.current
    assert sources.packet(2, 502, 0.23) is sources.current


@pytest.mark.parametrize("bye", [False, True])
def test_after_silence_or_a_bye_at_once(bye: bool) -> None:
    sources = Sources()
    first = sources.packet(1, 0, 0.0)
    first.left = bye
    assert sources.packet(2, 0, 0.02 if bye else 0.3) is sources.current


def test_floods_are_forgotten_and_what_they_lost_is_not() -> None:
    gone: list[int] = []
    sources = Sources(gone.append)
    sources.packet(1, 0, 0.0)
    sources.packet(1, 5, 0.01)
    assert sources.lost == 4
    for n in range(10000):
        sources.packet(100 + n, 0, 0.02 + n / 1e6)
        sources.packet(100 + n, 2, 0.02 + n / 1e6)
    assert len(sources.since(0.0)) <= 16
    assert sources.lost == 4 + 10000
    assert len(gone) >= 10001 - 16
    assert len(set(gone)) == len(gone)
    newest = sources.since(0.0)[-1]
    assert sources.find(newest.ssrc) is newest
    assert sources.find(100) is None
