"""What of the sound of a call reaches the other end, when it is held, muted or drained."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from sipua.media.analysis import detect_tones
from sipua.media.engine.rtp import parse_packet
from sipua.media.sources import Tone
from tests.media.engine.test_channel import PCMU, pair, stop


async def test_hold_and_mute_do_not_click_at_the_other_end() -> None:
    a, b = pair()
    heard = b.listen()
    a.port.source = Tone(440, level=-6.0)
    await asyncio.sleep(0.5)
    for moment in (0.1, 0.237, 0.113):
        a.port.mute()
        await asyncio.sleep(moment)
        a.port.unmute()
        await asyncio.sleep(moment)
    for moment in (0.4, 0.337, 0.513):
        a.channel.set_direction("recvonly")
        await asyncio.sleep(moment)
        a.channel.set_direction("sendrecv")
        await asyncio.sleep(moment)
    stop(a, b)
    samples = np.frombuffer(bytes(heard.pcm), "<i2").astype(int)
    own = 23200 * 2 * np.pi * 440 / 8000 * 1.05  # with the steps of PCMU
    assert np.abs(np.diff(samples)).max() < own + np.pi / 2 * 23200 / 40
    assert detect_tones(bytes(heard.pcm[-3200:]), [440, 900]) == [440]


async def test_what_is_written_waits_while_the_peer_does_not_listen() -> None:
    a, b = pair()
    heard = b.listen()
    await asyncio.sleep(0.1)
    a.channel.set_direction("recvonly")
    await asyncio.sleep(0.1)
    utterance = await a.port.write(Tone(440).open(8000).read(4000), 8000)
    await asyncio.sleep(1)
    assert utterance.started is None
    assert not any(heard.pcm)
    a.channel.set_direction("sendrecv")
    assert await utterance.wait()
    await asyncio.sleep(0.2)
    stop(a, b)
    loud = np.flatnonzero(np.abs(np.frombuffer(bytes(heard.pcm), "<i2").astype(int)) > 500)
    assert (loud[-1] - loud[0]) / 8000 == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("ptime", [10, 20, 40, 60])
async def test_drained_is_sent_to_the_last_sample(ptime: int) -> None:
    a, b = pair(replace(PCMU, ptime=ptime))
    await asyncio.sleep(0.1)
    before = len(a.link.rtp)
    await a.port.write(b"\0\x20" * 8 * 133, 8000)  # 133 ms
    await a.port.drain()
    sent = [parsed[5] for _, packet in a.link.rtp[before:] if (parsed := parse_packet(packet))]
    stop(a, b)
    loud = sum(len(payload) - payload.count(b"\xff") - payload.count(b"\x7f") for payload in sent)
    assert loud >= 8 * 132
