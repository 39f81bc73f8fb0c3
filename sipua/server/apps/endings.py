"""Call apps that end the call: refuse it, or hang up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from sipua import RTCSession

#: Seconds until `hang_up` does.
TALK_TIME = 2.0


def refuse(status_code: int, reason_phrase: str | None = None) -> Callable[[RTCSession], None]:
    """An app that refuses every call, at once."""

    def refuse_call(call: RTCSession) -> None:
        call.terminate(status_code=status_code, reason_phrase=reason_phrase)

    return refuse_call


async def hang_up(call: RTCSession) -> None:
    """Answers, and hangs up after 2 s."""
    await call.answer()
    await asyncio.sleep(TALK_TIME)
