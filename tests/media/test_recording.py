"""Recordings of both sides: what is in them, crashes, full and slow disks."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
import wave
from pathlib import Path

import av
import numpy as np
import pytest

from sipua.errors import ConfigurationError, InvalidStateError, MediaError, MediaFileError
from sipua.media.analysis import detect_tones
from sipua.media.files import decode_file
from sipua.media.mixdown import Mixdown
from sipua.media.port import CallAudio
from sipua.media.recording import Recording, as_recording
from sipua.media.sinks import NullSink
from sipua.media.sources import Tone
from sipua.media.wav import HEADER_SIZE, WavWriter

pytestmark = pytest.mark.realtime


class Call:
    """A port in whose ticks the peer says 440 Hz and is sent 1000 Hz, at rates of their own."""

    def __init__(self, heard_rate: int = 8000, said_rate: int = 16000) -> None:
        self.errors: list[MediaError] = []
        self.now = 0.0
        self.port = CallAudio(self.errors.append, lambda: self.now)
        self.rates = heard_rate, said_rate
        self.streams = Tone(440).open(heard_rate), Tone(1000).open(said_rate)

    def tick(self, count: int = 1) -> None:
        for _ in range(count):
            self.port.heard(self.streams[0].read(self.rates[0] // 50), self.rates[0])
            self.port.said(self.streams[1].read(self.rates[1] // 50), self.rates[1])
            self.now += 0.02


class Slow(NullSink):
    """Takes nothing until the gate is open."""

    blocking = True

    def __init__(self, gate: threading.Event) -> None:
        super().__init__()
        self._gate = gate
        self.closed = False

    def write(self, pcm: bytes, rate: int) -> None:
        self._gate.wait(5)
        super().write(pcm, rate)

    def close(self) -> None:
        self.closed = True


def channels(path: Path) -> tuple[int, list[bytes]]:
    with wave.open(str(path)) as file:
        data = np.frombuffer(file.readframes(10**9), "<i2").reshape(-1, file.getnchannels())
        return file.getframerate(), [bytes(np.ascontiguousarray(side)) for side in data.T]


async def test_modes(tmp_path: Path) -> None:
    call = Call()
    made = {
        mode: call.port.record(Recording(tmp_path / f"{mode}.wav", mode))
        for mode in ("remote", "local", "mixed", "stereo")
    }
    call.tick(50)
    call.port.close()
    await call.port.wait_recorded()
    wanted = {
        "remote": (8000, [[440]]),
        "local": (16000, [[1000]]),
        "mixed": (16000, [[440, 1000]]),
        "stereo": (16000, [[440], [1000]]),
    }
    for mode, recording in made.items():
        rate, sides = channels(recording.path)
        heard = [detect_tones(side, [440, 700, 1000], rate=rate) for side in sides]
        assert (rate, heard) == wanted[mode], mode
        assert {len(side) for side in sides} == {2 * rate}
        assert recording.seconds == pytest.approx(1.0)
        assert recording.closed
    assert call.errors == []


@pytest.mark.parametrize("ending", ["ogg", "mp3"])
async def test_compressed_stereo(ending: str, tmp_path: Path) -> None:
    call = Call(48000, 8000)
    recording = call.port.record(Recording(tmp_path / f"x.{ending}", "stereo"))
    call.tick(100)
    recording.stop()
    assert not call.port.listening
    call.tick()
    await recording.wait_closed()
    with av.open(str(recording.path)) as container:
        frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
    sides = np.concatenate(frames, axis=1)[:, 9600:86400]
    for side, tone in zip(sides, (440, 1000), strict=True):
        pcm = (side * 32767).astype("<i2").tobytes()
        assert detect_tones(pcm, [440, 700, 1000], rate=48000) == [tone]


async def test_pause_leaves_out_what_comes(tmp_path: Path) -> None:
    call = Call()
    recording = call.port.record(tmp_path / "x.wav")
    call.tick(50)
    recording.pause()
    call.tick(100)
    assert recording.paused
    recording.resume()
    call.tick(50)
    recording.stop()
    await recording.wait_closed()
    rate, [pcm] = channels(recording.path)
    assert len(pcm) / 2 / rate == pytest.approx(2.02)  # one frame to fade out
    samples = np.frombuffer(pcm, "<i2").astype(int)
    assert np.abs(np.diff(samples)).max() <= 7400 * 2 * np.pi * 440 / 8000 + 50
    assert detect_tones(pcm, [440, 1000], rate=rate) == [440]


async def test_holes_in_time_are_silence(tmp_path: Path) -> None:
    call = Call()
    recording = call.port.record(Recording(tmp_path / "x.wav", "stereo"))
    call.tick(10)
    call.now += 3.3
    call.tick(10)
    call.port.close()
    await call.port.wait_recorded()
    rate, sides = channels(recording.path)
    assert [len(side) / 2 / rate for side in sides] == pytest.approx([3.7, 3.7], abs=0.001)


async def test_rates_that_change(tmp_path: Path) -> None:
    call = Call()
    recording = call.port.record(Recording(tmp_path / "x.wav", "mixed"))
    call.tick(50)
    call.rates, call.streams = (48000, 48000), (Tone(440).open(48000), Tone(1000).open(48000))
    call.tick(50)
    recording.stop()
    await recording.wait_closed()
    rate, [pcm] = channels(recording.path)
    assert (rate, len(pcm) / 2 / rate) == (16000, pytest.approx(2.0, abs=0.001))
    assert detect_tones(pcm, [440, 700, 1000], rate=rate) == [440, 1000]


async def test_a_full_disk_is_told_once_and_the_call_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = Call()
    recording = call.port.record(tmp_path / "x.wav")
    call.tick(25)
    await asyncio.sleep(0.05)
    real = os.pwrite

    def full(file: int, data: bytes, offset: int) -> int:
        if offset:
            raise OSError(28, "No space left on device")
        return real(file, data, offset)

    monkeypatch.setattr("os.pwrite", full)
    call.tick(25)
    await asyncio.sleep(0.05)
    call.tick(100)
    assert [str(e) for e in call.errors] == [
        f"{recording.path}: recording stopped: no space left on device; the first 0.5 s are kept"
    ]
    assert recording.stopped
    assert not call.port.listening
    with pytest.raises(MediaFileError, match="no space"):
        await recording.wait_closed()
    await call.port.wait_recorded()
    rate, [pcm] = channels(recording.path)
    assert len(pcm) == rate


async def test_a_slow_disk_does_not_stop_the_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    call = Call()
    recording = call.port.record(tmp_path / "x.wav")
    gate = threading.Event()
    real = Mixdown.write

    def slow(self: Mixdown, ticks: object, *, last: bool = False) -> None:
        gate.wait(5)
        real(self, ticks, last=last)  # type: ignore[arg-type]

    monkeypatch.setattr(Mixdown, "write", slow)
    begun = time.perf_counter()
    call.tick(2000)
    assert time.perf_counter() - begun < 2
    gate.set()
    recording.stop()
    await recording.wait_closed()
    assert len(channels(recording.path)[1][0]) == 2 * 8000 * 40


async def test_a_disk_that_hangs_is_given_up_after_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = Call()
    gate = threading.Event()
    monkeypatch.setattr(Mixdown, "write", lambda self, ticks, last=False: gate.wait(5))
    recording = call.port.record(tmp_path / "x.wav")
    call.tick(3100)
    assert [("not taken anything" in str(e)) for e in call.errors] == [True]
    assert recording.stopped
    assert not recording.closed
    call.tick(100)
    assert recording.seconds == pytest.approx(3026 * 0.02)  # nothing more waits
    gate.set()


async def test_no_disk_is_blamed_for_a_process_that_was_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = Call()
    gate = threading.Event()
    real = Mixdown.write
    done: list[float] = []

    def slow(self: Mixdown, ticks: list[tuple[bytes, int, bytes, int]], *, last: bool = False) -> None:
        gate.wait(5)
        done.append(sum(len(tick[0]) / 2 / tick[1] for tick in ticks))
        real(self, [], last=last)

    monkeypatch.setattr(Mixdown, "write", slow)
    recording = call.port.record(tmp_path / "x.wav")
    sink = Slow(gate)
    call.port.add_sink(sink)
    call.tick(30)
    call.now += 4 * 3600
    call.tick(30)
    gate.set()
    call.port.close()
    await call.port.wait_recorded()
    assert call.errors == []
    assert recording.closed
    for seconds in (sum(done), sink.samples / 8000):
        assert seconds == pytest.approx(4 * 3600 + 1.2, abs=0.1)


async def test_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(MediaFileError, match=r"\.mp3"):
        Recording("x.mp4")
    with pytest.raises(ConfigurationError, match="stereo"):
        Recording("x.wav", "both")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="rate"):
        Recording("x.wav", rate=10)
    with pytest.raises(ConfigurationError, match="Recording"):
        as_recording(3)
    call = Call()
    with pytest.raises(MediaFileError, match="make it first"):
        call.port.record(tmp_path / "none" / "x.wav")
    recording = call.port.record(tmp_path / "x.wav")
    with pytest.raises(InvalidStateError):
        call.port.record(recording)
    call.port.close()
    await recording.wait_closed()
    with pytest.raises(InvalidStateError):
        call.port.record(tmp_path / "y.wav")
    never = Recording(tmp_path / "z.wav")
    never.stop()
    await never.wait_closed()
    assert not never.path.exists()


SCRIPT = """
import asyncio, sys
from sipua.media.port import CallAudio
from sipua.media.recording import Recording
from sipua.media.sinks import NullSink
from sipua.media.sources import Tone

