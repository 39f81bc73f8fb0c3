"""``sipua doctor`` and real servers: nothing wrong, and faults that they tell in their own ways."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sipua.cli.exits import ExitCode
from tests.cli.commands import Result, sipua

if TYPE_CHECKING:
    from tests.lab.peers import AsteriskPeer, Peer


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


async def test_wrong_password(server: Peer) -> None:
    done = await doctor(server, password="wrong")
    assert check(done, "register")["state"] == "failed"
    assert "does not take alice with this password" in check(done, "register")["detail"]
    assert done.code == ExitCode.UNAUTHORISED


async def test_echo(asterisk: AsteriskPeer) -> None:
    done = await doctor(asterisk, "--call", "600")
    assert check(done, "call")["state"] == "ok", done.out
    assert "the echo is there" in check(done, "call")["detail"]


async def test_path_without_a_websocket(asterisk: AsteriskPeer) -> None:
    done = await doctor(asterisk, url=asterisk.ws.replace("/ws", "/nothing"))
    assert check(done, "WebSocket")["state"] == "failed"
    assert "HTTP 404" in check(done, "WebSocket")["detail"]


@pytest.mark.parametrize("trusted", [True, False])
async def test_certificate(server: Peer, trusted: bool) -> None:
    more = ("--ca-file", str(server.ca_file)) if trusted else ()
    done = await doctor(server, *more, url=server.wss)
    assert check(done, "TLS")["state"] == ("ok" if trusted else "failed"), done.out
    if not trusted:
        assert "signed by sipua lab CA" in check(done, "TLS")["detail"]
        assert done.code == ExitCode.FAILED
