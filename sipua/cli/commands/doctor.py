"""``sipua doctor``: what is wrong with an account, its server and the way to it, and what to do."""

from __future__ import annotations

import click

from sipua.cli.account import AccountOptions, account_options
from sipua.cli.options import OutputOptions, Seconds
from sipua.cli.running import Run, execute

HELP = """Examine the way from this machine to a call, and say what is wrong in plain words, and what to do.

The server's name, TCP, TLS and its certificate, the WebSocket and its sub-protocol, the registration, STUN and
TURN servers, ICE candidates, and with --call an echo.

The exit code is 0 when nothing is wrong; else it tells the kind of the first fault.
"""


@click.command("doctor", help=HELP)
@account_options
@click.option(
    "--call", metavar="TARGET", help="Call this echo, send a tone, and listen whether it comes back."
)
@click.option("--loopback", is_flag=True, help="Media on 127.0.0.1 only.")
@click.option("--timeout", type=Seconds(), default="10", show_default=True, help="For each check.")
def command(
    account: AccountOptions, output: OutputOptions, call: str | None, loopback: bool, timeout: float
) -> int:
    """Examine all, then conclude."""

    async def work(run: Run) -> int:
        from sipua.cli.doctor.connection import check_connection
        from sipua.cli.doctor.echo import check_echo
        from sipua.cli.doctor.findings import Examination
        from sipua.cli.doctor.registration import check_registration, user_agent
        from sipua.cli.doctor.relays import check_candidates, check_ice_servers

        # A wrong option is told before all else.
        ua = user_agent(account, timeout=timeout, register=False)
        if call is not None:
            ua.normalize_target(call)
        examination = Examination(run.output, timeout)
        reachable = []
        for url in account.server:
            if not await check_connection(examination, account, url):
                examination.skip("register", account.uri, "needs the connection")
            elif await examination.check(
                "register", account.uri, check_registration(run, account, url, timeout)
            ):
                reachable.append(url)
        await check_ice_servers(examination, account)
        await examination.check("candidates", "", check_candidates(account, loopback=loopback))
        if call is not None and not reachable:
            examination.skip("call", call, "needs the registration")
        elif call is not None:
            echo = check_echo(run, account, call, timeout, loopback=loopback)
            examination.timeout = timeout + 10.0  # connecting, ringing and listening
            await examination.check("call", call, echo)
        return examination.conclude()

    # What is wrong with STUN and TURN servers is a check of its own.
    return execute(output, work, told=("sipua.media.gathering",))
