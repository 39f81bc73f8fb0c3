"""Where a password comes from. It is never printed, and never part of a message."""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from sipua.cli.exits import ExitCode, Failure, file_trouble

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sipua.cli.settings import Settings

#: Under which our passwords are in the keyring.
SERVICE = "sipua"

Way = Literal["text", "env", "file", "keyring", "prompt"]


@dataclass(frozen=True)
class PasswordSource:
    """One way to a password. `detail` is the password, the variable or the file; `where` names it in messages."""

    way: Way
    detail: str
    where: str
    file: Path | None = None
    """The file that has the password."""

    def __repr__(self) -> str:
        return f"PasswordSource({self.way})"

    def read(self, uri: str) -> str:
        """The password of the account `uri`.

        :raises Failure: there is none there.
        """
        return _READERS[self.way](self, uri)

    @property
    def exposed(self) -> Path | None:
        """The file that has the password, when others on this machine may read it."""
        return self.file if self.file is not None and exposed(self.file) else None


def exposed(path: Path) -> bool:
    """Whether others on this machine may read the file."""
    try:
        return os.name == "posix" and bool(path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))
    except OSError:
        return False


def of_account(settings: Settings, name: str, account: Mapping[str, Any]) -> PasswordSource | None:
    """How the account says that its password is found; None: it says nothing."""

    def source(way: Way, detail: str, key: str, file: Path | None = None) -> PasswordSource:
        return PasswordSource(way, detail, settings.position(("accounts", name, key)), file)

    if "password" in account:
        return source("text", account["password"], "password", settings.path)
    if "password_env" in account:
        return source("env", account["password_env"], "password_env")
    if "password_file" in account:
        file = settings.path_of(account["password_file"])
        return source("file", str(file), "password_file", file)
    if account.get("password_keyring"):
        return source("keyring", "", "password_keyring")
    if account.get("password_prompt"):
        return source("prompt", "", "password_prompt")
    return None


def _from_text(source: PasswordSource, uri: str) -> str:
    return source.detail


def _from_environment(source: PasswordSource, uri: str) -> str:
    password = os.environ.get(source.detail)
    if not password:
        raise Failure(f"{source.where}: the environment has no {source.detail}; set it", ExitCode.USAGE)
    return password


def _from_file(source: PasswordSource, uri: str) -> str:
    path = source.detail
    try:
        text = sys.stdin.readline() if path == "-" else Path(path).expanduser().read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = file_trouble(error) if isinstance(error, OSError) else "not a text file"
        raise Failure(f"{source.where}: {path}: {why}", ExitCode.USAGE) from None
    password = text.partition("\n")[0].rstrip("\r")
    if not password:
        name = "standard input" if path == "-" else path
        raise Failure(f"{source.where}: {name}: no password in its first line", ExitCode.USAGE)
    return password


def _from_prompt(source: PasswordSource, uri: str) -> str:
    return ask(uri, source.where)


def ask(uri: str, where: str, *, twice: bool = False) -> str:
    """Ask somebody at the terminal.

    :raises Failure: there is no terminal.
    """
    if not sys.stdin.isatty():
        raise Failure(
            f"{where}: there is no terminal to ask at; use SIPUA_PASSWORD or --password-file", ExitCode.USAGE
        )
    password: str = click.prompt(f"Password of {uri}", hide_input=True, err=True, confirmation_prompt=twice)
    return password


# --- the keyring ------------------------------------------------------------------------------------------


def _from_keyring(source: PasswordSource, uri: str) -> str:
    keyring = _keyring(source.where)
    try:
        password: str | None = keyring.get_password(SERVICE, uri)
    except keyring.errors.KeyringError as error:
        raise Failure(f"{source.where}: the keyring cannot be used: {error}") from None
    if not password:
        remedy = f"store it with: keyring set {SERVICE} {uri}"
        raise Failure(f"{source.where}: no password of {uri} in the keyring; {remedy}", ExitCode.USAGE)
    return password


def ask_and_store(uri: str) -> None:
    """Ask for the password of the account `uri`, and put it into the keyring.

    :raises Failure: there is no keyring that can be used, or no terminal.
    """
    keyring = _keyring("--keyring")
    try:
        keyring.get_password(SERVICE, uri)  # before anybody is bothered
        password = ask(uri, "--keyring", twice=True)
        keyring.set_password(SERVICE, uri, password)
    except keyring.errors.KeyringError as error:
        raise Failure(f"--keyring: the keyring cannot be used: {error}") from None


def forget(uri: str) -> None:
    """Take it out again; nothing happens when it is not there.

    :raises Failure: there is no keyring that can be used.
    """
    keyring = _keyring("--keyring")
    try:
        keyring.delete_password(SERVICE, uri)
    except keyring.errors.PasswordDeleteError:
        pass  # as wanted
    except keyring.errors.KeyringError as error:
        raise Failure(f"--keyring: the keyring cannot be used: {error}") from None


def _keyring(where: str) -> Any:
    try:
        import keyring
        import keyring.errors
    except ModuleNotFoundError:
        raise Failure(
            f'{where}: the keyring needs another package: pip install "sipua-webrtc[keyring]"', ExitCode.USAGE
        ) from None
    return keyring


_READERS = {
    "text": _from_text,
    "env": _from_environment,
    "file": _from_file,
    "keyring": _from_keyring,
    "prompt": _from_prompt,
}
