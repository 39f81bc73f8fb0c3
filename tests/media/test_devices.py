"""Microphone and speaker, over a module that stands in for sounddevice."""

from __future__ import annotations

import builtins
import sys
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sipua.errors import MediaDeviceBusy, MediaDeviceError, MediaDeviceLost, MediaDeviceNotFound
from sipua.media.analysis import detect_tones
from sipua.media.devices import AudioDevice, Microphone, Speaker, list_devices
from sipua.media.sources import Tone


class PortAudioError(Exception):
    pass


class Stream:
    """A stream whose callback is called by the test, as PortAudio's thread would."""

    def __init__(self, fake: Fake, **options: Any) -> None:
        if fake.refuse is not None and (error := fake.refuse(options)) is not None:
            raise PortAudioError(error, -9985)
        self.options = options
        self.started = self.closed = False
        fake.streams.append(self)

    def start(self) -> None:
        self.started = True

    def close(self, ignore_errors: bool = True) -> None:
        self.closed = True
        self.options["finished_callback"]()

    def unplug(self) -> None:
        self.options["finished_callback"]()

    def feed(self, pcm: bytes) -> None:
        self.options["callback"](memoryview(pcm), len(pcm) // 2, None, None)

    def play(self, frames: int) -> bytes:
        data = bytearray(2 * frames)
        self.options["callback"](memoryview(data), frames, None, None)
        return bytes(data)


class Fake(SimpleNamespace):
    PortAudioError = PortAudioError

    def __init__(self) -> None:
        super().__init__()
        self.streams: list[Stream] = []
        self.refuse: Callable[[dict[str, Any]], str | None] | None = None
        self.default = SimpleNamespace(device=[0, 1])
        self.devices = [("Built-in Mic", 2, 0), ("Built-in Out", 0, 2), ("USB Headset", 1, 1)]

    def query_hostapis(self) -> list[dict[str, Any]]:
        return [{"name": "ALSA"}]

    def query_devices(self) -> list[dict[str, Any]]:
        return [
            {
                "name": name,
                "hostapi": 0,
                "max_input_channels": inputs,
                "max_output_channels": outputs,
                "default_samplerate": 44100.0,
            }
            for name, inputs, outputs in self.devices
        ]

    def RawInputStream(self, **options: Any) -> Stream:  # noqa: N802
        return Stream(self, **options)

    RawOutputStream = RawInputStream


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    made = Fake()
    monkeypatch.setitem(sys.modules, "sounddevice", made)  # type: ignore[arg-type]
    return made


def test_devices_are_listed(fake: Fake) -> None:
    assert list_devices() == [
        AudioDevice(0, "Built-in Mic", "ALSA", 2, 0, 44100, True, False),
        AudioDevice(1, "Built-in Out", "ALSA", 0, 2, 44100, False, True),
        AudioDevice(2, "USB Headset", "ALSA", 1, 1, 44100, False, False),
    ]


@pytest.mark.parametrize(
    ("wanted", "index"), [(None, 0), (2, 2), ("usb headset", 2), ("headset", 2), ("mic", 0)]
)
def test_a_device_is_chosen(fake: Fake, wanted: int | str | None, index: int) -> None:
    microphone = Microphone(wanted)
    microphone.check()
    microphone.open(8000)
    assert fake.streams[0].options["device"] == index
    assert fake.streams[0].options["samplerate"] == 8000
    assert fake.streams[0].started


def test_a_device_that_is_not_there(fake: Fake) -> None:
    with pytest.raises(
        MediaDeviceNotFound, match="microphone 'Webcam': there is no such device; there are: 0 Built"
    ):
        Microphone("Webcam").check()
    with pytest.raises(MediaDeviceNotFound, match=r"speaker 0: .*there are: 1 Built-in Out, 2 USB"):
        Speaker(0).open()
    fake.devices = []
    with pytest.raises(
        MediaDeviceNotFound, match="default microphone: there is no such device; there are: none"
    ):
        Microphone().open(8000)


def test_a_device_that_is_busy(fake: Fake) -> None:
    fake.refuse = lambda options: "Error opening stream: Device unavailable"
    with pytest.raises(MediaDeviceBusy, match=r"speaker 'Built-in Out': is in use or not allowed"):
        Speaker().open()


def test_a_device_that_does_not_start_is_left_alone(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(self: Stream) -> None:
        raise PortAudioError("Error starting stream: Device unavailable", -9985)

    monkeypatch.setattr(Stream, "start", busy)
    with pytest.raises(MediaDeviceBusy, match="is in use or not allowed"):
        Speaker().open()
    assert [stream.closed for stream in fake.streams] == [True]


def test_a_device_that_takes_its_own_rate_only(fake: Fake) -> None:
    fake.refuse = lambda options: None if options["samplerate"] == 44100 else "Invalid sample rate"
    stream = Microphone().open(8000)
    source = Tone(1000).open(44100)
    heard = b""
    for _ in range(100):
        fake.streams[0].feed(source.read(882))
        heard += stream.read(160)
    assert detect_tones(heard[3200:], [700, 1000], rate=8000) == [1000]
    fake.refuse = lambda options: "Invalid number of channels"
    with pytest.raises(MediaDeviceError, match="invalid number of channels"):
        Microphone().open(8000)


def test_a_microphone_that_is_pulled_out_says_so(fake: Fake) -> None:
    stream = Microphone().open(8000)
    assert stream.read(160) == bytes(320)
    fake.streams[0].unplug()
    with pytest.raises(MediaDeviceLost, match="microphone 'Built-in Mic': was unplugged"):
        stream.read(160)
    stream.close()
    assert fake.streams[0].closed


def test_a_speaker_plays_what_is_written(fake: Fake) -> None:
    speaker = Speaker("headset")
    speaker.write(bytes(320), 8000)  # not opened: nobody hears it
    speaker.open()
    stream = fake.streams[0]
    source = Tone(1000).open(8000)
    heard = b""
    for _ in range(100):
        speaker.write(source.read(160), 8000)
        heard += stream.play(960)
    assert detect_tones(heard[19200:], [700, 1000], rate=48000) == [1000]
    steps = np.abs(np.diff(np.frombuffer(heard, "<i2").astype(int)))
    assert steps[4800:].max() < 1200
    stream.unplug()
    with pytest.raises(MediaDeviceLost, match="speaker 'USB Headset'"):
        speaker.write(bytes(320), 8000)
    speaker.close()
    speaker.close()


@pytest.mark.parametrize("drift", [-0.01, 0.01])
def test_clocks_that_differ(fake: Fake, drift: float) -> None:
    """One per cent is a hundred times what sound cards do: little waits, and nothing grows."""
    stream = Microphone().open(8000)
    device, source, owed, silent = fake.streams[0], Tone(440).open(8000), 0.0, 0
    heard = bytearray()
    for _ in range(5000):
        owed += 1 + drift
        while owed >= 1:
            device.feed(source.read(160))
            owed -= 1
        pcm = stream.read(160)
        heard += pcm
        silent += pcm == bytes(320)
    steps = np.abs(np.diff(np.frombuffer(bytes(heard), "<i2").astype(int)))
    assert steps.max() < 2 * (7345 * 2 * np.pi * 440 / 8000 + np.pi / 2 * 7345 / 40)
    queue = stream._opened.queue  # type: ignore[attr-defined]
    assert queue._held <= 8000 * 2 * 0.2
    assert silent < 5000 * (0.04 if drift < 0 else 0.001) + 3


def test_threads_do_not_disturb_each_other(fake: Fake) -> None:
    stream = Microphone().open(8000)
    device, count = fake.streams[0], 2000
    thread = threading.Thread(target=lambda: [device.feed(b"\1\0" * 160) for _ in range(count)])
    thread.start()
    for _ in range(count):
        assert len(stream.read(160)) == 320
    thread.join()
    assert stream._opened.queue._held <= 8000 * 2 * 0.2  # type: ignore[attr-defined]


def test_without_sounddevice_or_portaudio_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    for error, words in ((ImportError("no"), r"sipua-webrtc\[audio\]"), (OSError("no"), "libportaudio2")):

        def refuse(name: str, *rest: Any, error: Exception = error) -> Any:
            if name == "sounddevice":
                raise error
            return real(name, *rest)

        with monkeypatch.context() as patch:
            patch.setattr(builtins, "__import__", refuse)
            with pytest.raises(MediaDeviceError, match=words) as caught:
                list_devices()
            assert "\n" not in str(caught.value)


def test_a_sound_system_that_is_broken(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise PortAudioError("PulseAudio: connection refused")

    monkeypatch.setattr(fake, "query_hostapis", broken)
    with pytest.raises(MediaDeviceError, match="connection refused"):
        list_devices()
    assert repr(Microphone()) == "Microphone()"
    assert repr(Speaker(3)) == "Speaker(3)"
