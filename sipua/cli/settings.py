"""The file of accounts and settings: TOML, where the platform keeps such files (``sipua config path`` says where).

Every key is checked when the file is read. What is wrong is one line with the file, the line number and the remedy.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from sipua.cli.exits import ExitCode, Failure, file_trouble

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Kind = Literal["text", "texts", "flag", "number", "path"]

_KINDS: dict[Kind, str] = {
    "text": 'a text, such as "…"',
    "texts": 'a text or a list of texts, such as ["…", "…"]',
    "flag": "true or false",
    "number": "a number above 0",
    "path": 'a path, such as "~/secret"',
}


@dataclass(frozen=True)
class Key:
    """One key of a table: the type of its value, and what it means."""

    kind: Kind
    summary: str


#: The keys of ``[accounts.NAME]``.
ACCOUNT: dict[str, Key] = {
    "uri": Key("text", "our address, such as sip:alice@example.com"),
    "server": Key("texts", "WebSocket URLs; if one fails, the next is tried"),
    "auth_user": Key("text", "user name for authentication, where it is not that of the address"),
    "display_name": Key("text", "the name that others see"),
    "password": Key("text", "the password itself; the other ways keep it out of this file"),
    "password_env": Key("text", "the environment variable that holds the password"),
    "password_file": Key("path", "the file whose first line is the password"),
    "password_keyring": Key("flag", "the password is in the keyring of the desktop"),
    "password_prompt": Key("flag", "ask for the password on the terminal"),
    "expires": Key("number", "seconds that a registration is asked for"),
    "ca_file": Key("path", "trust the certificates in this PEM file instead of the system's"),
    "insecure": Key("flag", "trust any certificate: for tests only"),
    "ice_servers": Key("texts", "STUN and TURN servers: stun:host, turn:host"),
    "ice_user": Key("text", "user name at the TURN servers"),
    "ice_password": Key("text", "password at the TURN servers"),
}
PASSWORDS = tuple(key for key in ACCOUNT if key.startswith("password"))

#: The keys of the file outside of any table.
TOP: dict[str, Key] = {"account": Key("text", "the account that is used when none is named")}

#: Other tables, such as ``[phone]``, with their keys; whoever reads one adds it here.
TABLES: dict[str, Mapping[str, Key]] = {}


@dataclass(frozen=True)
class Settings:
    """What the file says. `text` is the file as it is, for the positions of what is wrong."""

    path: Path
    text: str = field(default="", repr=False)
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def accounts(self) -> Mapping[str, Mapping[str, Any]]:
        """The accounts by their names, as they stand in the file."""
        found: Mapping[str, Mapping[str, Any]] = self.values.get("accounts", {})
        return found

    @property
    def default(self) -> str | None:
        """The account that is used when none is named: the one that is set, or the only one."""
        if "account" in self.values:
            return str(self.values["account"])
        return next(iter(self.accounts)) if len(self.accounts) == 1 else None

    def account(self, name: str) -> Mapping[str, Any]:
        """The keys of an account.

        :raises Failure: there is none of this name.
        """
        if name in self.accounts:
            return self.accounts[name]
        near = difflib.get_close_matches(name, self.accounts, 1)
        there = f"there are {', '.join(self.accounts)}" if self.accounts else "there is none yet"
        hint = f"did you mean {near[0]}?" if near else f"{there}; sipua config add makes one"
        raise Failure(f"--account {name}: no such account in {self.path}; {hint}", ExitCode.USAGE)

    def table(self, name: str) -> Mapping[str, Any]:
        """The keys of one of `TABLES`; empty when it is not there."""
        found: Mapping[str, Any] = self.values.get(name, {})
        return found

    def wrong(self, where: tuple[str, ...], why: str) -> NoReturn:
        """Refuse the value at `where`.

        :raises Failure: always; with the line number.
        """
        raise Failure(f"{self.position(where)}: {why}", ExitCode.USAGE)

    def position(self, where: tuple[str, ...]) -> str:
        """The file, the line and the name of the value at `where`, for messages."""
        line = find_line(self.text, where)
        return f"{self.path}{f':{line}' if line else ''}: {'.'.join(where)}"

    def path_of(self, value: str) -> Path:
        """A path of the file: relative ones begin at the file's directory."""
        return self.path.parent / Path(value).expanduser()


def settings_path() -> Path:
    """Where the file is, or would be: ``SIPUA_CONFIG``, or ``sipua/config.toml`` among the user's settings."""
    if given := os.environ.get("SIPUA_CONFIG"):
        return Path(given).expanduser()
    from platformdirs import user_config_path

    return user_config_path("sipua", appauthor=False) / "config.toml"


