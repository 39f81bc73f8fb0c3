"""Signing and checking: what holds, and each way in which it does not (RFC 8224 §6)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sipua.errors import ConfigurationError
from sipua.passport import token
from sipua.passport.certificates import check_authority
from sipua.passport.interface import IdentityCheck, IdentityStatus
from sipua.passport.signer import IdentitySigner
from sipua.passport.verifier import MAX_CERTIFICATE, IdentityVerifier
from sipua.sip import URI, Request
from sipua.testing import run_simulated
from tests.passport.authority import NOW, Holder, domain, number_range, numbers, one_number, provider
from tests.wire import OFFER

URL = "https://certs.example.com/passport.pem"
ROOT = Holder("root", ca=True)
MIDDLE = Holder("middle", issuer=ROOT, ca=True)
ALICE = Holder("alice's provider", domain("example.com"), issuer=MIDDLE)
CHAIN = ALICE.pem + MIDDLE.pem


def invite(
    caller: str = "<sip:alice@example.com>", callee: str = "<sip:bob@example.net>", **headers: str
) -> Request:
    request = Request("INVITE", URI.parse("sip:bob@192.0.2.4"))
    request.headers.add("From", f"{caller};tag=1")
    request.headers.add("To", callee)
    for name, value in headers.items():
        request.headers.add(name.replace("_", "-"), value)
    return request


def signed(
    request: Request | None = None,
    sdp: str = OFFER,
    *,
    by: Holder = ALICE,
    at: float = NOW,
    compact: bool = False,
    url: str = URL,
) -> Request:
    request = request or invite()
    signer = IdentitySigner(by.key_pem, url, compact=compact, clock=lambda: at)
    for name, value in signer.sign(request, sdp):
        request.headers.set(name, value)
    return request


def verifier(chain: bytes | Any = CHAIN, **options: Any) -> IdentityVerifier:
    options.setdefault("clock", lambda: NOW + 1)
    source = (lambda url: chain) if isinstance(chain, bytes) else chain
    return IdentityVerifier(ROOT.pem, source, **options)


def check(request: Request, sdp: str = OFFER, chain: bytes | Any = CHAIN, **options: Any) -> IdentityCheck:
    return run_simulated(verifier(chain, **options).verify(request, sdp))


def refused(found: IdentityCheck, code: int, reason: str, status: str = "invalid") -> None:
    assert (found.status, found.refusal and found.refusal[0]) == (status, code)
    assert reason in found.reason
    assert not found.is_valid
    assert not found.covers_media


# --- what holds ------------------------------------------------------------------------------------------


def test_full_form() -> None:
    request = signed()
    assert request.headers["Date"] == "Tue, 14 Nov 2023 22:13:20 GMT"
    assert str(request.headers["Identity"]).endswith(f";info=<{URL}>;alg=ES256")
    found = check(request)
    assert found.is_valid
    assert found.covers_media
    assert found.claims is not None
    assert (found.claims.orig.value, found.claims.iat) == ("sip:alice@example.com", NOW)
    assert [party.value for party in found.claims.dest] == ["sip:bob@example.net"]
    assert found.claims.fingerprints == (token.Fingerprint("sha-256", "D2FA0EC3" * 8),)
    assert found.certificate_subject == "CN=alice's provider"
    assert found.refusal is None


def test_without_offer_there_is_nothing_to_be_signed_of_media() -> None:
    found = check(signed(sdp=""), "")
    assert found.is_valid
    assert not found.covers_media


def test_compact_form() -> None:
    """RFC 8225 §7: the verifier makes header and payload of the request."""
    request = signed(sdp="", compact=True)
    assert str(request.headers["Identity"]).startswith("..")
    assert check(request, "").is_valid


def test_compact_form_with_fingerprints() -> None:
    found = check(signed(compact=True))
    assert found.is_valid
    assert found.covers_media
    refused(check(signed(compact=True), OFFER.replace("C3", "C4")), 438, "the signature does not fit")


def test_asserted_identity_goes_before_from() -> None:
    caller = "<sip:anonymous@anonymous.invalid>"
    for compact in (False, True):
        request = signed(invite(caller, P_Asserted_Identity="<sip:alice@example.com>"), "", compact=compact)
        found = check(request, "")
        assert found.is_valid
        assert found.claims is not None
        assert found.claims.orig.value == "sip:alice@example.com"


@pytest.mark.parametrize(
    "entries",
    [
        [one_number("12155551212")],
        [one_number("1"), number_range("12155551000", 500)],
        [provider("709J")],
    ],
)
def test_telephone_numbers(entries: list[bytes]) -> None:
    """RFC 8226 §9."""
    phone = Holder("phone company", numbers(*entries), issuer=ROOT)
    request = signed(
        invite("<sip:+1-215-555-1212@gw.example.com;user=phone>", "<tel:+12155551213>"), by=phone
    )
    request.headers.set("From", "<sip:12155551212@192.0.2.7>;tag=1")  # as networks write it on their way
    found = check(request, chain=phone.pem)
    assert found.is_valid, found
    assert found.claims is not None
    assert (found.claims.orig.kind, found.claims.orig.value) == ("tn", "12155551212")
    assert found.claims.dest[0].value == "12155551213"


@pytest.mark.parametrize("skew", [-59, 0, 59])
def test_clocks_may_differ(skew: int) -> None:
    assert check(signed(at=NOW), clock=lambda: NOW + skew).is_valid


def test_date_that_was_changed_does_not_matter_in_full_form() -> None:
    """RFC 8224 §6.2: the token's own time counts."""
    request = signed()
    request.headers.set("Date", "Tue, 14 Nov 2023 22:00:00 GMT")
    assert check(request).is_valid


