from __future__ import annotations

import click
import pytest

from sipua.cli.options import Codec, Digits, Header, Seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30", 30.0), ("1.5", 1.5), ("90s", 90.0), ("2m", 120.0), ("1 h", 3600.0), (".5", 0.5)],
)
def test_seconds(text: str, seconds: float) -> None:
    assert Seconds().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "0", "-1", "x", "1d", "nan", "inf", "1:30"])
def test_not_seconds(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is not a time; it looks like 30"):
        Seconds().convert(text, None, None)


def test_header() -> None:
    assert Header().convert("X-Case: 42: a", None, None) == "X-Case: 42: a"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("nonsense", "it looks like"),
        (": x", "it looks like"),
        ("X-A: 1\r\nX-B: 2", "X-A"),
        ("Via: x", "not the application's"),
        ("X Y: 1", "X Y"),
    ],
)
def test_not_a_header(text: str, why: str) -> None:
    with pytest.raises(click.BadParameter, match=why):
        Header().convert(text, None, None)


def test_digits() -> None:
    assert Digits().convert("79,,1# a", None, None) == "79,,1#A"
    with pytest.raises(click.BadParameter, match="12E"):
        Digits().convert("12E", None, None)
    with pytest.raises(click.BadParameter):
        Digits().convert("", None, None)


def test_codec_in_any_case() -> None:
    assert Codec().convert("pcmu", None, None) == "PCMU"
    assert Codec().convert("Opus", None, None) == "opus"
    with pytest.raises(click.BadParameter, match="g729"):
        Codec().convert("g729", None, None)
