"""The outcome of scripts as a JUnit report, for CI systems."""

from __future__ import annotations

import datetime
import re
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sipua.script.runner import Outcome

__all__ = ["junit_xml", "write_junit"]

# What XML 1.0 has no place for.
_CONTROLS = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(outcomes: Sequence[Outcome], *, started: datetime.datetime) -> str:
    """One ``testsuite`` for each outcome, with a ``testcase`` for each step.

    :param started: when the first of them began.
    """
    root = ElementTree.Element("testsuites")
    for number, outcome in enumerate(outcomes, 1):
        # Those who show reports take what has one name for one test.
        _suite(root, outcome, started, f" call {number}" if len(outcomes) > 1 else "")
        started += datetime.timedelta(seconds=outcome.seconds)
    for count in ("tests", "failures", "skipped", "errors"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in root)))
    root.set("time", f"{sum(outcome.seconds for outcome in outcomes):.3f}")
    ElementTree.indent(root)
    # Left to itself, the library declares the encoding of the locale.
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _suite(root: ElementTree.Element, outcome: Outcome, started: datetime.datetime, which: str) -> None:
    suite = ElementTree.SubElement(
        root,
        "testsuite",
        name=_clean(outcome.script.source) + which,
        tests=str(len(outcome.results)),
        failures=str(outcome.count("failed")),
        errors="0",
        skipped=str(outcome.count("skipped")),
        time=f"{outcome.seconds:.3f}",
        timestamp=started.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S"),
    )
    classname = _clean(Path(outcome.script.source).stem) + which
    width = len(str(len(outcome.results)))
    for number, result in enumerate(outcome.results, 1):
        case = ElementTree.SubElement(
            suite,
            "testcase",
            classname=classname,
            # The number keeps steps that are written alike apart.
            name=_clean(f"{number:0{width}} {result.step.text}"),
            time=f"{result.seconds:.3f}",
            file=_clean(outcome.script.source),
            line=str(result.step.line),
        )
        if result.verdict == "failed":
            failure = ElementTree.SubElement(
                case, "failure", message=_clean(result.message), type=_kind(outcome)
            )
            failure.text = _clean(
                f"{outcome.script.source}:{result.step.line}: {result.step.text}\n{result.message}"
            )
        elif result.verdict == "skipped":
            ElementTree.SubElement(case, "skipped", message="a step before it failed")


def _kind(outcome: Outcome) -> str:
    """What kind of failure it was, by the name of its exception."""
    return type(outcome.error).__name__ if outcome.error is not None else "StepFailed"


def _clean(text: str) -> str:
    return _CONTROLS.sub("\ufffd", text)


def write_junit(path: Path, outcomes: Sequence[Outcome], *, started: datetime.datetime) -> None:
    """Write the report to a file.

    :raises OSError: it cannot be written.
    """
    path.write_text(junit_xml(outcomes, started=started), encoding="utf-8")
