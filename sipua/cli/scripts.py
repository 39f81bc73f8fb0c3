"""Calls that follow a script: ``--script`` and ``--junit``."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from sipua.cli.exits import ExitCode, Failure, exit_code, file_trouble
from sipua.cli.options import FILE, gather
from sipua.errors import CallFailed, SipuaError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from sipua.cli.output import Output
    from sipua.cli.tasks import DtmfBy
    from sipua.script import Outcome, Script, StepResult
    from sipua.script.stage import Stage
    from sipua.session import RTCSession

F = TypeVar("F", bound="Callable[..., Any]")

#: The options of a call that a script has steps for.
_STEPS = (
    *("play", "loop", "say", "tone", "mic", "echo", "record_stereo"),
    *("dtmf", "expect_dtmf", "expect_tone", "hold_after", "transfer"),
)


@dataclass(frozen=True, kw_only=True)
class ScriptOptions:
    """Which script to follow, if any, and where to write how it went."""

    script: Path | None = None
    junit: Path | None = None

    def load(self, direction: Literal["incoming", "outgoing"], **others: Any) -> Script | None:
        """The script, checked as far as that can be done before a call; None: there is none.

        :param others: the other options, by their names: what a script has steps for does not go with one.
        :raises click.UsageError: options that do not go together.
        :raises Failure: a script that cannot be run; with line, column and remedy.
        """
        from sipua.script import ScriptError, load_script, parse_script

        if self.script is None:
            if self.junit is not None:
                raise click.UsageError("--junit: goes with --script")
            return None
        for name in _STEPS:
            if others.get(name) not in (None, False, ()):
                option = f"--{name.replace('_', '-')}"
                raise click.UsageError(f"{option}: does not go with --script, which has steps for it")
        self._check_report()
        try:
            if str(self.script) == "-":
                script = parse_script(sys.stdin.read(), "standard input")
            else:
                script = load_script(self.script)
            script.check(direction)
        except ScriptError as error:
            raise Failure(str(error), ExitCode.USAGE) from None
        return script

    def _check_report(self) -> None:
        path = self.junit.expanduser().absolute() if self.junit is not None else None
        if path is None:
            return
        if not path.parent.is_dir():
            raise click.UsageError(f"--junit {self.junit}: there is no such directory")
        if str(self.junit) == "-" or path.is_dir():
            what = "standard output has the steps" if str(self.junit) == "-" else "is a directory"
            raise click.UsageError(f"--junit {self.junit}: {what}; name a file")


_OPTIONS = (
    click.option(
        "--script",
        type=FILE,
        metavar="FILE",
        help="Follow the steps in FILE (see docs/scripts.md), then hang up; - is standard input.",
    ),
    click.option(
        "--junit", type=FILE, metavar="FILE", help="Write how the script went to FILE, as JUnit has it."
    ),
)


def script_options(function: F) -> F:
    """Add ``--script`` and ``--junit``; the function gets them as `scripting`."""
    return gather(function, ScriptOptions, "scripting", _OPTIONS)


class Scripting:
    """The script of one run of a command, and how it went in each call."""

    def __init__(self, script: Script, options: ScriptOptions, output: Output) -> None:
        self.script = script
        self._options = options
        self._output = output
        self._began = datetime.datetime.now(datetime.UTC)
        self._outcomes: list[Outcome] = []
        self._running: set[asyncio.Timeout] = set()
        self._interrupted = False

    async def run(
        self,
        call: RTCSession,
        number: int = 1,
        *,
        timeout: float,
        duration: float | None,
        dtmf_by: DtmfBy = None,
        answer_options: dict[str, Any] | None = None,
        on_stage: Callable[[Stage], object] = lambda stage: None,
    ) -> None:
        """Follow the script in a call that was just begun, or has just come in.

        :param timeout: seconds for the answer, where the script says nothing of it.
        :param duration: seconds for all of it; None: as long as it takes.
        :param on_stage: told of what the steps work with.
        :raises CallFailed: the call was not answered, and the script was not about that.
        :raises Failure: a step failed, or it took too long.
        """
        from sipua.script import Outcome, StepResult, run_script

        told: list[StepResult] = []
        now = asyncio.get_running_loop().time
        began = last = now()

        def on_step(result: StepResult) -> None:
            nonlocal last
            last = now()
            told.append(result)
            self._tell(result, number)

        def broken_off(why: str, error: SipuaError | None = None) -> None:
            """What was not done yet: the first of it has failed, the others are skipped."""
            for step in self.script.steps[len(told) :]:
                if all(result.verdict == "passed" for result in told):
                    on_step(StepResult(step, "failed", now() - last, why))
                else:
                    on_step(StepResult(step, "skipped"))
            self._outcomes.append(Outcome(self.script, tuple(told), now() - began, error))

        try:
            async with self._limited(duration):
                outcome = await run_script(
                    self.script,
                    call,
                    number=number,
                    answer_options=answer_options,
                    answer_timeout=timeout,
                    dtmf_by=dtmf_by,
                    on_step=on_step,
                    on_stage=on_stage,
                )
        except CallFailed as error:
            broken_off(str(error), error)
            raise
        except TimeoutError:
            why = "interrupted" if self._interrupted else f"not done within {duration:g} s (--duration)"
            broken_off(why)
            code = ExitCode.INTERRUPTED if self._interrupted else ExitCode.TIMEOUT
            raise Failure(f"{self.script.source}: {why}", code) from None
        self._outcomes.append(outcome)
        if not outcome.passed:
            cause = outcome.error
            code = exit_code(cause) if isinstance(cause, CallFailed) else ExitCode.FAILED
            raise Failure(str(outcome), code)

    @contextlib.asynccontextmanager
    async def _limited(self, seconds: float | None) -> AsyncIterator[None]:
        """No longer than so many seconds, and until it is interrupted: then there is a `TimeoutError`."""
        async with asyncio.timeout(seconds) as limit:
            self._running.add(limit)
            try:
                yield
            finally:
                self._running.discard(limit)

    def interrupt(self) -> None:
        """Break off the scripts that run: the step that each is at has failed."""
        self._interrupted = True
        for limit in self._running:
            limit.reschedule(asyncio.get_running_loop().time())

    def report(self) -> None:
        """Write the JUnit report, if there is to be one.

        :raises Failure: it cannot be written.
        """
        if self._options.junit is None:
            return
        from sipua.script import write_junit

        path = self._options.junit.expanduser()
        try:
            write_junit(path, self._outcomes, started=self._began)
        except OSError as error:
            raise Failure(f"--junit {path}: {file_trouble(error)}") from None

    def _tell(self, result: StepResult, number: int) -> None:
        step, message = result.step, result.message
        text = {
            "passed": f"ok       {step.text} ({result.seconds:.1f} s)",
            "failed": f"failed   {step.text}: {message}",
            "skipped": f"skipped  {step.text}",
        }[result.verdict]
        self._output.event(
            "step",
            text,
            call=number,
            line=step.line,
            step=step.text,
            verdict=result.verdict,
            seconds=round(result.seconds, 3),
            message=message or None,
        )
