"""``sipua publish``: tell a server our presence, and keep it there (:rfc:`3903`)."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Literal

import click

from sipua.cli.account import AccountOptions, account_options
from sipua.cli.exits import ExitCode, Failure, exit_code, one_line
from sipua.cli.options import (
    OutputOptions,
    duration_option,
    header_option,
    register_option,
    timeout_option,
)
from sipua.cli.running import Run, execute, wait_at_most
from sipua.errors import RequestFailed

if TYPE_CHECKING:
    from sipua import events

HELP = """Publish our presence: STATE is open (we can be reached) or closed.

It is removed at once, after --duration, or with Ctrl-C after --keep. The server has to know presence, as that of
sipua serve does.
"""


@click.command("publish", help=HELP)
@click.argument("state", type=click.Choice(["open", "closed"]))
@timeout_option("Give up when connecting, or the answer, takes longer.")
@duration_option("Keep it published for so long.")
@click.option("--keep", is_flag=True, help="Keep it published until Ctrl-C.")
@click.option("--leave", is_flag=True, help="Do not remove it at the end: it stays until it runs out.")
@click.option("--note", metavar="TEXT", help="A comment for people.")
@click.option(
    "--activity",
    multiple=True,
    metavar="NAME",
    help="What we are doing: on-the-phone, meeting, away … (RFC 4480).",
)
@click.option(
    "--expires",
    type=click.IntRange(1, 2**31 - 1),
    default=3600,
    show_default=True,
    metavar="SECONDS",
    help="Ask the server to keep it for so long each time.",
)
@header_option
@register_option
@account_options
def command(
    state: Literal["open", "closed"],
    account: AccountOptions,
    output: OutputOptions,
    timeout: float,
    duration: float | None,
    keep: bool,
    leave: bool,
    note: str | None,
    activity: tuple[str, ...],
    expires: int,
    header: tuple[str, ...],
    register: bool,
) -> int:
    """Publish, stay, remove."""
    if keep and duration is not None:
        raise click.UsageError("--keep and --duration: give one of them")

    async def work(run: Run) -> int:
        from sipua.bodies import Note, Presence, PresenceTuple

        ua = run.new_user_agent(account, timeout=timeout, register=register)
        uri = str(ua.configuration.uri)
        notes = (Note(note),) if note else ()
        # Servers that put several publications together tell their tuples apart by the id.
        name = f"sipua-{secrets.token_hex(4)}"
        presence = Presence(uri, (PresenceTuple(name, state, uri),), notes, activity)
        for option, part in (("--note", Presence(uri, notes=notes)), ("--activity", presence)):
            try:
                str(part)
            except ValueError as error:
                raise click.UsageError(f"{option}: {error}") from None
        async with run.started(ua, timeout):
            publication = ua.publish("presence", presence, expires=expires, extra_headers=header)
            refused = asyncio.Event()

            def published(event: events.Published) -> None:
                text = f"published for {event.expires:g} s: {uri} is {state}"
                run.output.event("published", text, target=uri, package="presence", expires=event.expires)

            def unpublished(event: events.Unpublished) -> None:
                cause = str(event.cause) if event.cause else None
                text = f"not published any more{f': {cause}' if cause else ''}"
                run.output.event("unpublished", text, target=uri, package="presence", cause=cause)

            def failed(event: events.PublishFailed) -> None:
                if event.retry_after is None:
                    refused.set()

            publication.on("published", published)
            publication.on("unpublished", unpublished)
            publication.on("failed", failed)
            try:
                async with asyncio.timeout(timeout):
                    await publication.wait_published()
            except RequestFailed as error:
                raise Failure(f"{uri}: {one_line(error)}", exit_code(error)) from None
            except TimeoutError:
                raise Failure(f"{uri}: no answer within {timeout:g} s", ExitCode.TIMEOUT) from None
            if keep or duration is not None:
                await wait_at_most(refused, duration)
            if leave:
                publication.off("unpublished", unpublished)
                publication.close()
            return ExitCode.FAILED if refused.is_set() else ExitCode.OK

    return execute(output, work)
