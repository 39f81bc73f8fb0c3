"""The SDP and the INVITEs that the benchmarks feed to every library alike."""

from __future__ import annotations

import random

from benchmarks._common import HERE

OFFER = (HERE / "data" / "offer.sdp").read_text().replace("\n", "\r\n")
ANSWER = OFFER.replace("a=setup:actpass", "a=setup:active")

# As it arrives at a user agent behind a proxy: two Vias, and a Record-Route for each side of the proxy.
_INVITE = """\
INVITE sip:{callee}@{contact}.invalid;transport=ws SIP/2.0
Record-Route: <sip:198.51.100.7;transport=ws;r2=on;lr;ftag={tag}>
Record-Route: <sip:198.51.100.7:5060;r2=on;lr;ftag={tag}>
Via: SIP/2.0/WS 198.51.100.7:8080;branch=z9hG4bK{branch}.0;rport
Via: SIP/2.0/WS {host}.invalid;received=203.0.113.{octet};branch=z9hG4bK{branch};rport=51642
Max-Forwards: 69
To: <sip:{callee}@example.com>
From: "{caller}" <sip:{caller}@example.com>;tag={tag}
Call-ID: {call_id}
CSeq: {sequence} INVITE
Contact: <sip:{caller}@{host}.invalid;transport=ws;ob>;+sip.ice
Content-Type: application/sdp
Session-Expires: 90
Allow: INVITE,ACK,CANCEL,BYE,UPDATE,MESSAGE,OPTIONS,REFER,INFO,NOTIFY
Supported: timer,ice,replaces,outbound
User-Agent: bench 1.0
Content-Length: {length}

"""


def invites(count: int, seed: int = 1) -> list[str]:
    """`count` INVITEs of about 1.7 kB, no two with the same caller, callee, hosts, tag, branch or Call-ID.

    Real traffic repeats its domain, its proxy and its option lists; these repeat here too, and nothing else.
    """
    rand = random.Random(seed)

    def token(length: int) -> str:
        return "".join(rand.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=length))

    template = _INVITE.replace("\n", "\r\n")
    return [
        template.format(
            caller=f"alice.{token(6)}",
            callee=f"bob.{token(6)}",
            host=token(12),
            contact=token(12),
            octet=rand.randint(1, 254),
            tag=token(10),
            branch=token(14),
            call_id=token(22),
            sequence=rand.randint(1, 9999),
            length=len(OFFER),
        )
        + OFFER
        for _ in range(count)
    ]
