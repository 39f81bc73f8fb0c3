"""The scripts and the program of docs/scripts.md, in real calls; and that the page has all there is."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

from sipua import UA, RTCSession
from sipua.script import Outcome, load_script, run_script
from sipua.script.base import STEPS
from sipua.script.expectations import CONDITIONS
from sipua.server import Server

if TYPE_CHECKING:
    from sipua.events import NewRTCSession

ROOT = Path(__file__).parents[2]
LOOPBACK = {"ice_host_addresses": ("127.0.0.1",)}


def test_the_page_has_every_step() -> None:
    page = (ROOT / "docs" / "scripts.md").read_text()
    for kind in (*STEPS.values(), *CONDITIONS.values()):
        usage = kind.usage.replace("|", "\\|")
        assert f"| `{usage}` | {kind.summary} |" in page


@pytest.mark.realtime
async def test_the_menu(tmp_path: Path) -> None:
    async with Server({"alice": "secret"}, media_options=LOOPBACK) as server:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "examples.scripted", server.url),
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output = (await asyncio.wait_for(process.communicate(), 30))[0].decode()
    assert process.returncode == 0, output
    assert output.endswith("8 steps passed\n")
    suites = ElementTree.parse(tmp_path / "menu.xml").getroot()
    assert (suites.get("tests"), suites.get("failures"), suites.get("skipped")) == ("8", "0", "0")


@pytest.mark.realtime
async def test_the_receptionist(tmp_path: Path) -> None:
    script = load_script(ROOT / "examples" / "scripts" / "receptionist.txt")
    caller = tmp_path / "caller.txt"
    caller.write_text(
        "expect ringing; expect answered within 5s; record heard.wav; expect tone 440 within 3s; dtmf 42#\n"
        "expect tone 660+880 within 3s; record stop; expect ended within 3s"
    )
    outcomes: list[Outcome] = []

    async def answer(call: RTCSession) -> None:
        outcomes.append(await run_script(script, call, answer_options=LOOPBACK))

    def on_call(event: NewRTCSession) -> object:
        return answer(event.session) if event.originator == "remote" else None

    async with Server({"alice": "secret", "bob": "secret"}, apps=False) as server:
        options = {"sockets": server.url, "password": "secret", "media_options": LOOPBACK}
        async with (
            UA("sip:alice@localhost", **options) as alice,  # type: ignore[arg-type]
            UA("sip:bob@localhost", **options) as bob,  # type: ignore[arg-type]
        ):
            bob.on("new_rtc_session", on_call)
            calling = load_script(caller)
            outcome = await run_script(calling, alice.call("bob", **calling.media_options))
            assert outcome.passed, str(outcome)
            await asyncio.sleep(0.2)
    assert [str(o) for o in outcomes if not o.passed] == []
    assert len(outcomes) == 1
    assert (tmp_path / "heard.wav").stat().st_size > 10_000
