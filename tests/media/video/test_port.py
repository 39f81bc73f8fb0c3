"""The application's end of video, with tracks that need no network."""

from __future__ import annotations

import asyncio
from io import BytesIO
from pathlib import Path

import av
import pytest
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack, VideoStreamTrack

from sipua.errors import ConfigurationError, InvalidStateError, MediaError, MediaFileError
from sipua.media.video.pattern import BARS, colours_in, number_in
from sipua.media.video.port import CallVideo
from sipua.media.video.sources import GivenTrack, TestPattern, VideoFile, as_video_source
from sipua.media.video.tracks import RemoteVideo, SentVideo

PATTERN = TestPattern(64, 32, 10)


def port(errors: list[MediaError] | None = None) -> CallVideo:
    made = CallVideo([].append if errors is None else errors.append)
    made.begin()
    return made


class Frames(MediaStreamTrack):
    """So many frames of one size, then the end."""

    kind = "video"

    def __init__(self, count: int, error: Exception | None = None) -> None:
        super().__init__()
        self.left = count
        self.error = error

    async def recv(self) -> av.VideoFrame:
        await asyncio.sleep(0.1)
        self.left -= 1
        if self.left < 0:
            raise self.error or MediaStreamError
        return av.VideoFrame(32, 32, "yuv420p")


async def test_the_pattern_counts_and_keeps_time() -> None:
    track = PATTERN.open()
    loop = asyncio.get_running_loop()
    began = loop.time()
    frames = [await track.recv() for _ in range(5)]
    assert [number_in(frame) for frame in frames] == [0, 1, 2, 3, 4]
    assert loop.time() - began == pytest.approx(0.4)
    for seen, shown in zip(colours_in(frames[0]), BARS, strict=True):
        assert max(abs(a - b) for a, b in zip(seen, shown, strict=True)) < 12
    await asyncio.sleep(1.0)
    assert number_in(await track.recv()) > 10  # those that are past are not made up for
    track.stop()
    with pytest.raises(MediaStreamError):
        await track.recv()


