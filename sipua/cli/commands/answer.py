"""``sipua answer``: wait for calls and take them, or refuse them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from sipua.cli.account import AccountOptions, account_options
from sipua.cli.audio import AudioOptions, audio_options
from sipua.cli.calls import hang_up, talk
from sipua.cli.exits import ExitCode, Failure, exit_code, one_line
from sipua.cli.options import OutputOptions, Seconds
from sipua.cli.recordings import Recorded
from sipua.cli.report import Board, Report
from sipua.cli.running import Run, execute
from sipua.cli.scripts import Scripting, ScriptOptions, script_options
from sipua.errors import CallFailed, SipuaError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sipua.events import NewRTCSession
    from sipua.session import RTCSession

HELP = """Register, wait for calls, and take them at once; or refuse them with --code.

Runs until Ctrl-C, or until --count calls are over. With several calls each has a recording of its own: FILE,
FILE-2 and so on. The exit code is that of the first call that failed, 0 when none did.
"""

#: Seconds for connecting and registering when no time-out is given.
CONNECT_TIMEOUT = 60.0


@click.command("answer", help=HELP)
@click.option(
    "--timeout",
    type=Seconds(),
    help="Give up when connecting takes longer [default: 60], and when no call comes for so long.",
)
@audio_options
@script_options
@click.option(
    "--code", type=click.IntRange(300, 699), metavar="STATUS", help="Refuse calls: 486 busy, 603 declined …"
)
@click.option("--reason", metavar="TEXT", help="The words that go with --code, instead of the usual ones.")
@click.option("--count", type=click.IntRange(1), metavar="N", help="End after N calls.")
@click.option("--once", is_flag=True, help="End after one call.")
@account_options
def command(
    account: AccountOptions,
    output: OutputOptions,
    timeout: float | None,
    audio: AudioOptions,
    scripting: ScriptOptions,
    code: int | None,
    reason: str | None,
    count: int | None,
    once: bool,
) -> int:
    """Check what can be checked, then wait."""
    if once and count is not None:
        raise click.UsageError("--once and --count: give one of them")
    if reason is not None and code is None:
        raise click.UsageError("--reason: goes with --code")
    if code is not None and scripting.script is not None:
        raise click.UsageError("--code: does not go with --script, which has the step refuse")
    script = scripting.load("incoming", **vars(audio))

    async def work(run: Run) -> int:
        await audio.prepare()
        answering = Answering(run, audio, code=code, reason=reason, count=1 if once else count)
        if script is not None:
            answering.scripted = Scripting(script, scripting, run.output)
        connect = CONNECT_TIMEOUT if timeout is None else timeout
        try:
            ua = run.new_user_agent(account, timeout=connect, register=True)
            ua.on("new_rtc_session", answering.on_call)
            async with run.started(ua, connect):
                run.output.event("waiting", "waiting for calls", uri=str(ua.configuration.uri))
                await answering.wait(timeout)
        finally:
            # Leaving the user agent has ended the calls.
            await answering.finish()
            if answering.scripted is not None:
                answering.scripted.report()
        return answering.code

    return execute(output, work)


class Answering:
    """The calls of one run of the command."""

    def __init__(
        self, run: Run, audio: AudioOptions, *, code: int | None, reason: str | None, count: int | None
    ) -> None:
        self.code = ExitCode.OK
        self.scripted: Scripting | None = None
        """What each call follows; None: the options."""
        self._run = run
        self._audio = audio
        self._refusal = code
        self._reason = reason
        self._left = count
        self._number = 0
        self._board = Board(run.output)
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()

    def on_call(self, event: NewRTCSession) -> None:
        """Take it on; one that comes when there have been enough is refused without a word."""
        if event.originator != "remote":
            return
        if self._left == 0:
            event.session.terminate(status_code=480)
            return
        if self._left is not None:
            self._left -= 1
        self._number += 1
        task = asyncio.ensure_future(self._handle(event.session, self._number))
        self._tasks.add(task)
        task.add_done_callback(self._call_over)
        self._changed.set()

    async def wait(self, timeout: float | None) -> None:
        """Until enough calls have come and are over.

        :raises Failure: no call came for `timeout` seconds.
        """
        while self._left != 0 or self._tasks:
            self._changed.clear()
            try:
                async with asyncio.timeout(None if self._tasks else timeout):
                    await self._changed.wait()
            except TimeoutError:
                raise Failure(f"no call within {timeout:g} s", ExitCode.TIMEOUT) from None

    async def finish(self) -> None:
        """Until everything about calls that are over has been told."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _handle(self, call: RTCSession, number: int) -> None:
        report = Report(self._run.output, self._board, call, number)
        recording = stereo = Recorded(None)
        ends: list[Callable[[], None]] = []
        try:
            if self._refusal is not None:
                call.terminate(status_code=self._refusal, reason_phrase=self._reason)
                return
            recording = self._audio.recording(number)
            stereo = self._audio.stereo_recording(number)
            ends = [recording.finish, stereo.finish]
            self._run.at_abort += ends
            if self.scripted is not None:
                await self._follow(self.scripted, call, number, recording)
                return
            call.answer(**self._audio.media_options(recording))
            async with call:
                stereo.begin(call)
                await talk(call, self._audio, self._run.output, number)
                self._note(hang_up(call))
        except CallFailed as error:
            self._note(exit_code(error))
        except SipuaError as error:
            self._note(exit_code(error))
            text = f"cannot answer: {one_line(error)}"
            self._run.output.event("warning", text, call=number, message=text)
            if not call.is_ended():
                call.terminate(status_code=500)
        finally:
            for made in (recording, stereo):
                await made.finished()
                report.tell_recording(made)
                self._note(made.code)
            for end in ends:
                self._run.at_abort.remove(end)

    async def _follow(self, scripted: Scripting, call: RTCSession, number: int, recording: Recorded) -> None:
        options = self._audio.media_options(recording)
        try:
            await scripted.run(
                call,
                number,
                timeout=CONNECT_TIMEOUT,
                duration=self._audio.duration,
                answer_options=options,
            )
        except Failure as error:
            self._note(error.code)
            self._run.output.log(str(error))
        finally:
            hang_up(call)

    def _note(self, code: ExitCode) -> None:
        if self.code is ExitCode.OK:
            self.code = code

    def _call_over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._changed.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            self._note(ExitCode.FAILED)
            self._run.output.log(one_line(error))
