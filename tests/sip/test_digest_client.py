from __future__ import annotations

import random
import re

import pytest

from sipua.sip import (
    AuthCredentials,
    AuthenticationError,
    Credentials,
    DigestClient,
    Request,
    Response,
    make_response,
)
from sipua.sip.digest import ALGORITHMS, digest_response
from tests.sip.rig import new_request, over_the_wire

ALICE = Credentials("alice", "secret")


def client(credentials: Credentials = ALICE) -> DigestClient:
    return DigestClient(credentials, rand=random.Random(1))


def digest(realm: str = "example.com", nonce: str = "n1", **parameters: str) -> str:
    fields = {"realm": f'"{realm}"', "nonce": f'"{nonce}"', "algorithm": "MD5", "qop": '"auth"', **parameters}
    return "Digest " + ", ".join(f"{name}={value}" for name, value in fields.items() if value)


class Exchange:
    """A request and the server's refusals, each answered as a user agent does."""

    def __init__(self, client: DigestClient, method: str = "REGISTER", **options: object) -> None:
        self.client = client
        self.request = new_request(method, **options)  # type: ignore[arg-type]
        client.preload(self.request)

    def refuse(self, *challenges: str, code: int = 401, extra: tuple[tuple[str, str], ...] = ()) -> Request:
        name = "WWW-Authenticate" if code == 401 else "Proxy-Authenticate"
        headers = [*[(name, challenge) for challenge in challenges], *extra]
        response = self.respond(code, *headers)
        again = self.request.copy()
        again.headers.set("CSeq", f"{self.request.cseq.sequence + 1} {self.request.method}")
        self.client.authorize(again, response)
        self.request = over_the_wire_without_via(again)
        return self.request

    def respond(self, code: int, *headers: tuple[str, str]) -> Response:
        request = self.request.copy()
        request.headers.prepend("Via", "SIP/2.0/WS us.invalid;branch=z9hG4bKx")
        return over_the_wire(make_response(request, code, headers=headers))

    def sent(self, proxy: bool = False) -> list[dict[str, str]]:
        """The credentials on the request as it is now."""
        name = "Proxy-Authorization" if proxy else "Authorization"
        return [
            dict(AuthCredentials.parse(value).parameters or {})
            for value in self.request.headers.getlist(name)
        ]


def over_the_wire_without_via(request: Request) -> Request:
    copy = request.copy()
    copy.headers.prepend("Via", "SIP/2.0/WS us.invalid;branch=z9hG4bKx")
    parsed = over_the_wire(copy)
    parsed.headers.remove_first("Via")
    return parsed


def is_right(
    sent: dict[str, str], request: Request, password: str = "secret", username: str = "alice"
) -> bool:
    algorithm = ALGORITHMS[sent.get("algorithm", "MD5").upper()]
    return sent["response"] == digest_response(
        algorithm,
        algorithm.ha1(username, sent["realm"], password),
        nonce=sent["nonce"],
        method=request.method,
        uri=str(request.uri),
        qop=sent.get("qop"),
        nc=sent.get("nc", ""),
        cnonce=sent.get("cnonce", ""),
        body=request.body,
    )


# --- one challenge -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "algorithm", ["MD5", "MD5-sess", "SHA-256", "SHA-256-sess", "SHA-512-256", "SHA-512-256-sess"]
)
@pytest.mark.parametrize("qop", ["auth", "auth-int"])
def test_every_algorithm_and_quality_of_protection_is_answered(algorithm: str, qop: str):
    exchange = Exchange(client(), "MESSAGE", body=b"hello")
    exchange.refuse(digest(algorithm=algorithm, qop=f'"{qop}"', opaque='"o"'))
    [sent] = exchange.sent()
    assert (sent["username"], sent["realm"], sent["nonce"], sent["uri"], sent["opaque"]) == (
        "alice",
        "example.com",
        "n1",
        "sip:bob@example.com",
        "o",
    )
    assert (sent["algorithm"], sent["qop"], sent["nc"]) == (algorithm, qop, "00000001")
    assert is_right(sent, exchange.request)


