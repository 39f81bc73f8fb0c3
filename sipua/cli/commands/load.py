"""``sipua load``: many calls, measured."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import math
import random
import sys
from typing import TYPE_CHECKING, Any

import click

from sipua.cli.account import AccountOptions, account_options
from sipua.cli.exits import ExitCode, Failure, one_line
from sipua.cli.loading import Watch, counts_line, load_fields, times_line
from sipua.cli.options import FILE, Codec, OutputOptions, Seconds, gather
from sipua.cli.running import Run, execute
from sipua.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from sipua.load import LoadReport, Plan, Threshold
    from sipua.script import Script

HELP = """Call TARGET over and over, measure, and write a report. With several targets, one after the other.

\b
  sipua load 600 --rate 10 --duration 1m
  sipua load 603 --ramp 5:30s,10:30s,10-50:2m --limit 200 --script ivr.txt --media
  sipua load 600 --limit 50 --duration 10m --report load.html --fail-if 'p99>500ms'

Ctrl-C: no more calls; those that go on come to their end, and the report is written. Twice: at once. The exit code
is 1 when a threshold of --fail-if is not kept; without any, when not a single call went as it should.
"""

#: Seconds that calls are made when nothing says how many or how long.
DEFAULT_DURATION = 30.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class LoadOptions:
    """What the command line says of the test."""

    rate: float | None
    ramp: str | None
    limit: int | None
    calls: int | None
    duration: float | None
    random: bool
    talk: float
    script: Path | None
    media: bool
    codec: tuple[str, ...]
    loopback: bool
    timeout: float
    drain: float
    processes: int
    agents: int
    register: bool
    fail_if: tuple[str, ...]
    report: tuple[Path, ...]


_OPTIONS = (
    click.option(
        "--rate", type=click.FloatRange(0, 10000, min_open=True), metavar="N", help="Calls per second."
    ),
    click.option(
        "--ramp",
        metavar="STEPS",
        help="Rates and how long each: 10:30s,20:30s; from one to another: 10-50:2m.",
    ),
    click.option(
        "--limit",
        type=click.IntRange(1),
        metavar="N",
        help="Calls at once, at most; what is due beyond that is missed. "
        "Without --rate and --ramp: always so many, a new call for each that is over.",
    ),
    click.option("--calls", type=click.IntRange(1), metavar="N", help="End after so many calls."),
    click.option(
        "--duration", type=Seconds(), help="Begin calls for so long  [default: 30 s, or what --ramp says]"
    ),
    click.option(
        "--random", is_flag=True, help="Calls come at random times, at this rate in the mean (Poisson)."
    ),
    click.option(
        "--talk", type=Seconds(), default="10", show_default=True, help="Hang up so long after the answer."
    ),
    click.option(
        "--script", type=FILE, metavar="FILE", help="What is done in each call instead; - is standard input."
    ),
    click.option(
        "--media", is_flag=True, help="With real audio, a tone unless the script plays; else signalling only."
    ),
    click.option(
        "--codec", type=Codec(), multiple=True, help="Offer this codec; several in order of preference."
    ),
    click.option("--loopback", is_flag=True, help="Media on 127.0.0.1 only."),
    click.option(
        "--timeout",
        type=Seconds(),
        default="30",
        show_default=True,
        help="A call not answered by then failed.",
    ),
    click.option(
        "--drain",
        type=Seconds(),
        default="30",
        show_default=True,
        help="After Ctrl-C, calls have so long to end.",
    ),
    click.option(
        "--processes", type=click.IntRange(1, 256), default=1, metavar="N", help="Use so many processes."
    ),
    click.option(
        "--agents", type=click.IntRange(1, 10000), default=1, metavar="N", help="Connections of each process."
    ),
    click.option("--register", is_flag=True, help="Register first, for servers that want that."),
    click.option(
        "--fail-if",
        multiple=True,
        metavar="LIMIT",
        help="Such as 'p99>500ms', 'failed>1%', 'mos.p5<3.5' (see docs/load.md).",
    ),
    click.option(
        "--report",
        type=FILE,
        multiple=True,
        metavar="FILE",
        help="Write a report: .html with charts, or .json.",
    ),
)


def _load_options(function: Any) -> Any:
    return gather(function, LoadOptions, "options", _OPTIONS)


@click.command("load", help=HELP)
@click.argument("target", nargs=-1, required=True)
@_load_options
@account_options
def command(
    target: tuple[str, ...], account: AccountOptions, output: OutputOptions, options: LoadOptions
) -> int:
    """Check what can be checked, then make the calls."""
    from sipua.load import parse_threshold

    try:
        plan = _plan(target, account, options)
        thresholds = [parse_threshold(text) for text in options.fail_if]
    except ConfigurationError as error:
        raise Failure(one_line(error), ExitCode.USAGE) from None
    _check_reports(options.report)

    async def work(run: Run) -> int:
        return await _work(run, plan, thresholds, options.report, account)

    return execute(output, work)


async def _work(
    run: Run, plan: Plan, thresholds: list[Threshold], files: tuple[Path, ...], account: AccountOptions
) -> int:
    from sipua.load import Generator, LoadReport, Processes

    # Also looks at account and targets before anything is started.
    ua = run.new_user_agent(account, timeout=plan.timeout, register=False)
    for whom in plan.targets:
        ua.normalize_target(whom)
    load: Generator | Processes
    if plan.processes == 1:
        load = Generator(plan)
    else:
        load = Processes(plan)
        run.at_abort.append(load.kill)
    started = datetime.datetime.now().astimezone()
    watch = Watch(run.output, plan, load)
    try:
        try:
            await load.start()
        except TimeoutError:
            raise Failure(f"{', '.join(account.server)}: not ready in time", ExitCode.TIMEOUT) from None
        await watch.run()
    finally:
        figures, elapsed = load.figures, load.elapsed
        await load.close()
    notes = list(getattr(load, "lost", ()))
    if watch.interrupted:
        notes.append("broken off before its end")
    report = LoadReport(plan, figures, started, elapsed, thresholds, notes)
    written = _write(run, report, files)
    _tell(run, report, written)
    if watch.interrupted:
        raise asyncio.CancelledError
    return ExitCode.OK if report.passed and not getattr(load, "lost", ()) else ExitCode.FAILED


# --- before -----------------------------------------------------------------------------------------------


def _plan(targets: tuple[str, ...], account: AccountOptions, options: LoadOptions) -> Plan:
    from sipua.load import Plan, Slope, parse_ramp

    if options.rate is not None and options.ramp is not None:
        raise click.UsageError("--rate and --ramp: give one of them")
    if options.rate is None and options.ramp is None and options.limit is None:
        raise click.UsageError("how many calls? Give --rate 10, --ramp 10:30s,20:30s or --limit 50")
    if options.limit is not None and options.limit < options.processes:
        raise click.UsageError("--processes: more than --limit; each has to have a call to make")
    slopes: tuple[Slope, ...] = ()
    if options.rate is not None:
        slopes = (Slope(options.rate, options.rate, math.inf),)
    elif options.ramp is not None:
        slopes = parse_ramp(options.ramp)
    seconds = options.duration
    if seconds is None and options.ramp is None and options.calls is None:
        seconds = DEFAULT_DURATION
    script = _script(options)
    media_options: dict[str, Any] = {"codecs": options.codec} if options.codec else {}
    if options.loopback:
        media_options["ice_host_addresses"] = ("127.0.0.1",)
    return Plan(
        uri=account.uri,
        options=_plain(account.user_agent_options()),
        targets=targets,
        slopes=slopes,
        limit=options.limit or 0,
        seconds=seconds,
        calls=options.calls,
        chance=options.random,
        talk=options.talk,
        script=None if script is None else str(script),
        script_source=str(options.script),
        script_folder="." if script is None else str(script.folder.absolute()),
        media=options.media,
        media_options=media_options if options.media else {},
        timeout=options.timeout,
        agents=options.agents,
        register=options.register,
        drain=options.drain,
        processes=options.processes,
        seed=random.getrandbits(32),
    )


def _plain(options: dict[str, Any]) -> dict[str, Any]:
    """As JSON can have it."""
    media = options.get("media_options")
    if not media:
        return options
    servers = [s if isinstance(s, str) else dataclasses.asdict(s) for s in media.get("ice_servers", ())]
    return {**options, "media_options": {**media, "ice_servers": servers}}


def _script(options: LoadOptions) -> Script | None:
    from sipua.script import ScriptError, load_script, parse_script

    if options.script is None:
        return None
    try:
        if str(options.script) == "-":
            script = parse_script(sys.stdin.read(), "standard input")
        else:
            script = load_script(options.script)
        script.check("outgoing", audio=options.media)
    except ScriptError as error:
        raise Failure(str(error), ExitCode.USAGE) from None
    return script


def _check_reports(files: tuple[Path, ...]) -> None:
    for path in files:
        if path.suffix.lower() not in (".html", ".htm", ".json"):
            raise click.UsageError(f"--report {path}: reports are .html or .json; give a name that ends so")
        if not path.expanduser().absolute().parent.is_dir():
            raise click.UsageError(f"--report {path}: there is no such directory; make it first")


# --- after ------------------------------------------------------------------------------------------------


def _write(run: Run, report: LoadReport, files: tuple[Path, ...]) -> list[str]:
    written = []
    for path in files:
        text = report.json() if path.suffix.lower() == ".json" else report.html()
        try:
            path.expanduser().write_text(text, encoding="utf-8")
            written.append(str(path))
        except OSError as error:
            message = f"--report {path}: {error.strerror or error}"
            run.output.event("warning", message, message=message)
    return written


def _tell(run: Run, report: LoadReport, written: list[str]) -> None:
    figures = report.figures
    lines = [f"{counts_line(figures)}  at once at most {figures.peak}", times_line(figures)]
    lines += [f"{count} × {cause}" for cause, count in figures.causes.most_common(10)]
    lines += report.notes
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
    )