@pytest.mark.parametrize("wrong", [{"width": 30}, {"height": 33}, {"rate": 0}, {"rate": 61}, {"width": 16}])
def test_patterns_that_cannot_be(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        TestPattern(**wrong)  # type: ignore[arg-type]


def test_what_may_be_a_source(tmp_path: Path) -> None:
    assert as_video_source(None) is as_video_source(True) is as_video_source(False) is None
    assert as_video_source(PATTERN) is PATTERN
    given = VideoStreamTrack()
    made = as_video_source(given)
    assert isinstance(made, GivenTrack)
    assert made.open() is given
    assert isinstance(as_video_source("film.mp4"), VideoFile)
    assert repr(VideoFile("a.mp4", loop=True)) == "VideoFile('a.mp4', loop=True)"
    with pytest.raises(ConfigurationError, match="video"):
        as_video_source(7)
    with pytest.raises(MediaFileError, match="cannot be played"):
        VideoFile(tmp_path / "none.mp4").check()
    (tmp_path / "text.mp4").write_text("no film")
    with pytest.raises(MediaFileError):
        VideoFile(tmp_path / "text.mp4").check()
    with pytest.raises(MediaFileError, match="has no video"):
        VideoFile(Path(__file__).parents[3] / "examples" / "audio" / "speech.wav").check()


async def test_frames_go_to_who_asks_and_a_new_source_follows_the_old() -> None:
    video = port()
    waiting = asyncio.create_task(video.next_frame())
    await asyncio.sleep(1)
    assert not waiting.done()
    video.source = Frames(2)
    assert (await waiting).width == 32
    await video.next_frame()
    waiting = asyncio.create_task(video.next_frame())  # the source has ended
    await asyncio.sleep(1)
    assert not waiting.done()
    video.source = PATTERN
    assert (await waiting).width == 64
    assert video.source is PATTERN
    video.source = None
    waiting = asyncio.create_task(video.next_frame())
    await asyncio.sleep(1)
    assert not waiting.done()
    waiting.cancel()
    video.close()
    await asyncio.sleep(0)


async def test_a_source_that_fails_is_told_and_another_may_follow() -> None:
    errors: list[MediaError] = []
    video = port(errors)
    video.source = Frames(1, RuntimeError("out of film"))
    await video.next_frame()
    waiting = asyncio.create_task(video.next_frame())
    await asyncio.sleep(1)
    assert [str(error) for error in errors] == [f"the video source {video.source!r} failed: out of film"]
    video.source = PATTERN
    assert (await waiting).width == 64
    video.close()
    await asyncio.sleep(0)


async def test_a_track_of_the_application_is_not_stopped() -> None:
    video, given = port(), Frames(9)
    video.source = given
    await video.next_frame()
    video.close()
    await asyncio.sleep(0.2)
    assert given.readyState == "live"


async def test_nothing_is_read_while_nobody_sees_it() -> None:
    video = CallVideo([].append)
    given = Frames(9)
    video.source = given
    waiting = asyncio.create_task(video.next_frame())
    await asyncio.sleep(1)
    assert given.left == 9
    video.begin()
    await waiting
    await asyncio.sleep(1)
    assert given.left == 8
    video.end()
    waiting = asyncio.create_task(video.next_frame())
    await asyncio.sleep(1)
    assert given.left == 8
    waiting.cancel()
    video.close()
    await asyncio.sleep(0)


async def test_muted_is_black() -> None:
    video = port()
    video.source = PATTERN
    video.mute()
    frame = await video.next_frame()
    assert (frame.width, frame.height) == (64, 32)
    assert max(max(colour) for colour in colours_in(frame)) < 10
    video.unmute()
    assert colours_in(await video.next_frame())[0][0] > 150
    video.close()
    await asyncio.sleep(0)


async def test_pictures_of_what_comes() -> None:
    video = port()
    track = video.expect()
    assert track is not None
    assert video.expect() is None
    frame = await PATTERN.open().recv()
    for format, start in (("png", b"\x89PNG"), ("jpeg", b"\xff\xd8\xff")):
        taken = asyncio.create_task(video.snapshot(format))
        await asyncio.sleep(0)
        video.push(frame)
        picture = await taken
        assert picture.startswith(start)
        with av.open(BytesIO(picture)) as container:
            decoded = next(container.decode(video=0))
        assert (decoded.width, decoded.height) == (64, 32)
        assert colours_in(decoded)[5][0] > 120
    with pytest.raises(ValueError, match="gif"):
        await video.snapshot("gif")
    viewer = asyncio.create_task(video.frame())
    await asyncio.sleep(0)
    video.close()
    for late in (viewer, video.frame(), video.snapshot()):
        with pytest.raises(InvalidStateError):
            await late
    assert track.readyState == "ended"
    assert video.track is None


async def test_a_remote_track_keeps_the_newest_for_its_reader() -> None:
    track = RemoteVideo()
    track.push("before anybody reads")
    reader = asyncio.create_task(track.recv())
    await asyncio.sleep(0)
    track.push(0)
    assert await reader == 0
    for number in range(1, 40):
        track.push(number)
    assert await track.recv() == 10
    track.stop()
    assert [await track.recv() for _ in range(29)] == list(range(11, 40))
    with pytest.raises(MediaStreamError):
        await track.recv()


async def test_time_never_goes_back() -> None:
    frames = [av.VideoFrame(16, 16, "yuv420p") for _ in range(3)]
    left = iter(frames)

    async def next_frame() -> av.VideoFrame:
        return next(left)

    track = SentVideo(next_frame)
    sent = [await track.recv() for _ in range(2)]
    await asyncio.sleep(1)
    sent.append(await track.recv())
    first, second, third = (frame.pts for frame in sent)
    assert second == first + 1
    assert 89990 < third - first <= 90000