def test_one_valid_signature_of_several_is_enough() -> None:
    request = signed()
    request.headers.setlist(
        "Identity",
        ["a.b.c;info=<https://x.example/>;ppt=shaken", str(request.headers["Identity"]), "rubbish"],
    )
    assert check(request).is_valid


# --- what does not ---------------------------------------------------------------------------------------


def test_no_identity() -> None:
    refused(check(invite()), 428, "no Identity", "none")


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("From", "<sip:mallory@example.com>;tag=1", "another caller"),
        ("From", "<sip:alice@example.org>;tag=1", "another caller"),
        ("To", "<sip:carol@example.net>", "another callee"),
    ],
)
def test_headers_that_were_changed(name: str, value: str, reason: str) -> None:
    request = signed()
    request.headers.set(name, value)
    refused(check(request), 438, reason)


def test_fingerprint_that_was_changed() -> None:
    for sdp in (OFFER.replace("D2:FA", "D2:FB"), OFFER + "a=fingerprint:sha-256 AA:BB\r\n", ""):
        refused(check(signed(), sdp), 438, "other DTLS fingerprints")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("From", "<sip:mallory@example.com>;tag=1"),
        ("To", "<sip:carol@example.net>"),
        ("Date", "Tue, 14 Nov 2023 22:13:21 GMT"),
    ],
)
def test_compact_form_that_was_changed(name: str, value: str) -> None:
    request = signed(sdp="", compact=True)
    request.headers.set(name, value)
    refused(check(request, ""), 438, "the signature does not fit")


def test_compact_form_without_date() -> None:
    request = signed(sdp="", compact=True)
    request.headers.remove("Date")
    refused(check(request, ""), 438, "without Date")


