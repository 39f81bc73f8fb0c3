"""RFC 3665: basic call flows, those in which a user agent has a part.

Proxies are played by a script where they do something that a user agent sees; where they only pass messages on, the
other user agent stands behind them.
"""

from __future__ import annotations

import re

from sipua import CallBusy, CallTimeout, CallUnavailable, Cause
from sipua.testing import Agent, Arrow, Cut, Events, Finished, Flow, Peer, Press, Shows, Wait
from tests.flows.common import called, hung_up

CHALLENGE = 'Digest realm="example.com", nonce="ea9c8e88df84f1cec4341ae6cbe5a359", algorithm=MD5, qop="auth"'
OTHER_CHALLENGE = (
    'Digest realm="example.org", nonce="84f1c1ae6cbe5ua9c8e88dfa3ecm3459", algorithm=MD5, qop="auth"'
)
ALICE = {"alice": Agent(), "bob": Peer()}
BOTH = {"alice": Agent(), "bob": Agent()}
REGISTERING = {"bob": Agent(register=True, password="zanzibar"), "registrar": Peer()}


def _registered(**headers: str) -> list:
    return [
        Arrow("bob -> registrar", "REGISTER", "F1", uri="sip:example.com", headers={"Contact": ...}),
        Arrow("registrar -> bob", "401", headers={"WWW-Authenticate": CHALLENGE}),
        Arrow(
            "bob -> registrar",
            "REGISTER",
            "F3",
            cseq=("F1", 1),
            headers={"Authorization": re.compile(r'username="bob".*uri="sip:example.com"')},
            dialog="F1",
        ),
        Arrow("registrar -> bob", "200", headers={"Expires": "600", **headers}),
        Events("bob", "connected", "registered", of="ua"),
    ]


