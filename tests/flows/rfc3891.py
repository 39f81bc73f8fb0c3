"""RFC 3891: an INVITE that takes the place of a call, as its receiver sees it."""

from __future__ import annotations

import re

from sipua import Cause
from sipua.testing import Agent, Arrow, Events, Flow, Peer, Press, Shows
from sipua.testing.flow_steps import Step
from tests.flows.common import answered, called, established, hung_up
from tests.flows.rfc5589 import notified

TAKING = Agent(on={"replaces": "accept"})


def _replaces(named, *, flags: str = "") -> str:
    """What names the call of F1 and F3, seen by the one who gets it."""
    return f"{named['F1'].call_id};to-tag={named['F3'].to_tag};from-tag={named['F1'].from_tag}{flags}"


def _of_our_call(named, *, flags: str = "") -> str:
    """The same when the receiver made the call: its own tag is the From tag there."""
    return f"{named['F1'].call_id};to-tag={named['F1'].from_tag};from-tag={named['F2'].to_tag}{flags}"


def _invite(replaces, **headers) -> Arrow:
    return Arrow(
        "carol -> alice",
        "INVITE",
        "R1",
        sdp="sendrecv",
        headers={"Replaces": replaces, "Require": "replaces", **headers},
    )


def _refused(code: int, agent: Agent, replaces, *before: Step, title: str, figure: str) -> Flow:
    """A replacement that is refused, and leaves the call as it was."""
    return Flow(
        figure,
        title,
        {"alice": agent, "bob": Peer(), "carol": Peer()},
        [
            *answered(),
            *before,
            _invite(replaces),
            Arrow("alice -> carol", str(code), to="R1"),
            Arrow("carol -> alice", "ACK"),
            Shows("alice", of=1, is_established=True),
            Press("alice", "terminate", call=1),
            Arrow("alice -> bob", "BYE"),
            Arrow("bob -> alice", "200 BYE"),
        ],
    )


