"""STUN and TURN servers, and the ICE candidates that come of them."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from sipua.cli.doctor.findings import Examination, Finding, Wrong, ok, warning
from sipua.cli.exits import ExitCode

if TYPE_CHECKING:
    from sipua.cli.accounts import AccountOptions
    from sipua.media.ice_servers import Server
    from sipua.media.reaching import Fault, IceServerError

__all__ = ["check_candidates", "check_ice_servers", "judge_candidates"]

_REMEDIES: dict[Fault, str] = {
    "name": "check the spelling in --ice-server; if it is right, the name has to be entered in DNS",
    "network": "nothing takes packets there: check address and port; is the server running?",
    "silence": "check address and port; a firewall may drop UDP: try turn:…?transport=tcp or turns:",
    "tls": "its certificate or its TLS: look at it with openssl s_client",
    "no credentials": "give --ice-user and --ice-password",
    "credentials": "check --ice-user and --ice-password; some are valid for some hours only",
    "nonsense": "is it a STUN or TURN server, and is it the right port?",
}
_REFUSALS = {
    403: "the server does not allow that: ask who runs it",
    437: "try again: it still has our last allocation",
    441: "check --ice-user: another one was used before",
    442: "it relays no UDP",
    486: "too many allocations of this user: try later",
    508: "the server has no free ports: try later, or ask who runs it",
}


async def check_ice_servers(examination: Examination, account: AccountOptions) -> None:
    """Ask each STUN and TURN server."""
    from sipua.media.ice_servers import parse_servers

    for server, given in zip(
        parse_servers(account.ice_server_list()), account.ice_server_list(), strict=True
    ):
        url = given if isinstance(given, str) else str(given.urls)
        await examination.check(
            "STUN" if server.scheme == "stun" else "TURN", url, _ask(server, examination.timeout)
        )


async def _ask(server: Server, timeout: float) -> Finding:
    from sipua.media.reaching import IceServerError, reach

    try:
        reached = await reach(server, timeout)
    except IceServerError as error:
        raise _wrong(server, error) from None
    seen = f"it sees us at {reached.mapped[0]}"
    if reached.relayed is None:
        return ok(seen)
    return ok(f"relays at {reached.relayed[0]}, {seen}")


def _wrong(server: Server, error: IceServerError) -> Wrong:
    remedy = _REMEDIES.get(error.fault) or _REFUSALS.get(error.code or 0, "look into the server's log")
    codes: dict[Fault, ExitCode] = {
        "silence": ExitCode.TIMEOUT,
        "no credentials": ExitCode.UNAUTHORISED,
        "credentials": ExitCode.UNAUTHORISED,
        "refusal": ExitCode.REJECTED,
    }
    return Wrong(str(error), remedy, codes.get(error.fault, ExitCode.FAILED))


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
    return judge_candidates(found, relays=any(url.startswith("turn") for url in account.ice_servers))


def judge_candidates(found: list[tuple[str, str]], *, relays: bool) -> Finding:
    """What addresses and types of candidates mean for calls.

    :param relays: whether there is a TURN server.
    """
    if not found:
        raise Wrong("there are none: no sound can reach us", "check the network of this machine")
    numbers = Counter(kind for _, kind in found)
    detail = ", ".join(f"{count} {_KINDS.get(kind, kind)}" for kind, count in numbers.items())
    if relays and not numbers["relay"]:
        return warning(
            f"{detail}: none by TURN", "calls out of guarded networks will have no sound; see TURN above"
        )
    if not numbers["srflx"] and not numbers["relay"]:
        which = f"{detail}: only peers that reach {found[0][0]} directly can be heard"
        return warning(which, "give --ice-server stun:… or turn:… for calls across the Internet")
    return ok(detail)
