from __future__ import annotations

import hashlib

import pytest

from sipua.sip import Credentials
from sipua.sip.digest import ALGORITHMS, Algorithm, _available, digest_response, find_algorithm

RFC_7616 = {
    "username": "Mufasa",
    "realm": "http-auth@example.org",
    "password": "Circle of Life",
    "uri": "/dir/index.html",
    "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
    "nc": "00000001",
    "cnonce": "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    "qop": "auth",
}
RFC_2617 = {
    "username": "Mufasa",
    "realm": "testrealm@host.com",
    "password": "Circle Of Life",
    "uri": "/dir/index.html",
    "nonce": "dcd98b7102dd2f0e8b11d0f600bfb0c093",
    "nc": "00000001",
    "cnonce": "0a4f113b",
    "qop": "auth",
}
#: RFC 7616 section 3.9.2 with the values of erratum 4897: the RFC itself shows those of a draft's hash
SHA_512_256 = {
    "username": "Jäsøn Doe",
    "realm": "api@example.org",
    "password": "Secret, or not?",
    "uri": "/doe.json",
    "nonce": "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK",
    "nc": "00000001",
    "cnonce": "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v",
    "qop": "auth",
}

VECTORS = [
    ("MD5", RFC_2617, "6629fae49393a05397450978507c4ef1"),
    ("MD5", {**RFC_2617, "qop": None}, "670fd8c2df070c60b045671b8b24ff02"),
    ("MD5", RFC_7616, "8ca523f5e9506fed4657c9700eebdbec"),
    ("SHA-256", RFC_7616, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ("SHA-512-256", SHA_512_256, "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5"),
]


def respond(name: str, *, method: str = "GET", body: bytes = b"", **data: str | None) -> str:
    algorithm = ALGORITHMS[name.upper()]
    ha1 = algorithm.ha1(data.pop("username") or "", data.pop("realm") or "", data.pop("password") or "")
    return digest_response(algorithm, ha1, method=method, body=body, **data)  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "data", "expected"), VECTORS)
def test_published_vectors(name: str, data: dict[str, str | None], expected: str):
    assert respond(name, **data) == expected


def test_the_published_userhash():
    algorithm = ALGORITHMS["SHA-512-256"]
    expected = "793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b"
    assert algorithm.userhash("Jäsøn Doe", "api@example.org") == expected


@pytest.mark.parametrize(
    ("name", "hash_name"),
    [("MD5-sess", "md5"), ("SHA-256-sess", "sha256"), ("SHA-512-256-sess", "sha512_256")],
)
@pytest.mark.parametrize("qop", ["auth", "auth-int"])
def test_session_algorithms_and_auth_int_by_the_formulas_of_rfc_7616(name: str, hash_name: str, qop: str):
    def h(text: str) -> str:
        return hashlib.new(hash_name, text.encode()).hexdigest()

    a1 = h("Mufasa:http-auth@example.org:Circle of Life")
    a1 = h(f"{a1}:{RFC_7616['nonce']}:{RFC_7616['cnonce']}")
    a2 = h("INVITE:/dir/index.html" + (f":{h('v=0')}" if qop == "auth-int" else ""))
    expected = h(f"{a1}:{RFC_7616['nonce']}:00000001:{RFC_7616['cnonce']}:{qop}:{a2}")
    assert respond(name, **{**RFC_7616, "qop": qop}, method="INVITE", body=b"v=0") == expected


def test_all_six_algorithms_are_known_in_any_case():
    names = ["MD5", "MD5-sess", "SHA-256", "SHA-256-sess", "SHA-512-256", "SHA-512-256-sess"]
    assert [algorithm.name for algorithm in ALGORITHMS.values()] == names
    for name in names:
        assert find_algorithm(name.lower()) is ALGORITHMS[name.upper()]
    assert find_algorithm(None) is ALGORITHMS["MD5"]
    assert find_algorithm("AKAv1-MD5") is None
    assert [a.length for a in ALGORITHMS.values()] == [len(a.digest("x")) for a in ALGORITHMS.values()]


def test_a_hash_that_this_build_lacks_is_not_available():
    assert not _available("sha9000")
    assert _available("md5")


def test_text_that_was_not_utf_8_is_hashed_as_it_came():
    algorithm = Algorithm("MD5", "md5", False, 32)
    assert algorithm.digest("J\udce4s") == hashlib.md5(b"J\xe4s").hexdigest()


# --- credentials -------------------------------------------------------------------------------------------


def test_secrets_are_not_shown():
    credentials = Credentials("alice", password="s3cret", ha1="0" * 32, realm="r", bearer="t0ken")
    assert repr(credentials) == "Credentials(username='alice', realm='r')"


def test_credentials_need_a_secret_and_an_ha1_its_realm():
    with pytest.raises(ValueError, match="need a password, an ha1 or a bearer token"):
        Credentials("alice")
    with pytest.raises(ValueError, match="one realm"):
        Credentials("alice", ha1="0" * 32)
    assert Credentials("alice", bearer="token").ha1_for(ALGORITHMS["MD5"], "r") is None


@pytest.mark.parametrize("name", ["MD5", "SHA-256", "SHA-512-256"])
def test_an_ha1_serves_the_algorithm_of_its_length(name: str):
    algorithm = ALGORITHMS[name]
    ha1 = algorithm.ha1("alice", "r", "secret")
    credentials = Credentials("alice", ha1=ha1.upper(), realm="r")
    assert credentials.ha1_for(algorithm, "r") == ha1
    assert credentials.ha1_for(algorithm, "other") is None
    assert (credentials.ha1_for(ALGORITHMS["MD5"], "r") is not None) == (name == "MD5")


def test_a_password_serves_every_algorithm_and_the_realm_that_is_asked_for():
    credentials = Credentials("alice", "secret")
    for algorithm in ALGORITHMS.values():
        assert credentials.ha1_for(algorithm, "any") == algorithm.ha1("alice", "any", "secret")
    assert Credentials("alice", "secret", realm="r").ha1_for(ALGORITHMS["MD5"], "other") is None
