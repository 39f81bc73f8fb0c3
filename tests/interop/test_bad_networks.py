"""Calls through a network that loses packets, delays them, or stands still for a moment."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np
import pytest

from sipua.media.analysis import load
from sipua.media.interface import AudioSource, PcmStream
from sipua.media.pcm import SAMPLE_BYTES
from sipua.media.sources import Tone
from sipua.testing import steady
from tests.interop.browser_calls import RATE, registered, share_of_tone, what_we_hear, within
from tests.lab.network import Network, bad_network

if TYPE_CHECKING:
    from sipua import RTCSession
    from tests.lab.peers import AsteriskPeer

PERIOD = 0.5
"""Seconds from one click to the next, and so the longest delay that can be told."""


class Clicks(AudioSource):
    """A short tone every half second; `said` tells when the last one went, by the loop's clock."""

    def __init__(self) -> None:
        self.said: list[float] = []

    def open(self, rate: int) -> PcmStream:
        loop, said = asyncio.get_running_loop(), self.said

        class Stream(PcmStream):
            position = 0

            def read(self, samples: int) -> bytes:
                period = int(PERIOD * rate)
                begins = self.position % period < samples
                self.position += samples
                if not begins:
                    return bytes(samples * SAMPLE_BYTES)
                said.append(loop.time())
                wave = 12000 * np.sin(2 * np.pi * 1000 / rate * np.arange(samples))
                return wave.astype("<i2").tobytes()

        return Stream()


class Ear:
    """Measures how long each click takes to Asterisk's echo and back."""

    def __init__(self, call: RTCSession, clicks: Clicks) -> None:
        self._said = clicks.said
        self.delays: list[tuple[float, float]] = []
        """When it was said, and seconds until it was heard."""
        self._reader = call.audio.read(RATE, max_queued=5)
        self._listening = asyncio.ensure_future(self._listen())

    async def _listen(self) -> None:
        quiet = 0
        async for chunk in self._reader:
            loud = np.flatnonzero(np.abs(load(bytes(chunk))) > 0.1)
            if len(loud) and quiet > 5 and self._said:
                heard = chunk.time + loud[0] / RATE
                said = max((moment for moment in self._said if moment <= heard), default=heard)
                self.delays.append((said, heard - said))
            quiet = 0 if len(loud) else quiet + 1

    async def median(self, seconds: float) -> float:
        """Of the clicks that are said from now on."""
        now = asyncio.get_running_loop().time()
        await asyncio.sleep(seconds)
        recent = [delay for said, delay in self.delays if said >= now]
        assert len(recent) >= seconds / PERIOD / 2, f"{len(recent)} clicks came back in {seconds} s"
        return float(np.median(recent))

    async def close(self) -> None:
        self._reader.close()
        await self._listening


@pytest.mark.parametrize("codec", ["opus", "PCMU"])
async def test_the_delay_recovers_from_a_stall(
    asterisk: AsteriskPeer, codec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing comes for 200 ms, and then all at once: within 5 s the delay is what it was."""

    async def measure() -> tuple[float, float]:
        clicks = Clicks()
        async with (
            bad_network(monkeypatch) as network,
            registered(asterisk, "alice") as ua,
            ua.call("600", codecs=(codec,), audio=clicks) as call,
        ):
            ear = Ear(call, clicks)
            await asyncio.sleep(1.5)
            before = await ear.median(3)
            await network.stall(0.2)
            await asyncio.sleep(5)
            after = await ear.median(3)
            print(f"{codec}: {1e3 * before:.0f} ms before the stall, {1e3 * after:.0f} ms 5 s after it")
            await ear.close()
        return before, after

    def check(delays: tuple[float, float]) -> None:
        before, after = delays
        assert before < 0.15
        assert after < before + 0.03

    await steady(measure, check)
    await asterisk.idle()


@pytest.mark.parametrize("codec", ["opus", "PCMU", "PCMA", "G722"])
async def test_five_percent_of_loss_and_jitter(
    asterisk: AsteriskPeer, codec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both ways: the tone goes on, what is missing is made up, and both ends say what was lost."""

    async def measure() -> None:
        async with (
            bad_network(monkeypatch) as network,
            registered(asterisk, "alice") as ua,
            ua.call("605", codecs=(codec,), audio=Tone(440.0)) as call,
        ):
            assert share_of_tone(await what_we_hear(call, 1.0), 1004.0) > 0.8
            network.impair(loss=0.05, delay=0.04, jitter=0.015)
            await asyncio.sleep(1.5)
            heard = await what_we_hear(call, 8.0)
            check(call, network, heard)
            network.impair()
            await asyncio.sleep(1.0)
            assert share_of_tone(await what_we_hear(call, 1.0), 1004.0) >= 0.9

    def check(call: RTCSession, network: Network, heard: bytes) -> None:
        audio = call.stats().audio
        assert audio is not None
        received, remote = audio.received, audio.remote_received
        share = share_of_tone(heard, 1004.0)
        print(f"{codec}, {network.name}: {received}, tone {share:.2f}")
        assert 0.01 < received.lost / (received.packets + received.lost) < 0.12
        assert received.concealed + 0.02 * received.recovered > 0.1
        assert 0.002 < received.jitter < 0.04
        assert received.late < 0.05 * received.packets
        assert received.buffer_target < 0.1
        # Opus fades what it makes up, at the loss of several packets in a row.
        assert share > 0.85
        assert remote is not None
        assert remote.lost > 0
        assert remote.round_trip.last is not None
        assert remote.round_trip.last > 0.05

    await steady(measure)
    await asterisk.idle()


async def test_digits_survive_loss(asterisk: AsteriskPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of each tone is sent three times (RFC 4733 section 2.5.1.4)."""
    async with (
        bad_network(monkeypatch) as network,
        registered(asterisk, "alice") as ua,
        ua.call("621", codecs=("PCMU",)) as call,
    ):
        await asyncio.sleep(0.5)
        network.impair(loss=0.02, delay=0.02)
        await within(call.send_dtmf("0123456789*ABCD#", duration=100, inter_tone_gap=80))
        await asterisk.logged(r"DTMF-GOT 0123456789\*ABCD ")
    await asterisk.idle()
