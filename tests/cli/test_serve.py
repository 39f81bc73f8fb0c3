"""``sipua serve``."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from sipua.cli.exits import ExitCode
from sipua.trace import read_trace
from tests.cli.commands import (
    child,
    command,
    line_with,
    server,
    sipua,
)

pytestmark = pytest.mark.realtime


async def test_serve(tmp_path: Path) -> None:
    accounts = tmp_path / "accounts"
    accounts.write_text("# people\nalice:secret\n")
    async with child("serve", "--accounts", str(accounts), "--port", "0", "--loopback", "--json") as process:
        listening = json.loads(await line_with(process, "listening"))
        (url,) = listening["urls"]
        args = ("--uri", "sip:alice@localhost", "--password", "secret", "--server", url)
        assert (await sipua("register", *args)).code == ExitCode.OK
        assert (await sipua("call", "610", *args)).code == ExitCode.BUSY
        process.send_signal(signal.SIGINT)
        assert await process.wait() == ExitCode.OK


async def test_serve_for_a_while_and_where_it_cannot() -> None:
    async with server() as s:
        port = s.url.rsplit(":", 1)[1].rstrip("/")
        taken = await sipua("serve", "--account", "a:b", "--port", port)
        assert taken.code == ExitCode.FAILED
        assert "cannot listen there: Address already in use; take another port" in taken.err
        assert taken.err.count("\n") == 1
    done = await sipua("serve", "--account", "a:b", "--port", "0", "--duration", "0.1")
    assert done.code == ExitCode.OK
    assert "600  echo" in done.out
    done = await sipua("serve", "--account", "a:b", "--port", "0", "--duration", "0.1", "--no-apps")
    assert done.out.count("\n") == 1


async def test_trace_has_all_clients(tmp_path: Path) -> None:
    path = tmp_path / "server.trace"
    async with child(
        *("serve", "--account", "alice:secret", "--port", "0", "--duration", "60"),
        *("--json", "--no-apps", "--trace", str(path)),
    ) as process:
        url = json.loads(await line_with(process, "listening"))["urls"][0]
        for password in ("secret", "wrong"):
            who = ("--uri", "sip:alice@localhost", "--password", password)
            await sipua("register", *who, "--server", url)
        process.send_signal(signal.SIGINT)
        await process.wait()
    messages = read_trace(path).messages
    assert len({message.peer for message in messages}) == 2
    assert {message.agent for message in messages} == {"server"}
    assert messages[0].direction == "in"


def test_what_no_server_can_be_made_of(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    serve = ("serve", "--account", "a:b", "--port", "0", "--duration", "0.1")
    for args, complaint in (
        (("--host", ""), "--host: is empty; 0.0.0.0 listens at all addresses of this machine"),
        (("--domain", "a b"), "--domain a b: not the name of a domain, such as example.com"),
        (("--tls-cert", str(empty)), f"--tls-cert {empty}: no PEM certificate with its key\n"),
    ):
        done = command(*serve, *args)
        assert done.code == ExitCode.USAGE
        assert complaint in done.err
