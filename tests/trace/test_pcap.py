from __future__ import annotations

import ipaddress
import stat
import struct
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from sipua.media.capture import PacketCapture
from sipua.trace import TracedMessage, TraceError, write_pcap
from tests.trace.traces import CALL, OFFER, PEER, sip, traced


class Packet(NamedTuple):
    time: float
    source: tuple[str, int]
    target: tuple[str, int]
    payload: bytes


def checksum(data: bytes) -> int:
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def read(path: Path) -> list[Packet]:
    """A pcap file of raw IPv4 and IPv6 with UDP, every length and checksum checked."""
    data = path.read_bytes()
    magic, major, minor, _, _, snaplen, link = struct.unpack_from("<IHHiIII", data)
    assert (magic, major, minor, link) == (0xA1B2C3D4, 2, 4, 101)
    place, packets = 24, []
    while place < len(data):
        seconds, micros, size, whole = struct.unpack_from("<IIII", data, place)
        assert size == whole <= snaplen
        packet = data[place + 16 : place + 16 + size]
        place += 16 + size
        if packet[0] >> 4 == 4:
            assert packet[0] & 15 == 5
            assert struct.unpack_from("!H", packet, 2)[0] == size
            assert checksum(packet[:20]) == 0xFFFF
            protocol, hosts, udp = packet[9], (packet[12:16], packet[16:20]), packet[20:]
        else:
            assert struct.unpack_from("!H", packet, 4)[0] == size - 40
            protocol, hosts, udp = packet[6], (packet[8:24], packet[24:40]), packet[40:]
        assert protocol == 17
        pseudo = b"".join(hosts) + struct.pack("!IHH", len(udp), 0, 17)[0:4] + struct.pack("!HH", 0, 17)
        assert checksum(pseudo + udp) == 0xFFFF
        source, target, length, _ = struct.unpack_from("!HHHH", udp)
        assert length == len(udp)
        names = [str(ipaddress.ip_address(host)) for host in hosts]
        packets.append(Packet(seconds + micros / 1e6, (names[0], source), (names[1], target), udp[8:]))
    assert place == len(data)
    return packets


def messages() -> list[TracedMessage]:
    return [record for record in CALL if isinstance(record, TracedMessage)]


def test_every_message_is_a_datagram_with_its_time_and_ends(tmp_path: Path) -> None:
    path = tmp_path / "sip.pcap"
    assert write_pcap(messages(), path) == (6, 0, 0)
    packets = read(path)
    assert [packet.payload.decode() for packet in packets] == [message.message for message in messages()]
    assert [packet.time for packet in packets] == pytest.approx(
        [message.time for message in messages()], abs=1e-6
    )
    us, them = ("192.0.2.1", 5060), ("192.0.2.9", 5060)
    for packet, message in zip(packets, messages(), strict=True):
        assert (packet.source, packet.target) == ((us, them) if message.direction == "out" else (them, us))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_everybody_has_another_address(tmp_path: Path) -> None:
    text = sip("OPTIONS sip:x SIP/2.0", "1 OPTIONS")
    peers = [
        "wss://192.0.2.9/ws",
        "ws://192.0.2.9:8080/",
        "wss://example.com/",
        "ws://[2001:db8::1]/",
        "127.0.0.1:4000",
        "",
        "no url[",
    ]
    path = tmp_path / "x.pcap"
    write_pcap(
        [TracedMessage(1.0, "out", peer, text, f"sip:{n % 2}@h") for n, peer in enumerate(peers)], path
    )
    targets = [packet.target[0] for packet in read(path)]
    assert len(set(targets)) == len(peers)
    assert targets[0] == "192.0.2.9"
    assert "2001:db8::1" in targets
    assert "127.0.0.1" in targets


def test_captured_media_is_put_in_by_time(tmp_path: Path) -> None:
    times = iter((100.05, 100.15, 103.6))
    capture = PacketCapture(tmp_path / "rtp.pcap", wall=lambda: next(times))
    for number in range(3):
        capture.write(("10.0.0.1", 4000), ("10.0.0.2", 5000), bytes([0x80, 0, 0, number]))
    capture.close()
    path = tmp_path / "all.pcap"
    assert write_pcap(messages(), path, captures=[capture.path]) == (6, 0, 3)
    packets = read(path)
    assert [packet.time for packet in packets] == sorted(packet.time for packet in packets)
    assert [index for index, packet in enumerate(packets) if packet.source == ("10.0.0.1", 4000)] == [1, 3, 8]


@pytest.mark.parametrize("length", ["Content-Length: ", "l :"])
@pytest.mark.parametrize(
    ("profile", "written"),
    [("UDP/TLS/RTP/SAVPF", "RTP/AVPF"), ("RTP/SAVP", "RTP/AVP"), ("RTP/AVP", "RTP/AVP")],
)
def test_with_captured_media_the_sdp_says_that_it_is_not_encrypted(
    tmp_path: Path, profile: str, written: str, length: str
) -> None:
    body = OFFER.replace("RTP/AVP", profile) + "a=x:m=audio 4000 RTP/SAVP 0\r\n"
    message = traced(1.0, "out", sip("INVITE sip:bob@x SIP/2.0", "1 INVITE", body=body))
    message = replace(message, message=message.message.replace("Content-Length: ", length))
    capture = PacketCapture(tmp_path / "rtp.pcap")
    capture.write(("10.0.0.1", 4000), ("10.0.0.2", 5000), b"abc")
    capture.close()
    write_pcap([message], tmp_path / "with.pcap", captures=[capture.path])
    head, _, sent = read(tmp_path / "with.pcap")[0].payload.decode().partition("\r\n\r\n")
    assert sent == body.replace(f"4000 {profile} 0 8", f"4000 {written} 0 8")
    assert f"\r\n{length}{len(sent)}\r\n" in head + "\r\n"
    write_pcap([message], tmp_path / "without.pcap")
    assert read(tmp_path / "without.pcap")[0].payload.decode() == message.message


def test_capture_that_was_cut_is_used_as_far_as_it_goes(tmp_path: Path) -> None:
    capture = PacketCapture(tmp_path / "rtp.pcap")
    capture.write(("10.0.0.1", 4000), ("10.0.0.2", 5000), b"abc")
    capture.write(("10.0.0.1", 4000), ("10.0.0.2", 5000), b"abc")
    capture.close()
    capture.path.write_bytes(capture.path.read_bytes()[:-1])
    assert write_pcap([], tmp_path / "x", captures=[capture.path]).rtp == 1


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not a capture"),
        (b"RIFF" + b"\0" * 40, "not a capture"),
        (struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1), "link type 1,"),
    ],
)
def test_what_is_no_capture(tmp_path: Path, data: bytes, why: str) -> None:
    (tmp_path / "x.pcap").write_bytes(data)
    with pytest.raises(TraceError, match=rf"x.pcap: .*{why}"):
        write_pcap(messages(), tmp_path / "out", captures=[tmp_path / "x.pcap"])
    assert not (tmp_path / "out").exists()


def test_message_that_is_too_long_is_cut_and_counted(tmp_path: Path) -> None:
    long = traced(1.0, "in", sip("MESSAGE sip:x SIP/2.0", "1 MESSAGE", body=OFFER * 900), PEER)
    assert write_pcap([long], tmp_path / "x") == (1, 1, 0)
    (packet,) = read(tmp_path / "x")
    assert len(packet.payload) == 65507
