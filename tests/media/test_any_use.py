"""Two ends of a call, on which anything is done in any order: nothing fails unseen, and nothing is left at the end."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import TYPE_CHECKING, Any

import pytest

from sipua.errors import InvalidStateError, MediaError
from sipua.media.recording import Recording
from sipua.media.sources import Tone
from tests.media.calls import SPEECH, media
from tests.media.loopback import run_on_loopback

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from sipua.media.rtc import RtcMedia

CODECS = ("opus", "G722", "PCMU", "PCMA")
ENDINGS = ("wav", "ogg", "mp3")


def options(rng: random.Random, folder: Path) -> dict[str, Any]:
    given: dict[str, Any] = {
        "codecs": tuple(dict.fromkeys((*rng.sample(CODECS, rng.randrange(1, 5)), "PCMU"))),
        "audio": rng.choice((None, Tone(440), SPEECH)),
        "bandwidth": rng.choice((None, None, 24, 64, 100)),
        "ptime": rng.choice((20, 20, 10, 40, 60)),
        "video": rng.random() < 0.2,
        "detect_dtmf": rng.random() < 0.2,
        "voice_activity": rng.random() < 0.2,
    }
    if rng.random() < 0.3:
        given["record"] = folder / f"{rng.random()}.{rng.choice(ENDINGS)}"
    if rng.random() < 0.2:
        given.update(echo=True, audio=None)
    return given


class Abuse:
    """What an application may do with a call that is up."""

    def __init__(self, rng: random.Random, folder: Path) -> None:
        self.rng, self.folder = rng, folder
        self.sides = media(**options(rng, folder)), media(**options(rng, folder))
        self.waiting: list[asyncio.Future[Any]] = []

    async def negotiate(self, one: RtcMedia, other: RtcMedia) -> None:
        offer = await one.create_offer(ice_restart=self.rng.random() < 0.1)
        try:
            answer = await other.create_answer(offer)
        except MediaError:
            await one.rollback()
            raise
        if self.rng.random() < 0.1:
            await asyncio.sleep(self.rng.random())
        await one.apply_answer(answer)

    async def turn(self, one: RtcMedia, other: RtcMedia) -> None:
        one.direction = self.rng.choice(("sendrecv", "sendonly", "recvonly", "inactive"))
        await self.negotiate(one, other)

    async def take_back(self, one: RtcMedia, other: RtcMedia) -> None:
        await one.create_offer()
        await one.rollback()

    async def play(self, one: RtcMedia, other: RtcMedia) -> None:
        playback = one.audio.play(self.rng.choice((Tone(700), SPEECH, other.audio.as_source())))
        if self.rng.random() < 0.3:
            playback.seek(self.rng.random())

    async def hold(self, one: RtcMedia, other: RtcMedia) -> None:
        one.audio.held = self.rng.random() < 0.5
        one.audio.hold_music = self.rng.choice((None, Tone(300)))

    async def write(self, one: RtcMedia, other: RtcMedia) -> None:
        self.waiting.append(asyncio.ensure_future(one.audio.write(bytes(32000), 16000)))
        self.waiting.append(asyncio.ensure_future(one.audio.drain()))

    async def clear(self, one: RtcMedia, other: RtcMedia) -> None:
        one.audio.clear()
        self.rng.choice((one.audio.mute, one.audio.unmute))()
        one.audio.output_gain = self.rng.choice((-10, 0, 5))

    async def record(self, one: RtcMedia, other: RtcMedia) -> None:
        path = self.folder / f"{self.rng.random()}.{self.rng.choice(ENDINGS)}"
        one.audio.record(Recording(path, self.rng.choice(("remote", "local", "mixed", "stereo"))))
        one.audio.add_sink(self.folder / f"{self.rng.random()}.wav")

    async def dtmf(self, one: RtcMedia, other: RtcMedia) -> None:
        tones, way = "12#,3"[: self.rng.randrange(1, 6)], self.rng.choice(("RFC4733", "INBAND"))
        self.waiting.append(one.send_dtmf(tones, 60, 50, transport=way))

    async def look(self, one: RtcMedia, other: RtcMedia) -> None:
        assert one.stats().as_dict()
        await one.connection.getStats()
        one.audio.read(8000)

    async def bridge(self, one: RtcMedia, other: RtcMedia) -> None:
        one.audio.bridge(other.audio)

    @property
    def ways(self) -> tuple[Callable[[RtcMedia, RtcMedia], Awaitable[None]], ...]:
        return (
            *(self.negotiate, self.turn, self.take_back, self.play, self.hold, self.write, self.clear),
            *(self.record, self.dtmf, self.look, self.bridge),
        )

    async def run(self, steps: int) -> None:
        one, other = self.sides
        await self.negotiate(one, other)
        for _ in range(steps):
            pair = self.sides if self.rng.random() < 0.5 else (other, one)
            try:
                await self.rng.choice(self.ways)(*pair)
            except (MediaError, InvalidStateError):
                pass  # such as tones that the peer does not take
            await asyncio.sleep(self.rng.choice((0, 0, 0.01, 0.1, 0.5, 2)))

    async def close(self) -> None:
        one, other = self.sides
        await one.close()
        await asyncio.sleep(self.rng.choice((0, 1, 5)))
        await other.close()
        for waiting in self.waiting:
            waiting.cancel()
        await asyncio.gather(*self.waiting, return_exceptions=True)


async def trial(seed: int, folder: Path) -> None:
    unseen: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: unseen.append(context))
    abuse = Abuse(random.Random(seed), folder)
    await abuse.run(30)
    await abuse.close()
    await asyncio.sleep(0.1)
    assert len(asyncio.all_tasks()) == 1
    assert not unseen


@pytest.mark.parametrize("seed", range(5))
def test_any_use(seed: int, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run_on_loopback(trial(seed, tmp_path))
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
