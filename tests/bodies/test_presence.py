"""Presence documents: RFC 3863's, a server's, and attacks."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipua.bodies import Note, ParseError, Presence, PresenceTuple, encode_body, parse_body

RFC = """<?xml version="1.0" encoding="UTF-8"?>
<impp:presence xmlns:impp="urn:ietf:params:xml:ns:pidf" xmlns:local="urn:example-com:pidf-status-type"
     entity="pres:someone@example.com">
  <impp:tuple id="ub93s3">
    <impp:status><impp:basic>open</impp:basic><local:location>home</local:location></impp:status>
    <impp:contact priority="0.8">im:someone@example.com</impp:contact>
    <impp:note xml:lang="en">Don't disturb</impp:note>
    <impp:timestamp>2001-10-27T16:49:29Z</impp:timestamp>
  </impp:tuple>
  <impp:tuple id="eg92n8"><impp:status><impp:basic>closed</impp:basic></impp:status></impp:tuple>
  <impp:note>I'll be in Tokyo next week</impp:note>
</impp:presence>"""

ASTERISK = """<?xml version="1.0" encoding="UTF-8"?>
<presence entity="sip:6002@example.com" xmlns="urn:ietf:params:xml:ns:pidf"
  xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid">
 <note>On the phone</note>
 <tuple id="6002"><status><basic>open</basic></status><contact priority="1">sip:6002@example.com</contact></tuple>
 <dm:person><rpid:activities><rpid:on-the-phone /></rpid:activities></dm:person>
</presence>"""


def test_the_document_of_rfc_3863() -> None:
    presence = Presence.parse(RFC)
    assert presence.entity == "pres:someone@example.com"
    assert presence.is_open
    first, second = presence.tuples
    assert (first.id, first.basic, first.contact, first.priority) == (
        "ub93s3",
        "open",
        "im:someone@example.com",
        0.8,
    )
    assert first.notes == (Note("Don't disturb", "en"),)
    assert first.timestamp == datetime.datetime(2001, 10, 27, 16, 49, 29, tzinfo=datetime.UTC)
    assert second.basic == "closed"
    assert presence.note == "I'll be in Tokyo next week"


def test_a_telephone_system() -> None:
    presence = Presence.parse(ASTERISK.encode())
    assert presence.activities == ("on-the-phone",)
    assert presence.note == "On the phone"


def test_without_namespace() -> None:
    presence = Presence.parse(
        '<presence entity="sip:a@b"><tuple id="1"><status><basic>OPEN</basic></status></tuple></presence>'
    )
    assert presence.is_open


def test_odd_values_are_nothing() -> None:
    presence = Presence.parse(
        '<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:a@b"><tuple id="1">'
        "<status><basic>maybe</basic></status>"
        '<contact priority="9">x:y</contact><timestamp>yesterday</timestamp></tuple></presence>'
    )
    assert presence.tuples == (PresenceTuple("1", contact="x:y"),)
    assert not presence.is_open


LAUGHS = """<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="&b;"/>"""
FILE = '<!DOCTYPE p [<!ENTITY x SYSTEM "file:///etc/passwd">]><presence entity="sip:a@b"><note>&x;</note></presence>'


@pytest.mark.parametrize(
    "body", [LAUGHS, FILE, LAUGHS.encode("utf-16"), FILE.encode("utf-7").replace(b"<", b"+ADw-")]
)
def test_entities_are_never_read(body: str | bytes) -> None:
    with pytest.raises(ParseError):
        Presence.parse(body)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("", "not well-formed"),
        ("<presence", "not well-formed"),
        ('<presence xmlns="urn:ietf:params:xml:ns:pidf"/>', "without entity"),
        ('<presence xmlns="urn:other" entity="x"/>', "not a presence"),
        ('<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info"/>', "not a presence"),
        (b"<presence entity='\xe4'/>", "not UTF-8"),
    ],
)
def test_no_presence(body: str | bytes, why: str) -> None:
    with pytest.raises(ParseError, match=why):
        Presence.parse(body)


def test_control_characters_are_not_written() -> None:
    with pytest.raises(ValueError, match="XML cannot hold"):
        str(Presence("sip:a@b", notes=(Note("\x00"),)))
    with pytest.raises(ValueError, match="not an activity"):
        str(Presence("sip:a@b", activities=("a><b",)))


text = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=20)
notes = st.lists(st.builds(Note, text, st.none() | st.just("de")), max_size=2).map(tuple)
tuples = st.builds(
    PresenceTuple,
    id=text,
    basic=st.sampled_from(["open", "closed", None]),
    contact=st.none() | text,
    notes=notes,
    timestamp=st.none() | st.datetimes(timezones=st.just(datetime.UTC)),
)


@settings(max_examples=60)
@given(st.builds(Presence, text, st.lists(tuples, max_size=3).map(tuple), notes, st.just(("away", "busy"))))
def test_what_is_written_is_read(presence: Presence) -> None:
    assert Presence.parse(str(presence).encode()) == presence


@given(st.text(alphabet="<>/&;!?'\"= presnctulbaiy:x", max_size=120) | st.text(max_size=60))
def test_anything_is_read_or_refused(body: str) -> None:
    for document in (body, f'<presence entity="x">{body}</presence>'):
        try:
            Presence.parse(document)
        except ParseError:
            pass


def test_by_content_type() -> None:
    assert isinstance(parse_body("application/PIDF+xml; charset=utf-8", RFC), Presence)
    assert parse_body("text/plain", "hello") is None
    with pytest.raises(ParseError):
        parse_body("application/dialog-info+xml", RFC)


def test_bodies_know_their_content_type() -> None:
    body, content_type = encode_body(Presence("sip:a@b"), None)
    assert content_type == "application/pidf+xml"
    assert b'entity="sip:a@b"' in body
    assert encode_body("x", "text/plain") == (b"x", "text/plain")
    assert encode_body(b"\x00", None) == (b"\x00", None)
