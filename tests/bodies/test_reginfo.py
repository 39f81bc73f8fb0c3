"""Registration information: RFC 3680's document, partial ones, and GRUUs."""

from __future__ import annotations

import pytest

from sipua.bodies import ParseError, RegInfo, RegisteredContact, Registration

RFC = """<?xml version="1.0"?>
<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" xmlns:gr="urn:ietf:params:xml:ns:gruuinfo" version="0" state="full">
  <registration aor="sip:user@example.com" id="as9" state="active">
    <contact id="76" state="active" event="registered" duration-registered="7322" q="0.8" expires="60"
      callid="c1" cseq="17">
      <uri>sip:user@pc887.example.com</uri>
      <display-name>User</display-name>
      <unknown-param name="+sip.instance">"&lt;urn:uuid:f81d4fae&gt;"</unknown-param>
      <gr:pub-gruu uri="sip:user@example.com;gr=hha9s8d-999a"/>
    </contact>
    <contact id="77" state="terminated" event="expired" duration-registered="3600" q="0.5">
      <uri>sip:user@university.edu</uri>
    </contact>
  </registration>
</reginfo>"""


def test_the_document_of_rfc_3680() -> None:
    info = RegInfo.parse(RFC)
    (registration,) = info.registrations
    assert (registration.aor, registration.id, registration.state) == (
        "sip:user@example.com",
        "as9",
        "active",
    )
    first, second = registration.contacts
    assert (first.uri, first.event, first.expires, first.duration_registered) == (
        "sip:user@pc887.example.com",
        "registered",
        60,
        7322,
    )
    assert (first.q, first.call_id, first.cseq, first.display_name) == ("0.8", "c1", 17, "User")
    assert first.parameters == {"+sip.instance": '"<urn:uuid:f81d4fae>"'}
    assert first.pub_gruu == "sip:user@example.com;gr=hha9s8d-999a"
    assert (second.state, second.event, second.expires) == ("terminated", "expired", None)
    assert RegInfo.parse(str(info)) == info


def info(version: int, *contacts: RegisteredContact, state: str = "partial") -> RegInfo:
    registration = Registration("sip:a@b", "r", "active", contacts)
    return RegInfo(version, "full" if state == "full" else "partial", (registration,))


ONE, TWO = RegisteredContact("1", "sip:a@1"), RegisteredContact("2", "sip:a@2")


def test_partial_documents_are_put_together() -> None:
    held = info(0, ONE, state="full").updated(info(1, TWO))
    assert held is not None
    assert held.registrations[0].contacts == (ONE, TWO)
    gone = RegisteredContact("1", "sip:a@1", "terminated", "unregistered")
    held = held.updated(info(2, gone))
    assert held is not None
    assert held.registrations[0].contacts == (gone, TWO)
    held = held.updated(info(3))
    assert held is not None
    assert held.registrations[0].contacts == (TWO,)
    assert held.updated(info(3, ONE)) is held
    assert held.updated(info(5, ONE)) is None
    assert held.updated(info(9, ONE, state="full")) == info(9, ONE, state="full")


def test_a_registration_that_is_new() -> None:
    other = Registration("sip:c@b", "s", "active", (ONE,))
    held = info(0, ONE, state="full").updated(RegInfo(1, "partial", (other,)))
    assert held is not None
    assert [one.id for one in held.registrations] == ["r", "s"]


@pytest.mark.parametrize(
    "body",
    [
        "<reginfo/>",
        '<reginfo version="1"><registration aor="a"/></reginfo>',
        '<reginfo version="1"><registration aor="a" id="b"><contact/></registration></reginfo>',
        '<!DOCTYPE a><reginfo version="1"/>',
    ],
)
def test_no_reginfo(body: str) -> None:
    with pytest.raises(ParseError):
        RegInfo.parse(body)
