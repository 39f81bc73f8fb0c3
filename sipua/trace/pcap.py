"""SIP messages of a trace as packets for Wireshark and tshark, and captured RTP among them.

The messages went over a WebSocket, most often encrypted. Here each is one UDP datagram from and to port 5060, where
every reader looks for SIP. Who has no IP address in the trace gets one of those for documentation (:rfc:`5737`).

Captured RTP is not encrypted any more, but offer and answer say that it is, and readers believe them. So with RTP among
them, the messages say ``RTP/AVPF`` where they said ``UDP/TLS/RTP/SAVPF``; all else is as it was.
"""

from __future__ import annotations

import ipaddress
import os
import re
import struct
from heapq import merge
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from sipua.trace.files import create
from sipua.trace.reading import TraceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sipua.trace.records import TracedMessage

__all__ = ["PacketCount", "write_pcap"]

SIP_PORT = 5060
#: What fits into a UDP datagram over IPv4.
MOST_BYTES = 65_535 - 20 - 8

_FILE_HEADER = struct.Struct("<IHHiIII")
_RECORD = struct.Struct("<IIII")
_MAGIC, _LINKTYPE_RAW, _SNAPLEN = 0xA1B2C3D4, 101, 65_535

_Packet = tuple[float, bytes]
"""Time (seconds since 1970) and IP packet."""


class PacketCount(NamedTuple):
    """What was written."""

    messages: int
    cut: int
    """Messages that were too long for a datagram: their ends are missing."""
    rtp: int
    """Packets that were taken from captures."""


def write_pcap(
    messages: Iterable[TracedMessage],
    path: str | os.PathLike[str],
    *,
    captures: Iterable[str | os.PathLike[str]] = (),
) -> PacketCount:
    """Write a capture file of these messages, readable by its owner only.

    :param captures: files that the media option ``capture`` made; their packets are put among the messages by time.
    :raises OSError: a file cannot be read or written.
    :raises TraceError: one of `captures` is no such file.
    """
    captures = tuple(captures)
    sip = list(_packets(messages, decrypted=bool(captures)))
    media = [list(_captured(Path(capture))) for capture in captures]
    with os.fdopen(create(Path(path)), "wb") as file:
        file.write(_FILE_HEADER.pack(_MAGIC, 2, 4, 0, 0, _SNAPLEN, _LINKTYPE_RAW))
        ordered = merge(sorted((at, packet) for at, packet, _ in sip), *map(sorted, media))
        for at, packet in ordered:
            seconds, micros = divmod(round(at * 1e6), 1_000_000)
            file.write(_RECORD.pack(seconds, micros, len(packet), len(packet)) + packet)
    return PacketCount(len(sip), sum(cut for *_, cut in sip), sum(map(len, media)))


def _packets(messages: Iterable[TracedMessage], *, decrypted: bool) -> Iterator[tuple[float, bytes, bool]]:
    from sipua.media.capture import datagram

    hosts = _Hosts()
    for message in messages:
        ours = hosts.of_agent(message.agent), SIP_PORT
        theirs = hosts.of_peer(message.peer), SIP_PORT
        source, target = (ours, theirs) if message.direction == "out" else (theirs, ours)
        payload = message.message.encode("utf-8", "surrogateescape")
        if decrypted:
            payload = _decrypted(payload)
        yield (
            message.time,
            datagram(source, target, payload[:MOST_BYTES]),
            len(payload) > MOST_BYTES,
        )


_PROFILE = re.compile(rb"^(m=\w+ [\d/]+ )(?:UDP/TLS/|TCP/DTLS/)?RTP/SAVP(?=F? )", re.MULTILINE)
_CONTENT_LENGTH = re.compile(rb"^((?:Content-Length|l)[ \t]*:[ \t]*)\d+", re.MULTILINE | re.IGNORECASE)


def _decrypted(message: bytes) -> bytes:
    """The message, its SDP for RTP that is not encrypted."""
    head, empty, body = message.partition(b"\r\n\r\n")
    body, count = _PROFILE.subn(rb"\1RTP/AVP", body)
    if not count:
        return message
    return _CONTENT_LENGTH.sub(rb"\g<1>%d" % len(body), head, count=1) + empty + body


class _Hosts:
    """An IP address for everybody, each another one."""

    def __init__(self) -> None:
        self._hosts: dict[tuple[str, str], str] = {}
        self._free = (str(host) for net in _DOCUMENTATION for host in ipaddress.ip_network(net).hosts())

    def of_agent(self, name: str) -> str:
        return self._find("agent", name, None)

    def of_peer(self, url: str) -> str:
        try:
            # Embedded servers name their clients by host and port only.
            host = urlsplit(url if "://" in url else f"//{url}").hostname
            own = str(ipaddress.ip_address(host or ""))
        except ValueError:
            own = None
        return self._find("peer", url, own)

    def _find(self, kind: str, name: str, own: str | None) -> str:
        if (kind, name) not in self._hosts:
            taken = self._hosts.values()
            if own is None or own in taken:
                own = next((host for host in self._free if host not in taken), "203.0.113.254")
            self._hosts[kind, name] = own
        return self._hosts[kind, name]


_DOCUMENTATION = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")


def _captured(path: Path) -> Iterator[_Packet]:
    """The packets of a capture of ours. A last one that is not complete is left out."""
    data = path.read_bytes()
    order = {b"\xd4\xc3\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">"}.get(data[:4])
    if order is None or len(data) < _FILE_HEADER.size:
        raise TraceError(f"{path}: not a capture (pcap) file; sipua call --capture makes one")
    link = struct.unpack_from(f"{order}I", data, 20)[0]
    if link != _LINKTYPE_RAW:
        raise TraceError(f"{path}: a capture of link type {link}, and only raw IP (101) can be put in")
    place = _FILE_HEADER.size
    while place + _RECORD.size <= len(data):
        seconds, micros, size, _ = struct.unpack_from(f"{order}IIII", data, place)
        place += _RECORD.size
        if place + size > len(data):
            return
        yield seconds + micros / 1e6, data[place : place + size]
        place += size
