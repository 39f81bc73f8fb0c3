"""Whether the server takes our registration."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from sipua.cli.doctor.findings import Finding, Wrong, ok, warning
from sipua.cli.exits import ExitCode, exit_code, one_line
from sipua.errors import RegistrationFailed, RegistrationUnauthorized, RequestTimeout

if TYPE_CHECKING:
    from sipua.cli.accounts import AccountOptions
    from sipua.cli.running import Run
    from sipua.ua import UA

__all__ = ["check_registration", "user_agent"]

_SLOW = "the server is slow, or loses messages: look into its log"
_REFUSALS = {
    400: "the server does not understand our request: --trace FILE shows it, and what the server says of it",
    403: "the account is locked, or this server does not take it from here: ask who runs the server",
    404: "the server does not know this address: check --uri",
    405: "it is no registrar: is it the right server?",
    408: "the server behind it does not answer",
    480: "the server cannot reach its registrar now: try later",
    484: "check --uri",
    500: "look into the server's log",
    503: "the server is overloaded, or being restarted: try later",
}


def user_agent(account: AccountOptions, *, timeout: float, register: bool) -> UA:
    """A user agent for the account, not started.

    :raises ConfigurationError: an option that cannot be used.
    """
    from sipua.ua import UA

    options = {**account.user_agent_options(), "connect_timeout": timeout, "register": register}
    return UA(account.uri, **options)


async def check_registration(run: Run, account: AccountOptions, url: str, timeout: float) -> Finding:
    """Register at this one server, and unregister."""
    ua = user_agent(replace(account, server=(url,)), timeout=timeout, register=True)
    if run.trace is not None:
        run.trace.follow(ua)
    granted: list[float] = []
    ua.on("registered", lambda event: granted.append(event.expires))
    began = time.monotonic()
    try:
        await _register(ua, account, timeout)
        return _granted(account, granted[0], time.monotonic() - began)
    finally:
        await ua.stop(min(timeout, 2.0))


async def _register(ua: UA, account: AccountOptions, timeout: float) -> None:
    ua.start()
    try:
        async with asyncio.timeout(timeout):
            await ua.ready()
    except RegistrationUnauthorized as error:
        raise _unauthorised(account, error) from None
    except (RequestTimeout, TimeoutError):
        why = "the WebSocket is up, but no answer to REGISTER came"
        raise Wrong(why, "is there a SIP server behind it? Look into its log", ExitCode.TIMEOUT) from None
    except RegistrationFailed as error:
        response = error.response
        status = f"{response.code} {response.phrase}".strip() if response is not None else str(error.cause)
        remedy = _REFUSALS.get(error.status_code or 0, "--trace FILE shows what the server says")
        raise Wrong(f"refused: {status}", remedy, exit_code(error)) from None
    except OSError as error:
        raise Wrong(one_line(error), "try again: the connection was there before", exit_code(error)) from None


def _unauthorised(account: AccountOptions, error: RegistrationUnauthorized) -> Wrong:
    status = f" ({error.status_code})" if error.status_code else ""
    user = account.auth_user or account.uri.partition(":")[2].partition("@")[0]
    if account.password is None:
        why, remedy = f"the server wants a password{status}", "give one: --password-prompt, or SIPUA_PASSWORD"
    else:
        why = f"the server does not take {user} with this password{status}"
        remedy = (
            "check --uri and the password: as a rule, servers do not say which of them is wrong; the user name for the "
            "password may be another one (--auth-user)"
        )
    return Wrong(why, remedy, ExitCode.UNAUTHORISED)


def _granted(account: AccountOptions, expires: float, seconds: float) -> Finding:
    detail = f"registered for {expires:g} s"
    if seconds > 3:
        return warning(
            f"{detail}, but it took {seconds:.1f} s",
            "the server is slow, or loses messages: look into its log",
        )
    return ok(detail)
