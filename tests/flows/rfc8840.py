"""RFC 8840: candidates that follow their description by INFO; RFC 6086: the rules of its Info Package.

Media finds one candidate at once, another after a second, the last after two.
"""

from __future__ import annotations

import functools

from sipua.bodies import TrickleFragment, TrickleMedia
from sipua.media import SignallingOnlyMedia
from sipua.testing import Agent, Arrow, Finished, Flow, Peer, Press, Shows, Wait, description
from tests.flows.common import hung_up

SRFLX = "candidate:2 1 udp 1694498815 203.0.113.5 6000 typ srflx raddr 192.0.2.1 rport 5000"
RELAY = "candidate:3 1 udp 16777215 198.51.100.7 7000 typ relay raddr 203.0.113.5 rport 6000"

MEDIA = functools.partial(SignallingOnlyMedia, late_candidates=[(1.0, SRFLX), (2.0, RELAY)])
HALF = Agent(media=MEDIA)
FULL = Agent(media=MEDIA, media_options={"trickle_ice": "full"})
BOTH = {"alice": FULL, "bob": HALF}
CALLING = {"alice": FULL, "bob": Peer()}
CALLED = {"alice": Peer(), "bob": HALF}

TRICKLES = {"Supported": "trickle-ice, 100rel", "Recv-Info": "trickle-ice"}
UNRELIABLY = {"Supported": "trickle-ice", "Recv-Info": "trickle-ice"}
PACKAGE = {
    "Info-Package": "trickle-ice",
    "Content-Type": "application/trickle-ice-sdpfrag",
    "Content-Disposition": "Info-Package",
}
OFFER = description().replace("s=-\r\n", "s=-\r\na=ice-options:trickle\r\n")
ABOUT_A_SECOND = (0.9, 1.1)


def _waits(message, named) -> bool:
    """The description went out before the search was over."""
    return "a=ice-options:trickle" in message.text and "a=end-of-candidates" not in message.text


def _complete(message, named) -> bool:
    return all(f"a={line}" in message.text for line in (SRFLX, RELAY, "end-of-candidates"))


def _tells(*lines: str, end: bool = False):
    """An INFO with all candidates so far, the first of which was in the description."""

    def check(message, named) -> bool:
        media = TrickleFragment.parse(message.body).media[0]
        return media.candidates[1:] == lines and media.is_complete is end

    return check


def _told(*lines: str, end: bool = False) -> str:
    ufrag = next(line for line in OFFER.splitlines() if line.startswith("a=ice-ufrag:")).partition(":")[2]
    pwd = next(line for line in OFFER.splitlines() if line.startswith("a=ice-pwd:")).partition(":")[2]
    return str(TrickleFragment((TrickleMedia("0", lines, end),), ufrag, pwd))


def _info(way: str, name: str = "", **more) -> Arrow:
    return Arrow(way, "INFO", name, headers=PACKAGE, **more)


