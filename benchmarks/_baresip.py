"""What baresip plays of given RTP packets: it takes a call over plain SIP, and its loudspeaker is its microphone.

baresip's module `aubridge` hands what is played to the source of the same name; that goes back as L16 (linear
PCM, nothing is lost by coding). So what comes back, and when, is what a listener would have heard, and when.
"""

from __future__ import annotations

import contextlib
import re
import select
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sipua.media.engine.rtp import build_packet, parse_packet

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sipua.media.codecs import CodecSpec

HOST = "127.0.0.1"
LINEAR = 96
"""Payload type of what comes back."""
WARM = 0.3
"""Seconds from the answer to the first packet: the players' threads are running then."""
MODULES = ("g711", "g722", "opus", "l16", "plc", "aubridge", "uuid", "account", "menu")
"""With packet loss concealment (plc), though its default configuration has none; Opus has its own."""
PLACES = ("/usr/lib/baresip/modules", "/usr/local/lib/baresip/modules", "/usr/lib64/baresip/modules")

CONFIG = """\
sip_listen {host}:{port}
call_max_calls 4
audio_player aubridge,loop
audio_source aubridge,loop
audio_alert aubridge,alert
auplay_srate {rate}
ausrc_srate {rate}
rtp_ports 20000-29998
module_path {modules}
"""


class Back(NamedTuple):
    """What was played."""

    pcm: bytes
    rate: int
    start: float
    """Seconds from the first packet's time of sending to the first sample; may be negative."""
    behind: float
    """How late, at most, a packet was sent by this side, in seconds."""


class BaresipError(Exception):
    """It did not start, or did not take the call."""


def modules() -> Path | None:
    """Where its modules are. None: it is not installed."""
    if shutil.which("baresip") is None:
        return None
    return next((Path(place) for place in PLACES if (Path(place) / "aubridge.so").exists()), None)


def version() -> str:
    found = subprocess.run(["baresip", "-h"], capture_output=True, text=True, check=False)
    match = re.search(r"baresip v?(\d[\w.]*)", found.stdout + found.stderr)
    return match[1] if match else "of unknown version"


@contextlib.contextmanager
def running(rate: int) -> Iterator[int]:
    """One that answers every call and plays at `rate`; gives its SIP port."""
    place = modules()
    if place is None:
        raise BaresipError("baresip is not installed")
    with tempfile.TemporaryDirectory() as folder:
        port, home = _free_port(), Path(folder)
        config = CONFIG.format(host=HOST, port=port, rate=rate, modules=place)
        lines = [f"module{_kind(name)} {name}.so" for name in MODULES if (place / f"{name}.so").exists()]
        (home / "config").write_text(config + "\n".join(lines) + "\n")
        (home / "accounts").write_text(f"<sip:listener@{HOST}:{port}>;answermode=auto;regint=0\n")
        (home / "contacts").touch()
        log = home / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["baresip", "-f", folder], stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        try:
            _wait_ready(process, log)
            yield port
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def play(
    port: int, spec: CodecSpec, rate: int, arrivals: Sequence[tuple[float, int, bytes]], end: float
) -> Back:
    """Call, send each payload (seconds, number, payload) at its time, listen until `end`, hang up."""
    with _socket() as media, _Call(port, spec, rate, media.getsockname()[1]) as call:
        return _listen(media, call.media, spec, rate, arrivals, end)


def _listen(
    media: socket.socket,
    peer: tuple[str, int],
    spec: CodecSpec,
    rate: int,
    arrivals: Sequence[tuple[float, int, bytes]],
    end: float,
) -> Back:
    step, behind, index = spec.clock_rate // 50, 0.0, 0
    start = time.monotonic() + WARM
    came: list[tuple[float, int, bytes]] = []
    while (now := time.monotonic() - start) < end:
        while index < len(arrivals) and arrivals[index][0] <= now:
            due, number, payload = arrivals[index]
            behind = max(behind, now - due)
            media.sendto(
                build_packet(spec.payload_type, number == 0, number & 0xFFFF, number * step, 0x5EED, payload),
                peer,
            )
            index += 1
        until = arrivals[index][0] if index < len(arrivals) else end
        if select.select([media], [], [], max(0.0, until - now))[0]:
            back = parse_packet(media.recv(65536))
            if back is not None and back[0] == LINEAR:
                came.append((time.monotonic() - start, back[3], back[5]))
    return _together(came, rate, spec.channels, behind)


