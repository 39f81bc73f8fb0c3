"""A message for each section of :rfc:`5118`, SIP Torture Test Messages for IPv6."""

from __future__ import annotations

from .case import Case, request

SDP_TYPE = "Content-Type: application/sdp"


def _sdp(session: str, *media: str) -> bytes:
    lines = ["v=0", "o=- 1 1 IN IP6 2001:db8::20", "s=-"]
    lines += [f"c={session}"] if session else []
    lines += ["t=0 0"]
    for address in media:
        lines += ["m=audio 8000 RTP/AVP 0", *([f"c={address}"] if address else [])]
    return ("\r\n".join(lines) + "\r\n").encode()


CASES = [
    Case(
        "4.1",
        "an IPv6 reference",
        request(
            "REGISTER",
            "Via: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111",
            'Contact: "Wren" <sip:wren@[2001:db8::1]>',
            uri="sip:[2001:db8::10]",
        ),
        reads=lambda m: (m.uri.host, m.uri.port, m.via[0].host, m.contact[0].uri.host),
        gives=("[2001:db8::10]", None, "[2001:db8::9:1]", "[2001:db8::1]"),
    ),
    Case("4.2", "an IPv6 address without brackets", request("REGISTER", uri="sip:2001:db8::10"), fate=400),
    Case(
        "4.3",
        "what looks like a port and is part of the address",
        request("REGISTER", uri="sip:[2001:db8::10:5070]"),
        reads=lambda m: (m.uri.host, m.uri.port),
        gives=("[2001:db8::10:5070]", None),
    ),
    Case(
        "4.4",
        "a port behind the brackets",
        request("REGISTER", uri="sip:[2001:db8::10]:5070"),
        reads=lambda m: (m.uri.host, m.uri.port),
        gives=("[2001:db8::10]", 5070),
    ),
    Case(
        "4.5",
        "received with brackets",
        request("BYE", "Via: SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255];branch=z9hG4bKas3"),
        reads=lambda m: (m.via[0].received, m.branch),
        gives=("2001:db8::9:255", "z9hG4bKas3"),
    ),
    Case(
        "4.5",
        "received without brackets",
        request("OPTIONS", "Via: SIP/2.0/UDP [2001:db8::9:1];received=2001:db8::9:255;branch=z9hG4bKas3"),
        reads=lambda m: (m.via[0].received, m.branch),
        gives=("2001:db8::9:255", "z9hG4bKas3"),
    ),
    Case(
        "4.6",
        "IPv6 in SDP",
        request("INVITE", SDP_TYPE, uri="sip:robin@[2001:db8::10]", body=_sdp("IN IP6 2001:db8::20", "")),
        reads=lambda m: "c=IN IP6 2001:db8::20\r\n" in m.text,
        gives=True,
    ),
    Case(
        "4.7",
        "IPv4 and IPv6 in header fields",
        request(
            "BYE",
            "Via: SIP/2.0/UDP [2001:db8::9:1]:6050;branch=z9hG4bKas3-111",
            "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKjhja8781hjuaij65144",
            "Via: SIP/2.0/TCP [2001:db8::9:255];branch=z9hG4bK451jj;received=192.0.2.200",
            "Route: <sip:[2001:db8::30];lr>, <sip:192.0.2.30:5080;lr>",
        ),
        reads=lambda m: (
            [(via.host, via.port) for via in m.via],
            m.via[2].received,
            [(route.uri.host, route.uri.port) for route in m.route],
        ),
        gives=(
            [("[2001:db8::9:1]", 6050), ("192.0.2.1", None), ("[2001:db8::9:255]", None)],
            "192.0.2.200",
            [("[2001:db8::30]", None), ("192.0.2.30", 5080)],
        ),
    ),
    Case(
        "4.8",
        "IPv4 and IPv6 in SDP",
        request("INVITE", SDP_TYPE, body=_sdp("IN IP4 192.0.2.1", "", "IN IP6 2001:db8::1")),
        reads=lambda m: (m.text.count("c=IN IP4 "), m.text.count("c=IN IP6 ")),
        gives=(1, 1),
    ),
    Case(
        "4.9",
        "IPv4-mapped IPv6 addresses",
        request(
            "INVITE",
            "Via: SIP/2.0/UDP [::ffff:192.0.2.10]:19823;branch=z9hG4bKbh19",
            "Via: SIP/2.0/UDP [::ffff:192.0.2.2];branch=z9hG4bKas3-111",
            'Contact: "T. desk phone" <sip:ted@[::ffff:192.0.2.2]>',
            SDP_TYPE,
            body=_sdp("IN IP6 ::ffff:192.0.2.2", ""),
        ),
        reads=lambda m: ([via.host for via in m.via], m.contact[0].uri.host),
        gives=(["[::ffff:192.0.2.10]", "[::ffff:192.0.2.2]"], "[::ffff:192.0.2.2]"),
    ),
    Case(
        "4.10",
        "three colons, as the grammar of RFC 3261 has it",
        request("OPTIONS", uri="sip:robin@[2001:db8:::192.0.2.1]"),
        reads=lambda m: m.uri.host,
        gives="[2001:db8:::192.0.2.1]",
    ),
    Case(
        "4.10",
        "two colons, as it is meant",
        request("OPTIONS", uri="sip:robin@[2001:db8::192.0.2.1]"),
        reads=lambda m: m.uri.host,
        gives="[2001:db8::192.0.2.1]",
    ),
]

SECTIONS = {f"4.{n}" for n in range(1, 11)}
