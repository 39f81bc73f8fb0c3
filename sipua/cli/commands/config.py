"""``sipua config``: the file of accounts and settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sipua.cli import passwords
from sipua.cli.accounts import account_of_settings, fault, load_account, unchecked
from sipua.cli.exits import ExitCode, Failure
from sipua.cli.options import OutputOptions, output_options
from sipua.cli.running import Run, execute
from sipua.cli.settings import Settings, load_settings, settings_path

if TYPE_CHECKING:
    from collections.abc import Callable

HELP = """Accounts and settings: one TOML file, which all commands read.

Commands take an account by its name (--account NAME), or the default one. Its password is in the file, or better
in the environment, in a file of its own, in the keyring, or asked for. Passwords are never shown.
"""


class AccountName(click.ParamType[str]):
    """The name of an account that is in the file."""

    name = "name"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[click.shell_completion.CompletionItem]:
        """The accounts that begin so."""
        from sipua.cli.account import complete_account

        return complete_account(ctx, param, incomplete)


@click.group("config", help=HELP)
def command() -> None:
    """All is in the subcommands."""


def _tell(output: OutputOptions, work: Callable[[Run], int]) -> int:
    async def run(run: Run) -> int:
        return work(run)

    return execute(output, run)


def _tell_account(run: Run, settings: Settings, name: str, **more: Any) -> None:
    from sipua.cli.settings_file import way_of

    keys = settings.account(name)
    servers = keys["server"] if isinstance(keys["server"], list) else [keys["server"]]
    default = settings.default == name
    way = way_of(keys)
    text = f"{'*' if default else ' '} {name}  {keys['uri']}  {', '.join(servers)}  password: {way}"
    run.output.event(
        "account", text, name=name, uri=keys["uri"], servers=servers, default=default, password=way, **more
    )


@command.command("path")
@output_options
def path_command(output: OutputOptions) -> int:
    """Say where the file is, or would be."""

    def work(run: Run) -> int:
        path = settings_path()
        there, number = path.exists(), 0
        try:
            number = len(load_settings(path).accounts)
        except Failure as failure:  # who asks may be about to mend it
            run.output.log(str(failure))
        run.output.event("settings", str(path), path=str(path), exists=there, accounts=number)
        return ExitCode.OK

    return _tell(output, work)


@command.command("init")
@output_options
def init_command(output: OutputOptions) -> int:
    """Make the file, with an example as comments."""

    def work(run: Run) -> int:
        from sipua.cli.settings_file import TEMPLATE, save

        path = settings_path()
        if path.exists():
            raise Failure(f"{path}: is there already; sipua config add adds an account", ExitCode.USAGE)
        save(Settings(path, TEMPLATE))
        run.output.event("settings", f"made {path}", path=str(path), exists=True, accounts=0)
        return ExitCode.OK

    return _tell(output, work)


@command.command("list")
@output_options
def list_command(output: OutputOptions) -> int:
    """List the accounts; the default one has an asterisk."""

    def work(run: Run) -> int:
        settings = load_settings()
        for name in settings.accounts:
            _tell_account(run, settings, name)
        if not settings.accounts:
            text = f"no accounts in {settings.path}; sipua config add makes one"
            run.output.event("warning", text, message=text)
        return ExitCode.OK

    return _tell(output, work)


@command.command("show")
@click.argument("name", type=AccountName())
@output_options
def show_command(name: str, output: OutputOptions) -> int:
    """Show all that the file says of an account, without its passwords."""

    def work(run: Run) -> int:
        from sipua.cli.settings_file import hidden

        settings = load_settings()
        keys = hidden(settings.account(name))
        _tell_account(run, settings, name, keys=keys)
        run.output.text("\n".join(f"    {key} = {_toml(value)}" for key, value in keys.items()))
        return ExitCode.OK

    return _tell(output, work)


def _toml(value: Any) -> str:
    import tomlkit

    text: str = tomlkit.item(value).as_string()
    return text


@command.command("add")
@click.argument("name")
@click.option("--uri", metavar="URI", help="Our address; asked for on a terminal when it is not given.")
@click.option(
    "--server", multiple=True, metavar="URL", help="WebSocket URL; several: if one fails, the next."
)
@click.option("--auth-user", metavar="NAME", help="User name for authentication, if it is not that of --uri.")
@click.option("--display-name", metavar="TEXT", help="The name that others see.")
@click.option("--password-env", metavar="NAME", help="The password is in this environment variable.")
@click.option("--password-file", metavar="FILE", help="The password is the first line of this file.")
@click.option("--keyring", is_flag=True, help="Ask for the password now, and keep it in the keyring.")
@click.option("--password-prompt", is_flag=True, help="Ask for the password each time.")
@click.option("--store-password", is_flag=True, help="Ask for the password now, and write it into the file.")
@click.option("--expires", type=click.IntRange(1), metavar="SECONDS", help="Duration of registrations.")
@click.option("--ca-file", metavar="FILE", help="Trust the certificates in this PEM file, no others.")
@click.option("--insecure", is_flag=True, help="Trust any certificate: for tests only.")
@click.option("--ice-server", multiple=True, metavar="URL", help="STUN or TURN server.")
@click.option("--ice-user", metavar="NAME", help="User name at the TURN servers.")
@click.option(
    "--store-ice-password", is_flag=True, help="Ask for the password there now, and write it into the file."
)
@click.option("--default", is_flag=True, help="Use it when no account is named.")
@click.option("--replace", is_flag=True, help="Instead of the account that has this name.")
@output_options
def add_command(name: str, output: OutputOptions, *, default: bool, replace: bool, **given: Any) -> int:
    """Add an account."""
    from sipua.cli.new_account import ask_passwords, keys_of
    from sipua.cli.settings_file import changing, check_name, save, with_account

    check_name(name)
    settings = load_settings()

    def check_free(settings: Settings) -> None:
        if name in settings.accounts and not replace:
            raise click.UsageError(f"{name}: is there already; --replace puts this one in its place")

    check_free(settings)
    keys = keys_of(given)
    changed = with_account(settings, name, keys, default=default)
    if (found := fault(unchecked(changed, name))) is not None:
        raise click.UsageError(f"--{found[0].removesuffix('s').replace('_', '-')} {found[1]}")
    ask_passwords(changed.account(name)["uri"], given, keys)

    def work(run: Run) -> int:
        with changing():
            settings = load_settings()  # with what others have changed while passwords were asked for
            check_free(settings)
            changed = with_account(settings, name, keys, default=default)
            save(changed)
        _tell_account(run, changed, name)
        return ExitCode.OK

    return _tell(output, work)


@command.command("default")
@click.argument("name", type=AccountName())
@output_options
def default_command(name: str, output: OutputOptions) -> int:
    """Use this account when none is named."""

    def work(run: Run) -> int:
        from sipua.cli.settings_file import changing, save, with_default

        with changing():
            settings = load_settings()
            settings.account(name)
            changed = with_default(settings, name)
            save(changed)
        _tell_account(run, changed, name)
        return ExitCode.OK

    return _tell(output, work)


@command.command("remove")
@click.argument("name", type=AccountName())
@output_options
def remove_command(name: str, output: OutputOptions) -> int:
    """Remove an account, and its password from the keyring."""

    def work(run: Run) -> int:
        from sipua.cli.settings_file import changing, save, without_account

        with changing():
            settings = load_settings()
            account = settings.account(name)
            changed = without_account(settings, name)
            if account.get("password_keyring"):
                passwords.forget(account["uri"])
            save(changed)
        path, number = str(settings.path), len(changed.accounts)
        run.output.event("settings", f"removed {name}", path=path, exists=True, accounts=number)
        return ExitCode.OK

    return _tell(output, work)


@command.command("check", short_help="Read the file as the commands do, and say what is wrong.")
@click.argument("name", required=False, type=AccountName())
@output_options
def check_command(name: str | None, output: OutputOptions) -> int:
    """Read the file as the commands do, and say what is wrong; sipua register tries an account out."""

    def work(run: Run) -> int:
        settings = load_settings()
        if not settings.path.exists():
            raise Failure(f"{settings.path}: there is no file; sipua config add makes it", ExitCode.USAGE)
        names = list(settings.accounts) if name is None else [name]
        warnings = sum(_check_account(run, settings, one) for one in names)
        path, number = str(settings.path), len(settings.accounts)
        found = _number(warnings, "warning") if warnings else "nothing wrong"
        text = f"{path}: {_number(number, 'account')}, {found}"
        run.output.event("settings", text, path=path, exists=True, accounts=number)
        return ExitCode.OK

    return _tell(output, work)


def _number(count: int, thing: str) -> str:
    return f"{count} {thing}{'s' if count != 1 else ''}"


def _check_account(run: Run, settings: Settings, name: str) -> int:
    """Tell of an account; returns how many warnings there were."""
    from sipua.cli.settings_file import way_of

    if way_of(settings.account(name)) == "prompt":
        account = account_of_settings(settings, name)
    else:
        account = load_account(settings, name)
    for warning in account.warnings:
        text = f"accounts.{name}: {warning}"
        run.output.event("warning", text, message=text)
    _tell_account(run, settings, name)
    return len(account.warnings)
