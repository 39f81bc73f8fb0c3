"""Where JsSIP 3.13.8 goes wrong: what was seen by running it, and what happens here instead.

Each title says what JsSIP does; the flow is what is right.
"""

from __future__ import annotations

import asyncio
import functools
import re

from sipua import CallIncompatible, Cause, RequestFailed, RequestTimeout
from sipua.media import SignallingOnlyMedia
from sipua.testing import (
    Agent,
    Arrives,
    Arrow,
    Cut,
    Events,
    Finished,
    Flow,
    Peer,
    Press,
    Shows,
    Wait,
    description,
)
from tests.flows.common import answered, called, hung_up

ALICE = {"alice": Agent(), "bob": Peer()}
REGISTERING = {"alice": Agent(register=True), "registrar": Peer()}
MD5 = 'Digest realm="example.com", nonce="aa", qop="auth"'
SHA256 = 'Digest realm="example.com", nonce="bb", qop="auth", algorithm=SHA-256'
UNKNOWN = 'Digest realm="example.com", nonce="cc", qop="auth", algorithm=SHA-1024'
UNTOUCHED = {"is_established": True, "is_on_hold": {"local": False, "remote": False}}


class StuckMedia(SignallingOnlyMedia):
    """Media that never gets ready."""

    async def create_offer(self, *, ice_restart: bool = False) -> str:
        await asyncio.sleep(3600)
        return await super().create_offer(ice_restart=ice_restart)


#: A candidate after a second, and another after an hour.
SLOW = functools.partial(
    SignallingOnlyMedia,
    late_candidates=[
        (1.0, "candidate:2 1 udp 1694498815 203.0.113.5 6000 typ srflx raddr 192.0.2.1 rport 5000"),
        (3600.0, "candidate:3 1 udp 16777215 198.51.100.7 7000 typ relay raddr 203.0.113.5 rport 6000"),
    ],
)


def _mistake(number: int, what: str, steps: list, people: dict | None = None, **more) -> Flow:
    return Flow(f"JsSIP 3.13.8, mistake {number}", what, people or ALICE, steps, **more)


def _refused_hold(code: int) -> Flow:
    return _mistake(
        10,
        f"A hold that is refused with {code} ends the call: it must leave it as it was",
        [
            *called(),
            Press("alice", "hold"),
            Arrow("alice -> bob", "INVITE", "F5", sdp="sendonly"),
            Arrow("bob -> alice", str(code)),
            Arrow("alice -> bob", "ACK", branch="F5"),
            Finished("alice", raises=RequestFailed),
            Events("alice", "progress", "accepted", "confirmed"),
            Shows("alice", **UNTOUCHED),
            Press("alice", "hold"),
            Arrow("alice -> bob", "INVITE", cseq=("F5", 1), sdp="sendonly"),
            Arrow("bob -> alice", "200", sdp="recvonly"),
            Arrow("alice -> bob", "ACK"),
            Finished("alice"),
            *hung_up(),
        ],
    )


def _glare(role: str, before: list, limits: tuple[float, float]) -> Flow:
    return _mistake(
        4,
        f"491 to a re-INVITE of the {role}: retried with the same CSeq after 1 s, whoever owns the Call-ID",
        [
            *before,
            Press("alice", "hold"),
            Arrow("alice -> bob", "INVITE", "F5", sdp="sendonly"),
            Arrow("bob -> alice", "491"),
            Arrow("alice -> bob", "ACK", branch="F5"),
            Shows("alice", **UNTOUCHED),
            Arrow("alice -> bob", "INVITE", "F7", cseq=("F5", 1), sdp="sendonly", after=limits),
            Arrow("bob -> alice", "200", sdp="recvonly"),
            Arrow("alice -> bob", "ACK", cseq="F7"),
            Finished("alice"),
            *hung_up(),
        ],
    )


def _incoming(what: str, code: int, **message) -> Flow:
    """A new call of a script with something odd in it, and how it is answered."""
    more: list = [Arrow("bob -> alice", "ACK")]
    if code == 180:
        more = [
            Press("alice", "answer"),
            Arrow("alice -> bob", "200 INVITE", sdp="sendrecv"),
            Arrow("bob -> alice", "ACK"),
            *hung_up(),
        ]
    number = 8 if code == 180 and "tel" not in what else 7
    return _mistake(
        number,
        what,
        [Arrow("bob -> alice", "INVITE", "F1", **message), Arrow("alice -> bob", f"{code} INVITE"), *more],
    )


