"""Which devices are known to take candidates by INFO. (What is kept of their candidates: test_trickle.)"""

from __future__ import annotations

from sipua.session.trickle_peers import KnownPeers
from sipua.sip import Request

GRUU = "sip:bob@example.com;gr=urn:uuid:f81d4fae"


def said_by(contact: str, *, trickles: bool = True) -> Request:
    request = Request("INVITE", "sip:alice@example.com")
    request.headers.add("Contact", contact)
    if trickles:
        request.headers.add("Recv-Info", "conference, trickle-ice")
    return request


def test_a_gruu_names_one_device() -> None:
    peers = KnownPeers()
    peers.learn(said_by(f"<{GRUU}>"))
    assert GRUU in peers
    peers.learn(said_by(f"<{GRUU}>", trickles=False))
    assert GRUU not in peers


def test_another_contact_says_nothing() -> None:
    peers = KnownPeers()
    for contact in ("<sip:bob@192.0.2.1>", "not a contact <", "*"):
        peers.learn(said_by(contact))
    assert "sip:bob@192.0.2.1" not in peers


def test_the_oldest_are_forgotten() -> None:
    peers = KnownPeers()
    for number in range(300):
        peers.learn(said_by(f"<{GRUU}{number}>"))
    assert f"{GRUU}43" not in peers
    assert f"{GRUU}299" in peers