FLOWS = [
    Flow(
        "RFC 3665 §2.1",
        "Successful new registration",
        REGISTERING,
        [
            *_registered(),
            Shows("bob", of="ua", is_registered=True),
        ],
        leaves=True,
    ),
    Flow(
        "RFC 3665 §2.2",
        "Update of contact list: a refresh with credentials ahead",
        REGISTERING,
        [
            *_registered(),
            Press("bob", "ua.register"),
            Arrow(
                "bob -> registrar",
                "REGISTER",
                cseq=("F3", 1),
                dialog="F1",
                headers={"Authorization": re.compile("nc=00000002")},
            ),
            Arrow("registrar -> bob", "200", headers={"Expires": "600"}),
            Finished("bob"),
        ],
        leaves=True,
    ),
    Flow(
        "RFC 3665 §2.4",
        "Cancellation of registration",
        REGISTERING,
        [
            *_registered(),
            Press("bob", "ua.unregister", all=True),
            Arrow("bob -> registrar", "REGISTER", headers={"Contact": "*", "Expires": "0"}, cseq=("F3", 1)),
            Arrow("registrar -> bob", "200"),
            Finished("bob"),
            Events("bob", "unregistered", of="ua"),
            Shows("bob", of="ua", is_registered=False),
        ],
        leaves=True,
    ),
    Flow(
        "RFC 3665 §2.5",
        "Unsuccessful registration: the password is wrong",
        REGISTERING,
        [
            Arrow("bob -> registrar", "REGISTER", "F1"),
            Arrow("registrar -> bob", "401", headers={"WWW-Authenticate": CHALLENGE}),
            Arrow("bob -> registrar", "REGISTER", headers={"Authorization": ...}),
            Arrow(
                "registrar -> bob",
                "401",
                headers={"WWW-Authenticate": CHALLENGE.replace("ea9c", "f02b")},
            ),
            Events(
                "bob",
                "connected",
                ("registration_failed", {"cause": Cause.AUTHENTICATION_ERROR, "retry_after": None}),
                of="ua",
            ),
            Shows("bob", of="ua", is_registered=False),
            Press("bob", "ua.set", "password", "zanzibar, this time"),
            Press("bob", "ua.register"),
            Arrow("bob -> registrar", "REGISTER", headers={"Authorization": None}),
            Arrow("registrar -> bob", "401", headers={"WWW-Authenticate": CHALLENGE}),
            Arrow("bob -> registrar", "REGISTER", headers={"Authorization": ...}),
            Arrow("registrar -> bob", "200", headers={"Expires": "600"}),
            Finished("bob"),
        ],
        leaves=True,
    ),
    Flow(
        "RFC 3665 §3.1",
        "Successful session establishment",
        BOTH,
        [
            Press("alice", "call", "bob"),
            Arrow("alice -> bob", "INVITE", "F1", sdp="sendrecv", uri="sip:bob@example.com", cseq=1),
            Arrow("bob -> alice", "180 INVITE", "F2", headers={"Contact": ...}, to="F1"),
            Events("alice", ("progress", {"originator": "remote"})),
            Events("bob", ("progress", {"originator": "local"})),
            Press("bob", "answer"),
            Arrow("bob -> alice", "200 INVITE", "F3", sdp="sendrecv", to="F1"),
            Arrow("alice -> bob", "ACK", "F4", cseq="F1", sdp=False),
            Events("alice", ("accepted", {"originator": "remote"}), ("confirmed", {"originator": "local"})),
            Events("bob", ("accepted", {"originator": "local"}), ("confirmed", {"originator": "remote"})),
            Finished("bob"),
            Shows("alice", is_established=True, direction="outgoing"),
            Shows("bob", is_established=True, direction="incoming"),
            Press("bob", "terminate"),
            Arrow("bob -> alice", "BYE", "F5", dialog="F1"),
            Arrow("alice -> bob", "200 BYE", "F6", to="F5"),
            Events("alice", ("ended", {"originator": "remote", "cause": Cause.BYE})),
            Events("bob", ("ended", {"originator": "local", "cause": Cause.BYE})),
            Finished("bob"),
        ],
    ),
    Flow(
        "RFC 3665 §3.2",
        "Session establishment through two proxies: 407, and their Record-Route",
        {"alice": Agent(password="sesame"), "proxy": Peer()},
        [
            Press("alice", "call", "bob"),
            Arrow("alice -> proxy", "INVITE", "F1", sdp="sendrecv"),
            Arrow("proxy -> alice", "407", "F2", headers={"Proxy-Authenticate": CHALLENGE}),
            Arrow("alice -> proxy", "ACK", "F3", branch="F1", cseq="F1", sdp=False),
            Arrow(
                "alice -> proxy",
                "INVITE",
                "F4",
                sdp="sendrecv",
                cseq=("F1", 1),
                headers={"Proxy-Authorization": re.compile(r'uri="sip:bob@example.com"')},
                dialog="F1",
                check=lambda message, named: message.from_tag == named["F1"].from_tag,
            ),
            Arrow("proxy -> alice", "100"),
            Arrow(
                "proxy -> alice",
                "180",
                headers={"Record-Route": ["<sip:ss2.example.org;lr>", "<sip:ss1.example.com;lr>"]},
            ),
            Arrow(
                "proxy -> alice",
                "200",
                sdp="sendrecv",
                headers={"Record-Route": ["<sip:ss2.example.org;lr>", "<sip:ss1.example.com;lr>"]},
            ),
            Arrow(
                "alice -> proxy",
                "ACK",
                uri="sip:proxy@192.0.2.1;transport=ws",
                cseq="F4",
                headers={
                    "Route": "<sip:ss1.example.com;lr>, <sip:ss2.example.org;lr>",
                    "Proxy-Authorization": ...,
                },
            ),
            Arrow("proxy -> alice", "BYE"),
            Arrow("alice -> proxy", "200 BYE"),
            Shows("alice", is_ended=True, cause=Cause.BYE),
        ],
    ),
    Flow(
        "RFC 3665 §3.3",
        "Session establishment with multiple proxy authentication",
        {"alice": Agent(password="sesame"), "proxy": Peer()},
        [
            Press("alice", "call", "bob"),
            Arrow("alice -> proxy", "INVITE", "F1"),
            Arrow("proxy -> alice", "407", headers={"Proxy-Authenticate": CHALLENGE}),
            Arrow("alice -> proxy", "ACK", branch="F1"),
            Arrow("alice -> proxy", "INVITE", "F4", cseq=("F1", 1)),
            Arrow("proxy -> alice", "100"),
            Arrow("proxy -> alice", "407", headers={"Proxy-Authenticate": OTHER_CHALLENGE}),
            Arrow("alice -> proxy", "ACK", branch="F4"),
            Arrow(
                "alice -> proxy",
                "INVITE",
                cseq=("F1", 2),
                check=lambda message, named: (
                    {
                        re.findall('realm="(.*?)"', value)[0]
                        for value in message.headers.getlist("Proxy-Authorization")
                    }
                    == {"example.com", "example.org"}
                ),
            ),
            Arrow("proxy -> alice", "200", sdp="sendrecv"),
            Arrow("alice -> proxy", "ACK", cseq=("F1", 2)),
            *hung_up("alice", "proxy"),
        ],
    ),
    Flow(
        "RFC 3665 §3.4",
        "Session establishment with proxy failure: the connection to the proxy breaks",
        ALICE,
        [
            Press("alice", "call", "bob"),
            Arrow("alice -> bob", "INVITE", "F1"),
            Cut("alice"),
            Events("alice", ("failed", {"cause": Cause.CONNECTION_ERROR, "originator": "system"})),
            Shows("alice", is_ended=True),
        ],
    ),
    Flow(
        "RFC 3665 §3.6, the redirect",
        "Session via a redirect server: the application follows the 302",
        {"alice": Agent(on={"redirect": "follow"}), "bob": Peer()},
        [
            Press("alice", "call", "bob"),
            Arrow("alice -> bob", "INVITE", "F1"),
            Arrow(
                "bob -> alice",
                "302",
                headers={"Contact": "<sip:bob@chicago.example.com>;q=0.5, <sip:bob@sales.example.com>;q=0.9"},
            ),
            Arrow("alice -> bob", "ACK", branch="F1"),
            Arrow(
                "alice -> bob",
                "INVITE",
                "F4",
                uri="sip:bob@sales.example.com",
                cseq=("F1", 1),
                sdp="sendrecv",
            ),
            Arrow("bob -> alice", "404"),
            Arrow("alice -> bob", "ACK", branch="F4"),
            Arrow("alice -> bob", "INVITE", uri="sip:bob@chicago.example.com", cseq=("F4", 1)),
            Arrow("bob -> alice", "180"),
            Arrow("bob -> alice", "200", sdp="sendrecv"),
            Arrow("alice -> bob", "ACK"),
            Shows("alice", is_established=True),
            *hung_up(),
        ],
    ),
    Flow(
        "RFC 3665 §3.6, a redirect that nobody follows",
        "The call fails with the cause Redirected",
        ALICE,
        [
            Press("alice", "call", "bob"),
            Arrow("alice -> bob", "INVITE", "F1"),
            Arrow("bob -> alice", "302", headers={"Contact": "<sip:bob@chicago.example.com>"}),
            Arrow("alice -> bob", "ACK", branch="F1"),
            Events("alice", ("failed", {"cause": Cause.REDIRECTED})),
        ],
    ),
    Flow(
        "RFC 3665 §3.6",
        "Session with SDP in ACK",
        ALICE,
        [
            Press("alice", "call", "bob", late_offer=True),
            Arrow("alice -> bob", "INVITE", "F1", sdp=False),
            Arrow("bob -> alice", "180"),
            Arrow("bob -> alice", "200", sdp="sendrecv"),
            Arrow("alice -> bob", "ACK", cseq="F1", sdp="sendrecv"),
            Shows("alice", is_established=True),
            Arrow("bob -> alice", "BYE"),
            Arrow("alice -> bob", "200 BYE"),
        ],
    ),
    Flow(
        "RFC 3665 §3.6, the callee",
        "Session with SDP in ACK",
        {"alice": Peer(), "bob": Agent()},
        [
            Arrow("alice -> bob", "INVITE"),
            Arrow("bob -> alice", "180"),
            Press("bob", "answer"),
            Arrow("bob -> alice", "200", sdp="sendrecv"),
            Arrow("alice -> bob", "ACK", sdp="sendrecv"),
            Finished("bob"),
            Arrow("alice -> bob", "BYE"),
            Arrow("bob -> alice", "200 BYE"),
        ],
    ),
    Flow(
        "RFC 3665 §3.7",
        "Session with re-INVITE (address change of the callee)",
        ALICE,
        [
            *called(),
            Arrow("bob -> alice", "INVITE", "F6", sdp="sendrecv", headers={"Contact": "<sip:bob@192.0.2.7>"}),
            Arrow("alice -> bob", "200 INVITE", sdp="sendrecv", to="F6"),
            Arrow("bob -> alice", "ACK"),
            Shows("alice", is_established=True),
            Press("alice", "terminate"),
            Arrow("alice -> bob", "BYE", uri="sip:bob@192.0.2.7"),
            Arrow("bob -> alice", "200 BYE"),
        ],
    ),
    Flow(
        "RFC 3665 §3.8",
        "Unsuccessful: no answer, the caller cancels",
        BOTH,
        [
            Press("alice", "call", "bob"),
            Arrow("alice -> bob", "INVITE", "F1"),
            Arrow("bob -> alice", "180 INVITE"),
            Press("alice", "terminate"),
            Arrow("alice -> bob", "CANCEL", "F9", branch="F1", cseq="F1", sdp=False),
            Arrow("bob -> alice", "200 CANCEL", to="F9"),
            Arrow("bob -> alice", "487 INVITE", to="F1"),
            Arrow("alice -> bob", "ACK", branch="F1", cseq="F1"),
            Events("alice", "progress", ("failed", {"originator": "local", "cause": Cause.CANCELED})),
            Events("bob", "progress", ("failed", {"originator": "remote", "cause": Cause.CANCELED})),
            Finished("alice"),
        ],
    ),
    Flow(
        "RFC 3665 §3.9",
        "Unsuccessful: busy",
        BOTH,
        [
            Press("alice", "call", "bob"),
            Arrow("alice -> bob", "INVITE", "F1"),
            Arrow("bob -> alice", "180"),
            Press("alice", "wait_confirmed"),
            Press("bob", "terminate", status_code=486),
            Arrow("bob -> alice", "486 INVITE", to="F1"),
            Arrow("alice -> bob", "ACK", branch="F1"),
            Finished("alice", raises=CallBusy),
            Shows("alice", cause=Cause.BUSY),
        ],
    ),
    Flow(
        "RFC 3665 §3.10",
        "Unsuccessful: no response from the callee's user agent",
        ALICE,
        [
            Press("alice", "call", "bob"),
            Press("alice", "wait_confirmed"),
            Arrow("alice -> bob", "INVITE", "F1"),
            Arrow("bob -> alice", "100"),
            Arrow("bob -> alice", "480"),
            Arrow("alice -> bob", "ACK", branch="F1"),
            Finished("alice", raises=CallUnavailable),
        ],
    ),
    Flow(
        "RFC 3665 §3.10, without any server",
        "Unsuccessful: no response at all within 64*T1",
        ALICE,
        [
            Press("alice", "call", "bob"),
            Press("alice", "wait_confirmed"),
            Arrow("alice -> bob", "INVITE", "F1", fate="lost"),
            Shows("alice", is_in_progress=True),
            Wait(32),
            Finished("alice", raises=CallTimeout),
        ],
    ),
    Flow(
        "RFC 3665 §3.11",
        "Unsuccessful: temporarily unavailable",
        BOTH,
        [
            Press("alice", "call", "bob"),
            Press("alice", "wait_confirmed"),
            Arrow("alice -> bob", "INVITE", "F1"),
            Arrow("bob -> alice", "180"),
            Press("bob", "terminate", status_code=480, extra_headers={"Retry-After": "3600"}),
            Arrow("bob -> alice", "480 INVITE", headers={"Retry-After": "3600"}),
            Arrow("alice -> bob", "ACK", branch="F1"),
            Finished("alice", raises=CallUnavailable),
        ],
    ),
]
