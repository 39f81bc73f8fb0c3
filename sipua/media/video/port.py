"""The application's end of a call's video."""

from __future__ import annotations

import asyncio
import logging
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
from aiortc.mediastreams import MediaStreamError

from sipua.errors import InvalidStateError, MediaError
from sipua.media.interface import VideoPort
from sipua.media.video.sources import GivenTrack, as_video_source
from sipua.media.video.tracks import RemoteVideo

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CallVideo"]

logger = logging.getLogger(__name__)

_PICTURES = {"png": ("png", "rgb24"), "jpeg": ("mjpeg", "yuvj420p")}


class CallVideo(VideoPort):
    """One source to the branch in use, its frames to whoever looks."""

    def __init__(self, on_error: Callable[[MediaError], None]) -> None:
        self._on_error = on_error
        self._given: Any = None
        self._muted = False
        self._black: Any = None
        self._closed = False
        self._resting = True
        self._hungry: list[asyncio.Future[Any]] = []
        self._asked = asyncio.Event()
        self._showing: asyncio.Task[None] | None = None
        self._viewers: list[asyncio.Future[Any]] = []
        self._remote: RemoteVideo | None = None

    # --- what the peer sees -------------------------------------------------------------------------------

    @property
    def source(self) -> Any:
        """As it was given."""
        return self._given

    @source.setter
    def source(self, source: Any) -> None:
        self.check(source)
        self.choose(source)

    def check(self, source: Any) -> None:
        """Look at it as far as that is possible without opening it."""
        made = as_video_source(source)
        if made is not None:
            made.check()

    def choose(self, source: Any) -> None:
        """Make it the source, without a look at it."""
        self._let_go()
        self._given = source
        self._show()

    @property
    def muted(self) -> bool:
        """Whether the frames are black."""
        return self._muted

    def mute(self) -> None:
        """Black from the next frame on."""
        self._muted = True

    def unmute(self) -> None:
        """The source's frames again."""
        self._muted, self._black = False, None

    async def next_frame(self) -> Any:
        """The source's next frame; waits for ever while there is none. Several may wait for the same."""
        waiting: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._hungry.append(waiting)
        self._asked.set()
        self._show()
        try:
            return await waiting
        finally:
            if waiting in self._hungry:
                self._hungry.remove(waiting)

    def begin(self) -> None:
        """There is somebody to see the source."""
        self._resting = False
        self._show()

    def _let_go(self) -> None:
        showing, self._showing = self._showing, None
        if showing is not None:
            showing.cancel()

    def _show(self) -> None:
        """Open the source, if somebody waits for it and it is not open yet."""
        source = as_video_source(self._given)
        if source is None or self._resting or self._showing is not None or not self._hungry:
            return
        own = not isinstance(source, GivenTrack)
        try:
            track = source.open()
        except Exception as error:  # noqa: BLE001 - sources are the application's; a call survives them
            self._failed(error)
            return
        self._showing = asyncio.get_running_loop().create_task(self._feed(track, own), name="sipua video out")

    async def _feed(self, track: Any, own: bool) -> None:
        try:
            while True:
                while not self._hungry:
                    self._asked.clear()
                    await self._asked.wait()
                frame = self._seen(await track.recv())
                hungry, self._hungry = self._hungry, []
                for waiting in hungry:
                    if frame is None:
                        self._hungry.append(waiting)
                    elif not waiting.done():
                        waiting.set_result(frame)
        except MediaStreamError:
            pass  # the source has ended
        except Exception as error:  # noqa: BLE001 - as above
            self._failed(error)
        finally:
            if own:
                track.stop()

    def _seen(self, frame: Any) -> Any:
        """What the peer gets to see of it; None for an encoded frame that cannot be made black."""
        if not self._muted:
            return frame
        if not isinstance(frame, av.VideoFrame):
            return None
        if self._black is None or (self._black.width, self._black.height) != (frame.width, frame.height):
            self._black = _black(frame.width, frame.height)
        return self._black

    def _failed(self, error: Exception) -> None:
        logger.warning("the video source %r failed", self._given, exc_info=error)
        if not isinstance(error, MediaError):
            error = MediaError(f"the video source {self._given!r} failed: {error}")
        self._on_error(error)

    # --- what the peer shows ------------------------------------------------------------------------------

    @property
    def track(self) -> RemoteVideo | None:
        """For one reader."""
        return self._remote

    async def frame(self) -> Any:
        """The next one to come."""
        if self._closed:
            raise InvalidStateError("frame", "closed")
        viewer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._viewers.append(viewer)
        try:
            return await viewer
        finally:
            if viewer in self._viewers:
                self._viewers.remove(viewer)

    async def snapshot(self, format: str = "png") -> bytes:
        """The next one, encoded in a thread."""
        if format not in _PICTURES:
            raise ValueError(f"format={format!r}: must be {' or '.join(_PICTURES)}")
        return await asyncio.to_thread(_picture, await self.frame(), format)

    def expect(self) -> RemoteVideo | None:
        """The peer will show something. Returns the track for it if it is a new one."""
        if self._remote is not None or self._closed:
            return None
        self._remote = RemoteVideo()
        return self._remote

    def push(self, frame: Any) -> None:
        """A frame of the peer's."""
        viewers, self._viewers = self._viewers, []
        for viewer in viewers:
            if not viewer.done():
                viewer.set_result(frame)
        if self._remote is not None:
            self._remote.push(frame)

    def end(self) -> None:
        """There is no video any more; the source begins anew when there is again."""
        self._resting = True
        self._let_go()
        remote, self._remote = self._remote, None
        if remote is not None:
            remote.stop()

    def close(self) -> None:
        """The call is over. Idempotent."""
        self._closed = True
        self.end()
        viewers, self._viewers = self._viewers, []
        for viewer in viewers:
            if not viewer.done():
                viewer.set_exception(InvalidStateError("frame", "closed"))


def _black(width: int, height: int) -> Any:
    frame = av.VideoFrame(width, height, "yuv420p")
    for plane, value in zip(frame.planes, (16, 128, 128), strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    return frame


def _picture(frame: Any, format: str) -> bytes:
    name, pixels = _PICTURES[format]
    encoder: Any = av.CodecContext.create(name, "w")
    encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, pixels
    encoder.time_base = Fraction(1, 25)
    encoder.thread_count = 1  # for one picture no threads are started, here and below
    copy = frame.reformat(format=pixels, threads=1)
    copy.pts = 0
    return b"".join(bytes(packet) for packet in (*encoder.encode(copy), *encoder.encode(None)))
