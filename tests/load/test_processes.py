"""Several processes, and Locust, against the embedded server on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sipua.load import Plan, Processes, ProcessFailed, Slope
from sipua.media import SignallingOnlyMedia
from sipua.server import Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.realtime

ROOT = Path(__file__).parents[2]


@contextlib.asynccontextmanager
async def processes(**options: object) -> AsyncIterator[Processes]:
    async with Server({"alice": "secret"}, media=SignallingOnlyMedia) as server:
        url = options.pop("url", server.url)
        password = options.pop("password", "secret")
        plan = Plan(
            "sip:alice@localhost", {"sockets": [url], "password": password}, ("600",), processes=2, **options
        )  # type: ignore[arg-type]
        load = Processes(plan)
        try:
            yield load
        finally:
            await load.close()


async def test_figures_are_added_up() -> None:
    async with processes(slopes=(Slope(20, 20, 1.0),), talk=0.3) as load:
        await load.start()
        figures = await load.run()
        assert (figures.started, figures.passed, figures.failed) == (20, 20, 0)
        assert figures.seconds[0].started == 20
        assert load.lost == []
        assert 1.0 < load.elapsed < 10


async def test_draining() -> None:
    async with processes(slopes=(Slope(10, 10, 60.0),), talk=0.3) as load:
        await load.start()
        run = asyncio.ensure_future(load.run())
        await asyncio.sleep(1.0)
        load.drain()
        figures = await asyncio.wait_for(run, 10)
        assert 0 < figures.started < 30
        assert figures.passed == figures.started


async def test_a_process_that_dies_is_told_and_the_rest_counts() -> None:
    async with processes(slopes=(Slope(20, 20, 2.0),), talk=0.2) as load:
        await load.start()
        run = asyncio.ensure_future(load.run())
        await asyncio.sleep(1.0)
        load._children[0].kill()
        figures = await asyncio.wait_for(run, 10)
        assert load.lost == ["process 1 of the test was killed (SIGKILL)"]
        assert figures.active == 0
        assert figures.started >= 20


async def test_a_server_that_is_not_there() -> None:
    async with processes(slopes=(Slope(1, 1, 1.0),), url="ws://127.0.0.1:1/") as load:
        with pytest.raises(ProcessFailed, match="connection refused") as caught:
            await load.start()
        assert caught.value.kind == "ConnectFailed"


async def locust(host: str, *args: str) -> tuple[int | None, str]:
    """The example under Locust; its exit code and output."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "locust", "-f", str(ROOT / "examples" / "locustfile.py"), "--headless"),
        *("--host", host, "--only-summary", "--loglevel", "WARNING", *args),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output = (await asyncio.wait_for(process.communicate(), 40))[0].decode()
    assert "Traceback" not in output
    return process.returncode, output


async def test_locust() -> None:
    async with Server({"alice": "secret"}, media=SignallingOnlyMedia) as server:
        code, output = await locust(server.url, "--users", "4", "--spawn-rate", "4", "--run-time", "4s")
        assert code == 0, output
        for request in ("SIP connect", "SIP setup", "SIP call"):
            assert request in output
        assert server.counts()["connections"] == 1  # that of the call apps


async def test_locust_without_a_server() -> None:
    code, output = await locust("ws://127.0.0.1:1/", "--users", "1", "--run-time", "3s")
    assert code == 1, output
    assert "SIP connect sip:alice@localhost: SipuaError('ws://127.0.0.1:1/: connection refused" in output
