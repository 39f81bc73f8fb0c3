"""Writes docs/cli.md, docs/sipua.1 and docs/events.schema.json from the commands themselves: ``make reference``.

The prose of cli.md is in cli.md.in, where ``{{command call}}`` and the like stand for what is made here; commands of
which it says nothing are at ``{{others}}``.
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from docs.pictures import PICTURES, Picture
from sipua.cli.account import account_options
from sipua.cli.app import COMMANDS, app
from sipua.cli.events import EVENTS, json_schema
from sipua.cli.exits import ExitCode
from sipua.cli.settings import ACCOUNT, TABLES, TOP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

HERE = Path(__file__).parent


@click.command("common")
@account_options
def _common(**given: Any) -> None:
    """Has the options that all commands with an account share."""


COMMON = {param.name for param in _common.params}


def has_common(command: click.Command) -> bool:
    """Whether it takes all that is common, and not only an option of the same name."""
    return {param.name for param in command.params} >= COMMON


def context(path: str) -> click.Context:
    """The command ``call`` or ``config add`` as it is when it is used."""
    at = click.Context(app, info_name="sipua")
    for name in path.split():
        group = at.command
        assert isinstance(group, click.Group)
        found = group.get_command(at, name)
        if found is None:
            raise SystemExit(f"docs/cli.md.in: there is no command {path!r}")
        at = click.Context(found, info_name=name, parent=at)
    return at


def paths() -> Iterator[str]:
    """All commands; those of a group after it."""
    for name in COMMANDS:
        yield name
        at = context(name)
        if isinstance(at.command, click.Group):
            yield from (f"{name} {sub}" for sub in at.command.list_commands(at))


def usage(path: str) -> str:
    """``sipua call [OPTIONS] TARGET``."""
    at = context(path)
    return " ".join((f"sipua {path}", *at.command.collect_usage_pieces(at)))


def options(path: str) -> list[tuple[str, str]]:
    """What can be given, and what it does; without what all commands with an account have, which is that of ``""``."""
    at = context(path) if path else click.Context(_common)
    elsewhere = COMMON if path and has_common(at.command) else set()
    return [
        described(param, at)
        for param in at.command.params
        if isinstance(param, click.Option) and param.name not in elsewhere
    ]


def described(option: click.Option, at: click.Context) -> tuple[str, str]:
    """``--play FILE`` and its help."""
    names = ", ".join(option.opts)
    value = "" if option.is_flag or option.count else f" {option.make_metavar(at)}"
    notes = []
    if option.multiple:
        notes.append("repeatable")
    if option.show_default and option.default is not None:
        notes.append(f"default: {option.default}")
    # As click's own, so that all look alike.
    text = re.sub(r"\[(default: [^]]*)\]", r"(\1)", " ".join((option.help or "").split()))
    return names + value, f"{text} ({'; '.join(notes)})" if notes else text


def blocks(text: str) -> list[tuple[bool, str]]:
    """The paragraphs of a help text; True: its lines are to stay as they are."""
    found = []
    for block in textwrap.dedent(text).strip().split("\n\n"):
        kept = block.startswith("\b")
        found.append((kept, block.removeprefix("\b").strip("\n")))
    return found


# --- Markdown -----------------------------------------------------------------------------------------------------


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A table; ``|`` in a cell is escaped."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines)


def option_table(rows: list[tuple[str, str]]) -> str:
    return table(("option", "meaning"), [(f"`{names}`", text) for names, text in rows])


def help_text(path: str) -> str:
    parts = []
    for kept, text in blocks(context(path).command.help or ""):
        parts.append(textwrap.indent(text, "    ") if kept else " ".join(text.split()))
    return "\n\n".join(parts)


def section(path: str) -> str:
    """All of a command: how it is called, what it does, its options, its subcommands."""
    parts = [f"    {usage(path)}", help_text(path)]
    own = options(path)
    if own:
        parts.append(option_table(own))
    at = context(path)
    if isinstance(at.command, click.Group):
        for sub in at.command.list_commands(at):
            parts += [f"### sipua {path} {sub}", section(f"{path} {sub}")]
    elif has_common(at.command):
        parts.append(
            "And [the options of every command that uses an account](#options-of-every-command-that-uses-an-account)."
        )
    return "\n\n".join(parts)


def event_table() -> str:
    rows = []
    for name, event in EVENTS.items():
        fields = []
        for field, (kind, meaning) in event.fields.items():
            kind = kind.replace("?", " or null").rstrip("=")
            always = "" if not event.fields[field][0].endswith("=") else "not always: "
            fields.append(f"`{field}` ({always}{kind}{f': {meaning}' if meaning else ''})")
        rows.append((f"`{name}`", event.summary, ", ".join(fields)))
    return table(("event", "when", "fields"), rows)


def settings_table() -> str:
    parts = [table(("key", "meaning"), [(f"`{name}`", key.summary) for name, key in TOP.items()])]
    tables = {"accounts.NAME": ACCOUNT, **TABLES}
    for name, keys in tables.items():
        rows: list[tuple[str, ...]] = [(f"`{key}`", each.kind, each.summary) for key, each in keys.items()]
        parts += [f"`[{name}]`", table(("key", "value", "meaning"), rows)]
    return "\n\n".join(parts)


def command_table() -> str:
    rows: list[tuple[str, ...]] = [
        (f"[`sipua {name}`](#sipua-{name})", summary) for name, summary in COMMANDS.items()
    ]
    return table(("command", "does"), rows)


def screens() -> str:
    """All pictures of the phone, with what they show."""
    parts = []
    for name, picture in PICTURES.items():
        parts.append(f"{picture.caption}:\n\n![{picture.caption}](images/{Picture.file(name)})")
    large = [
        f"[{name}](images/{Picture.file(name, large=True)})"
        for name, picture in PICTURES.items()
        if picture.large
    ]
    parts.append(f"With 120 columns and 40 lines: {', '.join(large)}.")
    return "\n\n".join(parts)


def markdown(template: str) -> str:
    """The page, from its template."""

    def others() -> str:
        rest = [name for name in COMMANDS if f"{{{{command {name}}}}}" not in template]
        return "\n\n".join(f"## sipua {name}\n\n{section(name)}" for name in rest)

    def fill(found: re.Match[str]) -> str:
        what, _, argument = found[1].partition(" ")
        makers: dict[str, Callable[[], str]] = {
            "commands": command_table,
            "common": lambda: option_table(options("")),
            "events": event_table,
            "settings": settings_table,
            "command": lambda: section(argument),
            "others": others,
            "screens": screens,
        }
        return makers[what]()

    note = "<!-- Made by `make reference` from docs/cli.md.in and the commands: change those. -->\n\n"
    return note + re.sub(r"\n{3,}", "\n\n", re.sub(r"\{\{(.+?)\}\}", fill, template))


# --- the manual page ----------------------------------------------------------------------------------------------


def roff(text: str) -> str:
    """Text as troff takes it."""
    text = text.replace("\\", r"\e").replace("-", r"\-")
    return "\n".join(rf"\&{line}" if line[:1] in (".", "'") else line for line in text.split("\n"))


def roff_help(text: str) -> list[str]:
    lines = []
    for kept, block in blocks(text):
        lines += [".PP", *((".nf", roff(block), ".fi") if kept else (roff(" ".join(block.split())),))]
    return lines


def roff_options(rows: list[tuple[str, str]]) -> list[str]:
    lines = []
    for names, text in rows:
        lines += [".TP", rf"\fB{roff(names)}\fR", roff(text)]
    return lines


def man_page() -> str:
    """The manual page of all commands."""
    lines = [
        '.\\" Made by `make reference` from the commands.',
        ".TH SIPUA 1",
        ".SH NAME",
        r"sipua \- SIP calls over WebSocket with WebRTC audio, from the command line",
        ".SH SYNOPSIS",
        ".B sipua",
        r"\fICOMMAND\fR [\fIOPTIONS\fR] [\fIARGUMENTS\fR]",
        ".SH DESCRIPTION",
        *roff_help(app.help or "")[1:],
        ".SH COMMANDS",
    ]
    for path in paths():
        lines += [f".SS sipua {path}", ".PP", rf"\fB{roff(usage(path))}\fR"]
        lines += roff_help(context(path).command.help or "")
        lines += roff_options(options(path))
    lines += [".SH OPTIONS OF EVERY COMMAND THAT USES AN ACCOUNT", *roff_options(options(""))]
    lines += [".SH EXIT STATUS"]
    for code in ExitCode:
        lines += [".TP", rf"\fB{code.value}\fR", code.name.lower()]
    lines += [".SH FILES", ".TP", r"\fB~/.config/sipua/config.toml\fR"]
    lines += [roff("Accounts and settings; `sipua config path` says where it is on this system. Its keys:")]
    for key, each in ACCOUNT.items():
        lines += [".TP", rf"\fBaccounts.NAME.{roff(key)}\fR", roff(each.summary)]
    lines += [".SH ENVIRONMENT"]
    for option in _common.params:
        for name in [option.envvar] if isinstance(option.envvar, str) else ():
            lines += [".TP", rf"\fB{name}\fR", roff(f"as {option.opts[0]}")]
    lines += [".TP", r"\fBSIPUA_CONFIG\fR", "another file of accounts and settings"]
    lines += [".TP", r"\fBNO_COLOR\fR", "no colours"]
    return "\n".join(lines) + "\n"


def pages() -> dict[Path, str]:
    """All that is made here."""
    return {
        HERE / "cli.md": markdown((HERE / "cli.md.in").read_text("utf-8")),
        HERE / "sipua.1": man_page(),
        HERE / "events.schema.json": json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n",
    }


def main() -> None:
    """Write them; with ``--check`` say which are stale, and write nothing."""
    made = pages()
    stale = [path for path, text in made.items() if not path.exists() or path.read_text("utf-8") != text]
    if "--check" in sys.argv:
        if stale:
            sys.exit(f"stale: {', '.join(path.name for path in stale)}; run: make reference")
        return
    for path in stale:
        path.write_text(made[path], "utf-8")
        print(f"written: {path}")


if __name__ == "__main__":
    main()
