"""What peers hear from us, and where we hear them: a sound card, or files and tones where there is none."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sipua.cli.exits import ExitCode, Failure
from sipua.errors import MediaDeviceError

if TYPE_CHECKING:
    from sipua.media.devices import AudioDevice
    from sipua.media.interface import AudioSink, AudioSource

__all__ = ["CHOICES", "Sound", "SoundOptions"]

Device = str | Literal[False] | None
"""A device by index or name (a part of it will do); None: the default one, if there is one; False: none."""


@dataclass(frozen=True, kw_only=True)
class SoundOptions:
    """What was asked for. A file or tone goes before the microphone; without any of them peers hear silence."""

    microphone: Device = None
    speaker: Device = None
    play: Path | None = None
    tone: float | None = None


class Sound:
    """Makes sources and sinks for calls. `problem` says why there is no sound card, if one would be used.

    :raises Failure: a device that was named does not exist.
    :raises MediaFileError: a file that cannot be played.
    """

    def __init__(self, options: SoundOptions | None = None) -> None:
        self.options = options if options is not None else SoundOptions()
        self.problem: str | None = None
        self._microphone: str | int | None = None
        self._speaker: str | int | None = None
        self._resolve()

    def change(self, **changes: Device | Path | float | None) -> None:
        """Use something else from now on; see `SoundOptions`. What cannot be used changes nothing."""
        before = self.options
        self.options = replace(before, **changes)  # type: ignore[arg-type]
        try:
            self._resolve()
        except Exception:
            self.options = before
            self._resolve()
            raise

    def choose(self, what: str) -> None:
        """As a person says it: one of `CHOICES`.

        :raises Failure: none of these, or it cannot be used.
        :raises MediaFileError: a file that cannot be played.
        """
        word, _, rest = what.strip().partition(" ")
        detail = rest.strip() or None
        before = self.options
        self.change(**_changes(word, detail, what))
        missing = {"microphone": self._microphone, "speaker": self._speaker}.get(word, "") is None
        if missing:
            why = self.problem
            self.change(**vars(before))
            raise Failure(f"{word}: {why}")

    def suggestions(self) -> list[str]:
        """What `choose` takes here, with the devices that there are."""
        from sipua.media.devices import list_devices

        found = ["microphone", "speaker", "silence", "quiet", "tone 440"]
        with contextlib.suppress(MediaDeviceError):
            for device in list_devices():
                found += [f"microphone {device.name}"] if device.inputs else []
                found += [f"speaker {device.name}"] if device.outputs else []
        return found

    def lose(self, source: bool) -> None:
        """The microphone, or else the speaker, does not work any more: do without."""
        self.change(**({"microphone": False} if source else {"speaker": False}))

    @property
    def source_name(self) -> str:
        """What peers hear, for people."""
        options = self.options
        if options.play is not None:
            return f"file {options.play.name}"
        if options.tone is not None:
            return f"tone {options.tone:g} Hz"
        return "silence" if self._microphone is None else f"microphone {self._microphone}"

    @property
    def sink_name(self) -> str | None:
        """Where we hear peers, for people; None: nowhere."""
        return None if self._speaker is None else f"speaker {self._speaker}"

    @property
    def uses_microphone(self) -> bool:
        """Whether it is a microphone that peers hear."""
        return self.options.play is None and self.options.tone is None and self._microphone is not None

    def source(self) -> AudioSource | None:
        """What one call hears, from its beginning; None: silence."""
        from sipua.media.devices import Microphone
        from sipua.media.sources import AudioFile, Tone

        if self.options.play is not None:
            return AudioFile(self.options.play, loop=True)
        if self.options.tone is not None:
            return Tone(self.options.tone)
        return None if self._microphone is None else Microphone(self._microphone)

    def sink(self) -> AudioSink | None:
        """Where one call is heard; None: nowhere."""
        from sipua.media.devices import Speaker

        return None if self._speaker is None else Speaker(self._speaker)

    # --- devices ------------------------------------------------------------------------------------------

    def _resolve(self) -> None:
        options = self.options
        self.problem = None
        self._microphone = self._speaker = None
        if options.play is not None:
            self.source().check()  # type: ignore[union-attr]
        recorded = options.play is not None or options.tone is not None
        if not recorded and options.microphone is not False:
            self._microphone = self._find(options.microphone, "inputs")
        if options.speaker is not False:
            self._speaker = self._find(options.speaker, "outputs")

    def _find(self, wanted: str | None, kind: Literal["inputs", "outputs"]) -> str | None:
        from sipua.media.devices import list_devices

        word = "microphone" if kind == "inputs" else "speaker"
        try:
            devices = [device for device in list_devices() if getattr(device, kind)]
        except MediaDeviceError as error:
            if wanted is not None:
                raise Failure(f"{word} {wanted}: {error}", ExitCode.USAGE) from None
            self.problem = str(error)
            return None
        if wanted is None:
            found = next((device for device in devices if _is_default(device, kind)), None)
            if found is None:
                self.problem = f"there is no {word}"
            return None if found is None else found.name
        for device in devices:
            if wanted == str(device.index) or wanted.lower() in device.name.lower():
                return device.name
        there = ", ".join(f"{device.index} {device.name}" for device in devices) or "none"
        raise Failure(f"no {word} {wanted!r}; there are: {there}", ExitCode.USAGE)


CHOICES = "microphone [NAME], file PATH, tone HZ, silence, speaker [NAME], quiet"


def _changes(word: str, detail: str | None, what: str) -> dict[str, Device | Path | float | None]:
    """The options that a choice means."""
    if word == "speaker":
        return {"speaker": detail}
    if word == "quiet" and detail is None:
        return {"speaker": False}
    if word == "silence" and detail is None:
        return {"play": None, "tone": None, "microphone": False}
    if word == "microphone":
        return {"play": None, "tone": None, "microphone": detail}
    if word == "tone" and detail is not None:
        return {"play": None, "tone": _hertz(detail), "microphone": False}
    if word == "file" and detail is not None:
        return {"play": Path(detail).expanduser(), "tone": None, "microphone": False}
    raise Failure(f"sound: {what!r} is none of {CHOICES}", ExitCode.USAGE)


def _hertz(text: str) -> float:
    try:
        frequency = float(text)
    except ValueError:
        frequency = 0.0
    if not 1 <= frequency <= 20000:
        raise Failure(f"tone: {text!r} is not a frequency; it looks like 440", ExitCode.USAGE)
    return frequency


def _is_default(device: AudioDevice, kind: Literal["inputs", "outputs"]) -> bool:
    return device.default_input if kind == "inputs" else device.default_output
