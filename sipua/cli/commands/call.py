"""``sipua call``: call somebody, do something in the call, hang up."""

from __future__ import annotations

import asyncio

import click

from sipua.cli.account import AccountOptions, account_options
from sipua.cli.audio import AudioOptions, audio_options
from sipua.cli.conversations import Conversations, refuse_transfers_option
from sipua.cli.options import Header, OutputOptions, timeout_option
from sipua.cli.running import Run, execute
from sipua.cli.scripts import Scripting, ScriptOptions, script_options
from sipua.cli.tasks import TaskOptions, task_options

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
@refuse_transfers_option
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
    refuse_transfers: bool,
) -> int:
    """Check what can be checked, then call."""
    tasks.check(duration=audio.duration)
    audio.check_files()
    script = scripting.load("outgoing", **vars(audio), **vars(tasks))

    async def work(run: Run) -> int:
        from sipua.ua.targets import request_target

        await audio.prepare(run.output)
        scripted = Scripting(script, scripting, run.output) if script is not None else None
        calls = Conversations(
            run,
            audio,
            tasks,
            scripted=scripted,
            timeout=timeout,
            refuse_transfers=refuse_transfers,
            call_options={"anonymous": anonymous},
        )
        first = calls.new()
        options = first.options | (script.media_options if script is not None else {})
        try:
            calls.ua = ua = run.new_user_agent(account, timeout=timeout, register=register)
            request_target(target, ua.configuration.uri)  # before anybody is bothered
            if tasks.transfer is not None:
                ua.normalize_target(tasks.transfer)
            async with run.started(ua, timeout):
                call = ua.call(
                    target, extra_headers=header, no_answer_timeout=timeout, **calls.call_options, **options
                )
                # Leaving the user agent ends the call, and so this.
                with calls.interruptible():
                    return await asyncio.shield(calls.begin(first, call))
        finally:
            await calls.finish()
            if scripted is not None:
                scripted.report()

    return execute(output, work)
