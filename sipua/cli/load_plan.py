"""The options of ``sipua load``, and the plan that they make."""

from __future__ import annotations

import dataclasses
import math
import random
import sys
from typing import TYPE_CHECKING, Any

import click

from sipua.cli.account import complete_account, other_accounts
from sipua.cli.exits import ExitCode, Failure
from sipua.cli.load_accounts import read_accounts
from sipua.cli.options import FILE, Codec, Seconds, gather
from sipua.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from sipua.cli.account import AccountOptions
    from sipua.load import Plan, Slope, Threshold
    from sipua.script import Script

#: Seconds that calls are made when nothing says how many or how long.
DEFAULT_DURATION = 30.0

#: When a test fails that has no --fail-if.
DEFAULT_THRESHOLD = "failed>0"


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
    also: tuple[str, ...]
    accounts: Path | None


class Rate(click.ParamType[float]):
    """Calls a second."""

    name = "calls/s"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """More than 0, and what a machine can do at all."""
        from sipua.load import MAX_RATE

        try:
            rate = float(value)
        except ValueError:
            rate = math.nan
        if not 0 < rate <= MAX_RATE:
            self.fail(
                f"{value!r} is no rate; it is more than 0 and at most {MAX_RATE} calls/s, such as 10 or 0.5",
                param,
                ctx,
            )
        return rate


_OPTIONS = (
    click.option("--rate", type=Rate(), metavar="N", help="Calls per second."),
    click.option(
        "--ramp",
        metavar="STEPS",
        help="Rates and how long each: 10:30s,20:30s; from one to another: 10-50:2m.",
    ),
    click.option(
        "--limit",
        type=click.IntRange(1, 100_000),
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
        "--agents", type=click.IntRange(1, 10000), default=1, metavar="N", help="Connections of each account."
    ),
    click.option("--register", is_flag=True, help="Register first, for servers that want that."),
    click.option(
        "--also",
        multiple=True,
        metavar="NAME",
        shell_complete=complete_account,
        help="Call with this account of the settings as well; ALL: with all of them.",
    ),
    click.option(
        "--accounts",
        type=FILE,
        metavar="FILE",
        help="And with those in FILE, one user:password a line, or CSV (see docs/load.md).",
    ),
    click.option(
        "--fail-if",
        multiple=True,
        metavar="LIMIT",
        help="Such as 'p99>500ms', 'failed>1%', 'mos.p5<3.5' (see docs/load.md)  [default: failed>0]",
    ),
    click.option(
        "--report",
        type=FILE,
        multiple=True,
        metavar="FILE",
        help="Write a report: .html with charts, or .json.",
    ),
)


def load_options(function: Any) -> Any:
    """Add them; the function gets them as `options`."""
    return gather(function, LoadOptions, "options", _OPTIONS)


def plan_of(targets: tuple[str, ...], account: AccountOptions, options: LoadOptions) -> Plan:
    """The plan that the command line describes.

    :raises click.UsageError: options that do not go together.
    :raises ConfigurationError: an option that cannot be read.
    :raises Failure: a script that cannot be run.
    """
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
    accounts = _accounts(account, options)
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
        script=None if script is None else script.text,
        script_source=str(options.script),
        script_folder="." if script is None else str(script.folder.absolute()),
        media=options.media,
        media_options=media_options if options.media else {},
        timeout=options.timeout,
        agents=options.agents,
        register=options.register,
        others=tuple((other.uri, _plain(other.user_agent_options())) for other in accounts),
        drain=options.drain,
        processes=options.processes,
        seed=random.getrandbits(32),
    )


def _accounts(first: AccountOptions, options: LoadOptions) -> list[AccountOptions]:
    """Those beside the first one, each once."""
    others = list(other_accounts(first, options.also))
    if options.accounts is not None:
        others += read_accounts(options.accounts, first)
    found = {other.uri: other for other in others}
    found.pop(first.uri, None)
    return list(found.values())


def thresholds_of(options: LoadOptions) -> list[Threshold]:
    """What must not be; where nothing is said of it: that a call fails.

    :raises ConfigurationError: one that cannot be read, or is about audio that there will not be.
    """
    from sipua.load import parse_threshold

    thresholds = [parse_threshold(text) for text in options.fail_if or (DEFAULT_THRESHOLD,)]
    for threshold in thresholds:
        if threshold.of_media and not options.media:
            why = "is about the audio, and there is none without --media; add it"
            raise ConfigurationError("fail_if", threshold.text, why)
    return thresholds


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
