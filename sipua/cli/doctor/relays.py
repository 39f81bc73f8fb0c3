"""STUN and TURN servers, and the ICE candidates that come of them."""

from __future__ import annotations

import asyncio
import datetime
import re
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from sipua.cli.doctor.findings import Examination, Finding, Wrong, ok, warning
from sipua.cli.doctor.tls import TURN_SERVER, check_tls
from sipua.cli.exits import ExitCode

if TYPE_CHECKING:
    from collections.abc import Collection, Coroutine

    from sipua.cli.accounts import AccountOptions
    from sipua.media.ice_servers import Server
    from sipua.media.reaching import Fault, IceServerError

__all__ = ["check_candidates", "check_ice_servers", "judge_candidates"]

_REMEDIES: dict[Fault, str] = {
    "name": "check the spelling in --ice-server; if it is right, the name has to be entered in DNS",
    "name server": "the name server does not answer: check the network of this machine",
    "network": "check the address, the network of this machine, and firewalls on the way",
    "family": "give an IPv4 address, or a name that has one; turn: may have an IPv6 address",
    "refused": "nothing listens there: is the server running, and is it this port? A firewall may refuse, too",
    "tls": "is it a TLS port? If not, the URL begins with turn:",
    "no credentials": "give --ice-user and --ice-password",
    "credentials": "check --ice-user and --ice-password; some are valid for some hours only",
    "nonsense": "is it a STUN or TURN server, and is it the right port?",
}
_SILENCE = {
    "udp": "check address and port; a firewall may drop UDP: try turn:…?transport=tcp or turns:",
    "tcp": "check address and port; is the server running, and does a firewall let TCP to it through?",
}
_REFUSALS = {
    403: "the server does not allow that: ask who runs it",
    437: "try again: it still has our last allocation",
    441: "check --ice-user: another one was used before",
    442: "it relays no UDP",
    486: "too many allocations of this user: try later",
    508: "the server has no free ports: try later, or ask who runs it",
}
_CODES: dict[Fault, ExitCode] = {
    "silence": ExitCode.TIMEOUT,
    "no credentials": ExitCode.UNAUTHORISED,
    "credentials": ExitCode.UNAUTHORISED,
    "refusal": ExitCode.REJECTED,
}


async def check_ice_servers(examination: Examination, account: AccountOptions) -> None:
    """Ask the STUN and TURN servers, all at once, and tell of one after the other."""
    from sipua.media.ice_servers import parse_servers

    given = account.ice_server_list()
    servers = zip(parse_servers(given), given, strict=True)
    asked = [
        (server, url if isinstance(url, str) else str(url.urls), _begin(_ask(server, examination.timeout)))
        for server, url in servers
    ]
    try:
        for server, url, (began, task) in asked:
            name = "STUN" if server.scheme == "stun" else "TURN"
            await examination.check(name, url, task, began=began)
    finally:
        for _, _, (_, task) in asked:
            task.cancel()


def _begin(asking: Coroutine[Any, Any, Finding]) -> tuple[float, asyncio.Task[Finding]]:
    return time.monotonic(), asyncio.get_running_loop().create_task(asking)


async def _ask(server: Server, timeout: float) -> Finding:
    from sipua.media.reaching import IceServerError, reach

    try:
        reached = await reach(server, timeout)
    except IceServerError as error:
        if error.fault == "tls" and (context := server.tls()) is not None:
            await check_tls(context, *server.address, timeout, TURN_SERVER)
        raise _wrong(server, error) from None
    seen = f"it sees us at {reached.mapped[0]}"
    if reached.relayed is None:
        return ok(seen)
    relays = f"relays at {reached.relayed[0]}, {seen}"
    if server.scheme == "turns" and server.insecure:
        return warning(
            f"{relays}, certificate not checked (--insecure)", "leave --insecure out, and give --ca-file"
        )
    return ok(relays)


def _wrong(server: Server, error: IceServerError) -> Wrong:
    code = _CODES.get(error.fault, ExitCode.FAILED)
    if error.fault == "credentials" and (ended := _ended(server.username)) is not None:
        remedy = "get new credentials from where --ice-user and --ice-password came from"
        return Wrong(
            f"{error}: by the user name they were valid until {ended:%Y-%m-%d %H:%M} UTC", remedy, code
        )
    if error.fault == "silence":
        remedy = _SILENCE[server.transport]
    else:
        remedy = _REMEDIES.get(error.fault) or _REFUSALS.get(error.code or 0, "look into the server's log")
    return Wrong(str(error), remedy, code)


def _ended(user: str | None) -> datetime.datetime | None:
    """When credentials for a time have expired: their user names begin with it, in seconds since 1970."""
    found = re.match(r"(\d{9,11})(?::|$)", user or "")
    if found is None:
        return None
    ends = datetime.datetime.fromtimestamp(int(found[1]), datetime.UTC)
    return ends if ends < datetime.datetime.now(datetime.UTC) else None


# --- candidates -------------------------------------------------------------------------------------------

_KINDS = {"host": "own", "srflx": "by STUN", "prflx": "by peers", "relay": "by TURN"}


async def check_candidates(account: AccountOptions, *, loopback: bool) -> Finding:
    """Gather candidates as a call does, and look at what there is."""
    from sipua.media.interface import MediaOptions
    from sipua.media.rtc import RtcMedia

    hosts = ("127.0.0.1",) if loopback else None
    servers = tuple(account.ice_server_list())
    media = RtcMedia(MediaOptions(ice_servers=servers, ice_host_addresses=hosts, trickle_ice="off"))
    try:
        offer = await media.create_offer()
    finally:
        await media.close()
    found = re.findall(r"^a=candidate:\S+ \d+ \S+ \d+ (\S+) \d+ typ (\S+)", offer, re.MULTILINE)
    kinds = {"TURN" if url.startswith("turn") else "STUN" for url in account.ice_servers}
    return judge_candidates(found, kinds)


def judge_candidates(found: list[tuple[str, str]], asked: Collection[str] = ()) -> Finding:
    """What addresses and types of candidates mean for calls.

    :param asked: of STUN and TURN, what servers there are.
    """
    if not found:
        raise Wrong("there are none: no sound can reach us", "check the network of this machine")
    numbers = Counter(kind for _, kind in found)
    detail = ", ".join(f"{numbers[kind]} {words}" for kind, words in _KINDS.items() if numbers[kind])
    if "TURN" in asked and not numbers["relay"]:
        return warning(
            f"{detail}: none by TURN", "calls out of guarded networks will have no sound; see TURN above"
        )
    if not numbers["srflx"] and not numbers["relay"]:
        which = f"{detail}: only peers that reach {found[0][0]} directly can be heard"
        remedy = "see STUN above" if asked else "give --ice-server stun:… or turn:…"
        return warning(which, f"for calls across the Internet, {remedy}")
    return ok(detail)
