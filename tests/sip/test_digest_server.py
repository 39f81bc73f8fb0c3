from __future__ import annotations

import random

import pytest

from sipua.sip import (
    AuthChallenge,
    AuthCredentials,
    Credentials,
    DigestClient,
    DigestServer,
    Request,
    make_response,
)
from sipua.sip.digest import ALGORITHMS
from sipua.sip.digest_server import Failure, Verdict, _Counts
from tests.sip.rig import new_request, over_the_wire, received

USERS = {"alice": "secret", "bob": Credentials("bob", ha1=ALGORITHMS["MD5"].ha1("bob", "r", "b"), realm="r")}


def server(**options: object) -> DigestServer:
    options.setdefault("rand", random.Random(1))
    return DigestServer("r", USERS.get, **options)  # type: ignore[arg-type]


class Peer:
    """A client with its own idea of who it is, at a time of the test's choice."""

    def __init__(self, server: DigestServer, username: str = "alice", password: str = "secret") -> None:
        self.server = server
        self.client = DigestClient(Credentials(username, password), rand=random.Random(2))
        self.number = 0

    def challenged(
        self, now: float, *, proxy: bool = False, stale: bool = False, **options: object
    ) -> Request:
        self.number += 1
        request = new_request("REGISTER", call_id=f"c{self.number}", **options)  # type: ignore[arg-type]
        request.headers.prepend("Via", "SIP/2.0/WS us.invalid;branch=z9hG4bKx")
        headers = self.server.challenge(now, proxy=proxy, stale=stale)
        response = over_the_wire(make_response(request, 407 if proxy else 401, headers=headers))
        request.headers.set("CSeq", "2 REGISTER")
        self.client.authorize(request, response)
        return over_the_wire(request)

    def ahead(self) -> Request:
        request = new_request("REGISTER", cseq=9)
        request.headers.prepend("Via", "SIP/2.0/WS us.invalid;branch=z9hG4bKx")
        assert self.client.preload(request)
        return over_the_wire(request)


def tampered(request: Request, **changes: str | None) -> Request:
    """The request with other credentials; None takes a parameter away."""
    credentials = AuthCredentials.parse(request.headers["Authorization"])
    parameters = dict(credentials.parameters or {}) | changes
    kept = {name: value for name, value in parameters.items() if value is not None}
    copy = request.copy()
    copy.headers.set("Authorization", str(AuthCredentials("Digest", kept)))
    return over_the_wire(copy)


# --- challenges --------------------------------------------------------------------------------------------


def test_one_challenge_for_each_algorithm_in_order():
    headers = server().challenge(0.0)
    assert [name for name, _ in headers] == ["WWW-Authenticate"] * 2
    challenges = [AuthChallenge.parse(value).parameters for _, value in headers]
    assert [challenge["algorithm"] for challenge in challenges] == ["SHA-256", "MD5"]
    assert {challenge["realm"] for challenge in challenges} == {"r"}
    assert {challenge["qop"] for challenge in challenges} == {"auth"}
    assert all("stale" not in challenge for challenge in challenges)


def test_a_proxy_s_challenge_that_says_stale():
    [(name, value)] = server(algorithms=("MD5",), qop=("auth", "auth-int")).challenge(
        0.0, proxy=True, stale=True
    )
    assert name == "Proxy-Authenticate"
    assert AuthChallenge.parse(value).parameters["stale"] == "true"
    assert 'qop="auth,auth-int"' in value


def test_no_two_nonces_are_the_same():
    ours = server()
    assert len({ours.challenge(0.0)[0][1] for _ in range(100)}) == 100


def test_a_server_needs_an_algorithm_that_there_is():
    assert [a.name for a in server(algorithms=("AKAv1-MD5", "md5")).algorithms] == ["MD5"]
    with pytest.raises(ValueError, match="none of the digest algorithms AKAv1-MD5"):
        server(algorithms=("AKAv1-MD5",))


def test_it_shows_its_realm_and_nothing_else():
    assert repr(server()) == "DigestServer('r')"


# --- right credentials -------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", list(ALGORITHMS))
@pytest.mark.parametrize("qop", [(), ("auth",), ("auth-int",)])
@pytest.mark.parametrize("proxy", [False, True])
def test_right_credentials(algorithm: str, qop: tuple[str, ...], proxy: bool):
    ours = server(algorithms=(algorithm,), qop=qop)
    request = Peer(ours).challenged(10.0, proxy=proxy, body=b"hello")
    assert ours.verify(request, 11.0, proxy=proxy) == Verdict("alice")
    assert ours.verify(request, 11.0, proxy=not proxy) == Verdict(None, Failure.MISSING)


def test_a_user_whose_hash_is_stored():
    ours = server(algorithms=("SHA-256", "MD5"))
    peer = Peer(ours, "bob", "b")
    assert ours.verify(peer.challenged(0.0), 0.0).failure is Failure.BAD  # SHA-256, and only MD5 is stored
    ours = server(algorithms=("MD5",))
    assert ours.verify(Peer(ours, "bob", "b").challenged(0.0), 0.0) == Verdict("bob")


def test_the_same_nonce_serves_until_it_expires():
    ours = server(nonce_lifetime=100.0)
    peer = Peer(ours)
    assert ours.verify(peer.challenged(0.0), 0.0) == Verdict("alice")
    for now in (1.0, 50.0, 100.0):
        assert ours.verify(peer.ahead(), now) == Verdict("alice")
    late = ours.verify(peer.ahead(), 100.1)
    assert late == Verdict(None, Failure.STALE)
    assert late.is_stale


