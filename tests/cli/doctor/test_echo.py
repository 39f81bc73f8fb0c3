"""Calls to an echo that is none."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from sipua.cli.exits import ExitCode
from sipua.media import SignallingOnlyMedia
from sipua.server import Server
from sipua.session import RTCSession
from sipua.ua import UA
from tests.cli.commands import LOOPBACK, account, server
from tests.cli.doctor.examining import check, doctor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.realtime


async def test_echo_that_is_not_there() -> None:
    async with server() as s:
        done = await doctor(*account(s), "--call", "nobody")
    assert check(done, "call")["detail"] == "not answered: 404 Not Found"
    assert check(done, "call")["remedy"].startswith("there is no such number")
    assert done.code == ExitCode.REJECTED


@contextlib.asynccontextmanager
async def bob(s: Server, answer: Any) -> AsyncIterator[None]:
    ua = UA("sip:bob@localhost", sockets=s.url, password="secret", media_options=LOOPBACK)
    ua.on("new_rtc_session", lambda event: answer(event.session))
    async with ua:
        yield


async def test_echo_that_refuses() -> None:
    def refuse(call: RTCSession) -> None:
        call.terminate(status_code=486)

    async with server() as s, bob(s, refuse):
        done = await doctor(*account(s), "--call", "bob")
    assert check(done, "call")["detail"] == "not answered: 486 Busy Here"
    assert done.code == ExitCode.BUSY


async def test_no_echo_but_silence() -> None:
    async with server() as s, bob(s, lambda call: call.answer()):
        done = await doctor(*account(s), "--call", "bob")
    assert check(done, "call")["state"] == "failed"
    assert "only silence" in check(done, "call")["detail"]
    assert check(done, "call")["remedy"].startswith(
        "it gets our sound, by its reports: is the target an echo"
    )
    assert done.code == ExitCode.FAILED


async def test_sound_that_does_not_get_through() -> None:
    async with server() as s:
        nowhere = UA("sip:bob@localhost", sockets=s.url, password="secret", media=SignallingOnlyMedia)
        nowhere.on("new_rtc_session", lambda event: event.session.answer())
        async with nowhere:
            done = await doctor(*account(s), "--call", "bob")
    fault = check(done, "call")
    assert fault["state"] == "failed"
    assert done.code == ExitCode.FAILED
