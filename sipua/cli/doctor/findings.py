"""What an examination finds, and how it is told."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from sipua.cli.exits import ExitCode, Failure, exit_code, one_line

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from sipua.cli.output import Output

__all__ = ["Examination", "Finding", "Wrong", "for_commands", "in_words", "ok", "warning"]

State = Literal["ok", "warning", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check has found. `remedy` is what to do, where something is to be done."""

    state: State
    detail: str
    remedy: str = ""
    code: ExitCode = ExitCode.OK
    """What the command ends with if this is the first thing that is wrong."""


class Wrong(Exception):
    """A check has failed."""

    def __init__(self, detail: str, remedy: str, code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(detail)
        self.finding = Finding("failed", detail, remedy, code)


def ok(detail: str) -> Finding:
    """All is well."""
    return Finding("ok", detail)


def warning(detail: str, remedy: str) -> Finding:
    """It works, with a fault."""
    return Finding("warning", detail, remedy)


def in_words(error: OSError) -> str:
    """What the system says, without its numbers."""
    if error.errno:
        return os.strerror(error.errno).lower()
    return str(error) or ("no answer" if isinstance(error, TimeoutError) else "it hung up")


def for_commands(text: str) -> str:
    """A remedy of the library in the words of the command line."""
    return one_line(Failure(text))


#: What stands before the lines, and what does where the output takes ASCII only.
_MARKS: dict[State, tuple[str, str]] = {
    "ok": ("✓", "ok  "),
    "warning": ("!", "warn"),
    "failed": ("✗", "FAIL"),
    "skipped": ("–", "skip"),
}
_STYLES: dict[State, str] = {"ok": "green", "warning": "yellow", "failed": "red", "skipped": "bright_black"}


@dataclass(slots=True)
class Examination:
    """Runs checks one after the other and tells each of them."""

    output: Output
    timeout: float
    """Seconds for each check."""
    findings: list[Finding] = field(default_factory=list)

    async def check(
        self, name: str, target: str, work: Awaitable[Finding], *, began: float | None = None
    ) -> bool:
        """Wait for `work`, tell what it found; returns whether what comes next makes sense.

        :param began: when, by `time.monotonic`, if it is under way already.
        """
        self.output.live([f"… {name} {target}"])
        began = time.monotonic() if began is None else began
        try:
            # Most know better than this what it is that took too long.
            finding = await asyncio.wait_for(work, self.timeout + 1.0)
        except Wrong as wrong:
            finding = wrong.finding
        except TimeoutError:
            remedy = "try again, or wait longer with --timeout"
            finding = Finding("failed", f"no end within {self.timeout:g} s", remedy, ExitCode.TIMEOUT)
        except Exception as error:  # noqa: BLE001 - told: the other checks have to go on
            finding = Finding("failed", one_line(error), "", exit_code(error))
        self._tell(name, target, finding, time.monotonic() - began)
        return finding.state in ("ok", "warning")

    def skip(self, name: str, target: str, why: str) -> None:
        """Tell that a check makes no sense."""
        self._tell(name, target, Finding("skipped", why), None)

    def note(self, name: str, target: str, finding: Finding) -> None:
        """Tell something that needed no time."""
        self._tell(name, target, finding, None)

    def _tell(self, name: str, target: str, finding: Finding, seconds: float | None) -> None:
        self.output.live(())
        self.findings.append(finding)
        mark = _MARKS[finding.state][0 if self.output.unicode else 1]
        took = f" ({1000 * seconds:.0f} ms)" if seconds is not None else ""
        where = f"{target}: " if target else ""
        self.output.text(f"{mark} {name:<11} {where}{finding.detail}{took}", _STYLES[finding.state])
        if finding.remedy:
            arrow = "→" if self.output.unicode else "->"
            self.output.text(f"{' ' * (len(mark) + 13)}{arrow} {finding.remedy}", "bold")
        self.output.event(
            "check",
            None,
            check=name,
            target=target,
            state=finding.state,
            detail=finding.detail,
            remedy=finding.remedy or None,
            seconds=round(seconds, 6) if seconds is not None else None,
        )

    def conclude(self) -> ExitCode:
        """Tell the result; returns the exit code: that of the first thing that is wrong."""
        failed = [finding for finding in self.findings if finding.state == "failed"]
        warned = [finding for finding in self.findings if finding.state == "warning"]
        code = failed[0].code if failed else ExitCode.OK
        if failed:
            text = f"{_count(len(failed), 'thing is', 'things are')} wrong; begin with the first one"
        elif warned:
            text = f"it works, with {_count(len(warned), 'thing', 'things')} to look at"
        else:
            text = "all is well"
        self.output.event("diagnosis", text, failed=len(failed), warnings=len(warned), exit_code=int(code))
        return code


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