def test_the_uri_may_be_written_otherwise():
    ours = server()
    request = Peer(ours).challenged(0.0, uri="sip:Example.COM")
    request.uri = new_request(uri="sip:example.com").uri
    assert ours.verify(request, 0.0) == Verdict("alice")


def test_credentials_for_other_realms_and_schemes_are_passed_over():
    ours = server()
    request = Peer(ours).challenged(0.0)
    right = request.headers["Authorization"]
    request.headers.setlist(
        "Authorization", ["@@@", "Bearer abc", 'Digest realm="other", username="x"', right]
    )
    assert ours.verify(request, 0.0) == Verdict("alice")


# --- wrong credentials -------------------------------------------------------------------------------------


def test_no_credentials():
    verdict = server().verify(received("REGISTER"), 0.0)
    assert verdict == Verdict(None, Failure.MISSING)
    assert not verdict.is_stale


@pytest.mark.parametrize(("username", "password"), [("alice", "wrong"), ("nobody", "secret"), ("nobody", "")])
def test_wrong_password_or_user(username: str, password: str):
    ours = server()
    verdict = ours.verify(Peer(ours, username, password).challenged(0.0), 0.0)
    assert verdict == Verdict(None, Failure.BAD)
    assert not verdict.is_stale


@pytest.mark.parametrize(
    "changes",
    [
        {"response": "0" * 64},
        {"response": "ü" * 64},
        {"response": None},
        {"username": None},
        {"nonce": None},
        {"uri": None},
        {"uri": "sip:other@example.com"},
        {"uri": "@@"},
        {"qop": None},
        {"qop": "auth-int"},
        {"nc": None},
        {"nc": "1"},
        {"nc": "0000000g"},
        {"nc": "00000002"},
        {"cnonce": "other"},
        {"algorithm": "MD5"},
        {"algorithm": "AKAv1-MD5"},
        {"algorithm": "MD5-sess"},
        {"algorithm": None},
    ],
    ids=str,
)
def test_tampering_is_noticed(changes: dict[str, str | None]):
    ours = server()
    request = tampered(Peer(ours).challenged(0.0), **changes)
    assert ours.verify(request, 0.0) == Verdict(None, Failure.BAD)


def test_with_auth_int_the_body_counts():
    ours = server(qop=("auth-int",))
    request = Peer(ours).challenged(0.0, body=b"v=0")
    request.body = b"v=1"
    assert ours.verify(request, 0.0) == Verdict(None, Failure.BAD)


def test_a_client_may_not_leave_out_qop_where_it_is_asked_for_nor_bring_it_where_it_is_not():
    asking, legacy = server(algorithms=("MD5",)), server(algorithms=("MD5",), qop=())
    request = Peer(legacy).challenged(0.0)
    assert asking.verify(request, 0.0) == Verdict(None, Failure.BAD)
    request = Peer(asking).challenged(0.0)
    assert legacy.verify(request, 0.0) == Verdict(None, Failure.BAD)


# --- nonces ------------------------------------------------------------------------------------------------


def test_a_replay_is_noticed():
    ours = server()
    request = Peer(ours).challenged(0.0)
    assert ours.verify(request, 0.0) == Verdict("alice")
    replayed = ours.verify(request, 1.0)
    assert replayed == Verdict(None, Failure.REPLAYED)
    assert replayed.is_stale


def test_requests_may_overtake_each_other():
    ours = server()
    peer = Peer(ours)
    first, second, third = peer.challenged(0.0), peer.ahead(), peer.ahead()
    assert [ours.verify(request, 0.0).username for request in (third, first, second)] == ["alice"] * 3
    assert [ours.verify(request, 0.0).failure for request in (third, first, second)] == [Failure.REPLAYED] * 3


def test_a_nonce_of_another_server_is_stale_for_who_knows_the_password_and_bad_for_others():
    ours, before = server(), server(rand=random.Random(99))
    assert ours.verify(Peer(before).challenged(0.0), 0.0) == Verdict(None, Failure.STALE)
    assert ours.verify(Peer(before, password="x").challenged(0.0), 0.0) == Verdict(None, Failure.BAD)


@pytest.mark.parametrize("nonce", ["", "abc", "AAAA", "=", "ä"])
def test_a_nonce_that_is_none_is_stale(nonce: str):
    assert server()._nonce_time(nonce) is None


def test_a_nonce_from_the_future_is_stale():
    ours = server()
    assert ours.verify(Peer(ours).challenged(50.0), 49.0) == Verdict(None, Failure.STALE)


def test_challenges_cost_no_memory_and_used_nonces_are_forgotten_when_they_expire():
    ours = server(nonce_lifetime=10.0)
    for _ in range(1000):
        ours.challenge(0.0)
    assert len(ours) == 0
    for now in range(1000):
        assert ours.verify(Peer(ours).challenged(float(now)), float(now)) == Verdict("alice")
    assert len(ours) <= 22


def test_each_count_is_taken_once_within_the_window():
    counts = _Counts(0.0)
    assert not counts.take(0)
    rand = random.Random(3)
    numbers = [*range(1, 500)]
    for start in range(0, len(numbers), 30):
        block = numbers[start : start + 30]
        rand.shuffle(block)
        assert all(counts.take(number) for number in block)
        assert not any(counts.take(number) for number in block)
    assert not counts.take(499 - 64)
    assert counts.take(10_000)
    assert counts.take(9_999)
    assert not counts.take(499)
