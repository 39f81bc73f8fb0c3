"""RFC 3262: reliable provisional responses and PRACK; RFC 3311 §10: UPDATE before the call is answered."""

from __future__ import annotations

import re

from sipua import Cause
from sipua.testing import Agent, Arrives, Arrow, Events, Finished, Flow, Peer, Press, Shows, Wait
from tests.flows.common import hung_up

BOTH = {"alice": Agent(), "bob": Agent()}
CALLING = {"alice": Agent(), "bob": Peer()}
CALLED = {"alice": Peer(), "bob": Agent()}
RELIABLE = {"Require": re.compile("100rel"), "RSeq": ...}
SUPPORTS = {"Supported": "100rel"}


def _rack(message, named) -> bool:
    """Whether the PRACK is for F2 and its INVITE."""
    return message.headers["RAck"] == f"{named['F2'].rseq} {named['F1'].cseq}"


def _requires(rseq: int) -> dict[str, str]:
    return {"Require": "100rel", "RSeq": str(rseq)}


EARLY_MEDIA = [
    Press("alice", "call", "bob"),
    Arrow("alice -> bob", "INVITE", "F1", sdp="sendrecv", headers={"Supported": re.compile("100rel")}),
    Arrow("bob -> alice", "180 INVITE"),
    Press("bob", "progress", 183, early_media=True),
    Arrow("bob -> alice", "183 INVITE", "F2", sdp="sendrecv", headers=RELIABLE),
    Arrow("alice -> bob", "PRACK", "F3", cseq=("F1", 1), check=_rack, sdp=False),
    Arrow("bob -> alice", "200 PRACK", "F4", to="F3"),
    Finished("bob"),
]

