from __future__ import annotations

from pathlib import Path

import pytest

from sipua.cli.exits import Failure
from sipua.cli.phone.sound import Sound, SoundOptions
from sipua.errors import MediaDeviceError, MediaFileError
from sipua.media.devices import AudioDevice, Microphone, Speaker
from sipua.media.sources import AudioFile, Tone

SPEECH = Path(__file__).parents[3] / "examples" / "audio" / "speech.wav"
DEVICES = [
    AudioDevice(0, "Built-in Mic", "ALSA", 2, 0, 48000, True, False),
    AudioDevice(1, "Built-in Out", "ALSA", 0, 2, 48000, False, True),
    AudioDevice(2, "USB Headset", "ALSA", 1, 1, 48000, False, False),
]


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> list[AudioDevice]:
    devices = list(DEVICES)
    monkeypatch.setattr("sipua.media.devices.list_devices", lambda: devices)
    return devices


@pytest.fixture
def no_card(monkeypatch: pytest.MonkeyPatch) -> None:
    def list_devices() -> list[AudioDevice]:
        raise MediaDeviceError("sounddevice", "is not installed")

    monkeypatch.setattr("sipua.media.devices.list_devices", list_devices)


def test_the_default_card(card: list[AudioDevice]) -> None:
    sound = Sound()
    assert (sound.source_name, sound.sink_name) == ("microphone Built-in Mic", "speaker Built-in Out")
    assert isinstance(sound.source(), Microphone)
    assert isinstance(sound.sink(), Speaker)


def test_devices_by_name_and_number(card: list[AudioDevice]) -> None:
    sound = Sound(SoundOptions(microphone="usb", speaker="2"))
    assert (sound.source_name, sound.sink_name) == ("microphone USB Headset", "speaker USB Headset")
    with pytest.raises(Failure, match="no microphone 'hdmi'; there are: 0 Built-in Mic, 2 USB Headset"):
        sound.choose("microphone hdmi")
    assert sound.source_name == "microphone USB Headset"
    sound.choose("microphone built")
    sound.choose("quiet")
    assert (sound.source_name, sound.sink_name) == ("microphone Built-in Mic", None)
    sound.choose("speaker")
    assert sound.sink_name == "speaker Built-in Out"


def test_without_a_card(no_card: None) -> None:
    sound = Sound()
    assert (sound.source_name, sound.sink_name, sound.source(), sound.sink()) == ("silence", None, None, None)
    assert sound.problem == "sounddevice: is not installed"
    with pytest.raises(Failure, match="microphone: sounddevice: is not installed"):
        sound.choose("microphone")
    with pytest.raises(Failure, match="microphone usb: sounddevice: is not installed"):
        Sound(SoundOptions(microphone="usb"))
    sound.choose("tone 440")
    assert isinstance(sound.source(), Tone)
    sound.choose(f"file {SPEECH}")
    assert isinstance(sound.source(), AudioFile)
    assert sound.source_name == "file speech.wav"
    with pytest.raises(MediaFileError):
        sound.choose("file nothing.wav")
    assert sound.source_name == "file speech.wav"
    with pytest.raises(Failure):
        sound.choose("microphone")
    assert sound.source_name == "file speech.wav"
    sound.choose("silence")
    assert sound.source() is None


@pytest.mark.parametrize("what", ["tone", "tone high", "tone 0", "tone nan", "noise", "silence please", ""])
def test_what_is_no_sound(no_card: None, what: str) -> None:
    with pytest.raises(Failure):
        Sound().choose(what)


def test_a_device_that_is_gone(card: list[AudioDevice]) -> None:
    sound = Sound()
    del card[0]
    sound.lose(source=True)
    assert (sound.source_name, sound.sink_name) == ("silence", "speaker Built-in Out")
    del card[0]
    sound.lose(source=False)
    assert sound.sink_name is None


def test_what_can_be_chosen_is_suggested(card: list[AudioDevice]) -> None:
    sound = Sound()
    suggested = sound.suggestions()
    assert {"silence", "microphone USB Headset", "speaker USB Headset", "speaker Built-in Out"} <= {
        *suggested
    }
    assert "microphone Built-in Out" not in suggested
    for each in suggested:
        sound.choose(each)


def test_without_a_card_tones_and_files_are_suggested(no_card: None) -> None:
    assert "tone 440" in Sound().suggestions()
