"""Who hears whom, with real media through the embedded server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from sipua import UA
from sipua.cli.account import AccountOptions
from sipua.cli.phone.phone import Phone
from sipua.cli.phone.sound import Sound, SoundOptions
from sipua.errors import MediaDeviceLost
from sipua.media.analysis import detect_tones
from sipua.media.interface import AudioSink
from sipua.media.pcm import Resampler
from tests.cli.commands import LOOPBACK, server

if TYPE_CHECKING:
    from sipua.server import Server

pytestmark = pytest.mark.realtime


class Ear(AudioSink):
    """A speaker that remembers, at 8 kHz."""

    def __init__(self) -> None:
        self.pcm = bytearray()
        self.broken = False
        self._resamplers: dict[int, Resampler] = {}

    def write(self, pcm: bytes, rate: int) -> None:
        if self.broken:
            raise MediaDeviceLost("speaker 'Ear'", "was unplugged")
        self.pcm += self._resamplers.setdefault(rate, Resampler(rate, 8000))(pcm)

    def heard(self, *frequencies: float) -> list[float]:
        """Which of these were in the last half second."""
        return detect_tones(bytes(self.pcm[-8000:]), frequencies, rate=8000, share=0.1)


class EarSound(Sound):
    """A tone for the peers, and an `Ear` for each who is heard."""

    def __init__(self) -> None:
        super().__init__(SoundOptions(tone=440, speaker=False))
        self.ears: list[Ear] = []
        self.broken = False

    def sink(self) -> AudioSink | None:
        if self.broken:
            return None
        self.ears.append(Ear())
        return self.ears[-1]


def make_phone(server: Server, sound: Sound) -> Phone:
    def make_ua(account: AccountOptions) -> UA:
        return UA(account.uri, sockets=server.url, password="secret")

    account = AccountOptions(uri="sip:alice@localhost", server=(server.url,))
    return Phone([account], make_ua, sound=sound, media_options=dict(LOOPBACK))


async def until(condition: Any) -> None:
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("not within the time")


def heard(phone: Phone, index: int) -> list[float]:
    """Which tones we hear of a call."""
    ear = phone.calls[index].sink
    return ear.heard(440, 1004) if isinstance(ear, Ear) else []


async def test_one_after_the_other_and_all_together() -> None:
    sound = EarSound()
    async with server() as s:
        phone = make_phone(s, sound)
        told: list[Any] = []
        phone.bulletin.listen(told.append)
        phone.start()
        await phone.settled()
        phone.dial("605")  # 1004 Hz
        await until(lambda: phone.calls[0].is_up)
        await until(lambda: heard(phone, 0) == [1004])
        phone.dial("600")  # an echo
        await until(lambda: [call.state for call in phone.calls] == ["held", "connected"])
        await until(lambda: heard(phone, 1) == [440])
        phone.desk.join(phone.calls)
        # The echo hears us and the tone; we hear the echo of both, and the tone.
        await until(lambda: sound.ears[-1].heard(440, 1004) == [440, 1004])
        phone.mute()
        await until(lambda: sound.ears[-1].heard(440, 1004) == [1004])
        phone.mute()
        await until(lambda: sound.ears[-1].heard(440, 1004) == [440, 1004])
        phone.select(1)
        phone.desk.split()
        await until(lambda: [call.state for call in phone.calls] == ["connected", "held"])
        await until(lambda: heard(phone, 0) == [1004])
        ear = phone.calls[0].sink
        assert isinstance(ear, Ear)
        assert phone.calls[1].sink is None
        sound.broken = ear.broken = True
        await until(lambda: any("was unplugged" in (news.text or "") for news in told))
        await asyncio.sleep(0.2)
        assert len([news for news in told if "was unplugged" in (news.text or "")]) == 1
        assert phone.calls[0].is_up
        await phone.stop()
