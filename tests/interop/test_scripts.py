"""Scripts and a small load test against real servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sipua.load import Generator, Plan, Slope
from sipua.script import parse_script, run_script
from tests.interop.browser_calls import registered

if TYPE_CHECKING:
    from tests.lab.peers import AsteriskPeer

ECHO = """
    expect answered within 5s
    expect codec opus within 2s
    tone 440+880
    expect tone 440+880 for 1s within 5s
    stop; expect silence for 1s within 5s
    hold; wait 1s; unhold
    tone 700 for 1s
    expect tone 700 within 5s
    expect no ended within 1s
"""


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("600", ECHO),
        ("621", "wait 0.5s; dtmf 1*D#; expect dtmf 1*D within 15s"),
        ("610", "expect refused 486 within 5s; expect ended"),
    ],
)
async def test_scripts(asterisk: AsteriskPeer, target: str, text: str) -> None:
    script = parse_script(text)
    async with registered(asterisk, "alice") as ua:
        call = ua.call(target, **script.media_options)
        outcome = await run_script(script, call)
        assert outcome.passed, str(outcome)
        if not call.is_ended():
            await call.terminate()
    await asterisk.idle()


async def test_load(asterisk: AsteriskPeer) -> None:
    async with registered(asterisk, "alice") as ua:
        plan = Plan(
            str(ua.configuration.uri),
            {},
            ("600",),
            slopes=(Slope(3, 3, 3.0),),
            media=True,
            script="tone 440; expect tone 440 for 0.5s within 5s",
        )
        # The user agent is up already; the plan's own would be another registration of the same name.
        figures = await Generator(plan, [ua]).run()
        assert (figures.passed, figures.failed) == (9, 0), figures.causes
        assert (figures.setup.quantile(0.99) or 9) < 5
        assert figures.packets_received > 100
    await asterisk.idle()
