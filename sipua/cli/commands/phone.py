"""``sipua phone``: a phone at the terminal, as lines of text, or for programs."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import click

from sipua.cli.account import AccountOptions, account_options, complete_account, other_accounts
from sipua.cli.exits import ExitCode, Failure, file_trouble
from sipua.cli.options import FILE, Codec, OutputOptions, gather
from sipua.cli.running import CONNECT_TIMEOUT, Run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sipua.cli.phone.bulletin import Bulletin
    from sipua.cli.phone.phone import Phone
    from sipua.cli.phone.remote import Door
    from sipua.cli.phone.tracing import PhoneTrace
    from sipua.ua import UA

HELP = """A phone: call, be called, hold, transfer, confer, record, send messages.

At a terminal it fills the screen, and shows its keys. With --plain it reads commands from standard input
and tells in lines what happens (type help). With --remote programs control it by JSON lines: see docs/remote.md.

Without a sound card, peers hear silence, a tone or a file.
"""


class _DoorType(click.ParamType["Door"]):
    """``stdio``, ``unix:PATH`` or ``tcp:PORT``."""

    name = "door"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Door:
        """The door."""
        from sipua.cli.phone.remote import parse_door

        try:
            return parse_door(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


@dataclass(frozen=True, kw_only=True)
class PhoneOptions:
    """What the command line says of the phone."""

    also: tuple[str, ...]
    mic: str | None
    speaker: str | None
    no_card: bool
    play: Path | None
    tone: float | None
    hold_music: Path | None
    record_dir: Path | None
    auto_answer: bool
    codec: tuple[str, ...]
    loopback: bool
    plain: bool
    remote: Door | None
    headless: bool


_PHONE = (
    click.option(
        "--also",
        multiple=True,
        metavar="NAME",
        shell_complete=complete_account,
        help="Use this account of the settings as well; ALL: all of them.",
    ),
    click.option("--mic", metavar="DEVICE", help="Microphone, by number or name (see sipua devices)."),
    click.option("--speaker", metavar="DEVICE", help="Speaker, by number or name."),
    click.option("--no-card", is_flag=True, help="Leave the sound card alone."),
    click.option("--play", type=FILE, metavar="FILE", help="Peers hear FILE, over and over."),
    click.option("--tone", type=click.FloatRange(1, 20000), metavar="HZ", help="Peers hear a tone."),
    click.option("--hold-music", type=FILE, metavar="FILE", help="What peers on hold hear."),
    click.option("--record-dir", type=FILE, metavar="DIR", help="Where recordings go  [default: here]."),
    click.option("--auto-answer", is_flag=True, help="Take calls at once."),
    click.option(
        "--codec", type=Codec(), multiple=True, help="Offer this codec; several in order of preference."
    ),
    click.option("--loopback", is_flag=True, help="Media on 127.0.0.1 only."),
    click.option("--plain", is_flag=True, help="Lines of text instead of a full screen."),
    click.option(
        "--remote",
        type=_DoorType(),
        metavar="DOOR",
        help="Let programs control it: stdio, unix:PATH, or tcp:PORT on this machine.",
    ),
    click.option("--headless", is_flag=True, help="With --remote: neither screen nor lines."),
)


def phone_options(function: Any) -> Any:
    """Add them; the function gets them as `options`."""
    return gather(function, PhoneOptions, "options", _PHONE)


@click.command("phone", help=HELP)
@account_options
@phone_options
def command(account: AccountOptions, output: OutputOptions, options: PhoneOptions) -> int:
    """Check what can be checked, then run the phone until it is told to end."""
    from sipua.cli.phone.bulletin import Bulletin

    view = _view(options, output)
    accounts = (account, *other_accounts(account, options.also))
    bulletin = Bulletin()

    async def work(run: Run) -> int:
        with _tracing(output.trace, bulletin) as trace:
            phone = _make(run, accounts, options, bulletin, trace)
            await _run(phone, options, view, output)
        return ExitCode.OK if trace.error is None else ExitCode.FAILED

    # The phone has a trace of its own; that of a command ends in a ladder of all its calls.
    return Run(bulletin, replace(output, trace=None)).execute(work, ExitCode.INTERRUPTED)


def _check_files(options: PhoneOptions) -> None:
    """Now rather than in a call."""
    from sipua.media.sources import AudioFile

    if options.hold_music is not None:
        AudioFile(options.hold_music, loop=True).check()
    directory = options.record_dir
    if directory is not None and not directory.is_dir():
        raise Failure(f"--record-dir {directory}: no such directory; make it first", ExitCode.USAGE)
    if directory is not None and not os.access(directory, os.W_OK):
        raise Failure(f"--record-dir {directory}: cannot be written; use another one", ExitCode.USAGE)


View = Literal["screen", "plain", "json", "none"]


def _view(options: PhoneOptions, output: OutputOptions) -> View:
    """What the person, or the program, at the terminal gets."""
    door = options.remote.kind if options.remote is not None else None
    if options.headless and door in (None, "stdio"):
        raise click.UsageError(
            "--headless: needs --remote unix:PATH or tcp:PORT, else nobody can use the phone"
        )
    if options.plain and (options.headless or door == "stdio" or output.json):
        raise click.UsageError("--plain: not together with --headless, --json or --remote stdio")
    if door == "stdio" or (output.json and not options.headless):
        return "json"
    if options.headless:
        return "none"
    if options.plain or not (sys.stdin.isatty() and sys.stdout.isatty()) or os.environ.get("TERM") == "dumb":
        return "plain"
    try:
        import textual  # noqa: F401 - to tell what is missing
    except ModuleNotFoundError:
        remedy = 'pip install "sipua-webrtc[phone]", or use --plain'
        raise Failure(f"the screen needs one more package: {remedy}", ExitCode.USAGE) from None
    return "screen"


@contextlib.contextmanager
def _tracing(path: Path | None, bulletin: Bulletin) -> Iterator[PhoneTrace]:
    from sipua.cli.phone.tracing import PhoneTrace

    try:
        trace = PhoneTrace(path, bulletin)
    except OSError as error:
        raise Failure(f"--trace {path}: {file_trouble(error)}", ExitCode.USAGE) from None
    with trace:
        yield trace


def _make(
    run: Run,
    accounts: tuple[AccountOptions, ...],
    options: PhoneOptions,
    bulletin: Bulletin,
    trace: PhoneTrace,
) -> Phone:
    from sipua.cli.phone.book import Book, data_directory
    from sipua.cli.phone.phone import Phone
    from sipua.cli.phone.sound import Sound, SoundOptions

    _check_files(options)

    def make_ua(account: AccountOptions) -> UA:
        ua = run.new_user_agent(account, timeout=CONNECT_TIMEOUT, register=True)
        trace.follow(ua)
        return ua

    media: dict[str, Any] = {}
    if options.codec:
        media["codecs"] = options.codec
    if options.loopback:
        media["ice_host_addresses"] = ("127.0.0.1",)
    sound = SoundOptions(
        microphone=False if options.no_card and options.mic is None else options.mic,
        speaker=False if options.no_card and options.speaker is None else options.speaker,
        play=options.play,
        tone=options.tone,
    )
    return Phone(
        accounts,
        make_ua,
        bulletin=bulletin,
        book=Book(data_directory(), bulletin.notice),
        sound=Sound(sound),
        auto_answer=options.auto_answer,
        hold_music=options.hold_music,
        record_directory=options.record_dir,
        media_options=media,
    )


async def _run(phone: Phone, options: PhoneOptions, view: View, output: OutputOptions) -> None:
    from sipua.cli.phone.book import data_directory
    from sipua.cli.phone.remote import serve

    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(phone.stop)
        if options.remote is not None and options.remote.kind != "stdio":
            token_file = data_directory() / "remote-token"
            await stack.enter_async_context(serve(phone, options.remote, token_file))
        await _VIEWS[view](phone, output)


async def _screen(phone: Phone, output: OutputOptions) -> None:
    from sipua.cli.phone.screen import run_screen

    if not await run_screen(phone):
        os._exit(ExitCode.INTERRUPTED)


async def _plain(phone: Phone, output: OutputOptions) -> None:
    from sipua.cli.output import make_output
    from sipua.cli.phone.plain import run_plain

    phone.start()
    await run_plain(phone, make_output(json=False), sys.stdin.fileno())


async def _json(phone: Phone, output: OutputOptions) -> None:
    from sipua.cli.output import make_output
    from sipua.cli.phone.control import run_stdio

    phone.start()
    await run_stdio(phone, make_output(json=True), sys.stdin.fileno())


async def _none(phone: Phone, output: OutputOptions) -> None:
    phone.start()
    await phone.quitting.wait()


_VIEWS = {"screen": _screen, "plain": _plain, "json": _json, "none": _none}
