"""Every change of what the peer hears: without a click, and in step."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipua.errors import InvalidStateError, MediaError, MediaFileError
from sipua.media.analysis import detect_tones, level
from sipua.media.files import decode_file
from sipua.media.outlet import Outlet
from sipua.media.port import CallAudio
from sipua.media.sources import AudioFile, Pcm, Silence, Tone
from tests.media.calls import SPEECH

LOUD = -6.0
#: The steepest that a full tone of 440 Hz and a fade of 5 ms get, at 8000 Hz.
STEEP = 23200 * 2 * np.pi * 440 / 8000 + np.pi / 2 * 23200 / 40


STEPS = (
    *("play", "short", "stop", "silence", "mute", "unmute", "write", "clear"),
    *("hold", "unhold", "off", "on", "pause", "resume", "seek"),
)


def tone(seconds: float | None = None) -> Tone:
    return Tone(440, level=LOUD, seconds=seconds)


class Line:
    """A call whose clock the test turns, and all that its peer has heard."""

    def __init__(self, rate: int = 8000) -> None:
        self.errors: list[MediaError] = []
        self.now = 100.0
        self.port = CallAudio(self.errors.append, lambda: self.now)
        self.port.outlet.set_rate(rate)
        self.heard = bytearray()

    def tick(self, count: int = 1) -> bytes:
        begin = len(self.heard)
        for _ in range(count):
            self.heard += self.port.outlet.pull()
            self.now += 0.02
        return bytes(self.heard[begin:])

    def steepest(self) -> float:
        return float(np.abs(np.diff(np.frombuffer(bytes(self.heard), "<i2").astype(int))).max())


async def test_write_after_write_is_bit_exact() -> None:
    line = Line()
    pcm = Tone(440, level=LOUD).open(8000).read(8000)
    for start in range(0, 16000, 1234):
        await line.port.write(pcm[start : start + 1234], 8000)
    assert line.tick(50) == pcm


async def test_a_source_is_bit_exact() -> None:
    line = Line()
    line.port.source = SPEECH
    pcm = decode_file(SPEECH, 8000)
    assert line.tick(260)[80:] == pcm[80 : 260 * 320]  # it does not begin with silence


async def test_barge_in() -> None:
    line = Line()
    pcm = Tone(440, level=LOUD).open(8000).read(8000)
    utterance = await line.port.write(pcm, 8000)
    line.tick(10)
    assert line.port.clear() == pytest.approx(0.8)
    assert utterance.heard == pytest.approx(0.2)
    assert await utterance.wait() is False
    assert not any(line.tick(5)[80:])
    await line.port.write(pcm[100:], 8000)
    line.tick(10)
    assert line.steepest() <= STEEP


async def test_an_underrun_and_what_comes_after_it() -> None:
    line = Line()
    pcm = Tone(440, level=LOUD).open(8000).read(8000)
    for length in (1001, 333, 2001):
        await line.port.write(pcm[: 2 * length], 8000)
        line.tick(20)
    assert line.steepest() <= STEEP


@pytest.mark.parametrize("seconds", [0.06, 0.0637])
async def test_a_sound_that_ends_at_its_loudest(seconds: float) -> None:
    line = Line()
    line.port.source = tone(seconds)
    line.tick(6)
    await line.port.write(Tone(440, level=LOUD).open(8000).read(480), 8000)
    line.tick(6)
    assert line.steepest() <= STEEP


@given(
    st.lists(
        st.sampled_from(STEPS),
        max_size=30,
    ),
    st.lists(st.integers(0, 3), min_size=30, max_size=30),
)
async def test_nothing_that_an_application_does_clicks(steps: list[str], ticks: list[int]) -> None:
    line = Line()
    port, outlet = line.port, line.port.outlet
    pcm = Tone(440, level=LOUD).open(8000).read(8000)
    port.set_hold_music(tone())
    playback = port.play(tone())
    line.tick(2)
    for step, count in zip(steps, ticks, strict=False):
        if step == "write" and outlet.written.seconds < 1:
            await port.write(pcm[: 2 * 611], 8000)
        elif step == "seek":
            playback = port.play(AudioFile(SPEECH))
            playback.gain = -60.0
            line.tick(1)
            playback.seek(1.0)
        else:
            actions: dict[str, Callable[[], object]] = {
                "play": lambda: port.play(tone()),
                "short": lambda: port.play(tone(0.0131)),
                "stop": playback.stop,
                "silence": lambda: setattr(port, "source", None),
                "mute": port.mute,
                "unmute": port.unmute,
                "clear": port.clear,
                "hold": lambda: setattr(port, "held", True),
                "unhold": lambda: setattr(port, "held", False),
                "off": lambda: setattr(outlet, "enabled", False),
                "on": lambda: setattr(outlet, "enabled", True),
                "pause": playback.pause,
                "resume": playback.resume,
            }
            made = actions.get(step, lambda: None)()
            playback = made if step in ("play", "short") else playback  # type: ignore[assignment]
        line.tick(count)
    line.tick(2)
    assert line.steepest() <= 2 * STEEP  # two fades may meet
    assert len(line.heard) % 320 == 0
    assert line.errors == []
    port.close()


# --- playback ---------------------------------------------------------------------------------------------


async def test_pause_waits_where_it_is() -> None:
    line = Line()
    playback = line.port.play(SPEECH)
    whole = decode_file(SPEECH, 8000)
    assert line.tick(100)[80:] == whole[80 : 100 * 320]
    playback.pause()
    assert playback.paused
    paused = line.tick(50)
    assert not any(paused[80:])
    assert playback.position == pytest.approx(2.0)
    playback.resume()
    assert line.tick(50)[80:] == whole[100 * 320 + 80 : 150 * 320]
    assert playback.position == pytest.approx(3.0)
    assert playback.duration == pytest.approx(5.3)


async def test_seek_position_and_loops() -> None:
    line = Line()
    whole = decode_file(SPEECH, 8000)
    playback = line.port.play(AudioFile(SPEECH, loop=2))
    playback.seek(3.0)  # before it was heard
    assert playback.position == 3.0
    # The resampler needs a moment to be as it would be.
    assert (
        np.corrcoef(np.frombuffer(line.tick(10), "<i2"), np.frombuffer(whole[48000 : 48000 + 3200], "<i2"))[
            0, 1
        ]
        > 0.999
    )
    line.tick(115)  # 5.5 s: the second time
    assert playback.position == pytest.approx(0.2, abs=0.01)
    playback.seek(5.2)
    line.tick(6)
    assert playback.position == pytest.approx(0.02, abs=0.01)  # a seek begins the count anew
    playback.seek(5.2)
    line.tick(6 + 265 + 2)
    assert await playback.wait() is True
    with pytest.raises(InvalidStateError):
        playback.seek(0)
    assert playback.duration is None


async def test_what_cannot_be_sought_in() -> None:
    line = Line()
    playback = line.port.play(Tone())
    with pytest.raises(MediaError, match="only a file"):
        playback.seek(1.0)
    with pytest.raises(ValueError, match="0 or more"):
        playback.seek(-1)
    assert playback.duration is None
    line.tick(10)
    assert playback.position == pytest.approx(0.2)
    assert not playback.finished


async def test_seek_after_the_rate_has_changed() -> None:
    line = Line()
    playback = line.port.play(SPEECH)
    line.tick(10)
    line.port.outlet.set_rate(16000)
    line.tick(10)
    assert playback.duration == pytest.approx(5.3)
    playback.seek(2.0)
    heard = np.frombuffer(line.tick(20), "<i2").astype(float)
    wanted = np.frombuffer(decode_file(SPEECH, 16000)[64000 : 64000 + 12800], "<i2").astype(float)
    assert np.corrcoef(heard[160:], wanted[160:])[0, 1] > 0.95


async def test_volume() -> None:
    line = Line()
    playback = line.port.play(Tone(440, level=-10.0))
    assert level(line.tick(10)) == pytest.approx(-10, abs=0.2)
    playback.gain = -20.0
    line.tick()
    assert level(line.tick(10)) == pytest.approx(-30, abs=0.2)
    line.port.output_gain = 6.0
    line.tick()
    assert level(line.tick(10)) == pytest.approx(-24, abs=0.2)
    assert (playback.gain, line.port.output_gain) == (-20.0, 6.0)
    assert line.steepest() <= STEEP
    file = line.port.play(AudioFile(SPEECH, gain=-6.0))
    assert file.gain == -6.0


async def test_input_gain() -> None:
    line = Line()
    reader = line.port.read(8000)
    line.port.input_gain = -20.0
    stream = Tone(440, level=-10.0).open(8000)
    for _ in range(20):
        line.port.heard(stream.read(160), 8000)
    pcm = b"".join([await anext(reader) for _ in range(20)])
    assert level(pcm[3200:]) == pytest.approx(-30, abs=0.2)
    assert line.port.input_gain == -20.0


# --- hold -------------------------------------------------------------------------------------------------


async def test_music_on_hold() -> None:
    line = Line()
    playback = line.port.play(SPEECH)
    line.tick(10)
    line.port.hold_music = Tone(1000)
    assert line.port.hold_music is not None
    line.port.held = True
    assert line.port.held
    assert detect_tones(line.tick(50)[320:], [700, 1000]) == [1000]
    assert playback.position == pytest.approx(0.2)
    utterance = await line.port.write(bytes(320), 8000)
    line.tick(5)
    assert utterance.started is None  # it waits
    line.port.hold_music = Tone(700)
    assert detect_tones(line.tick(50)[320:], [700, 1000]) == [700]
    line.port.held = False
    line.tick(10)
    assert utterance.heard == utterance.seconds
    assert playback.position > 0.3
    with pytest.raises(MediaFileError):
        line.port.hold_music = "none.wav"


async def test_held_without_music_all_goes_on() -> None:
    line = Line()
    line.port.source = Tone(440)
    line.port.held = True
    assert detect_tones(line.tick(20), [440]) == [440]


# --- what was heard when ----------------------------------------------------------------------------------


async def test_an_utterance_tells_when_it_was_heard() -> None:
    line = Line()
    first = await line.port.write(bytes(2 * 1200), 8000)  # 0.15 s
    second = await line.port.write(bytes(2 * 2400), 16000)
    assert (first.started, first.ended, first.heard) == (None, None, 0.0)
    line.tick(5)
    assert first.started == 100.0
    assert first.heard == pytest.approx(0.1)
    line.tick(20)
    assert first.ended == pytest.approx(100.15)
    assert second.started == pytest.approx(100.15, abs=0.011)
    assert second.ended == pytest.approx(100.3, abs=0.011)
    assert await first.wait()
    assert await second.wait()
    assert second.heard == second.seconds == pytest.approx(0.15)


async def test_a_reader_tells_the_same_time() -> None:
    line = Line()
    reader = line.port.read(16000)
    for _ in range(10):
        line.port.heard(bytes(320), 8000)
        line.now += 0.02
    times = [(await anext(reader)).time for _ in range(9)]
    assert times == pytest.approx([100 + 0.02 * n for n in range(9)], abs=0.003)


async def test_a_writer_that_is_cleared_or_cancelled_knows_what_was_heard() -> None:
    line = Line()
    writing = asyncio.ensure_future(line.port.write(bytes(16000 * 5), 8000))  # 5 s: waits
    await asyncio.sleep(0)
    line.tick(50)
    line.port.clear()
    utterance = await writing
    assert utterance.heard == pytest.approx(1.0)
    assert utterance.seconds == 5.0
    writing = asyncio.ensure_future(line.port.write(bytes(16000 * 5), 8000))
    await asyncio.sleep(0)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    line.tick(200)
    await line.port.drain()
    empty = await line.port.write(b"", 8000)
    assert await empty.wait()


@pytest.mark.parametrize("delay", [0, 2])
async def test_drain_waits_for_the_last_packet(delay: int) -> None:
    line = Line()
    line.port.outlet.written.delay = delay
    await line.port.write(bytes(640), 8000)
    drained = asyncio.ensure_future(line.port.drain())
    line.tick(2)
    await asyncio.sleep(0)
    for left in range(delay, 0, -1):
        assert not drained.done(), left
        line.tick()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    await asyncio.wait_for(drained, 1)


async def test_written_sound_survives_a_change_of_rate() -> None:
    line = Line()
    await line.port.write(Tone(1000).open(16000).read(16000), 16000)
    line.tick(10)
    line.port.outlet.set_rate(48000)
    assert detect_tones(line.tick(30)[1920:], [500, 1000, 2000], rate=48000) == [1000]
    assert line.tick(20)[-1920:] == bytes(1920)


# --- two calls --------------------------------------------------------------------------------------------


async def test_two_calls_hear_each_other() -> None:
    one, two = Line(8000), Line(48000)
    bridge = one.port.bridge(two.port)
    tones = Tone(440).open(8000), Tone(1000).open(48000)
    for _ in range(50):
        one.port.heard(tones[0].read(160), 8000)
        two.port.heard(tones[1].read(960), 48000)
        one.tick()
        two.tick()
    assert detect_tones(bytes(one.heard[6400:]), [440, 1000]) == [1000]
    assert detect_tones(bytes(two.heard[38400:]), [440, 1000], rate=48000) == [440]
    assert not bridge.ended
    one.port.close()
    two.tick(2)
    await bridge.wait()
    assert bridge.ended
    assert not any(two.tick(2)[-960:])
    bridge.end()


async def test_a_bridge_ends_with_its_block() -> None:
    one, two = Line(), Line()
    with one.port.bridge(two.port) as bridge:
        one.tick()
        two.tick()
        assert one.port.listening
    assert bridge.ended
    assert not one.port.listening
    assert not two.port.listening


async def test_what_a_call_says_can_be_heard_by_many() -> None:
    one, others = Line(), [Line(), Line()]
    source = one.port.as_source()
    for other in others:
        other.port.source = source
        other.tick()
    stream = Tone(440).open(8000)
    for _ in range(20):
        one.port.heard(stream.read(160), 8000)
        for other in others:
            other.tick()
    for other in others:
        assert detect_tones(bytes(other.heard[640:]), [440, 1000]) == [440]
    one.port.close()
    late = Line()
    assert await_nothing(late.port.play(source), late)


def await_nothing(playback: object, line: Line) -> bool:
    line.tick(2)
    return bool(getattr(playback, "finished", False)) and not any(line.heard)


# --- the rest ---------------------------------------------------------------------------------------------


def test_silence_is_one_object() -> None:
    outlet = Outlet(lambda error: None)
    assert outlet.pull() is outlet.pull()


async def test_a_source_that_fails_while_it_fades() -> None:
    def chunks():  # type: ignore[no-untyped-def]
        yield b"\0\x40" * 170
        raise RuntimeError("boom")

    line = Line()
    line.port.play(Pcm(chunks, 8000))
    line.tick()
    line.port.play(Silence())  # looks at how the first would go on
    line.tick(2)
    assert line.errors == []


async def test_a_file_that_goes_away(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(SPEECH.read_bytes())
    line = Line()
    playback = line.port.play(AudioFile(path, loop=True))
    line.tick(10)
    path.unlink()
    line.tick(400)
    assert await playback.wait() is False
    assert [type(error) for error in line.errors] == [MediaFileError]
