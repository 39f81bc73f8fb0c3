"""What one call says as what another hears."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipua.media.inlet import EchoPath
from sipua.media.interface import AudioPort, AudioSource, PcmStream, Playback
from sipua.media.pcm import SAMPLE_BYTES

if TYPE_CHECKING:
    from types import TracebackType

    from sipua.media.inlet import Inlet

__all__ = ["Bridge", "HeardSource"]


class HeardSource(AudioSource):
    """What the peer of a call says, from the moment it is heard on. Ends with that call."""

    def __init__(self, inlet: Inlet, name: str = "what the peer says") -> None:
        self._inlet = inlet
        self._name = name

    def __repr__(self) -> str:
        return self._name

    def open(self, rate: int) -> PcmStream:
        """A stream of its own for each listener."""
        return _HeardStream(self._inlet, rate)


class _HeardStream(PcmStream):
    def __init__(self, inlet: Inlet, rate: int) -> None:
        self._inlet = inlet
        self._rate = rate
        self._path = EchoPath()
        if inlet.closed:
            self._path.close()
        else:
            inlet.add(self._path)

    def read(self, samples: int) -> bytes:
        pcm = self._path.read(samples, self._rate)
        return pcm if self._path.closed else pcm.ljust(samples * SAMPLE_BYTES, b"\0")

    def close(self) -> None:
        self._inlet.remove(self._path)


class Bridge:
    """Two calls that hear each other, until `end`, or the end of a ``with`` block, or of one of the calls."""

    def __init__(self, one: AudioPort, other: AudioPort) -> None:
        self._playbacks: tuple[Playback, ...] = (
            one.play(other.as_source()),
            other.play(one.as_source()),
        )

    @property
    def ended(self) -> bool:
        """Whether either of them hears the other no more."""
        return any(playback.finished for playback in self._playbacks)

    def end(self) -> None:
        """Part them; each hears silence then. Idempotent."""
        for playback in self._playbacks:
            if not playback.finished:
                playback.stop()

    async def wait(self) -> None:
        """Wait until one of the calls is over, or plays something else; then part them."""
        await self._playbacks[0].wait()
        await self._playbacks[1].wait()

    def __enter__(self) -> Bridge:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
