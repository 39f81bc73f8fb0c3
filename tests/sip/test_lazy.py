from __future__ import annotations

import copy
import dataclasses
import pickle

import pytest

from sipua.sip import URI, Address, AuthChallenge, CSeq, Event, MediaType, RAck, Via
from sipua.sip.lazy import Recent, lazy


class Thing:
    def __init__(self) -> None:
        self.built = 0

    @lazy
    def part(self) -> int:
        """A part."""
        self.built += 1
        return 42


def test_built_once_at_the_first_read():
    thing = Thing()
    assert thing.built == 0
    assert (thing.part, thing.part) == (42, 42)
    assert thing.built == 1


def test_the_class_shows_the_attribute_and_its_docstring():
    assert Thing.part.__doc__ == "A part."


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (URI.parse("sip:a@b"), "user"),
        (Address.parse("<sip:a@b>;tag=1"), "name"),
        (Via.parse("SIP/2.0/WS a.invalid;branch=1"), "host"),
        (CSeq.parse("1 INVITE"), "sequence"),
        (MediaType.parse("text/plain"), "mime_type"),
        (AuthChallenge.parse('Digest realm="a"'), "scheme"),
        (Event.parse("refer"), "package"),
        (RAck.parse("1 2 INVITE"), "rseq"),
    ],
)
class TestValues:
    def test_cannot_be_changed(self, value, field: str):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, field, "x")
        with pytest.raises(dataclasses.FrozenInstanceError):
            delattr(value, field)

    def test_can_be_copied_and_pickled(self, value, field: str):
        for twin in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
            assert twin == value
            assert hash(twin) == hash(value)
            assert str(twin) == str(value)

    def test_is_not_equal_to_something_else(self, value, field: str):
        assert value != str(value)
        assert value != 1

    def test_shows_what_it_is(self, value, field: str):
        assert repr(value).startswith(type(value).__name__ + "(")


def test_recent_values_are_bounded():
    recent: Recent[int] = Recent()
    for n in range(1000):
        recent.keep(str(n), n)
        assert len(recent) <= Recent._room
    assert recent.get("999") == 999
    recent.keep("x" * 1000, 1)
    assert "x" * 1000 not in recent


def test_equal_texts_are_one_value():
    assert Address.parse("<sip:shared@b>") is Address.parse("<sip:shared@b>")
    assert URI.parse("sip:shared@b") is URI.parse("sip:shared@b")
    assert CSeq.parse("77 INVITE") is CSeq.parse("77 INVITE")
    assert Via.parse_many("SIP/2.0/WS shared.invalid")[0] is Via.parse_many("SIP/2.0/WS shared.invalid")[0]
