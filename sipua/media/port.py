"""The audio port of a call: the application's view of what is heard and said.

It owns an `Outlet` (pulled by the audio clock), an `Inlet` (fed by it) and the call's DTMF, and nothing else of
the media path: a branch of the call plugs into them, and another branch can take its place. Once per tick the
branch in use tells what was `heard` and then what was `said`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

from sipua.errors import InvalidStateError
from sipua.media.bridging import HeardSource
from sipua.media.disk import all_closed
from sipua.media.dtmf.call import CallDtmf
from sipua.media.dtmf.detector import DtmfSink
from sipua.media.fades import Gain
from sipua.media.faults import FAULTS, told
from sipua.media.inlet import Inlet, PcmReader
from sipua.media.interface import (
    AudioPort,
    AudioReader,
    AudioSink,
    AudioSource,
    Playback,
    Utterance,
)
from sipua.media.levels import LevelMeter, VoiceTap
from sipua.media.outlet import Outlet
from sipua.media.pcm import samples_per_frame, silence
from sipua.media.recording import Recording, as_recording
from sipua.media.sinks import as_some_sink, check_apart
from sipua.media.sources import as_source
from sipua.media.timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sipua.errors import MediaError

__all__ = ["AudioTap", "CallAudio"]


class AudioTap(Protocol):
    """Listens to both directions of a call: recording of both sides, level meters, conferences."""

    def tick(self, heard: bytes, heard_rate: int, said: bytes, said_rate: int) -> None:
        """20 ms of what the peer said and of what it was sent, at rates that may change.

        An exception takes the tap off the call.
        """


class CallAudio(AudioPort):
    """The audio of one call, whichever branch of it is in use."""

    def __init__(self, on_error: Callable[[MediaError], None], clock: Callable[[], float]) -> None:
        self.dtmf = CallDtmf()
        self.outlet = Outlet(on_error, self.dtmf.inband.replace, clock)
        self.inlet = Inlet(on_error, clock)
        self._on_error = on_error
        self._clock = clock
        self._input_gain = Gain()
        self._hold_music: AudioSource | None = None
        self._held = False
        self._recordings: list[Recording] = []
        self._taps: list[AudioTap] = []
        self._heard: tuple[bytes, int] | None = None
        self._closed = False

    # --- the media path's end -----------------------------------------------------------------------------

    @property
    def listening(self) -> bool:
        """Whether anybody wants to know what the peer says: else it need not be decoded."""
        return bool(self.inlet) or bool(self._taps)

    def heard(self, pcm: bytes, rate: int) -> None:
        """What the peer said in this tick."""
        pcm = self._input_gain(pcm)
        if self.inlet:
            self.inlet.push(pcm, rate)
        self._heard = (pcm, rate)

    def said(self, pcm: bytes, rate: int) -> None:
        """What it was sent in this tick. Comes after `heard`, if that comes at all."""
        if not self._taps:
            return
        heard, heard_rate = self._heard or (silence(samples_per_frame(rate)), rate)
        self._heard = None
        for tap in self._taps[:]:
            try:
                tap.tick(heard, heard_rate, pcm, rate)
            except FAULTS as error:
                self.remove_tap(tap)
                self._on_error(told(f"audio tap {tap!r}", error))

    def add_tap(self, tap: AudioTap) -> None:
        """Call its `tick` every 20 ms from now on, while the call has media."""
        if self._closed:
            raise InvalidStateError("add_tap", "closed")
        self._taps.append(tap)

    def remove_tap(self, tap: AudioTap) -> None:
        """Leave it alone. Unknown taps are ignored."""
        if tap in self._taps:
            self._taps.remove(tap)

    # --- the application's end ----------------------------------------------------------------------------

    @property
    def source(self) -> AudioSource | None:
        """What plays."""
        return self.outlet.source

    @source.setter
    def source(self, source: AudioSource | str | Path | None) -> None:
        self.outlet.play(self._checked(source))

    @property
    def playback(self) -> Playback | None:
        """What plays, or what played last."""
        return self.outlet.playback

    def play(self, source: AudioSource | str | Path) -> Playback:
        """Play it now."""
        return self.outlet.play(self._checked(source))

    def _checked(self, value: AudioSource | str | Path | None) -> AudioSource | None:
        source = as_source(value)
        if source is not None:
            source.check()
            for sink in self.inlet.sinks:
                check_apart(source, sink)
            for recording in self._recordings:
                check_apart(source, recording if not recording.closed else None)
        return source

    @property
    def muted(self) -> bool:
        """Whether the peer hears silence."""
        return self.outlet.muted

    def mute(self) -> None:
        """Send silence."""
        self.outlet.muted = True

    def unmute(self) -> None:
        """Send sound again."""
        self.outlet.muted = False

    @property
    def output_gain(self) -> float:
        """Of the outlet."""
        return self.outlet.gain.decibels

    @output_gain.setter
    def output_gain(self, decibels: float) -> None:
        self.outlet.gain.decibels = decibels

    @property
    def input_gain(self) -> float:
        """Of all that is heard."""
        return self._input_gain.decibels

    @input_gain.setter
    def input_gain(self, decibels: float) -> None:
        self._input_gain.decibels = decibels

    @property
    def hold_music(self) -> AudioSource | None:
        """What a peer on hold hears."""
        return self._hold_music

    @hold_music.setter
    def hold_music(self, source: AudioSource | str | Path | None) -> None:
        self.set_hold_music(None if source is None else self.checked_hold_music(source))

    def set_hold_music(self, music: AudioSource | None) -> None:
        """The same, of a source that has been checked."""
        self._hold_music = music
        self.held = self._held

    @property
    def held(self) -> bool:
        """Whether the music plays, if there is any."""
        return self._held

    @held.setter
    def held(self, held: bool) -> None:
        self._held = held
        self.outlet.hold(self._hold_music if held else None)

    def as_source(self) -> AudioSource:
        """What the peer says."""
        return HeardSource(self.inlet)

    def record(self, recording: Recording | str | Path) -> Recording:
        """Listen to both sides, and let threads write."""
        if self._closed:
            raise InvalidStateError("record", "closed")
        made = as_recording(recording)
        check_apart(self.outlet.source, made)
        made.start(Timeline(self._clock), self._on_error, self.remove_tap)
        self._recordings = [other for other in self._recordings if not other.closed] + [made]
        self.add_tap(made)
        return made

    async def wait_recorded(self) -> None:
        """Wait until all files are complete, unless a disk does not take them. What went wrong has been told."""
        await all_closed((*self._recordings, *self.inlet.files))

    def meter(self) -> LevelMeter:
        """A tap that remembers the last tick."""
        meter = LevelMeter(self.remove_tap)
        self.add_tap(meter)
        return meter

    def detect_voice(self, tell: Callable[[Literal["remote", "local"], bool], None]) -> None:
        """Tell when either side begins and ceases to speak."""
        self.add_tap(VoiceTap(tell))

    def add_sink(self, sink: AudioSink | str | Path) -> AudioSink:
        """Open it and give it what the peer says from now on."""
        if self._closed:
            raise InvalidStateError("add_sink", "closed")
        made = as_some_sink(sink)
        check_apart(self.outlet.source, made)
        self.inlet.add(made)
        return made

    def remove_sink(self, sink: AudioSink) -> None:
        """Take it off and close it."""
        self.inlet.remove(sink)

    def read(self, rate: int = 16000, *, max_queued: float = 1.0) -> AudioReader:
        """What the peer says from now on."""
        reader = PcmReader(rate, max_queued, self.inlet.remove, self._clock)
        if self._closed:
            reader.close()
        else:
            self.inlet.add(reader)
        return reader

    async def write(self, pcm: bytes, rate: int = 16000) -> Utterance:
        """Queue PCM for the peer."""
        return await self.outlet.written.write(pcm, rate)

    def clear(self) -> float:
        """Drop what was written and not heard."""
        return self.outlet.clear()

    async def drain(self) -> None:
        """Wait until what was written has been sent."""
        await self.outlet.written.drain()

    def echo(self) -> None:
        """Let the peer hear itself."""
        self.outlet.play(HeardSource(self.inlet, "echo"))

    def detect_dtmf(self) -> None:
        """Look for tones in what the peer says from now on."""
        self.inlet.add(DtmfSink(self.dtmf.detected))

    def close(self) -> None:
        """End playbacks and readers, finish recordings. Idempotent."""
        self._closed = True
        self._taps.clear()
        for recording in self._recordings:
            recording.stop()
        self.dtmf.close()
        self.outlet.close()
        self.inlet.close()
