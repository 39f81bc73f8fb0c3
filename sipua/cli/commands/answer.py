"""``sipua answer``: wait for calls and take them, or refuse them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from sipua.cli.account import AccountOptions, account_options
from sipua.cli.audio import AudioOptions, audio_options
from sipua.cli.conversations import Conversations, refuse_transfers_option
from sipua.cli.exits import ExitCode, Failure, exit_code, one_line
from sipua.cli.following import tell_messages
from sipua.cli.options import OutputOptions, Seconds
from sipua.cli.report import Report
from sipua.cli.running import Run, execute
from sipua.cli.scripts import Scripting, ScriptOptions, script_options
from sipua.errors import CallFailed, SipuaError

if TYPE_CHECKING:
    from sipua.events import NewRTCSession
    from sipua.session import RTCSession

HELP = """Register, wait for calls, and take them at once; or refuse them with --code.

Runs until Ctrl-C, or until --count calls are over. With several calls each has a recording of its own: FILE,
FILE-2 and so on. The exit code is that of the first call that failed, 0 when none did. Text messages that come
meanwhile are shown.
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
@refuse_transfers_option
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
    refuse_transfers: bool,
) -> int:
    """Check what can be checked, then wait."""
    if once and count is not None:
        raise click.UsageError("--once and --count: give one of them")
    if reason is not None and code is None:
        raise click.UsageError("--reason: goes with --code")
    if reason is not None and not reason.isprintable():
        raise click.UsageError(f"--reason {reason!r}: has a character that cannot be in a status line")
    if code is not None and scripting.script is not None:
        raise click.UsageError("--code: does not go with --script, which has the step refuse")
    if code is not None and (unused := audio.given):
        raise click.UsageError(f"--code: no call is taken, so {' and '.join(unused)} would do nothing")
    audio.check_files()
    script = scripting.load("incoming", **vars(audio))

    async def work(run: Run) -> int:
        await audio.prepare(run.output)
        scripted = Scripting(script, scripting, run.output) if script is not None else None
        calls = Conversations(run, audio, scripted=scripted, refuse_transfers=refuse_transfers)
        answering = Answering(run, calls, code=code, reason=reason, count=1 if once else count)
        connect = CONNECT_TIMEOUT if timeout is None else timeout
        try:
            ua = run.new_user_agent(account, timeout=connect, register=True)
            ua.on("new_rtc_session", answering.on_call)
            tell_messages(run.output, ua)
            async with run.started(ua, connect):
                run.output.event("waiting", "waiting for calls", uri=str(ua.configuration.uri))
                with calls.interruptible():
                    await answering.wait(timeout)
        finally:
            # Leaving the user agent has ended the calls.
            await answering.finish()
            if scripted is not None:
                scripted.report()
        return answering.code

    return execute(output, work)


class Answering:
    """The calls of one run of the command."""

    def __init__(
        self, run: Run, calls: Conversations, *, code: int | None, reason: str | None, count: int | None
    ) -> None:
        self.code = ExitCode.OK
        self._run = run
        self._calls = calls
        self._refusal = code
        self._reason = reason
        self._left = count
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()

    def on_call(self, event: NewRTCSession) -> None:
        """Take it on; one that comes when there have been enough is refused without a word."""
        if event.originator != "remote" or self._calls.is_taking_over:
            return
        if self._left == 0:
            event.session.terminate(status_code=480)
            return
        if self._left is not None:
            self._left -= 1
        task = asyncio.ensure_future(self._handle(event.session))
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
        await self._calls.finish()

    async def _handle(self, call: RTCSession) -> None:
        try:
            if self._refusal is not None:
                Report(self._run.output, self._calls.board, call, self._calls.next_number())
                call.terminate(status_code=self._refusal, reason_phrase=self._reason)
                return
            self._note(await self._calls.begin(self._calls.new(), call))
        except CallFailed as error:
            self._note(exit_code(error))  # the call has told it
        except Failure as error:
            self._note(error.code)
            self._run.output.log(one_line(error))
        except SipuaError as error:
            self._note(exit_code(error))
            text = f"cannot answer: {one_line(error)}"
            self._run.output.event("warning", text, message=text)
            if not call.is_ended():
                call.terminate(status_code=500)

    def _note(self, code: ExitCode) -> None:
        if self.code is ExitCode.OK:
            self.code = code

    def _call_over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._changed.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            self._note(ExitCode.FAILED)
            self._run.output.log(one_line(error))
