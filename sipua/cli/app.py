"""The root of the command: which subcommands there are, and how it ends."""

from __future__ import annotations

import difflib
import importlib
import os
import sys
import traceback
from typing import TYPE_CHECKING

import click

from sipua._version import __version__
from sipua.cli.exits import ExitCode, Failure, exit_code, one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

# What `sipua --help` says of each, so that it need not import them.
COMMANDS = {
    "register": "Register with a server, and say what it granted.",
    "call": "Call somebody: play, record, send digits, hang up.",
    "answer": "Wait for calls and take them, or refuse them.",
    "message": "Send a text message.",
    "options": "Ask somebody what it can do, and how long the answer takes.",
    "subscribe": "Be told of presence, calls or waiting messages of somebody.",
    "publish": "Tell a server our presence.",
    "devices": "List microphones and speakers.",
    "doctor": "Examine account, server and network; say what is wrong.",
    "trace": "Look at a trace: ladder, page for a browser, packets.",
    "config": "Accounts and settings.",
    "phone": "A phone at the terminal, or for programs.",
    "load": "Make many calls, measure them, write a report.",
    "serve": "Run the embedded server, for tests and demonstrations.",
    "completion": "Print what a shell needs to complete command lines.",
}

HELP = f"""SIP calls over WebSocket with WebRTC audio, from the command line.

\b
Try it without any other software:
  sipua serve --account alice:secret --port 8080
  sipua call 600 --uri sip:alice@localhost --password secret \\
      --server ws://localhost:8080/ --tone 440 --duration 3 --record echo.wav

\b
An account of your own, from then on used by all commands:
  sipua config add work --uri sip:alice@example.com --server wss://example.com/ws --keyring

\b
Exit codes: {", ".join(f"{code.value} {code.name.lower()}" for code in ExitCode)}
"""


class Commands(click.Group):
    """A group whose subcommands are modules of this package, imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The subcommand of this name, imported now."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"sipua.cli.commands.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As in click; a mistyped name gets the nearest one shown."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            near = difflib.get_close_matches(name, COMMANDS, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(COMMANDS)}"
            raise click.UsageError(f"no command {name!r}; {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


app = Commands(
    name="sipua",
    help=HELP,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    params=[
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            help="Show the version and exit.",
            callback=lambda ctx, _param, wanted: _show_version(ctx) if wanted else None,
        )
    ],
    no_args_is_help=False,
    invoke_without_command=True,
    callback=lambda: _show_help(click.get_current_context()),
)


def _show_version(ctx: click.Context) -> None:
    click.echo(f"sipua {__version__}")
    ctx.exit(ExitCode.OK)


def _show_help(ctx: click.Context) -> None:
    if ctx.invoked_subcommand is not None:
        return
    click.echo(ctx.get_help())
    ctx.exit(ExitCode.USAGE)


def _named(args: Sequence[str] | None) -> str:
    """The command that a command line is about, when its options could not even be read."""
    at = click.Context(app, info_name="sipua")
    for name in args if args is not None else sys.argv[1:]:
        group = at.command
        command = group.get_command(at, name) if isinstance(group, click.Group) else None
        if command is None:
            break
        at = click.Context(command, info_name=name, parent=at)
    return at.command_path


def _open_streams() -> None:
    """Where the shell has closed a stream (``>&-``), what goes there goes nowhere, and nothing comes."""
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 - as long as the process
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


def run(args: Sequence[str] | None = None) -> int:
    """Run the command line `args`; returns the exit code. Errors are one line on standard error."""
    _open_streams()
    try:
        code = app.main(args, prog_name="sipua", standalone_mode=False)
        return code if isinstance(code, int) else ExitCode.OK
    except (KeyboardInterrupt, click.Abort):
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # Who read our output has gone; Python must not complain again when it flushes.
        sys.stdout = None
        return ExitCode.FAILED
    except OSError as error:
        # The help, or the script for a shell, on a disk that is full: Python must not try it once more.
        sys.stdout = None
        click.echo(f"{_named(args)}: {error.strerror or error}", err=True)
        return ExitCode.FAILED
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return ExitCode.USAGE
    except (click.ClickException, Failure) as error:
        context = getattr(error, "ctx", None)
        path = context.command_path if context is not None else _named(args)
        hint = f" ({path} --help shows how)" if isinstance(error, click.UsageError) else ""
        click.echo(f"{path}: {one_line(error)}{hint}", err=True)
        return exit_code(error)
    except Exception as error:  # noqa: BLE001 - a mistake of ours; told like all others
        click.echo(f"{_named(args)}: {one_line(error)}", err=True)
        if {"-v", "-vv", "--verbose"} & set(args if args is not None else sys.argv):
            traceback.print_exception(error)
        return ExitCode.FAILED
