"""One form for each number and address (RFC 8224 §8)."""

from __future__ import annotations

import pytest

from sipua.passport.canonical import Party, canonical_number, canonical_uri, party_of
from sipua.sip import URI


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("+1-215-555-1212", "12155551212"),
        ("(215) 555.1212", "2155551212"),
        ("+12155551212;npdi", "12155551212"),
        ("*69#", "*69#"),
        ("alice", None),
        ("", None),
        ("+", None),
        ("1+2", None),
        ("0800flowers", None),
    ],
)
def test_numbers(text: str, number: str | None) -> None:
    assert canonical_number(text) == number


@pytest.mark.parametrize(
    ("uri", "kind", "value"),
    [
        ("tel:+1-215-555-1212", "tn", "12155551212"),
        ("sip:+12155551212@gw.example.com;user=phone", "tn", "12155551212"),
        ("sip:+12155551212@gw.example.com", "tn", "12155551212"),
        ("sip:2155551212@gw.example.com;user=phone", "tn", "2155551212"),
        ("sip:600@example.com", "uri", "sip:600@example.com"),
        ("sip:alice@example.com;user=phone", "uri", "sip:alice@example.com"),
        ("sip:alice:secret@EXAMPLE.com:5070;transport=ws", "uri", "sip:alice@example.com"),
        ("sips:%61lice%2f%7E@example.com", "uri", "sips:alice%2F~@example.com"),
        ("sip:Alice%41@example.com", "uri", "sip:alicea@example.com"),
        ("sip:example.com", "uri", "sip:example.com"),
        ("im:alice@example.com", "uri", "im:alice@example.com"),
    ],
)
def test_parties(uri: str, kind: str, value: str) -> None:
    party = party_of(URI.parse(uri))
    assert (party.kind, party.value) == (kind, value)
    assert party.is_meant_by(URI.parse(uri))


def test_a_number_is_itself_in_any_domain() -> None:
    party = Party("tn", "12155551212")
    assert party.is_meant_by(URI.parse("sip:12155551212@other.example.net"))
    assert not party.is_meant_by(URI.parse("sip:12155551213@other.example.net"))
    assert not party.is_meant_by(URI.parse("sip:alice@other.example.net"))
    assert not Party("tn", "x").is_meant_by(URI.parse("sip:x@example.com"))


def test_an_address_is_compared_in_canonical_form() -> None:
    party = Party("uri", "sip:alice@EXAMPLE.com:5060;x=y")
    assert party.is_meant_by(URI.parse("sip:alice@example.com"))
    assert party.is_meant_by(URI.parse("sip:Alice@example.com"))
    assert not party.is_meant_by(URI.parse("sip:alicia@example.com"))
    assert not Party("uri", "sip:").is_meant_by(URI.parse("sip:alice@example.com"))
    assert canonical_uri(URI.parse("tel:+1")) == "tel:+1"
