"""RTP and RTCP as somebody else reads them: tshark, on a capture of a call before encryption."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

NAME = "dissector"

# Times, addresses and ports, SSRC, payload, packets, lost (share), three times of packets, three jitters.
_ROW = re.compile(
    r"^ +[\d.]+ +[\d.]+ +\S+ +(?P<port>\d+) +\S+ +\d+ +0x(?P<ssrc>[0-9A-F]+) +.*?"
    r" (?P<packets>\d+) +(?P<lost>-?\d+) \(\S+\)(?: +[-\d.]+){4} +(?P<mean>[-\d.]+) +(?P<most>[-\d.]+)",
    re.MULTILINE,
)
_ROUND_TRIPS = ("rtcp.show_roundtrip_calculation:TRUE", "rtcp.roundtrip_min_threshhold:0")


def lacking() -> str | None:
    """What is not installed; None when captures can be read."""
    return None if shutil.which("tshark") else "there is no tshark"


@dataclass(frozen=True)
class Stream:
    """One stream of RTP, by tshark's own analysis. Times are in ms."""

    ssrc: int
    source_port: int
    packets: int
    lost: int
    mean_jitter: float
    max_jitter: float


@dataclass(frozen=True)
class Packet:
    """An RTP packet, as tshark reads it; `number` is that of its frame."""

    number: int
    ssrc: int
    sequence: int
    timestamp: int
    payload_type: int
    marker: bool
    payload_size: int


class Capture:
    """A pcap file of one call."""

    def __init__(self, path: Path, port: int) -> None:
        """`port` is one that the call's packets went over: tshark has to be told that it is RTP."""
        self._command = ["tshark", "-n", "-r", str(path), "-d", f"udp.port=={port},rtp"]

    def _run(self, *arguments: str) -> str:
        done = subprocess.run([*self._command, *arguments], capture_output=True, text=True, check=True)
        return done.stdout

    def _fields(self, condition: str, *names: str) -> list[list[str]]:
        options = [part for name in names for part in ("-e", name)]
        lines = self._run("-Y", condition, "-T", "fields", *options).splitlines()
        return [line.split("\t") for line in lines]

    @property
    def complaints(self) -> list[str]:
        """Packets that are malformed, or that tshark warns of."""
        return self._run(
            "-Y", "_ws.malformed || _ws.expert.severity >= warning || rtcp.length_check == 0"
        ).splitlines()

    @property
    def undissected(self) -> list[str]:
        """Packets that are neither RTP nor RTCP."""
        return self._run("-Y", "!rtp && !rtcp").splitlines()

    @property
    def streams(self) -> dict[int, Stream]:
        """By SSRC."""
        table = self._run("-q", "-z", "rtp,streams")
        return {stream.ssrc: stream for stream in map(_stream, _ROW.finditer(table))}

    @cached_property
    def packets(self) -> list[Packet]:
        """All RTP packets in the order in which they went and came."""
        names = ("ssrc", "seq", "timestamp", "p_type", "marker", "payload")
        rows = self._fields("rtp.seq", "frame.number", *(f"rtp.{name}" for name in names))
        return [
            Packet(
                int(number),
                int(ssrc, 16),
                int(sequence),
                int(timestamp),
                int(kind),
                marker in ("1", "True"),
                len(payload.replace(":", "")) // 2,
            )
            for number, ssrc, sequence, timestamp, kind, marker, payload in rows
        ]

    @property
    def round_trips(self) -> list[tuple[int, int]]:
        """The port that a report came from, and the round trip in ms that tshark makes of it."""
        options = [part for option in _ROUND_TRIPS for part in ("-o", option)]
        wanted = (
            "-Y",
            "rtcp.roundtrip-delay",
            "-T",
            "fields",
            "-e",
            "udp.srcport",
            "-e",
            "rtcp.roundtrip-delay",
        )
        rows = [line.split("\t") for line in self._run(*options, *wanted).splitlines()]
        return [(int(port), int(trip.partition(",")[0])) for port, trip in rows]

    @cached_property
    def reports(self) -> list[dict[str, Any]]:
        """The sender and receiver reports, by tshark's names of their fields, with the frame they are in."""
        found = []
        condition = "rtcp.pt == 200 || rtcp.pt == 201"
        for frame in json.loads(self._run("-Y", condition, "-T", "json", "--no-duplicate-keys")):
            layers = frame["_source"]["layers"]
            parts = layers["rtcp"] if isinstance(layers["rtcp"], list) else [layers["rtcp"]]
            found += [{**_flat(part), "frame": layers["frame"]["frame.number"]} for part in parts[:1]]
        return found


def _stream(row: re.Match[str]) -> Stream:
    return Stream(
        int(row["ssrc"], 16),
        int(row["port"]),
        int(row["packets"]),
        int(row["lost"]),
        mean_jitter=float(row["mean"]),
        max_jitter=float(row["most"]),
    )


def _flat(layer: dict[str, Any]) -> dict[str, Any]:
    """All fields of a layer, whatever they are nested in."""
    fields: dict[str, Any] = {}
    for name, value in layer.items():
        if isinstance(value, dict):
            fields |= _flat(value)
        else:
            fields[name] = value
    return fields
