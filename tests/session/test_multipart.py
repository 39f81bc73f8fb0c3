"""Which part of a body is found, and which bodies are not looked into."""

from __future__ import annotations

import time

import pytest

from sipua.session.multipart import MAX_DEPTH, part_of
from sipua.session.negotiation import sdp_of
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
