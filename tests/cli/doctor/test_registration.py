"""Servers that do not take the registration."""

from __future__ import annotations

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_websocket

from sipua.cli.exits import ExitCode
from tests.cli.commands import server
from tests.cli.doctor.examining import WHO, doctor, wrong

pytestmark = pytest.mark.realtime


@pytest.mark.parametrize(
    ("password", "said", "to_do"),
    [
        (
            ("--password", "wrong"),
            "the server does not take alice with this password (401)",
            "check --uri and the password",
        ),
        ((), "the server wants a password", "--password-prompt"),
    ],
)
async def test_password(password: tuple[str, ...], said: str, to_do: str) -> None:
    async with server() as s:
        done = await doctor("--uri", "sip:alice@localhost", *password, "--server", s.url)
    detail, remedy = wrong(done, "register")
    assert detail.startswith(said)
    assert to_do in remedy
    assert done.code == ExitCode.UNAUTHORISED


async def test_server_that_says_nothing() -> None:
    async def handler(connection: ServerConnection) -> None:
        async for _ in connection:
            pass

    async with serve_websocket(handler, "127.0.0.1", 0, subprotocols=["sip"]) as listening:  # type: ignore[list-item]
        url = f"ws://127.0.0.1:{next(iter(listening.sockets)).getsockname()[1]}/"
        done = await doctor(*WHO, "--server", url, "--timeout", "0.5")
    detail, remedy = wrong(done, "register")
    assert detail == "the WebSocket is up, but no answer to REGISTER came"
    assert "is there a SIP server behind it?" in remedy
    assert done.code == ExitCode.TIMEOUT
