"""Who we are and where our server is: ``--account NAME``, or ``--uri``, ``--password`` and ``--server``."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from sipua.cli.accounts import AccountOptions, account_of_settings, load_account, with_password
from sipua.cli.exits import Failure
from sipua.cli.options import FILE, OUTPUT, TRACE, OutputOptions, gather
from sipua.cli.passwords import PasswordSource, of_account
from sipua.cli.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from click.shell_completion import CompletionItem

    from sipua.cli.settings import Settings

F = TypeVar("F", bound="Callable[..., Any]")


def complete_account(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The accounts of the file that begin so."""
    from click.shell_completion import CompletionItem

    try:
        accounts = load_settings().accounts
    except Failure:
        return []
    return [
        CompletionItem(name, help=a["uri"]) for name, a in accounts.items() if name.startswith(incomplete)
    ]


_ACCOUNT = (
    click.option(
        "--account",
        envvar="SIPUA_ACCOUNT",
        metavar="NAME",
        shell_complete=complete_account,
        help="An account of the settings (see sipua config); the options below change it.  [env: SIPUA_ACCOUNT]",
    ),
    click.option(
        "--uri",
        envvar="SIPUA_URI",
        metavar="URI",
        help="Our address, such as sip:alice@example.com.  [env: SIPUA_URI]",
    ),
    click.option(
        "--password",
        envvar="SIPUA_PASSWORD",
        metavar="TEXT",
        help="Its password. Others on this machine can see it in ps; "
        "the environment variable is safer.  [env: SIPUA_PASSWORD]",
    ),
    click.option(
        "--password-file", type=FILE, metavar="FILE", help="Take the first line of FILE; - is standard input."
    ),
    click.option("--password-prompt", is_flag=True, help="Ask for it on the terminal."),
    click.option(
        "--auth-user", metavar="NAME", help="User name for authentication, if it is not that of --uri."
    ),
    click.option(
        "--server",
        multiple=True,
        envvar="SIPUA_SERVER",
        metavar="URL",
        help="Such as wss://example.com/ws. Several: if one fails, the next.  [env: SIPUA_SERVER]",
    ),
    click.option(
        "--ca-file",
        metavar="FILE",
        help="Trust the certificates in this PEM file, no others; TURN servers: beside the system's.",
    ),
    click.option("--insecure", is_flag=True, help="Trust any certificate: for tests only."),
    click.option(
        "--ice-server",
        multiple=True,
        envvar="SIPUA_ICE_SERVER",
        metavar="URL",
        help="STUN or TURN server: stun:host, turn:host?transport=tcp.  [env: SIPUA_ICE_SERVER]",
    ),
    click.option("--ice-user", metavar="NAME", help="User name at the TURN servers."),
    click.option(
        "--ice-password",
        envvar="SIPUA_ICE_PASSWORD",
        metavar="TEXT",
        help="Password at the TURN servers.  [env: SIPUA_ICE_PASSWORD]",
    ),
)


@dataclass(frozen=True, kw_only=True)
class _Given:
    """What the command line and the environment say."""

    account: str | None
    uri: str | None
    password: str | None
    password_file: Path | None
    password_prompt: bool
    auth_user: str | None
    server: tuple[str, ...]
    ca_file: str | None
    insecure: bool
    ice_server: tuple[str, ...]
    ice_user: str | None
    ice_password: str | None


def account_options(function: F) -> F:
    """Add what every command needs that talks to a server, as `account` and `output`.

    A wrong account, or none, ends the command before it begins (exit code 2).
    """
    function = gather(function, OutputOptions, "output", (*OUTPUT, *TRACE))
    return gather(function, _Given, "account", _ACCOUNT, make=_resolve)


def _resolve(given: _Given) -> AccountOptions:
    ways = [
        option
        for option, value in (
            ("--password", given.password if _typed("password") else None),
            ("--password-file", given.password_file),
            ("--password-prompt", given.password_prompt),
        )
        if value
    ]
    if len(ways) > 1:
        raise click.UsageError(f"{' and '.join(ways)}: give one of them")
    settings, name = _chosen(given)
    if settings is None or name is None:
        account, source = _of_command_line(given), None
    else:
        account = _changed(account_of_settings(settings, name), given)
        source = of_account(settings, name, settings.account(name))
    return with_password(account, _source(given, source))


def other_accounts(first: AccountOptions, names: tuple[str, ...]) -> list[AccountOptions]:
    """What ``--also`` names: further accounts of the settings; ``ALL`` is every one but the first.

    Where the settings say nothing of a password, it is that of the environment, as for the first one.

    :raises Failure: there is none of this name, or it cannot be used.
    """
    if not names:
        return []
    settings = load_settings()
    wanted = list(settings.accounts) if "ALL" in names else list(dict.fromkeys(names))
    try:
        found = [load_account(settings, name) for name in wanted if name != first.name]
    except Failure as error:
        raise Failure(str(error).replace("--account", "--also", 1), error.code) from None
    default = os.environ.get("SIPUA_PASSWORD") or None
    return [replace(account, password=default) if account.password is None else account for account in found]


def _chosen(given: _Given) -> tuple[Settings | None, str | None]:
    """The account of the file, unless the address is given: what is typed goes before the environment."""
    if given.account is not None and (_typed("account") or not _typed("uri")):
        return load_settings(), given.account
    if given.uri is not None:
        return None, None
    settings = load_settings()
    if settings.default is None:
        if settings.accounts:
            hint = f"name one with --account: {', '.join(settings.accounts)}"
        else:
            hint = "give --uri and --server, or make one with: sipua config add"
        raise click.UsageError(f"no account; {hint}")
    return settings, settings.default


def _of_command_line(given: _Given) -> AccountOptions:
    assert given.uri is not None
    if not given.server:
        raise click.UsageError("Missing option '--server'")
    return AccountOptions(
        uri=given.uri,
        server=given.server,
        auth_user=given.auth_user,
        ca_file=given.ca_file,
        insecure=given.insecure,
        ice_servers=given.ice_server,
        ice_user=given.ice_user,
        ice_password=given.ice_password,
    )


def _changed(account: AccountOptions, given: _Given) -> AccountOptions:
    """The account with what was typed instead of what the file says. The environment does not change it."""
    changes: Mapping[str, Any] = {
        "uri": given.uri,
        "server": given.server,
        "auth_user": given.auth_user,
        "ca_file": given.ca_file,
        "insecure": given.insecure,
        "ice_server": given.ice_server,
        "ice_user": given.ice_user,
        "ice_password": given.ice_password,
    }
    typed = {name: value for name, value in changes.items() if value and _typed(name)}
    if "ice_server" in typed:
        typed["ice_servers"] = typed.pop("ice_server")
    if account.ice_password is None and given.ice_password:
        typed["ice_password"] = given.ice_password
    return replace(account, **typed)


def _source(given: _Given, of_file: PasswordSource | None) -> PasswordSource | None:
    if given.password_file is not None:
        file = given.password_file if str(given.password_file) != "-" else None
        return PasswordSource("file", str(given.password_file), "--password-file", file)
    if given.password_prompt:
        return PasswordSource("prompt", "", "--password-prompt")
    if given.password is not None and (_typed("password") or of_file is None):
        return PasswordSource("text", given.password, "--password")
    return of_file


def _typed(name: str) -> bool:
    """Whether the option was on the command line, not in the environment."""
    context = click.get_current_context()
    return context.get_parameter_source(name) is ParameterSource.COMMANDLINE


__all__ = [
    "AccountOptions",
    "account_of_settings",
    "account_options",
    "complete_account",
    "load_account",
    "other_accounts",
    "with_password",
]
