"""The pace of what is sent, on simulated time."""

from __future__ import annotations

import asyncio

import pytest
from aiortc.mediastreams import MediaStreamError

from sipua.media.pcm import pcm_of
from sipua.media.track import OutgoingTrack

FRAME = b"\5\0" * 160


def track() -> OutgoingTrack:
    return OutgoingTrack(lambda: FRAME, lambda: 8000)


async def test_twenty_milliseconds_apart_without_drift() -> None:
    made, loop = track(), asyncio.get_running_loop()
    assert not made.started
    started = loop.time()
    for n in range(3000):
        frame = await made.recv()
        assert frame.pts == 160 * n
        await asyncio.sleep(0.007)  # what encoding takes does not add up
    assert made.started
    assert loop.time() - started == pytest.approx(2999 * 0.02 + 0.007)
    assert pcm_of(frame) == FRAME
    assert frame.sample_rate == 8000


async def test_a_short_delay_is_made_up_for() -> None:
    made, loop = track(), asyncio.get_running_loop()
    started = loop.time()
    await made.recv()
    await asyncio.sleep(0.07)
    stamps = [(await made.recv()).pts for _ in range(10)]
    assert stamps == [160 * n for n in range(1, 11)]
    assert loop.time() - started == pytest.approx(0.2)


async def test_a_long_one_moves_the_time_stamps_on_instead_of_a_burst() -> None:
    made, loop = track(), asyncio.get_running_loop()
    started = loop.time()
    await made.recv()
    await asyncio.sleep(1.0)
    stamps = [(await made.recv()).pts for _ in range(10)]
    assert stamps[0] == 50 * 160
    assert loop.time() - started == pytest.approx(1.0 + 9 * 0.02)
    # Time stamps are those of the clock again.
    assert stamps[-1] == round((loop.time() - started) * 8000)


async def test_the_rate_may_change() -> None:
    made = track()
    made.change_rate(16000)  # nothing has begun
    assert (await made.recv()).sample_rate == 8000
    await made.recv()
    made.change_rate(48000)
    frame = await made.recv()
    assert (frame.sample_rate, frame.pts) == (48000, 2 * 960)


async def test_a_stopped_track_ends() -> None:
    made = track()
    made.stop()
    with pytest.raises(MediaStreamError):
        await made.recv()