@pytest.mark.parametrize(
    "change",
    [
        {"orig": {"uri": "sip:mallory@example.com"}},
        {"dest": {"uri": ["sip:carol@example.net"]}},
        {"iat": NOW + 2},
        {"mky": [{"alg": "sha-256", "dig": "D2FA0EC4" * 8}]},
        {"more": 1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_claims_that_were_changed(change: dict[str, Any]) -> None:
    """Each with a request to match, so that only the signature tells."""
    import json

    request = signed()
    field = str(request.headers["Identity"])
    header, payload, rest = field.split(".", 2)
    claims = json.loads(token.decode(payload)) | change
    request.headers.set("Identity", f"{header}.{token.encode(json.dumps(claims).encode())}.{rest}")
    if "orig" in change:
        request.headers.set("From", f"<{claims['orig']['uri']}>;tag=1")
    if "dest" in change:
        request.headers.set("To", f"<{claims['dest']['uri'][0]}>")
    sdp = OFFER.replace("C3", "C4") if "mky" in change else OFFER
    refused(check(request, sdp), 438, "the signature does not fit")


@pytest.mark.parametrize("age", [61, 3600, -61])
def test_stale(age: int) -> None:
    found = check(signed(), clock=lambda: NOW + age)
    refused(found, 403, f"{abs(age)} s")
    assert found.refusal == (403, "Stale Date")


def test_another_key() -> None:
    other = Holder("somebody", domain("example.com"), issuer=MIDDLE)
    refused(check(signed(by=other)), 438, "the signature does not fit")


def test_certificate_of_another_domain() -> None:
    other = Holder("somebody", domain("example.org", "*.example.com"), issuer=MIDDLE)
    refused(check(signed(by=other), chain=other.pem + MIDDLE.pem), 437, "not for the domain")
    nameless = Holder("nameless", issuer=ROOT)
    refused(check(signed(by=nameless), chain=nameless.pem), 437, "not for the domain")


def test_certificate_of_other_numbers() -> None:
    request = invite("<tel:+12155551212>")
    wrong = numbers(one_number("12155551213"), number_range("12155551213", 9), number_range("1215555", 9))
    for holder, reason in (
        (Holder("phone company", wrong, issuer=ROOT), "does not cover"),
        (Holder("no phone company", domain("example.com"), issuer=ROOT), "not for telephone numbers"),
    ):
        refused(check(signed(request, by=holder), chain=holder.pem), 437, reason)


@pytest.mark.parametrize("content", [b"", b"\x30", b"\x30\x05\xa2", b"\x04\x00", b"\x30\x03\xa2\x09\x16"])
def test_authorization_list_that_cannot_be_read(content: bytes) -> None:
    from cryptography import x509

    from tests.passport.authority import TN_AUTH_LIST

    holder = Holder("phone company", x509.UnrecognizedExtension(TN_AUTH_LIST, content), issuer=ROOT)
    request = signed(invite("<tel:+12155551212>"), by=holder)
    assert check(request, chain=holder.pem).refusal == (437, "Unsupported Credential")


def test_authority_may_be_the_applications_own() -> None:
    other = Holder("somebody", domain("example.org"), issuer=MIDDLE)
    assert check(signed(by=other), chain=other.pem + MIDDLE.pem, authority=lambda *_: None).is_valid
    with pytest.raises(ValueError):
        check_authority(other.certificate, check(signed()).claims.orig)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("chain", "reason"),
    [
        (ALICE.pem, "no issuer"),
        (Holder("alice", domain("example.com")).pem, ""),
        (Holder("old", domain("example.com"), issuer=ROOT, days=0.5).pem, ""),
        (Holder("young", domain("example.com"), issuer=ROOT, start=NOW + 60).pem, ""),
    ],
    ids=["gap", "nobody", "old", "young"],
)
def test_certificate_that_is_not_trusted(chain: bytes, reason: str) -> None:
    assert check(signed(), chain=chain).refusal == (437, "Unsupported Credential")


def test_issuer_that_may_not_issue() -> None:
    nobody = Holder("a mere user", domain("example.com"), issuer=ROOT)
    forged = Holder("alice", domain("example.com"), issuer=nobody)
    refused(check(signed(by=forged), chain=forged.pem + nobody.pem), 437, "")


def test_certificate_of_another_kind_of_key() -> None:
    from cryptography.hazmat.primitives.asymmetric import ec

    big = Holder("big", domain("example.com"), issuer=ROOT, curve=ec.SECP384R1())
    refused(check(signed(), chain=big.pem), 437, "no P-256 key")


def test_no_source() -> None:
    refused(check(signed(), chain=None), 436, "no certificate source", "unverifiable")


async def slow(url: str) -> bytes:
    await asyncio.sleep(6)
    return CHAIN


def broken(url: str) -> bytes:
    raise OSError("unreachable")


def test_certificate_that_does_not_come() -> None:
    refused(check(signed(), chain=slow), 436, "in time", "unverifiable")
    refused(check(signed(), chain=broken), 436, "unreachable", "unverifiable")
    assert check(signed(), chain=slow, timeout=7.0).is_valid
    refused(check(signed(), chain=b"rubbish"), 436, "is no certificate")
    refused(check(signed(), chain=bytes(MAX_CERTIFICATE + 1)), 436, "more than a certificate")


@pytest.mark.parametrize(
    ("value", "code", "status"),
    [
        ("rubbish", 438, "invalid"),
        (f"a.b.c;info=<{URL}>", 438, "invalid"),
        (f"..%;info=<{URL}>", 438, "invalid"),
        (f"a.b.c;info=<{URL}>;ppt=shaken", 428, "unverifiable"),
        (f"a.b.c;info=<{URL}>;alg=RS256", 437, "unverifiable"),
    ],
)
def test_fields_that_cannot_be_used(value: str, code: int, status: str) -> None:
    found = check(invite(Identity=value))
    assert (found.status, found.refusal and found.refusal[0]) == (status, code)


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({"typ": "JWT"}, 438),
        ({"alg": "none"}, 438),
        ({"crit": ["x"]}, 438),
        ({"x5u": "https://elsewhere.example/"}, 438),
        ({"ppt": "shaken"}, 428),
    ],
    ids=str,
)
def test_headers_of_tokens_that_cannot_be_used(header: dict[str, Any], code: int) -> None:
    import json

    request = signed()
    _, rest = str(request.headers["Identity"]).split(".", 1)
    full = {"alg": "ES256", "typ": "passport", "x5u": URL} | header
    request.headers.set("Identity", f"{token.encode(json.dumps(full).encode())}.{rest}")
    found = check(request)
    assert found.refusal is not None
    assert found.refusal[0] == code