def test_the_credentials_have_quotes_where_the_grammar_has_them():
    exchange = Exchange(client())
    exchange.refuse(digest(opaque='"o"'))
    value = exchange.request.headers["Authorization"]
    assert re.fullmatch(
        r'Digest username="alice", realm="example\.com", nonce="n1", uri="sip:bob@example\.com", '
        r'response="[0-9a-f]{32}", algorithm=MD5, cnonce="[0-9a-f]{32}", qop=auth, nc=00000001, opaque="o"',
        value,
    )


def test_a_challenge_without_qop_is_answered_as_in_rfc_2069():
    exchange = Exchange(client())
    exchange.refuse(digest(qop="", algorithm=""))
    [sent] = exchange.sent()
    assert not {"qop", "nc", "cnonce", "algorithm", "opaque"} & set(sent)
    assert is_right(sent, exchange.request)


def test_a_session_algorithm_without_qop_still_needs_its_cnonce():
    exchange = Exchange(client())
    exchange.refuse(digest(qop="", algorithm="MD5-sess"))
    [sent] = exchange.sent()
    assert sent["cnonce"]
    assert is_right(sent, exchange.request)


def test_auth_is_preferred_to_auth_int():
    exchange = Exchange(client())
    exchange.refuse(digest(qop='"auth-int, auth"'))
    assert exchange.sent()[0]["qop"] == "auth"


def test_a_user_name_that_is_to_be_hidden_is():
    exchange = Exchange(client())
    exchange.refuse(digest(algorithm="SHA-256", userhash="true"))
    [sent] = exchange.sent()
    assert sent["username"] == ALGORITHMS["SHA-256"].userhash("alice", "example.com")
    assert sent["userhash"] == "true"
    assert is_right(sent, exchange.request)


def test_an_ha1_does_as_well_as_the_password():
    ha1 = ALGORITHMS["SHA-256"].ha1("alice", "example.com", "secret")
    exchange = Exchange(client(Credentials("alice", ha1=ha1, realm="example.com")))
    exchange.refuse(digest(algorithm="MD5"), digest(algorithm="SHA-256"))
    [sent] = exchange.sent()
    assert sent["algorithm"] == "SHA-256"  # the one that the HA1 is for
    assert is_right(sent, exchange.request)


def test_names_with_quotes_commas_and_umlauts_survive():
    credentials = Credentials('Jäs"ön', "päss")
    exchange = Exchange(client(credentials))
    exchange.refuse('Digest realm="a, \\"b\\" c", nonce="n,1", qop="auth", algorithm=SHA-256')
    [sent] = exchange.sent()
    assert (sent["username"], sent["realm"], sent["nonce"]) == ('Jäs"ön', 'a, "b" c', "n,1")
    assert is_right(sent, exchange.request, "päss", 'Jäs"ön')


# --- several challenges ------------------------------------------------------------------------------------


def test_the_first_challenge_that_can_be_answered_wins_across_header_fields():
    exchange = Exchange(client())
    exchange.refuse(
        'Basic realm="example.com"',
        digest(algorithm="AKAv1-MD5"),
        digest(algorithm="SHA-256", qop='"auth-conf"'),
        digest(nonce="sha", algorithm="SHA-256"),
        digest(nonce="md5", algorithm="MD5"),
    )
    [sent] = exchange.sent()
    assert (sent["nonce"], sent["algorithm"]) == ("sha", "SHA-256")


def test_the_first_challenge_that_can_be_answered_wins_inside_one_header_field():
    exchange = Exchange(client())
    exchange.refuse(f"{digest(nonce='md5')}, {digest(nonce='sha', algorithm='SHA-256')}")
    [sent] = exchange.sent()
    assert sent["nonce"] == "md5"


@pytest.mark.parametrize(
    "challenge",
    [
        'Basic realm="example.com"',
        digest(algorithm="AKAv1-MD5"),
        digest(qop='"auth-conf"'),
        'Digest realm="example.com"',
        "Digest",
        'Bearer realm="example.com"',
        "@@@",
    ],
)
def test_what_cannot_be_answered_is_an_error(challenge: str):
    exchange = Exchange(client())
    with pytest.raises(AuthenticationError, match="401 asks for what"):
        exchange.refuse(challenge)


def test_the_error_names_what_was_offered_and_no_secret():
    exchange = Exchange(client())
    with pytest.raises(AuthenticationError) as caught:
        exchange.refuse(digest(algorithm="AKAv1-MD5"), 'NTLM realm="x"')
    assert "Digest AKAv1-MD5 for 'example.com'; NTLM  for 'x'" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_refusal_without_challenge_is_an_error():
    with pytest.raises(AuthenticationError, match="nothing"):
        Exchange(client()).refuse()


