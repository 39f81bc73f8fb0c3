"""``sipua register``: whether an account works, and keeping it reachable."""

from __future__ import annotations

import asyncio

import click

from sipua.cli.account import AccountOptions, account_options
from sipua.cli.exits import ExitCode
from sipua.cli.following import tell_messages
from sipua.cli.options import OutputOptions, duration_option, timeout_option
from sipua.cli.running import Run, execute, wait_at_most
from sipua.events import Cause, RegistrationFailed

HELP = """Register, say what the server granted, and unregister again.

With --duration the registration is kept up for so long, with --keep until Ctrl-C. Text messages that come
meanwhile are shown; calls are told that nobody is there (sipua answer takes them).
"""


@click.command("register", help=HELP)
@timeout_option("Give up when connecting and registering takes longer.")
@duration_option("Stay registered for so long.")
@click.option("--keep", is_flag=True, help="Stay registered until Ctrl-C.")
@click.option(
    "--expires",
    type=click.IntRange(1, 2**31 - 1),
    metavar="SECONDS",
    help="Ask the server to keep each registration for so long [default: what the account says, or 600].",
)
@account_options
def command(
    account: AccountOptions,
    output: OutputOptions,
    timeout: float,
    duration: float | None,
    keep: bool,
    expires: int | None,
) -> int:
    """Register, stay, unregister."""
    if keep and duration is not None:
        raise click.UsageError("--keep and --duration: give one of them")

    async def work(run: Run) -> int:
        asked = {} if expires is None else {"register_expires": expires}
        ua = run.new_user_agent(account, timeout=timeout, register=True, **asked)
        tell_messages(run.output, ua)
        async with run.started(ua, timeout):
            refused = asyncio.Event()

            def failed(event: RegistrationFailed) -> None:
                if event.retry_after is None and event.cause is not Cause.CONNECTION_ERROR:
                    refused.set()

            ua.on("registration_failed", failed)
            if keep or duration is not None:
                await wait_at_most(refused, duration)
            return ExitCode.OK if ua.is_registered() else ExitCode.FAILED

    return execute(output, work)
