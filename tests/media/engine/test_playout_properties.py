"""Playout, whatever is put in: never an exception, always 20 ms, never more memory than it may have."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from sipua.media.codecs.base import AudioDecoder, CodecError
from sipua.media.codecs.comfort import ComfortNoiseDecoder
from sipua.media.codecs.g711 import G711Decoder
from sipua.media.engine.playout import Playout


class Picky(AudioDecoder):
    """Refuses some payloads, in-band error correction and concealment by what they are."""

    def __init__(self, rate: int, clock_rate: int) -> None:
        self.rate = rate
        self.clock_rate = clock_rate

    def duration(self, payload: bytes) -> int:
        return len(payload)

    def decode(self, payload: bytes) -> bytes:
        if payload[:1] == b"\xff":
            raise CodecError("refused")
        return payload * 2

    def recover(self, payload: bytes, samples: int) -> bytes | None:
        if payload[1:2] == b"\xff":
            raise CodecError("refused")
        return bytes(2 * samples) if payload[1:2] > b"\x80" else None

    def conceal(self, samples: int) -> bytes | None:
        if samples % 3 == 0:
            raise CodecError("refused")
        return bytes(2 * samples) if samples % 2 else None


def playout() -> Playout:
    decoders: dict[int, AudioDecoder] = {
        0: G711Decoder("pcmu"),
        9: Picky(16000, 8000),
        13: ComfortNoiseDecoder(),
        111: Picky(48000, 48000),
        112: Picky(16000, 48000),
    }
    return Playout(decoders.get)


PAYLOAD_TYPES = st.sampled_from([0, 0, 0, 0, 9, 13, 77, 111, 112])
PAYLOADS = st.one_of(
    st.binary(max_size=5),
    st.builds(
        lambda byte, length: bytes([byte]) * length,
        st.integers(0, 255),
        st.sampled_from([1, 80, 160, 480, 1500]),
    ),
    st.just(bytes(60000)),
)

ANY_PUT = st.tuples(
    st.just("put"),
    PAYLOAD_TYPES,
    st.integers(-(2**17), 2**17),
    st.integers(-(2**33), 2**33),
    PAYLOADS,
    st.integers(0, 3),
)
# One that goes on from the last one, nearly.
NEXT_PUT = st.tuples(
    st.just("next"),
    PAYLOAD_TYPES,
    st.sampled_from([1, 1, 1, 1, 1, 0, 2, 3, -1, -2, 10]),
    st.sampled_from([1, 1, 1, 1, 0, 2, -1, 50]),
    PAYLOADS,
    st.just(0),
)
SKIP = st.tuples(st.just("skip"), st.integers(-(2**17), 2**17))
SKIP_NEXT = st.tuples(st.just("skip next"), st.integers(-3, 5))
PULL = st.tuples(st.just("pull"), st.integers(1, 80))
WAIT = st.tuples(st.just("wait"), st.floats(0, 4))
RESET = st.tuples(st.just("reset"))
STEPS = st.lists(
    st.one_of(NEXT_PUT, NEXT_PUT, NEXT_PUT, ANY_PUT, PULL, PULL, SKIP, SKIP_NEXT, WAIT, RESET), max_size=60
)


@given(STEPS)
@settings(max_examples=150)
def test_anything_may_come_in_any_order(steps: list[tuple[object, ...]]) -> None:
    machine = playout()
    now, sequence, timestamp = 0.0, 65533, 2**32 - 400
    received = 0
    for step in steps:
        match step:
            case ("put", int(payload_type), int(number), int(stamp), bytes(payload), int(ssrc)):
                machine.put(payload_type, number, stamp, False, payload, now, ssrc)
                received += 1
            case ("next", int(payload_type), int(more), int(frames), bytes(payload), _):
                sequence = sequence + more & 0xFFFF
                timestamp = timestamp + 160 * frames & 0xFFFFFFFF
                machine.put(payload_type, sequence, timestamp, True, payload, now)
                received += 1
            case ("skip", int(number)):
                machine.skip(number, 0, now)
            case ("skip next", int(more)):
                sequence = sequence + more & 0xFFFF
                machine.skip(sequence, timestamp, now)
            case ("pull", int(count)):
                for _ in range(count):
                    pcm = machine.pull(now)
                    assert len(pcm) == machine.rate // 50 * 2
                    now += 0.02
            case ("wait", float(seconds)):
                now += seconds
            case ("reset",):
                machine.reset()
    stats = machine.stats
    assert stats.received == received
    assert 0 <= stats.duplicates + stats.discarded <= received
    assert 0 <= stats.late <= received
    assert stats.recovered <= stats.lost
    assert min(stats.lost, stats.concealed, stats.stretched, stats.compressed) >= 0
    assert 0.01 <= stats.target <= 0.4


@given(
    st.lists(st.tuples(st.integers(0, 65535), st.integers(0, 2**32 - 1), st.integers(0, 50)), max_size=400)
)
@settings(max_examples=30)
def test_a_flood_nobody_plays_is_bounded(packets: list[tuple[int, int, int]]) -> None:
    machine = playout()
    for number in range(400):
        machine.put(0, number, number, False, bytes(1500), 0.0)
        machine.skip(number * 2, 0, 0.0)
    for sequence, timestamp, ssrc in packets:
        machine.put(0, sequence, timestamp, False, bytes(1500), 0.0, ssrc)
    buffer = machine._buffer
    assert len(buffer.packets) <= 200
    assert len(buffer._candidates) <= 8
    for n in range(20):
        machine.pull(n * 0.02)
        assert len(machine._head.tail) <= 0.5 * machine.rate * 2


@given(
    st.integers(0, 65535),
    st.integers(0, 2**32 - 1),
    st.floats(0.0, 0.0199),
    st.lists(st.binary(min_size=160, max_size=160), min_size=1, max_size=20),
    st.lists(st.floats(0.0, 0.004), min_size=20, max_size=20),
)
@settings(max_examples=80)
def test_what_comes_in_order_and_in_time_comes_out_as_it_is(
    sequence: int, timestamp: int, start: float, payloads: list[bytes], jitter: list[float]
) -> None:
    machine = playout()
    decoder = G711Decoder("pcmu")
    arrivals = [(start + n * 0.02 + jitter[n], n) for n in range(len(payloads))]
    heard = b""
    for tick in range(len(payloads) + 3):
        now = tick * 0.02
        while arrivals and arrivals[0][0] <= now:
            time, n = arrivals.pop(0)
            machine.put(0, sequence + n & 0xFFFF, timestamp + n * 160 & 0xFFFFFFFF, n == 0, payloads[n], time)
        heard += machine.pull(now)
    assert b"".join(map(decoder.decode, payloads)) in heard
