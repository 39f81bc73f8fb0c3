"""``sipua subscribe``: be told of what happens to somebody (:rfc:`6665`)."""

from __future__ import annotations

import asyncio
import contextlib
import difflib
from typing import TYPE_CHECKING

import click

from sipua.cli.account import AccountOptions, account_options
from sipua.cli.exits import ExitCode, Failure, exit_code, one_line
from sipua.cli.notifications import describe, fields_of
from sipua.cli.options import (
    OutputOptions,
    duration_option,
    header_option,
    register_option,
    timeout_option,
)
from sipua.cli.running import Run, execute, wait_at_most
from sipua.errors import InvalidHeaderError, RequestFailed

if TYPE_CHECKING:
    from sipua import events
    from sipua.ua import Subscriber

HELP = """Subscribe to PACKAGE of TARGET, and print each notification until Ctrl-C.

\b
PACKAGE is
  presence   whether somebody can be reached, and what it is doing
  dialog     its calls, as the lamps of telephones show them
  mwi        the messages that wait for it (without TARGET: for us)
  reg        its registrations
  or the name of any other event package.
"""

PACKAGES = {"mwi": "message-summary"}

#: Those of `HELP`.
NAMES = ("presence", "dialog", "mwi", "reg")


class PackageType(click.ParamType[str]):
    """The name of an event package. Which there are is the server's to say."""

    name = "package"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[click.shell_completion.CompletionItem]:
        """Those that we can read."""
        from click.shell_completion import CompletionItem

        return [CompletionItem(name) for name in NAMES if name.startswith(incomplete)]


@click.command("subscribe", help=HELP)
@click.argument("package", type=PackageType())
@click.argument("target", required=False)
@timeout_option("Give up when connecting, or the first notification, takes longer.")
@duration_option("End after so long.")
@click.option("--count", type=click.IntRange(1), metavar="N", help="End after N notifications.")
@click.option("--once", is_flag=True, help="Ask for the present state only.")
@click.option(
    "--expires",
    type=click.IntRange(1, 2**31 - 1),
    default=900,
    show_default=True,
    metavar="SECONDS",
    help="Ask for so long each time.",
)
@click.option(
    "--accept", metavar="TYPES", help="Content types that are wanted, instead of the package's own."
)
@header_option
@register_option
@account_options
def command(
    package: str,
    target: str | None,
    account: AccountOptions,
    output: OutputOptions,
    timeout: float,
    duration: float | None,
    count: int | None,
    once: bool,
    expires: int,
    accept: str | None,
    header: tuple[str, ...],
    register: bool,
) -> int:
    """Subscribe, tell."""
    if once and count is not None:
        raise click.UsageError("--once and --count: give one of them")
    event = PACKAGES.get(package, package)
    _check(package, event, accept)
    if target is None and event != "message-summary":
        raise click.UsageError("Missing argument 'TARGET'")

    async def work(run: Run) -> int:
        ua = run.new_user_agent(account, timeout=timeout, register=register)
        whom = target if target is not None else str(ua.configuration.uri)
        ua.normalize_target(whom)  # before anybody is bothered
        async with run.started(ua, timeout):

            async def watch(seconds: int) -> int:
                subscriber = ua.subscribe(whom, event, accept, expires=seconds, extra_headers=header)
                watching = Watching(run, subscriber, 1 if once else count)
                await watching.first(timeout)
                await watching.rest(duration)
                return watching.code

            if once:
                with contextlib.suppress(NotJustOnce):
                    return await watch(0)
            return await watch(expires)

    return execute(output, work)


def _check(package: str, event: str, accept: str | None) -> None:
    """Whether they can go into a request."""
    from sipua.ua.eventing import read_accept, read_event

    try:
        read_event(event)
    except InvalidHeaderError:
        known = "presence, dialog, mwi, reg, or the name of another one"
        raise click.UsageError(f"{package!r}: not an event package; it is {known}") from None
    try:
        if accept is not None:
            read_accept(accept)
    except InvalidHeaderError:
        raise click.UsageError(f"--accept {accept}: not content types such as application/pidf+xml") from None


class NotJustOnce(Failure):
    """The server knows no subscription that ends at once (Asterisk): one has to be begun and ended."""


class Watching:
    """One subscription that is told of."""

    def __init__(self, run: Run, subscriber: Subscriber, count: int | None) -> None:
        self.code = ExitCode.OK
        self._run = run
        self._subscriber = subscriber
        self._left = count
        self._begun = self._is_unknown = False
        self._enough = asyncio.Event()
        self._who = str(subscriber.target)
        self._package = subscriber.event.package
        subscriber.on("pending", lambda _: self._tell_state("pending", "pending"))
        subscriber.on("active", lambda _: self._tell_state("active", "active"))
        subscriber.on("notify", self._on_notify)
        subscriber.on("terminated", self._on_terminated)

    async def first(self, timeout: float) -> None:
        """Until the first notification.

        :raises Failure: there was none.
        """
        try:
            async with asyncio.timeout(timeout):
                await self._subscriber.wait_active()
        except RequestFailed as error:
            if self._left == 1 and error.status_code == 400:
                raise NotJustOnce(f"{self._who}: {one_line(error)}", exit_code(error)) from None
            near = difflib.get_close_matches(self._package, NAMES, 1, 0.7)
            hint = f"; did you mean {near[0]}?" if near and near[0] != self._package else ""
            raise Failure(f"{self._who}: {one_line(error)}{hint}", exit_code(error)) from None
        except TimeoutError:
            raise Failure(f"{self._who}: no notification within {timeout:g} s", ExitCode.TIMEOUT) from None
        self._begun = True

    async def rest(self, duration: float | None) -> None:
        """Until enough notifications have come, the time is over, or the subscription is."""
        await wait_at_most(self._enough, duration)

    def _tell_state(self, state: str, text: str | None, reason: str | None = None) -> None:
        left = self._subscriber.expires_at - asyncio.get_running_loop().time()
        self._run.output.event(
            "subscription",
            f"subscription to {self._package} of {self._who}: {text}" if text else None,
            target=self._who,
            package=self._package,
            state=state,
            reason=reason,
            expires=round(left) if left > 0 and state != "terminated" else None,
        )

    def _on_notify(self, event: events.SubscriptionNotify) -> None:
        if not event.body and self._left != 0:
            # Nothing is said yet, such as while somebody has to allow the subscription.
            self._is_unknown = event.is_final
            return self._count() if event.is_final else None
        if self._left == 0:
            return None
        self._run.output.event(
            "notification",
            describe(event.content, event.body),
            target=self._who,
            package=self._package,
            content_type=event.content_type or None,
            content=fields_of(event.content),
            body=event.body,
        )
        return self._count()

    def _count(self) -> None:
        if self._left is not None:
            self._left -= 1
        if self._left == 0:
            self._enough.set()

    def _on_terminated(self, event: events.SubscriptionTerminated) -> None:
        reason = event.reason or str(event.cause)
        again = "; subscribing again" if event.resubscribing else ""
        ours = event.originator == "local" or self._left == 0
        # What ends the command before it has begun is told to people once, as its last line.
        told = not ours and (self._begun or event.resubscribing)
        nothing = "nothing is known" if ours and self._is_unknown else None
        text = f"ended: {reason}{again}" if told else nothing
        self._tell_state("terminated", text, event.reason if ours else reason)
        if not event.resubscribing:
            if not ours:
                self.code = ExitCode.FAILED
            self._enough.set()
