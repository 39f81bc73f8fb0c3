from __future__ import annotations

import pytest

from sipua.sip import ParseError, Request, check_request, parse_message

HEAD = (
    "{method} {uri} SIP/2.0\r\n"
    "Via: SIP/2.0/WS a.invalid;branch=z9hG4bK1\r\n"
    "From: <sip:alice@example.com>;tag=1\r\n"
    "To: <sip:bob@example.com>\r\n"
    "Call-ID: 1@a\r\n"
    "CSeq: 1 {method}\r\n"
    "{fields}"
    "\r\n"
)
SDP = {"accept": ("application/sdp",), "produce": ("application/sdp",)}


def request(
    *fields: str, method: str = "INVITE", uri: str = "sip:bob@example.com", body: bytes = b""
) -> Request:
    lines = "".join(f"{field}\r\n" for field in fields)
    message = parse_message(HEAD.format(method=method, uri=uri, fields=lines).encode() + body)
    assert isinstance(message, Request)
    return message


def refusal(message: Request, **asked) -> ParseError:
    with pytest.raises(ParseError) as caught:
        check_request(message, **asked)
    return caught.value


def test_a_plain_request_is_acceptable():
    check_request(request())
    check_request(
        request(
            "Content-Type: application/sdp",
            "Require: timer",
            "Accept: application/sdp, text/plain",
            body=b"v=0",
        ),
        supported=("timer",),
        allow=("INVITE",),
        **SDP,
    )


def test_methods():
    error = refusal(request(method="PUBLISH"), allow=("INVITE", "ACK"))
    assert (error.status, error.headers) == (405, (("Allow", "INVITE, ACK"),))
    assert error.request is not None
    check_request(request(method="PUBLISH"))
    check_request(request(method="PUBLISH"), allow=("INVITE",), proxy=True)


def test_schemes():
    assert refusal(request(uri="urn:service:sos")).status == 416
    assert refusal(request(uri="tel:+1"), schemes=("sip", "sips")).status == 416
    check_request(request(uri="SIPS:bob@example.com"))


def test_the_method_comes_first():
    assert refusal(request(method="X", uri="urn:a"), allow=("INVITE",)).status == 405


@pytest.mark.parametrize("field", ["Contact: x", "Route: x", "Record-Route: x", "Content-Type: x"])
def test_what_everyone_has_to_read(field: str):
    error = refusal(request(field))
    assert error.status == 400
    assert error.request is not None


def test_extensions():
    message = request("Require: timer, X-A", "Require: x-b", "Proxy-Require: y")
    error = refusal(message, supported=("Timer",))
    assert (error.status, error.headers) == (420, (("Unsupported", "X-A, x-b"),))
    error = refusal(message, supported=("timer",), proxy=True)
    assert (error.status, error.headers) == (420, (("Unsupported", "y"),))
    check_request(message, supported=("timer", "x-a", "x-b"))


@pytest.mark.parametrize("method", ["ACK", "CANCEL"])
def test_some_cannot_be_asked_to_do_more(method: str):
    check_request(request("Require: x", method=method))


def test_bodies():
    error = refusal(request("Content-Type: text/html", body=b"x"), **SDP)
    assert (error.status, error.headers) == (415, (("Accept", "application/sdp"),))
    assert refusal(request(body=b"x"), **SDP).status == 415
    check_request(request("Content-Type: text/html", body=b"x"))
    check_request(request("Content-Type: text/html"), **SDP)
    check_request(request("Content-Type: text/html", body=b"x"), proxy=True, **SDP)
    check_request(
        request("Content-Type: text/html", "Content-Disposition: x ; Handling = optional", body=b"x"), **SDP
    )
    check_request(request("Content-Type: Application/SDP;charset=utf-8", body=b"x"), **SDP)


def test_encodings():
    error = refusal(
        request("Content-Type: application/sdp", "Content-Encoding: identity, gzip", body=b"x"), **SDP
    )
    assert (error.status, error.headers) == (415, (("Accept-Encoding", "identity"),))
    check_request(request("Content-Type: application/sdp", "e: identity", body=b"x"), **SDP)


def test_answers():
    assert refusal(request("Accept: text/plain"), **SDP).status == 406
    assert refusal(request("Accept:"), **SDP).status == 406
    for field in ("Accept: text/plain, application/*", "Accept: */*", "Accept: application/sdp;level=1"):
        check_request(request(field), **SDP)
    check_request(request("Accept: text/plain", method="OPTIONS"), **SDP)


def test_hops():
    assert refusal(request("Max-Forwards: 0"), proxy=True).status == 483
    check_request(request("Max-Forwards: 0"))
    check_request(request("Max-Forwards: 1"), proxy=True)
    check_request(request(), proxy=True)


def test_an_ack_is_never_answered():
    for message, asked in (
        (request(method="ACK", uri="urn:a"), {}),
        (request("Contact: x", method="ACK"), {}),
        (request("Content-Type: text/html", method="ACK", body=b"x"), SDP),
    ):
        error = refusal(message, **asked)
        assert (error.status, error.request) == (None, None)
