"""Commands and events as JSON lines, and as lines of text, on simulated time."""

from __future__ import annotations

import asyncio
import io
import json
import os
from typing import Any

import pytest

from sipua.cli.events import faults
from sipua.cli.output import JsonOutput, PlainOutput
from sipua.cli.phone.control import Controller
from sipua.cli.phone.plain import Conversation


class Screen(io.StringIO):
    @property
    def lines(self) -> list[str]:
        return self.getvalue().splitlines()

    @property
    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]

    def reply(self, number: Any) -> dict[str, Any]:
        found = [o for o in self.objects if o["event"] == "reply" and o["id"] == number]
        assert len(found) == 1, self.getvalue()
        return found[0]


async def test_every_command_has_its_reply(
    make_phone: Any, make_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with make_server() as server, make_phone(server, "alice") as (alice, _):
        screen = Screen()
        controller = Controller(alice, JsonOutput(screen, screen))
        controller.begin()

        def broken(*args: object) -> None:
            raise KeyError("x")

        monkeypatch.setattr(alice, "dial", broken)
        controller.take('{"command": "dial", "target": "bob", "id": 1}')
        await controller.finish()
        assert screen.reply(1)["error"].startswith("internal error: KeyError: 'x'")


async def test_commands_and_events(make_phone: Any, make_server: Any) -> None:
    async with (
        make_server() as server,
        make_phone(server, "alice") as (alice, _),
        make_phone(server, "bob", auto_answer=True),
    ):
        screen = Screen()
        controller = Controller(alice, JsonOutput(screen, screen))
        controller.begin()
        assert screen.objects[0]["event"] == "ready"
        assert screen.objects[0]["accounts"][0]["state"] == "registered"
        controller.take('{"command": "dial", "target": "bob", "id": 1}')
        controller.take('{"command": "mute", "id": 2}')
        await asyncio.sleep(2)
        assert screen.reply(1) | {"time": ""} == {
            "schema": "sipua/1",
            "event": "reply",
            "time": "",
            "id": 1,
            "command": "dial",
            "ok": True,
            "result": {"call": 1},
        }
        assert screen.reply(2)["error"] == "call 1 is not answered yet"
        controller.take('{"command": "contact", "name": "Ann", "target": "sip:ann@x"}')
        await asyncio.sleep(0.1)
        told = [o for o in screen.objects if o["event"] == "contacts"]
        assert [o["contacts"] for o in told] == [[{"name": "Ann", "target": "sip:ann@x"}]]
        controller.take('{"command": "hold", "id": "h"}')
        await asyncio.sleep(10)
        assert screen.reply("h")["ok"] is True
        controller.take('{"command": "calls", "id": 3}')
        controller.take('{"command": "stats", "id": 4}')
        controller.take('{"command": "commands", "id": 5}')
        controller.take('{"command": "hangup", "id": 6}')
        await asyncio.sleep(1)
        (call,) = screen.reply(3)["result"]["calls"]
        assert (call["state"], call["remote"]) == ("held", "sip:bob@example.com")
        assert screen.reply(4)["result"]["call"] == 1
        assert "dial" in [command["command"] for command in screen.reply(5)["result"]["commands"]]
        names = [o["event"] for o in screen.objects]
        assert [name for name in names if name in ("call", "confirmed", "hold", "ended")] == [
            "call",
            "confirmed",
            "hold",
            "ended",
        ]
        controller.end()
        for found in screen.objects:
            fields = {name: value for name, value in found.items() if name not in ("schema", "event", "time")}
            assert faults(found["event"], fields) == []


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("dial 600", "not JSON at column 1; a command is one object a line"),
        ("[]", "not an object; a command is one object a line"),
        ("{}", 'no "command" in the object'),
        ('{"command": "calls", "id": [1]}', "id: has to be a text or an integer"),
        ('{"command": "dtmf", "digits": "x"}', "there is no call"),
        ('{"command": "trace", "on": 1}', "trace: on: has to be true or false"),
        ("[" * 50000, "not JSON; a command is one object a line"),
    ],
)
async def test_what_is_no_command(line: str, why: str, make_phone: Any, make_server: Any) -> None:
    async with make_server() as server, make_phone(server, "alice") as (alice, _):
        screen = Screen()
        controller = Controller(alice, JsonOutput(screen, screen))
        controller.begin()
        controller.take(line)
        controller.take("  ")
        await controller.finish()
        reply = screen.objects[-1]
        assert (reply["event"], reply["ok"], reply["error"]) == ("reply", False, why)
        controller.end()


