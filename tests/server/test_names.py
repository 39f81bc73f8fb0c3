"""Which names are ours."""

from __future__ import annotations

import pytest

from sipua.server.names import Names
from sipua.sip import URI


@pytest.mark.parametrize(
    ("uri", "with_domain", "without"),
    [
        ("sip:a@example.com", True, True),
        ("sip:a@EXAMPLE.com;transport=ws", True, True),
        ("sip:a@elsewhere.org", False, True),
        ("sip:a@127.0.0.1", True, True),
        ("sip:a@127.0.0.1:5060", True, True),
        ("sip:a@x.invalid", False, False),
        ("tel:+1555", False, False),
    ],
)
def test_names(uri: str, *, with_domain: bool, without: bool) -> None:
    parsed = URI.parse(uri)
    assert Names("Example.com", "127.0.0.1:8080", ("127.0.0.1",)).is_ours(parsed) is with_domain
    assert Names(None, "127.0.0.1:8080", ("127.0.0.1",)).is_ours(parsed) is without


def test_own_name_is_host_and_port() -> None:
    names = Names(None, "[::1]:8080")
    assert names.is_own(URI.parse("sip:token@[::1]:8080;lr"))
    assert not names.is_own(URI.parse("sip:token@[::1];lr"))
    assert not names.is_own(URI.parse("tel:1"))
    assert Names("Example.com", "Example.com").is_own(URI.parse("sip:EXAMPLE.COM"))
