"""Changing the file of settings: what people wrote into it, their comments too, stays as it is."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from typing import TYPE_CHECKING, Any

import tomlkit

from sipua.cli.exits import ExitCode, Failure, file_trouble
from sipua.cli.settings import PASSWORDS, parse_settings, settings_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sipua.cli.settings import Settings

TEMPLATE = """\
# Accounts and settings of sipua. `sipua config add` writes accounts, `sipua config check` reads this file as the
# commands do. No account is active yet: take the signs of comment away, or let `sipua config add` do it.

# account = "work"                      # used when no --account is given

# [accounts.work]
# uri = "sip:alice@example.com"
# server = "wss://example.com/ws"       # or a list: if one fails, the next is tried
# password_env = "WORK_PASSWORD"        # or password_file, password_keyring, password_prompt, password
# display_name = "Alice"
# ice_servers = ["stun:stun.example.com", "turn:turn.example.com"]
"""


def with_account(settings: Settings, name: str, keys: Mapping[str, Any], *, default: bool) -> Settings:
    """The settings with an account more, or with other keys for it. Nothing is written.

    :raises Failure: a key or value that the file may not have.
    """
    document = tomlkit.parse(settings.text)
    accounts = document.get("accounts")
    if accounts is None:
        accounts = document["accounts"] = tomlkit.table(is_super_table=True)
    table = tomlkit.table()
    for key, value in keys.items():
        table.add(key, value)
    accounts[name] = table
    changed = parse_settings(tomlkit.dumps(document), settings.path)
    return with_default(changed, name) if default else changed


def with_default(settings: Settings, name: str) -> Settings:
    """The settings with this account as the one that is used when none is named."""
    document = tomlkit.parse(settings.text)
    if "account" in document:
        document["account"] = name
        return parse_settings(tomlkit.dumps(document), settings.path)
    # A key outside of tables stands before the first of them, and before the comment that belongs to that.
    lines = settings.text.splitlines(keepends=True)
    place = next((number for number, line in enumerate(lines) if line.lstrip().startswith("[")), len(lines))
    while 0 < place < len(lines) and lines[place - 1].lstrip().startswith("#"):
        place -= 1
    lines.insert(place, f"account = {tomlkit.item(name).as_string()}\n\n")
    return parse_settings("".join(lines), settings.path)


def without_account(settings: Settings, name: str) -> Settings:
    """The settings without this account."""
    document = tomlkit.parse(settings.text)
    accounts: Any = document["accounts"]
    del accounts[name]
    if document.get("account") == name:
        del document["account"]
    return parse_settings(tomlkit.dumps(document), settings.path)


@contextlib.contextmanager
def changing() -> Iterator[None]:
    """Inside, the settings are read, changed and saved, by one process at a time: none undoes what another one did.

    :raises Failure: they cannot be written there.
    """
    path = settings_path()
    folder = path.resolve().parent
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise Failure(f"{path}: cannot be written: {file_trouble(error)}") from None
    try:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def save(settings: Settings) -> None:
    """Write the file, readable for its owner only. It is there in full or not at all.

    :raises Failure: it cannot be written.
    """
    # Through a link, so that a file that is kept elsewhere stays there.
    path = settings.path.resolve()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(settings.text)
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        raise Failure(f"{settings.path}: cannot be written: {file_trouble(error)}") from None


def hidden(keys: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of an account, without what is secret in them."""
    secret = {"password", "ice_password"}
    return {key: "[hidden]" if key in secret else value for key, value in keys.items()}


def way_of(keys: Mapping[str, Any]) -> str:
    """Where the password of an account comes from: ``text``, ``env``, ``file``, ``keyring``, ``prompt``, ``none``."""
    for key in PASSWORDS:
        if keys.get(key):
            return key.removeprefix("password").removeprefix("_") or "text"
    return "none"


def check_name(name: str) -> str:
    """The name of an account.

    :raises Failure: one that cannot be typed with ease.
    """
    if not name.isprintable() or not name or any(sign in name for sign in " \"'[].=#/\\") or name[0] == "-":
        raise Failure(f"{name!r}: not a name for an account; it looks like work", ExitCode.USAGE)
    return name
