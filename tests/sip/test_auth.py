from __future__ import annotations

import pytest
import sipmessage

from sipua.sip import AuthChallenge, AuthCredentials, AuthParameters, InvalidHeaderError, ParseError


class TestParameters:
    def test_reading(self):
        parameters = AuthParameters.parse(' nextnonce="a, b" , QOP=auth,, rspauth = "\\"x\\"" ')
        assert dict(parameters) == {"nextnonce": "a, b", "QOP": "auth", "rspauth": '"x"'}
        assert parameters["qop"] == "auth"
        assert "qop" in parameters
        assert 1 not in parameters
        assert len(parameters) == 3

    def test_the_first_of_several_counts(self):
        assert AuthParameters.parse("a=1, A=2")["a"] == "1"

    @pytest.mark.parametrize("text", ["a", "a=b c=d", 'a="b', '"a"=b'])
    def test_not_parameters(self, text: str):
        with pytest.raises(ParseError):
            AuthParameters.parse(text)

    def test_writing(self):
        parameters = AuthParameters({"username": "a b", "nc": "00000001"}, algorithm="MD5")
        assert str(parameters) == 'username="a b", nc=00000001, algorithm=MD5'
        assert str(parameters.replace(nc="00000002")) == 'username="a b", nc=00000002, algorithm=MD5'
        assert str(AuthParameters([("x", 'a"b')])) == 'x="a\\"b"'
        assert str(AuthParameters(x="")) == 'x=""'

    @pytest.mark.parametrize(("name", "value"), [("a b", "c"), ("", "c"), ("a", "b\r\nc"), ("a", "\0")])
    def test_what_must_not_go_out(self, name: str, value: str):
        with pytest.raises(InvalidHeaderError):
            AuthParameters({name: value})

    def test_equality(self):
        assert AuthParameters(Realm="a") == AuthParameters(realm="a")
        assert hash(AuthParameters(Realm="a")) == hash(AuthParameters(realm="a"))
        assert AuthParameters(realm="a") == sipmessage.AuthParameters(realm="a")
        assert AuthParameters(realm="a") != AuthParameters(realm="b")
        assert AuthParameters(realm="a") != 1

    def test_a_response_is_not_shown(self):
        assert "secret" not in repr(AuthParameters(username="alice", response="secret"))
        assert "alice" in repr(AuthParameters(username="alice", response="secret"))


class TestChallenge:
    def test_one(self):
        text = 'Digest  realm="a, b",nonce="n\\"",  algorithm=SHA-256, qop="auth,auth-int" ,stale=FALSE'
        challenge = AuthChallenge.parse(text)
        assert challenge.scheme == "Digest"
        assert dict(challenge.parameters) == {
            "realm": "a, b",
            "nonce": 'n"',
            "algorithm": "SHA-256",
            "qop": "auth,auth-int",
            "stale": "FALSE",
        }
        assert challenge.token is None
        assert str(challenge) == text

    def test_several_in_one_field(self):
        text = 'Digest realm="a", nonce="1", Basic realm="b" , Negotiate abc==, Bearer, Digest nonce=2,'
        challenges = AuthChallenge.parse_many(text)
        assert [challenge.scheme for challenge in challenges] == [
            "Digest",
            "Basic",
            "Negotiate",
            "Bearer",
            "Digest",
        ]
        assert [challenge.token for challenge in challenges] == [None, None, "abc==", None, None]
        assert [str(challenge) for challenge in challenges] == [
            'Digest realm="a", nonce="1"',
            'Basic realm="b"',
            "Negotiate abc==",
            "Bearer",
            "Digest nonce=2",
        ]
        with pytest.raises(ParseError):
            AuthChallenge.parse(text)

    def test_folded(self):
        assert AuthChallenge.parse('Digest\r\n realm="a",\r\n\tnonce="b"').parameters == {
            "realm": "a",
            "nonce": "b",
        }

    @pytest.mark.parametrize(
        "text", ["", " ", ",", '"Digest" realm=a', "Digest =a", 'Digest realm="a', "D;x"]
    )
    def test_not_a_challenge(self, text: str):
        with pytest.raises(ParseError):
            AuthChallenge.parse_many(text)

    def test_an_empty_value_is_let_pass(self):
        assert AuthChallenge.parse("Digest opaque=, realm=x").parameters == {"opaque": "", "realm": "x"}

    def test_writing(self):
        challenge = AuthChallenge(
            "Digest", {"realm": "r", "nonce": "n", "algorithm": "MD5", "qop": "auth", "stale": "true"}
        )
        assert str(challenge) == 'Digest realm="r", nonce="n", algorithm=MD5, qop="auth", stale=true'
        assert str(AuthChallenge("Negotiate", token="abc=")) == "Negotiate abc="
        assert str(AuthChallenge("Negotiate")) == "Negotiate"
        for bad in (("Dig est", {}), ("", {})):
            with pytest.raises(InvalidHeaderError):
                AuthChallenge(*bad)
        with pytest.raises(InvalidHeaderError):
            AuthChallenge("X", token="a\r\nb")

    def test_equality(self):
        one = AuthChallenge.parse('DIGEST realm="r"')
        assert one == AuthChallenge("Digest", AuthParameters(realm="r"))
        assert hash(one) == hash(AuthChallenge("Digest", {"realm": "r"}))
        assert one == sipmessage.AuthChallenge.parse('Digest realm="r"')
        assert one != AuthChallenge("Digest", {"realm": "s"})


