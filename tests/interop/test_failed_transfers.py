"""A transfer that fails at a server leaves no call in which nothing is heard."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sipua import Cause, Tone, TransferFailed
from tests.interop.test_calls import registered
from tests.lab.peers import AsteriskPeer


@pytest.mark.parametrize("hold", [False, True])
async def test_asterisk_gives_up_whom_we_talked_to(asterisk: AsteriskPeer, hold: bool) -> None:
    """It hangs up bob when it cannot reach the target, and keeps its end of our call."""
    async with registered(asterisk, "alice") as alice, registered(asterisk, "bob") as bob:
        over: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def answer(event: Any) -> None:
            event.session.once("ended", over.set_result)
            event.session.answer(audio=Tone(440))

        bob.on("new_rtc_session", answer)
        call = alice.call("bob", audio=Tone(330))
        await asyncio.wait_for(call.wait_confirmed(), 10)
        await asyncio.sleep(1)
        with pytest.raises(TransferFailed, match="503"):
            await call.refer("nosuch", hold=hold)
        await asyncio.wait_for(over, 5)
        ended = await asyncio.wait_for(call.wait_ended(), 25)
        assert (ended.originator, ended.cause) == ("system", Cause.RTP_TIMEOUT)
        assert not call.is_on_hold()["local"]
