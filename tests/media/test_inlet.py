"""What the peer says, and where it goes."""

from __future__ import annotations

import asyncio

import pytest

from sipua.errors import MediaError, MediaFileError
from sipua.media.inlet import EchoPath, Inlet, PcmReader
from sipua.media.interface import AudioSink
from tests.media.calls import Heard

FRAME = b"\5\0" * 160


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Broken(AudioSink):
    def __init__(self, error: Exception, also_close: bool = False) -> None:
        self.error, self.also_close, self.closes = error, also_close, 0

    def write(self, pcm: bytes, rate: int) -> None:
        raise self.error

    def close(self) -> None:
        self.closes += 1
        if self.also_close:
            raise self.error


def inlet() -> tuple[Inlet, Heard, Clock, list[MediaError]]:
    errors: list[MediaError] = []
    clock, heard = Clock(), Heard()
    made = Inlet(errors.append, clock)
    made.add(heard)
    return made, heard, clock, errors


def tick(made: Inlet, clock: Clock, frames: int = 1, rate: int = 8000) -> None:
    for _ in range(frames):
        made.push(FRAME * (rate // 8000), rate)
        clock.now += 0.02


def test_frames_in_a_row_are_what_was_said() -> None:
    made, heard, clock, _ = inlet()
    tick(made, clock, 10)
    assert bytes(heard.pcm) == FRAME * 10
    assert heard.rate == 8000


def test_late_ticks_that_are_made_up_for_leave_no_hole() -> None:
    made, heard, clock, _ = inlet()
    tick(made, clock)
    clock.now += 0.1
    for _ in range(6):
        made.push(FRAME, 8000)
        clock.now += 0.005
    assert bytes(heard.pcm) == FRAME * 7


@pytest.mark.parametrize("rate", [8000, 48000])
def test_a_recording_is_as_long_as_the_call(rate: int) -> None:
    made, heard, clock, _ = inlet()
    tick(made, clock, 5, rate)
    clock.now += 60.001
    tick(made, clock, 5, rate)
    assert abs(len(heard.pcm) / 2 / rate - 60.2) < 0.003
    assert bytes(heard.pcm).startswith(FRAME * (rate // 8000))
    assert bytes(heard.pcm).endswith(FRAME * (rate // 8000))


def test_what_was_before_the_first_sink_is_not_its_own() -> None:
    made, heard, clock, _ = inlet()
    tick(made, clock)
    made.remove(heard)
    clock.now += 60
    late = Heard()
    made.add(late)
    tick(made, clock, 2)
    assert bytes(late.pcm) == FRAME * 2


def test_sinks_come_and_go() -> None:
    made, heard, clock, _ = inlet()
    late = Heard()
    tick(made, clock)
    made.add(late)
    tick(made, clock)
    made.remove(heard)
    made.remove(heard)
    tick(made, clock)
    assert (len(heard.pcm), len(late.pcm)) == (640, 640)
    assert heard.closed
    assert not late.closed
    assert made
    made.close()
    assert late.closed
    assert not made


def test_a_sink_that_fails_is_told_once_and_the_others_go_on() -> None:
    made, heard, clock, errors = inlet()
    full = Broken(MediaFileError("x.wav", "full"), also_close=True)
    odd = Broken(KeyError("x"))
    made.add(full)
    made.add(odd)
    tick(made, clock, 5)
    assert bytes(heard.pcm) == FRAME * 5
    assert (full.closes, odd.closes) == (1, 1)
    assert [type(e) for e in errors] == [MediaFileError, MediaError]
    made.add(Broken(MediaFileError("y.wav", "full"), also_close=True))
    made.close()
    assert "y.wav" in str(errors[2])


def test_a_sink_that_cannot_be_opened_is_not_added() -> None:
    class Unopenable(Heard):
        def open(self) -> None:
            raise MediaFileError("x.wav", "no")

    made, _, _, _ = inlet()
    with pytest.raises(MediaFileError):
        made.add(Unopenable())


# --- the reader -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [8000, 16000, 24000, 48000])
async def test_a_reader_gives_20_ms_at_its_rate(rate: int) -> None:
    reader = PcmReader(rate, 1.0, lambda sink: None)
    for _ in range(11):
        reader.write(FRAME, 8000)
    chunks = [await anext(reader) for _ in range(10)]
    assert {len(chunk) for chunk in chunks} == {rate // 50 * 2}


async def test_a_slow_reader_loses_the_oldest() -> None:
    reader = PcmReader(8000, 0.1, lambda sink: None)
    for n in range(8):
        reader.write(bytes([n, 0]) * 160, 8000)
    assert reader.dropped == 3
    reader.close()
    assert [chunk[0] async for chunk in reader] == [3, 4, 5, 6, 7]


async def test_a_reader_waits_and_ends() -> None:
    gone: list[object] = []
    reader = PcmReader(8000, 1.0, gone.append)
    waiting = asyncio.ensure_future(anext(reader))
    await asyncio.sleep(1)
    assert not waiting.done()
    reader.write(FRAME, 8000)
    assert await waiting == FRAME
    waiting = asyncio.ensure_future(anext(reader))
    await asyncio.sleep(0)
    reader.close()
    reader.close()
    with pytest.raises(StopAsyncIteration):
        await waiting
    assert gone == [reader]


def test_wrong_readers() -> None:
    with pytest.raises(ValueError, match="44100"):
        PcmReader(44100, 1.0, lambda sink: None)
    with pytest.raises(ValueError, match="max_queued"):
        PcmReader(8000, 0, lambda sink: None)


# --- the echo ---------------------------------------------------------------------------------------------


def test_an_echo_comes_back_in_the_same_tick() -> None:
    path, sent, back = EchoPath(), [], []
    path.read(160, 8000)
    for n in range(1, 50):
        frame = bytes([n, 1]) * 160
        sent.append(frame)
        path.write(frame, 8000)
        back.append(path.read(160, 8000))
    assert back == sent


def test_an_echo_rides_over_gaps_and_catches_up() -> None:
    path = EchoPath()
    path.read(160, 8000)
    for _ in range(8):
        path.write(FRAME, 8000)
    assert path.read(160, 8000) == FRAME
    for _ in range(7):
        assert path.read(160, 8000) == FRAME
    assert path.read(160, 8000) == b""
    # Six frames more in store than it takes: after a while they are gone, one each five seconds.
    for _ in range(6):
        path.write(FRAME, 8000)
    for _ in range(250 * 5):
        path.write(FRAME, 8000)
        assert path.read(160, 8000) == FRAME
    held = 0
    while path.read(160, 8000):
        held += 1
    assert held <= 3


def test_an_echo_keeps_nothing_of_the_rate_before_the_first_packet() -> None:
    path = EchoPath()
    path.read(320, 16000)
    path.write(bytes(320), 8000)
    path.read(320, 16000)
    for n in range(1, 10):
        frame = bytes([n, 1]) * 320
        path.write(frame, 16000)
        assert path.read(320, 16000) == frame


def test_an_echo_is_bounded_and_takes_another_rate() -> None:
    path = EchoPath()
    path.read(160, 8000)
    for _ in range(100):
        path.write(FRAME, 8000)
    count = 0
    while path.read(160, 8000):
        count += 1
    assert count <= 20
    path.write(FRAME * 6, 48000)
    path.write(FRAME * 6, 48000)
    path.write(FRAME * 6, 48000)
    assert len(path.read(160, 8000)) == 320
    assert path.read(960, 48000) == b""  # begins anew
