"""The incoming stream: what is heard, what is counted, what is dropped."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipua.media.codecs import CodecSpec, make_decoder, make_encoder
from sipua.media.dtmf import DtmfEvent
from sipua.media.engine.counters import Received
from sipua.media.engine.playout import Playout
from sipua.media.engine.receiver import AudioReceiver
from sipua.media.engine.rtp import build_packet
from sipua.media.engine.sources import Sources

PCMU = CodecSpec("pcmu", 0, 8000)
EVENTS = CodecSpec("telephone-event", 101, 8000)
LOUD = b"\x00\x10" * 160
PAYLOAD = make_encoder(PCMU).encode(LOUD)


class End:
    """A receiver, and a peer that sends it packets."""

    def __init__(self) -> None:
        self.counters, self.sources = Received(), Sources()
        self.playout = Playout(lambda number: make_decoder(PCMU) if number == 0 else None)
        self.receiver = AudioReceiver(self.playout, self.sources, self.counters)
        self.receiver.set_codecs({0: PCMU, 101: EVENTS})
        self.receiver.enabled = self.receiver.listening = True
        self.tones: list[DtmfEvent] = []
        self.receiver.on_tone = self.tones.append
        self.now = 100.0
        self.sequence = 500

    def send(
        self, payload: bytes = PAYLOAD, *, number: int = 0, ssrc: int = 1, timestamp: int | None = None
    ) -> None:
        stamp = 160 * self.sequence if timestamp is None else timestamp
        self.receiver.packet(build_packet(number, False, self.sequence, stamp, ssrc, payload), self.now)
        self.sequence += 1

    def tick(self) -> bytes:
        self.receiver.tick(self.now)
        pcm = self.receiver.pull(self.now)
        self.now += 0.02
        return pcm


def loud(pcm: bytes) -> bool:
    return len(pcm) == 320 and pcm[161] >= 0x0F


def test_what_is_sent_is_heard() -> None:
    end = End()
    heard = []
    for _ in range(50):
        end.send()
        heard.append(end.tick())
    assert all(map(loud, heard[5:]))
    assert (end.counters.packets, end.counters.bytes, end.counters.discarded) == (50, 8000, 0)
    assert end.sources.lost == 0


def test_nothing_is_decoded_while_nobody_listens() -> None:
    end = End()
    end.receiver.listening = False
    for _ in range(20):
        end.send()
        end.now += 0.02
    assert end.counters.packets == 20
    assert end.playout.stats.received == 0
    end.receiver.listening = True
    heard = []
    for _ in range(20):
        end.send()
        heard.append(end.tick())
    assert all(map(loud, heard[5:]))


def test_on_hold_nothing_is_heard() -> None:
    end = End()
    end.receiver.enabled = False
    for _ in range(20):
        end.send()
        assert end.tick() == bytes(320)
    assert end.counters.packets == 20


@pytest.mark.parametrize("numbered", [True, False])
def test_what_was_not_sent_on_hold_is_not_lost(numbered: bool) -> None:
    end = End()
    for _ in range(20):
        end.send()
        end.tick()
    end.receiver.enabled = False
    end.sequence += 200 if numbered else 0  # some senders go on numbering
    end.receiver.enabled = True
    for number in range(20):
        end.sequence += number == 10  # and this one is lost
        end.send()
        end.tick()
    assert end.counters.packets == 40
    assert end.sources.lost == 1
    assert end.sources.current is not None
    assert end.sources.current.fraction_lost() == 256 // 41


def test_what_cannot_be_used_is_counted() -> None:
    end = End()
    for junk in (b"", b"\x80" * 5, b"\x00" * 40, b"\xff" * 1500):
        end.receiver.packet(junk, end.now)
    end.send(number=77)
    assert end.counters.discarded == 5
    assert end.counters.packets == 0
    assert end.sources.current is None


def test_empty_packets_keep_the_path_open_and_are_no_loss() -> None:
    end = End()
    heard = []
    for n in range(60):
        end.send(b"" if n % 10 == 9 else PAYLOAD)
        heard.append(end.tick())
    assert end.sources.lost == 0
    assert end.playout.stats.lost == 0


def event(duration: int, end: bool) -> bytes:
    return bytes([7, 0x8A if end else 0x0A]) + duration.to_bytes(2, "big")


def test_a_tone_is_told_once_and_is_no_loss() -> None:
    end = End()
    for _ in range(10):
        end.send()
        end.tick()
    began = 160 * end.sequence
    for n in range(1, 6):
        end.send(event(160 * n, False), number=101, timestamp=began)
        end.tick()
    for _ in range(3):
        end.send(event(800, True), number=101, timestamp=began)
        end.tick()
    for _ in range(10):
        end.send()
        end.tick()
    assert [(tone.tone, tone.duration) for tone in end.tones] == [("7", 0.1)]
    assert end.counters.events == 8
    assert end.playout.stats.lost == 0
    assert end.sources.lost == 0


def test_a_tone_whose_end_is_lost_is_over_some_time() -> None:
    end = End()
    end.send(event(480, False), number=101, timestamp=5)
    for _ in range(100):
        end.tick()
    assert [(tone.tone, tone.duration) for tone in end.tones] == [("7", 0.06)]


def test_another_ssrc_takes_over_and_strays_do_not() -> None:
    end = End()
    for _ in range(20):
        end.send()
        end.tick()
    end.receiver.packet(build_packet(0, False, 9, 9, 666, PAYLOAD), end.now)
    assert end.counters.discarded == 1
    heard = []
    for _ in range(30):
        end.send(ssrc=2)
        heard.append(end.tick())
    assert end.sources.current is not None
    assert end.sources.current.ssrc == 2
    assert all(map(loud, heard[10:]))


def test_codecs_of_before_are_understood() -> None:
    end = End()
    end.receiver.set_codecs({9: CodecSpec("g722", 9, 8000)})
    assert end.receiver.payload_types == {0, 9, 101}


@given(st.lists(st.binary(max_size=60), max_size=40), st.integers(0, 2**32))
def test_whatever_comes_is_survived(packets: list[bytes], seed: int) -> None:
    end = End()
    rng = random.Random(seed)
    for data in packets:
        end.receiver.packet(data, end.now)
        head = bytes([0x80, rng.choice([0, 101, 0x80, 0xE5, 13])]) + rng.randbytes(10)
        end.receiver.packet(head + data, end.now)
        assert len(end.tick()) in (320, 640, 1920)


def test_a_flood_leaves_nothing_behind() -> None:
    end = End()
    rng = random.Random(9)
    heard = []
    for _ in range(100):
        end.send()
        for _ in range(50):
            head = bytes([0x80, 0]) + rng.randbytes(10)
            end.receiver.packet(head + rng.randbytes(100), end.now)
        heard.append(end.tick())
    assert sum(map(loud, heard)) > 90
    assert len(end.sources.since(0.0)) <= 16
    assert end.counters.discarded == 5000
