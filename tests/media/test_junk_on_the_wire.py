"""1,500-byte junk at line rate onto the port of a call: from anywhere, and from the peer's own address.

What the peer's keys are needed for comes from the peer too: it is authentic, and junk all the same.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import random
import socket
import struct
import threading
from typing import TYPE_CHECKING, Any

import pytest
from aiortc.rtcdtlstransport import State

from sipua.media import internals
from sipua.media.analysis import detect_tones
from sipua.media.sources import Tone
from tests.media.bad_packets import MTU, bad_rtcp, bad_rtp
from tests.media.calls import Heard, closing, connected, flowing, media, negotiate
from tests.media.loopback import run_on_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sipua.media.rtc import RtcMedia

pytestmark = pytest.mark.realtime

BURST, PAUSE = 42, 0.005
"""Packets, and seconds after them: with 1,500 bytes each that is 100 Mbit/s."""
SECONDS = 1.0
COOKIE = b"\x21\x12\xa4\x42"


class Wire:
    """The way from one end of a call to the other, for what is no call."""

    def __init__(self, sender: RtcMedia, receiver: RtcMedia) -> None:
        transceiver = sender.connection.getTransceivers()[0]
        self._dtls: Any = transceiver.receiver.transport
        self._pair = internals.ice_of(transceiver)._nominated[1]
        self.address = self._pair.remote_addr
        target: Any = receiver.connection.getTransceivers()[0]
        self.target = target.receiver.transport
        self.ssrc = internals.ssrc_of(target)
        self.waiting = internals.ice_of(target)._queue

    def raw(self, data: bytes) -> None:
        self._pair.protocol.transport.sendto(data, self.address)

    def rtp(self, data: bytes) -> None:
        """As the peer's own."""
        try:
            self.raw(self._dtls._tx_srtp.protect(data[: MTU - 10]))
        except Exception:  # noqa: BLE001 - what SRTP does not take as RTP is sent as it is
            self.raw(data)

    def rtcp(self, data: bytes) -> None:
        try:
            self.raw(self._dtls._tx_srtp.protect_rtcp(data[: MTU - 20]))
        except Exception:  # noqa: BLE001 - as above
            self.raw(data)


def noise(rng: random.Random) -> Iterator[bytes]:
    """Of every kind that is told apart by its first byte (RFC 7983), and none of them whole."""
    while True:
        rest = rng.randbytes(MTU)
        yield rest
        yield b"\x80" + rest[1:]
        yield struct.pack("!BB", 0x80, rng.choice((0, 96, 101, 200))) + rest[2:]
        yield b"\x80\xc9" + rest[: rng.randrange(40)]
        yield rng.choice((b"\x00\x01", b"\x01\x01", b"\x01\x11")) + b"\x05\xc8" + COOKIE + rest[8:1488]
        yield (
            b"\x17\xfe\xfd\x00\x01" + rest[5:]
        )  # DTLS: application data, handshake, close_notify in the clear
        yield b"\x16\xfe\xfd" + bytes(8) + rest[11:]
        yield b"\x15\xfe\xfd" + bytes(9) + b"\x02\x01\x00"
        yield b"\x80" * rng.randrange(1, 13)
        yield rest + rest[: rng.randrange(1, 1000)]
        yield rest[: rng.randrange(0, 40)]


async def flood(send: Callable[[bytes], None], junk: Iterator[bytes]) -> int:
    bursts = round(SECONDS / PAUSE)
    for _ in range(bursts):
        for data in itertools.islice(junk, BURST):
            send(data)
        await asyncio.sleep(PAUSE)
    return bursts * BURST


async def stranger(wire: Wire) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.setblocking(False)

        def send(data: bytes) -> None:
            try:
                other.sendto(data, wire.address)
            except BlockingIOError:
                pass

        return await flood(send, noise(random.Random(1)))


ATTACKS: dict[str, Callable[[Wire], Any]] = {
    "of a stranger": stranger,
    "from the peer's address": lambda wire: flood(wire.raw, noise(random.Random(2))),
    "RTP with the peer's keys": lambda wire: flood(wire.rtp, bad_rtp(random.Random(3))),
    "RTCP with the peer's keys": lambda wire: flood(wire.rtcp, bad_rtcp(random.Random(4), wire.ssrc)),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_call_sounds_as_before(attack: str, caplog: pytest.LogCaptureFixture) -> None:
    run_on_loopback(sounds_as_before(attack))
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def sounds_as_before(attack: str) -> None:
    a, b = media(codecs=("PCMU",), audio=Tone(440.0)), media()
    heard = Heard()
    b.audio.add_sink(heard)
    async with closing(a, b):
        await negotiate(a, b)
        await connected(a, b)
        await flowing(a, b)
        await asyncio.sleep(0.5)
        wire = Wire(a, b)
        threads, tasks = threading.active_count(), len(asyncio.all_tasks())
        before, begin = b.stats(), len(heard.pcm)
        sent = await ATTACKS[attack](wire)
        pcm, now = bytes(heard.pcm[begin:]), b.stats()
        await flowing(a, b)
        assert wire.waiting.qsize() == 0
        assert threading.active_count() == threads
        assert len(asyncio.all_tasks()) <= tasks
        assert wire.target._state is State.CONNECTED
        assert a.state == b.state == "connected"
        # Whatever the figures are that were made up.
        assert now.as_dict()
        assert await b.connection.getStats()
    pieces = [pcm[at : at + 1600] for at in range(0, len(pcm) - 1599, 1600)]
    assert len(pieces) >= 10 * SECONDS - 1
    assert all(detect_tones(piece, [440.0], share=0.9) for piece in pieces)
    if attack != "of a stranger":
        assert now.packets_discarded - before.packets_discarded > sent / 5


async def test_datagrams_that_srtp_cannot_take_end_no_call() -> None:
    """Not even one with video, whose packets aiortc reads: it would have ended the call for both."""
    a, b = media(video=True), media(video=True)
    async with closing(a, b):
        await negotiate(a, b)
        await connected(a, b)
        wire = Wire(a, b)
        for size in (1, 2, 11, 12, 13, 1499, 1500, 1501, 2048, 4096, 9000):
            wire.raw(b"\x80" + os.urandom(size - 1))
            wire.raw(b"\x80\x60" + os.urandom(size))
        await flowing(a, b)
        assert wire.target._state is State.CONNECTED
