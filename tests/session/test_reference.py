"""Refer-To, written and read."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipua import InvalidTargetError, ParseError
from sipua.session import reference
from sipua.sip import URI, Replaces, Request


def refer(value: str, *extra: tuple[str, str]) -> Request:
    request = Request("REFER", URI.parse("sip:a@example.com"))
    request.headers.add("Refer-To", value)
    for name, content in extra:
        request.headers.add(name, content)
    return request


@pytest.mark.parametrize(
    "target",
    ["sip:bob@example.com", "sips:b;x=1@[2001:db8::1]:5061;transport=ws;lr", "sip:example.com", "tel:+1-2"],
)
def test_blind_targets_come_back_as_they_are(target: str) -> None:
    found = reference.read(refer(reference.write(URI.parse(target))))
    assert (str(found.uri), found.replaces, found.headers) == (target, None, ())


_TOKENS = st.text("abcXYZ019-.!%*_+`'~", min_size=1, max_size=12)


@given(st.text("abcXYZ019-.!%*_+`'~()[]{}?/@:&=#", min_size=1, max_size=20), _TOKENS, _TOKENS, st.booleans())
def test_attended_targets_come_back_as_they_are(
    call_id: str, to_tag: str, from_tag: str, early: bool
) -> None:
    """Whatever a peer's Call-ID and tags are made of, they arrive at the third party to the letter."""
    replaces = Replaces(call_id, to_tag, from_tag, early_only=early)
    value = reference.write(URI.parse("sip:bob@example.com;transport=ws?Subject=x"), replaces)
    found = reference.read(refer(value))
    assert found.replaces == replaces
    assert str(found.uri) == "sip:bob@example.com;transport=ws"
    assert dict(found.headers) == {"Require": "replaces", "Replaces": str(replaces), "Subject": "x"}


def test_a_replaces_in_the_target_is_put_right() -> None:
    target = URI.parse("sip:bob@example.com?replaces=old&X-A=1&require=none")
    found = reference.read(refer(reference.write(target, Replaces("new", "1", "2"))))
    assert found.headers == (
        ("Require", "replaces"),
        ("Replaces", "new;to-tag=1;from-tag=2"),
        ("X-A", "1"),
    )


@pytest.mark.parametrize("target", ["http://example.com/", "mailto:a@b", "urn:service:sos"])
def test_what_cannot_be_called_is_not_written(target: str) -> None:
    with pytest.raises(InvalidTargetError):
        reference.write(URI.parse(target))


def read_or_status(value: str) -> reference.Reference | int:
    try:
        return reference.read(refer(value))
    except ParseError as error:
        return error.status or 0


@given(st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=("C",)), max_size=60))
def test_anything_else_is_refused_with_a_status(value: str) -> None:
    found = read_or_status(value)
    assert found in (400, 416, 501) if isinstance(found, int) else found.uri.scheme in reference.SCHEMES


@pytest.mark.parametrize("escaped", ["%02", "a%0D%0AVia: x", "%7F", "%00"])
def test_control_characters_in_a_uri_are_refused(escaped: str) -> None:
    assert read_or_status(f"<sip:bob@example.com?X-A={escaped}>") == 400


@given(st.text('abc%0DA2BX-=&;:?<>@ "', max_size=40))
def test_nothing_in_a_uri_becomes_a_header_of_its_own(tail: str) -> None:
    """Escaped line ends in a header of the URI must not get onto the wire."""
    found = read_or_status(f"<sip:bob@example.com?X-A={tail}>")
    if isinstance(found, int):
        assert found == 400
    else:
        assert not re.search(r"[\x00-\x1f\x7f]", "".join(content for _, content in found.headers))
        assert {name.lower()[:2] for name, _ in found.headers} <= {"x-"}


def test_address_that_is_too_long_to_call() -> None:
    assert read_or_status(f"<sip:{'b' * 2000}@example.com>") == 400
    assert not isinstance(read_or_status(f"<sip:bob@example.com?Subject={'b' * 2000}>"), int)
