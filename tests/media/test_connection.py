"""What an application finds at a call's `connection`: aiortc's own, with the engine behind it."""

from __future__ import annotations

import asyncio
import threading

import pytest
from aiortc.mediastreams import MediaStreamError

from sipua.media.analysis import detect_tones
from sipua.media.pcm import pcm_of
from sipua.media.sources import Tone
from tests.media.calls import closing, connected, flowing, media, negotiate, until

pytestmark = pytest.mark.realtime


async def test_statistics_are_where_aiortc_has_them() -> None:
    a, b = media(codecs=("PCMU",)), media()
    async with closing(a, b):
        await negotiate(a, b)
        await connected(a, b)
        await flowing(a, b)
        await until(lambda: a.stats().rtt is not None)
        report = {stats.type: stats for stats in (await a.connection.getStats()).values()}
        assert report.keys() == {"outbound-rtp", "remote-inbound-rtp", "inbound-rtp"}
        sent, received = report["outbound-rtp"], report["inbound-rtp"]
        assert sent.bytesSent == 160 * sent.packetsSent > 0
        assert received.packetsReceived > 3
        assert received.packetsLost == 0
        assert 0 <= report["remote-inbound-rtp"].roundTripTime < 1
        assert sent.ssrc != received.ssrc


async def test_a_remote_track_has_frames_for_who_reads_it() -> None:
    tracks: list[object] = []
    a, b = media(codecs=("PCMU",)), media(audio=Tone(500.0))
    a.callbacks.on_track = lambda kind, track: tracks.append(track)
    async with closing(a, b):
        threads = threading.active_count()
        await negotiate(a, b)
        await connected(a, b)
        await flowing(a, b)
        (track,) = tracks
        assert track is a.connection.getReceivers()[0].track
        # Nobody has read it: there is nothing to decode, and nothing that grows.
        assert track._queue.qsize() == 0  # type: ignore[attr-defined]
        frames = [await track.recv() for _ in range(30)]  # type: ignore[attr-defined]
        assert [frame.pts for frame in frames] == [160 * n for n in range(30)]
        assert {(frame.sample_rate, frame.samples) for frame in frames} == {(8000, 160)}
        heard = b"".join(map(pcm_of, frames[20:]))
        assert detect_tones(heard, [500, 900], rate=8000) == [500]
        assert threading.active_count() == threads
        # Who reads no more loses the oldest, and what is kept is bounded.
        waiting = asyncio.ensure_future(_until_ended(track))
        await a.close()
        assert await asyncio.wait_for(waiting, 2) >= 0


async def _until_ended(track: object) -> int:
    count = 0
    try:
        while True:
            await track.recv()  # type: ignore[attr-defined]
            count += 1
    except MediaStreamError:
        return count


async def test_a_track_that_is_read_no_more_is_bounded() -> None:
    a, b = media(codecs=("PCMU",)), media()
    async with closing(a, b):
        await negotiate(a, b)
        await connected(a, b)
        track = a.connection.getReceivers()[0].track
        await track.recv()
        push = a._leg.channel.listener  # type: ignore[union-attr]
        for _ in range(500):
            push(bytes(320), 8000)
        assert track._queue.qsize() <= 101