def load_settings(path: Path | None = None) -> Settings:
    """Read and check the file; without one there are no accounts.

    :raises Failure: it cannot be read, or something in it is wrong.
    """
    path = path if path is not None else settings_path()
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        return Settings(path)
    except UnicodeDecodeError as error:
        raise Failure(f"{path}: byte {error.start} is not UTF-8; save it as UTF-8", ExitCode.USAGE) from None
    except OSError as error:
        raise Failure(f"{path}: {file_trouble(error)}", ExitCode.USAGE) from None
    return parse_settings(text, path)


def parse_settings(text: str, path: Path) -> Settings:
    """The settings in a text that is, or will be, that of the file.

    :raises Failure: something in it is wrong.
    """
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        found = re.search(r" \(at (?:line (\d+), column (\d+)|end of document)\)$", message)
        lines = text.split("\n")
        place = (found[1], found[2]) if found and found[1] else (len(lines), len(lines[-1]) + 1)
        why = message[: found.start()] if found else message
        raise Failure(f"{path}:{place[0]}:{place[1]}: not TOML: {why}", ExitCode.USAGE) from None
    settings = Settings(path, text, values)
    _check(settings)
    return settings


# --- checks -----------------------------------------------------------------------------------------------


def _check(settings: Settings) -> None:
    tables = {"accounts", *TABLES}
    top = {name: value for name, value in settings.values.items() if name not in tables}
    _check_keys(settings, (), top, TOP, also=sorted(tables))
    for name in tables & settings.values.keys():
        if not isinstance(settings.values[name], dict):
            settings.wrong((name,), f"not a table; it looks like [{name}]")
    for name, keys in TABLES.items():
        _check_keys(settings, (name,), settings.table(name), keys)
    for name, account in settings.accounts.items():
        where = ("accounts", name)
        if not isinstance(account, dict):
            settings.wrong(where, f"not a table; it looks like [accounts.{name}]")
        _check_keys(settings, where, account, ACCOUNT)
        _check_account(settings, where, account)
    default = settings.values.get("account")
    if default is not None and default not in settings.accounts:
        there = ", ".join(settings.accounts) or "none"
        settings.wrong(("account",), f"no account {default!r}; there are: {there}")


def _check_keys(
    settings: Settings,
    where: tuple[str, ...],
    values: Mapping[str, Any],
    keys: Mapping[str, Key],
    also: list[str] | None = None,
) -> None:
    known = [*keys, *(also or ())]
    for name, value in values.items():
        if name not in keys:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            settings.wrong((*where, name), f"no such key; {hint}")
        if not where and isinstance(value, dict) and f"{name}s" in known:
            example = f"{name}s.{next(iter(value), 'work')}"
            settings.wrong((name,), f"is no table; an account looks like [{example}]")
        kind = keys[name].kind
        if not _fits(kind, value):
            settings.wrong((*where, name), f"has to be {_KINDS[kind]}")


def _fits(kind: Kind, value: object) -> bool:
    if kind == "flag":
        return isinstance(value, bool)
    if kind == "number":
        return isinstance(value, int) and not isinstance(value, bool) and value > 0
    texts = value if kind == "texts" and isinstance(value, list) else [value]
    return bool(texts) and all(isinstance(text, str) and text.strip() for text in texts)


def _check_account(settings: Settings, where: tuple[str, ...], account: Mapping[str, Any]) -> None:
    for name in ("uri", "server"):
        if name not in account:
            settings.wrong(where, f"{name} is missing; add {name} = {_EXAMPLES[name]!r}".replace("'", '"'))
    given = [name for name in PASSWORDS if account.get(name)]
    if len(given) > 1:
        settings.wrong((*where, given[1]), f"there is {given[0]} as well; keep one of them")


_EXAMPLES = {"uri": "sip:alice@example.com", "server": "wss://example.com/ws"}


# --- positions --------------------------------------------------------------------------------------------

_TABLE = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]\s*(?:#.*)?")
_KEY = re.compile(r"\s*((?:\"[^\"]*\"|'[^']*'|[\w-]+)(?:\s*\.\s*(?:\"[^\"]*\"|'[^']*'|[\w-]+))*)\s*=")
_PART = re.compile(r"\"([^\"]*)\"|'([^']*)'|([\w-]+)")


def find_line(text: str, where: tuple[str, ...]) -> int | None:
    """The number of the line that has the key or table at `where`, or else the nearest table around it.

    It is for messages: a text between triple quotes that looks like a key is taken for one.
    """
    lines = {path: number for number, path in reversed(list(_keys(text)))}
    for end in range(len(where), 0, -1):
        if where[:end] in lines:
            return lines[where[:end]]
    return None


def _keys(text: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        if found := _TABLE.fullmatch(line):
            table = _parts(found[1])
            yield from ((number, table[:end]) for end in range(len(table), 0, -1))
        elif found := _KEY.match(line):
            yield number, (*table, *_parts(found[1]))


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(a or b or c for a, b, c in _PART.findall(dotted))
