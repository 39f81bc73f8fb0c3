"""What the peer hears, 20 ms at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import numpy as np
import pytest

from sipua.errors import InvalidStateError, MediaError, MediaFileError
from sipua.media.analysis import detect_tones
from sipua.media.interface import AudioSource, PcmStream
from sipua.media.outlet import Outlet
from sipua.media.sources import Pcm, Silence, Tone
from sipua.media.written import WriteQueue

FRAME = 320  # bytes of 20 ms at 8000 Hz


class Counting(AudioSource):
    """Samples that count up, so that what was played can be told."""

    def __init__(self, length: int = 10**6) -> None:
        self.length = length
        self.opened: list[CountingStream] = []

    def open(self, rate: int) -> PcmStream:
        self.opened.append(CountingStream(self.length))
        return self.opened[-1]


class CountingStream(PcmStream):
    def __init__(self, length: int) -> None:
        self.position, self.length, self.closed = 0, length, 0

    def read(self, samples: int) -> bytes:
        end = min(self.position + samples, self.length)
        pcm = b"".join((n % 30000 + 1).to_bytes(2, "little") for n in range(self.position, end))
        self.position = end
        return pcm

    def close(self) -> None:
        self.closed += 1


def outlet() -> tuple[Outlet, list[MediaError]]:
    errors: list[MediaError] = []
    made = Outlet(errors.append)
    made.set_rate(8000)
    return made, errors


async def test_silence_without_a_source_at_any_rate() -> None:
    made, _ = outlet()
    assert made.pull() == bytes(FRAME)
    made.set_rate(48000)
    assert made.pull() == bytes(1920)


async def test_a_source_is_opened_when_it_is_heard_and_closed_when_it_ends() -> None:
    made, errors = outlet()
    source = Counting(400)
    playback = made.play(source)
    assert source.opened == []
    made.pull()
    stream = source.opened[0]
    made.pull()
    assert not playback.finished
    last = made.pull()
    assert last[:160] != bytes(160)
    assert last[240:] == bytes(80)  # 5 ms to fade
    assert playback.finished
    assert await playback.wait() is True
    assert (stream.closed, made.source) == (1, None)
    assert made.pull() == bytes(FRAME)
    assert errors == []


async def test_replaced_and_stopped_sources_have_not_been_heard_to_the_end() -> None:
    made, _ = outlet()
    first = made.play(Silence())
    made.pull()
    second = made.play(Tone())
    assert await first.wait() is False
    first.stop()  # no longer its business
    assert made.source is not None
    second.stop()
    assert await second.wait() is False
    assert made.source is None
    assert made.play(None).finished


async def test_mute_lets_the_source_go_on() -> None:
    made, _ = outlet()
    source = Counting()
    made.play(source)
    made.pull()
    made.muted = True
    assert made.pull()[80:] == bytes(FRAME - 80)
    assert made.pull() == bytes(FRAME)
    made.muted = False
    made.pull()
    assert source.opened[0].position == 640


async def test_what_is_written_comes_first_and_the_source_waits() -> None:
    made, _ = outlet()
    source = Counting()
    made.play(source)
    made.pull()
    await made.written.write(b"\7\0" * 240, 8000)
    assert made.pull()[80:] == b"\7\0" * 120
    assert made.pull() == (b"\7\0" * 80).ljust(FRAME, b"\0")
    assert source.opened[0].position == 200  # what was needed to fade it out is kept
    made.pull()
    assert source.opened[0].position == 320


async def test_written_sound_waits_while_muted() -> None:
    made, _ = outlet()
    await made.written.write(b"\7\0" * 160, 8000)
    made.muted = True
    assert made.pull() == bytes(FRAME)
    made.muted = False
    assert made.pull() == b"\7\0" * 160


async def test_a_source_that_fails_is_told_and_replaced_by_silence() -> None:
    def broken() -> Iterator[bytes]:
        yield bytes(100)
        raise RuntimeError("boom")

    class Unclosable(Silence):
        def open(self, rate: int) -> PcmStream:
            raise MediaFileError("x.wav", "gone")

    made, errors = outlet()
    playback = made.play(Pcm(broken, 8000))
    assert made.pull() == bytes(FRAME)
    assert await playback.wait() is False
    made.play(Unclosable())
    assert made.pull() == bytes(FRAME)
    assert "boom" in str(errors[0])
    assert isinstance(errors[1], MediaFileError)


async def test_a_stream_that_does_not_close_does_no_harm() -> None:
    class Stubborn(CountingStream):
        def close(self) -> None:
            raise RuntimeError("never")

    class Source(AudioSource):
        def open(self, rate: int) -> PcmStream:
            return Stubborn(10)

    made, errors = outlet()
    made.play(Source())
    made.pull()
    assert errors == []


async def test_the_rate_may_change_under_a_source() -> None:
    made, _ = outlet()
    playback = made.play(Tone(1000, seconds=1.0))
    pcm = b"".join(made.pull() for _ in range(10))
    made.set_rate(48000)
    high = b"".join(made.pull() for _ in range(30))
    assert detect_tones(pcm, [1000]) == [1000]
    assert detect_tones(high, [1000, 3000, 6000], rate=48000) == [1000]
    for _ in range(15):
        made.pull()
    assert playback.finished


async def test_closing_ends_what_waits() -> None:
    made, _ = outlet()
    playback = made.play(Silence())
    await made.written.write(bytes(FRAME), 8000)
    made.close()
    assert playback.finished
    assert made.play(Silence()).finished
    await made.written.drain()
    with pytest.raises(InvalidStateError):
        await made.written.write(bytes(FRAME), 8000)


# --- the queue --------------------------------------------------------------------------------------------


async def pull_every_20_ms(queue: WriteQueue, count: int) -> int:
    taken = 0
    for _ in range(count):
        await asyncio.sleep(0.02)
        taken += len(queue.take(160, 8000)) // 2
    return taken


async def test_a_writer_is_slowed_down_to_real_time() -> None:
    queue = WriteQueue(limit=0.5)
    loop = asyncio.get_running_loop()
    taking = asyncio.ensure_future(pull_every_20_ms(queue, 150))
    started = loop.time()
    await queue.write(bytes(2 * 8000 * 2), 8000)  # 2 s
    assert 1.4 < loop.time() - started < 1.6
    assert queue.seconds <= 0.5
    await queue.drain()
    assert 1.9 < loop.time() - started < 2.1
    assert await taking == 16000
    assert queue.seconds == 0


async def test_clear_drops_what_is_queued_and_what_the_writer_still_holds() -> None:
    queue = WriteQueue(limit=0.5)
    writer = asyncio.ensure_future(queue.write(bytes(2 * 8000 * 5), 8000))
    second = asyncio.ensure_future(queue.write(b"\1\0" * 160, 8000))
    await asyncio.sleep(0.1)
    assert not writer.done()
    assert 0.3 <= queue.clear() <= 0.5
    await writer
    # What waited behind it was written before the clear, too.
    await second
    await queue.write(b"\2\0" * 160, 8000)
    assert queue.take(160, 8000).endswith(b"\2\0")


async def test_writers_keep_their_order() -> None:
    queue = WriteQueue()
    await asyncio.gather(*(queue.write(bytes([n, 0]) * 1600, 8000) for n in range(5)))
    pcm = b"".join(queue.take(160, 8000) for _ in range(50))
    assert pcm == b"".join(bytes([n, 0]) * 1600 for n in range(5))


async def test_a_rate_that_goes_to_and_fro_costs_no_more_each_time() -> None:
    made = Outlet([].append)
    made.set_rate(16000)
    playback = made.play(Tone(1000, seconds=30.0))
    heard = b""
    for tick in range(1000):
        rate = (16000, 8000, 48000)[tick // 5 % 3]
        made.set_rate(rate)
        pcm = made.pull()
        assert len(pcm) == rate // 50 * 2
        heard += pcm if rate == 8000 else b""
    assert detect_tones(heard, [700, 1000, 1300], rate=8000) == [1000]
    assert playback.position == pytest.approx(20.0, abs=0.1)
    stream: object = playback._stream
    depths = 0
    while (stream := getattr(stream, "inner", None)) is not None:
        depths += 1
    assert depths <= 1


@pytest.mark.parametrize("rate", [8000, 16000, 24000, 48000])
async def test_rates(rate: int) -> None:
    queue = WriteQueue()
    stream = Tone(1000, seconds=1.0).open(rate)
    await queue.write(stream.read(rate), rate)
    assert abs(queue.seconds - 1.0) < 0.001
    pcm = b"".join(queue.take(160, 8000) for _ in range(51))
    assert abs(len(pcm) // 2 - 8000) <= 16
    assert detect_tones(pcm, [500, 1000, 2000]) == [1000]


async def test_the_rate_of_the_call_may_change() -> None:
    queue = WriteQueue()
    await queue.write(bytes(32000), 16000)
    assert len(queue.take(160, 8000)) == 320
    assert len(queue.take(960, 48000)) == 1920


async def test_what_is_no_pcm() -> None:
    queue = WriteQueue()
    with pytest.raises(ValueError, match="half a sample"):
        await queue.write(b"abc", 8000)
    with pytest.raises(ValueError, match="11025"):
        await queue.write(b"", 11025)
    for array in (np.zeros(160, "<i2"), np.zeros(160), [0, 1]):
        with pytest.raises(TypeError, match="PCM must be bytes, not"):
            await queue.write(array, 8000)  # type: ignore[arg-type]
    assert not queue


async def test_pcm_in_any_buffer() -> None:
    queue = WriteQueue()
    whole = np.arange(160, dtype="<i2")
    for pcm in (memoryview(whole), bytearray(whole.tobytes())):
        utterance = await queue.write(pcm, 8000)  # type: ignore[arg-type]
        assert utterance.seconds == pytest.approx(0.02)
        pcm[:2] = pcm[2:4]  # what becomes of it later does not matter
    assert queue.take(320, 8000) == b"".join(2 * [np.arange(160, dtype="<i2").tobytes()])


async def test_a_waiting_writer_learns_that_the_call_is_over() -> None:
    queue = WriteQueue(limit=0.2)
    writer = asyncio.ensure_future(queue.write(bytes(32000), 8000))
    await asyncio.sleep(0)
    queue.close()
    with pytest.raises(InvalidStateError):
        await writer