def test_a_configured_realm_restricts():
    exchange = Exchange(client(Credentials("alice", "secret", realm="mine")))
    exchange.refuse(digest("other"), digest("mine", "n2"))
    assert [sent["realm"] for sent in exchange.sent()] == ["mine"]
    with pytest.raises(AuthenticationError):
        exchange.refuse(digest("other"))


def test_several_realms_in_one_response_are_all_answered():
    exchange = Exchange(client(), "INVITE")
    www = ("WWW-Authenticate", digest("uas", "n3"))
    exchange.refuse(digest("p1", "n1"), digest("p2", "n2"), code=407, extra=(www,))
    assert [sent["realm"] for sent in exchange.sent(proxy=True)] == ["p1", "p2"]
    assert [sent["realm"] for sent in exchange.sent()] == ["uas"]


# --- again and again ---------------------------------------------------------------------------------------


def test_407_and_401_in_turn_are_both_answered_and_no_nonce_count_is_used_twice():
    exchange = Exchange(client(), "INVITE")
    exchange.refuse(digest("proxy", "np"), code=407)
    exchange.refuse(digest("server", "ns"))
    [proxy], [server] = exchange.sent(proxy=True), exchange.sent()
    assert (proxy["realm"], proxy["nc"]) == ("proxy", "00000002")
    assert (server["realm"], server["nc"]) == ("server", "00000001")
    assert is_right(proxy, exchange.request)
    assert is_right(server, exchange.request)


def test_401_then_407_too():
    exchange = Exchange(client(), "INVITE")
    exchange.refuse(digest("same", "n1"))
    exchange.refuse(digest("same", "n2"), code=407)
    assert exchange.sent()[0]["nonce"] == "n1"
    assert exchange.sent(proxy=True)[0]["nonce"] == "n2"


def test_a_proxy_and_a_server_that_share_a_nonce_share_its_count():
    exchange = Exchange(client(), "INVITE")
    exchange.refuse(digest("same", "n"), code=407)
    exchange.refuse(digest("same", "n"))
    counts = [exchange.sent(proxy=True)[0]["nc"], exchange.sent()[0]["nc"]]
    assert sorted(counts) == ["00000002", "00000003"]


def test_wrong_credentials_end_at_the_second_refusal():
    exchange = Exchange(client())
    exchange.refuse(digest(nonce="n1"))
    with pytest.raises(AuthenticationError, match=r"'alice' was refused for realm 'example\.com'"):
        exchange.refuse(digest(nonce="n2"))


def test_what_was_refused_is_not_sent_ahead():
    ours = client()
    exchange = Exchange(ours)
    exchange.refuse(digest(nonce="n1"))
    with pytest.raises(AuthenticationError):
        exchange.refuse(digest(nonce="n2"))
    assert Exchange(ours).sent() == []


def test_a_stale_nonce_is_no_refusal():
    exchange = Exchange(client())
    exchange.refuse(digest(nonce="n1"))
    exchange.refuse(digest(nonce="n2", stale="true"))
    exchange.refuse(digest(nonce="n3", stale="TRUE"))
    [sent] = exchange.sent()
    assert (sent["nonce"], sent["nc"]) == ("n3", "00000001")


def test_credentials_that_were_sent_ahead_may_be_refused_once_without_being_called_stale():
    ours = client()
    Exchange(ours).refuse(digest(nonce="n1"))
    exchange = Exchange(ours)
    assert exchange.sent()[0]["nonce"] == "n1"
    exchange.refuse(digest(nonce="n2"))
    assert [sent["nonce"] for sent in exchange.sent()] == ["n2"]
    with pytest.raises(AuthenticationError):
        exchange.refuse(digest(nonce="n3"))


def test_a_server_for_which_all_is_stale_for_ever_is_given_up():
    exchange = Exchange(client())
    for number in range(5):
        exchange.refuse(digest(nonce=f"n{number}", stale="true"))
    with pytest.raises(AuthenticationError, match="refused 5 times"):
        exchange.refuse(digest(nonce="n5", stale="true"))


