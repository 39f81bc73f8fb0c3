"""RFC 5589, the flows with a target that cannot be asked, with a focus, and with four who take part.

As in `rfc5589`, alice is the transferee, bob the transferor, carol the transfer target.
"""

from __future__ import annotations

import re

from sipua import Cause, TransferFailed
from sipua.testing import Agent, Arrow, Call, Events, Finished, Flow, Peer, Press, Shows
from sipua.testing.flow_steps import Step
from tests.flows.common import called, established, hung_up
from tests.flows.rfc5589 import (
    ALICE,
    CAROL,
    THREE,
    consulted,
    held,
    held_and_consulted,
    notified,
    replaces_of_consultation,
    resumed,
)

FOCUS = "sip:conference-7@bob.example.com"


def _attended(*, before_bye: tuple[Step, ...] = ()) -> list[Step]:
    """bob transfers alice to carol, whom he has on the line; everybody does as told."""
    return [
        Press("bob", "refer", call=1, replaces=Call(2)),
        Arrow("bob -> alice", "REFER", headers={"Refer-To": re.compile("^<sip:carol@.*Require=replaces")}),
        Arrow("alice -> bob", "202 REFER"),
        *notified("100", "active"),
        Arrow(
            "alice -> carol",
            "INVITE",
            uri="sip:carol@example.com",
            check=replaces_of_consultation,
            headers={"Require": "replaces"},
        ),
        Arrow("carol -> alice", "200 INVITE"),
        Arrow("alice -> carol", "ACK"),
        Arrow("carol -> bob", "BYE", dialog="C1"),
        Arrow("bob -> carol", "200 BYE"),
        *notified("200", "terminated"),
        Finished("bob"),
        Arrow("bob -> alice", "BYE", dialog="F1", after=2),
        Arrow("alice -> bob", "200 BYE"),
        *hung_up("carol", "alice"),
    ]


def _told(whom: str, subscription: str, state: str, what: str) -> list[Step]:
    """bob, the focus, tells about his conference (RFC 4575)."""
    return [
        Arrow(
            f"bob -> {whom}",
            "NOTIFY",
            dialog=subscription,
            body=f'<conference-info xmlns="urn:ietf:params:xml:ns:conference-info" entity="{FOCUS}"'
            f' state="full" version="1"><conference-description><subject>{what}</subject>'
            "</conference-description></conference-info>",
            headers={
                "Event": "conference",
                "Subscription-State": state,
                "Content-Type": "application/conference-info+xml",
            },
        ),
        Arrow(f"{whom} -> bob", "200 NOTIFY"),
    ]


def _subscribed(who: str, name: str, what: str) -> list[Step]:
    return [
        Press(who, "ua.subscribe", FOCUS, "conference", "application/conference-info+xml", expires=600),
        Arrow(f"{who} -> bob", "SUBSCRIBE", name, uri=FOCUS, headers={"Event": "conference"}),
        Arrow(f"bob -> {who}", "200", to=name, headers={"Expires": "600"}),
        *_told(who, name, "active;expires=600", what),
    ]


def _call(caller: str, callee: str, name: str) -> list[Step]:
    return [
        Press(caller, "call", callee),
        Arrow(f"{caller} -> {callee}", "INVITE", name),
        Arrow(f"{callee} -> {caller}", "180"),
        Press(callee, "answer"),
        Arrow(f"{callee} -> {caller}", "200 INVITE"),
        Arrow(f"{caller} -> {callee}", "ACK"),
    ]


def _on_hold(who: str, whom: str, *, call: int) -> list[Step]:
    return [
        Press(who, "hold", call=call),
        Arrow(f"{who} -> {whom}", "INVITE", sdp="sendonly"),
        Arrow(f"{whom} -> {who}", "200 INVITE", sdp="recvonly"),
        Arrow(f"{who} -> {whom}", "ACK"),
    ]


def _sent_on(transferor: str, transferee: str, target: str, name: str, *, call: int) -> list[Step]:
    """The transferor sends the transferee to the target, who takes the call; `call` is the transferor's."""
    return [
        Press(transferor, "refer", target, call=call, hang_up=False),
        Arrow(f"{transferor} -> {transferee}", "REFER", headers={"Refer-To": f"<sip:{target}@example.com>"}),
        Arrow(f"{transferee} -> {transferor}", "202 REFER"),
        *notified("100", "active", transferee, transferor),
        Arrow(f"{transferee} -> {target}", "INVITE", name),
        Arrow(f"{target} -> {transferee}", "180"),
        *notified("180", "active", transferee, transferor),
        Press(target, "answer"),
        Arrow(f"{target} -> {transferee}", "200 INVITE"),
        Arrow(f"{transferee} -> {target}", "ACK"),
        *notified("200", "terminated", transferee, transferor),
        Finished(transferor),
    ]


def _over(who: str, whom: str, dialog: str, *, call: int) -> list[Step]:
    return [
        Press(who, "terminate", call=call),
        Arrow(f"{who} -> {whom}", "BYE", dialog=dialog),
        Arrow(f"{whom} -> {who}", "200 BYE"),
    ]


