"""Named events as they are understood: RFC 4733 section 2.5.2."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipua.media.dtmf import DtmfEvent, EventReceiver, EventSender
from sipua.media.dtmf.named import Report, pack
from sipua.media.dtmf.receiver import TIMEOUT
from sipua.media.interface import DTMF_TONES
from tests.media.dtmf.stream import Stream

Packets = list[tuple[bytes, int, bool]]


def packets(tones: str, duration: int = 50, gap: int = 50, clock_rate: int = 8000, start: int = 0) -> Packets:
    sender = EventSender(clock_rate)
    sender.queue(tones, duration, gap)
    stream, found = Stream(sender, clock_rate, start), []
    while sender.active:
        packet = stream.slot()
        if packet is not None:
            found.append((packet.payload, packet.timestamp, packet.marker))
    return found


def receive(sent: Packets, clock_rate: int = 8000) -> list[DtmfEvent]:
    """What is told of these packets, one each 20 ms, and of the silence afterwards."""
    receiver, events, now = EventReceiver(clock_rate), [], 0.0
    for sequence, (payload, timestamp, marker) in enumerate(sent):
        events += receiver.packet(payload, timestamp, marker, sequence, now)
        now += 0.02
        events += receiver.tick(now)
    return events + receiver.tick(now + TIMEOUT)


def tones(events: list[DtmfEvent]) -> str:
    return "".join(event.tone for event in events)


@pytest.mark.parametrize("clock_rate", [8000, 48000])
def test_all_tones(clock_rate: int) -> None:
    events = receive(packets(DTMF_TONES, 60, 40, clock_rate), clock_rate)
    assert events == [DtmfEvent(tone, 0.06, 10) for tone in DTMF_TONES]


def test_told_at_the_first_end_packet() -> None:
    receiver = EventReceiver()
    sent = packets("7")
    told = [receiver.packet(*packet, n, n * 0.02) for n, packet in enumerate(sent)]
    assert [len(events) for events in told] == [0, 0, 1, 0, 0]


@pytest.mark.parametrize("kept", range(5))
def test_any_one_packet_is_enough(kept: int) -> None:
    (event,) = receive([packets("9")[kept]])
    assert event.tone == "9"
    assert event.duration == [0.02, 0.04, 0.05, 0.05, 0.05][kept]


def test_end_lost_and_equal_tone_next() -> None:
    first, second = packets("3")[:2], packets("3", start=800)
    assert [e.duration for e in receive(first + second)] == [0.04, 0.05]


def test_end_lost_for_good() -> None:
    receiver = EventReceiver()
    for n, packet in enumerate(packets("3")[:2]):
        assert receiver.packet(*packet, n, n * 0.02) == []
    assert receiver.tick(0.02 + TIMEOUT - 0.001) == []
    assert receiver.tick(0.02 + TIMEOUT) == [DtmfEvent("3", 0.04, 10)]
    assert receiver.packet(*packets("3")[4], 4, 0.3) == []  # its end, late
    assert receiver.tick(9.0) == []


def test_duplicates() -> None:
    assert tones(receive([p for p in packets("112") for _ in range(3)])) == "112"


def test_neighbours_overtake_each_other() -> None:
    sent = packets("1123")
    for i in range(0, len(sent) - 1, 2):
        sent[i], sent[i + 1] = sent[i + 1], sent[i]
    assert tones(receive(sent)) == "1123"


def test_tone_that_was_overtaken_as_a_whole_is_told_first() -> None:
    sent = packets("12")
    assert tones(receive([sent[5], sent[4], *sent[6:]])) == "12"


@pytest.mark.parametrize("clock_rate", [8000, 48000])
@pytest.mark.parametrize("lost", [0.0, 0.1])
def test_long_tone_is_one(clock_rate: int, lost: float) -> None:
    """Segments are joined, also when their last or first packets are lost."""
    random.seed(5)
    sent = packets("44", 20_000, 100, clock_rate)
    kept = [packet for packet in sent if random.random() >= lost]
    events = receive(kept, clock_rate)
    assert [(e.tone, e.duration) for e in events] == [("4", pytest.approx(20.0, abs=0.1))] * 2


def test_segment_after_the_time_out_is_no_new_tone() -> None:
    receiver = EventReceiver(48000)
    sent = packets("4", 2000, 100, 48000)
    events = [e for n, p in enumerate(sent[:50]) for e in receiver.packet(*p, n, n * 0.02)]
    events += receiver.tick(2.0)
    events += [e for n, p in enumerate(sent[80:]) for e in receiver.packet(*p, n, 2 + n * 0.02)]
    assert tones(events + receiver.tick(9.0)) == "4"


def test_equal_tones_of_which_the_middle_is_lost() -> None:
    """No end of the first, no marker of the second: still two, if not as far apart as segments are."""
    for gap in (600, 900, 1200):
        sent = packets("121", 50, gap, 48000)
        assert tones(receive(sent[:2] + sent[5:7] + sent[11:], 48000)) == "121"


def test_segments_that_end_with_a_slot() -> None:
    """Some senders split at the last multiple of a packet below 0xFFFF."""
    longest = 0xFFFF // 160 * 160
    sent = [(pack(Report(4, False, 10, d)), 0, d == 160) for d in range(160, longest + 1, 160)]
    sent += [(pack(Report(4, d == 800, 10, d)), longest, False) for d in range(160, 801, 160)]
    assert receive(sent) == [DtmfEvent("4", (longest + 800) / 8000, 10)]


def test_several_events_in_a_packet() -> None:
    payload = pack(Report(1, True, 10, 800)) + pack(Report(2, False, 10, 160))
    end = pack(Report(2, True, 10, 400))
    sent = [(payload, 5, False), (end, 805, False)]
    assert receive(sent) == [DtmfEvent("1", 0.1, 10), DtmfEvent("2", 0.05, 10)]


def test_timestamps_wrap() -> None:
    assert tones(receive(packets("1221", start=2**32 - 900))) == "1221"
    assert tones(receive(packets("5", 20_000, start=2**32 - 900))) == "5"


def test_timestamps_begin_anew() -> None:
    sent = packets("1", start=3_000_000_000)[:2] + packets("2", start=10)
    assert [(e.tone, e.duration) for e in receive(sent)] == [("1", 0.04), ("2", 0.05)]


def test_rate_of_the_payload_type() -> None:
    receiver = EventReceiver(8000)
    assert receiver.packet(pack(Report(1, True, 3, 4800)), 0, True, 0, 0.0, 48000) == [DtmfEvent("1", 0.1, 3)]


def test_reset_forgets() -> None:
    receiver = EventReceiver()
    receiver.packet(*packets("1")[0], 0, 0.0)
    receiver.reset()
    assert receiver.tick(9.0) == []
    assert receiver.packet(*packets("1")[4], 0, 9.0) != []


def test_what_is_no_tone_is_counted() -> None:
    receiver = EventReceiver()
    for payload in (b"", b"\x01\x8a\x01", bytes(1500), bytes(5)):
        assert receiver.packet(payload, 0, True, 0, 0.0) == []
    for report in (Report(16, True, 10, 800), Report(255, True, 10, 800), Report(1, True, 10, 0)):
        assert receiver.packet(pack(report), 0, True, 0, 0.0) == []
    assert (receiver.malformed, receiver.ignored) == (4, 3)
    assert receiver.tick(9.0) == []


@given(
    st.lists(
        st.tuples(
            st.one_of(
                st.binary(max_size=20),
                st.builds(
                    lambda *a: pack(Report(*a)),
                    st.integers(0, 17),
                    st.booleans(),
                    st.integers(0, 63),
                    st.integers(0, 0xFFFF),
                ),
            ),
            st.integers(0, 2**32 - 1) | st.integers(0, 3),
            st.booleans(),
        ),
        max_size=60,
    )
)
def test_anything_is_survived(sent: Packets) -> None:
    receiver = EventReceiver()
    for n, (payload, timestamp, marker) in enumerate(sent):
        for event in receiver.packet(payload, timestamp, marker, n & 0xFFFF, n * 0.02) + receiver.tick(
            n * 0.02
        ):
            assert event.tone in DTMF_TONES
            assert event.duration > 0
    assert len(receiver._over) <= 16


@given(
    st.text(DTMF_TONES, min_size=1, max_size=12),
    st.sampled_from([40, 50, 70, 100, 200]),
    st.sampled_from([50, 60, 100]),
    st.sampled_from([8000, 48000]),
    st.integers(0, 2**32 - 1),
    st.randoms(use_true_random=False),
)
def test_losses_duplicates_and_reordering(
    sent: str, duration: int, gap: int, clock_rate: int, start: int, chance: random.Random
) -> None:
    """As long as one packet of each tone arrives, each is told once and in order."""
    by_tone: dict[int, Packets] = {}
    for packet in packets(sent, duration, gap, clock_rate, start):
        by_tone.setdefault(packet[1], []).append(packet)
    arriving: Packets = []
    for group in by_tone.values():
        kept = chance.sample(group, chance.randint(1, len(group)))
        kept += chance.sample(kept, chance.randint(0, len(kept)))
        chance.shuffle(kept)
        arriving += kept
    assert tones(receive(arriving, clock_rate)) == sent
