"""Microphone and speaker, by `sounddevice` (PortAudio): ``pip install "sipua-webrtc[audio]"``.

PortAudio calls back in a thread of its own. What it brings and takes goes through queues that neither side waits for;
where the clock of a sound card differs from the call's, a frame is left out or a short silence put in now and then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sipua.errors import (
    MediaDeviceBusy,
    MediaDeviceError,
    MediaDeviceLost,
    MediaDeviceNotFound,
)
from sipua.media.interface import AudioSink, AudioSource, PcmStream

if TYPE_CHECKING:
    from collections.abc import Callable

    from sipua.media.pcm import Resampler

__all__ = ["AudioDevice", "Microphone", "Speaker", "list_devices"]

Kind = Literal["input", "output"]

_WORD = {"input": "microphone", "output": "speaker"}
_SAMPLE = 2


@dataclass(frozen=True, slots=True)
class AudioDevice:
    """A sound device of this machine."""

    index: int
    name: str
    host: str
    """The sound system it belongs to, such as ``ALSA`` or ``Core Audio``."""
    inputs: int
    """Channels that can be recorded; 0: no microphone."""
    outputs: int
    """Channels that can be played; 0: no speaker."""
    rate: int
    """The sample rate it prefers, in Hz."""
    default_input: bool
    default_output: bool


def list_devices() -> list[AudioDevice]:
    """All sound devices. Raises MediaDeviceError when `sounddevice` or PortAudio is missing."""
    sounddevice = _sounddevice()
    try:
        hosts = sounddevice.query_hostapis()
        found = sounddevice.query_devices()
        defaults = tuple(sounddevice.default.device)
    except sounddevice.PortAudioError as error:
        raise MediaDeviceError("sound devices", _reason(error)) from None
    return [
        AudioDevice(
            index=index,
            name=str(device["name"]),
            host=str(hosts[device["hostapi"]]["name"]),
            inputs=int(device["max_input_channels"]),
            outputs=int(device["max_output_channels"]),
            rate=round(device["default_samplerate"]),
            default_input=index == defaults[0],
            default_output=index == defaults[1],
        )
        for index, device in enumerate(found)
    ]


def _sounddevice() -> Any:
    try:
        import sounddevice
    except ImportError:
        raise MediaDeviceError(
            "sounddevice", 'is not installed; run: pip install "sipua-webrtc[audio]"'
        ) from None
    except OSError:
        raise MediaDeviceError(
            "PortAudio", "is not installed; install the package libportaudio2 (Debian) or portaudio"
        ) from None
    return sounddevice


def _find(wanted: int | str | None, kind: Kind) -> AudioDevice:
    """By index, by name or a part of it in any case, or (None) the default."""
    able = [d for d in list_devices() if (d.inputs if kind == "input" else d.outputs)]
    if wanted is None:
        found = [d for d in able if (d.default_input if kind == "input" else d.default_output)]
    elif isinstance(wanted, int):
        found = [d for d in able if d.index == wanted]
    else:
        exact = [d for d in able if d.name.lower() == wanted.lower()]
        found = exact or [d for d in able if wanted.lower() in d.name.lower()]
    if found:
        return found[0]
    names = ", ".join(f"{d.index} {d.name}" for d in able) or "none"
    what = f"default {_WORD[kind]}" if wanted is None else f"{_WORD[kind]} {wanted!r}"
    raise MediaDeviceNotFound(what, f"there is no such device; there are: {names}")


class _Opened:
    """A device that is in use, and why it no longer is."""

    def __init__(self, device: AudioDevice, kind: Kind, rate: int) -> None:
        from sipua.media.elastic import ElasticQueue

        sounddevice = _sounddevice()
        self.device = device
        self.rate = rate
        self._what = f"{_WORD[kind]} {device.name!r}"
        self._closing = self._gone = False
        self.queue = ElasticQueue(self.rate)
        make = sounddevice.RawInputStream if kind == "input" else sounddevice.RawOutputStream
        callback: Callable[..., None] = self._record if kind == "input" else self._play
        try:
            self._stream = make(
                device=device.index,
                samplerate=self.rate,
                blocksize=self.rate // 50,
                channels=1,
                dtype="int16",
                callback=callback,
                finished_callback=self._finished,
            )
        except sounddevice.PortAudioError as error:
            raise _refused(self._what, _reason(error)) from None
        try:
            self._stream.start()
        except sounddevice.PortAudioError as error:
            self.close()  # or it would be in use from then on
            raise _refused(self._what, _reason(error)) from None

    def check(self) -> None:
        """Raise MediaDeviceLost when it was pulled out."""
        if self._gone:
            raise MediaDeviceLost(self._what, "was unplugged or has stopped; choose another device")

    def close(self) -> None:
        self._closing = True
        self._stream.close(ignore_errors=True)

    def _record(self, data: Any, frames: int, time: Any, status: Any) -> None:
        self.queue.put(bytes(data))

    def _play(self, data: Any, frames: int, time: Any, status: Any) -> None:
        data[:] = self.queue.take(frames * _SAMPLE)

    def _finished(self) -> None:
        self._gone = not self._closing


def _open(device: int | str | None, kind: Kind, rate: int) -> _Opened:
    found = _find(device, kind)
    try:
        return _Opened(found, kind, rate)
    except MediaDeviceBusy:
        raise
    except MediaDeviceError:
        # Some take no rate but their own.
        if found.rate == rate:
            raise
        return _Opened(found, kind, found.rate)


class Microphone(AudioSource):
    """A microphone: the default one, or by index or name (a part of it will do); see `list_devices`."""

    def __init__(self, device: int | str | None = None) -> None:
        self.device = device

    def __repr__(self) -> str:
        return f"Microphone({'' if self.device is None else repr(self.device)})"

    def check(self) -> None:
        """Raise MediaDeviceError when there is no such microphone."""
        _find(self.device, "input")

    def open(self, rate: int) -> PcmStream:
        """Begin to listen. Raises MediaDeviceError."""
        return _MicrophoneStream(_open(self.device, "input", rate), rate)


class _MicrophoneStream(PcmStream):
    def __init__(self, opened: _Opened, rate: int) -> None:
        from sipua.media.pcm import Resampler

        self._opened = opened
        self._resampler = Resampler(opened.rate, rate)
        self._buffer = bytearray()

    def read(self, samples: int) -> bytes:
        wanted = samples * _SAMPLE
        if len(self._buffer) < wanted:
            self._opened.check()
            self._buffer += self._resampler(self._opened.queue.take(self._opened.rate // 50 * _SAMPLE))
        pcm = bytes(self._buffer[:wanted])
        del self._buffer[:wanted]
        return pcm.ljust(wanted, b"\0")

    def close(self) -> None:
        self._opened.close()


class Speaker(AudioSink):
    """A speaker: the default one, or by index or name (a part of it will do); see `list_devices`."""

    def __init__(self, device: int | str | None = None) -> None:
        self.device = device
        self._opened: _Opened | None = None
        self._resampler: Resampler | None = None

    def __repr__(self) -> str:
        return f"Speaker({'' if self.device is None else repr(self.device)})"

    def check(self) -> None:
        """Raise MediaDeviceError when there is no such speaker."""
        _find(self.device, "output")

    def open(self) -> None:
        """Begin to play. Raises MediaDeviceError."""
        self._opened = _open(self.device, "output", 48000)

    def write(self, pcm: bytes, rate: int) -> None:
        """Play it after what waits. Raises MediaDeviceLost."""
        from sipua.media.pcm import Resampler

        opened = self._opened
        if opened is None:
            return
        opened.check()
        if self._resampler is None or self._resampler.source_rate != rate:
            self._resampler = Resampler(rate, opened.rate)
        opened.queue.put(self._resampler(pcm))

    def close(self) -> None:
        """Be silent."""
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()


def _reason(error: Exception) -> str:
    text = str(error.args[0]) if error.args else type(error).__name__
    return text.strip().lower()


def _refused(what: str, reason: str) -> MediaDeviceError:
    """What PortAudio says, as one of our errors."""
    if "unavailable" in reason or "busy" in reason or "permission" in reason or "denied" in reason:
        return MediaDeviceBusy(what, f"is in use or not allowed ({reason}); close what uses it, or allow it")
    if "invalid device" in reason or "no such" in reason or "not found" in reason:
        return MediaDeviceNotFound(what, f"is not there any more ({reason}); choose another device")
    return MediaDeviceError(what, reason)
