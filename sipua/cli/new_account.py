"""An account that is made: from options of ``sipua config add``, and from what is asked for."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from sipua.cli import passwords


def keys_of(given: dict[str, Any]) -> dict[str, Any]:
    """The keys of the account, as they go into the file."""
    ways = ("password_env", "password_file", "keyring", "password_prompt", "store_password")
    used = [f"--{way.replace('_', '-')}" for way in ways if given[way]]
    if len(used) > 1:
        raise click.UsageError(f"{' and '.join(used)}: give one of them")
    uri = given["uri"] or asked("--uri", "Address, such as sip:alice@example.com")
    if "" in given["server"]:
        raise click.UsageError("--server: is empty; it looks like wss://example.com/ws")
    servers = list(given["server"]) or [asked("--server", "Server, such as wss://example.com/ws")]
    keys: dict[str, Any] = {"uri": uri, "server": servers[0] if len(servers) == 1 else servers}
    for key in ("auth_user", "display_name", "password_env", "expires"):
        if given[key]:
            keys[key] = given[key]
    for key in ("password_file", "ca_file"):
        if given[key]:  # relative paths in the file begin at the file
            keys[key] = str(Path(given[key]).expanduser().absolute())
    if given["keyring"]:
        keys["password_keyring"] = True
    for key in ("password_prompt", "insecure"):
        if given[key]:
            keys[key] = True
    if given["ice_server"]:
        keys["ice_servers"] = list(given["ice_server"])
    if given["ice_user"]:
        keys["ice_user"] = given["ice_user"]
    return keys


def asked(option: str, question: str) -> str:
    """What somebody at the terminal answers to the question for an option."""
    if not sys.stdin.isatty():
        raise click.UsageError(f"Missing option '{option}'")
    answer: str = click.prompt(question, err=True)
    return answer


def ask_passwords(uri: str, given: dict[str, Any], keys: dict[str, Any]) -> None:
    """Ask for what is to be kept: in the keyring, or in `keys`, which go into the file.

    :raises Failure: there is no terminal, or no keyring.
    """
    if given["keyring"]:
        passwords.ask_and_store(uri)
    elif given["store_password"]:
        keys["password"] = passwords.ask(uri, "--store-password", twice=True)
    if given["store_ice_password"]:
        whom = f"{given['ice_user'] or uri} at the TURN servers"
        keys["ice_password"] = passwords.ask(whom, "--store-ice-password", twice=True)