def _together(came: list[tuple[float, int, bytes]], rate: int, channels: int, behind: float) -> Back:
    """The samples in a row (of two channels, the first). What was on its way the shortest says when it began."""
    if not came:
        raise BaresipError("no audio came back")
    first = came[0][1]
    parts = [
        ((timestamp - first) & 0xFFFFFFFF, np.frombuffer(payload, ">i2")[::channels])
        for _, timestamp, payload in came
    ]
    whole = np.zeros(max(at + len(part) for at, part in parts), "<i2")
    for at, part in parts:
        whole[at : at + len(part)] = part
    start = min(when - at / rate for (when, _, _), (at, _) in zip(came, parts, strict=True))
    return Back(whole.tobytes(), rate, start, behind)


class _Call:
    """One call: INVITE, ACK and, at its end, BYE (:rfc:`3261`), over a loopback that loses nothing."""

    def __init__(self, port: int, spec: CodecSpec, rate: int, media_port: int) -> None:
        self.media = (HOST, 0)
        self._peer, self._socket = (HOST, port), _socket()
        self._id, self._to = uuid.uuid4().hex, f"<sip:listener@{HOST}:{port}>"
        self._sdp = _offer(spec, rate, media_port)

    def __enter__(self) -> _Call:
        self._send("INVITE", 1, self._sdp)
        answer = self._final("INVITE")
        to = re.search(r"(?im)^to\s*:\s*(.+?)\r?$", answer)
        port, address = re.search(r"m=audio (\d+)", answer), re.search(r"c=IN IP4 (\S+)", answer)
        if to is None or port is None or address is None:
            raise BaresipError("no answer in its 200")
        self._to, self.media = to[1], (address[1], int(port[1]))
        self._send("ACK", 1)
        return self

    def __exit__(self, *_: object) -> None:
        with self._socket, contextlib.suppress(BaresipError):
            self._send("BYE", 2)
            self._final("BYE")

    def _send(self, method: str, number: int, body: str = "") -> None:
        here = f"{HOST}:{self._socket.getsockname()[1]}"
        lines = [
            f"{method} sip:listener@{HOST}:{self._peer[1]} SIP/2.0",
            f"Via: SIP/2.0/UDP {here};branch=z9hG4bK{uuid.uuid4().hex};rport",
            "Max-Forwards: 70",
            f"From: <sip:speaker@{here}>;tag={self._id[:8]}",
            f"To: {self._to}",
            f"Call-ID: {self._id}",
            f"CSeq: {number} {method}",
            f"Contact: <sip:speaker@{here}>",
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        self._socket.sendto("\r\n".join([*lines, "", body]).encode(), self._peer)

    def _final(self, method: str) -> str:
        self._socket.settimeout(5)
        while True:
            try:
                text = self._socket.recv(65536).decode(errors="replace")
            except TimeoutError:
                raise BaresipError(f"no response to {method}") from None
            status = re.match(r"SIP/2\.0 (\d+)", text)
            if status is None or method not in text or int(status[1]) < 200:
                continue
            if int(status[1]) >= 300:
                raise BaresipError(text.partition("\r\n")[0])
            return text


def _offer(spec: CodecSpec, rate: int, port: int) -> str:
    """L16 first: that is what it will send; it takes every format that is listed (:rfc:`3264` section 7)."""
    channels = f"/{spec.channels}" if spec.channels > 1 else ""
    lines = [
        "v=0",
        f"o=- 1 1 IN IP4 {HOST}",
        "s=-",
        f"c=IN IP4 {HOST}",
        "t=0 0",
        f"m=audio {port} RTP/AVP {LINEAR} {spec.payload_type}",
        f"a=rtpmap:{LINEAR} L16/{rate}{channels}",
        f"a=rtpmap:{spec.payload_type} {spec.name}/{spec.clock_rate}{channels}",
        *(f"a=fmtp:{spec.payload_type} {key}={value}" for key, value in spec.fmtp.items()),
        "a=ptime:20",
        "a=sendrecv",
    ]
    return "\r\n".join([*lines, ""])


def _kind(name: str) -> str:
    return {"uuid": "_tmp", "account": "_tmp", "menu": "_app"}.get(name, "")


def _socket() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((HOST, 0))
    return made


def _free_port() -> int:
    with _socket() as one:
        return int(one.getsockname()[1])


def _wait_ready(process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(100):
        if b"baresip is ready" in log.read_bytes():
            return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise BaresipError("baresip did not start: " + log.read_text(errors="replace")[-300:])
