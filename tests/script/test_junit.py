from __future__ import annotations

import datetime
from pathlib import Path
from xml.etree import ElementTree

from sipua.script import Outcome, StepResult, junit_xml, parse_script, write_junit

STARTED = datetime.datetime(2024, 5, 6, 9, 8, 7, tzinfo=datetime.timezone(datetime.timedelta(hours=2)))


def outcome() -> Outcome:
    script = parse_script('dtmf 1\nexpect tone 440 within 2s\nplay "<&>.wav"', "ivr/menu.txt")
    first, second, third = script.steps
    results = (
        StepResult(first, "passed", 0.25),
        StepResult(second, "failed", 2.0, "not within 2 s \x00 <&>"),
        StepResult(third, "skipped"),
    )
    return Outcome(script, results, 2.25)


def test_what_ci_systems_read(tmp_path: Path) -> None:
    write_junit(tmp_path / "r.xml", [outcome(), outcome()], started=STARTED)
    root = ElementTree.parse(tmp_path / "r.xml").getroot()
    assert root.tag == "testsuites"
    assert {name: root.get(name) for name in ("tests", "failures", "skipped", "errors", "time")} == {
        "tests": "6",
        "failures": "2",
        "skipped": "2",
        "errors": "0",
        "time": "4.500",
    }
    suite = root[0]
    assert (suite.get("name"), suite.get("timestamp")) == ("ivr/menu.txt call 1", "2024-05-06T07:08:07")
    assert root[1].get("timestamp") == "2024-05-06T07:08:09"
    assert [(case.get("classname"), case.get("name"), case.get("line")) for case in suite] == [
        ("menu call 1", "1 dtmf 1", "1"),
        ("menu call 1", "2 expect tone 440 within 2s", "2"),
        ("menu call 1", '3 play "<&>.wav"', "3"),
    ]
    names = [(case.get("classname"), case.get("name")) for suite in root for case in suite]
    assert len(set(names)) == 6
    alone = ElementTree.fromstring(junit_xml([outcome()], started=STARTED))[0]
    assert (alone.get("name"), alone[0].get("classname")) == ("ivr/menu.txt", "menu")
    failure = suite[1][0]
    assert failure.tag == "failure"
    assert failure.get("message") == "not within 2 s \ufffd <&>"
    assert (failure.text or "").startswith("ivr/menu.txt:2: expect tone 440")
    assert suite[2][0].tag == "skipped"


def test_text_and_summary() -> None:
    assert junit_xml([], started=STARTED).startswith('<?xml version="1.0" encoding="UTF-8"?>\n<testsuites ')
    assert str(outcome()) == "ivr/menu.txt:2: `expect tone 440 within 2s`: not within 2 s \x00 <&>"
