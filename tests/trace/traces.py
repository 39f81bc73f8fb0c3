"""Traces for the tests of this folder."""

from __future__ import annotations

from sipua.trace import Record, TracedEvent, TracedMessage, TracedStats

PEER = "wss://192.0.2.9/ws"
ALICE = "sip:alice@example.com"
OFFER = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8\r\na=sendrecv\r\n"
ANSWER = "v=0\r\no=- 9 1 IN IP4 192.0.2.2\r\ns=-\r\nt=0 0\r\nm=audio 5000 RTP/AVP 0\r\na=sendrecv\r\n"


def sip(
    start: str,
    cseq: str,
    *,
    body: str = "",
    call_id: str = "call-1",
    from_tag: str = "f",
    to_tag: str = "",
    extra: str = "",
    kind: str = "application/sdp",
) -> str:
    tag = f";tag={to_tag}" if to_tag else ""
    content = f"Content-Type: {kind}\r\n" if body else ""
    return (
        f"{start}\r\nVia: SIP/2.0/WSS x.invalid;branch=z9hG4bK{cseq.replace(' ', '')}\r\n"
        f"From: <{ALICE}>;tag={from_tag}\r\nTo: <sip:bob@example.com>{tag}\r\nCall-ID: {call_id}\r\n"
        f"CSeq: {cseq}\r\n{extra}{content}Content-Length: {len(body.encode())}\r\n\r\n{body}"
    )


def traced(time: float, way: str, text: str, peer: str = PEER) -> TracedMessage:
    return TracedMessage(time, "in" if way == "in" else "out", peer, text, ALICE)


def sample(
    time: float, *, packets: int, lost: int, mos: float | None = 4.2, leg: str = "audio-1"
) -> TracedStats:
    audio = {
        "id": leg,
        "sent": {"codec": "opus/48000", "level": -30.0},
        "received": {"packets": packets, "lost": lost, "jitter": 0.004, "buffer_delay": 0.04, "level": -25.5},
        "remote_received": {"jitter": 0.002, "fraction_lost": 0.1, "round_trip": {"last": 0.08}},
    }
    quality = {"mos": mos} if mos is not None else None
    return TracedStats(time, "call-1", {"state": "connected", "audio": audio}, quality, ALICE)


INVITE = "INVITE sip:bob@example.com SIP/2.0"
CALL: list[Record] = [
    traced(100.0, "out", sip(INVITE, "1 INVITE", body=OFFER)),
    TracedEvent(100.0, "call", ALICE, "call-1", {"originator": "local", "remote": "sip:bob@example.com"}),
    traced(100.1, "in", sip("SIP/2.0 180 Ringing", "1 INVITE", to_tag="t")),
    traced(100.2, "in", sip("SIP/2.0 200 OK", "1 INVITE", body=ANSWER, to_tag="t")),
    traced(100.21, "out", sip("ACK sip:bob@example.com SIP/2.0", "1 ACK", to_tag="t")),
    sample(101.2, packets=50, lost=0),
    sample(102.2, packets=90, lost=10),
    sample(103.2, packets=90, lost=10, mos=None),
    traced(103.5, "in", sip("BYE sip:alice@x SIP/2.0", "7 BYE", from_tag="t", to_tag="f")),
    traced(103.51, "out", sip("SIP/2.0 200 OK", "7 BYE", from_tag="t", to_tag="f")),
    TracedEvent(103.51, "ended", ALICE, "call-1", {"originator": "remote", "cause": "Terminated"}),
]
