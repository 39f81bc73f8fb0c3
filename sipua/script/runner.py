"""Running a script in a call."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sipua.errors import CallFailed, InvalidStateError, SipuaError
from sipua.script.stage import Stage, StepFailed

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping

    from sipua.script.base import Step
    from sipua.script.script import Script
    from sipua.session import RTCSession

__all__ = ["Outcome", "StepResult", "run_script"]

Verdict = Literal["passed", "failed", "skipped"]

#: Seconds that an implicit answer may take when nobody says otherwise.
ANSWER_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class StepResult:
    """How one step went."""

    step: Step
    verdict: Verdict
    seconds: float = 0.0
    message: str = ""
    """Why it failed."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a script went: all its steps, also those that its failure left out."""

    script: Script
    results: tuple[StepResult, ...]
    seconds: float
    error: SipuaError | None = None
    """What made a step fail."""

    @property
    def passed(self) -> bool:
        """Whether each step did."""
        return self.failed is None

    @property
    def failed(self) -> StepResult | None:
        """The step that failed: there is one at most."""
        return next((result for result in self.results if result.verdict == "failed"), None)

    def count(self, verdict: Verdict) -> int:
        """Of how many steps it is the verdict."""
        return sum(result.verdict == verdict for result in self.results)

    def __str__(self) -> str:
        failed = self.failed
        if failed is None:
            return f"{self.script.source}: {len(self.results)} steps passed in {self.seconds:.1f} s"
        return f"{self.script.source}:{failed.step.line}: `{failed.step.text}`: {failed.message}"


async def run_script(
    script: Script,
    call: RTCSession,
    *,
    number: int = 1,
    answer_options: Mapping[str, Any] | None = None,
    answer_timeout: float = ANSWER_TIMEOUT,
    dtmf_by: Literal["RFC4733", "INFO", "INBAND"] | None = None,
    chance: random.Random | None = None,
    on_step: Callable[[StepResult], object] = lambda result: None,
    on_stage: Callable[[Stage], object] = lambda stage: None,
) -> Outcome:
    """Run the steps one after the other until one fails. The call is left as it is then; who called us ends it.

    :param call: a call of ours that was just begun, made with `Script.media_options`; or one that has just come in.
    :param number: of the call; from the second on, recordings have it in their names.
    :param answer_options: arguments of `RTCSession.answer`.
    :param answer_timeout: seconds for the answer, where no step of the script waits for it.
    :param dtmf_by: how digits are sent when the step does not say so.
    :param chance: for pauses of random length.
    :param on_step: told of each step when it is over, also of those that are skipped.
    :param on_stage: told of what the steps work with, before the first one: `Stage.move` lets them go on in another
        call.
    :raises CallFailed: the call was not answered, and no step of the script was about that.
    """
    options = {**script.media_options, **(answer_options or {})}
    stage = Stage(
        call,
        script.sounds,
        folder=script.folder,
        number=number,
        answer_options=options,
        dtmf_by=dtmf_by,
        chance=chance,
    )
    on_stage(stage)
    now = asyncio.get_running_loop().time
    began = now()
    results: list[StepResult] = []
    error: SipuaError | None = None

    def note(result: StepResult) -> None:
        results.append(result)
        on_step(result)

    try:
        for index, step in enumerate(script.steps):
            if error is not None:
                note(StepResult(step, "skipped"))
                continue
            started = now()
            try:
                waits = index >= script.before_answer and not (step.ends_call and script.before_answer)
                if waits and not _is_answered(stage.call):
                    await _answered(stage, answer_timeout, explicit=bool(script.before_answer))
                started = now()
                stage.listen()
                await step.run(stage)
            except CallFailed as failure:
                if not script.before_answer and call.start_time is None:
                    raise
                error = failure
            except InvalidStateError as failure:
                # Steps name what the state of the call does not allow; a person wants to know why it is so.
                error = StepFailed(f"the call is over: {stage.ending()}") if stage.is_over else failure
            except (SipuaError, OSError) as failure:
                error = failure if isinstance(failure, SipuaError) else StepFailed(str(failure))
            took = now() - started
            note(
                StepResult(step, "passed", took)
                if error is None
                else StepResult(step, "failed", took, str(error))
            )
        await stage.finished()
    finally:
        stage.close()
    return Outcome(script, tuple(results), now() - began, error)


def _is_answered(call: RTCSession) -> bool:
    return call.start_time is not None and call.is_established()


async def _answered(stage: Stage, timeout: float, *, explicit: bool) -> None:
    """Before the first step that needs it. A call that is over is left to the steps, which say what they make of it."""
    if stage.call.is_ended() and (explicit or stage.call.start_time is not None):
        return
    await stage.answered(timeout)
