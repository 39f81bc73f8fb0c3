"""PASSporT: the examples of RFC 8225 and what is no token."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipua.passport import token
from sipua.passport.canonical import Party
from sipua.passport.token import Claims, Fingerprint
from sipua.sip import ParseError

#: RFC 8225 appendix A; its signature was made with another key than the one printed there.
URL = "https://cert.example.org/passport.cer"
CLAIMS = Claims(Party("tn", "12155551212"), (Party("uri", "sip:alice@example.com"),), 1471375418)
TOKEN = (
    "eyJhbGciOiJFUzI1NiIsInR5cCI6InBhc3Nwb3J0IiwieDV1IjoiaHR0cHM6Ly9jZXJ0LmV4YW1wbGUub3JnL3Bhc3Nwb3J0LmNlciJ9."
    "eyJkZXN0Ijp7InVyaSI6WyJzaXA6YWxpY2VAZXhhbXBsZS5jb20iXX0sImlhdCI6MTQ3MTM3NTQxOCwib3JpZyI6eyJ0biI6IjEyMTU1NTUxMjEyIn19."
    "VLBCIVDCaeK6M4hLJb6SHQvacAQVvoiiEOWQ_iUkqk79UD81fHQ0E1b3_GluIkba7UWYRM47ZbNFdOJquE35cw"
)


def test_appendix_a_is_written_so() -> None:
    assert token.signing_input(URL, CLAIMS) == TOKEN.rpartition(".")[0]


def test_appendix_a_is_read() -> None:
    passport = token.parse(TOKEN)
    assert passport.claims == CLAIMS
    assert passport.header == {"alg": "ES256", "typ": "passport", "x5u": URL}
    assert passport.signed.decode() == TOKEN.rpartition(".")[0]
    assert len(passport.signature) == 64


def payload(claims: Claims) -> str:
    return token.decode(token.signing_input(URL, claims).split(".")[1]).decode()


def test_several_callees_and_fingerprints() -> None:
    """RFC 8225 §5.2.1 and §5.2.2: sorted, without colons."""
    claims = Claims(
        Party("uri", "sip:alice@example.com"),
        (
            Party("uri", "sip:bob@example.com"),
            Party("tn", "12155551213"),
            Party("uri", "sip:anna@example.com"),
        ),
        1443208345,
        (
            Fingerprint("sha-256", "02D2F0"),
            Fingerprint("sha-256", "021ACC"),
        ),
    )
    assert payload(claims) == (
        '{"dest":{"tn":["12155551213"],"uri":["sip:anna@example.com","sip:bob@example.com"]},"iat":1443208345,'
        '"mky":[{"alg":"sha-256","dig":"021ACC"},{"alg":"sha-256","dig":"02D2F0"}],'
        '"orig":{"uri":"sip:alice@example.com"}}'
    )
    read = token.parse(f"{token.signing_input(URL, claims)}.AAAA").claims
    assert set(read.dest) == set(claims.dest)
    assert (read.orig, read.iat, set(read.fingerprints)) == (
        claims.orig,
        claims.iat,
        set(claims.fingerprints),
    )


def test_fingerprints_of_a_description() -> None:
    sdp = "v=0\r\na=fingerprint:SHA-256 0a:1B\r\nm=audio 9\r\na=fingerprint:sha-256 0A:1B\r\na=fingerprint:sha-1 FF\r\n"
    assert token.fingerprints_of(sdp) == (Fingerprint("sha-1", "FF"), Fingerprint("sha-256", "0A1B"))
    assert token.fingerprints_of("") == ()


def written(value: Any) -> str:
    return token.encode(json.dumps(value).encode())


GOOD = {"orig": {"tn": "1"}, "dest": {"tn": ["2"]}, "iat": 1}


@pytest.mark.parametrize(
    "change",
    [
        {"orig": None},
        {"orig": {}},
        {"orig": {"tn": "1", "uri": "sip:a@b"}},
        {"orig": {"tn": ["1"]}},
        {"orig": {"urn": "x"}},
        {"orig": {"uri": "sip:\ud800@b"}},
        {"dest": {}},
        {"dest": {"tn": "2"}},
        {"dest": {"tn": [2]}},
        {"dest": {"uri": ["\ud800"]}},
        {"dest": []},
        {"iat": "1"},
        {"iat": True},
        {"iat": 10**400},
        {"iat": None},
        {"mky": {}},
        {"mky": [1]},
        {"mky": [{"alg": "sha-256"}]},
        {"mky": [{"alg": "sha-256", "dig": "XY"}]},
    ],
    ids=str,
)
def test_claims_that_are_none(change: dict[str, Any]) -> None:
    token.parse(f"{written({})}.{written(GOOD)}.AAAA")
    with pytest.raises(ParseError):
        token.parse(f"{written({})}.{written(GOOD | change)}.AAAA")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "..",
        "a.b",
        "a.b.c.d",
        "!.b.c",
        TOKEN + "=",
        TOKEN.replace("eyJkZXN0", "eyJkZXN1 "),
        f"{token.encode(b'[]')}.{token.encode(b'{}')}.AAAA",
        f"{token.encode(b'{')}.{token.encode(b'{}')}.AAAA",
        f"{token.encode(b'[' * 6000)}.AAAA.AAAA",
        f'{token.encode(b"{}")}.{token.encode(b"""{"iat":1,"iat":2}""")}.AAAA',
    ],
)
def test_what_is_no_token(text: str) -> None:
    with pytest.raises(ParseError):
        token.parse(text)


@given(st.text(alphabet='eyJhbGci.{}":[]-_Aw=é', max_size=60))
def test_any_text_is_a_token_or_refused(text: str) -> None:
    try:
        token.parse(text)
    except ParseError:
        pass


@given(st.binary(max_size=100))
def test_base64url_both_ways(data: bytes) -> None:
    if data:
        assert token.decode(token.encode(data)) == data