class TestCredentials:
    def test_reading(self):
        text = 'Digest username="alice", realm="r", uri="sip:a@b", response="00", nc=00000001, qop=auth'
        credentials = AuthCredentials.parse(text)
        assert credentials.parameters is not None
        assert credentials.parameters["uri"] == "sip:a@b"
        assert credentials.token is None
        assert str(credentials) == text

    def test_token(self):
        credentials = AuthCredentials.parse("Bearer eyJ.abc-_~+/==")
        assert (credentials.scheme, credentials.token, credentials.parameters) == (
            "Bearer",
            "eyJ.abc-_~+/==",
            None,
        )

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "Digest",
            "Digest realm",
            "Digest realm=a Digest",
            'Digest a="b',
            "Bearer a, Bearer b",
            "Digest a=b, c",
            ":",
        ],
    )
    def test_not_credentials(self, text: str):
        with pytest.raises(ParseError):
            AuthCredentials.parse(text)

    def test_writing(self):
        parameters = {"username": "a", "realm": "r", "nonce": "n", "uri": "sip:b", "response": "00", "algorithm": "MD5",
                      "cnonce": "c", "qop": "auth", "nc": "00000001", "opaque": "o"}  # fmt: skip
        assert str(AuthCredentials("Digest", parameters)) == (
            'Digest username="a", realm="r", nonce="n", uri="sip:b", response="00", algorithm=MD5, cnonce="c", '
            'qop=auth, nc=00000001, opaque="o"'
        )
        assert str(AuthCredentials("Bearer", token="abc")) == "Bearer abc"
        with pytest.raises(InvalidHeaderError):
            AuthCredentials("Bearer")
        with pytest.raises(InvalidHeaderError):
            AuthCredentials("Bearer", {}, "abc")

    def test_nothing_secret_is_shown(self):
        credentials = AuthCredentials(
            "Digest", {"username": "alice", "realm": "r", "response": "deadbeef", "nonce": "no"}
        )
        assert repr(credentials) == "AuthCredentials('Digest', {'username': 'alice', 'realm': 'r'})"
        assert "abc" not in repr(AuthCredentials("Bearer", token="abc"))
        for text in ('Digest response="deadbeef', "Bearer abc x", "Digest deadbeef;"):
            with pytest.raises(ParseError) as caught:
                AuthCredentials.parse(text)
            assert "deadbeef" not in str(caught.value)
            assert "abc" not in str(caught.value)

    def test_equality(self):
        one = AuthCredentials.parse('DIGEST username="a"')
        assert one == AuthCredentials("Digest", {"username": "a"})
        assert hash(one) == hash(AuthCredentials("Digest", {"username": "a"}))
        assert one == sipmessage.AuthCredentials.parse('Digest username="a"')
        assert one != AuthCredentials("Bearer", token="a")
        assert one != 1