async def test_only_who_asks_gets_sip_messages(make_phone: Any, make_server: Any) -> None:
    async with make_server() as server, make_phone(server, "alice") as (alice, _):
        screen = Screen()
        controller = Controller(alice, JsonOutput(screen, screen))
        controller.begin()
        alice.bulletin.event("sip", direction="in", server="s", message="one")
        controller.take('{"command": "trace", "on": true}')
        await controller.finish()
        alice.bulletin.event("sip", direction="in", server="s", message="two")
        controller.take('{"command": "trace", "on": false}')
        await controller.finish()
        alice.bulletin.event("sip", direction="in", server="s", message="three")
        assert [o["message"] for o in screen.objects if o["event"] == "sip"] == ["two"]
        controller.end()


async def test_lines_of_text(make_phone: Any, make_server: Any) -> None:
    async with (
        make_server() as server,
        make_phone(server, "alice") as (alice, _),
        make_phone(server, "bob", auto_answer=True) as (bob, _b),
    ):
        screen = Screen()
        conversation = Conversation(alice, PlainOutput(screen, screen))
        conversation.begin()
        for line in (
            "# a comment",
            "",
            "help",
            "dial bob",
            "wait 2",
            "m",
            "calls",
            "dtmf 1x",
            "sound",
            "accounts",
        ):
            await conversation.take(line)
        await asyncio.sleep(0)
        assert screen.lines[0] == "sipua phone: type help for the commands, quit to end"
        assert "d dial TARGET [ACCOUNT]" in " ".join(screen.getvalue().split())
        assert any(line.startswith("> [1] sip:bob@example.com  connected  00:0") for line in screen.lines), (
            "\n".join(screen.lines[36:])
        )
        assert "! tones='1x': only 0-9, *, #, A-D and , (a pause)" in screen.lines, "\n".join(
            screen.lines[36:]
        )
        assert "peers hear: silence; we hear them: nowhere" in screen.lines
        assert "alice  sip:alice@example.com  registered" in screen.lines
        await conversation.take("sound tone 440")
        await asyncio.sleep(0)
        assert screen.lines.count("peers hear: tone 440 Hz; we hear them: nowhere") == 1
        for line in (
            "message bob hello",
            "wait 1",
            "messages",
            "contact Robert bob",
            "contacts",
            "stats",
            "history",
        ):
            await conversation.take(line)
        assert any(line.endswith("to sip:bob@example.com: hello (sent)") for line in screen.lines)
        assert "Robert  bob" in screen.lines
        assert screen.lines[-1] == "none"  # no call is over yet
        bob.hang_up()
        await conversation.finish()  # with the last call
        assert any("the peer hung up" in line for line in screen.lines)


async def test_quit(make_phone: Any, make_server: Any) -> None:
    async with make_server() as server, make_phone(server, "alice") as (alice, _):
        screen = Screen()
        conversation = Conversation(alice, PlainOutput(screen, screen))
        await conversation.take("q")
        assert alice.quitting.is_set()


@pytest.mark.realtime
async def test_the_end_of_the_input_is_the_end(make_phone: Any, make_server: Any) -> None:
    from sipua.cli.phone.control import run_stdio
    from sipua.cli.phone.plain import run_plain

    async with make_server() as server, make_phone(server, "alice") as (alice, _):
        for run, line in ((run_plain, b"calls\n"), (run_stdio, b'{"command": "calls", "id": 1}\n')):
            reader, writer = os.pipe()
            os.write(writer, line)
            os.close(writer)
            screen = Screen()
            output = JsonOutput(screen, screen) if run is run_stdio else PlainOutput(screen, screen)
            async with asyncio.timeout(5):
                await run(alice, output, reader)
            os.close(reader)
            assert '"ok": true' in screen.getvalue() or screen.lines[-1] == "none"
