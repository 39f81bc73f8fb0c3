"""Sinks that may block are written in threads."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from sipua.errors import MediaError, MediaFileError
from sipua.media.files import decode_file
from sipua.media.inlet import Inlet
from sipua.media.interface import AudioSink
from sipua.media.sinks import Mp3File, OggFile, WavFile
from tests.media.calls import Heard, until

FRAME = b"\5\0" * 160


class Blocking(Heard):
    """Remembers who called it."""

    blocking = True

    def __init__(self, *, fails: bool = False, fails_to_close: bool = False) -> None:
        super().__init__()
        self.fails, self.fails_to_close = fails, fails_to_close
        self.opened_by = self.written_by = self.closed_by = ""
        self.closes = 0

    def open(self) -> None:
        self.opened_by = threading.current_thread().name

    def write(self, pcm: bytes, rate: int) -> None:
        self.written_by = threading.current_thread().name
        if self.fails:
            raise MediaFileError("x.wav", "full")
        super().write(pcm, rate)

    def close(self) -> None:
        self.closed_by = threading.current_thread().name
        self.closes += 1
        super().close()
        if self.fails_to_close:
            raise MediaFileError("x.wav", "its end is lost")


class Call:
    def __init__(self, *sinks: AudioSink) -> None:
        self.errors: list[MediaError] = []
        self.now = 0.0
        self.inlet = Inlet(self.errors.append, lambda: self.now)
        for sink in sinks:
            self.inlet.add(sink)

    def tick(self, count: int) -> None:
        for _ in range(count):
            self.inlet.push(FRAME, 8000)
            self.now += 0.02

    async def closed(self) -> None:
        for file in self.inlet.files:
            await file.wait_closed()


async def test_who_calls_what() -> None:
    sink, plain = Blocking(), Heard()
    call = Call(sink, plain)
    assert list(call.inlet.sinks) == [sink, plain]
    call.tick(60)
    assert bytes(plain.pcm) == FRAME * 60
    call.inlet.remove(sink)
    call.tick(1)
    await call.closed()
    assert bytes(sink.pcm) == FRAME * 60
    assert sink.opened_by == threading.main_thread().name
    assert sink.written_by.startswith("sipua recording")
    assert sink.closed_by.startswith("sipua recording")
    assert sink.closes == 1
    assert list(call.inlet.sinks) == [plain]


async def test_a_failing_one_is_off_the_call_and_closed() -> None:
    sink, plain = Blocking(fails=True), Heard()
    call = Call(sink, plain)
    call.tick(25)
    await until(lambda: sink not in call.inlet.sinks)
    call.tick(100)
    await call.closed()
    assert [str(error) for error in call.errors] == ["x.wav: full"]
    assert (list(call.inlet.sinks), sink.closes) == ([plain], 1)
    assert bytes(plain.pcm) == FRAME * 125
    call.inlet.close()


async def test_an_end_that_is_lost_is_told() -> None:
    sink = Blocking(fails_to_close=True)
    call = Call(sink)
    call.tick(5)
    call.inlet.close()
    await call.closed()
    assert bytes(sink.pcm) == FRAME * 5
    assert [str(error) for error in call.errors] == ["x.wav: its end is lost"]


@pytest.mark.parametrize("sink", [Blocking(), Heard()])
async def test_none_is_given_anything_twice(sink: Heard) -> None:
    call = Call(sink, sink)
    call.tick(10)
    call.inlet.add(sink)
    call.tick(10)
    call.inlet.remove(sink)
    await call.closed()
    assert bytes(sink.pcm) == FRAME * 20


@pytest.mark.parametrize("kind", [WavFile, OggFile, Mp3File])
async def test_files(kind: type[WavFile], tmp_path: Path) -> None:
    path = tmp_path / "x"
    sink = kind(path)
    call = Call(sink)
    call.tick(130)
    call.inlet.close()
    await call.closed()
    assert len(decode_file(path, 8000)) / 16000 == pytest.approx(2.6, abs=0.06)
    assert call.errors == []
    call.inlet.add(kind(path))  # the name is free again


async def test_one_that_cannot_be_opened(tmp_path: Path) -> None:
    call = Call()
    with pytest.raises(MediaFileError, match="make it first"):
        call.inlet.add(WavFile(tmp_path / "none" / "x.wav"))
    assert call.inlet.files == ()
