"""RFC 4028: session timers. User agents propose 1800 seconds, or what the application says, and refresh by UPDATE."""

from __future__ import annotations

import re

from sipua import Cause
from sipua.testing import Agent, Arrow, Events, Finished, Flow, Peer, Press, Shows, Wait
from tests.flows.common import hung_up

BOTH = {"alice": Agent(), "bob": Agent()}
CALLING = {"alice": Agent(), "bob": Peer()}
CALLED = {"alice": Peer(), "bob": Agent()}
TIMER = re.compile(r"\btimer\b")


def _expires(value: str, **more: str) -> dict[str, str]:
    return {"Session-Expires": value, "Require": "timer", **more}


def _asked(expires: str, supported: str = "timer, 100rel", **more: str) -> dict[str, str]:
    return {"Session-Expires": expires, "Supported": supported, "Allow": "INVITE, ACK, BYE, UPDATE", **more}


def _called(headers: dict[str, str], *, methods: str = "INVITE, ACK, BYE, UPDATE") -> list:
    """alice has called a script; this is its 200."""
    return [
        Press("alice", "call", "bob"),
        Arrow("alice -> bob", "INVITE", "F1", headers={"Session-Expires": "1800", "Supported": TIMER}),
        Arrow("bob -> alice", "200", "F2", sdp="sendrecv", headers={"Allow": methods, **headers}),
        Arrow("alice -> bob", "ACK", "F3"),
    ]


def _answered(headers: dict[str, str], expected: str) -> list:
    """A script has called bob; this is its INVITE, and what the session timer is in the 200."""
    return [
        Arrow("alice -> bob", "INVITE", "F1", sdp="sendrecv", headers=headers),
        Arrow("bob -> alice", "180"),
        Press("bob", "answer"),
        Arrow("bob -> alice", "200 INVITE", "F2", headers={"Session-Expires": expected}),
        Arrow("alice -> bob", "ACK", "F3"),
    ]


