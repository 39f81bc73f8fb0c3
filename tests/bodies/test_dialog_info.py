"""Dialog information: RFC 4235's documents, and how partial ones are put together."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipua.bodies import DialogInfo, DialogStatus, ParseError, Participant

RFC = """<?xml version="1.0"?>
<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="1" state="partial" entity="sip:alice@example.com">
  <dialog id="as7d900as8" call-id="a84b4c76e66710" local-tag="1928301774" remote-tag="456887766" direction="initiator">
    <state event="rejected" code="486">terminated</state>
    <duration>145</duration>
    <replaces call-id="x" local-tag="1" remote-tag="2"/>
    <referred-by display="Carol">sip:carol@example.com</referred-by>
    <local><identity display="Alice">sip:alice@example.com</identity>
      <target uri="sip:alice@pc33.example.com"><param pname="+sip.rendering" pval="no"/></target></local>
    <remote><identity display="Bob">sip:bob@example.org</identity></remote>
  </dialog>
</dialog-info>"""


def test_the_document_of_rfc_4235() -> None:
    info = DialogInfo.parse(RFC)
    assert (info.entity, info.version, info.state) == ("sip:alice@example.com", 1, "partial")
    (dialog,) = info.dialogs
    assert (dialog.id, dialog.state, dialog.event, dialog.code) == (
        "as7d900as8",
        "terminated",
        "rejected",
        486,
    )
    assert (dialog.call_id, dialog.local_tag, dialog.remote_tag) == (
        "a84b4c76e66710",
        "1928301774",
        "456887766",
    )
    assert (dialog.duration, dialog.direction, dialog.replaces) == (145, "initiator", ("x", "1", "2"))
    assert dialog.referred_by == "sip:carol@example.com"
    assert (dialog.local.display, dialog.local.target) == ("Alice", "sip:alice@pc33.example.com")
    assert dialog.local.parameters["+sip.rendering"] == "no"
    assert dialog.remote == Participant("sip:bob@example.org", "Bob")
    assert not info.is_busy


def document(version: int, *dialogs: DialogStatus, state: str = "partial") -> DialogInfo:
    return DialogInfo("sip:a@b", version, "full" if state == "full" else "partial", dialogs)


ONE, TWO = DialogStatus("1", "early", "recipient"), DialogStatus("2", "confirmed", "initiator")


def test_partial_documents_are_put_together() -> None:
    held = document(0, ONE, state="full")
    assert held.is_ringing
    held = held.updated(document(1, TWO)) or held
    assert held.dialogs == (ONE, TWO)
    ended = DialogStatus("1", "terminated", "recipient")
    held = held.updated(document(2, ended)) or held
    assert held.dialogs == (ended, TWO)
    assert not held.is_ringing
    assert held.is_busy
    held = held.updated(document(3)) or held
    assert held.dialogs == (TWO,)  # what had ended was told once


def test_late_documents_change_nothing() -> None:
    held = document(5, ONE, state="full")
    assert held.updated(document(5, TWO)) is held
    assert held.updated(document(4, TWO, state="full")) is held


def test_a_lost_document_is_noticed() -> None:
    held = document(5, ONE, state="full")
    assert held.updated(document(7, TWO)) is None
    assert held.updated(document(9, TWO, state="full")) == document(9, TWO, state="full")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ('<dialog-info entity="a" version="x"/>', "version is not a number"),
        ('<dialog-info entity="a"/>', "without version"),
        ('<dialog-info version="0"/>', "without entity"),
        ('<dialog-info entity="a" version="0"><dialog/></dialog-info>', "without id"),
        ("<!DOCTYPE x><dialog-info/>", "document type"),
    ],
)
def test_no_dialog_info(body: str, why: str) -> None:
    with pytest.raises(ParseError, match=why):
        DialogInfo.parse(body)


text = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=12)
participants = st.builds(Participant, identity=text, display=st.none() | text, target=st.none() | text)
dialogs = st.builds(
    DialogStatus,
    text,
    st.sampled_from(["trying", "early", "confirmed", "terminated"]),
    st.sampled_from(["initiator", "recipient", None]),
    call_id=st.none() | text,
    code=st.none() | st.integers(100, 699),
    duration=st.none() | st.integers(0, 10**9),
    replaces=st.none() | st.tuples(text, text, text),
    remote=participants,
)


@settings(max_examples=60)
@given(text, st.integers(0, 2**32 - 1), st.lists(dialogs, max_size=3))
def test_what_is_written_is_read(entity: str, version: int, some: list[DialogStatus]) -> None:
    info = DialogInfo(entity, version, "partial", tuple(some))
    assert DialogInfo.parse(str(info)) == info
