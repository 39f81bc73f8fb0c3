"""The command `sipua` against real servers."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from sipua.cli.exits import ExitCode
from tests.interop.test_calls import registered

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from tests.lab.peers import AsteriskPeer, KamailioPeer, Peer

    Command = Callable[..., Coroutine[Any, Any, "Result"]]


class Result(NamedTuple):
    code: int | None
    events: list[dict[str, Any]]
    err: str

    def all(self, name: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == name]


@pytest.fixture
def sipua(tmp_path: Path) -> Command:
    """Runs the command with the account of a file, as somebody in front of a terminal has it."""

    async def run(server: Peer, user: str, *args: str) -> Result:
        account = server.accounts[user]
        config = tmp_path / f"{user}.toml"
        config.write_text(
            f'[accounts.{user}]\nuri = "{account.uri}"\nserver = "{server.wss}"\n'
            f'ca_file = "{server.ca_file}"\npassword_env = "LAB_PASSWORD"\n'
        )
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sipua", *args, "--json"),
            env={"SIPUA_CONFIG": str(config), "LAB_PASSWORD": account.password},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        return Result(
            process.returncode, [json.loads(line) for line in out.decode().splitlines()], err.decode()
        )

    return run


async def test_register_and_options(server: Peer, sipua: Command) -> None:
    registered = await sipua(server, "alice", "register")
    assert registered.code == ExitCode.OK, registered
    assert registered.all("registered")
    pinged = await sipua(server, "alice", "options", "--count", "3", "--interval", "0.1", "--timeout", "5")
    assert [event["sequence"] for event in pinged.all("response")] == [1, 2, 3]
    assert pinged.all("summary")[0]["answered"] == 3


async def test_expectations(asterisk: AsteriskPeer, sipua: Command, tmp_path: Path) -> None:
    both = str(tmp_path / "both.wav")
    tone = await sipua(asterisk, "alice", "call", "605", "--expect-tone", "1004", "--record-stereo", both)
    assert tone.code == ExitCode.OK, tone
    assert tone.all("recorded")[0]["path"] == both
    digits = await sipua(asterisk, "alice", "call", "604", "--expect-dtmf", "1234#")
    assert digits.code == ExitCode.OK, digits
    missing = await sipua(
        asterisk, "alice", "call", "604", "--expect-dtmf", "99", "--expect-within", "3", "--hold-after", "1"
    )
    assert missing.code == ExitCode.FAILED, missing
    assert "expected the digits 99; " in missing.err
    busy = await sipua(asterisk, "alice", "call", "610")
    assert busy.code == ExitCode.BUSY, busy


async def test_ivr_by_a_script(asterisk: AsteriskPeer, sipua: Command, tmp_path: Path) -> None:
    script = tmp_path / "ivr"
    script.write_text("wait 2s\ndtmf 42#\nexpect sound within 5s\nexpect ended within 15s\n")
    done = await sipua(asterisk, "alice", "call", "603", "--script", str(script))
    assert done.code == ExitCode.OK, done
    await asterisk.logged("IVR-GOT 42")


async def test_transfer(asterisk: AsteriskPeer, sipua: Command) -> None:
    def answer(event: Any) -> None:
        if event.originator == "remote":
            event.session.on("refer", lambda refer: refer.accept())
            event.session.answer(echo=True)

    async with registered(asterisk, "bob") as bob:
        bob.on("new_rtc_session", answer)
        done = await sipua(asterisk, "alice", "call", "bob", "--transfer", "605", "--register")
    assert done.code == ExitCode.OK, done
    assert [event["state"] for event in done.all("transfer")] == ["asked", "succeeded"]


async def test_subscriptions(asterisk: AsteriskPeer, sipua: Command) -> None:
    presence = await sipua(asterisk, "alice", "subscribe", "presence", "bob", "--count", "1", "--register")
    assert presence.code == ExitCode.OK, presence
    assert presence.all("notification")[0]["content_type"] == "application/pidf+xml"
    unknown = await sipua(asterisk, "alice", "subscribe", "no-such-package", "bob", "--register")
    assert unknown.code == ExitCode.REJECTED, unknown
    assert "489" in unknown.err


async def test_publish(kamailio: KamailioPeer, sipua: Command) -> None:
    watching = asyncio.ensure_future(
        sipua(kamailio, "alice", "subscribe", "presence", "bob", "--duration", "4", "--register")
    )
    await asyncio.sleep(1.5)
    done = await sipua(kamailio, "bob", "publish", "open", "--note", "at the desk", "--duration", "1")
    assert done.code == ExitCode.OK, done
    assert done.all("published")
    assert done.all("unpublished")
    watched = await watching
    assert watched.code == ExitCode.OK, watched
    told = [event["content"] for event in watched.all("notification") if event["content"]]
    assert any(one["basic"] == "open" for content in told for one in content["tuples"])


async def test_message(kamailio: KamailioPeer, sipua: Command) -> None:
    done = await sipua(kamailio, "alice", "message", "bob", "hello")
    assert done.all("response"), done
    assert done.code in (ExitCode.OK, ExitCode.REJECTED)