FLOWS = [
    Flow(
        "RFC 5589 Figure 9",
        "The target's Contact is of no use outside the call: the reference is to her address, and requires Replaces",
        THREE,
        [*held_and_consulted(), *held("carol", call=2), *_attended()],
    ),
    Flow(
        "RFC 5589 Figure 11",
        "Semi-attended transfer: the transferor is gone when the target answers, and its user agent goes on",
        THREE,
        [
            *established(),
            *held(),
            *consulted(),  # the person hangs up while it rings; the application does not, and plays music then
            *_attended(),
        ],
    ),
    Flow(
        "RFC 5589 Figure 17",
        "Attended transfer as an ad hoc conference: the transferor is a focus, and tells both what happens",
        {"alice": ALICE, "bob": Peer(), "carol": CAROL},
        [
            *called(),
            Arrow("bob -> alice", "INVITE", sdp="sendonly", headers={"Contact": f"<{FOCUS}>;isfocus"}),
            Arrow("alice -> bob", "200 INVITE", sdp="recvonly"),
            Arrow("bob -> alice", "ACK"),
            *_subscribed("alice", "S1", "alice is on hold"),
            Arrow(
                "bob -> carol",
                "INVITE",
                "C1",
                sdp="sendrecv",
                headers={"Require": "replaces", "Contact": f"<{FOCUS}>;isfocus"},
            ),
            Arrow("carol -> bob", "180 INVITE"),
            Press("carol", "answer"),
            Arrow("carol -> bob", "200 INVITE", "C3", to="C1"),
            Arrow("bob -> carol", "ACK"),
            *_subscribed("carol", "S2", "alice is on hold"),
            *_told("alice", "S1", "active;expires=590", "bob talks to carol"),
            Arrow("bob -> carol", "INVITE", dialog="C1", sdp="sendonly"),
            Arrow("carol -> bob", "200 INVITE", sdp="recvonly"),
            Arrow("bob -> carol", "ACK", dialog="C1"),
            *_told("alice", "S1", "active;expires=580", "carol is on hold"),
            Arrow(
                "bob -> alice",
                "REFER",
                dialog="F1",
                headers={
                    "Refer-To": lambda named: (
                        f"<sip:carol@example.com?Replaces={named['C1'].call_id}%3Bto-tag%3D{named['C3'].to_tag}"
                        f"%3Bfrom-tag%3D{named['C1'].from_tag}>"
                    )
                },
            ),
            Arrow("alice -> bob", "202 REFER"),
            *notified("100", "active"),
            Arrow("alice -> carol", "INVITE", check=replaces_of_consultation),
            Arrow("carol -> alice", "200 INVITE"),
            Arrow("alice -> carol", "ACK"),
            Arrow("carol -> bob", "BYE", dialog="C1"),
            Arrow("bob -> carol", "200 BYE"),
            *notified("200", "terminated"),
            Arrow("bob -> alice", "BYE", dialog="F1"),
            Arrow("alice -> bob", "200 BYE"),
            *_told("carol", "S2", "terminated;reason=noresource", "it is over"),
            *_told("alice", "S1", "terminated;reason=noresource", "it is over"),
            Shows("alice", of=1, is_ended=True),
            Shows("alice", of=2, is_established=True),
            *hung_up("alice", "carol"),
        ],
    ),
    Flow(
        "RFC 5589 Figure 18",
        "Transfer with multiple parties: originator, facilitator, screener, recipient",
        {
            "mary": Agent(on={"refer": "accept"}),
            "facilitator": Agent(on={"refer": "accept"}),
            "screener": Agent(),
            "fred": Agent(),
        },
        [
            *_call("mary", "facilitator", "1"),
            *_on_hold("facilitator", "mary", call=1),
            *_call("facilitator", "screener", "2"),
            *_on_hold("screener", "facilitator", call=1),
            *_call("screener", "fred", "3"),
            *_on_hold("screener", "fred", call=2),
            *_sent_on("screener", "facilitator", "fred", "5", call=1),
            *_over("screener", "facilitator", "2", call=1),
            *_over("screener", "fred", "3", call=2),
            *_on_hold("facilitator", "fred", call=3),
            *_sent_on("facilitator", "mary", "fred", "7", call=1),
            *_over("facilitator", "mary", "1", call=1),
            *_over("facilitator", "fred", "5", call=3),
            *_over("fred", "mary", "7", call=3),
            *(
                Shows(who, of="ua", sessions=frozenset())
                for who in ("mary", "facilitator", "screener", "fred")
            ),
        ],
    ),
    Flow(
        "RFC 5589 §11.2",
        "The target, behind a gateway, picks up just after the consultation was cancelled: busy, and alice is back",
        {"alice": ALICE, "bob": Agent(), "carol": Peer()},
        [
            *established(),
            *held(),
            Press("bob", "call", "carol"),
            Arrow("bob -> carol", "INVITE", "C1"),
            Arrow("carol -> bob", "180"),
            Press("bob", "terminate"),
            Arrow("bob -> carol", "CANCEL"),
            Arrow("carol -> bob", "200 CANCEL"),
            Arrow("carol -> bob", "487", to="C1"),
            Arrow("bob -> carol", "ACK"),
            Press("bob", "refer", "carol", call=1),
            Arrow("bob -> alice", "REFER"),
            Arrow("alice -> bob", "202 REFER"),
            *notified("100", "active"),
            Arrow("alice -> carol", "INVITE"),
            Arrow("carol -> alice", "486"),
            Arrow("alice -> carol", "ACK"),
            Events("alice", ("failed", {"cause": Cause.BUSY})),
            *notified("486", "terminated"),
            Finished("bob", raises=TransferFailed),
            *resumed(),
            *hung_up("bob", "alice", call=1),
        ],
    ),
]
