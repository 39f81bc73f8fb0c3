"""``sipua options``: whether somebody is there, what it can do, and how long the answer takes."""

from __future__ import annotations

import asyncio
import statistics
from typing import TYPE_CHECKING

import click

from sipua.cli.account import AccountOptions, account_options
from sipua.cli.exits import ExitCode, Failure
from sipua.cli.options import (
    OutputOptions,
    Seconds,
    duration_option,
    header_option,
    register_option,
    timeout_option,
)
from sipua.cli.requests import Answer, send
from sipua.cli.running import Run, execute

if TYPE_CHECKING:
    from sipua.ua import UA

HELP = """Send OPTIONS to TARGET, as ping does; without TARGET to the server of our own domain.

The exit code is 0 when all were answered with 2xx; else that of the first one that was not. Any answer at all
shows that the target is there: --json has its status.
"""


@click.command("options", help=HELP)
@click.argument("target", required=False)
@click.option(
    "--count", type=click.IntRange(1), metavar="N", help="Send so many [default: 1, or until --duration]."
)
@click.option("--interval", type=Seconds(), default="1", show_default=True, help="Time between two of them.")
@timeout_option("Give up when connecting takes longer, and one of them when its answer does.")
@duration_option("Send for so long.")
@header_option
@register_option
@account_options
def command(
    target: str | None,
    account: AccountOptions,
    output: OutputOptions,
    count: int | None,
    interval: float,
    timeout: float,
    duration: float | None,
    header: tuple[str, ...],
    register: bool,
) -> int:
    """Send them, sum up."""
    number = count if count is not None or duration is not None else 1

    async def work(run: Run) -> int:
        ua = run.new_user_agent(account, timeout=timeout, register=register)
        whom = target if target is not None else str(ua.configuration.registrar)
        ua.normalize_target(whom)  # before anybody is bothered
        pings = Pings(run, ua, whom, header, timeout)
        async with run.started(ua, timeout):
            try:
                async with asyncio.timeout(duration):
                    await pings.send(number, interval)
            except TimeoutError:
                pass  # that was asked for
            finally:
                if number != 1:
                    pings.sum_up()
        if pings.failure is not None:
            raise pings.failure
        return ExitCode.OK

    return execute(output, work)


class Pings:
    """The requests of one run of the command."""

    def __init__(self, run: Run, ua: UA, target: str, headers: tuple[str, ...], timeout: float) -> None:
        self.answers: list[Answer] = []
        self._sent = 0
        self._run = run
        self._ua = ua
        self._target = target
        self._headers = headers
        self._timeout = timeout

    async def send(self, number: int | None, interval: float) -> None:
        """One after the other, `interval` seconds apart; None: without end."""
        now = asyncio.get_running_loop().time
        while number is None or self._sent < number:
            due = now() + interval
            self._sent += 1
            request = self._ua.send_options(self._target, extra_headers=self._headers)
            self.answers.append(await send(self._run, request, self._timeout, sequence=self._sent))
            if self._sent != number:
                await asyncio.sleep(max(0.0, due - now()))

    @property
    def failure(self) -> Failure | None:
        """The first answer that was none, or no."""
        return next((answer.failure for answer in self.answers if answer.failure is not None), None)

    def sum_up(self) -> None:
        """Tell the figures of all of them. One whose answer was not waited for counts for nothing."""
        times = [answer.seconds for answer in self.answers if answer.response is not None]
        sent, answered = len(self.answers), len(times)
        lost = 1 - answered / sent if sent else 0.0
        text = f"{sent} sent, {answered} answered, {100 * lost:.0f} % lost"
        if times:
            figures = (min(times), statistics.fmean(times), max(times), statistics.pstdev(times))
            text += "; min/avg/max/dev " + "/".join(f"{1000 * figure:.1f}" for figure in figures) + " ms"
        minimum, average, maximum, deviation = (
            (round(figure, 6) for figure in figures) if times else (None, None, None, None)
        )
        self._run.output.event(
            "summary",
            text,
            sent=sent,
            answered=answered,
            lost=round(lost, 4),
            minimum=minimum,
            average=average,
            maximum=maximum,
            deviation=deviation,
        )
