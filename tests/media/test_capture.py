from __future__ import annotations

import errno
import io
import ipaddress
import stat
import struct
from pathlib import Path
from typing import Any

import pytest

from sipua.errors import MediaFileError
from sipua.media.capture import CapturingHandler, CapturingTransport, PacketCapture, datagram
from sipua.media.engine.rtp import parse_packet
from tests.media.calls import closing, connected, media, negotiate, until

OURS, THEIRS = ("192.0.2.1", 4000), ("198.51.100.7", 5004)


def records(path: Path) -> list[tuple[float, bytes]]:
    """The packets of a pcap file, read by its definition."""
    data = path.read_bytes()
    magic, major, minor, _, _, _, link = struct.unpack_from("<IHHiIII", data)
    assert (magic, major, minor, link) == (0xA1B2C3D4, 2, 4, 101)
    found, position = [], 24
    while position < len(data):
        seconds, micros, length, original = struct.unpack_from("<IIII", data, position)
        assert length == original
        found.append((seconds + micros / 1e6, data[position + 16 : position + 16 + length]))
        position += 16 + length
    return found


def internet_sum(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


@pytest.mark.parametrize("payload", [b"", b"x", b"hello", bytes(range(256)) * 5])
def test_datagram_of_ipv4(payload: bytes) -> None:
    packet = datagram(OURS, THEIRS, payload)
    assert packet[0] == 0x45
    assert struct.unpack_from("!H", packet, 2)[0] == len(packet)
    assert str(ipaddress.ip_address(packet[12:16])) == OURS[0]
    assert str(ipaddress.ip_address(packet[16:20])) == THEIRS[0]
    assert struct.unpack_from("!HHH", packet, 20) == (4000, 5004, 8 + len(payload))
    assert packet[28:] == payload
    # A sum over what is checked, with its checksum, is all ones (RFC 1071).
    assert internet_sum(packet[:20]) == 0xFFFF
    assert internet_sum(packet[12:20] + struct.pack("!HH", 17, len(packet) - 20) + packet[20:]) == 0xFFFF


def test_datagram_of_ipv6() -> None:
    packet = datagram(("fe80::1%eth0", 4000), THEIRS, b"hello")
    assert packet[0] >> 4 == 6
    assert struct.unpack_from("!HBB", packet, 4) == (13, 17, 64)
    assert ipaddress.IPv6Address(packet[24:40]).ipv4_mapped == ipaddress.ip_address(THEIRS[0])
    assert internet_sum(packet[8:40] + struct.pack("!II", 13, 17) + packet[40:]) == 0xFFFF
    assert packet[48:] == b"hello"


def test_file(tmp_path: Path) -> None:
    path = tmp_path / "call.pcap"
    path.write_bytes(b"of another call")
    times = iter([1000.25, 1000.5])
    capture = PacketCapture(path, wall=lambda: next(times))
    capture.check()
    assert path.read_bytes() == b"of another call"
    capture.write(OURS, THEIRS, b"one")
    capture.write(THEIRS, OURS, b"two")
    capture.close()
    capture.close()
    capture.write(OURS, THEIRS, b"too late")
    assert capture.packets == 2
    assert [(when, packet[28:]) for when, packet in records(path)] == [(1000.25, b"one"), (1000.5, b"two")]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_no_packet_makes_no_file(tmp_path: Path) -> None:
    PacketCapture(tmp_path / "x.pcap").close()
    assert list(tmp_path.iterdir()) == []


def test_file_that_cannot_be(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    capture = PacketCapture(tmp_path / "none" / "x.pcap")
    with pytest.raises(MediaFileError, match="does not exist"):
        capture.check()
    capture.write(OURS, THEIRS, b"one")
    capture.write(OURS, THEIRS, b"two")
    assert capture.packets == 0
    assert len(caplog.records) == 1


def test_address_that_is_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    capture = PacketCapture(tmp_path / "x.pcap")
    capture.write(("host.local", 1), THEIRS, b"one")
    assert "capture stopped: 'host.local' does not appear to be" in caplog.text
    assert not capture.path.exists()


def test_disk_that_is_full_from_the_start() -> None:
    told: list[MediaFileError] = []
    capture = PacketCapture("/dev/full", on_error=told.append)
    capture.write(OURS, THEIRS, b"one")
    capture.write(OURS, THEIRS, b"two")
    capture.close()
    assert [str(e) for e in told] == [
        "/dev/full: capture stopped: no space left on device; nothing was captured"
    ]
    assert Path("/dev/full").is_char_device()


class FullDisk(io.FileIO):
    """A file that takes so many bytes, and a part of what is too much."""

    room = 0

    def write(self, data: Any, /) -> int:
        size = min(len(data), self.room - self.tell())
        if not size:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(memoryview(data)[:size])


@pytest.mark.parametrize(("size", "kept"), [(10, 0), (24, 0), (80, 0), (200, 2), (231, 3)])
def test_disk_that_is_full_leaves_whole_packets_or_no_file(
    tmp_path: Path, size: int, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(io, "FileIO", FullDisk)
    monkeypatch.setattr(FullDisk, "room", size)
    path = tmp_path / "x.pcap"
    told: list[MediaFileError] = []
    capture = PacketCapture(path, on_error=told.append)
    for _ in range(10):
        capture.write(OURS, THEIRS, bytes(25))  # 69 bytes in the file, after 24 of its header
    capture.close()
    words = f"the first {kept} packets are kept" if kept else "nothing was captured"
    assert [str(e) for e in told] == [f"{path}: capture stopped: no space left on device; {words}"]
    assert len(records(path)) == kept if kept else not path.exists()


class Line:
    """A transport and a handler that keep what they get."""

    def __init__(self, *, works: bool = True) -> None:
        self.works = works
        self.packets: list[bytes] = []
        self.forgotten: list[int] = []
        self.refused = 0

    def send_rtp(self, packet: bytes) -> bool:
        self.packets.append(packet)
        return self.works

    send_rtcp = send_rtp

    def forget(self, ssrc: int) -> None:
        self.forgotten.append(ssrc)

    def rtp(self, packet: bytes, now: float) -> None:
        self.packets.append(packet)

    rtcp = rtp

    def junk(self) -> None:
        self.refused += 1


def test_what_is_captured(tmp_path: Path) -> None:
    path, line, dead = tmp_path / "x.pcap", Line(), Line(works=False)
    capture = PacketCapture(path)
    out = CapturingTransport(line, capture, lambda: (OURS, THEIRS))
    assert out.send_rtp(b"a")
    assert out.send_rtcp(b"b")
    assert not CapturingTransport(dead, capture, lambda: (OURS, THEIRS)).send_rtp(b"nobody got it")
    incoming = CapturingHandler(line, capture, lambda: None)
    incoming.rtp(b"c", 1.0)
    incoming.rtcp(b"d", 1.0)
    incoming.junk()
    out.forget(7)
    capture.close()
    assert (line.packets, line.forgotten, line.refused) == ([b"a", b"b", b"c", b"d"], [7], 1)
    packets = [packet for _, packet in records(path)]
    assert [packet[28:] for packet in packets] == line.packets
    assert [packet[12:16] for packet in packets] == [bytes([192, 0, 2, 1])] * 2 + [bytes(4)] * 2


@pytest.mark.realtime
async def test_a_call_is_captured_in_the_clear(tmp_path: Path) -> None:
    path = tmp_path / "call.pcap"
    a, b = media(codecs=("PCMU",), capture=str(path)), media()
    async with closing(a, b):
        a.check()
        await negotiate(a, b)
        await connected(a, b)
        await until(lambda: min(s.stats().packets_received for s in (a, b)) > 20)
    stats = a.stats()
    assert stats.local_candidate is not None
    port = int(stats.local_candidate.rpartition(":")[2])
    sent, received = list[bytes](), list[bytes]()
    for _, packet in records(path):
        way = sent if struct.unpack_from("!H", packet, 20)[0] == port else received
        if not 192 <= packet[29] <= 223:
            way.append(packet[28:])
    assert len(sent) == stats.packets_sent
    assert len(received) == stats.packets_received
    parsed = [parse_packet(packet) for packet in sent]
    assert all(fields is not None and fields[0] == 0 and fields[5] == b"\xff" * 160 for fields in parsed)
    assert [fields[1] for fields in parsed if fields is not None] == [True] + [False] * (len(sent) - 1)
