"""What the steps of a script work with: one call, what was heard in it, and a way to wait for more."""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import TYPE_CHECKING, Any, Literal

from sipua.errors import MediaError, SipuaError
from sipua.events import Cause
from sipua.script.ears import Ears
from sipua.sip import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from sipua.events import NewDTMF
    from sipua.media.interface import Playback
    from sipua.script.ears import Sound
    from sipua.session import RTCSession

__all__ = ["Stage", "StepFailed"]

#: Events of a call that an expectation may wait for.
_EVENTS = ("progress", "accepted", "confirmed", "ended", "failed", "hold", "unhold", "ice_connection_state")


class StepFailed(SipuaError):
    """A step that did not work, or an expectation that was not met."""


class Stage:
    """One call while a script runs in it."""

    def __init__(
        self,
        call: RTCSession,
        sounds: Iterable[Sound],
        *,
        folder: Path,
        number: int = 1,
        answer_options: Mapping[str, Any] | None = None,
        dtmf_by: Literal["RFC4733", "INFO", "INBAND"] | None = None,
        chance: random.Random | None = None,
    ) -> None:
        self.call = call
        self.folder = folder
        self.number = number
        """Of the call in its run: recordings of others than the first have it in their names."""
        self.answer_options = dict(answer_options or {})
        self.dtmf_by = dtmf_by
        self.chance = chance or random.Random()
        self.keys = ""
        """The tones that came and that no step has asked for yet."""
        self.since = 0.0
        """The moment in what was heard up to which the last expectation has looked."""
        self.statuses: list[int] = []
        """Of the provisional responses."""
        self.playback: Playback | None = None
        self.recordings: list[Any] = []
        self.is_moving: Callable[[], bool] = lambda: False
        """Whether another call may take the place of this one soon: then the end of this one is not the end."""
        self._sounds = tuple(sounds)
        self.ears = Ears(self._sounds, self.wake)
        self._hears = False
        self._news = asyncio.Event()
        self._handlers: list[tuple[str, Callable[..., Any]]] = [("new_dtmf", self._on_dtmf)]
        self._handlers += [(name, self._on_event) for name in _EVENTS]
        for name, handler in self._handlers:
            call.on(name, handler)

    def close(self) -> None:
        """Leave the call alone."""
        for name, handler in self._handlers:
            self.call.off(name, handler)
        if self._hears:
            self._hears = False
            self.call.audio.remove_sink(self.ears)
        for recording in self.recordings:
            recording.stop()

    async def finished(self) -> None:
        """Until the recordings are complete. What went wrong with one, the call has told."""
        for recording in self.recordings:
            recording.stop()
            with contextlib.suppress(MediaError):
                await recording.wait_closed()

    @property
    def is_over(self) -> bool:
        """Whether the call is, and no other one takes its place."""
        return self.call.is_ended() and not self.is_moving()

    def move(self, call: RTCSession) -> None:
        """Go on in another call, which is up, after a transfer. What plays and what records ends with the old one."""
        for name, handler in self._handlers:
            self.call.off(name, handler)
            call.on(name, handler)
        if self._hears:
            self._hears = False
            self.call.audio.remove_sink(self.ears)
        self.call = call
        self.wake()

    def wake(self) -> None:
        """There is something new to look at."""
        self._news.set()

    # --- what happens -------------------------------------------------------------------------------------

    def listen(self) -> None:
        """Hear the peer from now on, if the script waits for a sound and there is media. Idempotent."""
        if self._sounds and not self._hears and self.call.media is not None and not self.call.is_ended():
            self._hears = True
            self.call.audio.add_sink(self.ears)

    def _on_dtmf(self, event: NewDTMF) -> None:
        if event.originator == "remote":
            self.keys += event.tone
            self.wake()

    def _on_event(self, event: Any) -> None:
        response = getattr(event, "response", None)
        code = getattr(response, "code", None)
        if code is not None and 100 < code < 200:
            self.statuses.append(code)
        self.wake()

    # --- waiting ------------------------------------------------------------------------------------------

    async def until(self, met: Callable[[], bool], within: float) -> bool:
        """Wait until `met()`; False when `within` seconds have passed, or the call is over, without that."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within
        while True:
            self._news.clear()
            self.listen()
            if met():
                return True
            left = deadline - loop.time()
            if left <= 0 or self.is_over:
                return False
            try:
                async with asyncio.timeout(left):
                    await self._news.wait()
            except TimeoutError:
                return met()

    async def pause(self, seconds: float) -> None:
        """Wait; a call that is over is not waited for."""
        await self.until(lambda: False, seconds)

    async def answered(self, within: float) -> None:
        """Wait until the call is up; one that has come in is answered now.

        :raises CallFailed: it does not come about.
        :raises StepFailed: not within that time.
        """
        call = self.call
        if call.direction == "incoming" and call.start_time is None and not call.is_ended():
            call.answer(**self.answer_options)
        try:
            async with asyncio.timeout(within):
                await call.wait_confirmed()
        except TimeoutError as error:
            if isinstance(error, SipuaError):
                raise
            raise StepFailed(f"not answered within {within:g} s") from None
        self.listen()

    def ending(self) -> str:
        """Why the call is over, in words."""
        over = self.call.ending or self.call.failure
        if over is None:
            return "it is not"
        if over.cause is Cause.BYE:
            return "the peer hung up" if over.originator == "remote" else "we hung up"
        status = f" ({over.message.code} {over.message.phrase})" if isinstance(over.message, Response) else ""
        return f"{over.cause}{status}"
