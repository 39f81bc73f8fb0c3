"""RFC 5359: examples of services, as far as user agents have a part in them."""

from __future__ import annotations

import re

from sipua import Cause
from sipua.testing import Agent, Arrow, Call, Events, Finished, Flow, Named, Peer, Press, Shows, description
from sipua.testing.flow_steps import Step
from tests.flows.common import answered, called, established, hung_up
from tests.flows.rfc5589 import held_and_consulted, notified, replaces_of_consultation

BOTH = {"alice": Agent(), "bob": Agent()}
HELD = {"local": False, "remote": True}
HOLDING = {"local": True, "remote": False}
FREE = {"local": False, "remote": False}


def _offered(who: str, whom: str, sdp: str, answer: str) -> list[Step]:
    """A re-INVITE between two agents."""
    return [
        Arrow(f"{who} -> {whom}", "INVITE", sdp=sdp),
        Arrow(f"{whom} -> {who}", "200 INVITE", sdp=answer),
        Arrow(f"{who} -> {whom}", "ACK"),
    ]


def _replacing_the_park_server(named) -> dict[str, str]:
    return {
        "Replaces": f"{named['K1'].call_id};to-tag={named['K2'].to_tag};from-tag={named['K1'].from_tag}",
        "Require": "replaces",
    }


def _dialogs(state: str, subscription: str, whom: str = "alice", *, who: str = "bob") -> Arrow:
    """The NOTIFY of somebody about his one call."""
    return Arrow(
        f"{who} -> {whom}",
        "NOTIFY",
        body='<?xml version="1.0"?><dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="0"'
        ' state="full" entity="sip:bob@example.com"><dialog id="1" call-id="x" local-tag="y" remote-tag="z"'
        f' direction="recipient"><state>{state}</state></dialog></dialog-info>',
        headers={
            "Event": "dialog",
            "Subscription-State": subscription,
            "Content-Type": "application/dialog-info+xml",
        },
    )


def _screened(announcement: str) -> list[Step]:
    """alice has to say who she is, and is then told that this call is not to be: F1 to F6."""
    return [
        Press("alice", "call", "bob"),
        Arrow("alice -> proxy", "INVITE", "F1"),
        Arrow(
            "proxy -> alice",
            "407",
            "F2",
            headers={"Proxy-Authenticate": 'Digest realm="example.com", nonce="ea9c8e88df84", qop="auth"'},
        ),
        Arrow("alice -> proxy", "ACK", "F3", branch="F1"),
        Arrow(
            "alice -> proxy",
            "INVITE",
            "F4",
            cseq=("F1", 1),
            headers={"Proxy-Authorization": ...},
            dialog="F1",
        ),
        Arrow("proxy -> alice", "403", "F5", headers={"Error-Info": announcement}),
        Arrow("alice -> proxy", "ACK", "F6", branch="F4"),
        Events(
            "alice",
            (
                "failed",
                {
                    "cause": Cause.REJECTED,
                    "message": lambda response: response.headers["Error-Info"] == announcement,
                },
            ),
        ),
    ]


