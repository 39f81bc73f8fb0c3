"""The Identity header field."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipua.passport.field import IdentityField
from sipua.sip import ParseError


def test_full_form() -> None:
    field = IdentityField.parse('a.b.c ; info=<https://x.example/c.pem;v=1?a,b>;alg=ES256; ppt="shaken";more')
    assert field == IdentityField("a.b.c", "https://x.example/c.pem;v=1?a,b", "ES256", "shaken")
    assert not field.is_compact
    assert IdentityField.parse(str(field)) == field


def test_compact_form() -> None:
    """RFC 8224 §4.1.1."""
    field = IdentityField.parse("..sig;info=<https://x.example/c.pem>")
    assert field.is_compact
    assert (field.alg, field.ppt) == ("ES256", None)
    assert str(field) == "..sig;info=<https://x.example/c.pem>;alg=ES256"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "a.b.c",
        "a.b.c;info=<>",
        ";info=<https://x>",
        "a.b.c;info=<https://x",
        "a.b.c;info=<https://x>;info=<https://y>",
        "a.b.c;info=<https://x>, d.e.f;info=<https://x>",
        'a.b.c;info=<https://x>;alg="',
        "a b;info=<https://x>",
    ],
)
def test_what_is_none(value: str) -> None:
    with pytest.raises(ParseError):
        IdentityField.parse(value)


@given(st.text(alphabet='ab.;=<>" ,infoalg:/', max_size=60))
def test_any_text_is_one_or_refused(value: str) -> None:
    try:
        field = IdentityField.parse(value)
    except ParseError:
        return
    assert IdentityField.parse(str(field)) == field
