"""A transfer that fails at a server leaves no call in which nothing is heard."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sipua import Cause, Tone, TransferFailed
from tests.interop.test_calls import registered
from tests.lab.peers import AsteriskPeer


@pytest.mark.parametrize("hold", [False, True], ids=["", "hold"])
@pytest.mark.parametrize("target", ["nosuch", "612"])
async def test_asterisk_gives_up_whom_we_talked_to(asterisk: AsteriskPeer, target: str, hold: bool) -> None:
    """It hangs up bob when it cannot reach the target, and keeps its end of our call.

    What it tells of the transfer depends on which of its threads comes first: 503, or even 200.
    """
    async with registered(asterisk, "alice") as alice, registered(asterisk, "bob") as bob:
        over: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def answer(event: Any) -> None:
            event.session.once("ended", over.set_result)
            event.session.answer(audio=Tone(440))

        bob.on("new_rtc_session", answer)
        call = alice.call("bob", audio=Tone(330))
        await asyncio.wait_for(call.wait_confirmed(), 10)
        await asyncio.sleep(1)
        told = None
        try:
            await call.refer(target, hold=hold)
        except TransferFailed as error:
            told = error.status_code
        await asyncio.wait_for(over, 5)
        ended = await asyncio.wait_for(call.wait_ended(), 25)
        if told is None or hold:  # with a re-INVITE to end the hold, it notices that nobody is left
            assert ended.cause in (Cause.BYE, Cause.RTP_TIMEOUT)
        else:
            assert told == 503
            assert (ended.originator, ended.cause) == ("system", Cause.RTP_TIMEOUT)
