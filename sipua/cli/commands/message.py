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
sipua register --keep and sipua phone show the messages that come.
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
    body = _checked(text) if text is not None else _read()
    _check_type(content_type)

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


def _check_type(content_type: str) -> None:
    from sipua.sip import MediaType, ParseError

    try:
        MediaType.parse(content_type)
    except ParseError:
        raise click.UsageError(
            f"--content-type {content_type}: not a media type such as text/plain"
        ) from None


def _checked(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise click.UsageError(f"TEXT: character {error.start + 1} is not UTF-8") from None
    return text


def _read() -> str:
    if sys.stdin.isatty():
        raise click.UsageError("Missing argument 'TEXT'; or give it on standard input")
    # In bytes: what the locale makes of them is not what was meant.
    data = sys.stdin.buffer.read(LIMIT + 1)
    if not data:
        raise click.UsageError("standard input: is empty; there is nothing to send")
    if len(data) > LIMIT:
        raise click.UsageError(f"standard input: more than {LIMIT} bytes; send it in parts")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise click.UsageError(
            f"standard input: byte {error.start + 1} is not UTF-8; only text can be sent"
        ) from None