FLOWS = [
    Flow(
        "RFC 5359 §2.1",
        "Call hold",
        BOTH,
        [
            *established(),
            Events("alice", "progress", "accepted", "confirmed"),
            Events("bob", "progress", "accepted", "confirmed"),
            Press("bob", "hold"),
            *_offered("bob", "alice", "sendonly", "recvonly"),
            Finished("bob"),
            Events("bob", ("hold", {"originator": "local"})),
            Events("alice", ("hold", {"originator": "remote"})),
            Shows("bob", is_on_hold=HOLDING),
            Shows("alice", is_on_hold=HELD, is_established=True),
            Press("bob", "hold"),  # it is already: nothing on the wire
            Finished("bob"),
            Press("bob", "unhold"),
            *_offered("bob", "alice", "sendrecv", "sendrecv"),
            Events("bob", ("unhold", {"originator": "local"})),
            Events("alice", ("unhold", {"originator": "remote"})),
            Shows("alice", is_on_hold=FREE),
            *hung_up(),
        ],
    ),
    Flow(
        "RFC 5359 §2.1, both sides",
        "Each holds the other, and lets go in another order",
        BOTH,
        [
            *established(),
            Press("bob", "hold"),
            *_offered("bob", "alice", "sendonly", "recvonly"),
            Press("alice", "hold"),
            *_offered("alice", "bob", re.compile("sendonly|inactive"), re.compile("inactive|recvonly")),
            Shows("alice", is_on_hold={"local": True, "remote": True}),
            Shows("bob", is_on_hold={"local": True, "remote": True}),
            Press("bob", "unhold"),
            *_offered("bob", "alice", "sendrecv", "sendonly"),
            Shows("bob", is_on_hold=HELD),
            Shows("alice", is_on_hold=HOLDING),
            Press("alice", "unhold"),
            *_offered("alice", "bob", "sendrecv", "sendrecv"),
            Shows("bob", is_on_hold=FREE),
            Shows("alice", is_on_hold=FREE),
            *hung_up(),
        ],
    ),
    Flow(
        "RFC 5359 §2.1, the old way",
        "A peer that holds by c=0.0.0.0 is recognised",
        {"alice": Agent(), "bob": Peer()},
        [
            *called(),
            Arrow("bob -> alice", "INVITE", sdp=description(address="0.0.0.0")),
            Arrow("alice -> bob", "200 INVITE"),
            Arrow("bob -> alice", "ACK"),
            Shows("alice", is_on_hold=HELD),
            Arrow("bob -> alice", "INVITE", sdp=description()),
            Arrow("alice -> bob", "200 INVITE"),
            Arrow("bob -> alice", "ACK"),
            Shows("alice", is_on_hold=FREE),
            *hung_up(),
        ],
    ),
    Flow(
        "RFC 5359 §2.2",
        "Consultation hold",
        {"alice": Agent(), "bob": Agent(), "carol": Agent()},
        [
            *held_and_consulted(),
            Shows("bob", of=1, is_on_hold=HOLDING),
            Shows("bob", of=2, is_on_hold=FREE),
            Press("bob", "terminate"),
            Arrow("bob -> carol", "BYE"),
            Arrow("carol -> bob", "200 BYE"),
            Press("bob", "unhold", call=1),
            *_offered("bob", "alice", "sendrecv", "sendrecv"),
            Shows("alice", is_on_hold=FREE),
            *hung_up(),
        ],
    ),
    Flow(
        "RFC 5359 §2.3",
        "Music on hold: the offer that holds alice is a music server's, from elsewhere",
        {"alice": Agent(), "bob": Peer()},
        [
            *called(),
            Arrow("bob -> alice", "INVITE", sdp=description("sendonly", address="192.0.2.203")),
            Arrow("alice -> bob", "200 INVITE", sdp="recvonly"),
            Arrow("bob -> alice", "ACK"),
            Shows("alice", is_on_hold=HELD),
            Arrow("bob -> alice", "INVITE"),  # bob wants alice's offer, to give it to somebody
            Arrow("alice -> bob", "200 INVITE", sdp="sendrecv"),
            Arrow("bob -> alice", "ACK", sdp="sendrecv"),
            Shows("alice", is_on_hold=FREE),
            *hung_up(),
        ],
    ),
    Flow(
        "RFC 5359 §2.4",
        "Transfer, unattended: the transferor does not wait for the result",
        {"alice": Agent(on={"refer": "accept"}), "bob": Agent(), "carol": Agent()},
        [
            *established(),
            Press("bob", "refer", "carol"),
            Arrow("bob -> alice", "REFER"),
            Press("bob", "terminate"),
            Arrow("alice -> bob", "202 REFER"),
            Arrow("bob -> alice", "BYE"),
            Arrow("alice -> bob", "NOTIFY", body=re.compile("^SIP/2.0 100")),
            Arrow("bob -> alice", "200 NOTIFY"),
            Arrow("alice -> carol", "INVITE", headers={"Referred-By": "<sip:bob@example.com>"}),
            Arrow("alice -> bob", "200 BYE"),
            Arrow("carol -> alice", "180"),
            Arrow("alice -> bob", "NOTIFY", body=re.compile("^SIP/2.0 180")),
            Arrow("bob -> alice", "200 NOTIFY"),
            Press("carol", "answer"),
            Arrow("carol -> alice", "200 INVITE"),
            Arrow("alice -> carol", "ACK"),
            *notified("200", "terminated"),
            Finished("bob", back=2),
            *hung_up("alice", "carol"),
        ],
    ),
    Flow(
        "RFC 5359 §2.5",
        "Transfer, attended",
        {"alice": Agent(on={"refer": "accept"}), "bob": Agent(), "carol": Agent(on={"replaces": "accept"})},
        [
            *held_and_consulted(),
            Press("bob", "refer", call=1, replaces=Call(2)),
            Arrow("bob -> alice", "REFER"),
            Arrow("alice -> bob", "202 REFER"),
            *notified("100", "active"),
            Arrow("alice -> carol", "INVITE", check=replaces_of_consultation),
            Arrow("carol -> alice", "200 INVITE"),
            Arrow("alice -> carol", "ACK"),
            *notified("200", "terminated"),
            Press("bob", "terminate", call=1),
            Arrow("bob -> alice", "BYE"),
            Arrow("alice -> bob", "200 BYE"),
            Arrow("carol -> bob", "BYE"),
            Arrow("bob -> carol", "200 BYE"),
            *hung_up("carol", "alice"),
        ],
    ),
    Flow(
        "RFC 5359 §2.6",
        "Transfer by instant message: the user calls who is named in it",
        {"alice": Agent(on={"new_message": lambda event: None}), "bob": Agent(), "carol": Agent()},
        [
            *established(),
            Press("bob", "ua.send_message", "alice", "sip:carol@example.com"),
            Arrow(
                "bob -> alice",
                "MESSAGE",
                body="sip:carol@example.com",
                headers={"Content-Type": "text/plain"},
            ),
            Arrow("alice -> bob", "200 MESSAGE"),
            Finished("bob"),
            *hung_up(),
            Press("alice", "call", "sip:carol@example.com"),
            Arrow("alice -> carol", "INVITE"),
            Arrow("carol -> alice", "180"),
            Press("carol", "answer"),
            Arrow("carol -> alice", "200"),
            Arrow("alice -> carol", "ACK"),
            *hung_up("alice", "carol"),
        ],
    ),
    Flow(
        "RFC 5359 §2.7",
        "Call forwarding, unconditional: the caller sees 181 and the new target's dialog",
        {"alice": Agent(), "proxy": Peer()},
        [
            Press("alice", "call", "bob"),
            Arrow("alice -> proxy", "INVITE", "F1"),
            Arrow("proxy -> alice", "181", tag="proxy"),
            Arrow("proxy -> alice", "180", tag="carol"),
            Arrow("proxy -> alice", "200", tag="carol", sdp="sendrecv"),
            Arrow("alice -> proxy", "ACK", tag="carol"),
            Events(
                "alice",
                ("progress", {"response": lambda response: response.code == 181}),
                ("progress", {"response": lambda response: response.code == 180}),
                "accepted",
                "confirmed",
            ),
            *hung_up("alice", "proxy"),
        ],
    ),
    Flow(
        "RFC 5359 §2.8",
        "Call forwarding, busy: the callee's part",
        {"proxy": Peer(), "bob": Agent(max_calls=1)},
        [
            *answered("proxy", "bob"),
            Arrow("proxy -> bob", "INVITE", "F5", dialog="new", sdp="sendrecv"),
            Arrow("bob -> proxy", "486 INVITE", to="F5"),
            Arrow("proxy -> bob", "ACK", dialog="F5"),
            *hung_up("bob", "proxy"),
        ],
    ),
    Flow(
        "RFC 5359 §2.9",
        "Call forwarding, no answer: the proxy cancels the callee, and says why",
        {"proxy": Peer(), "bob": Agent()},
        [
            Arrow("proxy -> bob", "INVITE", "F1", sdp="sendrecv"),
            Arrow("bob -> proxy", "180 INVITE"),
            Arrow(
                "proxy -> bob",
                "CANCEL",
                headers={"Reason": 'SIP;cause=200;text="Call completed elsewhere"'},
            ),
            Arrow("bob -> proxy", "200 CANCEL"),
            Arrow("bob -> proxy", "487 INVITE"),
            Arrow("proxy -> bob", "ACK"),
            Events(
                "bob",
                "progress",
                ("failed", {"cause": Cause.CANCELED, "reason": re.compile("completed elsewhere")}),
            ),
        ],
    ),
    Flow(
        "RFC 5359 §2.10",
        "3-way conference, a third party is added: the call's peer becomes a focus",
        {"alice": Agent(), "bob": Peer()},
        [
            *called(),
            Arrow(
                "bob -> alice",
                "INVITE",
                "F5",
                sdp="sendrecv",
                headers={"Contact": "<sip:conference-3@bob.example.com>;isfocus"},
            ),
            Arrow("alice -> bob", "200 INVITE", to="F5"),
            Arrow("bob -> alice", "ACK"),
            Press("alice", "terminate"),
            Arrow("alice -> bob", "BYE", uri="sip:conference-3@bob.example.com"),
            Arrow("bob -> alice", "200 BYE"),
        ],
    ),
    Flow(
        "RFC 5359 §2.11",
        "3-way conference, a third party joins: Join is not known here, and refused where it is required",
        {"alice": Agent(), "carol": Peer()},
        [
            Arrow(
                "carol -> alice",
                "INVITE",
                sdp="sendrecv",
                headers={"Join": "a@b;to-tag=1;from-tag=2", "Require": "join"},
            ),
            Arrow("alice -> carol", "420 INVITE", headers={"Unsupported": "join"}),
            Arrow("carol -> alice", "ACK"),
        ],
    ),
    Flow(
        "RFC 5359 §2.12",
        "Find me: several places ring, one takes the call",
        {"alice": Agent(), "proxy": Peer()},
        [
            Press("alice", "call", "bob"),
            Arrow("alice -> proxy", "INVITE", "F1"),
            Arrow("proxy -> alice", "180", tag="desk"),
            Arrow("proxy -> alice", "180", tag="home"),
            Arrow("proxy -> alice", "180", tag="mobile"),
            Arrow("proxy -> alice", "200", tag="home", sdp="sendrecv"),
            Arrow("alice -> proxy", "ACK", tag="home"),
            Shows("alice", of="ua", counts=lambda counts: counts["dialogs"] == 1),
            *hung_up("alice", "proxy"),
        ],
    ),
    Flow(
        "RFC 5359 §2.13",
        "Incoming call screening: the caller is told that it is not wanted, and listens to the announcement",
        {"alice": Agent(password="sesame"), "proxy": Peer(), "announcement": Peer()},
        [
            *_screened("<sip:screen-fail-term-ann@announcement.example.com>"),
            Press("alice", "call", "sip:screen-fail-term-ann@announcement.example.com"),
            Arrow(
                "alice -> announcement",
                "INVITE",
                "F7",
                uri="sip:screen-fail-term-ann@announcement.example.com",
            ),
            Arrow("announcement -> alice", "200", sdp="sendonly"),
            Arrow("alice -> announcement", "ACK", cseq="F7"),
            Arrow("announcement -> alice", "BYE", "F13"),
            Arrow("alice -> announcement", "200 BYE", "F14"),
            Shows("alice", is_ended=True, cause=Cause.BYE),
        ],
    ),
    Flow(
        "RFC 5359 §2.14",
        "Outgoing call screening: the caller may not call this address",
        {"alice": Agent(password="sesame"), "proxy": Peer()},
        _screened("<sip:screen-fail-orig-ann@announcement.example.com>"),
    ),
    Flow(
        "RFC 5359 §2.15",
        "Call park: the park server takes bob's place, and carol the park server's",
        {"alice": Agent(on={"replaces": "accept"}), "bob": Agent(), "park": Peer(), "carol": Agent()},
        [
            *established(),
            Press("bob", "ua.refer", "park", refer_to="alice", replaces=Call(1)),
            Arrow(
                "bob -> park",
                "REFER",
                headers={"Refer-To": re.compile(r"Replaces="), "Referred-By": "<sip:bob@example.com>"},
            ),
            Arrow("park -> bob", "202"),
            Arrow(
                "park -> bob",
                "NOTIFY",
                body="SIP/2.0 100 Trying\r\n",
                headers={
                    "Event": "refer",
                    "Subscription-State": "active;expires=60",
                    "Content-Type": "message/sipfrag",
                },
            ),
            Arrow("bob -> park", "200 NOTIFY"),
            Arrow(
                "park -> alice",
                "INVITE",
                "K1",
                sdp="sendonly",
                headers={
                    "Replaces": lambda named: (
                        f"{named['F1'].call_id};to-tag={named['F1'].from_tag};from-tag={named['F3'].to_tag}"
                    ),
                    "Require": "replaces",
                },
            ),
            Arrow("alice -> park", "200 INVITE", "K2", sdp="recvonly"),
            Arrow("park -> alice", "ACK"),
            Arrow("alice -> bob", "BYE"),
            Arrow("bob -> alice", "200 BYE"),
            Arrow(
                "park -> bob",
                "NOTIFY",
                body="SIP/2.0 200 OK\r\n",
                headers={
                    "Event": "refer",
                    "Subscription-State": "terminated;reason=noresource",
                    "Content-Type": "message/sipfrag",
                },
            ),
            Arrow("bob -> park", "200 NOTIFY"),
            Finished("bob"),
            Shows("alice", of=2, is_established=True, is_on_hold=HELD),
            Press("carol", "ua.subscribe", "park", "dialog", expires=0),  # carol picks it up
            Arrow("carol -> park", "SUBSCRIBE", headers={"Event": "dialog", "Expires": "0"}),
            Arrow("park -> carol", "200", headers={"Expires": "0"}),
            _dialogs("confirmed", "terminated;reason=timeout", "carol", who="park"),
            Arrow("carol -> park", "200 NOTIFY"),
            Press("carol", "call", "alice", extra_headers=Named(_replacing_the_park_server)),
            Arrow("carol -> alice", "INVITE", headers={"Replaces": re.compile("to-tag=.*from-tag=park")}),
            Arrow("alice -> carol", "200 INVITE"),
            Arrow("carol -> alice", "ACK"),
            Arrow("alice -> park", "BYE", dialog="K1"),
            Arrow("park -> alice", "200 BYE"),
            Shows("alice", of=2, is_ended=True),
            Shows("alice", of=3, is_established=True),
            *hung_up("carol", "alice"),
        ],
    ),
    Flow(
        "RFC 5359 §2.16",
        "Call pickup: carol takes the call that rings at bob's",
        {"alice": Agent(on={"replaces": "accept"}), "bob": Agent(), "carol": Peer()},
        [
            Press("alice", "call", "bob"),
            Arrow("alice -> bob", "INVITE", "F1"),
            Arrow("bob -> alice", "180 INVITE", "F2"),
            Arrow(
                "carol -> alice",
                "INVITE",
                sdp="sendrecv",
                headers={
                    "Replaces": lambda named: (
                        f"{named['F1'].call_id};to-tag={named['F1'].from_tag}"
                        f";from-tag={named['F2'].to_tag};early-only"
                    )
                },
            ),
            Arrow("alice -> carol", "200 INVITE"),
            Arrow("carol -> alice", "ACK"),
            Arrow("alice -> bob", "CANCEL"),
            Arrow("bob -> alice", "200 CANCEL"),
            Arrow("bob -> alice", "487 INVITE"),
            Arrow("alice -> bob", "ACK"),
            Shows("bob", cause=Cause.CANCELED),
            Shows("alice", of=2, is_established=True),
            *hung_up("alice", "carol"),
        ],
    ),
    Flow(
        "RFC 5359 §2.16, from the other side",
        "Call pickup: bill watches bob's calls, and takes the one that rings",
        {"bill": Agent(), "bob": Peer(), "alice": Agent(on={"replaces": "accept"})},
        [
            Press("alice", "call", "bob"),
            Arrow("alice -> bob", "INVITE", "F1"),
            Arrow("bob -> alice", "180", "F2"),
            Press("bill", "ua.subscribe", "bob", "dialog", expires=0),
            Arrow(
                "bill -> bob",
                "SUBSCRIBE",
                headers={"Event": "dialog", "Expires": "0", "Accept": "application/dialog-info+xml"},
            ),
            Arrow("bob -> bill", "200", headers={"Expires": "0"}),
            _dialogs("early", "terminated;reason=timeout", "bill"),
            Arrow("bill -> bob", "200 NOTIFY"),
            Events(
                "bill",
                "accepted",
                "dialog_created",
                ("notify", {"content": lambda content: content.dialogs[0].state == "early"}),
                "terminated",
                of="result",
            ),
            Press(
                "bill",
                "call",
                "alice",
                extra_headers=Named(
                    lambda named: {
                        "Replaces": f"{named['F1'].call_id};to-tag={named['F1'].from_tag}"
                        f";from-tag={named['F2'].to_tag};early-only"
                    }
                ),
            ),
            Arrow("bill -> alice", "INVITE", headers={"Replaces": re.compile("early-only")}),
            Arrow("alice -> bill", "200 INVITE"),
            Arrow("bill -> alice", "ACK"),
            Arrow("alice -> bob", "CANCEL"),
            Arrow("bob -> alice", "200 CANCEL"),
            Arrow("bob -> alice", "487", to="F1"),
            Arrow("alice -> bob", "ACK"),
            *hung_up("alice", "bill"),
        ],
    ),
    Flow(
        "RFC 5359 §2.17",
        "Automatic redial: when the subscription tells that bob has hung up, alice calls again",
        {"alice": Agent(), "bob": Peer()},
        [
            Press("alice", "call", "bob"),
            Arrow("alice -> bob", "INVITE"),
            Arrow("bob -> alice", "486"),
            Arrow("alice -> bob", "ACK"),
            Press("alice", "ua.subscribe", "bob", "dialog", expires=600, resubscribe=False),
            Arrow("alice -> bob", "SUBSCRIBE", "S1", headers={"Event": "dialog", "Expires": "600"}),
            Arrow("bob -> alice", "200", headers={"Expires": "600"}),
            _dialogs("confirmed", "active;expires=600"),
            Arrow("alice -> bob", "200 NOTIFY"),
            Events(
                "alice", "accepted", "dialog_created", "active", ("notify", {"is_final": False}), of="result"
            ),
            _dialogs("terminated", "terminated;reason=noresource"),
            Arrow("alice -> bob", "200 NOTIFY"),
            Events("alice", ("notify", {"is_final": True}), "terminated", of="result"),
            Press("alice", "call", "bob"),
            Arrow("alice -> bob", "INVITE"),
            Arrow("bob -> alice", "200", sdp="sendrecv"),
            Arrow("alice -> bob", "ACK"),
            *hung_up(),
        ],
    ),
    Flow(
        "RFC 5359 §2.18",
        "Click to dial: a REFER outside of calls makes the user agent call",
        {"desk": Peer(), "alice": Agent(on={"refer": "accept"}), "bob": Agent()},
        [
            Arrow("desk -> alice", "REFER", headers={"Refer-To": "<sip:bob@example.com>"}),
            Arrow("alice -> desk", "202 REFER"),
            *notified("100", "active", "alice", "desk"),
            Arrow("alice -> bob", "INVITE", uri="sip:bob@example.com"),
            Arrow("bob -> alice", "180"),
            *notified("180", "active", "alice", "desk"),
            Press("bob", "answer"),
            Arrow("bob -> alice", "200 INVITE"),
            Arrow("alice -> bob", "ACK"),
            *notified("200", "terminated", "alice", "desk"),
            *hung_up(),
        ],
    ),
]
