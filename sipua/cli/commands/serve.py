"""``sipua serve``: the embedded server in the foreground."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from sipua.cli.exits import ExitCode, Failure, one_line
from sipua.cli.options import FILE, OutputOptions, duration_option, traced_output_options
from sipua.cli.running import Run, execute
from sipua.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from sipua.server import Server

HELP = """Run a SIP server over WebSocket: registrar, proxy, presence, and call apps to try things with.

It is for tests and demonstrations, not for production. Runs until Ctrl-C, which is its normal end (exit code 0).
-v shows registrations and calls.
"""


class AccountType(click.ParamType[tuple[str, str]]):
    """``user:password``; what is wrong with it is told without the password."""

    name = "user:password"

    def convert(
        self, value: str | tuple[str, str], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """User name and password."""
        if isinstance(value, tuple):
            return value
        user, colon, password = value.partition(":")
        if not colon or not user or not password:
            self.fail("no user name, colon and password; it looks like alice:secret", param, ctx)
        return user, password


@click.command("serve", help=HELP)
@click.option(
    "--account",
    type=AccountType(),
    multiple=True,
    help="Somebody who may register and call; several are possible. Visible in ps.",
)
@click.option("--accounts", type=FILE, metavar="FILE", help="The same from a file, one user:password a line.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="Port for ws; 0 takes a free one.",
)
@click.option(
    "--tls-cert", type=FILE, metavar="FILE", help="Certificate chain in PEM: with it there is wss too."
)
@click.option("--tls-key", type=FILE, metavar="FILE", help="Its key, if it is not in the same file.")
@click.option(
    "--tls-port",
    type=click.IntRange(0, 65535),
    default=8443,
    show_default=True,
    help="Port for wss; 0 takes a free one.",
)
@click.option("--domain", metavar="NAME", help="The one domain it serves [default: any].")
@click.option("--no-apps", is_flag=True, help="No call apps.")
@click.option("--no-presence", is_flag=True, help="No answers to PUBLISH and SUBSCRIBE by the server itself.")
@click.option("--loopback", is_flag=True, help="Media of the call apps on 127.0.0.1 only.")
@duration_option("End after so long.")
@traced_output_options
def command(
    account: tuple[tuple[str, str], ...],
    accounts: Path | None,
    host: str,
    port: int,
    tls_cert: Path | None,
    tls_key: Path | None,
    tls_port: int,
    domain: str | None,
    no_apps: bool,
    no_presence: bool,
    loopback: bool,
    duration: float | None,
    output: OutputOptions,
) -> int:
    """Make the server, run it."""
    users = _users(account)
    if not host:
        raise click.UsageError("--host: is empty; 0.0.0.0 listens at all addresses of this machine")

    async def work(run: Run) -> int:
        from sipua.server import Server

        server = Server(
            {**users, **_load(accounts)},
            host=host,
            port=port,
            certificate=tls_cert,
            private_key=tls_key,
            tls_port=tls_port,
            domain=domain,
            apps=not no_apps,
            presence=not no_presence,
            media_options={"ice_host_addresses": ("127.0.0.1",)} if loopback else None,
        )
        if (trace := run.trace) is not None:
            server.trace(lambda way, peer, data: trace.add(way, data, peer=peer, agent="server"))
        async with server:
            _tell(run, server, apps=not no_apps)
            try:
                async with asyncio.timeout(duration):
                    await asyncio.get_running_loop().create_future()
            except TimeoutError:
                pass
        return ExitCode.OK

    if not users and accounts is None:
        raise click.UsageError("no accounts: give --account alice:secret, or --accounts FILE")
    return execute(output, work, interrupted=ExitCode.OK)


def _users(given: tuple[tuple[str, str], ...]) -> dict[str, str]:
    users = dict(given)
    if len(users) != len(given):
        names = [user for user, _ in given]
        twice = next(name for name in names if names.count(name) > 1)
        raise click.UsageError(f"--account {twice}: is there twice")
    return users


def _load(file: Path | None) -> dict[str, str]:
    from sipua.server import load_accounts

    if file is None:
        return {}
    try:
        return load_accounts(file)
    except ConfigurationError as error:
        raise Failure(one_line(error).replace("--account ", "--accounts ", 1), ExitCode.USAGE) from None


def _tell(run: Run, server: Server, *, apps: bool) -> None:
    from sipua.server import APPS

    lines = [f"listening at {' and '.join(server.urls)}"]
    if apps:
        lines += [f"  {number}  {app.summary}" for number, app in APPS.items()]
    run.output.event("listening", "\n".join(lines), urls=list(server.urls))
