"""The test pattern: a picture that can be recognised after a codec has been at it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import numpy as np
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import VideoFrame

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["BARS", "PatternTrack", "colours_in", "number_in"]

#: Red, green and blue of the bars, from left to right.
BARS = (
    (191, 191, 191), (191, 191, 0), (0, 191, 191), (0, 191, 0),
    (191, 0, 191), (191, 0, 0), (0, 0, 191), (16, 16, 16),
)  # fmt: skip
_BITS = 16
_WHITE, _BLACK = 235, 16


class PatternTrack(MediaStreamTrack):
    """Frames at a fixed rate, each with its number in it."""

    kind = "video"

    def __init__(self, width: int, height: int, rate: float) -> None:
        super().__init__()
        self._picture = _picture(width, height)
        self._interval = 1.0 / rate
        self._number = 0
        self._due: float | None = None

    async def recv(self) -> VideoFrame:
        """The next frame, when it is due; those that are long past are left out."""
        if self.readyState != "live":
            raise MediaStreamError
        loop = asyncio.get_running_loop()
        if self._due is None:
            self._due = loop.time()
        else:
            missed = max(0, int((loop.time() - self._due) / self._interval) - 1)
            self._due += self._interval * (1 + missed)
            self._number += 1 + missed
            await asyncio.sleep(max(0.0, self._due - loop.time()))
        return self._draw()

    def _draw(self) -> VideoFrame:
        picture = self._picture.copy()
        height, width = picture.shape[0] * 2 // 3, picture.shape[1]
        top, field = height * 3 // 4, width // _BITS
        for bit in range(_BITS):
            white = self._number >> (_BITS - 1 - bit) & 1
            picture[top:height, bit * field : (bit + 1) * field] = _WHITE if white else _BLACK
        return VideoFrame.from_ndarray(picture, format="yuv420p")


def _picture(width: int, height: int) -> NDArray[Any]:
    """The bars, above a grey strip for the number: all planes of yuv420p in one array."""
    rgb = np.full((height, width, 3), 128, dtype=np.uint8)
    for index, colour in enumerate(BARS):
        rgb[: height * 3 // 4, index * width // 8 : (index + 1) * width // 8] = colour
    return VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="yuv420p").to_ndarray()


def number_in(frame: VideoFrame) -> int:
    """The number that a frame of the pattern carries, modulo 65536."""
    luma = frame.reformat(format="gray").to_ndarray()
    height, width = luma.shape
    row, field = height * 7 // 8, width / _BITS
    number = 0
    for bit in range(_BITS):
        number = number << 1 | int(luma[row, int((bit + 0.5) * field)] > 128)
    return number


def colours_in(frame: VideoFrame) -> list[tuple[int, int, int]]:
    """Red, green and blue in the middle of each bar."""
    rgb = frame.reformat(format="rgb24").to_ndarray()
    height, width, _ = rgb.shape
    middles = (rgb[height * 3 // 8, (2 * i + 1) * width // 16] for i in range(len(BARS)))
    return [(int(r), int(g), int(b)) for r, g, b in middles]
