from __future__ import annotations

import pytest
import sipmessage
from hypothesis import given
from hypothesis import strategies as st

from sipua.sip import InvalidHeaderError, Parameters, ParseError, URIHeaders, URIParameters

TOKENS = st.text("abcdefghijklmnopqrstuvwxyz0123456789-.!%*_+`'~", min_size=1, max_size=8)
TEXTS = st.one_of(st.none(), st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"])))


def test_reading():
    parameters = Parameters.parse(' ; Tag = abc;lr ; x="a \\"b\\"; c" ;e=')
    assert parameters["tag"] == "abc"
    assert parameters["LR"] is None
    assert "lr" in parameters
    assert "nothing" not in parameters
    assert 1 not in parameters
    assert parameters["x"] == 'a "b"; c'
    assert parameters["e"] == ""
    assert parameters.get("nothing") is None
    assert parameters.get("nothing", "x") == "x"
    assert list(parameters) == ["Tag", "lr", "x", "e"]
    assert len(parameters) == 4
    with pytest.raises(KeyError):
        parameters["nothing"]


def test_exact_text():
    for text in ("", ";a=b", " ;  a = b", ';a="%41"', ";A=b;c"):
        assert str(Parameters.parse(text)) == text.strip()


def test_folds_are_undone():
    assert Parameters.parse(";a\r\n =\r\n b")["a"] == "b"


@pytest.mark.parametrize("text", ["a=b", ";", ";;", ';a="', ";a=b,c", ";=b", ";a b", ";<"])
def test_not_parameters(text: str):
    with pytest.raises(ParseError):
        Parameters.parse(text)


def test_percent_signs_mean_themselves():
    assert Parameters.parse(";branch=z9hG4bK%41")["branch"] == "z9hG4bK%41"


def test_latin_1_is_readable():
    assert Parameters.parse(b';a="\xe9"'.decode("utf-8", "surrogateescape"))["a"] == "é"


def test_the_first_of_several_counts():
    assert Parameters.parse(";a=1;A=2")["a"] == "1"
    assert Parameters.parse(';a="1";A=2')["a"] == "1"
    assert len(Parameters.parse(";a=1;A=2")) == 1
    assert list(Parameters.parse(";a=1;A=2")) == ["a"]


def test_writing():
    assert str(Parameters(tag="abc", lr=None)) == ";tag=abc;lr"
    assert str(Parameters({"+sip.instance": "<urn:uuid:1>"})) == ';+sip.instance="<urn:uuid:1>"'
    assert str(Parameters([("a", "b c")], d='e"')) == ';a="b c";d="e\\""'
    assert str(Parameters(received="2001:db8::1", maddr="[2001:db8::1]")) == (
        ";received=2001:db8::1;maddr=[2001:db8::1]"
    )
    assert str(Parameters(a="")) == ';a=""'
    assert str(Parameters()) == ""


def test_a_value_in_quotes_is_written_so():
    parameters = Parameters(ob='"x"')
    assert str(parameters) == ';ob="x"'
    assert parameters["ob"] == "x"


@pytest.mark.parametrize("name", ["", "a b", "a=b", "a;b", "a\r\n"])
def test_bad_names(name: str):
    with pytest.raises(InvalidHeaderError):
        Parameters({name: "x"})


@pytest.mark.parametrize("value", ["a\r\nb", "\0", "\ud800"])
def test_bad_values(value: str):
    with pytest.raises(InvalidHeaderError):
        Parameters(a=value)


def test_changing_keeps_the_spelling_of_the_rest():
    parameters = Parameters.parse(';Q=0.50;x="bare";tag=1')
    assert str(parameters.replace(tag="2", new=None)) == ';Q=0.50;x="bare";tag=2;new'
    assert str(parameters.without("X", "nothing")) == ";Q=0.50;tag=1"
    assert str(parameters.updated({"+a": "b"})) == ';Q=0.50;x="bare";tag=1;+a=b'
    assert str(parameters.updated([("q", "1")])) == ';q=1;x="bare";tag=1'
    assert str(parameters) == ';Q=0.50;x="bare";tag=1'


def test_equality():
    assert Parameters.parse(";a=1;B=2") == Parameters.parse(';b="2";a=1')
    assert hash(Parameters.parse(";a=1;B=2")) == hash(Parameters.parse(';b="2";a=1'))
    assert Parameters(a="1") == {"A": "1"}
    assert Parameters(a="1") == sipmessage.Parameters(a="1")
    assert Parameters(a="1") != Parameters(a="2")
    assert Parameters(a="1") != 1
    assert repr(Parameters(a="1")) == "Parameters({'a': '1'})"


@given(st.dictionaries(TOKENS, TEXTS, max_size=5))
def test_what_is_written_can_be_read(values: dict[str, str | None]):
    parameters = Parameters(values)
    again = Parameters.parse(str(parameters))
    assert again == parameters
    expected = {}
    for name, value in values.items():
        expected[name.lower()] = value
    for name, value in expected.items():
        given = value
        if given is not None and len(given) > 1 and given[0] == given[-1] == '"':
            continue  # taken for a quoted string
        assert again[name] == given


class TestInURIs:
    def test_reading(self):
        parameters = URIParameters.parse(";n%61me=v%61lue%25;lr;x=a:b")
        assert parameters["name"] == "value%"
        assert parameters["lr"] is None
        assert list(parameters) == ["name", "lr", "x"]
        assert str(parameters) == ";n%61me=v%61lue%25;lr;x=a:b"
        assert URIParameters.parse("") == {}

    @pytest.mark.parametrize("text", ["a", ";", ";a b", ";a@b", ";=x", ";a=b?c"])
    def test_not_parameters(self, text: str):
        with pytest.raises(ParseError):
            URIParameters.parse(text)

    def test_writing(self):
        assert str(URIParameters(a="b;c=d e", lr=None)) == ";a=b%3Bc%3Dd%20e;lr"
        assert str(URIParameters.parse(";x=%41").replace(lr=None)) == ";x=%41;lr"
        assert str(URIParameters(a="\r\n")) == ";a=%0D%0A"
        with pytest.raises(InvalidHeaderError):
            URIParameters({"": "x"})

    @given(st.dictionaries(TOKENS, TEXTS, max_size=5))
    def test_what_is_written_can_be_read(self, values: dict[str, str | None]):
        for cls in (URIParameters, URIHeaders):
            written = cls(values)
            assert cls.parse(str(written)) == written
            assert {**written} == {**cls.parse(str(written))}

    def test_headers(self):
        headers = URIHeaders.parse("?Replaces=a%40b%3Bto-tag%3D1&Subject=x&empty=")
        assert headers["replaces"] == "a@b;to-tag=1"
        assert headers["EMPTY"] == ""
        assert list(headers) == ["Replaces", "Subject", "empty"]
        assert str(URIHeaders(Subject="a & b", Replaces="1;2")) == "?Subject=a%20%26%20b&Replaces=1%3B2"
        assert URIHeaders.parse("") == {}
        assert URIHeaders.parse("?") == {}
        for text in ("a=b", "?a b", "?<"):
            with pytest.raises(ParseError):
                URIHeaders.parse(text)
