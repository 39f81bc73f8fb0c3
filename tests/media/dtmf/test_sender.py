"""Named events as they are sent: RFC 4733 section 2.5.1."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipua.media.dtmf import EventSender
from sipua.media.dtmf.named import MAX_DURATION, Report
from sipua.media.interface import DTMF_TONES
from tests.media.dtmf.stream import Stream, report


@pytest.mark.parametrize("clock_rate", [8000, 48000])
def test_packets_of_one_tone(clock_rate: int) -> None:
    """Every slot, growing duration, timestamp of the beginning, marker on the first, the end three times."""
    sender, done = EventSender(clock_rate), []
    sender.queue("5", 50, 50, 7, done.append)
    packets = Stream(sender, clock_rate, 1000).slots(6)
    unit = clock_rate // 1000
    assert [report(p) for p in packets[:5]] == [
        Report(5, False, 7, 20 * unit),
        Report(5, False, 7, 40 * unit),
        *[Report(5, True, 7, 50 * unit)] * 3,
    ]
    assert {p.timestamp for p in packets[:5] if p} == {1000}
    assert [p.marker for p in packets[:5] if p] == [True, False, False, False, False]
    assert packets[5] is None
    assert done == [True]


def test_shorter_than_a_slot() -> None:
    sender = EventSender()
    sender.queue("#", 10, 0)
    packets = Stream(sender).slots(4)
    assert [report(p) for p in packets[:3]] == [Report(11, True, 10, 80)] * 3
    assert [p.marker for p in packets[:3] if p] == [True, False, False]
    assert packets[3] is None


def test_equal_tones_are_apart() -> None:
    sender = EventSender()
    sender.queue("11", 50, 50)
    packets = Stream(sender).slots(10)
    assert [p.timestamp for p in packets if p] == [0] * 5 + [800] * 5
    assert [p.marker for p in packets if p].count(True) == 2


def test_gap_is_kept_and_audio_goes_on_in_it() -> None:
    sender = EventSender()
    sender.queue("12", 100, 200)
    packets = Stream(sender).slots(22)
    assert [p is not None for p in packets] == [True] * 7 + [False] * 8 + [True] * 7
    assert packets[15] is not None
    assert packets[15].timestamp == 15 * 160


def test_gap_is_kept_before_what_is_queued_later() -> None:
    sender = EventSender()
    stream = Stream(sender)
    sender.queue("1", 40, 100)
    stream.slots(5)
    assert sender.active
    sender.queue("2", 40, 100)
    assert [p is not None for p in stream.slots(3)] == [False, False, True]


def test_pause() -> None:
    sender, done = EventSender(), []
    sender.queue("1,,2", 40, 0)
    sender.queue(",", done=done.append)
    packets = Stream(sender).slots(400)
    starts = [i for i, p in enumerate(packets) if p and p.marker]
    assert starts == [0, 204]
    assert done == [True]
    assert not sender.active


def test_rest_is_over_when_the_timestamps_begin_anew() -> None:
    sender = EventSender()
    stream = Stream(sender, timestamp=1_000_000_000)
    sender.queue("1", 40, 100)
    stream.slots(5)
    stream.timestamp = 5
    sender.queue("2", 40)
    assert stream.slot() is not None


def test_stalled_stream_ends_the_tone_where_it_was_to_end() -> None:
    sender = EventSender()
    sender.queue("1", 100, 50)
    stream = Stream(sender)
    stream.slots(2)
    stream.timestamp += 5 * 8000
    assert report(stream.slot()) == Report(1, True, 10, 800)


def test_codec_change_in_a_tone() -> None:
    sender, done = EventSender(), []
    sender.queue("1", 100, 50, done=done.append)
    sender.queue("2", 40)
    Stream(sender).slots(2)
    sender.clock_rate = 48000
    assert done == [True]
    packets = Stream(sender, 48000, 77).slots(4)
    assert report(packets[0]) == Report(2, False, 10, 960)
    assert report(packets[3]) == Report(2, True, 10, 1920)


def test_events_at_another_rate_than_the_audio() -> None:
    """A peer that knows telephone-event/8000 only: timestamps are those of the audio, durations at 8000."""
    sender = EventSender(48000, 8000)
    sender.queue("77", 50, 50)
    packets = Stream(sender, 48000).slots(6)
    assert [report(p).duration for p in packets] == [160, 320, 400, 400, 400, 160]
    assert [p.timestamp for p in packets if p] == [0] * 5 + [4800]


def test_clear() -> None:
    sender, done = EventSender(), []
    sender.queue("12", 100, 50, done=done.append)
    sender.queue("3", done=done.append)
    stream = Stream(sender)
    stream.slots(3)
    sender.clear()
    assert done == [False, False]
    assert stream.slots(10) == [None] * 10
    assert not sender.active


@pytest.mark.parametrize("arguments", [("",), ("x",), ("1", 0), ("1", 100, -1), ("1", 100, 50, 64), ("a",)])
def test_bad_arguments(arguments: tuple[str | int, ...]) -> None:
    with pytest.raises(ValueError, match="="):
        EventSender().queue(*arguments)  # type: ignore[arg-type]


@given(
    st.sampled_from([8000, 48000]),
    st.integers(1, 20_000),
    st.integers(0, 2**32 - 1),
    st.sampled_from(DTMF_TONES),
)
def test_any_duration(clock_rate: int, duration: int, start: int, tone: str) -> None:
    """Segments of 0xFFFF follow each other without a gap, and sum up to what was asked (section 2.5.1.3)."""
    sender = EventSender(clock_rate)
    sender.queue(tone, duration)
    stream = Stream(sender, clock_rate, start)
    packets = []
    while (packet := stream.slot()) is not None:
        packets.append(packet)
    assert [p.marker for p in packets] == [True] + [False] * (len(packets) - 1)
    total = duration * clock_rate // 1000
    by_segment: dict[int, list[Report]] = {}
    for packet in packets:
        by_segment.setdefault(packet.timestamp, []).append(report(packet))
    timestamps = list(by_segment)
    assert timestamps[0] == start
    assert all((b - a) % 2**32 == MAX_DURATION for a, b in pairwise(timestamps))
    segments = list(by_segment.values())
    for reports in segments:
        durations = [r.duration for r in reports]
        assert durations == sorted(durations)
        assert durations[-3:] == durations[-1:] * 3
    assert all(not r.end for reports in segments[:-1] for r in reports)
    assert all(reports[-1].duration == MAX_DURATION for reports in segments[:-1])
    assert [r.end for r in segments[-1]][-3:] == [True] * 3
    assert sum(reports[-1].duration for reports in segments) == total
