"""Which part of a body is found, and which bodies are not looked into."""

from __future__ import annotations

import time

import pytest

from sipua.session.multipart import MAX_DEPTH, part_of
from sipua.session.negotiation import sdp_of
from sipua.session.session import RTCSession
from sipua.sip import Request
from tests.session.calls import call_out
from tests.wire import OFFER, Wire, user_agent

SDP = "application/sdp"


def message(content_type: str, body: str) -> Request:
    request = Request("INVITE", "sip:bob@example.com", body.encode())
    request.headers.add("Content-Type", content_type)
    return request


def nested(depth: int) -> tuple[str, str]:
    """A description inside so many multipart bodies, one in the other: content type and body."""
    heads = [f"--b{n}\r\nContent-Type: multipart/mixed;boundary=b{n + 1}\r\n\r\n" for n in range(depth - 1)]
    inner = f"--b{depth - 1}\r\nContent-Type: {SDP}\r\n\r\n{OFFER}\r\n--b{depth - 1}--\r\n"
    return "multipart/mixed;boundary=b0", "".join(heads) + inner


@pytest.mark.parametrize("depth", [1, 2, MAX_DEPTH])
def test_part_of_a_multipart_body(depth: int) -> None:
    assert sdp_of(message(*nested(depth))).startswith("v=0")


def test_first_of_several_parts() -> None:
    body = (
        "".join(f"--x\r\nContent-Type: {kind}\r\n\r\n{kind}\r\n" for kind in ("text/plain", SDP, SDP))
        + "--x--"
    )
    assert part_of(message("Multipart/Mixed; boundary=x", body), SDP) == SDP.encode()
    assert part_of(message("multipart/mixed; boundary=x", body), "text/html") is None


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 1100])
def test_what_is_nested_too_deep_costs_nothing(depth: int) -> None:
    begun = time.process_time()
    assert sdp_of(message(*nested(depth))) == ""
    assert time.process_time() - begun < 0.1


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/mixed", "--x\r\n" + OFFER),
        ("multipart/mixed;boundary=\xff\xfe", "--x\r\n\r\n"),
        ("multipart/mixed;boundary*0*=utf-8''%ff%fe;boundary*1=x", "--x\r\n\r\n"),
        ("multipart/mixed;boundary=x", "--x\r\n: \r\n\0\r\n--x--"),
        ("multipart/mixed;boundary=x", "--x\r\nContent-Type: \xff/\xfe\r\n\r\n\xff\r\n--x--"),
        ("text/plain", OFFER),
    ],
)
def test_bodies_without_a_description(content_type: str, body: str) -> None:
    assert sdp_of(message(content_type, body)) == ""


@pytest.mark.parametrize("method", ["INVITE", "UPDATE", "INFO"])
async def test_peer_that_nests_leaves_the_call_as_it_was(method: str) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await call_out(wire, ua)
        content_type, body = nested(1000)
        extra = f"Info-Package: trickle-ice\r\nContent-Type: {content_type}\r\n"
        wire.from_callee(method, invite, extra=extra, body=body)
        await wire.response(415, method)
        assert call.is_established()


# --- what must be understood ------------------------------------------------------------------------------

TEXT, PIDF = "Content-Type: text/plain", "Content-Type: application/pidf+xml"
OPTIONAL, REQUIRED = "handling=optional", "handling=REQUIRED"


def part(kind: str, disposition: str = "") -> str:
    line = f"Content-Disposition: {disposition}\r\n" if disposition else ""
    return f"{kind}\r\n{line}\r\n{OFFER if 'sdp' in kind else 'x'}\r\n"


def mixed(*parts: str, boundary: str = "b") -> str:
    return "".join(f"--{boundary}\r\n{each}" for each in parts) + f"--{boundary}--\r\n"


MIXED, OFFERED = "Content-Type: multipart/mixed;boundary=b\r\n", "Content-Type: application/sdp"
ALTERNATIVE = "Content-Type: multipart/alternative;boundary=b\r\n"
INNER = "Content-Type: multipart/alternative;boundary=i"

BODIES = [
    # Without a description: only what is optional may be left out.
    (TEXT + "\r\n", "hello", 415),
    (TEXT + "\r\nContent-Disposition: render;handling=optional\r\n", "hello", 180),
    (MIXED, mixed(part(TEXT)), 415),
    (MIXED, mixed(part(TEXT, "render; " + OPTIONAL)), 180),
    (MIXED, mixed(part(TEXT, "render; " + OPTIONAL), part(PIDF)), 415),
    (MIXED, mixed(part(TEXT, "render; " + OPTIONAL), part(PIDF, "by-reference;" + OPTIONAL)), 180),
    (MIXED + "Content-Disposition: x;handling=optional\r\n", mixed(part(TEXT)), 180),
    ("Content-Type: multipart/mixed\r\n", mixed(part(OFFERED)), 415),
    # Beside one.
    (MIXED, mixed(part(TEXT), part(OFFERED)), 180),
    (MIXED, mixed(part(OFFERED, "session;" + REQUIRED), part(PIDF, "by-reference;" + OPTIONAL)), 180),
    (MIXED, mixed(part(OFFERED), part(PIDF, "by-reference;" + REQUIRED)), 415),
    (ALTERNATIVE, mixed(part(OFFERED), part(PIDF, "session;" + REQUIRED)), 180),
    (MIXED, mixed(INNER + "\r\n\r\n" + mixed(part(OFFERED), part(PIDF, REQUIRED), boundary="i")), 180),
    (MIXED, mixed(INNER + "\r\n\r\n" + mixed(part(TEXT), part(PIDF), boundary="i")), 415),
]


@pytest.mark.parametrize(("headers", "body", "code"), BODIES)
async def test_what_an_invite_carries_besides_a_description(headers: str, body: str, code: int) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        calls: list[RTCSession] = []
        ua.on("new_rtc_session", lambda event: calls.append(event.session))
        wire.put(
            f"INVITE {ua.contact_uri} SIP/2.0\r\nVia: SIP/2.0/WS p.invalid;branch=z9hG4bKmp\r\nMax-Forwards: 70\r\n"
            "From: <sip:p@example.com>;tag=p\r\nTo: <sip:alice@example.com>\r\nCall-ID: mp\r\nCSeq: 1 INVITE\r\n"
            f"Contact: <sip:p@192.0.2.1>\r\n{headers}Content-Length: {len(body)}\r\n\r\n{body}"
        )
        response = await wire.response(code)
        if code == 415:
            assert response.headers["Accept"] == SDP
            assert not calls
            return
        calls[0].answer()
        answer = await wire.response(200)
        # With an offer there is an answer to it; else the offer is ours.
        assert ("a=setup:active" in answer.text) == ("application/sdp" in headers + body)
        assert "m=audio" in answer.text


@pytest.mark.parametrize(("headers", "body", "code"), BODIES)
async def test_what_a_reinvite_carries(headers: str, body: str, code: int) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await call_out(wire, ua)
        wire.from_callee("INVITE", invite, extra=headers, body=body)
        await wire.response(415 if code == 415 else 200, "INVITE")
        assert call.is_established()
