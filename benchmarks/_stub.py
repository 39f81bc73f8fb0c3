"""The peer of every signalling benchmark: a SIP-over-WebSocket server that does what a user agent must hear.

No transactions, dialogs or timers; a reply copies Via, From, To, Call-ID and CSeq. It speaks
WebSocket with its own few lines, because it must be far cheaper than what it measures and favour no library.

WebSocket: REGISTER → 200 with the Contact echoed; INVITE → 100, 180, 200 with SDP; ACK is counted; anything
else → 200. Frames are answered in the kind they came in. HTTP on the same port, all answers JSON:

``/stats``  CPU seconds, requests received by method, open and registered connections
``/place?count=N&width=W``  places N calls, W at a time, to the connection that registered last; each is
acknowledged and hung up as soon as it is answered; answers when all are over
``/cut``  destroys every WebSocket without a close frame

Run as a process it prints ``PORT n`` once it listens on 127.0.0.1.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import itertools
import json
import resource
from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from benchmarks._messages import ANSWER, OFFER

if TYPE_CHECKING:
    from collections.abc import Callable

BACKLOG = 4096
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §1.3
_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA

_COPIED = {
    "via": "via",
    "v": "via",
    "from": "from",
    "f": "from",
    "to": "to",
    "t": "to",
    "call-id": "id",
    "i": "id",
}
_COPIED |= {"cseq": "cseq", "contact": "contact", "m": "contact", "expires": "expires"}


def scan(text: str) -> dict[str, str]:
    """The header lines that a reply copies, by short key; several Vias stay one block of lines."""
    found = dict.fromkeys(("via", "from", "to", "id", "cseq", "contact", "expires"), "")
    for line in text[: text.index("\r\n\r\n")].split("\r\n")[1:]:
        key = _COPIED.get(line[: line.index(":")].strip().lower())
        if key == "via":
            found[key] += line + "\r\n"
        elif key:
            found[key] = line
    return found


def value(line: str) -> str:
    return line.partition(":")[2].strip()


def uri(contact: str) -> str:
    return contact[contact.index("<") + 1 : contact.index(">")]


class Placing:
    """Calls that the stub makes: `width` in progress until `count` are over."""

    def __init__(self, peer: Peer, count: int, width: int, done: Callable[[int], None]) -> None:
        self._peer, self._left, self._done = peer, count, done
        self._open: set[str] = set()
        self._failed = 0
        self._numbers = itertools.count(1)
        for _ in range(min(width, count)):
            self._next()

    def _next(self) -> None:
        if not self._left:
            if not self._open:
                self._done(self._failed)
            return
        self._left -= 1
        call_id = f"stub{id(self):x}x{next(self._numbers)}"
        self._open.add(call_id)
        stub, target = self._peer.stub, self._peer.contact
        self._peer.send(
            f"INVITE {target} SIP/2.0\r\nVia: SIP/2.0/WS {stub.host};branch=z9hG4bKi{call_id}\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:stub@{stub.host}>;tag=f{call_id}\r\nTo: <{target}>\r\n"
            f"Call-ID: {call_id}\r\nCSeq: 1 INVITE\r\n{stub.contact}"
            "Allow: INVITE,ACK,CANCEL,BYE,UPDATE,MESSAGE,OPTIONS,REFER,INFO\r\nSupported: outbound\r\n"
            f"{stub.offer}"
        )

    def response(self, status: int, text: str) -> None:
        found = scan(text)
        call_id = value(found["id"])
        if status < 200 or call_id not in self._open:
            return
        if status >= 300:
            self._failed += 1
        elif found["cseq"].endswith("INVITE"):
            self._acknowledge_and_hang_up(found, call_id)
            return
        self._open.discard(call_id)
        self._next()

    def _acknowledge_and_hang_up(self, found: dict[str, str], call_id: str) -> None:
        host, target = self._peer.stub.host, uri(found["contact"])
        for sequence, method in ((1, "ACK"), (2, "BYE")):
            self._peer.send(
                f"{method} {target} SIP/2.0\r\nVia: SIP/2.0/WS {host};branch=z9hG4bK{method}{call_id}\r\n"
                f"Max-Forwards: 70\r\n{found['from']}\r\n{found['to']}\r\n{found['id']}\r\n"
                f"CSeq: {sequence} {method}\r\nContent-Length: 0\r\n\r\n"
            )


class Peer(asyncio.Protocol):
    """One TCP connection: an HTTP question, or a WebSocket after its handshake."""

    transport: asyncio.Transport

    def __init__(self, stub: Stub) -> None:
        self.stub = stub
        self.contact = ""
        self._buffer = b""
        self._upgraded = False
        self._kind = _TEXT

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.stub.peers.discard(self)
        self.stub.registered.discard(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._upgraded:
            self._http()
        if self._upgraded:
            self._frames()

    # --- HTTP

    def _http(self) -> None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        request, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
        self._buffer = self._buffer[end + 4 :]
        headers = {name.lower(): text.strip() for name, _, text in (line.partition(":") for line in lines)}
        key = headers.get("sec-websocket-key")
        if key is None:
            self._question(request.split(" ")[1])
            return
        accept = base64.b64encode(hashlib.sha1(key.encode() + _GUID).digest()).decode()
        self.transport.write(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: sip\r\n\r\n".encode()
        )
        self._upgraded = True
        self.stub.peers.add(self)

    def _question(self, target: str) -> None:
        parts = urlsplit(target)
        query = {name: int(values[0]) for name, values in parse_qs(parts.query).items()}
        if parts.path == "/place":
            self.stub.place(query["count"], query["width"], self.answer)
        elif parts.path == "/cut":
            self.answer(self.stub.cut())
        else:
            self.answer(self.stub.stats())

    def answer(self, content: dict[str, object]) -> None:
        body = json.dumps(content).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        self.transport.write(f"{head}Connection: close\r\n\r\n".encode() + body)
        self.transport.close()

    # --- WebSocket (RFC 6455 §5): whole, masked frames of up to 64 KiB are all that a SIP client sends

    def _frames(self) -> None:
        buffer, at = self._buffer, 0
        while len(buffer) - at >= 6:
            opcode, size, head = buffer[at] & 0x0F, buffer[at + 1] & 0x7F, 2
            if size == 126:
                size, head = int.from_bytes(buffer[at + 2 : at + 4], "big"), 4
            start = at + head + 4
            if len(buffer) < start + size:
                break
            mask = buffer[start - 4 : start]
            payload = int.from_bytes(buffer[start : start + size], "big")
            pad = int.from_bytes((mask * (size // 4 + 1))[:size], "big")
            at = start + size
            self._frame(opcode, (payload ^ pad).to_bytes(size, "big"))
        self._buffer = buffer[at:]

    def _frame(self, opcode: int, payload: bytes) -> None:
        if opcode in (_TEXT, _BINARY):
            self._kind = opcode
            self.stub.receive(self, payload.decode())
        elif opcode == _PING:
            self._write(_PONG, payload)
        elif opcode == _CLOSE:
            self._write(_CLOSE, payload[:2])
            self.transport.close()
        elif opcode == _CONTINUATION:
            raise RuntimeError("a fragmented message: the stub reads whole frames only")

    def _write(self, opcode: int, payload: bytes) -> None:
        size = len(payload)
        length = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big")
        self.transport.write(bytes([0x80 | opcode]) + length + payload)

    def send(self, text: str) -> None:
        self._write(self._kind, text.encode())


class Stub:
    """What the connections share: counts, who is registered, calls being placed."""

    def __init__(self) -> None:
        self.host = ""
        self.contact = ""
        self.offer = _body(OFFER)
        self._answer = _body(ANSWER)
        self.peers: set[Peer] = set()
        self.registered: set[Peer] = set()
        self.received: Counter[str] = Counter()
        self._last_registered: Peer | None = None
        self._placing: Placing | None = None
        self._tags = itertools.count(1)

    async def listen(self) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Peer(self), "127.0.0.1", 0, backlog=BACKLOG)
        self.host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self.contact = f"Contact: <sip:stub@{self.host};transport=ws>\r\n"
        return server

    def receive(self, peer: Peer, text: str) -> None:
        if text.isspace():  # the keep-alive of RFC 5626 §4.4.1
            peer.send("\r\n")
            return
        method = text[: text.index(" ")]
        self.received[method] += 1
        if method == "SIP/2.0":
            if self._placing is not None:
                self._placing.response(int(text[8:11]), text)
        elif method == "INVITE":
            self._invited(peer, scan(text))
        elif method == "REGISTER":
            self._register(peer, scan(text))
        elif method != "ACK":
            found = scan(text)
            self._reply(
                peer, found, "200 OK", "" if ";tag=" in found["to"] else f";tag=o{next(self._tags)}", _EMPTY
            )

    def _reply(self, peer: Peer, found: dict[str, str], status: str, tag: str, rest: str) -> None:
        peer.send(
            f"SIP/2.0 {status}\r\n{found['via']}{found['from']}\r\n{found['to']}{tag}\r\n"
            f"{found['id']}\r\n{found['cseq']}\r\n{rest}"
        )

    def _invited(self, peer: Peer, found: dict[str, str]) -> None:
        tag = f";tag=s{next(self._tags)}"
        self._reply(peer, found, "100 Trying", "", _EMPTY)
        self._reply(peer, found, "180 Ringing", tag, self.contact + _EMPTY)
        self._reply(peer, found, "200 OK", tag, self.contact + self._answer)

    def _register(self, peer: Peer, found: dict[str, str]) -> None:
        contact = found["contact"]
        gone = value(found["expires"]) == "0" or contact.endswith(";expires=0") or ";expires=0;" in contact
        if gone:
            self.registered.discard(peer)
            lines = ""
        else:
            peer.contact = uri(contact)
            self._last_registered = peer
            self.registered.add(peer)
            lines = f"{contact}{'' if ';expires=' in contact else ';expires=600'}\r\n"
        self._reply(peer, found, "200 OK", f";tag=r{next(self._tags)}", lines + _EMPTY)

    # --- what the control door offers

    def stats(self) -> dict[str, object]:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "cpu_s": usage.ru_utime + usage.ru_stime,
            "received": dict(self.received),
            "open": len(self.peers),
            "registered": len(self.registered),
        }

    def cut(self) -> dict[str, object]:
        peers = list(self.peers)
        for peer in peers:
            peer.transport.abort()
        return {"cut": len(peers)}

    def place(self, count: int, width: int, answer: Callable[[dict[str, object]], None]) -> None:
        if self._last_registered is None or self._placing is not None:
            answer({"error": "nobody is registered" if self._placing is None else "already placing calls"})
            return

        def done(failed: int) -> None:
            self._placing = None
            answer({"failed": failed})

        self._placing = Placing(self._last_registered, count, width, done)


def _body(sdp: str) -> str:
    return f"Content-Type: application/sdp\r\nContent-Length: {len(sdp)}\r\n\r\n{sdp}"


_EMPTY = "Content-Length: 0\r\n\r\n"


async def serve() -> None:
    stub = Stub()
    server = await stub.listen()
    print("PORT", stub.host.partition(":")[2], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    try:
        asyncio.run(serve())
    except KeyboardInterrupt:
        pass
