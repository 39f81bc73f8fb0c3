"""``sipua call``: call somebody, do something in the call, hang up."""

from __future__ import annotations

import click

from sipua.cli.account import AccountOptions, account_options
from sipua.cli.audio import AudioOptions, audio_options
from sipua.cli.calls import hang_up, refused, talk
from sipua.cli.exits import ExitCode
from sipua.cli.options import Header, OutputOptions, timeout_option
from sipua.cli.report import Board, Report
from sipua.cli.running import Run, execute
from sipua.cli.scripts import Scripting, ScriptOptions, script_options
from sipua.cli.tasks import TaskOptions, task_options
from sipua.errors import CallFailed

HELP = """Call TARGET: a number or name at our own domain, or a SIP address.

The call ends when the peer hangs up, after --duration, when the file of --play was heard, what is expected came
or the transfer is done, or with Ctrl-C. A call that was answered and ended in one of these ways is a success (exit
code 0); one in which something expected did not come is a failure (1).
"""


@click.command("call", help=HELP)
@click.argument("target")
@timeout_option("Give up when connecting, or ringing, takes longer.")
@audio_options
@task_options
@script_options
@click.option("--header", type=Header(), multiple=True, help="Add this header to the call request.")
@click.option("--anonymous", is_flag=True, help="Do not tell the peer who calls.")
@click.option("--register", is_flag=True, help="Register first, for servers that want that.")
@account_options
def command(
    target: str,
    account: AccountOptions,
    output: OutputOptions,
    timeout: float,
    audio: AudioOptions,
    tasks: TaskOptions,
    scripting: ScriptOptions,
    header: tuple[str, ...],
    anonymous: bool,
    register: bool,
) -> int:
    """Check what can be checked, then call."""
    script = scripting.load("outgoing", **vars(audio), **vars(tasks))

    async def work(run: Run) -> int:
        await audio.prepare()
        recording, stereo = audio.recording(), audio.stereo_recording()
        scripted = Scripting(script, scripting, run.output) if script is not None else None
        run.at_abort += [recording.finish, stereo.finish]
        report: Report | None = None
        code = ExitCode.OK
        try:
            ua = run.new_user_agent(account, timeout=timeout, register=register)
            for whom in filter(None, (target, tasks.transfer)):
                ua.normalize_target(whom)  # before anybody is bothered
            async with run.started(ua, timeout):
                call = ua.call(
                    target,
                    extra_headers=header,
                    anonymous=anonymous,
                    no_answer_timeout=timeout,
                    **audio.media_options(recording),
                    **(script.media_options if script is not None else tasks.media_options()),
                )
                report = Report(run.output, Board(run.output), call)
                try:
                    if scripted is not None:
                        await scripted.run(
                            call, timeout=timeout, duration=audio.duration, dtmf_by=tasks.dtmf_by
                        )
                        hang_up(call)  # how it ended is what the script expects, or does not care about
                    else:
                        await call.wait_confirmed()
                        stereo.begin(call)
                        await talk(call, audio, run.output, tasks=tasks)
                        code = hang_up(call)
                except CallFailed as error:
                    raise refused(call, error) from None
        finally:
            if scripted is not None:
                scripted.report()
            await recording.finished()
            await stereo.finished()
            if report is not None:
                report.tell_recording(recording)
                report.tell_recording(stereo)
        return code or recording.code or stereo.code

    return execute(output, work)