def test_a_server_with_a_new_realm_each_time_is_given_up():
    exchange = Exchange(client())
    for number in range(5):
        exchange.refuse(digest(realm=f"r{number}"))
    with pytest.raises(AuthenticationError, match="refused 5 times"):
        exchange.refuse(digest(realm="r5"))


def test_a_new_request_has_all_its_tries():
    ours = client()
    for number in range(1, 20, 2):  # as a registration is refreshed: the same Call-ID, CSeq counting up
        exchange = Exchange(ours, cseq=number)
        exchange.refuse(digest(nonce=f"n{number}"))
    other = Exchange(ours, cseq=1, call_id="another")
    other.refuse(digest(nonce="n-other"))


# --- the nonce count ---------------------------------------------------------------------------------------


def test_the_count_goes_up_with_each_use_of_a_nonce_and_starts_anew_with_a_new_one():
    ours = client()
    exchange = Exchange(ours)
    exchange.refuse(digest(nonce="n1"))
    counts = [sender.sent()[0]["nc"] for sender in (exchange, Exchange(ours), Exchange(ours), Exchange(ours))]
    assert counts == ["00000001", "00000002", "00000003", "00000004"]
    exchange = Exchange(ours)
    exchange.refuse(digest(nonce="n2", stale="true"))
    assert exchange.sent()[0]["nc"] == "00000001"
    exchange = Exchange(ours)
    exchange.refuse(digest(nonce="n1", stale="true"))  # an old one again: n1 was sent five times by now
    assert exchange.sent()[0]["nc"] == "00000006"


def test_the_cnonce_belongs_to_the_nonce():
    ours = client()
    first = Exchange(ours)
    first.refuse(digest(nonce="n1", algorithm="MD5-sess"))
    second = Exchange(ours)
    assert second.sent()[0]["cnonce"] == first.sent()[0]["cnonce"]
    assert is_right(second.sent()[0], second.request)
    third = Exchange(ours)
    third.refuse(digest(nonce="n2", stale="true"))
    assert third.sent()[0]["cnonce"] != first.sent()[0]["cnonce"]


def test_memory_is_bounded():
    ours = client()
    for number in range(300):
        exchange = Exchange(ours, call_id=f"c{number}", uri=f"sip:h{number}.example.com")
        exchange.refuse(digest(realm=f"r{number}", nonce=f"n{number}"))
    assert len(ours._answers) == len(ours._nonces) == len(ours._attempts) == 64


# --- ahead of the challenge --------------------------------------------------------------------------------


def test_a_server_gets_credentials_ahead_with_requests_to_its_host_only():
    ours = client()
    Exchange(ours, uri="sip:Example.com").refuse(digest())
    assert len(Exchange(ours, uri="sip:bob@example.COM;x=y").sent()) == 1
    assert Exchange(ours, uri="sip:bob@other.example.com").sent() == []
    assert Exchange(ours, uri="tel:+123").sent() == []


def test_a_proxy_gets_credentials_ahead_with_all_requests():
    ours = client()
    Exchange(ours, "INVITE").refuse(digest(), code=407)
    exchange = Exchange(ours, "BYE", uri="sip:someone@elsewhere.invalid")
    [sent] = exchange.sent(proxy=True)
    assert is_right(sent, exchange.request)
    assert exchange.sent() == []


@pytest.mark.parametrize("method", ["ACK", "CANCEL"])
def test_ack_and_cancel_get_nothing_ahead(method: str):
    ours = client()
    Exchange(ours, "INVITE").refuse(digest(), code=407)
    request = new_request(method)
    assert not ours.preload(request)
    assert "Proxy-Authorization" not in request.headers


def test_preload_tells_whether_there_was_anything_and_adds_nothing_twice():
    ours = client()
    assert not ours.preload(new_request("REGISTER"))
    Exchange(ours).refuse(digest())
    request = new_request("REGISTER")
    assert ours.preload(request)
    assert not ours.preload(request)
    assert len(request.headers.getlist("Authorization")) == 1


def test_credentials_of_the_application_s_own_are_left_alone():
    ours = client()
    own = 'Digest username="x", realm="theirs", nonce="q", uri="sip:x", response="0"'
    exchange = Exchange(ours, headers=(("Authorization", own), ("Authorization", "@@")))
    exchange.refuse(digest())
    assert exchange.request.headers.getlist("Authorization")[:2] == [own, "@@"]
    assert len(exchange.request.headers.getlist("Authorization")) == 3


