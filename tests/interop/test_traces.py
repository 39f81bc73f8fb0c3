"""The trace of a real call: its page in a real browser, and its packets read by tshark."""

from __future__ import annotations

import asyncio
import itertools
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sipua import UA
from sipua.server import Server
from sipua.trace import Trace, TraceFile, read_trace, write_page, write_pcap
from tests.lab.pages import Page
from tests.trace.traces import sip

if TYPE_CHECKING:
    from tests.lab.dissector import Capture

SPEECH = Path(__file__).parents[2] / "examples" / "audio" / "speech.wav"
LOOPBACK = {"ice_host_addresses": ("127.0.0.1",)}
SHOTS = os.environ.get("SIPUA_SHOTS")
"""A folder for pictures of the page, for people."""


async def traced_call(folder: Path) -> TraceFile:
    """A call to the echo, put on hold and taken off again, and one to nobody."""
    path = folder / "call.trace"
    async with Server({"alice": "secret"}, media_options=LOOPBACK) as server:
        with Trace(path, stats_interval=0.5) as trace:
            ua = UA("sip:alice@localhost", sockets=server.url, password="secret", media_options=LOOPBACK)
            trace.follow(ua)
            async with ua:
                capture = str(folder / "rtp.pcap")
                async with ua.call(
                    "600", audio=str(SPEECH), record=str(folder / "x.wav"), capture=capture
                ) as call:
                    await asyncio.sleep(2)
                    await call.hold()
                    await call.unhold()
                    await asyncio.sleep(1.5)
                await ua.call("nobody").wait_ended()
    return read_trace(path)


async def test_page_in_a_browser(chromium: type[Page], tmp_path: Path) -> None:
    trace = await traced_call(tmp_path)
    path = tmp_path / "call.html"
    write_page(trace.records, path, title="call.trace")
    async with chromium(path, tmp_path) as page:
        await check_ladder(page, len(trace.messages))
        await check_message(page)
        await check_difference(page)
        await check_figures(page)
        await page.dark()
        await shoot(page, "trace-dark")
        assert page.console == []
        assert page.requested == [path.as_uri()]


async def check_ladder(page: Page, messages: int) -> None:
    assert await page.evaluate("document.querySelectorAll('.step .arrow').length") == messages
    assert await page.evaluate("document.querySelectorAll('#calls button').length") == 4
    await shoot(page, "trace")
    await page.click("#calls button:nth-child(3)")
    shown = await page.evaluate("[...document.querySelectorAll('.step')].map((step) => step.textContent)")
    assert any("INVITE sip:600@localhost" in text for text in shown)
    assert not any("REGISTER" in text for text in shown)
    with_events = len(shown)
    await page.click("#events")
    assert await page.evaluate("document.querySelectorAll('.step').length") < with_events
    await page.click("#events")


async def check_message(page: Page) -> None:
    await page.click(await step_of(page, "180 Ringing"))
    assert await page.evaluate("document.querySelector('#detail h2').textContent.includes('180 Ringing')")
    assert "Call-ID: " in await page.evaluate("document.querySelector('#detail pre').textContent")
    assert await page.evaluate("document.querySelectorAll('.picked').length") == 1
    await page.press("ArrowDown")
    assert await page.evaluate("document.querySelector('#detail h2').textContent.includes('200 OK')")


async def check_difference(page: Page) -> None:
    await page.click(await step_of(page, "3, with credentials, SDP offer"))
    await page.click("#detail .tabs button:nth-child(2)")
    rows = await page.evaluate(
        "[...document.querySelectorAll('.difference .row')].map((row) => row.textContent)"
    )
    assert "- a=sendrecv" in rows
    assert "+ a=sendonly" in rows
    await shoot(page, "trace-sdp")


async def check_figures(page: Page) -> None:
    titles = await page.evaluate(
        "[...document.querySelectorAll('figcaption b')].map((title) => title.textContent)"
    )
    assert titles == ["Jitter (ms)", "Loss (%)", "Round trip (ms)", "Level (dBov)", "MOS"]
    assert await page.evaluate(
        "[...document.querySelectorAll('.curve')].every((curve) => curve.getTotalLength() > 20)"
    )
    await page.evaluate("document.querySelector('#figures').scrollIntoView()")
    x, y = await page.evaluate(
        "(() => { const b = document.querySelector('figure:last-child svg').getBoundingClientRect();"
        " return [b.x + b.width / 2, b.y + b.height / 2]; })()"
    )
    await page.move(x, y)
    legend = await page.evaluate("document.querySelector('figure:last-child i').textContent")
    assert legend.startswith("heard here: 4.")
    await shoot(page, "trace-figures")


async def step_of(page: Page, text: str) -> str:
    number = await page.evaluate(
        f"[...document.querySelectorAll('.step')].find((step) => step.textContent.includes('{text}')).dataset.step"
    )
    return f"[data-step='{number}']"


async def shoot(page: Page, name: str) -> None:
    if SHOTS is not None:
        await page.picture(Path(SHOTS) / f"{name}.png")


async def test_packets_read_by_tshark(dissector: type[Capture], tmp_path: Path) -> None:
    trace = await traced_call(tmp_path)
    path = tmp_path / "call.pcap"
    count = write_pcap(trace.messages, path, captures=[tmp_path / "rtp.pcap"])
    assert count.messages == len(trace.messages)
    assert count.rtp > 100
    fields = [
        "sip.Request-Line",
        "sip.Status-Line",
        "sdp.media",
        "rtp.ssrc",
        "_ws.malformed",
        "_ws.expert.severity",
        "srtp.enc_payload",
    ]
    lines = await asyncio.to_thread(tshark, path, *fields)
    sip = [line for line in lines if line[0] or line[1]]
    assert [line[0] or line[1] for line in sip] == [m.message.splitlines()[0] for m in trace.messages]
    assert sum(bool(line[2]) for line in sip) == sum("\r\nm=audio" in m.message for m in trace.messages)
    assert not any(line[4] for line in lines)
    # The addresses in the descriptions are those of the capture: tshark knows by itself what is RTP.
    assert sum(bool(line[3]) for line in lines) > 100
    assert not any(line[6] for line in lines), "and it does not take it for encrypted"


def tshark(path: Path, *fields: str) -> list[list[str]]:
    command = ["tshark", "-r", str(path), "-T", "fields", "-E", "separator=|", "-E", "occurrence=f"]
    for field in fields:
        command += ["-e", field]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [line.split("|") for line in done.stdout.splitlines()]


pytestmark = pytest.mark.timeout(120)


async def test_a_long_trace_in_a_browser(chromium: type[Page], tmp_path: Path) -> None:
    trace = Trace(clock=itertools.count(1000.0).__next__)
    for number in range(3100):
        message = sip("OPTIONS sip:localhost SIP/2.0", f"{number} OPTIONS", call_id=f"call-{number % 2}")
        trace.add("out", message, peer="ws://127.0.0.1/", agent="sip:alice@localhost")
    path = tmp_path / "long.html"
    write_page(trace.records, path)
    steps = "document.querySelectorAll('.step').length"
    async with chromium(path, tmp_path) as page:
        assert await page.evaluate(steps) == 3000
        await page.press("ArrowDown")
        assert await page.evaluate(
            "document.querySelector('#detail h2').textContent.startsWith('1. OPTIONS')"
        )
        await page.click("#more button")
        assert await page.evaluate(steps) == 3100
        assert await page.evaluate("document.querySelector('#more').textContent") == ""
        await page.click("#calls button:nth-child(2)")
        assert await page.evaluate(steps) == 1550
        assert page.console == []