FLOWS = [
    Flow(
        "RFC 3891 §1",
        "bob is transferred to a parking place, and fetched from there by a phone that knows the dialog",
        {
            "alice": Agent(),
            "bob": Agent(on={"refer": "accept", "replaces": "accept"}),
            "park": Peer(),
            "phone": Peer(),
        },
        [
            *established(),
            Press("alice", "refer", "park"),
            Arrow("alice -> bob", "REFER"),
            Arrow("bob -> alice", "202 REFER"),
            *notified("100", "active", "bob", "alice"),
            Arrow("bob -> park", "INVITE", "P1", headers={"Referred-By": "<sip:alice@example.com>"}),
            Arrow("park -> bob", "200", "P2", sdp="sendrecv"),
            Arrow("bob -> park", "ACK"),
            *notified("200", "terminated", "bob", "alice"),
            Arrow("alice -> bob", "BYE", after=2),
            Arrow("bob -> alice", "200 BYE"),
            Arrow(
                "phone -> bob",
                "INVITE",
                sdp="sendrecv",
                headers={
                    "Require": "replaces",
                    "Replaces": lambda named: (
                        f"{named['P1'].call_id};to-tag={named['P1'].from_tag};from-tag={named['P2'].to_tag}"
                    ),
                },
            ),
            Arrow("bob -> phone", "200 INVITE", sdp="sendrecv"),
            Arrow("phone -> bob", "ACK"),
            Arrow("bob -> park", "BYE", dialog="P1"),
            Arrow("park -> bob", "200 BYE"),
            Shows("bob", of=2, is_ended=True),
            *hung_up("bob", "phone"),
        ],
    ),
    Flow(
        "RFC 3891 §3",
        "A confirmed call is replaced: 200 for the new one, BYE for the old one",
        {"alice": TAKING, "bob": Peer(), "carol": Peer()},
        [
            *answered(),
            _invite(_replaces),
            Arrow("alice -> carol", "200 INVITE", sdp="sendrecv", to="R1"),
            Shows("alice", of=1, is_established=True),
            Arrow("carol -> alice", "ACK"),
            Arrow("alice -> bob", "BYE", dialog="F1"),
            Arrow("bob -> alice", "200 BYE"),
            Events(
                "alice",
                "progress",
                "accepted",
                "confirmed",
                "replaces",
                ("ended", {"originator": "local"}),
                of=1,
            ),
            Shows("alice", of=2, is_established=True),
            *hung_up("alice", "carol"),
        ],
    ),
    Flow(
        "RFC 3891 §3, a call that we made",
        "The tags are seen from our side, whoever made the call",
        {"alice": TAKING, "bob": Peer(), "carol": Peer()},
        [
            *called(),
            _invite(_of_our_call),
            Arrow("alice -> carol", "200 INVITE"),
            Arrow("carol -> alice", "ACK"),
            Arrow("alice -> bob", "BYE", dialog="F1"),
            Arrow("bob -> alice", "200 BYE"),
            *hung_up("alice", "carol"),
        ],
    ),
    Flow(
        "RFC 3891 §4",
        "We name a call that the peer does not have: 481 ends the new call, and ours with somebody else goes on",
        {"alice": Agent(), "bob": Peer()},
        [
            *called(),
            Press(
                "alice",
                "call",
                "bob",
                extra_headers={"Replaces": "gone@example.com;to-tag=1;from-tag=2", "Require": "replaces"},
            ),
            Arrow(
                "alice -> bob",
                "INVITE",
                "R1",
                headers={
                    "Replaces": "gone@example.com;to-tag=1;from-tag=2",
                    "Require": "replaces",
                    "Supported": re.compile("replaces"),
                },
                check=lambda message, named: message.call_id != named["F1"].call_id,
            ),
            Arrow("bob -> alice", "481", to="R1"),
            Arrow("alice -> bob", "ACK", branch="R1"),
            Events("alice", ("failed", {"originator": "remote"})),
            Shows("alice", of=1, is_established=True),
            *hung_up(call=1),
        ],
    ),
    Flow(
        "RFC 3891 §7.1",
        "The ringing call is cancelled, the new one answered",
        {"alice": TAKING, "bob": Peer(), "carol": Peer()},
        [
            Press("alice", "call", "bob"),
            Arrow("alice -> bob", "INVITE", "F1"),
            Arrow("bob -> alice", "180", "F2"),
            _invite(lambda named: _of_our_call(named, flags=";early-only")),
            Arrow("alice -> carol", "200 INVITE"),
            Arrow("carol -> alice", "ACK"),
            Arrow("alice -> bob", "CANCEL", branch="F1"),
            Arrow("bob -> alice", "200 CANCEL"),
            Arrow("bob -> alice", "487", to="F1"),
            Arrow("alice -> bob", "ACK", branch="F1"),
            Shows("alice", of=1, is_ended=True, cause=Cause.CANCELED),
            Shows("alice", of=2, is_established=True),
            *hung_up("alice", "carol"),
        ],
    ),
    Flow(
        "RFC 3891 §3, an early dialog that we did not begin",
        "481, and it rings on",
        {"alice": TAKING, "bob": Peer(), "carol": Peer()},
        [
            Arrow("bob -> alice", "INVITE", "F1", sdp="sendrecv"),
            Arrow("alice -> bob", "180", "F3"),
            _invite(_replaces),
            Arrow("alice -> carol", "481 INVITE"),
            Arrow("carol -> alice", "ACK"),
            Press("alice", "answer", call=1),
            Arrow("alice -> bob", "200 INVITE"),
            Arrow("bob -> alice", "ACK"),
            *hung_up("alice", "bob", call=1),
        ],
    ),
    _refused(
        486,
        TAKING,
        lambda named: _replaces(named, flags=";early-only"),
        figure="RFC 3891 §3, early-only",
        title="A confirmed call is not replaced: 486",
    ),
    _refused(
        481,
        TAKING,
        "nobody@example.com;to-tag=1;from-tag=2",
        figure="RFC 3891 §3, unknown",
        title="No such call: 481",
    ),
    _refused(
        481,
        TAKING,
        lambda named: f"{named['F1'].call_id};to-tag={named['F3'].to_tag};from-tag=other",
        figure="RFC 3891 §3, other tags",
        title="The tags of another call: 481",
    ),
    _refused(
        603,
        Agent(),
        _replaces,
        figure="RFC 3891 §3, nobody listens",
        title="Nobody decides about replacements: declined",
    ),
    _refused(
        488,
        Agent(on={"replaces": ("reject", 488)}),
        _replaces,
        figure="RFC 3891 §3, rejected",
        title="The application refuses",
    ),
    _refused(
        400,
        TAKING,
        "no tags here",
        figure="RFC 3891 §6.1, malformed",
        title="A Replaces that cannot be read: 400",
    ),
    _refused(
        400,
        TAKING,
        lambda named: [_replaces(named), _replaces(named)],
        figure="RFC 3891 §3, twice",
        title="More than one Replaces: 400",
    ),
    Flow(
        "RFC 3891 §3, a call that is over",
        "Nobody rings for a call that was just hung up: 603",
        {"alice": TAKING, "bob": Peer(), "carol": Peer()},
        [
            *answered(),
            *hung_up("alice", "bob"),
            _invite(_replaces),
            Arrow("alice -> carol", "603 INVITE"),
            Arrow("carol -> alice", "ACK"),
        ],
    ),
    Flow(
        "RFC 3891 §3, another method",
        "Replaces in anything but INVITE: 400",
        {"alice": TAKING, "bob": Peer()},
        [
            *answered(),
            Arrow("bob -> alice", "INFO", "R1", headers={"Replaces": _replaces}),
            Arrow("alice -> bob", "400 INFO", to="R1"),
            Shows("alice", is_established=True),
            *hung_up("alice", "bob"),
        ],
    ),
    Flow(
        "RFC 3891 §3, the new call does not come about",
        "The old one is as it was when the ACK never comes",
        {"alice": TAKING, "bob": Peer(), "carol": Peer()},
        [
            *answered(),
            _invite(_replaces),
            Arrow("alice -> carol", "200 INVITE", "R2"),
            Arrow("carol -> alice", "BYE"),
            Arrow("alice -> carol", "200 BYE"),
            Shows("alice", of=1, is_established=True),
            Shows("alice", of=2, is_ended=True),
            *hung_up("alice", "bob", call=1),
        ],
    ),
]
