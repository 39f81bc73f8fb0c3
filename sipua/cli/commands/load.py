"""``sipua load``: many calls, measured."""

from __future__ import annotations

import asyncio
import datetime
import os
from typing import TYPE_CHECKING

import click

from sipua.cli.account import AccountOptions, account_options
from sipua.cli.exits import CREDENTIALS, ExitCode, Failure, failure_elsewhere, file_trouble, one_line
from sipua.cli.load_plan import LoadOptions, load_options, plan_of, thresholds_of
from sipua.cli.loading import Watch, counts_line, load_fields, times_line
from sipua.cli.running import Run, execute
from sipua.errors import ConfigurationError, SipuaError

if TYPE_CHECKING:
    from pathlib import Path

    from sipua.cli.options import OutputOptions
    from sipua.load import LoadReport, Plan, Threshold

HELP = """Call TARGET over and over, measure, and write a report. With several targets, one after the other.

\b
  sipua load 600 --rate 10 --duration 1m
  sipua load 603 --ramp 5:30s,10:30s,10-50:2m --limit 200 --script ivr.txt --media
  sipua load 600 --limit 50 --duration 10m --report load.html --fail-if 'p99>500ms'

Ctrl-C: no more calls; those that go on come to their end, and the report is written. Twice: at once. The exit code
is 1 when a threshold of --fail-if is not kept; without any, when a call failed.
"""


@click.command("load", help=HELP)
@click.argument("target", nargs=-1, required=True)
@load_options
@account_options
def command(
    target: tuple[str, ...], account: AccountOptions, output: OutputOptions, options: LoadOptions
) -> int:
    """Check what can be checked, then make the calls."""
    try:
        plan = plan_of(target, account, options)
        thresholds = thresholds_of(options)
    except ConfigurationError as error:
        raise Failure(one_line(error), ExitCode.USAGE) from None
    _check_reports(options.report)
    if output.trace is not None and options.processes > 1:
        raise click.UsageError("--trace: goes with one process; leave --processes out")

    async def work(run: Run) -> int:
        return await _work(run, plan, thresholds, options.report, account)

    return execute(output, work)


async def _work(
    run: Run, plan: Plan, thresholds: list[Threshold], files: tuple[Path, ...], account: AccountOptions
) -> int:
    from sipua.load import Generator, LoadError, LoadReport, Processes

    # Also looks at account and targets before anything is started.
    ua = run.new_user_agent(account, timeout=plan.timeout, register=False)
    for whom in plan.targets:
        ua.normalize_target(whom)
    load: Generator | Processes
    if plan.processes == 1:
        load = Generator(plan)
        if run.trace is not None:
            for agent in load.agents:
                run.trace.follow(agent)
    else:
        load = Processes(plan)
        run.at_abort.append(load.kill)
    started = datetime.datetime.now().astimezone()
    watch = Watch(run.output, plan, load)
    try:
        try:
            await load.start()
        except TimeoutError as error:
            if isinstance(error, SipuaError):
                raise  # it says more
            raise _not_ready(account) from None
        except LoadError as error:
            raise (
                _not_ready(account)
                if error.kind == "TimeoutError"
                else failure_elsewhere(str(error), error.kind)
            ) from None
        await watch.run()
    finally:
        figures, elapsed = load.figures, load.elapsed
        await load.close()
    notes = ["broken off before its end"] if watch.interrupted else []
    report = LoadReport(plan, figures, started, elapsed, thresholds, notes, watch.faults)
    written = _write(run, report, files)
    _tell(run, report, written)
    if watch.interrupted:
        raise asyncio.CancelledError
    return ExitCode.OK if report.passed and len(written) == len(files) else ExitCode.FAILED


def _not_ready(account: AccountOptions) -> Failure:
    return Failure(f"{', '.join(account.server)}: not ready in time", ExitCode.TIMEOUT)


def _check_reports(files: tuple[Path, ...]) -> None:
    for path in files:
        if path.suffix.lower() not in (".html", ".htm", ".json"):
            raise click.UsageError(f"--report {path}: reports are .html or .json; give a name that ends so")
        folder = path.expanduser().absolute().parent
        if not folder.is_dir():
            raise click.UsageError(f"--report {path}: there is no such directory; make it first")
        if path.expanduser().is_dir() or not os.access(folder, os.W_OK):
            raise click.UsageError(f"--report {path}: cannot be written there; give another place")


def _write(run: Run, report: LoadReport, files: tuple[Path, ...]) -> list[str]:
    written = []
    for path in files:
        text = report.json() if path.suffix.lower() == ".json" else report.html()
        try:
            path.expanduser().write_text(text, encoding="utf-8")
            written.append(str(path))
        except OSError as error:
            message = f"--report {path}: {file_trouble(error)}"
            run.output.event("warning", message, message=message)
    return written


def _tell(run: Run, report: LoadReport, written: list[str]) -> None:
    figures = report.figures
    lines = [f"{counts_line(figures)}  at once at most {figures.peak}", times_line(figures)]
    lines += [f"{count} × {_with_remedy(cause)}" for cause, count in figures.causes.most_common(10)]
    lines += [*report.all_notes]
    for threshold in report.thresholds:
        verdict = "NOT KEPT" if threshold.broken(figures) else "kept"
        lines.append(f"fail if {threshold.text}: {verdict} ({threshold.shown(figures)})")
    lines += [f"report written to {path}" for path in written]
    run.output.event(
        "load_result",
        "\n".join(lines),
        **load_fields(figures, report.elapsed),
        passed_thresholds=not report.broken,
        broken=[threshold.text for threshold in report.broken],
        causes=dict(figures.causes.most_common()),
        reports=written,
        notes=report.all_notes,
    )


def _with_remedy(cause: str) -> str:
    return f"{cause}: {CREDENTIALS}" if cause.startswith(("401 ", "407 ")) else cause
