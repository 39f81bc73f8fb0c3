"""What a conference itself says to all its members, and who listens to it besides them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sipua.errors import ConfigurationError, MediaError
from sipua.media.conference.mixer import RATES
from sipua.media.conference.voice import Voice
from sipua.media.disk import all_closed
from sipua.media.inlet import Inlet, PcmReader
from sipua.media.outlet import Outlet
from sipua.media.pcm import SAMPLE_BYTES, silence
from sipua.media.recording import Recording, as_recording
from sipua.media.sinks import as_some_sink, check_apart
from sipua.media.sources import as_source
from sipua.media.timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sipua.media.interface import AudioReader, AudioSink, AudioSource, Playback

__all__ = ["RoomSound", "checked_recording", "checked_source"]


def checked_source(value: AudioSource | str | Path) -> AudioSource:
    """The source that `value` means. MediaFileError: a file that cannot be played."""
    source = as_source(value)
    if source is None:
        raise TypeError("play needs a source or a path")
    source.check()
    return source


def checked_recording(value: Recording | str | Path) -> Recording:
    """The recording that `value` means. There is one side only. MediaFileError: a file that cannot be written."""
    recording = as_recording(value)
    if recording.mode != "remote":
        raise ConfigurationError("record", recording, 'a conference has one side: give mode="remote"')
    recording.check()
    return recording


def _now() -> float:
    return asyncio.get_running_loop().time()


class RoomSound:
    """One more voice in the mix. In each tick `speak` goes before it, and `listen` comes after it."""

    def __init__(self, on_error: Callable[[MediaError], None]) -> None:
        self.voice = Voice(gated=False)
        self._outlet = Outlet(on_error, clock=_now)
        self.written = self._outlet.written
        self._on_error = on_error
        self._everything = Inlet(on_error, _now)
        self._recordings: list[Recording] = []
        self._members = Inlet(on_error, _now)

    @property
    def saying(self) -> bool:
        """Whether there is something to be said."""
        return self._outlet.source is not None or bool(self.written)

    @property
    def busy(self) -> bool:
        """Whether anything is said, or anybody listens."""
        return bool(self._everything) or bool(self._members) or self.saying or self._recorded

    @property
    def _recorded(self) -> bool:
        return any(not recording.stopped for recording in self._recordings)

    def play(self, value: AudioSource | str | Path) -> Playback:
        """Say this, in the place of what was played before."""
        source = checked_source(value)
        for sink in self._everything.sinks:
            check_apart(source, sink)
        for recording in self._recordings:
            check_apart(source, recording if not recording.closed else None)
        return self._outlet.play(source)

    def clear(self) -> float:
        """Drop what was written; returns its seconds."""
        return self._outlet.clear()

    def add_sink(self, value: AudioSink | str | Path) -> AudioSink:
        """Give it everything from now on."""
        sink = as_some_sink(value)
        check_apart(self._outlet.source, sink)
        self._everything.add(sink)
        return sink

    def record(self, recording: Recording) -> None:
        """Record everything from now on."""
        check_apart(self._outlet.source, recording)
        recording.start(Timeline(_now), self._on_error)
        self._recordings = [other for other in self._recordings if not other.closed] + [recording]

    def remove_sink(self, sink: AudioSink) -> None:
        """Take it off and close it."""
        self._everything.remove(sink)

    def read(self, rate: int, max_queued: float) -> AudioReader:
        """What the members say from now on."""
        reader = PcmReader(rate, max_queued, self._members.remove)
        self._members.add(reader)
        return reader

    def speak(self, rate: int) -> int:
        """Set what the voice says in this tick, at `rate`, or at the highest one there is if that is 0. Returns it."""
        voice, outlet = self.voice, self._outlet
        if not rate and self.saying:
            rate = RATES[-1]
        voice.rate = rate
        if rate:
            outlet.set_rate(rate)
            pcm = outlet.pull() if self.saying or voice.pcm is not None else b""
            voice.pcm = None if pcm == silence(len(pcm) // SAMPLE_BYTES) else pcm
        return rate

    def listen(self, everything: bytes, rate: int) -> None:
        """All that was heard in this tick."""
        if self._everything:
            self._everything.push(everything, rate)
        for recording in self._recordings:
            recording.tick(everything, rate, b"", rate)
        if self._members:
            self._members.push(self.voice.mixed, rate)

    def close(self) -> None:
        """End what is played, finish recordings."""
        self._outlet.close()
        self._everything.close()
        self._members.close()
        for recording in self._recordings:
            recording.stop()

    async def wait_recorded(self) -> None:
        """Wait until all files are complete, some seconds at most."""
        await all_closed((*self._recordings, *self._everything.files))
