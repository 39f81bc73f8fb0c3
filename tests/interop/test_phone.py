"""`sipua phone` against a real server, by its remote control."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from sipua.cli.exits import ExitCode
from sipua.media.analysis import detect_tones
from sipua.media.sources import Tone
from tests.interop.test_calls import registered

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.lab.peers import AsteriskPeer

#: Hz: ours, that of 605, and bob's.
OURS, SERVERS, BOBS = 440.0, 1004.0, 700.0


class Phone:
    """A phone in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self._numbers = 0

    def send(self, command: str, **arguments: Any) -> int:
        """Give a command; returns its id."""
        assert self.process.stdin is not None
        self._numbers += 1
        line = json.dumps({"command": command, "id": self._numbers, **arguments})
        self.process.stdin.write(line.encode() + b"\n")
        return self._numbers

    async def do(self, command: str, **arguments: Any) -> Any:
        """Give a command that can be done; returns its result. Events before the reply are passed over."""
        number = self.send(command, **arguments)
        reply = await self.told("reply", id=number)
        assert reply["ok"], reply
        return reply["result"]

    async def told(self, name: str, **fields: Any) -> dict[str, Any]:
        """The next event of this name with these fields."""
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            event: dict[str, Any] = json.loads(line)
            if event["event"] == name and fields.items() <= event.items():
                return event
        raise AssertionError(f"the phone ended without {name} {fields}")


@asynccontextmanager
async def phone(server: AsteriskPeer, user: str, directory: Path, *args: str) -> AsyncIterator[Phone]:
    account = server.accounts[user]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sipua", "phone", "--json", "--no-card", *args),
        *("--uri", str(account.uri), "--server", server.ws, "--record-dir", str(directory)),
        env={
            "SIPUA_PASSWORD": account.password,
            "SIPUA_CONFIG": str(directory / "none"),
            "SIPUA_DATA": str(directory / "data"),
        },
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(60):
            yield Phone(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_calls_out(asterisk: AsteriskPeer, tmp_path: Path) -> None:
    async with phone(asterisk, "alice", tmp_path, "--tone", str(OURS)) as alice:
        await alice.told("registered")
        for number, heard in (("600", [OURS]), ("605", [OURS, SERVERS])):
            call = (await alice.do("dial", target=number))["call"]
            assert (await alice.told("confirmed", call=call))["codec"]
            await alice.told("media", call=call, state="connected")
            path = str(tmp_path / f"{number}.wav")
            assert await alice.do("record", call=call, path=path) == {"path": path}
            await asyncio.sleep(2)
            stats = (await alice.do("stats", call=call))["stats"]
            assert stats["audio"]["received"]["packets"] > 20
            alice.send("stop", call=call)
            assert (await alice.told("recorded", call=call))["seconds"] > 1
            assert detect_tones(path, (OURS, BOBS, SERVERS), share=0.02) == heard
            alice.send("hangup", call=call)
            entry = (await alice.told("history"))["entry"]
            assert (entry["remote"], entry["outcome"]) == (f"sip:{number}@lab.test", "answered")
        alice.send("quit")
        await alice.told("done", exit_code=ExitCode.OK)
    await asterisk.idle()


async def test_a_digit_menu(asterisk: AsteriskPeer, tmp_path: Path) -> None:
    async with phone(asterisk, "alice", tmp_path) as alice:
        await alice.told("registered")
        call = (await alice.do("dial", target="603"))["call"]
        await alice.told("media", call=call, state="connected")
        await asyncio.sleep(2)  # it beeps first
        await alice.do("dtmf", digits="4711")
        await asterisk.logged("IVR-GOT 4711", timeout=15)
        assert (await alice.told("ended", call=call))["originator"] == "remote"


async def test_a_call_that_comes_in(asterisk: AsteriskPeer, tmp_path: Path) -> None:
    async with (
        phone(asterisk, "alice", tmp_path, "--tone", str(OURS)) as alice,
        registered(asterisk, "bob") as bob,
    ):
        await alice.told("registered")
        session = bob.call("alice", audio=Tone(BOBS))
        call = (await alice.told("call", direction="incoming"))["call"]
        await alice.do("answer")
        await alice.told("media", call=call, state="connected")
        path = (await alice.do("record", call=call))["path"]
        await asyncio.sleep(2)
        await alice.do("hold")
        assert session.is_established()
        await alice.do("resume")
        await session.terminate()
        assert (await alice.told("history"))["entry"]["direction"] == "incoming"
        await alice.told("recorded", call=call)  # the file is complete a little later
        assert detect_tones(path, (OURS, BOBS, SERVERS), share=0.02) == [OURS, BOBS]
        # Messages, both ways.
        alice.send("message", target="bob", text="are you there?")
        assert (await alice.told("response", method="MESSAGE"))["status"] == 202
        await bob.send_message("alice", "yes")
        assert (await alice.told("message"))["body"] == "yes"
    await asterisk.idle()