FLOWS = [
    Flow(
        "RFC 8840 §3.2",
        "Offer and answer go out at once; what is found later goes both ways, and each INFO repeats the earlier",
        BOTH,
        [
            Press("alice", "call", "bob"),
            Arrow(
                "alice -> bob",
                "INVITE",
                "F1",
                sdp="sendrecv",
                check=_waits,
                headers={"Recv-Info": "trickle-ice"},
            ),
            Arrow("bob -> alice", "180 INVITE"),
            Wait(0.5),
            Press("bob", "answer"),
            Arrow(
                "bob -> alice",
                "200 INVITE",
                "F2",
                sdp="sendrecv",
                check=_waits,
                headers={"Recv-Info": "trickle-ice"},
            ),
            Arrow("alice -> bob", "ACK"),
            _info("alice -> bob", "F4", check=_tells(SRFLX), after=(0.4, 0.6)),
            Arrow("bob -> alice", "200 INFO", to="F4"),
            _info("bob -> alice", "F6", check=_tells(SRFLX), after=(0.4, 0.6)),
            Arrow("alice -> bob", "200 INFO", to="F6"),
            _info("alice -> bob", "F8", check=_tells(SRFLX, RELAY, end=True), after=(0.4, 0.6)),
            Arrow("bob -> alice", "200 INFO", to="F8"),
            _info("bob -> alice", "F10", check=_tells(SRFLX, RELAY, end=True), after=(0.4, 0.6)),
            Arrow("alice -> bob", "200 INFO", to="F10"),
            Finished("bob"),
            *hung_up(),
        ],
    ),
    Flow(
        "RFC 8840 §4.3.1",
        "The answer in a reliable response: after its PRACK both sides may tell",
        CALLED,
        [
            Arrow("alice -> bob", "INVITE", "F1", sdp=OFFER, headers=TRICKLES),
            Arrow("bob -> alice", "180"),
            Press("bob", "progress", 183, early_media=True),
            Arrow(
                "bob -> alice", "183", "F3", check=_waits, headers={"RSeq": ..., "Recv-Info": "trickle-ice"}
            ),
            Arrow("alice -> bob", "PRACK", "F4"),
            Arrow("bob -> alice", "200 PRACK"),
            _info("bob -> alice", "F6", check=_tells(SRFLX), after=ABOUT_A_SECOND),
            Arrow("alice -> bob", "200", to="F6"),
            _info("alice -> bob", body=_told(SRFLX, end=True)),
            Arrow("bob -> alice", "200 INFO"),
            _info("bob -> alice", "F8", check=_tells(SRFLX, RELAY, end=True), after=ABOUT_A_SECOND),
            Arrow("alice -> bob", "200", to="F8"),
            Press("bob", "terminate"),
            Arrow("bob -> alice", "480 INVITE"),
            Arrow("alice -> bob", "ACK"),
        ],
    ),
    Flow(
        "RFC 8840 §4.3.2",
        "The answer in an unreliable response is repeated until the caller's INFO says that it has come",
        CALLED,
        [
            Arrow("alice -> bob", "INVITE", "F1", sdp=OFFER, headers=UNRELIABLY),
            Arrow("bob -> alice", "180"),
            Press("bob", "progress", 183, early_media=True),
            Arrow("bob -> alice", "183", "F3", check=_waits, headers={"Recv-Info": "trickle-ice"}),
            Arrow("bob -> alice", "183", same="F3", after=0.5),
            _info("alice -> bob", body=_told()),
            Arrow("bob -> alice", "200 INFO"),
            _info("bob -> alice", "F7", check=_tells(SRFLX), after=(0.4, 0.6)),
            Arrow("alice -> bob", "200", to="F7"),
            _info("bob -> alice", "F9", check=_tells(SRFLX, RELAY, end=True), after=ABOUT_A_SECOND),
            Arrow("alice -> bob", "200", to="F9"),
            Press("bob", "terminate"),
            Arrow("bob -> alice", "480 INVITE"),
            Arrow("alice -> bob", "ACK"),
        ],
    ),
    Flow(
        "RFC 8840 §4.3.2, the caller",
        "An unreliable response is answered with an INFO, even without news",
        CALLING,
        [
            Press("alice", "call", "bob"),
            Arrow("alice -> bob", "INVITE", "F1", sdp="sendrecv", check=_waits),
            Arrow("bob -> alice", "183", "F2", sdp=OFFER.replace("actpass", "active"), headers=UNRELIABLY),
            _info("alice -> bob", "F3", check=_tells(), after=0.02),
            Arrow("bob -> alice", "200", to="F3"),
            _info("bob -> alice", body=_told(SRFLX)),
            Arrow("alice -> bob", "200 INFO"),
            Arrow("bob -> alice", "200", to="F1", sdp=OFFER.replace("actpass", "active"), headers=UNRELIABLY),
            Arrow("alice -> bob", "ACK"),
            _info("alice -> bob", "F8", check=_tells(SRFLX), after=ABOUT_A_SECOND),
            Arrow("bob -> alice", "200", to="F8"),
            _info("alice -> bob", "F9", check=_tells(SRFLX, RELAY, end=True), after=ABOUT_A_SECOND),
            Arrow("bob -> alice", "200", to="F9"),
            *hung_up(),
        ],
    ),
    Flow(
        "RFC 8840 §5.3",
        "Half trickle: the first offer is complete, and the answer to it need not wait",
        {"alice": HALF, "bob": HALF},
        [
            Press("alice", "call", "bob"),
            Arrow("alice -> bob", "INVITE", "F1", sdp="sendrecv", check=_complete, after=2.0),
            Arrow("bob -> alice", "180 INVITE"),
            Press("bob", "answer"),
            Arrow("bob -> alice", "200 INVITE", sdp="sendrecv", check=_waits),
            Arrow("alice -> bob", "ACK"),
            _info("bob -> alice", "F4", check=_tells(SRFLX), after=ABOUT_A_SECOND),
            Arrow("alice -> bob", "200 INFO", to="F4"),
            _info("bob -> alice", "F6", check=_tells(SRFLX, RELAY, end=True), after=ABOUT_A_SECOND),
            Arrow("alice -> bob", "200 INFO", to="F6"),
            Finished("bob"),
            *hung_up(),
        ],
    ),
    Flow(
        "RFC 8840 §4.4",
        "Malformed candidates get 400, another package 469, another generation nothing: the call is as it was",
        CALLED,
        [
            Arrow("alice -> bob", "INVITE", "F1", sdp=OFFER, headers=TRICKLES),
            Arrow("bob -> alice", "180"),
            _info("alice -> bob", body="m=audio 9 RTP/AVP 0\r\na=candidate:1 1 UDP\r\n"),
            Arrow("bob -> alice", "400 INFO"),
            Arrow(
                "alice -> bob",
                "INFO",
                headers={"Info-Package": "conference", "Content-Type": "text/plain"},
                body="hello",
            ),
            Arrow("bob -> alice", "469 INFO", headers={"Recv-Info": "trickle-ice"}),
            _info(
                "alice -> bob",
                body="a=ice-ufrag:OLD1\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\na=end-of-candidates\r\n",
            ),
            Arrow("bob -> alice", "200 INFO"),
            Shows("bob", is_in_progress=True),
            Press("bob", "terminate"),
            Arrow("bob -> alice", "480 INVITE"),
            Arrow("alice -> bob", "ACK"),
        ],
    ),
]
