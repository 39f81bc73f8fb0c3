"""What users type to say whom to call."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipua import InvalidTargetError
from sipua.sip import URI
from sipua.ua.targets import SCHEMES, normalize_target, request_target
from tests.wire import Wire, user_agent

DOMAIN = URI.parse("sip:alice@example.com:5080")


@pytest.mark.parametrize(
    ("target", "uri"),
    [
        ("bob", "sip:bob@example.com:5080"),
        (" 600 ", "sip:600@example.com:5080"),
        ("(555) 123.45-67", "sip:5551234567@example.com:5080"),
        ("*31#", "sip:*31%23@example.com:5080"),
        ("SIP:bob@x.example", "SIP:bob@x.example"),
        ("bob@x.example:5070", "sip:bob@x.example:5070"),
        ("tel:+1-555-123", "tel:+1-555-123"),
        ("sips:bob@x.example;transport=ws", "sips:bob@x.example;transport=ws"),
    ],
)
def test_targets(target: str, uri: str) -> None:
    assert str(normalize_target(target, DOMAIN)) == uri
    assert str(request_target(target, DOMAIN)) == uri


@pytest.mark.parametrize(
    "target",
    [
        *("", "a b", "a<b", "sip:", "x\ny", "@", "sip:a@b c", "sip:b\u2028b@x.example"),
        *("http://foo.com", "mailto:x@y.z", "urn:service:sos", URI.parse("mailto:x@y.z")),
        *("bob:pw", "bob:pw@x.example", None, b"bob", 600, ["bob"]),
    ],
)
def test_what_is_no_target(target: Any) -> None:
    with pytest.raises(InvalidTargetError) as caught:
        normalize_target(target, DOMAIN)
    assert str(caught.value).count("not a target") == 1


def test_over_long_targets_are_refused_without_being_repeated() -> None:
    assert normalize_target("b" * 1024, DOMAIN).user == "b" * 1024
    for target in ("b" * 1025, "é" * 600, URI.parse(f"sip:{'b' * 1100}@x.example")):
        with pytest.raises(InvalidTargetError, match="more than 1024 bytes") as caught:
            normalize_target(target, DOMAIN)
        assert len(str(caught.value)) < 200


@pytest.mark.parametrize("make", [str, URI.parse])
def test_a_request_uri_carries_neither_headers_nor_a_method(make: Any) -> None:
    """RFC 3261 §19.1.1; headers are for a Refer-To."""
    target = make("sip:bob@x.example?Subject=hello")
    assert normalize_target(target, DOMAIN).headers["Subject"] == "hello"
    with pytest.raises(InvalidTargetError, match="extra_headers"):
        request_target(target, DOMAIN)
    with pytest.raises(InvalidTargetError, match="method"):
        request_target(make("sip:bob@x.example;method=BYE"), DOMAIN)


async def test_no_request_goes_to_a_uri_with_headers() -> None:
    wire, target = Wire(), "sip:bob@x.example?X-A=1"
    async with user_agent(wire) as ua:
        for request in (
            lambda: ua.call(target),
            lambda: ua.call("bob", from_user_name=target),
            lambda: ua.send_message(target, "hello"),
            lambda: ua.send_options(target),
            lambda: ua.refer(target, "carol"),
            lambda: ua.subscribe(target, "presence"),
        ):
            with pytest.raises(InvalidTargetError, match="headers"):
                request()
        await wire.settle()
        assert wire.nothing_sent()
        ua.refer("bob", target)
        refer = await wire.request("REFER")
        assert refer.headers["Refer-To"] == f"<{target}>"


@settings(max_examples=200)
@given(st.text(max_size=40))
def test_whatever_is_typed_is_a_uri_or_refused(text: str) -> None:
    try:
        uri = request_target(text, DOMAIN)
    except InvalidTargetError:
        return
    assert uri.scheme in SCHEMES
    assert URI.parse(str(uri)) == uri
