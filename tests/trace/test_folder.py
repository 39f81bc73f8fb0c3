from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import pytest

from sipua import UA
from sipua.media import SignallingOnlyMedia
from sipua.server import Server
from sipua.trace import CallTraces, read_trace
from sipua.trace.folder import AFTERWARDS
from tests.trace.traces import OFFER, sip

if TYPE_CHECKING:
    from pathlib import Path


async def calls(traces: CallTraces, number: int, *, after: float = 0.0) -> None:
    async with Server({"alice": "secret", "bob": "secret"}, port=None, apps=False) as server:
        alice, bob = (
            UA(
                f"sip:{user}@localhost",
                sockets=server.connector(),
                password="secret",
                media=SignallingOnlyMedia,
            )
            for user in ("alice", "bob")
        )
        for ua in (alice, bob):
            traces.follow(ua)
        async with alice, bob:
            bob.on("new_rtc_session", lambda event: event.session.answer())
            for _ in range(number):
                async with alice.call("bob"):
                    await asyncio.sleep(1)
            await asyncio.sleep(after)


def files_in(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


async def test_each_call_has_a_file_with_what_both_of_its_ends_did(tmp_path: Path) -> None:
    with CallTraces(tmp_path, clock=lambda: 1_769_881_502.0) as traces:
        await calls(traces, 2)
    files = files_in(tmp_path)
    assert len(files) == 2
    for file in files:
        assert file.name.startswith("20260131-174502-")
        trace = read_trace(file)
        (call_id,) = {event.call for event in trace.events}
        assert call_id is not None
        assert all(call_id in message.message for message in trace.messages)
        assert trace.messages[0].message.startswith("INVITE ")
        assert trace.messages[-1].message.startswith("SIP/2.0 200")
        assert not any("REGISTER" in message.message for message in trace.messages)
        ended = [event.agent for event in trace.events if event.name == "ended"]
        assert sorted(ended) == ["sip:alice@localhost", "sip:bob@localhost"]
        assert trace.cut is None


async def test_files_are_closed_some_time_after_the_end(tmp_path: Path) -> None:
    with CallTraces(tmp_path) as traces:
        await calls(traces, 1, after=AFTERWARDS + 1)
        assert traces._traces == traces._ending == {}


def test_call_id_is_no_path(tmp_path: Path) -> None:
    folder = tmp_path / "calls"
    folder.mkdir()
    with CallTraces(folder) as traces:
        traces.add(
            "in", sip("INVITE sip:x SIP/2.0", "1 INVITE", body=OFFER, call_id="../../etc/x@[::1]" + "y" * 300)
        )
        traces.add("in", sip("INVITE sip:x SIP/2.0", "1 INVITE").replace("Call-ID: call-1", "i : short"))
        traces.add("in", sip("BYE sip:x SIP/2.0", "1 BYE", call_id="other"))
        traces.add("in", "\r\n\r\n")
        traces.add("in", "nonsense")
    names = sorted(file.name for file in folder.iterdir())
    assert len(names) == 2
    assert names[0].partition("-")[2].partition("-")[2].startswith(".._.._etc_x___")
    assert names[1].endswith("-short.trace")
    assert list(tmp_path.iterdir()) == [folder]


async def test_folder_that_cannot_be_written_harms_no_call(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING), CallTraces(tmp_path / "none") as traces:
        await calls(traces, 1)
    assert [record.message for record in caplog.records if "this call has no trace" in record.message]
