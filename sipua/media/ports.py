# Hooks that an implementation may leave out are empty on purpose.
# ruff: noqa: B027
"""What an application puts sound and pictures into, and gets them out of.

PCM is always little-endian signed 16 bit, one channel. Rates are in Hz, times in seconds. All calls come from one
event loop; those that are not coroutines are cheap and never block.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sipua.errors import MediaError

if TYPE_CHECKING:
    from pathlib import Path

    from sipua.media.bridging import Bridge
    from sipua.media.levels import LevelMeter
    from sipua.media.recording import Recording

__all__ = [
    "AudioLevels",
    "AudioPort",
    "AudioReader",
    "AudioSink",
    "AudioSource",
    "PcmChunk",
    "PcmStream",
    "Playback",
    "Utterance",
    "VideoPort",
    "VideoSource",
]


class PcmStream(ABC):
    """An opened source: hands out PCM on demand, at the rate it was opened with."""

    @abstractmethod
    def read(self, samples: int) -> bytes:
        """Up to `samples` samples of PCM. Fewer than asked, or none, means that the source has ended.

        Never blocks. A source that has nothing to give yet gives silence.
        """

    @property
    def duration(self) -> float | None:
        """Seconds of all there is, once; None when that is not known or has no end."""
        return None

    def seek(self, seconds: float) -> None:
        """Go on from so many seconds after the beginning. Raises MediaError when that is not possible."""
        raise MediaError("only a file can be sought in")

    def close(self) -> None:
        """Release what was opened. Called once."""


class AudioSource(ABC):
    """Something to be heard by the peer. May be given to several calls; each opens a stream of its own."""

    gain: float = 0.0
    """Volume in dB at which it is played."""

    def check(self) -> None:
        """Raise MediaFileError or ConfigurationError now if `open` would fail.

        Called before anything is sent.
        """

    @abstractmethod
    def open(self, rate: int) -> PcmStream:
        """A stream of PCM at `rate` Hz, from the beginning. Called in the event loop."""


class AudioSink(ABC):
    """Something that takes what the peer says. Belongs to one call."""

    blocking: bool = False
    """Whether `write` and `close` may block, as for a file: a thread calls them then, in order.

    At most a minute waits for that thread; a sink that is slower is taken off the call.
    """

    def open(self) -> None:
        """Prepare, once, before the first `write`. Raises MediaFileError when that is not possible."""

    @abstractmethod
    def write(self, pcm: bytes, rate: int) -> None:
        """Take some PCM at `rate` Hz, which may change. An exception takes the sink off the call."""

    def close(self) -> None:
        """Finish. Called once, also after an exception."""


class Playback(ABC):
    """One source being played into a call."""

    @property
    @abstractmethod
    def finished(self) -> bool:
        """Whether the source has been heard to its end, was replaced or stopped, or the call ended."""

    @abstractmethod
    async def wait(self) -> bool:
        """Wait until finished. True when it was heard to its end."""

    @abstractmethod
    def stop(self) -> None:
        """Stop it; the peer then hears silence."""

    paused: bool
    """Whether it waits where it is, and the peer hears silence. `pause` and `resume` say so."""

    @abstractmethod
    def pause(self) -> None:
        """Wait where it is."""

    @abstractmethod
    def resume(self) -> None:
        """Go on where it waits."""

    @property
    @abstractmethod
    def gain(self) -> float:
        """Volume in dB, 0 as it is; may be set while it plays."""

    @gain.setter
    @abstractmethod
    def gain(self, decibels: float) -> None: ...

    @property
    @abstractmethod
    def position(self) -> float:
        """Seconds into the source; of one that plays over and over, since it began anew."""

    @property
    @abstractmethod
    def duration(self) -> float | None:
        """Seconds of the source, played once; None when that is not known or has no end."""

    @abstractmethod
    def seek(self, seconds: float) -> None:
        """Go on from so many seconds after the beginning; beyond the end it is over.

        Raises MediaError for a source that cannot be sought in, InvalidStateError when it is finished, ValueError for
        a negative time.
        """


class Utterance(ABC):
    """What one `write` gave the peer to hear. Times are those of the event loop (`loop.time()`)."""

    seconds: float
    """How long it is."""
    heard: float
    """How much of it has been sent, in seconds."""
    started: float | None
    """When its first sample was sent."""
    ended: float | None
    """When the last that was sent of it is over; None before, and when nothing of it was sent."""

    @abstractmethod
    async def wait(self) -> bool:
        """Wait until it is over. True when it was heard to its end, False when it was cleared."""


@dataclass(frozen=True, slots=True)
class AudioLevels:
    """How loud both sides are, in dBov (:rfc:`6464`): 0 is the loudest there can be, -127 silence."""

    heard: float
    """What the peer says."""
    said: float
    """What it is sent."""


class PcmChunk(bytes):
    """PCM, and when it was heard."""

    time: float = 0.0
    """Of its first sample: the time of the event loop (`loop.time()`), as in :class:`Utterance`."""


class AudioReader(AsyncIterator[PcmChunk]):
    """What the peer says, as 20 ms chunks of PCM. Ends with the call, or by `close`.

    At most `max_queued` seconds wait to be read; when the reader is slower than that, the oldest are
    dropped and counted in `dropped`.
    """

    dropped: int = 0
    """Chunks lost because they were not read in time."""

    @abstractmethod
    def close(self) -> None:
        """Stop reading; the iteration ends."""


class AudioPort(ABC):
    """The audio of one call: what the peer hears, and what it says.

    The peer hears, in this order: silence while muted, or while it does not listen (hold); music, when it is put on
    hold; what was written with `write`; the source. While there is written PCM to play, the source waits where it is.
    Wherever one gives way to another there is a fade of 5 ms; a source or one write after the other is untouched.
    """

    @property
    @abstractmethod
    def source(self) -> AudioSource | None:
        """The source being played; None is silence. Can be set at any time, for the next 20 ms on."""

    @source.setter
    @abstractmethod
    def source(self, source: AudioSource | str | Path | None) -> None: ...

    @property
    @abstractmethod
    def playback(self) -> Playback | None:
        """What plays, or what played last; None before anything did. Also of `MediaOptions.audio`."""

    @abstractmethod
    def play(self, source: AudioSource | str | Path) -> Playback:
        """Play `source` instead of the present one.

        Raises MediaFileError at once for a file that cannot be played.
        """

    @property
    @abstractmethod
    def muted(self) -> bool:
        """Whether the peer is kept from hearing anything. Sources go on meanwhile; written PCM waits."""

    @abstractmethod
    def mute(self) -> None:
        """Send silence from now on."""

    @abstractmethod
    def unmute(self) -> None:
        """End `mute`."""

    @property
    @abstractmethod
    def output_gain(self) -> float:
        """Volume in dB of all that the peer is sent, 0 as it is; may be set at any time."""

    @output_gain.setter
    @abstractmethod
    def output_gain(self, decibels: float) -> None: ...

    @property
    @abstractmethod
    def input_gain(self) -> float:
        """Volume in dB of what the peer says, for all who listen or record; may be set at any time."""

    @input_gain.setter
    @abstractmethod
    def input_gain(self, decibels: float) -> None: ...

    @property
    @abstractmethod
    def hold_music(self) -> AudioSource | None:
        """What the peer hears while it is on hold, instead of anything else; None: nothing special.

        May be set at any time; a path is played over and over. Raises MediaFileError for a file that cannot be played.
        """

    @hold_music.setter
    @abstractmethod
    def hold_music(self, source: AudioSource | str | Path | None) -> None: ...

    def checked_hold_music(self, source: AudioSource | str | Path) -> AudioSource | None:
        """What `hold_music` would be of it, which changes nothing. Raises as that does."""
        from sipua.media.sources import as_hold_music

        music = as_hold_music(source)
        if music is not None:
            music.check()
        return music

    held: bool
    """Whether the peer is on hold and hears the music, if there is any; all else waits then. The call sets it."""

    @abstractmethod
    def as_source(self) -> AudioSource:
        """What the peer says, to be heard in another call: ``other.audio.play(call.audio.as_source())``.

        Each listener hears it from then on; it ends with this call.
        """

    def bridge(self, other: AudioPort) -> Bridge:
        """Let the peers of both calls hear each other, until the bridge is ended or one of the calls."""
        from sipua.media.bridging import Bridge

        return Bridge(self, other)

    @abstractmethod
    def record(self, recording: Recording | str | Path) -> Recording:
        """Record from now on; a path means what the peer says. Raises MediaFileError.

        Several recordings may go on at once. It ends by its `stop`, or with the call.
        """

    @abstractmethod
    def meter(self) -> LevelMeter:
        """Measure how loud both sides are, from now on until it is closed."""

    @abstractmethod
    def add_sink(self, sink: AudioSink | str | Path) -> AudioSink:
        """Give what the peer says to `sink` too. Raises MediaFileError for a file that cannot be written.

        A sink that is given it already goes on as before: none is given anything twice.
        """

    @abstractmethod
    def remove_sink(self, sink: AudioSink) -> None:
        """Take the sink off and close it; a thread does that for one that may block. Unknown sinks are ignored."""

    @abstractmethod
    def read(self, rate: int = 16000, *, max_queued: float = 1.0) -> AudioReader:
        """What the peer says from now on, at `rate` Hz (one of PCM_RATES)."""

    @abstractmethod
    async def write(self, pcm: bytes, rate: int = 16000) -> Utterance:
        """Let the peer hear `pcm` after what was written before.

        Returns when all of it is queued: at most 2 s wait to be heard, so a writer that is faster than time
        is slowed down. What it returns tells what was heard of it, and when. Raises InvalidStateError when the
        call has ended, ValueError for half a sample or another rate.
        """

    @abstractmethod
    def clear(self) -> float:
        """Drop what was written and not heard yet (barge-in), also of writers still waiting.

        Returns the seconds that were queued; the `Utterance` of each write tells what was heard of it.
        """

    @abstractmethod
    async def drain(self) -> None:
        """Wait until everything written has been sent, with its last packet, or the call has ended."""


class VideoSource(ABC):
    """Something to be seen by the peer. May be given to several calls; each opens a track of its own."""

    def check(self) -> None:
        """Raise MediaFileError or ConfigurationError now if `open` would fail."""

    @abstractmethod
    def open(self) -> Any:
        """An aiortc MediaStreamTrack of kind video, from the beginning, paced by itself."""


class VideoPort(ABC):
    """The video of one call: what the peer sees, and what it shows. There is one also while there is no video.

    Frames are :class:`av.VideoFrame`.
    """

    @property
    @abstractmethod
    def source(self) -> Any:
        """What is shown to the peer, as it was given. Can be set at any time; None shows nothing."""

    @source.setter
    @abstractmethod
    def source(self, source: VideoSource | str | Path | bool | Any) -> None: ...

    def check(self, source: VideoSource | str | Path | bool | Any) -> None:
        """Raise MediaFileError or ConfigurationError now for what cannot be shown."""

    @property
    @abstractmethod
    def muted(self) -> bool:
        """Whether the peer gets black frames instead of the source's."""

    @abstractmethod
    def mute(self) -> None:
        """Send black frames from now on."""

    @abstractmethod
    def unmute(self) -> None:
        """End `mute`."""

    @property
    @abstractmethod
    def track(self) -> Any:
        """What the peer shows, as an aiortc MediaStreamTrack for one reader; None while there is nothing to come."""

    @abstractmethod
    async def frame(self) -> Any:
        """The next frame that the peer shows. Raises InvalidStateError when the call ends before."""

    @abstractmethod
    async def snapshot(self, format: str = "png") -> bytes:
        """The next frame that the peer shows, as a picture: ``png`` or ``jpeg``."""
