"""What goes over the wire, and what is counted of it, by an independent reader: tshark on captures of calls."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from sipua.media.sources import Tone
from tests.interop.test_calls import SPEECH, registered
from tests.lab.dissector import Capture, Packet
from tests.media.calls import Heard, closing, connected, media, negotiate

if TYPE_CHECKING:
    from pathlib import Path

    from sipua.media.interface import MediaStats
    from sipua.media.rtc import RtcMedia
    from sipua.media.statistics import MediumStats
    from tests.lab.peers import AsteriskPeer

ONE_WAY = 0.04
"""Seconds that the network takes, each way."""

Dissector = type[Capture]


def disturb(session: RtcMedia, lose: set[int]) -> None:
    """Let what comes to `session` take its time; the RTP packets of these numbers, counted from 0, are lost."""
    connection: Any = session.connection.getTransceivers()[0].receiver.transport.transport._connection
    arrived, count = connection.data_received, 0

    def on_the_way(data: bytes, component: int) -> None:
        nonlocal count
        if 128 <= data[0] < 192 and not 192 <= data[1] <= 223:
            count += 1
            if count - 1 in lose:
                return
        asyncio.get_running_loop().call_later(ONE_WAY, arrived, data, component)

    connection.data_received = on_the_way


def audio_of(stats: MediaStats) -> MediumStats:
    assert stats.audio is not None
    return stats.audio


def port_of(stats: MediaStats) -> int:
    assert stats.local_candidate is not None
    return int(stats.local_candidate.rpartition(":")[2])


def of_ssrc(capture: Capture, ssrc: int | None) -> list[Packet]:
    return [packet for packet in capture.packets if packet.ssrc == ssrc]


async def test_a_call_with_losses_and_delay(dissector: Dissector, tmp_path: Path) -> None:
    files = tmp_path / "a.pcap", tmp_path / "b.pcap"
    a = media(codecs=("PCMU",), audio=Tone(500.0), capture=str(files[0]))
    b = media(audio=Tone(700.0), capture=str(files[1]))
    async with closing(a, b):
        a.audio.add_sink(Heard())
        b.audio.add_sink(Heard())
        await negotiate(a, b)
        await connected(a, b)
        disturb(a, set())
        disturb(b, {60, 61, 62, 100, 150, 200})
        await asyncio.sleep(6.5)
    one, two = a.stats(), b.stats()
    captures = [dissector(path, port_of(one)) for path in files]
    for capture in captures:
        assert capture.complaints == []
        assert capture.undissected == []
    check_sent(captures[0], one)
    check_sent(captures[1], two)
    check_received(captures[1], two)
    check_received(captures[0], one)
    assert audio_of(two).received.lost == 6
    assert (audio_of(two).received.missing, audio_of(two).received.bursts) == (6, 4)
    assert one.packets_lost_remote == 6
    check_round_trips(captures[0], one, port_of(two))
    check_round_trips(captures[1], two, port_of(one))


def check_sent(capture: Capture, stats: MediaStats) -> None:
    """Numbers, time stamps and marker bits of what was sent, and the sender reports about it."""
    sent = audio_of(stats).sent
    packets = of_ssrc(capture, sent.ssrc)
    assert (len(packets), sum(packet.payload_size for packet in packets)) == (sent.packets, sent.bytes)
    first = packets[0]
    assert [packet.sequence for packet in packets] == [
        (first.sequence + n) & 0xFFFF for n in range(len(packets))
    ]
    # The marker begins a talkspurt: time stamps go on in steps of 20 ms unless there was a pause before.
    assert first.marker
    for before, packet in pairwise(packets):
        step = (packet.timestamp - before.timestamp) & 0xFFFFFFFF
        assert step == 160 if not packet.marker else step % 160 == 0
    reports = [report for report in capture.reports if int(report["rtcp.senderssrc"], 16) == sent.ssrc]
    assert sent.reports <= len(reports) <= sent.reports + 1  # the last comes with the good-bye
    times = []
    for report in reports:
        before_it = [packet for packet in packets if packet.number < int(report["frame"])]
        if report["rtcp.pt"] != "200":
            continue
        assert int(report["rtcp.sender.packetcount"]) == len(before_it)
        assert int(report["rtcp.sender.octetcount"]) == sum(packet.payload_size for packet in before_it)
        seconds = int(report["rtcp.timestamp.ntp.msw"]) + int(report["rtcp.timestamp.ntp.lsw"]) / 2**32
        times.append(seconds - int(report["rtcp.timestamp.rtp"]) / 8000)
    assert len(times) >= 3
    # The two clocks of the reports are the same.
    assert max(times) - min(times) < 0.04


def check_received(capture: Capture, stats: MediaStats) -> None:
    """Losses and jitter as tshark has them, and the blocks of our reports."""
    received, ours = audio_of(stats).received, audio_of(stats).sent.ssrc
    assert received.ssrc is not None
    stream = capture.streams[received.ssrc]
    assert (stream.packets, stream.lost) == (received.packets, received.lost)
    # What was read late because the process was held up is jitter for tshark, and for us it is not.
    assert 0.3 * stream.max_jitter - 1.5 <= 1000 * received.max_jitter <= 1.1 * stream.max_jitter + 0.5
    packets = of_ssrc(capture, received.ssrc)
    blocks = [
        report
        for report in capture.reports
        if int(report["rtcp.senderssrc"], 16) == ours and "rtcp.ssrc.ext_high" in report
    ]
    assert len(blocks) >= 3
    for block in blocks:
        numbers = [packet.sequence for packet in packets if packet.number < int(block["frame"])]
        assert int(block["rtcp.ssrc.identifier"], 16) == received.ssrc
        assert int(block["rtcp.ssrc.ext_high"]) == max(numbers)
        assert int(block["rtcp.ssrc.cum_nr"]) == max(numbers) - min(numbers) + 1 - len(numbers)
        assert int(block["rtcp.ssrc.jitter"]) / 8 <= 1000 * received.max_jitter + 0.2
    theirs = [report for report in capture.reports if int(report["rtcp.senderssrc"], 16) == received.ssrc]
    remote = audio_of(stats).remote_sent
    assert remote is not None
    # The very last one may have come with the good-bye, when the figures were those of the end already.
    assert str(remote.packets) in [report.get("rtcp.sender.packetcount") for report in theirs[-2:]]


def check_round_trips(capture: Capture, stats: MediaStats, port: int) -> None:
    """tshark makes the same of LSR and DLSR, in whole ms, of what it sees at this end."""
    remote = audio_of(stats).remote_received
    assert remote is not None
    trip = remote.round_trip
    assert trip.last is not None
    assert trip.max is not None
    # tshark remembers only the last sender report: of blocks that answer an earlier one it makes nothing.
    seen = [milliseconds for source, milliseconds in capture.round_trips if source == port]
    assert 3 <= len(seen) <= trip.count + 1
    assert trip.mean is not None
    assert 1000 * trip.mean == pytest.approx(sum(seen) / len(seen), abs=6)
    assert max(seen) <= 1000 * trip.max + 2
    assert trip.last >= 2 * ONE_WAY - 0.005
    quality = audio_of(stats).quality
    assert quality is not None
    assert quality.delay == pytest.approx(
        0.02 + trip.mean / 2 + audio_of(stats).received.buffer_delay, abs=0.001
    )


@pytest.mark.parametrize("codec", ["opus", "PCMA"])
async def test_a_call_with_asterisk(
    asterisk: AsteriskPeer, dissector: Dissector, codec: str, tmp_path: Path
) -> None:
    path = tmp_path / "call.pcap"
    async with registered(asterisk) as ua:
        options: dict[str, Any] = {"audio": SPEECH, "codecs": (codec,), "capture": str(path)}
        async with ua.call("600", record=str(tmp_path / "echo.wav"), **options) as call:
            await asyncio.sleep(6)
            await call.send_dtmf("5", transport_type="RFC4733")
            await asyncio.sleep(0.5)
            port = port_of(call.stats())
        await call.wait_ended()
        await asyncio.sleep(0.5)
        stats = call.stats()
    capture = dissector(path, port)
    assert capture.complaints == []
    assert capture.undissected == []
    audio = audio_of(stats)
    packets = of_ssrc(capture, audio.sent.ssrc)
    assert (len(packets), sum(packet.payload_size for packet in packets)) == (
        audio.sent.packets,
        audio.sent.bytes,
    )
    assert audio.received.ssrc is not None
    stream = capture.streams[audio.received.ssrc]
    assert stream.packets == audio.received.packets
    assert stream.lost == audio.received.lost
    tones = [packet for packet in packets if packet.payload_type != audio.sent.payload_type]
    assert len(tones) == audio.sent.events > 3
    assert [packet.marker for packet in tones] == [True] + [False] * (len(tones) - 1)
    assert len({packet.timestamp for packet in tones}) == 1
    assert audio.remote_received is not None
    assert audio.remote_received.round_trip.count >= 1
    assert audio.quality is not None
    assert audio.quality.mos > 3.5
