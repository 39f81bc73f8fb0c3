"""What rings, on simulated time."""

from __future__ import annotations

import asyncio
from typing import Any

from sipua.cli.phone.ringer import Ringer
from sipua.cli.phone.sound import Sound, SoundOptions
from sipua.errors import MediaDeviceLost
from sipua.media.interface import AudioSink


class Bell(AudioSink):
    def __init__(self) -> None:
        self.written = 0
        self.closed = self.broken = False

    def write(self, pcm: bytes, rate: int) -> None:
        if self.broken:
            raise MediaDeviceLost("speaker 'Bell'", "was unplugged")
        self.written += len(pcm)

    def close(self) -> None:
        self.closed = True


class BellSound(Sound):
    def __init__(self) -> None:
        super().__init__(SoundOptions(microphone=False, speaker=False))
        self.bells: list[Bell] = []

    def sink(self) -> AudioSink | None:
        self.bells.append(Bell())
        return self.bells[-1]


async def until(condition: Any) -> None:
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("not within the time")


async def test_both_ends_ring_until_the_answer(make_phone: Any, make_server: Any) -> None:
    one, other = BellSound(), BellSound()
    async with (
        make_server() as server,
        make_phone(server, "alice", sound=one) as (alice, _),
        make_phone(server, "bob", sound=other) as (bob, _b),
    ):
        alice.dial("bob")
        await until(lambda: (alice.desk.ringer.rings, bob.desk.ringer.rings) == ("ringback", "bell"))
        await asyncio.sleep(5)
        assert 4.8 < other.bells[0].written / 96000 < 5.2
        bob.answer()
        await until(lambda: alice.calls[0].is_up)
        await asyncio.sleep(0.1)
        assert (alice.desk.ringer.rings, bob.desk.ringer.rings) == (None, None)
        assert other.bells[0].closed
        alice.hang_up()
        await until(lambda: not bob.calls)
        alice.dial("bob")
        await until(lambda: bob.desk.ringer.rings == "bell")
        alice.hang_up()
        await until(lambda: not bob.calls)
        assert (alice.desk.ringer.rings, bob.desk.ringer.rings) == (None, None)


async def test_a_speaker_that_fails_ends_nothing(make_phone: Any, make_server: Any) -> None:
    sound = BellSound()
    async with (
        make_server() as server,
        make_phone(server, "alice") as (alice, _),
        make_phone(server, "bob", sound=sound) as (bob, _b),
    ):
        alice.dial("bob")
        await until(lambda: sound.bells)
        sound.bells[0].broken = True
        await asyncio.sleep(1)
        assert sound.bells[0].closed
        bob.answer()
        await until(lambda: alice.calls[0].is_up)


async def test_without_a_speaker_it_is_silent() -> None:
    ringer = Ringer(Sound(SoundOptions(microphone=False, speaker=False)))
    ringer.update(())
    assert ringer.rings is None
    ringer.close()
