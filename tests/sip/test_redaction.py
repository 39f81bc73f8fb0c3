from __future__ import annotations

import pytest

from sipua.sip import URI, Request, Response
from sipua.sip.redaction import REDACTED, redact, summary

REGISTER = (
    "REGISTER sip:example.com SIP/2.0\r\n"
    "Via: SIP/2.0/WS x.invalid;branch=z9hG4bK1\r\n"
    'Authorization: Digest username="alice", realm="r", nonce="n",\r\n'
    ' response="0123456789abcdef0123456789abcdef", cnonce="zzz"\r\n'
    "Call-ID: 1\r\n\r\n"
)


@pytest.mark.parametrize(
    ("header", "kept"),
    [
        ('Authorization: Digest username="a", response="5ec3e7"', "Authorization: Digest "),
        ('proxy-authorization:Digest response="5ec3e7"', "proxy-authorization:Digest "),
        ("Authorization : Bearer 5ec3e7", "Authorization : Bearer "),
        ("Authorization: 5ec3e7", "Authorization: "),
        ('Authentication-Info: rspauth="5ec3e7", nextnonce="5ec3e7"', "Authentication-Info: "),
        ("Contact: <sip:alice:5ec3e7@example.com>", "Contact: <sip:alice:"),
    ],
)
@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_secrets_are_taken_out(header: str, kept: str, end: str) -> None:
    text = f"REGISTER sip:x SIP/2.0{end}{header}{end}CSeq: 1 REGISTER{end}{end}"
    clean = redact(text)
    assert "5ec3e7" not in clean
    assert kept in clean
    assert REDACTED in clean
    assert f"{end}CSeq: 1 REGISTER{end}{end}" in clean


def test_folded_values_are_taken_out_to_their_end() -> None:
    clean = redact(REGISTER)
    assert "0123456789abcdef" not in clean
    assert "zzz" not in clean
    assert f"Authorization: Digest {REDACTED}\r\nCall-ID: 1\r\n\r\n" in clean


def test_keys_in_descriptions_are_masked_and_lengths_stay() -> None:
    text = (
        "INVITE sip:x SIP/2.0\r\nContent-Type: application/sdp\r\n\r\nv=0\r\na=ice-ufrag:abcd\r\n"
        "a=ice-pwd:5ec3e75ec3e75ec3e75ec3e7\r\n"
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:5ec3e7/+|2^20|1:4;inline:5ec3e7==|2^20|2:4 KDR=1\r\n"
    )
    clean = redact(text)
    assert "5ec3e7" not in clean
    assert len(clean) == len(text)
    assert "a=ice-ufrag:abcd\r\na=ice-pwd:************************\r\n" in clean
    assert "|2^20|1:4;inline:********|2^20|2:4 KDR=1\r\n" in clean


def test_what_is_no_secret_stays() -> None:
    text = (
        "SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/WS [2001:db8::1]:5060;branch=z9\r\n"
        'WWW-Authenticate: Digest realm="a", nonce="b"\r\nContact: <sip:alice@example.com:5060>\r\n\r\n'
        "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\n"
    )
    assert redact(text) == text


def test_summary_names_the_message_and_shows_nothing_else() -> None:
    request = Request("REGISTER", URI.parse("sip:example.com"))
    request.headers.add("Authorization", 'Digest response="5ec3e7"')
    assert summary(request) == "REGISTER (CSeq no CSeq, Call-ID none)"
    response = Response(200, "OK")
    response.headers.add("Call-ID", "x@y")
    response.headers.add("CSeq", "3 BYE")
    assert summary(response) == "200 (CSeq 3 BYE, Call-ID x@y)"