# --- nextnonce ---------------------------------------------------------------------------------------------


def test_the_next_nonce_is_used_for_the_next_request():
    ours = client()
    exchange = Exchange(ours)
    exchange.refuse(digest(nonce="n1"))
    ours.accepted(
        exchange.request, exchange.respond(200, ("Authentication-Info", 'nextnonce="n2", qop=auth'))
    )
    later = Exchange(ours)
    [sent] = later.sent()
    assert (sent["nonce"], sent["nc"]) == ("n2", "00000001")
    assert is_right(sent, later.request)


@pytest.mark.parametrize("info", [None, "", "@@", 'rspauth="x"', 'nextnonce=""'])
def test_without_a_next_nonce_the_old_one_stays(info: str | None):
    ours = client()
    exchange = Exchange(ours)
    exchange.refuse(digest(nonce="n1"))
    headers = [] if info is None else [("Authentication-Info", info)]
    ours.accepted(exchange.request, exchange.respond(200, *headers))
    assert Exchange(ours).sent()[0]["nonce"] == "n1"


def test_the_next_nonce_is_the_server_s_not_the_proxy_s():
    ours = client()
    exchange = Exchange(ours, "INVITE")
    exchange.refuse(digest("p", "np"), code=407)
    ours.accepted(exchange.request, exchange.respond(200, ("Authentication-Info", 'nextnonce="n2"')))
    assert Exchange(ours).sent(proxy=True)[0]["nonce"] == "np"


# --- bearer ------------------------------------------------------------------------------------------------

TOKEN = Credentials("alice", bearer="abc.def.ghi")


def test_a_token_goes_ahead_to_the_registrar_only():
    ours = client(TOKEN)
    request = new_request("REGISTER")
    assert ours.preload(request)
    assert request.headers["Authorization"] == "Bearer abc.def.ghi"
    assert not ours.preload(request)
    assert not ours.preload(new_request("INVITE"))


def test_a_bearer_challenge_is_answered_with_the_token():
    ours = client(TOKEN)
    exchange = Exchange(ours, "INVITE")
    exchange.refuse('Bearer realm="example.com", scope="sip"', digest(), code=407)
    assert exchange.request.headers.getlist("Proxy-Authorization") == ["Bearer abc.def.ghi"]
    later = Exchange(ours, "BYE", uri="sip:x@y.invalid")
    assert later.request.headers.getlist("Proxy-Authorization") == ["Bearer abc.def.ghi"]


def test_a_refused_token_is_an_error():
    exchange = Exchange(client(TOKEN))
    challenge = 'Bearer realm="example.com", error="invalid_token"'
    exchange.refuse(challenge)  # it went ahead, and is sent once more in answer to the challenge
    assert exchange.request.headers.getlist("Authorization") == ["Bearer abc.def.ghi"]
    with pytest.raises(AuthenticationError, match="was refused"):
        exchange.refuse(challenge)


def test_a_token_is_for_its_realm():
    exchange = Exchange(client(Credentials("alice", bearer="t", realm="mine")), "INVITE")
    with pytest.raises(AuthenticationError):
        exchange.refuse('Bearer realm="other"')


def test_with_a_token_and_a_password_the_first_challenge_decides():
    both = Credentials("alice", "secret", bearer="t")
    exchange = Exchange(client(both))
    exchange.refuse(digest(), 'Bearer realm="example.com"')
    assert [sent["realm"] for sent in exchange.sent()] == ["example.com"]
    assert len(exchange.request.headers.getlist("Authorization")) == 1


def test_a_next_nonce_is_nothing_to_a_token():
    ours = client(TOKEN)
    exchange = Exchange(ours)
    exchange.refuse('Bearer realm="example.com"')
    ours.accepted(exchange.request, exchange.respond(200, ("Authentication-Info", 'nextnonce="n2"')))
    assert Exchange(ours).request.headers["Authorization"] == "Bearer abc.def.ghi"


def test_no_secret_shows():
    ours = client(Credentials("alice", "s3cret", bearer="t0ken"))
    Exchange(ours).refuse(digest())
    assert repr(ours) == "DigestClient(Credentials(username='alice', realm=None))"
