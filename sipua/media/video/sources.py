"""What a peer can be made to see: a test pattern, files, any aiortc track.

Like those of sound, sources are descriptions; av and aiortc are loaded when they are checked or opened.
"""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

from sipua.errors import ConfigurationError, MediaFileError
from sipua.media.interface import VideoSource

__all__ = ["GivenTrack", "TestPattern", "VideoFile", "as_video_source"]


def as_video_source(value: object) -> VideoSource | None:
    """The source that `value` means: a source is itself, a path is a file played once, None and bool show nothing."""
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, VideoSource):
        return value
    if isinstance(value, str | PathLike):
        return VideoFile(Path(value))
    if getattr(value, "kind", None) == "video" and callable(getattr(value, "recv", None)):
        return GivenTrack(value)
    raise ConfigurationError(
        "video",
        value,
        "give True, None, a path, a source such as TestPattern or VideoFile, or a MediaStreamTrack of kind video",
    )


class TestPattern(VideoSource):
    """Colour bars, and below them the number of the frame as a row of 16 black and white fields.

    :param width: in pixels, a multiple of 16.
    :param height: in pixels, a multiple of 8.
    :param rate: frames per second.
    """

    __test__ = False  # this is no class of tests

    def __init__(self, width: int = 320, height: int = 240, rate: float = 15.0) -> None:
        if width < 32 or width % 16:
            raise ConfigurationError("width", width, "must be a multiple of 16 from 32 on")
        if height < 32 or height % 8:
            raise ConfigurationError("height", height, "must be a multiple of 8 from 32 on")
        if not 0 < rate <= 60:
            raise ConfigurationError("rate", rate, "must be more than 0 and at most 60 frames per second")
        self.width, self.height, self.rate = width, height, rate

    def __repr__(self) -> str:
        return f"TestPattern({self.width}, {self.height}, {self.rate:g})"

    def open(self) -> Any:
        """A track that begins with frame 0."""
        from sipua.media.video.pattern import PatternTrack

        return PatternTrack(self.width, self.height, self.rate)


class VideoFile(VideoSource):
    """The pictures of a file in any format that ffmpeg decodes, once or over and over.

    After the last frame the peer gets no more.
    """

    def __init__(self, path: str | PathLike[str], *, loop: bool = False) -> None:
        self.path = Path(path).expanduser()
        self.loop = loop

    def __repr__(self) -> str:
        return f"VideoFile({str(self.path)!r}{', loop=True' if self.loop else ''})"

    def check(self) -> None:
        """Decode the first frame."""
        import av

        try:
            with av.open(str(self.path)) as container:
                if not container.streams.video:
                    raise MediaFileError(self.path, "has no video")
                next(container.decode(video=0))
        except StopIteration:
            raise MediaFileError(self.path, "has no frames") from None
        except (OSError, av.FFmpegError) as error:
            raise MediaFileError(self.path, f"cannot be played: {error}") from error

    def open(self) -> Any:
        """A track from the beginning of the file. A thread of its own decodes it."""
        from aiortc.contrib.media import MediaPlayer

        return MediaPlayer(str(self.path), loop=self.loop).video


class GivenTrack(VideoSource):
    """A track of the application's. It is read from while there is somebody to see it, and never stopped."""

    def __init__(self, track: Any) -> None:
        self.track = track

    def __repr__(self) -> str:
        return repr(self.track)

    def open(self) -> Any:
        """The track itself."""
        return self.track
