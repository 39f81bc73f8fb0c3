"""Running the command in a test, against the embedded server."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
from typing import Any, NamedTuple

from sipua.cli.app import run
from sipua.server import Server

LOOPBACK = {"ice_host_addresses": ("127.0.0.1",)}


class Result(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    def all(self, name: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == name]

    def event(self, name: str) -> dict[str, Any]:
        (found,) = self.all(name)
        return found


def command(*args: str) -> Result:
    """Run the command here."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(args)
    assert "Traceback" not in err.getvalue()
    return Result(code, out.getvalue(), err.getvalue())


async def sipua(*args: str) -> Result:
    """Run the command in a thread of this process."""
    return await asyncio.to_thread(command, *args)


def server() -> Server:
    return Server({"alice": "secret", "bob": "secret"}, media_options=LOOPBACK)


def account(server: Server, user: str = "alice", password: str = "secret") -> tuple[str, ...]:
    return ("--uri", f"sip:{user}@localhost", "--password", password, "--server", server.url)


async def waiting(s: Server, user: str) -> None:
    """Until the user has registered."""
    async with asyncio.timeout(10):
        while user not in s.registrations():  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.02)
