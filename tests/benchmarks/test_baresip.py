"""baresip as the other side: what is offered, how what came back is put together, and one real call."""

from __future__ import annotations

import random
import re
import struct

import numpy as np
import pytest

from benchmarks import _baresip
from benchmarks._quality import measure
from benchmarks.speech_quality import (
    CODECS,
    TAIL,
    TICK,
    beside,
    called,
    link,
    packets,
    samples,
    since,
    speech,
)
from sipua.media.codecs import CodecSpec


def test_without_it_nothing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    found, note = called([("pcmu", 0.0, 0.0)], 1)
    assert found == {}
    assert "not installed" in note
    assert set(beside(None).values()) == {None}


def test_linear_audio_is_what_it_is_to_send() -> None:
    offer = _baresip._offer(CodecSpec("opus", 111, 48000, 2, {"useinbandfec": "1"}), 48000, 4000)
    assert "m=audio 4000 RTP/AVP 96 111\r\n" in offer
    assert "a=rtpmap:96 L16/48000/2\r\n" in offer
    assert "a=rtpmap:111 opus/48000/2\r\n" in offer
    assert "a=fmtp:111 useinbandfec=1\r\n" in offer
    assert re.search(r"a=rtpmap:0 pcmu/8000\r\n", _baresip._offer(CODECS["pcmu"][0], 8000, 4000))


@pytest.mark.parametrize("channels", [1, 2])
def test_what_came_is_put_in_its_place(channels: int) -> None:
    def payload(value: int) -> bytes:
        return b"".join(struct.pack(">h", value) + struct.pack(">h", -1) * (channels - 1) for _ in range(160))

    # The second is lost, the time stamp passes its end, and the last but one was on its way the shortest.
    begin = 0xFFFFFFFF - 100
    came = [
        (0.130, begin, payload(1)),
        (0.160, (begin + 320) & 0xFFFFFFFF, payload(3)),
        (0.190, (begin + 480) & 0xFFFFFFFF, payload(4)),
    ]
    back = _baresip._together(came, 8000, channels, 0.001)
    values = np.frombuffer(back.pcm, "<i2")
    assert list(values[::160]) == [1, 0, 3, 4]
    assert len(values) == 640
    assert back.start == pytest.approx(0.120)


def test_silence_from_it_is_an_error() -> None:
    with pytest.raises(_baresip.BaresipError):
        _baresip._together([], 8000, 1, 0.0)


def test_what_was_heard_is_counted_from_the_first_packet() -> None:
    heard = np.arange(1.0, 9.0)
    assert list(since(heard, -0.002, 1000)) == list(heard[2:])
    assert list(since(heard, 0.002, 1000)) == [0, 0, *heard]


@pytest.mark.realtime
@pytest.mark.skipif(_baresip.modules() is None, reason="baresip is not installed")
def test_a_real_call() -> None:
    spec, said = CODECS["pcmu"][0], samples(speech(8000, 1), 8000, 8000)[: 3 * 8000]
    arrivals = link(packets("pcmu", 1, 0.0)[:150], 0.0, 0.0, random.Random(1))
    with _baresip.running(8000) as port:
        back = _baresip.play(port, spec, 8000, arrivals, (150 + TAIL) * TICK)
    found = measure(said, since(samples(back.pcm, 8000, 8000), back.start, 8000), 8000)
    assert found.snr > 10
    assert 0.02 < found.delay < 0.5
