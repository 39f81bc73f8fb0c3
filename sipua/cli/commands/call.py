"""``sipua call``: call somebody, do something in the call, hang up."""

from __future__ import annotations

from typing import Literal

import click

from sipua.cli.account import AccountOptions, account_options
from sipua.cli.audio import AudioOptions, audio_options
from sipua.cli.calls import hang_up, refused, talk
from sipua.cli.options import Digits, Header, OutputOptions, timeout_option
from sipua.cli.report import Board, Report
from sipua.cli.running import Run, execute
from sipua.errors import CallFailed

HELP = """Call TARGET: a number or name at our own domain, or a SIP address.

The call ends when the peer hangs up, after --duration, when the file of --play has been heard, or with
Ctrl-C. A call that was answered and ended in one of these ways is a success (exit code 0).
"""


@click.command("call", help=HELP)
@click.argument("target")
@account_options
@timeout_option("Give up when connecting, or ringing, takes longer.")
@audio_options
@click.option("--dtmf", type=Digits(), help="Send these digits after the answer; a comma waits 2 s.")
@click.option(
    "--dtmf-by",
    type=click.Choice(["RFC4733", "INFO", "INBAND"], case_sensitive=False),
    help="How to send them; without it: RFC4733 when the peer takes it, else INFO.",
)
@click.option("--header", type=Header(), multiple=True, help="Add this header to the call request.")
@click.option("--anonymous", is_flag=True, help="Do not tell the peer who calls.")
@click.option("--register", is_flag=True, help="Register first, for servers that want that.")
def command(
    target: str,
    account: AccountOptions,
    output: OutputOptions,
    timeout: float,
    audio: AudioOptions,
    dtmf: str | None,
    dtmf_by: Literal["RFC4733", "INFO", "INBAND"] | None,
    header: tuple[str, ...],
    anonymous: bool,
    register: bool,
) -> int:
    """Check what can be checked, then call."""

    async def work(run: Run) -> int:
        audio.check()
        recording = audio.recording()
        run.at_abort.append(recording.finish)
        report: Report | None = None
        try:
            ua = run.new_user_agent(account, timeout=timeout, register=register)
            ua.normalize_target(target)  # before anybody is bothered
            async with run.started(ua, timeout):
                call = ua.call(
                    target,
                    extra_headers=header,
                    anonymous=anonymous,
                    no_answer_timeout=timeout,
                    **audio.media_options(recording),
                )
                report = Report(run.output, Board(run.output), call)
                try:
                    await call.wait_confirmed()
                except CallFailed as error:
                    raise refused(call, error) from None
                await talk(call, audio, dtmf=dtmf, dtmf_by=dtmf_by)
                code = hang_up(call)
        finally:
            if report is not None:
                report.tell_recording(recording)
        return code or recording.code

    return execute(output, work)