async def main():
    now = 0.0
    port = CallAudio(print, lambda: now)
    for path in sys.argv[1:]:
        port.record(Recording(path, "stereo"))
    one, two = Tone(440).open(8000), Tone(1000).open(8000)
    for count in range(10 ** 6):
        port.heard(one.read(160), 8000)
        port.said(two.read(160), 8000)
        now += 0.02
        await asyncio.sleep(0.0005)
        if count == 150:
            await asyncio.sleep(0.5)
            print("now", flush=True)

asyncio.run(main())
"""


def test_what_a_kill_leaves_can_be_played(tmp_path: Path) -> None:
    paths = [tmp_path / f"x.{ending}" for ending in ("wav", "ogg", "mp3")]
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *map(str, paths)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "now\n"
        process.send_signal(signal.SIGKILL)
    for path in paths:
        pcm = decode_file(path, 8000)
        assert len(pcm) / 16000 > 2.0, path  # of 3.0
        assert detect_tones(pcm[3200:], [440, 700, 1000]) == [440, 1000]


FULL = """
import asyncio, random, resource, sys
from sipua.media.port import CallAudio
from sipua.media.recording import Recording

async def main():
    now = 0.0
    port = CallAudio(print, lambda: now)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60000, 60000))
    recording = port.record(Recording(sys.argv[1], "stereo"))
    noise = random.Random(1).randbytes(320)
    for count in range(3000):
        port.heard(noise, 8000)
        port.said(noise, 8000)
        now += 0.02
        if count % 25 == 0:
            await asyncio.sleep(0.005)
    port.close()
    await port.wait_recorded()

asyncio.run(main())
"""


@pytest.mark.parametrize("ending", ["wav", "ogg", "mp3"])
def test_a_disk_that_fills_up_keeps_what_was_there(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"x.{ending}"
    done = subprocess.run([sys.executable, "-c", FULL, str(path)], capture_output=True, text=True)
    assert (done.stdout.count("\n"), done.stderr) == (1, ""), done
    assert done.stdout.startswith(f"{path}: recording stopped: file too large; the first ")
    assert len(decode_file(path, 8000)) > 16000 * 1.5


def test_beyond_4_gb_a_wav_file_is_rf64(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WavWriter, "MAX_RIFF", 20000)
    path = tmp_path / "x.wav"
    writer = WavWriter(path, 8000)
    pcm = Tone(440).open(8000).read(16000)
    writer.write(pcm[:16000])
    assert path.read_bytes()[:4] == b"RIFF"
    writer.write(pcm[16000:])
    writer.close()
    assert path.read_bytes()[:4] == b"RF64"
    assert path.stat().st_size == HEADER_SIZE + 32000
    assert decode_file(path, 8000) == pcm
    with av.open(str(path)) as container:
        assert container.duration == 2_000_000
