"""The report: what it says, that it is one file, that it shows no password."""

from __future__ import annotations

import datetime
import json
import re
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest

from sipua.load.figures import Figures
from sipua.load.plan import Plan, Slope
from sipua.load.report import LoadReport
from sipua.load.svg import Line, bar_chart, line_chart
from sipua.load.thresholds import parse_threshold

STARTED = datetime.datetime(2024, 5, 6, 7, 8, 9, tzinfo=datetime.UTC)


def figures(calls: int = 50) -> Figures:
    made = Figures()
    for number in range(calls):
        made.call_started(number / 10)
        made.call_answered(number / 10, 0.02 + number / 1000)
        made.call_over(number / 10 + 1, "486 Busy <Here>" if number % 10 == 0 else None, 1.0, None)
    return made


def report(made: Figures | None = None, *thresholds: str, **plan: Any) -> LoadReport:
    options: dict[str, Any] = {"slopes": (Slope(10, 10, 5.0),), **plan}
    return LoadReport(
        Plan("sip:alice@example.com", {"password": "topsecret"}, ("600",), **options),
        figures() if made is None else made,
        STARTED,
        6.0,
        [parse_threshold(text) for text in thresholds],
        ["broken off <early>"],
    )


class Page(HTMLParser):
    """Notes tags, checks that they are closed, and looks for what comes from elsewhere."""

    VOID = frozenset({"meta"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.outside: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.outside += [
            f"{tag} {name}" for name, _ in attrs if name in ("src", "href", "xlink:href", "srcset")
        ]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_the_page() -> None:
    text = report(None, "p99>500ms", "failed>1%", script="dtmf 1 <x>").html()
    page = Page(text)
    assert page.open == []
    assert page.outside == []
    assert "script" not in page.tags
    assert "url(" not in text
    assert "@import" not in text
    assert "topsecret" not in text
    assert page.tags.count("svg") == 4
    words = " ".join(page.words)
    for expected in (
        "FAILED",
        "486 Busy <Here>",
        "broken off <early>",
        "dtmf 1 <x>",
        "p99>500ms",
        "not kept",
        "10.00 %",
    ):
        assert expected in words, expected
    for svg in re.findall(r"<svg.*?</svg>", text, re.S):
        ElementTree.fromstring(svg)


def test_a_page_of_nothing() -> None:
    page = Page(report(Figures(), media=True).html())
    assert page.open == []
    assert page.tags.count("svg") == 4


def test_json() -> None:
    text = report(None, "p50>1ms").json()
    assert "topsecret" not in text
    found = json.loads(text)
    assert found["schema"] == "sipua-load/1"
    assert found["calls"]["started"] == 50
    assert found["causes"] == {"486 Busy <Here>": 5}
    assert found["thresholds"] == [
        {"text": "p50>1ms", "value": pytest.approx(0.0445, rel=0.02), "broken": True}
    ]
    assert found["setup"]["count"] == 50
    assert [second["started"] for second in found["seconds"]] == [10, 10, 10, 10, 10, 0]
    assert found["media"] is None
    json.loads(report(None, slopes=(Slope(1, 1, float("inf")),)).json(), parse_constant=pytest.fail)


def test_when_it_passes() -> None:
    assert report(None, "failed>20%").passed
    assert not report(None, "failed>20%", "failed>5%").passed
    assert report().passed
    nothing_worked = Figures()
    nothing_worked.call_started(0)
    nothing_worked.call_over(1, "404 Not Found", None, None)
    assert not report(nothing_worked).passed


def test_charts_with_gaps_and_without_anything() -> None:
    gaps = line_chart("t", [Line("a", "a", [(0, 1.0), (1, None), (2, 3.0)])], x_label="x", y_label="y")
    assert gaps.count("M") == 2
    for svg in (line_chart("t", [], x_label="x", y_label="y"), bar_chart("t", [], x_label="x", y_label="y")):
        ElementTree.fromstring(svg.partition("<p")[0])