FLOWS = [
    Flow(
        "RFC 4028 §13",
        "Between two user agents: the callee refreshes at half of the interval",
        BOTH,
        [
            Press("alice", "call", "bob"),
            Arrow("alice -> bob", "INVITE", "F1", headers={"Session-Expires": "1800", "Supported": TIMER}),
            Arrow("bob -> alice", "180"),
            Press("bob", "answer", session_timers_expires=120),
            Arrow(
                "bob -> alice",
                "200",
                headers={"Session-Expires": re.compile(r"^120;refresher=ua[cs]$"), "Require": TIMER},
            ),
            Arrow("alice -> bob", "ACK"),
            Arrow(
                "bob -> alice",
                "UPDATE",
                "F5",
                after=60,
                sdp=False,
                headers={"Session-Expires": "120;refresher=uac"},
            ),
            Arrow(
                "alice -> bob",
                "200 UPDATE",
                to="F5",
                headers={"Session-Expires": "120;refresher=uac", "Require": TIMER},
            ),
            Arrow("bob -> alice", "UPDATE", after=60, cseq=("F5", 1)),
            Arrow("alice -> bob", "200 UPDATE"),
            Shows("alice", is_established=True),
            *hung_up(),
        ],
    ),
    Flow(
        "RFC 4028 §7.3",
        "422: the caller tries again with the minimum, in the same call with the next CSeq",
        CALLING,
        [
            Press("alice", "call", "bob", session_timers_expires=90),
            Arrow("alice -> bob", "INVITE", "F1", headers={"Session-Expires": "90", "Min-SE": None}),
            Arrow("bob -> alice", "422", headers={"Min-SE": "3600"}),
            Arrow("alice -> bob", "ACK", branch="F1"),
            Arrow(
                "alice -> bob",
                "INVITE",
                "F4",
                sdp="sendrecv",
                cseq=("F1", 1),
                dialog="F1",
                headers={"Session-Expires": "3600", "Min-SE": "3600"},
            ),
            Arrow("bob -> alice", "422", headers={"Min-SE": "4000"}),
            Arrow("alice -> bob", "ACK", branch="F4"),
            Arrow("alice -> bob", "INVITE", headers={"Session-Expires": "4000", "Min-SE": "4000"}),
            Arrow("bob -> alice", "200", sdp="sendrecv", headers=_expires("4000;refresher=uas")),
            Arrow("alice -> bob", "ACK"),
            *hung_up(),
        ],
    ),
    Flow(
        "RFC 4028 §7.2",
        "The caller refreshes when the peer says so; by UPDATE without an offer",
        CALLING,
        [
            *_called(_expires("90;refresher=uac")),
            Arrow(
                "alice -> bob", "UPDATE", after=45, sdp=False, headers={"Session-Expires": "90;refresher=uac"}
            ),
            Arrow("bob -> alice", "200", headers=_expires("90;refresher=uac")),
            Arrow("alice -> bob", "UPDATE", after=45),
            Arrow("bob -> alice", "200", headers=_expires("90;refresher=uac")),
            *hung_up(),
        ],
    ),
    Flow(
        "RFC 4028 §7.2, a peer that knows nothing of session timers",
        "The caller refreshes by itself, by re-INVITE where UPDATE is not allowed",
        CALLING,
        [
            Press("alice", "call", "bob", session_timers_expires=90),
            Arrow("alice -> bob", "INVITE", "F1", headers={"Session-Expires": "90"}),
            Arrow("bob -> alice", "200", sdp="sendrecv", headers={"Allow": "INVITE, ACK, BYE"}),
            Arrow("alice -> bob", "ACK"),
            Arrow("alice -> bob", "INVITE", after=45, sdp="sendrecv", cseq=("F1", 1)),
            Arrow("bob -> alice", "200", sdp="sendrecv"),
            Arrow("alice -> bob", "ACK"),
            *hung_up(),
        ],
    ),
    Flow(
        "RFC 4028 §7.4",
        "A refresh that gets no answer, or 408 or 481, ends the call",
        CALLING,
        [
            *_called(_expires("90;refresher=uac")),
            Arrow("alice -> bob", "UPDATE", after=45),
            Arrow("bob -> alice", "481"),
            Arrow("alice -> bob", "BYE", headers={"Reason": re.compile("^SIP;cause=408")}),
            Arrow("bob -> alice", "481"),
            Events(
                "alice",
                "accepted",
                "confirmed",
                ("ended", {"originator": "system", "cause": Cause.REQUEST_TIMEOUT}),
            ),
        ],
    ),
    Flow(
        "RFC 4028 §7.4, refused for now",
        "A refresh that is refused with another status is tried again before the session expires",
        CALLING,
        [
            *_called(_expires("90;refresher=uac")),
            Arrow("alice -> bob", "UPDATE", after=45),
            Arrow("bob -> alice", "500"),
            Arrow("alice -> bob", "UPDATE", after=(1.0, 15.0)),
            Arrow("bob -> alice", "200", headers=_expires("90;refresher=uac")),
            Shows("alice", is_established=True),
            *hung_up(),
        ],
    ),
    Flow(
        "RFC 4028 §9",
        "The callee says who refreshes when the caller does not, and takes the caller's word when it does",
        CALLED,
        [
            *_answered(_asked("300"), "300;refresher=uas"),
            Arrow("bob -> alice", "UPDATE", after=150, headers={"Session-Expires": "300;refresher=uac"}),
            Arrow("alice -> bob", "200", headers=_expires("300;refresher=uac")),
            *hung_up("bob", "alice"),
        ],
    ),
    Flow(
        "RFC 4028 §9, refresher=uac",
        "The caller refreshes; the callee answers the refreshes",
        CALLED,
        [
            *_answered(_asked("300;refresher=uac"), "300;refresher=uac"),
            Wait(150),
            Arrow("alice -> bob", "UPDATE", "F4", headers=_asked("300;refresher=uac")),
            Arrow("bob -> alice", "200 UPDATE", headers={"Session-Expires": "300;refresher=uac"}, to="F4"),
            Wait(200),
            Arrow("alice -> bob", "INVITE", "F6", sdp="sendrecv", headers=_asked("300;refresher=uac")),
            Arrow("bob -> alice", "200 INVITE", headers={"Session-Expires": "300;refresher=uac"}, to="F6"),
            Arrow("alice -> bob", "ACK"),
            Wait(200),
            Shows("bob", is_established=True),
            *hung_up("bob", "alice"),
        ],
    ),
    Flow(
        "RFC 4028 §9, too small",
        "An interval under 90 seconds gets 422 with the minimum",
        CALLED,
        [
            Arrow("alice -> bob", "INVITE", "F1", sdp="sendrecv", headers=_asked("50")),
            Arrow("bob -> alice", "422 INVITE", headers={"Min-SE": "90"}),
            Arrow("alice -> bob", "ACK"),
            *_answered(_asked("90", **{"Min-SE": "90"}), "90;refresher=uas"),
            *hung_up("bob", "alice"),
        ],
    ),
    Flow(
        "RFC 4028 §9, a caller that does not know of it",
        "The callee refreshes, and requires nothing",
        CALLED,
        [
            Arrow(
                "alice -> bob",
                "INVITE",
                "F1",
                sdp="sendrecv",
                headers={"Supported": "100rel", "Allow": "INVITE, ACK, BYE, UPDATE"},
            ),
            Arrow("bob -> alice", "180"),
            Press("bob", "answer", session_timers_expires=100),
            Arrow(
                "bob -> alice",
                "200 INVITE",
                headers={"Session-Expires": "100;refresher=uas", "Require": None},
            ),
            Arrow("alice -> bob", "ACK"),
            Arrow("bob -> alice", "UPDATE", after=50),
            Arrow("alice -> bob", "200"),
            *hung_up("bob", "alice"),
        ],
    ),
    Flow(
        "RFC 4028 §10",
        "The other side hangs up a little before the session expires: a third of it, at most 32 seconds",
        CALLED,
        [
            *_answered(_asked("300;refresher=uac"), "300;refresher=uac"),
            Arrow("bob -> alice", "BYE", after=268, headers={"Reason": re.compile("^SIP;cause=408")}),
            Arrow("alice -> bob", "200 BYE"),
            Events(
                "bob",
                "progress",
                "accepted",
                "confirmed",
                ("ended", {"originator": "system", "cause": Cause.REQUEST_TIMEOUT}),
            ),
        ],
    ),
    Flow(
        "RFC 4028 §10, a short session",
        "A session of 90 seconds expires for us after 60",
        CALLING,
        [
            *_called(_expires("90;refresher=uas")),
            Arrow("alice -> bob", "BYE", after=60),
            Arrow("bob -> alice", "200"),
        ],
    ),
    Flow(
        "RFC 4028 §4, malformed",
        "A Session-Expires that cannot be read gets 400",
        CALLED,
        [
            Arrow("alice -> bob", "INVITE", "F1", sdp="sendrecv", headers=_asked("soon")),
            Arrow("bob -> alice", "400 INVITE"),
            Arrow("alice -> bob", "ACK"),
        ],
    ),
    Flow(
        "RFC 4028 §7.4, a re-offer refreshes, too",
        "After a hold the next refresh is half an interval away",
        CALLING,
        [
            *_called(_expires("90;refresher=uac")),
            Wait(40),
            Press("alice", "hold"),
            Arrow("alice -> bob", "INVITE", sdp="sendonly", headers={"Session-Expires": "90;refresher=uac"}),
            Arrow("bob -> alice", "200", sdp="recvonly", headers=_expires("90;refresher=uac")),
            Arrow("alice -> bob", "ACK"),
            Finished("alice"),
            Arrow("alice -> bob", "UPDATE", after=45),
            Arrow("bob -> alice", "200", headers=_expires("90;refresher=uac")),
            *hung_up(),
        ],
    ),
    Flow(
        "RFC 4028 §7.1",
        "The caller proposes an interval, names no refresher, and gets what the peer says",
        {"alice": Agent(), "bob": Peer()},
        [
            Press("alice", "call", "bob", session_timers_expires=600),
            Arrow(
                "alice -> bob",
                "INVITE",
                headers={"Supported": re.compile("timer"), "Session-Expires": "600", "Min-SE": None},
            ),
            Arrow(
                "bob -> alice",
                "200",
                sdp="sendrecv",
                headers={"Session-Expires": "200;refresher=uac", "Require": "timer", "Allow": "UPDATE"},
            ),
            Arrow("alice -> bob", "ACK"),
            Arrow(
                "alice -> bob",
                "UPDATE",
                after=100,
                headers={"Session-Expires": "200;refresher=uac", "Supported": re.compile("timer")},
            ),
            Arrow("bob -> alice", "200", headers={"Session-Expires": "200;refresher=uac"}),
            *hung_up(),
        ],
    ),
    Flow(
        "RFC 4028 §9, the peer takes over",
        "The refreshes were ours, until the peer's UPDATE makes them its own: then none of ours comes",
        {"alice": Agent(), "bob": Peer()},
        [
            Press("alice", "call", "bob"),
            Arrow("alice -> bob", "INVITE"),
            Arrow(
                "bob -> alice",
                "200",
                sdp="sendrecv",
                headers={"Session-Expires": "200;refresher=uac", "Require": "timer", "Allow": "UPDATE"},
            ),
            Arrow("alice -> bob", "ACK"),
            Wait(90),
            Arrow(
                "bob -> alice",
                "UPDATE",
                headers={"Session-Expires": "200;refresher=uac", "Supported": "timer", "Allow": "UPDATE"},
            ),
            Arrow("alice -> bob", "200 UPDATE", headers={"Session-Expires": "200;refresher=uac"}),
            Wait(160),
            Arrow("alice -> bob", "BYE", after=8),  # nobody refreshed: 32 s before the end
            Arrow("bob -> alice", "200"),
        ],
    ),
    Flow(
        "RFC 4028 §7.1, switched off",
        "Without session timers nothing is proposed and nothing is refreshed",
        {"alice": Agent(session_timers=False), "bob": Peer()},
        [
            Press("alice", "call", "bob"),
            Arrow("alice -> bob", "INVITE", headers={"Session-Expires": None}),
            Arrow("bob -> alice", "200", sdp="sendrecv"),
            Arrow("alice -> bob", "ACK"),
            Wait(7200),
            *hung_up(),
        ],
    ),
]
