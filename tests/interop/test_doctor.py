"""``sipua doctor`` and real servers: nothing wrong, and a table of set-ups that are broken in one way each."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from sipua.cli.exits import ExitCode
from sipua.testing import steady
from tests.cli.commands import Result, sipua

if TYPE_CHECKING:
    from tests.lab.peers import AsteriskPeer, CoturnPeer, Peer


async def doctor(server: Peer, *more: str, password: str | None = None, url: str | None = None) -> Result:
    alice = server.accounts["alice"]
    who = ("--uri", alice.uri, "--password", password or alice.password)
    return await sipua("doctor", *who, "--server", url or server.ws, *more, "--json")


def states(done: Result) -> dict[str, Any]:
    return {event["check"]: event["state"] for event in done.all("check")}


def check(done: Result, name: str) -> Any:
    (found,) = [event for event in done.all("check") if event["check"] == name]
    return found


async def test_all_is_well(server: Peer) -> None:
    done = await doctor(server)
    found = states(done)
    assert found.pop("candidates") in ("ok", "warning")
    assert set(found.values()) == {"ok"}, done.out
    assert done.code == ExitCode.OK


async def test_echo(asterisk: AsteriskPeer) -> None:
    async def measure() -> None:
        done = await doctor(asterisk, "--call", "600")
        assert check(done, "call")["state"] == "ok", done.out
        assert "the echo is there" in check(done, "call")["detail"]

    await steady(measure)


@pytest.mark.parametrize("trusted", [True, False])
async def test_certificate(server: Peer, trusted: bool) -> None:
    more = ("--ca-file", str(server.ca_file)) if trusted else ()
    done = await doctor(server, *more, url=server.wss)
    assert check(done, "TLS")["state"] == ("ok" if trusted else "failed"), done.out
    if not trusted:
        assert "signed by sipua lab CA" in check(done, "TLS")["detail"]
        assert done.code == ExitCode.FAILED


async def test_all_is_well_with_every_kind_of_relay(asterisk: AsteriskPeer, coturn: CoturnPeer) -> None:
    servers = [part for url in (coturn.stun, *coturn.turn.values()) for part in ("--ice-server", url)]
    credentials = ("--ice-user", coturn.user, "--ice-password", coturn.password)
    trust = ("--ca-file", str(coturn.ca_file))

    async def measure() -> None:
        done = await doctor(asterisk, *servers, *credentials, *trust, "--call", "600", url=asterisk.wss)
        checks = [(event["check"], event["state"]) for event in done.all("check")]
        assert checks == [
            *((name, "ok") for name in ("name", "TCP", "TLS", "WebSocket", "register", "STUN")),
            *(("TURN", "ok") for _ in coturn.turn),
            ("candidates", "ok"),
            ("call", "ok"),
        ], done.out
        assert "3 by TURN" in check(done, "candidates")["detail"]
        assert (done.code, done.event("diagnosis")["failed"]) == (ExitCode.OK, 0)

    await steady(measure)


# --- broken set-ups ---------------------------------------------------------------------------------------


class Fault(NamedTuple):
    """A set-up that is broken, and what is to be told of it."""

    arguments: tuple[str, ...]
    """In place of those that are right. Names in braces are attributes of the servers."""
    check: str
    """The first check that fails."""
    detail: str
    remedy: str
    code: ExitCode = ExitCode.FAILED


def call(number: str) -> tuple[str, ...]:
    return ("--server", "{asterisk.ws}", "--call", number)


def ice(*urls: str, user: str = "{coturn.user}", password: str = "{coturn.password}") -> tuple[str, ...]:
    servers = [part for url in urls for part in ("--ice-server", url)]
    return ("--server", "{asterisk.ws}", *servers, "--ice-user", user, "--ice-password", password)


UNAUTHORISED, REJECTED, TIMEOUT = ExitCode.UNAUTHORISED, ExitCode.REJECTED, ExitCode.TIMEOUT

FAULTS = {
    "wrong name": Fault(("--server", "ws://nowhere.invalid/ws"), "name", "not known|looked up", "DNS|name server"),
    "nothing listens": Fault(("--server", "ws://127.0.0.1:8999/ws"), "TCP", "refused", "is the server running"),
    "unknown authority": Fault(("--server", "{asterisk.wss}"), "TLS", "by sipua lab CA, which is not", "--ca-file"),
    "no TLS there": Fault(("--server", "wss://127.0.0.1:8088/ws"), "TLS", "does not speak TLS", "ws://"),
    "TLS there": Fault(("--server", "ws://127.0.0.1:8089/ws"), "WebSocket", "speaks TLS", "wss://"),
    "no WebSocket": Fault(("--server", "ws://127.0.0.1:8088/"), "WebSocket", "HTTP 404", "Asterisk has /ws"),
    "no SIP there": Fault(("--server", "ws://127.0.0.1:3479/"), "WebSocket", "hung up", "is it a WebSocket"),
    "silent STUN": Fault(ice("stun:10.77.0.99"), "STUN", "no answer within 2 s|no route", "check a", TIMEOUT),
    "no STUN there": Fault(ice("stun:127.0.0.1:3999"), "STUN", "connection refused", "is the server running"),
    "dead TURN": Fault(ice("turn:127.0.0.1:3999"), "TURN", "connection refused", "is the server running"),
    "dead TURN by TCP": Fault(ice("turn:127.0.0.1:3999?transport=tcp"), "TURN", "connection refused", "running"),
    "TURN credentials": Fault(ice("{coturn.turn[udp]}", password="x"), "TURN", "401", "--ice-user", UNAUTHORISED),
    "TURN by TLS": Fault(ice("{coturn.turn[tls]}"), "TURN", "by sipua lab CA, which is not", "--ca-file"),
    "time is over": Fault(ice("{coturn.with_secret}", user="1700000000:a"), "TURN", "valid until", "new", UNAUTHORISED),
    "no such number": Fault(call("699"), "call", "404 Not Found", "no such number", REJECTED),
    "no answer": Fault(call("608"), "call", "not answered within 2 s", "--timeout", TIMEOUT),
    "busy": Fault(call("610"), "call", "486", "busy", ExitCode.BUSY),
    "hangs up": Fault(call("609"), "call", "hung up after", "--trace"),
    "one way": Fault(call("605"), "call", "sound came, but not ours", "is an echo|an echo,"),
}  # fmt: skip


REGISTRAR_FAULTS = {
    "wrong password": Fault(
        ("--password", "wrong"), "register", "not take alice with", "--uri", UNAUTHORISED
    ),
    "unknown account": Fault(
        ("--uri", "sip:nobody@lab.test"), "register", "not take nobody", "--uri", UNAUTHORISED
    ),
}


async def diagnose(fault: Fault, server: Peer, coturn: CoturnPeer | None = None) -> None:
    arguments = [argument.format(asterisk=server, coturn=coturn) for argument in fault.arguments]
    alice = server.accounts["alice"]
    account = ("--uri", alice.uri, "--password", alice.password)
    began = time.monotonic()
    done = await sipua("doctor", *account, "--timeout", "2", "--json", *arguments)
    assert time.monotonic() - began < 20
    assert done.err == ""
    first = next(event for event in done.all("check") if event["state"] == "failed")
    assert first["check"] == fault.check, done.out
    assert re.search(fault.detail, first["detail"]), first
    assert re.search(fault.remedy, first["remedy"]), first
    assert done.code == fault.code
    assert done.event("diagnosis")["exit_code"] == done.event("done")["exit_code"] == fault.code


@pytest.mark.parametrize("name", FAULTS)
async def test_fault_is_named_with_its_remedy(asterisk: AsteriskPeer, coturn: CoturnPeer, name: str) -> None:
    await diagnose(FAULTS[name], asterisk, coturn)


@pytest.mark.parametrize("name", REGISTRAR_FAULTS)
async def test_what_a_registrar_does_not_take(server: Peer, name: str) -> None:
    fault = REGISTRAR_FAULTS[name]
    await diagnose(fault._replace(arguments=("--server", server.ws, *fault.arguments)), server)