def test_nothing_is_fetched_for_what_is_wrong_anyway() -> None:
    asked: list[str] = []

    def source(url: str) -> bytes:
        asked.append(url)
        return CHAIN

    check(signed(), OFFER.replace("D2", "D3"), chain=source)
    check(signed(), clock=lambda: NOW + 100, chain=source)
    check(invite(Identity="rubbish"), chain=source)
    assert asked == []
    assert check(signed(), chain=source).is_valid
    assert asked == [URL]


# --- options ---------------------------------------------------------------------------------------------


def test_policies() -> None:
    none, stale, fine = check(invite()), check(signed(at=NOW - 99)), check(signed())
    unknown = IdentityCheck(IdentityStatus.UNVERIFIABLE, refusal=(436, "Bad Identity Info"))
    for policy, codes in {
        "report": [None, None, None, None],
        "reject": [None, 403, 436, None],
        "require": [428, 403, 436, None],
    }.items():
        found = [verifier(policy=policy).refusal(one) for one in (none, stale, unknown, fine)]
        assert [one and one[0] for one in found] == codes


def test_configuration_that_cannot_be_used() -> None:
    with pytest.raises(ConfigurationError, match="policy"):
        verifier(policy="guess")
    for anchors in (b"rubbish", "/nowhere/ca.pem", []):
        with pytest.raises(ConfigurationError, match="anchors"):
            IdentityVerifier(anchors)
    with pytest.raises(ConfigurationError, match="key"):
        IdentitySigner("/nowhere/key.pem", URL)
    with pytest.raises(ConfigurationError, match="key") as caught:
        IdentitySigner(b"-----BEGIN secret", URL)
    assert "secret" not in str(caught.value)
    for url in ("http://certs.example.com/x", "https://certs.example.com/a b", "https://x/>\r\n"):
        with pytest.raises(ConfigurationError, match="certificate_url"):
            IdentitySigner(ALICE.key_pem, url)


def test_addresses_that_are_no_text() -> None:
    """Bytes that are no UTF-8: nobody can have signed them, and they keep nothing else from being checked."""
    request = signed(compact=True)
    request.headers.add("P-Asserted-Identity", "<sip:\udcff@example.com>")
    assert check(request).is_valid
    for wrong in (signed(compact=True), signed()):
        wrong.headers.set("To", "<sip:\udcff@example.net>")
        refused(check(wrong), 438, "no text")