FLOWS = [
    Flow(
        "RFC 3262 §3, and §4 at the other end",
        "Early media in a reliable 183, acknowledged, then the call is answered",
        BOTH,
        [
            *EARLY_MEDIA,
            Events("alice", "progress", ("progress", {"originator": "remote"})),
            Press("bob", "answer"),
            Arrow("bob -> alice", "200 INVITE", "F5"),
            Arrow("alice -> bob", "ACK", "F6", cseq="F1"),
            Finished("bob"),
            Shows("alice", is_established=True),
            Press("alice", "terminate"),
            Arrow("alice -> bob", "BYE", cseq=("F1", 2)),
            Arrow("bob -> alice", "200 BYE"),
        ],
    ),
    Flow(
        "RFC 3262 §3",
        "A reliable response is repeated until its PRACK, in growing intervals, and no 200 overtakes its description",
        CALLED,
        [
            Arrow("alice -> bob", "INVITE", "F1", sdp="sendrecv", headers=SUPPORTS),
            Arrow("bob -> alice", "180"),
            Press("bob", "progress", 183, early_media=True),
            Arrow("bob -> alice", "183", "F2", headers=RELIABLE),
            Press("bob", "answer"),
            Arrow("bob -> alice", "183", same="F2", after=0.5),
            Arrow("bob -> alice", "183", same="F2", after=1.0),
            Arrow("bob -> alice", "183", same="F2", after=2.0),
            Arrow("alice -> bob", "PRACK", "F3"),
            Arrow("bob -> alice", "200 PRACK", to="F3"),
            Arrow("bob -> alice", "200 INVITE", to="F1"),
            Arrow("alice -> bob", "ACK"),
            *hung_up("bob", "alice"),
        ],
    ),
    Flow(
        "RFC 3262 §3, given up",
        "A reliable response that nobody acknowledges ends the call with a 5xx after 64*T1",
        CALLED,
        [
            Arrow("alice -> bob", "INVITE", "F1", sdp="sendrecv", headers=SUPPORTS),
            Arrow("bob -> alice", "180"),
            Press("bob", "progress", 183, reliable=True),
            Arrow("bob -> alice", "183", "F2", headers=RELIABLE, fate="lost"),
            *(
                Arrow("bob -> alice", "183", same="F2", after=pause, fate="lost")
                for pause in (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
            ),
            Arrow("bob -> alice", "504 INVITE", to="F1", after=0.5),
            Arrow("alice -> bob", "ACK", branch="F1"),
            Events("bob", "progress", "progress", ("failed", {"cause": Cause.REQUEST_TIMEOUT})),
        ],
    ),
    Flow(
        "RFC 3262 §3, required",
        "An INVITE that requires 100rel makes every provisional response reliable, one at a time",
        CALLED,
        [
            Arrow("alice -> bob", "INVITE", "F1", sdp="sendrecv", headers={"Require": "100rel"}),
            Arrow("bob -> alice", "180 INVITE", "F2", headers=RELIABLE),
            Press("bob", "progress", 182),
            Arrow("alice -> bob", "PRACK", "F3"),
            Arrow("bob -> alice", "200 PRACK", to="F3"),
            Arrow(
                "bob -> alice",
                "182 INVITE",
                "F5",
                headers=RELIABLE,
                check=lambda message, named: message.rseq == named["F2"].rseq + 1,
            ),
            Arrow("alice -> bob", "PRACK", "F6"),
            Arrow("bob -> alice", "200 PRACK", to="F6"),
            Press("bob", "answer"),
            Arrow("bob -> alice", "200 INVITE", sdp="sendrecv", to="F1"),
            Arrow("alice -> bob", "ACK"),
            *hung_up("bob", "alice"),
        ],
    ),
    Flow(
        "RFC 3262 §3, PRACK that matches nothing",
        "It gets 481, one that cannot be read 400, and the response is still repeated",
        CALLED,
        [
            Arrow("alice -> bob", "INVITE", "F1", sdp="sendrecv", headers={"Require": "100rel"}),
            Arrow("bob -> alice", "180 INVITE", "F2", headers=RELIABLE),
            Arrow("alice -> bob", "PRACK", "F3", headers={"RAck": "776656 1 INVITE"}),
            Arrow("bob -> alice", "481 PRACK", to="F3"),
            Arrow("alice -> bob", "PRACK", "F4", headers={"RAck": "nonsense"}),
            Arrow("bob -> alice", "400 PRACK", to="F4"),
            Arrow("bob -> alice", "180 INVITE", same="F2", after=0.5),
            Arrow("alice -> bob", "PRACK", "F5"),
            Arrow("bob -> alice", "200 PRACK", to="F5"),
            Arrow("alice -> bob", "CANCEL", "F6"),
            Arrow("bob -> alice", "200 CANCEL"),
            Arrow("bob -> alice", "487 INVITE", to="F1"),
            Arrow("alice -> bob", "ACK"),
        ],
    ),
    Flow(
        "RFC 3262 §4",
        "Reliable responses are acknowledged once and in order",
        CALLING,
        [
            Press("alice", "call", "bob"),
            Arrow("alice -> bob", "INVITE", "F1"),
            Arrow("bob -> alice", "183", "F2", headers=_requires(100)),
            Arrow("alice -> bob", "PRACK", "F3", headers={"RAck": "100 1 INVITE"}),
            Arrow("bob -> alice", "200 PRACK"),
            Arrow("bob -> alice", "183", same="F2"),  # a copy
            Arrow("bob -> alice", "180", to="F1", headers=_requires(102)),  # 101 is missing
            Wait(0.2),
            Arrow("bob -> alice", "182", to="F1", headers=_requires(101)),
            Arrow("alice -> bob", "PRACK", headers={"RAck": "101 1 INVITE"}, cseq=("F3", 1)),
            Arrow("bob -> alice", "200 PRACK"),
            Arrow("bob -> alice", "180", to="F1", headers=_requires(102)),
            Arrow("alice -> bob", "PRACK", headers={"RAck": "102 1 INVITE"}, cseq=("F3", 2)),
            Arrow("bob -> alice", "200 PRACK"),
            Arrow("bob -> alice", "200", to="F1", sdp="sendrecv"),
            Arrow("alice -> bob", "ACK"),
            Events("alice", "progress", "progress", "progress", "accepted", "confirmed"),
            *hung_up(),
        ],
    ),
    Flow(
        "RFC 3262 §4, forked",
        "Each branch gets its PRACK in its own early dialog",
        CALLING,
        [
            Press("alice", "call", "bob"),
            Arrow("alice -> bob", "INVITE", "F1"),
            Arrow("bob -> alice", "183", tag="A", headers=_requires(7), sdp="sendrecv"),
            Arrow("alice -> bob", "PRACK", "F3", tag="A", headers={"RAck": "7 1 INVITE"}, cseq=2),
            Arrow("bob -> alice", "183", tag="B", to="F1", headers=_requires(4711), sdp="sendrecv"),
            Arrow("alice -> bob", "PRACK", "F5", tag="B", headers={"RAck": "4711 1 INVITE"}, cseq=2),
            Arrow("bob -> alice", "200 PRACK", to="F3"),
            Arrow("bob -> alice", "200 PRACK", to="F5"),
            Arrow("bob -> alice", "200", tag="B", to="F1"),
            Arrow("alice -> bob", "ACK", tag="B"),
            Shows("alice", is_established=True),
            Press("alice", "terminate"),
            Arrow("alice -> bob", "BYE", tag="B", cseq=3),
            Arrow("bob -> alice", "200 BYE"),
        ],
    ),
    Flow(
        "RFC 3262 §5",
        "An offer in a reliable response is answered in the PRACK",
        BOTH,
        [
            Press("alice", "call", "bob", late_offer=True),
            Arrow("alice -> bob", "INVITE", "F1", sdp=False),
            Arrow("bob -> alice", "180 INVITE"),
            Press("bob", "progress", 183, early_media=True),
            Arrow("bob -> alice", "183 INVITE", "F2", sdp="sendrecv", headers=RELIABLE),
            Arrow("alice -> bob", "PRACK", "F3", sdp="sendrecv", check=_rack),
            Arrow("bob -> alice", "200 PRACK", to="F3", sdp=False),
            Press("bob", "answer"),
            Arrow("bob -> alice", "200 INVITE", sdp=False),
            Arrow("alice -> bob", "ACK", sdp=False),
            Shows("alice", is_established=True),
            *hung_up(),
        ],
    ),
    Flow(
        "RFC 3262 §5, an offer in the PRACK",
        "It is answered in the 200 to the PRACK",
        CALLED,
        [
            Arrow("alice -> bob", "INVITE", "F1", sdp="sendrecv", headers=SUPPORTS),
            Arrow("bob -> alice", "180"),
            Press("bob", "progress", 183, early_media=True),
            Arrow("bob -> alice", "183", "F2", sdp="sendrecv", headers=RELIABLE),
            Arrow("alice -> bob", "PRACK", "F3", sdp="sendonly"),
            Arrow("bob -> alice", "200 PRACK", to="F3", sdp="recvonly"),
            Press("bob", "answer"),
            Arrow("bob -> alice", "200 INVITE"),
            Arrow("alice -> bob", "ACK"),
            Shows("bob", is_established=True),
            *hung_up("bob", "alice"),
        ],
    ),
    Flow(
        "RFC 3262 §4, a PRACK that is lost",
        "It is sent again by the peer's wish only: over a reliable transport the response comes again, not the PRACK",
        BOTH,
        [
            *EARLY_MEDIA[:5],
            Arrow("alice -> bob", "PRACK", "F3", check=_rack, fate="held"),
            Arrow("bob -> alice", "183 INVITE", same="F2", after=0.5),
            Arrives("F3"),
            Arrow("bob -> alice", "200 PRACK", to="F3"),
            Press("alice", "terminate"),
            Arrow("alice -> bob", "CANCEL"),
            Arrow("bob -> alice", "200 CANCEL"),
            Arrow("bob -> alice", "487 INVITE"),
            Arrow("alice -> bob", "ACK"),
        ],
    ),
    Flow(
        "RFC 3311 §10",
        "UPDATE in an early dialog, by the caller",
        BOTH,
        [
            *EARLY_MEDIA,
            Press("alice", "renegotiate", use_update=True, direction="sendonly"),
            Arrow("alice -> bob", "UPDATE", "F5", sdp="sendonly", cseq=("F3", 1)),
            Arrow("bob -> alice", "200 UPDATE", "F6", sdp="recvonly", to="F5"),
            Finished("alice"),
            Press("bob", "answer"),
            Arrow("bob -> alice", "200 INVITE"),
            Arrow("alice -> bob", "ACK", cseq="F1"),
            Shows("alice", is_established=True),
            *hung_up(),
        ],
    ),
    Flow(
        "RFC 3311 §10, listening only",
        "An answer that sends only, to an UPDATE that would only listen, is no hold; nor is it when the call is up",
        BOTH,
        [
            *EARLY_MEDIA,
            Press("alice", "renegotiate", use_update=True, direction="recvonly"),
            Arrow("alice -> bob", "UPDATE", "F5", sdp="recvonly"),
            Arrow("bob -> alice", "200 UPDATE", "F6", sdp="sendonly", to="F5"),
            Finished("alice"),
            Press("bob", "answer"),
            Arrow("bob -> alice", "200 INVITE"),
            Arrow("alice -> bob", "ACK", cseq="F1"),
            Shows("alice", is_established=True, is_on_hold={"local": False, "remote": False}),
            Events("alice", "progress", "progress", "accepted", "confirmed"),
            *hung_up(),
        ],
    ),
    Flow(
        "RFC 3311 §10, the callee",
        "UPDATE in an early dialog, by the callee",
        CALLING,
        [
            Press("alice", "call", "bob"),
            Arrow("alice -> bob", "INVITE", "F1"),
            Arrow("bob -> alice", "183", "F2", headers=_requires(1), sdp="sendrecv"),
            Arrow("alice -> bob", "PRACK", "F3"),
            Arrow("bob -> alice", "200 PRACK"),
            Arrow("bob -> alice", "UPDATE", "F5", sdp="sendonly"),
            Arrow("alice -> bob", "200 UPDATE", "F6", sdp="recvonly", to="F5"),
            Arrow("bob -> alice", "200", to="F1", headers={"Contact": "<sip:bob@192.0.2.44>"}),
            Arrow("alice -> bob", "ACK", uri="sip:bob@192.0.2.44"),
            *hung_up(),
        ],
    ),
    Flow(
        "RFC 3311 §5.2",
        "UPDATE before the first offer is answered gets 500 with Retry-After",
        CALLED,
        [
            Arrow("alice -> bob", "INVITE", "F1", sdp="sendrecv"),
            Arrow("bob -> alice", "180", "F2"),
            Arrow("alice -> bob", "UPDATE", "F3", sdp="sendonly"),
            Arrow("bob -> alice", "500 UPDATE", headers={"Retry-After": ...}, sdp=False),
            Press("bob", "answer"),
            Arrow("bob -> alice", "200 INVITE", sdp="sendrecv"),
            Arrow("alice -> bob", "ACK"),
            *hung_up("bob", "alice"),
        ],
    ),
]
