"""Running ``sipua doctor`` in a test, and what it has found."""

from __future__ import annotations

import socket
from typing import Any

from tests.cli.commands import Result, sipua

WHO = ("--uri", "sip:alice@localhost", "--password", "secret")


async def doctor(*args: str) -> Result:
    return await sipua("doctor", "--loopback", *args, "--json")


def check(done: Result, name: str) -> dict[str, Any]:
    (found,) = [event for event in done.all("check") if event["check"] == name]
    return found


def wrong(done: Result, name: str) -> tuple[str, str]:
    """What is wrong by this check, and the remedy; what comes before it is well."""
    checks = done.all("check")
    names = [event["check"] for event in checks]
    assert [event["state"] for event in checks[: names.index(name)]] == ["ok"] * names.index(name)
    found = check(done, name)
    assert found["state"] == "failed", found
    assert done.code == done.event("diagnosis")["exit_code"] != 0
    assert found["remedy"]
    return found["detail"], found["remedy"]


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
