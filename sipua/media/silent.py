"""An audio port without audio, for media that only looks like media."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from sipua.errors import InvalidStateError
from sipua.media.interface import (
    AudioPort,
    AudioReader,
    AudioSink,
    AudioSource,
    PcmChunk,
    PcmStream,
    Playback,
    Utterance,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sipua.media.levels import LevelMeter
    from sipua.media.recording import Recording

__all__ = ["SilentAudioPort"]

_T = TypeVar("_T")


class SilentAudioPort(AudioPort):
    """An audio port without audio: what is written is gone at once, and nothing is ever heard."""

    def __init__(self) -> None:
        self._closed = False
        self._source: AudioSource | None = None
        self._playback: Playback | None = None
        self._muted = False
        self._gains = 0.0, 0.0
        self._hold_music: AudioSource | None = None
        self.held = False
        self._ends: list[Callable[[], None]] = []

    @property
    def source(self) -> AudioSource | None:
        """The last source that was set, never opened."""
        return self._source

    @source.setter
    def source(self, source: AudioSource | str | Path | None) -> None:
        self._source = source if isinstance(source, AudioSource) else None

    @property
    def playback(self) -> Playback | None:
        """What plays, or played last, as far as that can be said of nothing."""
        return self._playback

    def play(self, source: AudioSource | str | Path) -> Playback:
        """A playback that lasts until it is stopped or the call ends."""
        self.source = source
        self._playback = playback = self._until_closed(_SilentPlayback())
        return playback

    @property
    def muted(self) -> bool:
        """As `mute` and `unmute` left it."""
        return self._muted

    def mute(self) -> None:
        """Only noted."""
        self._muted = True

    def unmute(self) -> None:
        """Only noted."""
        self._muted = False

    @property
    def output_gain(self) -> float:
        """As it was set."""
        return self._gains[0]

    @output_gain.setter
    def output_gain(self, decibels: float) -> None:
        self._gains = decibels, self._gains[1]

    @property
    def input_gain(self) -> float:
        """As it was set."""
        return self._gains[1]

    @input_gain.setter
    def input_gain(self, decibels: float) -> None:
        self._gains = self._gains[0], decibels

    @property
    def hold_music(self) -> AudioSource | None:
        """The source that was set last, which nobody hears."""
        return self._hold_music

    @hold_music.setter
    def hold_music(self, source: AudioSource | str | Path | None) -> None:
        self._hold_music = None if source is None else self.checked_hold_music(source)

    def checked_hold_music(self, source: AudioSource | str | Path) -> AudioSource | None:
        """Files are not looked at, nor kept."""
        return source if isinstance(source, AudioSource) else None

    def as_source(self) -> AudioSource:
        """A source that is never heard."""
        return _NothingHeard()

    def record(self, recording: Recording | str | Path) -> Recording:
        """Accepted; no file is made."""
        from sipua.media.recording import as_recording

        if self._closed:
            raise InvalidStateError("record", "closed")
        made = as_recording(recording)
        self._ends.append(made.stop)
        return made

    def meter(self) -> LevelMeter:
        """Both sides are silent."""
        from sipua.media.levels import LevelMeter

        return LevelMeter(lambda meter: None)

    def add_sink(self, sink: AudioSink | str | Path) -> AudioSink:
        """Accepted and never opened or written to."""
        return sink if isinstance(sink, AudioSink) else _Nowhere()

    def remove_sink(self, sink: AudioSink) -> None:
        """Does nothing."""

    def read(self, rate: int = 16000, *, max_queued: float = 1.0) -> AudioReader:
        """An iteration without chunks that lasts until the call ends."""
        return self._until_closed(_SilentReader())

    async def write(self, pcm: bytes, rate: int = 16000) -> Utterance:
        """Dropped."""
        if self._closed:
            raise InvalidStateError("write", "closed")
        return _Unheard()

    def clear(self) -> float:
        """There is never anything queued."""
        return 0.0

    async def drain(self) -> None:
        """Returns at once."""

    def close(self) -> None:
        """End everything that lasts as long as the call."""
        self._closed = True
        ends, self._ends = self._ends, []
        for end in ends:
            end()

    def _until_closed(self, thing: _T) -> _T:
        assert isinstance(thing, _SilentPlayback | _SilentReader)
        if self._closed:
            thing.end()
        else:
            self._ends.append(thing.end)
        return thing


class _Unheard(Utterance):
    seconds = heard = 0.0
    started = ended = None

    async def wait(self) -> bool:
        return False


class _NothingHeard(AudioSource):
    def open(self, rate: int) -> PcmStream:
        return _EndedStream()


class _EndedStream(PcmStream):
    def read(self, samples: int) -> bytes:
        return b""


class _Nowhere(AudioSink):
    def write(self, pcm: bytes, rate: int) -> None:
        pass


class _SilentPlayback(Playback):
    def __init__(self) -> None:
        self.paused = False
        self._gain = 0.0
        self._over = asyncio.Event()

    @property
    def finished(self) -> bool:
        return self._over.is_set()

    async def wait(self) -> bool:
        await self._over.wait()
        return False

    def stop(self) -> None:
        self._over.set()

    end = stop

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    @property
    def gain(self) -> float:
        return self._gain

    @gain.setter
    def gain(self, decibels: float) -> None:
        self._gain = decibels

    @property
    def position(self) -> float:
        return 0.0

    @property
    def duration(self) -> float | None:
        return None

    def seek(self, seconds: float) -> None:
        if self.finished:
            raise InvalidStateError("seek", "finished")


class _SilentReader(AudioReader):
    def __init__(self) -> None:
        self._over = asyncio.Event()

    async def __anext__(self) -> PcmChunk:
        await self._over.wait()
        raise StopAsyncIteration

    def close(self) -> None:
        self._over.set()

    end = close