FLOWS = [
    _mistake(
        1,
        "A CANCEL after 180 crosses a 200: neither ACK nor BYE is sent",
        [
            Press("alice", "call", "bob"),
            Arrow("alice -> bob", "INVITE", "F1"),
            Arrow("bob -> alice", "180"),
            Press("alice", "terminate"),
            Arrow("alice -> bob", "CANCEL", "F3", branch="F1", fate="held"),
            Arrow("bob -> alice", "200", to="F1", sdp="sendrecv"),
            Arrow("alice -> bob", "ACK", cseq="F1"),
            Arrow("alice -> bob", "BYE", "F6", cseq=("F1", 1)),
            Arrives("F3"),
            Arrow("bob -> alice", "200 CANCEL"),
            Arrow("bob -> alice", "200 BYE"),
            Finished("alice"),
        ],
    ),
    _mistake(
        2,
        "A second forked 200: the BYE goes to the established leg",
        [
            Press("alice", "call", "bob"),
            Arrow("alice -> bob", "INVITE", "F1"),
            Arrow("bob -> alice", "200", "F2", tag="one", sdp="sendrecv"),
            Arrow("alice -> bob", "ACK", tag="one"),
            Arrow("bob -> alice", "200", "F4", tag="two", to="F1", sdp="sendrecv"),
            Arrow("alice -> bob", "ACK", tag="two"),
            Arrow("alice -> bob", "BYE", tag="two", cseq=("F1", 1)),
            Arrow("bob -> alice", "200 BYE"),
            Shows("alice", is_established=True),
            Press("alice", "terminate"),
            Arrow("alice -> bob", "BYE", tag="one"),
            Arrow("bob -> alice", "200 BYE"),
        ],
    ),
    _mistake(
        3,
        "Glare: 491 is sent, and the offer is applied all the same",
        [
            *called(),
            Press("alice", "renegotiate"),
            Arrow("alice -> bob", "INVITE", "F5", sdp="sendrecv", fate="held"),
            Arrow("bob -> alice", "INVITE", "F6", sdp=description("sendonly", address="192.0.2.66")),
            Arrow("alice -> bob", "491 INVITE", to="F6", sdp=False),
            Arrow("bob -> alice", "ACK"),
            Shows("alice", media=lambda media: "192.0.2.66" not in media.remote_description, **UNTOUCHED),
            Events("alice", "progress", "accepted", "confirmed"),
            Arrives("F5"),
            Arrow("bob -> alice", "200", to="F5", sdp="sendrecv"),
            Arrow("alice -> bob", "ACK", cseq="F5"),
            Finished("alice"),
            *hung_up(),
        ],
    ),
    _glare("caller", called(), (2.1, 4.0)),
    _glare("callee", answered(), (0.0, 2.0)),
    _mistake(
        5,
        "The remote target is not refreshed by the 200 after a 183",
        [
            Press("alice", "call", "bob"),
            Arrow("alice -> bob", "INVITE", "F1"),
            Arrow("bob -> alice", "183", sdp="sendrecv", headers={"Contact": "<sip:early@192.0.2.8>"}),
            Arrow("bob -> alice", "200", sdp="sendrecv", headers={"Contact": "<sip:final@192.0.2.9>"}),
            Arrow("alice -> bob", "ACK", uri="sip:final@192.0.2.9"),
            Press("alice", "terminate"),
            Arrow("alice -> bob", "BYE", uri="sip:final@192.0.2.9"),
            Arrow("bob -> alice", "200"),
        ],
    ),
    _mistake(
        5,
        "The remote target is not refreshed by the 2xx to our re-INVITE",
        [
            *called(),
            Press("alice", "hold"),
            Arrow("alice -> bob", "INVITE", uri="sip:bob@192.0.2.1;transport=ws"),
            Arrow("bob -> alice", "200", sdp="recvonly", headers={"Contact": "<sip:bob@192.0.2.9>"}),
            Arrow("alice -> bob", "ACK", uri="sip:bob@192.0.2.9"),
            Press("alice", "terminate"),
            Arrow("alice -> bob", "BYE", uri="sip:bob@192.0.2.9"),
            Arrow("bob -> alice", "200"),
        ],
    ),
    _mistake(
        5,
        "The remote target is not refreshed by UPDATE, the peer's and ours",
        [
            *called(),
            Arrow(
                "bob -> alice",
                "UPDATE",
                headers={"Contact": "<sip:bob@192.0.2.8>", "Allow": "INVITE, ACK, BYE, UPDATE"},
            ),
            Arrow("alice -> bob", "200 UPDATE"),
            Press("alice", "hold", use_update=True),
            Arrow("alice -> bob", "UPDATE", uri="sip:bob@192.0.2.8"),
            Arrow("bob -> alice", "200", sdp="recvonly", headers={"Contact": "<sip:bob@192.0.2.9>"}),
            Press("alice", "terminate"),
            Arrow("alice -> bob", "BYE", uri="sip:bob@192.0.2.9"),
            Arrow("bob -> alice", "200"),
        ],
    ),
    _mistake(
        6,
        "Of several challenges the last wins, and MD5 only: the first that is supported must be taken",
        [
            Press("alice", "call", "bob"),
            Arrow("alice -> bob", "INVITE", "F1"),
            Arrow("bob -> alice", "401", headers={"WWW-Authenticate": [UNKNOWN, SHA256, MD5]}),
            Arrow("alice -> bob", "ACK"),
            Arrow(
                "alice -> bob",
                "INVITE",
                cseq=("F1", 1),
                headers={
                    "Authorization": re.compile('nonce="bb".*algorithm=SHA-256|algorithm=SHA-256.*nonce="bb"')
                },
            ),
            Arrow("bob -> alice", "200", sdp="sendrecv"),
            Arrow("alice -> bob", "ACK"),
            *hung_up(),
        ],
        {"alice": Agent(password="sesame"), "bob": Peer()},
    ),
    _mistake(
        6,
        "407 and then 401: both must be answered",
        [
            Press("alice", "call", "bob"),
            Arrow("alice -> bob", "INVITE", "F1"),
            Arrow("bob -> alice", "407", headers={"Proxy-Authenticate": MD5}),
            Arrow("alice -> bob", "ACK"),
            Arrow("alice -> bob", "INVITE", headers={"Proxy-Authorization": ...}),
            Arrow("bob -> alice", "401", headers={"WWW-Authenticate": SHA256}),
            Arrow("alice -> bob", "ACK"),
            Arrow(
                "alice -> bob",
                "INVITE",
                headers={"Proxy-Authorization": ..., "Authorization": ...},
                cseq=("F1", 2),
            ),
            Arrow("bob -> alice", "200", sdp="sendrecv"),
            Arrow("alice -> bob", "ACK"),
            *hung_up(),
        ],
        {"alice": Agent(password="sesame"), "bob": Peer()},
    ),
    _incoming("A tel: Request-URI throws", 404, uri="tel:+15551234", sdp="sendrecv"),
    _incoming("Contact: * in an INVITE throws", 400, headers={"Contact": "*"}, sdp="sendrecv"),
    _mistake(
        7,
        "A NOTIFY without Event throws, in a call",
        [
            *called(),
            Arrow("bob -> alice", "NOTIFY", headers={"Subscription-State": "active"}),
            Arrow("alice -> bob", "400 NOTIFY"),
            Shows("alice", is_established=True),
            *hung_up(),
        ],
    ),
    _mistake(
        7,
        "A NOTIFY without Event throws, outside of calls",
        [
            Arrow("bob -> alice", "NOTIFY", headers={"Subscription-State": "active"}),
            Arrow("alice -> bob", "400 NOTIFY"),
        ],
    ),
    _mistake(
        8,
        "`Via: a, b` in one field yields the last branch: a response goes nowhere",
        [
            Arrow(
                "bob -> alice",
                "INVITE",
                "F1",
                sdp="sendrecv",
                headers={
                    "Via": "SIP/2.0/WS one.invalid;branch=z9hG4bKone, SIP/2.0/WS two.invalid;branch=z9hG4bKtwo"
                },
            ),
            Arrow(
                "alice -> bob",
                "180 INVITE",
                check=lambda message, named: (
                    [via.branch for via in message.via] == ["z9hG4bKone", "z9hG4bKtwo"]
                ),
            ),
            Press("alice", "terminate", status_code=486),
            Arrow("alice -> bob", "486 INVITE", branch="F1"),
            Arrow(
                "bob -> alice",
                "ACK",
                headers={
                    "Via": "SIP/2.0/WS one.invalid;branch=z9hG4bKone, SIP/2.0/WS two.invalid;branch=z9hG4bKtwo"
                },
            ),
            Finished("alice"),
        ],
    ),
    _incoming(
        "`application/sdp;charset=utf-8` gets 415",
        180,
        sdp="sendrecv",
        headers={"Content-Type": "application/sdp;charset=utf-8"},
    ),
    _mistake(
        8,
        "A user part like `alice;day=x` is escaped anew on its way through",
        [
            Press("alice", "call", "sip:bob;day=tuesday@example.com"),
            Arrow(
                "alice -> bob",
                "INVITE",
                uri="sip:bob;day=tuesday@example.com",
                headers={"To": "<sip:bob;day=tuesday@example.com>"},
            ),
            Arrow(
                "bob -> alice", "200", sdp="sendrecv", headers={"Contact": "<sip:bob;day=x%3b@192.0.2.1;ob>"}
            ),
            Arrow("alice -> bob", "ACK", uri="sip:bob;day=x%3b@192.0.2.1;ob"),
            *hung_up(),
        ],
    ),
    _mistake(
        9,
        "INVITE again before the answer is swallowed: the last provisional response must come again",
        [
            Arrow("bob -> alice", "INVITE", "F1", sdp="sendrecv"),
            Arrow("alice -> bob", "180 INVITE", "F2"),
            Arrow("bob -> alice", "INVITE", same="F1"),
            Arrow("alice -> bob", "180 INVITE", same="F2"),
            Press("alice", "progress", 182),
            Arrow("alice -> bob", "182 INVITE", "F5"),
            Arrow("bob -> alice", "INVITE", same="F1"),
            Arrow("alice -> bob", "182 INVITE", same="F5"),
            Press("alice", "terminate"),
            Arrow("alice -> bob", "480 INVITE"),
            Arrow("bob -> alice", "ACK"),
        ],
    ),
    *(_refused_hold(code) for code in (403, 415, 488, 500, 603)),
    _mistake(
        10,
        "A re-INVITE that nobody answers ends the call",
        [
            *called(),
            Press("alice", "renegotiate"),
            Arrow("alice -> bob", "INVITE", "F5"),
            Arrow("bob -> alice", "100"),
            Arrow("alice -> bob", "CANCEL", branch="F5", after=(30.0, 64.0)),
            Arrow("bob -> alice", "200 CANCEL"),
            Arrow("bob -> alice", "487", to="F5"),
            Arrow("alice -> bob", "ACK", branch="F5"),
            Finished("alice", raises=RequestTimeout),
            Shows("alice", **UNTOUCHED),
            *hung_up(),
        ],
    ),
    _mistake(
        10,
        "A re-INVITE of the peer's that media cannot take must leave the call as it was",
        [
            *called(),
            Arrow("bob -> alice", "INVITE", sdp=description().replace("m=audio 40000", "m=video 40000")),
            Arrow("alice -> bob", "488 INVITE"),
            Arrow("bob -> alice", "ACK"),
            Shows("alice", **UNTOUCHED),
            *hung_up(),
        ],
    ),
    _mistake(
        11,
        "No answer to 422 (Session Interval Too Small)",
        [
            Press("alice", "call", "bob"),
            Arrow("alice -> bob", "INVITE", "F1"),
            Arrow("bob -> alice", "422", headers={"Min-SE": "5000"}),
            Arrow("alice -> bob", "ACK"),
            Arrow(
                "alice -> bob",
                "INVITE",
                cseq=("F1", 1),
                headers={"Min-SE": "5000", "Session-Expires": "5000"},
            ),
            Arrow("bob -> alice", "200", sdp="sendrecv"),
            Arrow("alice -> bob", "ACK"),
            *hung_up(),
        ],
    ),
    _mistake(
        11,
        "No retry of REGISTER on 503 with Retry-After",
        [
            Arrow("alice -> registrar", "REGISTER", "F1"),
            Arrow("registrar -> alice", "503", headers={"Retry-After": "17"}),
            Events("alice", "connected", ("registration_failed", {"retry_after": 17.0}), of="ua"),
            Arrow("alice -> registrar", "REGISTER", after=17, cseq=("F1", 1), dialog="F1"),
            Arrow("registrar -> alice", "200", headers={"Expires": "600"}),
            Events("alice", "registered", of="ua"),
        ],
        REGISTERING,
        leaves=True,
    ),
    _mistake(
        11,
        "No retry of REGISTER after a time-out",
        [
            Arrow("alice -> registrar", "REGISTER", "F1", fate="lost"),
            Wait(32),
            Events("alice", "connected", ("registration_failed", {"cause": Cause.REQUEST_TIMEOUT}), of="ua"),
            Arrow("alice -> registrar", "REGISTER", after=(15.0, 30.0)),
            Arrow("registrar -> alice", "200", headers={"Expires": "600"}),
            Shows("alice", of="ua", is_registered=True),
        ],
        REGISTERING,
        leaves=True,
    ),
    _mistake(
        11,
        "A 200 to REGISTER without our binding is ignored in silence",
        [
            Arrow("alice -> registrar", "REGISTER"),
            Arrow("registrar -> alice", "200", headers={"Contact": "<sip:alice@192.0.2.99>;expires=600"}),
            Events("alice", "connected", ("registration_failed", {"cause": Cause.UNAVAILABLE}), of="ua"),
            Shows("alice", of="ua", is_registered=False),
            Arrow("alice -> registrar", "REGISTER", after=(15.0, 30.0)),
            Arrow("registrar -> alice", "200", headers={"Expires": "600"}),
            Shows("alice", of="ua", is_registered=True),
        ],
        REGISTERING,
        leaves=True,
    ),
    _mistake(
        11,
        "No early UPDATE, no 100rel",
        [
            Press("alice", "call", "bob"),
            Arrow("alice -> bob", "INVITE", "F1", headers={"Supported": re.compile("100rel")}),
            Arrow("bob -> alice", "183", sdp="sendrecv", headers={"Require": "100rel", "RSeq": "9"}),
            Arrow("alice -> bob", "PRACK", headers={"RAck": "9 1 INVITE"}),
            Arrow("bob -> alice", "200 PRACK"),
            Arrow("bob -> alice", "UPDATE", sdp="sendrecv"),
            Arrow("alice -> bob", "200 UPDATE", sdp="sendrecv"),
            Arrow("bob -> alice", "200", to="F1"),
            Arrow("alice -> bob", "ACK"),
            *hung_up(),
        ],
    ),
    _mistake(
        11,
        "No time limit on media that does not get ready",
        [
            Press("alice", "call", "bob"),
            Press("alice", "wait_confirmed"),
            Wait(20),
            Finished("alice", raises=CallIncompatible),
            Events("alice", "media_failed", ("failed", {"cause": Cause.WEBRTC_ERROR})),
        ],
        {"alice": Agent(media=StuckMedia), "bob": Peer()},
    ),
    _mistake(
        11,
        "An INVITE with Replaces that nobody listens for gets no answer at all",
        [
            *answered(),
            Arrow(
                "bob -> alice",
                "INVITE",
                "F5",
                dialog="new",
                sdp="sendrecv",
                headers={
                    "Replaces": lambda named: (
                        f"{named['F1'].call_id};to-tag={named['F3'].to_tag};from-tag={named['F1'].from_tag}"
                    )
                },
            ),
            Arrow("alice -> bob", "603 INVITE", to="F5"),
            Arrow("bob -> alice", "ACK", dialog="F5"),
            Shows("alice", **UNTOUCHED),
            *hung_up(),
        ],
    ),
    _mistake(
        11,
        "A call outlives its connection, and goes on over the next one",
        [
            *called(),
            Cut("alice"),
            Wait(30),
            Shows("alice", **UNTOUCHED),
            *hung_up(),
        ],
    ),
    _mistake(
        11,
        "No time limit on gathering: candidates that come too late do not hold up the call",
        [
            Press("alice", "call", "bob"),
            Arrow(
                "alice -> bob",
                "INVITE",
                check=lambda message, named: "a=end-of-candidates" in message.text,
                after=2.0,
            ),
            Arrow("bob -> alice", "200", sdp="sendrecv"),
            Arrow("alice -> bob", "ACK"),
            *hung_up(),
        ],
        {"alice": Agent(media=SLOW, media_options={"ice_gathering_timeout": 2.0}), "bob": Peer()},
    ),
    _mistake(
        11,
        "No trickle: a 200 to a peer that takes candidates by INFO does not wait for them",
        [
            Arrow(
                "bob -> alice",
                "INVITE",
                "F1",
                sdp=description().replace("s=-\r\n", "s=-\r\na=ice-options:trickle\r\n"),
                headers={"Supported": "trickle-ice", "Recv-Info": "trickle-ice"},
            ),
            Arrow("alice -> bob", "180"),
            Press("alice", "answer"),
            Arrow("alice -> bob", "200 INVITE", "F3"),
            Arrow("bob -> alice", "ACK"),
            Arrow("alice -> bob", "INFO", "F5", headers={"Info-Package": "trickle-ice"}, after=(1.0, 1.1)),
            Arrow("bob -> alice", "200", to="F5"),
            *hung_up(),
        ],
        {"alice": Agent(media=SLOW, media_options={"ice_gathering_timeout": 2.0}), "bob": Peer()},
    ),
    _mistake(
        12,
        "A session refresh that is skipped while busy is never sent",
        [
            Press("alice", "call", "bob"),
            Arrow("alice -> bob", "INVITE", "F1"),
            Arrow(
                "bob -> alice",
                "200",
                sdp="sendrecv",
                headers={
                    "Session-Expires": "90;refresher=uac",
                    "Require": "timer",
                    "Allow": "INVITE, ACK, BYE, CANCEL",
                },
            ),
            Arrow("alice -> bob", "ACK"),
            Wait(40),
            Press("alice", "hold"),
            Arrow("alice -> bob", "INVITE", "F4", sdp="sendonly"),
            Arrow("bob -> alice", "100"),
            Wait(10),  # the refresh was due 5 s ago
            Arrow("bob -> alice", "488", to="F4"),
            Arrow("alice -> bob", "ACK"),
            Finished("alice", raises=RequestFailed),
            Arrow("alice -> bob", "INVITE", sdp="sendrecv"),
            Arrow(
                "bob -> alice",
                "200",
                sdp="sendrecv",
                headers={"Session-Expires": "90;refresher=uac", "Require": "timer"},
            ),
            Arrow("alice -> bob", "ACK"),
            Shows("alice", **UNTOUCHED),
            *hung_up(),
        ],
    ),
    _mistake(
        12,
        "A session refresh without a description waits for an offer that is open",
        [
            Press("alice", "call", "bob"),
            Arrow("alice -> bob", "INVITE", "F1"),
            Arrow(
                "bob -> alice",
                "200",
                sdp="sendrecv",
                headers={
                    "Session-Expires": "90;refresher=uac",
                    "Require": "timer",
                    "Allow": "INVITE, ACK, BYE, CANCEL, UPDATE",
                },
            ),
            Arrow("alice -> bob", "ACK"),
            Wait(40),
            Press("alice", "hold"),
            Arrow("alice -> bob", "INVITE", "F4", sdp="sendonly"),
            Arrow("bob -> alice", "100"),
            Arrow("alice -> bob", "UPDATE", "F6", after=5),
            Arrow(
                "bob -> alice",
                "200",
                to="F6",
                headers={"Session-Expires": "90;refresher=uac", "Require": "timer"},
            ),
            Arrow("bob -> alice", "488", to="F4"),
            Arrow("alice -> bob", "ACK"),
            Finished("alice", raises=RequestFailed),
            Shows("alice", **UNTOUCHED),
            *hung_up(),
        ],
    ),
    _mistake(
        12,
        "The side that does not refresh hangs up at 110 % of the interval, not before its end",
        [
            Press("alice", "call", "bob"),
            Arrow("alice -> bob", "INVITE", "F1"),
            Arrow(
                "bob -> alice",
                "200",
                sdp="sendrecv",
                headers={"Session-Expires": "120;refresher=uas", "Require": "timer"},
            ),
            Arrow("alice -> bob", "ACK"),
            Arrow("alice -> bob", "BYE", after=88),
            Arrow("bob -> alice", "200"),
        ],
    ),
]
