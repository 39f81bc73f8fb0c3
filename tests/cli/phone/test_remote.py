"""Controllers over a Unix socket and loopback TCP."""

from __future__ import annotations

import asyncio
import json
import socket
import stat
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from sipua.cli.exits import Failure
from sipua.cli.phone import remote
from sipua.cli.phone.remote import Door, parse_door, serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.realtime


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, **command: Any) -> None:
        self.writer.write(json.dumps(command).encode() + b"\n")

    async def next(self, event: str | None = None) -> dict[str, Any]:
        while line := await self.reader.readline():
            found: dict[str, Any] = json.loads(line)
            if event in (None, found["event"]):
                return found
        raise EOFError

    async def close(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()


@asynccontextmanager
async def connected(told: Any) -> AsyncIterator[Client]:
    url = told.named("listening")[-1]["urls"][0]
    if url.startswith("unix:"):
        client = Client(*await asyncio.open_unix_connection(url.removeprefix("unix:")))
    else:
        host, _, port = url.removeprefix("tcp:").rpartition(":")
        client = Client(*await asyncio.open_connection(host.strip("[]"), int(port)))
    try:
        async with asyncio.timeout(10):
            yield client
    finally:
        await client.close()


@pytest.mark.parametrize(
    ("text", "door"),
    [
        ("stdio", Door("stdio")),
        ("tcp:5080", Door("tcp", port=5080)),
        ("tcp:[::1]:0", Door("tcp", host="::1")),
        ("tcp:localhost:1", Door("tcp", port=1)),
    ],
)
def test_doors(text: str, door: Door) -> None:
    assert parse_door(text) == door


@pytest.mark.parametrize(
    "text", ["", "unix:", "tcp:", "tcp:x", "tcp:70000", "tcp:0.0.0.0:1", "tcp:example.com:1"]
)
def test_what_is_no_door(text: str) -> None:
    with pytest.raises(ValueError):
        parse_door(text)


async def test_a_unix_socket(make_phone: Any, make_server: Any, tmp_path: Path) -> None:
    path = tmp_path / "phone"
    async with make_server() as server, make_phone(server, "alice") as (alice, told):
        async with serve(alice, Door("unix", path), tmp_path / "token"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            async with connected(told) as one, connected(told) as two:
                assert (await one.next())["event"] == "ready"
                await two.next("ready")
                one.send(command="contact", name="Robert", target="bob", id=1)
                assert (await one.next("reply"))["ok"] is True
                assert (await two.next("contacts"))["contacts"] == [{"name": "Robert", "target": "bob"}]
                two.send(command="contacts", id=2)
                assert (await two.next("reply"))["result"] == {
                    "contacts": [{"name": "Robert", "target": "bob"}]
                }
                one.writer.write(b"x" * 70000)
                assert (await one.next("reply"))["error"] == "a line of more than 65536 bytes"
                with pytest.raises(EOFError):
                    await one.next()
            with pytest.raises(Failure, match="in use by another phone"):
                async with serve(alice, Door("unix", path), tmp_path / "token"):
                    pass
        assert not path.exists()
        path.write_text("")
        with pytest.raises(Failure, match="exists and is no socket"):
            async with serve(alice, Door("unix", path), tmp_path / "token"):
                pass


async def test_the_socket_of_a_phone_that_crashed(make_phone: Any, make_server: Any, tmp_path: Path) -> None:
    path = tmp_path / "phone"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    assert path.is_socket()
    async with (
        make_server() as server,
        make_phone(server, "alice") as (alice, told),
        serve(alice, Door("unix", path), tmp_path / "token"),
        connected(told) as client,
    ):
        await client.next("ready")


async def test_the_socket_of_another_phone_is_left_alone(
    make_phone: Any, make_server: Any, tmp_path: Path
) -> None:
    path = tmp_path / "phone"
    async with make_server() as server, make_phone(server, "alice") as (alice, _):
        async with serve(alice, Door("unix", path), tmp_path / "token"):
            path.rename(tmp_path / "moved")
            path.write_text("of another phone")
        assert path.read_text() == "of another phone"


async def test_nonsense_harms_nobody(make_phone: Any, make_server: Any, tmp_path: Path) -> None:
    async with (
        make_server() as server,
        make_phone(server, "alice") as (alice, told),
        serve(alice, Door("unix", tmp_path / "phone"), tmp_path / "token"),
        connected(told) as one,
        connected(told) as two,
    ):
        await one.next("ready")
        for line, why in (
            (b"\xff\xfe\n", "not JSON at column 1; a command is one object a line"),
            (b'{"command": "dial"\n', "not JSON at column 19; a command is one object a line"),
            (b"[1]\n", "not an object; a command is one object a line"),
            (b"[" * 5000 + b"\n", "not JSON"),
            (b'{"id": 1}\n', 'no "command" in the object'),
            (b'{"command": ["dial"]}\n', 'no "command" in the object'),
            (b'{"command": "dail", "target": "1"}\n', "no command 'dail'; did you mean dial?"),
            (b'{"command": "calls", "id": {}}\n', "id: has to be a text or an integer"),
            (b'{"command": "calls", "call": 1}\n', "calls: no argument 'call'; it takes none"),
            (b'{"command": "hangup", "call": true}\n', "hangup: call: True is not a number"),
            (b'{"command": "dtmf", "digits": "5", "call": 7}\n', "no call 7; there are: none"),
            (b'{"command": "trace", "on": 1}\n', "trace: on: has to be true or false"),
            (b'{"command": "login", "token": "x"}\n', "no command 'login'"),
        ):
            one.writer.write(line)
            reply = await one.next("reply")
            assert reply["ok"] is False
            assert reply["error"].startswith(why), line
        two.writer.write(b'{"command": "calls", "id": 1}')  # no line: it goes before its end
        await two.close()
        one.send(command="calls", id=2)
        assert (await one.next("reply"))["result"] == {"calls": [], "selected": None}


async def test_tcp_needs_the_token(make_phone: Any, make_server: Any, tmp_path: Path) -> None:
    token_file = tmp_path / "sub" / "token"
    async with (
        make_server() as server,
        make_phone(server, "alice") as (alice, told),
        serve(alice, Door("tcp"), token_file),
    ):
        assert stat.S_IMODE(token_file.stat().st_mode) == 0o600
        token = token_file.read_text().strip()
        assert token not in " ".join(told.lines)
        for line in (
            b'{"command": "login", "token": "wrong"}\n',
            b'{"command": "login"}\n',
            b'{"command": "calls"}\n',
            b"POST / HTTP/1.1\r\n",
            b"\n",
        ):
            async with connected(told) as client:
                client.writer.write(line)
                assert (await client.next())["ok"] is False
                with pytest.raises(EOFError):
                    await client.next()
        async with connected(told) as client:
            client.send(command="login", token=token, id=1)
            assert (await client.next())["ok"] is True
            await client.next("ready")
            client.send(command="quit", id=2)
            assert (await client.next("reply"))["id"] == 2
        assert alice.quitting.is_set()


async def test_the_token_of_the_environment(
    make_phone: Any, make_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIPUA_REMOTE_TOKEN", "open sesame")
    async with (
        make_server() as server,
        make_phone(server, "alice") as (alice, told),
        serve(alice, Door("tcp"), tmp_path / "token"),
        connected(told) as client,
    ):
        client.send(command="login", token="open sesame")
        assert (await client.next())["ok"] is True
        assert not (tmp_path / "token").exists()


async def test_who_says_nothing_is_sent_away(
    make_phone: Any, make_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "LOGIN_TIMEOUT", 0.1)
    async with (
        make_server() as server,
        make_phone(server, "alice") as (alice, told),
        serve(alice, Door("tcp"), tmp_path / "token"),
        connected(told) as client,
    ):
        assert (await client.next())["error"] == "no token within 0.1 s"


async def test_who_does_not_read_is_cut_off(
    make_phone: Any, make_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "UNREAD", 10000)
    async with (
        make_server() as server,
        make_phone(server, "alice") as (alice, told),
        serve(alice, Door("unix", tmp_path / "phone"), tmp_path / "token"),
        connected(told) as client,
        connected(told) as other,
    ):
        await client.next("ready")
        await other.next("ready")
        for _ in range(300):
            alice.bulletin.event("message", remote="r", local="l", content_type="t", body="x" * 2000)
        await asyncio.sleep(0.05)
        with pytest.raises((EOFError, ConnectionError)):
            await client.next("never")


async def test_addresses_that_cannot_be_used(make_phone: Any, make_server: Any, tmp_path: Path) -> None:
    async with make_server() as server, make_phone(server, "alice") as (alice, told):
        with pytest.raises(Failure, match=r"--remote unix:.*no/phone: "):
            async with serve(alice, Door("unix", tmp_path / "no" / "phone"), tmp_path / "token"):
                pass
        async with serve(alice, Door("tcp"), tmp_path / "token"):
            port = int(told.named("listening")[-1]["urls"][0].rpartition(":")[2])
            with pytest.raises(Failure, match=f"--remote tcp:127.0.0.1:{port}: "):
                async with serve(alice, Door("tcp", port=port), tmp_path / "token"):
                    pass
