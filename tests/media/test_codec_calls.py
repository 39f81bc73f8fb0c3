"""What was agreed on the codecs is what goes over the wire."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from sipua.media.interface import MediaStats, OpusOptions
from sipua.media.sources import Tone
from sipua.testing import steady
from tests.media.calls import Heard, closing, connected, flowing, media, negotiate

pytestmark = pytest.mark.realtime

_SECONDS = 1.6


async def _sent(
    ours: dict[str, Any], theirs: dict[str, Any] | None = None
) -> tuple[float, float, MediaStats]:
    """Packets and bits a second that the caller sends, and what the called side has counted."""
    a, b = media(**ours), media(**(theirs or {}))
    async with closing(a, b):
        await negotiate(a, b)
        await connected(a, b)
        await flowing(a, b)
        before = a.stats()
        await asyncio.sleep(_SECONDS)
        after = a.stats()
        packets, sent = after.packets_sent - before.packets_sent, after.bytes_sent - before.bytes_sent
        return packets / _SECONDS, sent * 8 / _SECONDS, b.stats()


async def test_packet_times_bit_rates_and_pauses() -> None:
    tone, quiet = {"audio": Tone(440.0)}, {"codecs": ("PCMU",), "comfort_noise": True}

    async def calls() -> list[tuple[float, float, MediaStats]]:
        return await asyncio.gather(
            _sent({"codecs": ("PCMA",), **tone}, {"ptime": 40}),
            _sent({"codecs": ("opus",), "ptime": 60, **tone}, {"ptime": 60}),
            _sent({"codecs": ("opus",), **tone}, {"ptime": 10}),
            _sent({"codecs": ("G722",), **tone}, {"ptime": 10}),
            _sent({"codecs": ("opus",), **tone}, {"bandwidth": 32}),
            _sent({"codecs": ("opus",), **tone}, {"opus": OpusOptions(max_average_bitrate=16000)}),
            _sent(quiet),
            _sent(quiet, quiet),
        )

    def check(results: list[tuple[float, float, MediaStats]]) -> None:
        *rates, pausing = [packets for packets, _, _ in results]
        assert rates == pytest.approx([25, 17, 100, 50, 50, 50, 50], abs=3)
        # It takes a quarter of a second until it is sure that this is a pause.
        assert pausing < 12
        bits = [bits for _, bits, _ in results]
        assert bits[0] == bits[3] == pytest.approx(64000, rel=0.08)
        # 20 kbit/s are headers. A tone needs less than it may have.
        assert 5000 < bits[4] < 13000
        assert bits[4] < bits[5] < 17500
        assert [stats.packets_discarded for _, _, stats in results] == [0] * len(results)

    await steady(calls, check)


async def test_an_encoder_follows_a_new_offer() -> None:
    """The same codec with another packet time and another bit rate is another encoder, on the same stream."""
    a, b = media(codecs=("opus",), audio=Tone(1000.0)), media()
    heard = Heard()
    async with closing(a, b):
        b.audio.add_sink(heard)
        await negotiate(a, b)
        await connected(a, b)
        await flowing(a, b)
        b.options.ptime, b.options.bandwidth = 40, 30
        await negotiate(b, a)
        await flowing(a, b)
        before = a.stats()
        await asyncio.sleep(1.0)
        after = a.stats()
        assert after.packets_sent - before.packets_sent == pytest.approx(25, abs=4)
        # 40 ms: 10 kbit/s of headers.
        assert 8000 < (after.bytes_sent - before.bytes_sent) * 8 < 22000
        assert b.stats().packets_discarded == 0
        assert b.stats().packets_lost == 0


async def test_events_keep_their_numbers_whoever_offers() -> None:
    a, b = media(comfort_noise=True), media(comfort_noise=True)
    async with closing(a, b):
        meant: dict[str, str] = {}
        for caller, callee, change in ((a, b, "110"), (b, a, ""), (a, b, "")):
            # The first offer has a number for events that b would not choose, and none at 8000 Hz.
            offer = await caller.create_offer()
            if change:
                offer = offer.replace("13 110 101", "13 121").replace(":110 ", ":121 ")
                offer = "".join(line for line in offer.splitlines(True) if ":101 " not in line)
            answer = await callee.create_answer(offer)
            await caller.apply_answer(answer)
            for text in (offer, answer):
                for number, codec in re.findall(r"a=rtpmap:(\d+) (\S+)", text):
                    assert meant.setdefault(number, codec) == codec
        assert meant["121"] == "telephone-event/48000"
        assert meant["101"] == "telephone-event/8000"
        assert meant["13"] == "CN/8000"
        for side in (a, b):
            assert side.remote_description is not None
            assert "telephone-event/8000" in side.remote_description
