"""``sipua message``: a text message outside of calls."""

from __future__ import annotations

import sys

import click

from sipua.cli.account import AccountOptions, account_options
from sipua.cli.exits import ExitCode
from sipua.cli.options import OutputOptions, header_option, register_option, timeout_option
from sipua.cli.requests import send
from sipua.cli.running import Run, execute

HELP = """Send TEXT to TARGET as a MESSAGE (RFC 3428); without TEXT, what comes on standard input.

The exit code is 0 when somebody took it, which may be a server that keeps it until it can be delivered (202).
"""

#: Bytes that are read from standard input: longer texts do not belong into a request.
LIMIT = 60_000


@click.command("message", help=HELP)
@click.argument("target")
@click.argument("text", required=False)
@timeout_option("Give up when connecting, or the answer, takes longer.")
@click.option(
    "--content-type", default="text/plain", show_default=True, metavar="TYPE", help="What the text is."
)
@header_option
@register_option
@account_options
def command(
    target: str,
    text: str | None,
    account: AccountOptions,
    output: OutputOptions,
    timeout: float,
    content_type: str,
    header: tuple[str, ...],
    register: bool,
) -> int:
    """Send it, wait for the answer."""
    body = text if text is not None else _read()

    async def work(run: Run) -> int:
        ua = run.new_user_agent(account, timeout=timeout, register=register)
        ua.normalize_target(target)  # before anybody is bothered
        async with run.started(ua, timeout):
            message = ua.send_message(target, body, content_type=content_type, extra_headers=header)
            answer = await send(run, message, timeout)
        if answer.failure is not None:
            raise answer.failure
        return ExitCode.OK

    return execute(output, work)


def _read() -> str:
    if sys.stdin.isatty():
        raise click.UsageError("Missing argument 'TEXT'; or give it on standard input")
    text = sys.stdin.read(LIMIT + 1)
    if not text:
        raise click.UsageError("standard input: is empty; there is nothing to send")
    if len(text) > LIMIT:
        raise click.UsageError(f"standard input: more than {LIMIT} characters; send it in parts")
    return text
