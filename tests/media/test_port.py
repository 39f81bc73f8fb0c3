"""The audio port as applications see it."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from sipua.errors import InvalidStateError, MediaError, MediaFileError
from sipua.media.port import CallAudio
from sipua.media.sources import Silence, Tone
from tests.media.calls import SPEECH, Heard

FRAME = b"\5\0" * 160


def port() -> tuple[CallAudio, list[MediaError]]:
    errors: list[MediaError] = []
    made = CallAudio(errors.append, asyncio.get_running_loop().time)
    made.outlet.set_rate(8000)
    return made, errors


async def test_sources() -> None:
    made, _ = port()
    assert made.playback is None
    made.source = SPEECH
    assert "speech.wav" in repr(made.source)
    assert made.outlet.pull() != bytes(320)
    playback = made.play(Tone(440, seconds=0.02))
    made.outlet.pull()
    made.outlet.pull()
    assert await playback.wait() is True
    assert made.playback is playback
    made.source = None
    assert made.source is None


async def test_bad_files_are_refused_at_once_and_what_plays_goes_on(tmp_path: Path) -> None:
    made, _ = port()
    made.source = tone = Tone()
    with pytest.raises(MediaFileError, match="check the path"):
        made.source = tmp_path / "none.wav"
    with pytest.raises(MediaFileError, match="check the path"):
        made.play(str(tmp_path / "none.wav"))
    with pytest.raises(MediaFileError, match="does not exist"):
        made.add_sink(tmp_path / "none" / "x.wav")
    assert made.source is tone


async def test_what_is_played_is_not_recorded_to(tmp_path: Path) -> None:
    made, _ = port()
    file = tmp_path / "same.wav"
    shutil.copy(SPEECH, file)
    made.source = file
    with pytest.raises(MediaFileError, match="is the file that is played"):
        made.add_sink(file)
    assert file.read_bytes() == SPEECH.read_bytes()
    made.source = None
    sink = made.add_sink(file)
    for play in (made.play, lambda path: setattr(made, "source", path)):
        shutil.copy(SPEECH, file)
        with pytest.raises(MediaFileError, match="is the file that is played"):
            play(file)
    made.remove_sink(sink)
    await made.wait_recorded()
    shutil.copy(SPEECH, file)
    made.play(file)


async def test_mute() -> None:
    made, _ = port()
    made.source = Tone()
    made.mute()
    assert made.muted
    assert made.outlet.pull() == bytes(320)
    made.unmute()
    assert not made.muted
    assert made.outlet.pull() != bytes(320)


async def test_reading_writing_and_recording(tmp_path: Path) -> None:
    made, _ = port()
    reader = made.read(8000)
    sink = made.add_sink(tmp_path / "x.wav")
    made.heard(FRAME, 8000)
    assert await anext(reader) == FRAME
    made.remove_sink(sink)
    await made.wait_recorded()
    assert (tmp_path / "x.wav").stat().st_size == 80 + 320
    await made.write(FRAME, 8000)
    assert made.clear() == pytest.approx(0.02)
    await made.drain()
    with pytest.raises(TypeError):
        made.add_sink(None)  # type: ignore[arg-type]


async def test_a_reader_that_is_closed_is_no_sink_any_more() -> None:
    made, _ = port()
    reader = made.read()
    assert made.inlet
    reader.close()
    assert not made.inlet


async def test_echo() -> None:
    made, _ = port()
    made.echo()
    assert repr(made.source) == "echo"
    assert made.outlet.pull() == bytes(320)
    made.heard(FRAME, 8000)
    made.heard(FRAME, 8000)
    assert made.outlet.pull() == FRAME


class Tap:
    def __init__(self) -> None:
        self.ticks: list[tuple[bytes, int, bytes, int]] = []

    def tick(self, heard: bytes, heard_rate: int, said: bytes, said_rate: int) -> None:
        self.ticks.append((heard, heard_rate, said, said_rate))


async def test_taps_hear_both_sides() -> None:
    made, _ = port()
    assert not made.listening
    tap = Tap()
    made.add_tap(tap)
    assert made.listening
    made.heard(FRAME, 8000)
    made.said(FRAME * 2, 16000)
    made.said(FRAME, 8000)  # nothing was heard in this tick
    assert tap.ticks == [(FRAME, 8000, FRAME * 2, 16000), (bytes(320), 8000, FRAME, 8000)]
    made.remove_tap(tap)
    made.remove_tap(tap)
    made.said(FRAME, 8000)
    assert len(tap.ticks) == 2
    assert not made.listening


async def test_a_tap_that_fails_is_told_once_and_the_others_go_on() -> None:
    class Broken:
        def tick(self, heard: bytes, heard_rate: int, said: bytes, said_rate: int) -> None:
            raise ZeroDivisionError

    made, errors = port()
    tap = Tap()
    made.add_tap(Broken())
    made.add_tap(tap)
    for _ in range(3):
        made.said(FRAME, 8000)
    assert len(tap.ticks) == 3
    assert ["tap" in str(error) for error in errors] == [True]
    made.close()
    assert not made.listening
    with pytest.raises(InvalidStateError):
        made.add_tap(tap)


async def test_the_end() -> None:
    made, _ = port()
    heard = Heard()
    made.add_sink(heard)
    playback, reader = made.play(Silence()), made.read()
    made.close()
    made.close()
    assert heard.closed
    assert await playback.wait() is False
    assert [chunk async for chunk in reader] == []
    assert [chunk async for chunk in made.read()] == []
    with pytest.raises(InvalidStateError):
        made.add_sink(Heard())
    with pytest.raises(InvalidStateError):
        await made.write(FRAME, 8000)
