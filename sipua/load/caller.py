"""One call of a load test: made, measured, ended."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from sipua.errors import CallFailed, SipuaError
from sipua.events import Cause
from sipua.script import run_script
from sipua.sip import Response

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from sipua.media.interface import MediaStats
    from sipua.script import Script
    from sipua.session import RTCSession
    from sipua.ua import UA

__all__ = ["MeasuredCall"]


class MeasuredCall:
    """One call and its times. `run` makes it; then the attributes say how it went."""

    def __init__(
        self,
        ua: UA,
        target: str,
        *,
        script: Script | None = None,
        talk: float = 10.0,
        timeout: float = 30.0,
        number: int = 1,
        chance: random.Random | None = None,
        media_options: dict[str, Any] | None = None,
        on_answer: Callable[[float], object] = lambda setup: None,
    ) -> None:
        self.cause: str | None = None
        """Why it failed; None: it did not."""
        self.setup: float | None = None
        """Seconds from the INVITE to the answer."""
        self.ringing: float | None = None
        """Seconds from the INVITE to the first response of 180 to 189."""
        self.lasted: float | None = None
        """Seconds from the answer to the end."""
        self.stats: MediaStats | None = None
        self._ua = ua
        self._target = target
        self._script = script
        self._talk = talk
        self._timeout = timeout
        self._number = number
        self._chance = chance
        self._media_options = media_options or {}
        self._on_answer = on_answer
        self._now = asyncio.get_running_loop().time
        self._sent = self._now()
        self._answered: float | None = None

    async def run(self) -> None:
        """Make the call and stay to its end. Its failure is no exception; cancelled, it hangs up."""
        call: RTCSession | None = None
        script = self._script
        try:
            options = {**(script.media_options if script is not None else {}), **self._media_options}
            call = self._ua.call(self._target, no_answer_timeout=self._timeout, **options)
            self._follow(call)
            await self._talk_in(call)
        except CallFailed as error:
            self.cause = cause_of(error)
        except SipuaError as error:
            self.cause = type(error).__name__ if len(str(error)) > 80 else str(error)
        finally:
            if call is not None:
                await self._finish(call)

    def _follow(self, call: RTCSession) -> None:
        def sent(event: Any) -> None:
            self._sent = self._now()

        def progress(event: Any) -> None:
            if self.ringing is None and event.response is not None and 180 <= event.response.code < 190:
                self.ringing = self._now() - self._sent

        def accepted(event: Any) -> None:
            self._answered = self._now()
            self.setup = self._answered - self._sent
            self._on_answer(self.setup)

        def ended(event: Any) -> None:
            if self._answered is not None:
                self.lasted = self._now() - self._answered

        call.on("sending", sent)
        call.on("progress", progress)
        call.on("accepted", accepted)
        call.on("ended", ended)

    async def _talk_in(self, call: RTCSession) -> None:
        if self._script is not None:
            outcome = await run_script(
                self._script,
                call,
                number=self._number,
                answer_timeout=self._timeout + 1,
                chance=self._chance,
            )
            if outcome.failed is not None:
                step = outcome.failed.step
                why = (
                    cause_of(outcome.error)
                    if isinstance(outcome.error, CallFailed)
                    else outcome.failed.message
                )
                self.cause = f"line {step.line}: {step.text}: {why}"
            return
        await call.wait_confirmed()
        try:
            async with asyncio.timeout(self._talk):
                await call.wait_ended()
        except TimeoutError:
            return
        if call.cause is not Cause.BYE:
            self.cause = f"ended: {call.cause}"

    async def _finish(self, call: RTCSession) -> None:
        if call.media is not None:
            self.stats = call.stats()
        if not call.is_ended():
            call.terminate()
        await call.wait_closed()


def cause_of(error: CallFailed) -> str:
    """Why a call was not answered, in the words that calls of one kind share."""
    if isinstance(error.response, Response):
        return f"{error.response.code} {error.response.phrase}".strip()
    return str(error.cause)
