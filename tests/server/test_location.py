"""The location service by itself."""

from __future__ import annotations

import random
from typing import Any

import pytest

from sipua.server.location import TEMP_GRUUS, Binding, Location, instance_of
from sipua.sip import URI, Address

INSTANCE = "urn:uuid:00000000-0000-1000-8000-000A95A0E128"


@pytest.fixture
def location() -> Location:
    return Location(random.Random(1))


def contact(name: str = "a", parameters: str = "") -> Address:
    return Address.parse(f"<sip:{name}@{name}.invalid;transport=ws>{parameters}")


def instance(reg_id: int | None = None) -> str:
    return f';+sip.instance="<{INSTANCE}>"' + (f";reg-id={reg_id}" if reg_id is not None else "")


def bind(
    location: Location, address: Address, *, user: str = "alice", flow: Any = None, expires: float = 60
) -> Binding:
    binding = Binding(
        user=user,
        contact=address,
        flow=flow,
        call_id="c",
        sequence=1,
        expires_at=expires,
        instance=instance_of(address),
        reg_id=address.parameters.get("reg-id"),
    )
    location.save(binding, location.matching(user, address))
    return binding


def test_several_contacts_in_order(location: Location) -> None:
    first, second = bind(location, contact("a")), bind(location, contact("b"))
    assert location.of("alice") == [first, second] == location.targets("alice")
    assert location.of("bob") == []
    assert len(location) == 2


def test_an_equal_uri_replaces(location: Location) -> None:
    bind(location, contact("a"))
    again = bind(location, Address.parse("<sip:a@A.INVALID;transport=WS>"))
    assert location.of("alice") == [again]


def test_the_same_instance_and_reg_id_replace(location: Location) -> None:
    bind(location, contact("a", instance(1)))
    second = bind(location, contact("b", instance(2)))
    third = bind(location, contact("c", instance(1)))
    assert location.of("alice") == [second, third]
    assert location.targets("alice") == [third]
    unnumbered = bind(location, contact("d", instance()))
    assert bind(location, contact("e", instance())) in location.of("alice")
    assert unnumbered not in location.of("alice")


def test_another_user_with_the_same_contact_is_another_binding(location: Location) -> None:
    bind(location, contact("a"))
    other = bind(location, contact("a"), user="bob")
    assert len(location) == 2
    assert location.at_contact(URI.parse("sip:a@a.invalid;transport=ws;ob")) is other


def test_lookup_by_contact(location: Location) -> None:
    binding = bind(location, contact("a"))
    assert location.at_contact(URI.parse("sip:a@a.invalid;transport=ws")) is binding
    assert location.at_contact(URI.parse("sip:a@a.invalid;transport=tcp")) is None
    assert location.at_contact(URI.parse("sip:b@a.invalid;transport=ws")) is None
    location.remove(binding)
    assert location.at_contact(URI.parse("sip:a@a.invalid;transport=ws")) is None


def test_time(location: Location) -> None:
    late, early = bind(location, contact("a"), expires=60), bind(location, contact("b"), expires=30)
    assert location.next_deadline() == 30
    assert location.expire(29.9) == []
    assert location.expire(30) == [early]
    assert location.next_deadline() == 60
    bind(location, contact("a"), expires=90)
    assert location.next_deadline() == 90
    assert location.expire(60) == []
    assert late not in location.of("alice")
    assert len(location.expire(1000)) == 1
    assert location.next_deadline() is None


def test_a_lost_connection_takes_its_bindings_along(location: Location) -> None:
    one, other = object(), object()
    gone = [bind(location, contact("a"), flow=one), bind(location, contact("a"), user="bob", flow=one)]
    stays = bind(location, contact("b"), flow=other)
    assert location.drop_flow(one) == gone  # type: ignore[arg-type]
    assert location.of("alice") == [stays]


def test_gruus(location: Location) -> None:
    binding = bind(location, contact("a", instance(1)))
    public = URI.parse(f"sip:alice@example.com;gr={INSTANCE}")
    token = location.temp_gruu("alice", INSTANCE, fresh=True)
    temporary = URI.parse(f"sip:{token}@example.com;gr")
    assert location.at_gruu(public) is location.at_gruu(temporary) is binding
    assert location.temp_gruu("alice", INSTANCE, fresh=False) == token
    newer = bind(location, contact("b", instance(2)))
    assert location.at_gruu(public) is location.at_gruu(temporary) is newer
    location.remove(binding)
    location.remove(newer)
    assert location.at_gruu(public) is None
    assert location.at_gruu(temporary) is None
    bind(location, contact("a", instance(1)))
    assert location.at_gruu(temporary) is None


def test_temporary_gruus_are_bounded(location: Location) -> None:
    bind(location, contact("a", instance(1)))
    tokens = [location.temp_gruu("alice", INSTANCE, fresh=True) for _ in range(TEMP_GRUUS + 2)]
    known = [t for t in tokens if location.at_gruu(URI.parse(f"sip:{t}@example.com;gr")) is not None]
    assert known == tokens[2:]
