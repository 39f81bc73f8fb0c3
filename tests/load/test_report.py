"""The report: what it says, that it is one file, that it shows no password."""

from __future__ import annotations

import dataclasses
import datetime
import json
import re
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest

from sipua.load.charts import MOST_POINTS, charts
from sipua.load.figures import Figures
from sipua.load.plan import Plan, Slope
from sipua.load.report import LoadReport
from sipua.load.svg import Line, bar_chart, line_chart, step_chart
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
    assert not report().passed
    all_worked = Figures()
    all_worked.call_started(0)
    all_worked.call_over(1, None, 1.0, None)
    assert report(all_worked).passed
    assert not dataclasses.replace(report(all_worked), faults=["process 1 of the test was killed"]).passed
    assert not report(Figures()).passed
    assert not report(Figures(), "failed>0").passed


def test_what_else_there_is_to_know() -> None:
    made = figures()
    made.disconnects = 2
    found = dataclasses.replace(report(made), faults=["process 1 of the test was killed (SIGKILL)"])
    assert found.all_notes == [
        "broken off <early>",
        "process 1 of the test was killed (SIGKILL)",
        "a connection to the server was lost, 2 times",
    ]
    assert found.as_dict()["notes"] == found.all_notes
    assert "was killed (SIGKILL)" in found.html()
    assert report(Figures()).all_notes[-1] == "no call was made"


def test_several_accounts() -> None:
    found = report(None, others=(("sip:bob@example.com", {"password": "topsecret"}),), agents=2)
    assert "sip:alice@example.com and 1 other call: 10/s; " in found.html()
    assert "2 connections per account" in found.html()
    assert found.as_dict()["plan"]["accounts"] == 2
    assert "topsecret" not in found.html() + found.json()


def test_the_mean_rate_is_that_of_the_time_in_which_calls_were_begun() -> None:
    assert report().rate == pytest.approx(10)  # 50 calls in 5 s, though the last one ended after 6 s


def test_the_quality_of_the_audio() -> None:
    made = figures()
    for mos in (4.4, 4.4, 3.1):
        made.mos.add(mos)
    page = Page(report(made, media=True).html())
    words = " ".join(page.words)
    assert "MOS (estimated, G.107) 3.97" in words
    assert "Distribution of MOS" in words
    assert page.tags.count("svg") == 5


def test_a_long_test_has_no_more_points_than_can_be_seen() -> None:
    made = Figures()
    for second in range(86_400):
        made.call_started(second)
        made.call_over(second, None, 1.0, None)
    found = charts(made, media=False)
    assert found["Calls per second"].count("H") <= 2 * MOST_POINTS
    assert "hours since the first call" in found["Calls at once"]
    # One call each second, however many seconds one point stands for.
    assert ">1</text>" in found["Calls per second"]
    assert ">2</text>" not in found["Calls per second"].partition("hours")[0].partition("tick middle")[0]


def test_charts_with_gaps_and_without_anything() -> None:
    labels = {"x_label": "x", "y_label": "y"}
    points = [(0, 1.0), (1, None), (2, 3.0), (3, 2.0)]
    lines = [Line("a", "a", points)]
    assert line_chart("t", lines, 3.0, **labels).count("<circle") == 1
    assert step_chart("t", lines, 4.0, 1.0, **labels).count("M") == 2
    for svg in (
        line_chart("t", [], 1.0, **labels),
        step_chart("t", [], 1.0, 1.0, **labels),
        bar_chart("t", [], 0.0, 1.0, **labels),
    ):
        ElementTree.fromstring(svg.partition("<p")[0])


def test_what_is_counted_has_no_halves_on_its_axis() -> None:
    one = line_chart("t", [Line("a", "a", [(0, 1.0), (4, 0.0)])], 4.0, x_label="x", y_label="y")
    assert "0.5" not in re.findall(r"tick end[^>]*>([^<]*)<", one)
