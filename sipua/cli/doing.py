"""Doing in one call what it is asked to do beside sound; and what of that is left when another call takes its place."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sipua.cli.exits import ExitCode, Failure, exit_code, one_line
from sipua.cli.tasks import EXPECT_WITHIN, HOLD_FOR
from sipua.errors import CallFailed, InvalidStateError, SipuaError, TransferFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from sipua import events
    from sipua.cli.output import Output
    from sipua.cli.tasks import TaskOptions
    from sipua.script.stage import Stage
    from sipua.session import RTCSession

__all__ = ["Tasks"]

#: Seconds that a tone that is expected must last.
TONE_LENGTH = 0.1


class Tasks:
    """The tasks of one call that is up. Use as a context manager.

    :param consult: calls whom the peer shall be connected with.
    """

    def __init__(
        self,
        options: TaskOptions,
        call: RTCSession,
        output: Output,
        number: int,
        consult: Callable[[str], RTCSession],
    ) -> None:
        self._unmet: list[str] = []  # what is expected and has not come yet, in words
        self._options = options
        self._call = call
        self._output = output
        self._number = number
        self._consult = consult
        self._met: set[str] = set()
        self._unsent = ""  # digits, without the pauses before them
        self._asked = self._transferred = False
        self._stage: Stage | None = None

    @property
    def left(self) -> TaskOptions:
        """What another call in the place of this one is about: digits and hold are not, they were for this peer."""
        options = self._options
        return replace(
            options,
            dtmf=None,
            hold_after=None,
            expect_dtmf=tuple(
                digits for digits in options.expect_dtmf if _of_digits(digits) not in self._met
            ),
            expect_tone=tuple(tone for tone in options.expect_tone if _of_tone(tone) not in self._met),
            transfer=None if self._asked else options.transfer,
        )

    def __enter__(self) -> Tasks:
        if self._options.expect_dtmf or self._options.expect_tone:
            from sipua.script.ears import Tones
            from sipua.script.stage import Stage

            sounds = [Tones(tone) for tone in self._options.expect_tone]
            self._stage = Stage(self._call, dict.fromkeys(sounds), folder=Path())
            self._stage.listen()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._call.off("new_dtmf", self._on_dtmf)
        if self._stage is not None:
            self._stage.close()

    async def run(self, playing: Coroutine[Any, Any, object] | None) -> None:
        """Do all of it, beside `playing`, and the transfer last; returns when all is done.

        :raises Failure: what is expected did not come, or the transfer did not work.
        """
        parts = [self._send_digits(), self._hold(), *self._expectations()]
        if playing is not None:
            parts.append(playing)
        async with _cancelling(parts) as tasks:
            await asyncio.gather(*tasks)
        if self._options.transfer is not None:
            await self._transfer(self._options.transfer)

    def check_done(self, *, peer_left: bool) -> None:
        """At the end of the call: because the peer has left, or because its time is over.

        Digits that the peer did not wait for are no fault: it may have known enough.

        :raises Failure: not all of it was done by then.
        """
        if self._unsent and peer_left:
            self._warn(f"the call ended before the digits {self._unsent} were sent")
        elif self._unsent:
            who = self._call.remote_identity.uri
            raise Failure(
                f"{who}: the digits {self._unsent} were not sent before the end of --duration; "
                "give it more time: a comma is 2 s, a digit 0.6 s"
            )
        if self._unmet:
            raise self._missing(
                "the call ended before that" if peer_left else "it did not come before the end of --duration"
            )
        target = self._options.transfer
        if target is not None and not self._transferred:
            why = (
                "the peer has not told how it went" if peer_left else "not done before the end of --duration"
            )
            raise Failure(f"transfer to {target}: {why}")

    def _missing(self, why: str) -> Failure:
        return Failure(f"{self._call.remote_identity.uri}: expected {' and '.join(self._unmet)}; {why}")

    # --- the tasks ----------------------------------------------------------------------------------------

    async def _send_digits(self) -> None:
        if self._options.dtmf is None:
            return
        self._unsent = self._options.dtmf.strip(",")
        self._call.on("new_dtmf", self._on_dtmf)
        sending = self._call.send_dtmf(self._options.dtmf, transport_type=self._options.dtmf_by)
        await asyncio.wait((sending,))
        if (error := sending.exception()) is not None and not self._call.is_ended():
            self._warn(f"the digits {self._unsent} were not sent: {one_line(error)}")
            self._unsent = ""

    def _on_dtmf(self, event: events.NewDTMF) -> None:
        if event.originator == "local":
            self._unsent = self._unsent[1:].lstrip(",")

    async def _hold(self) -> None:
        if self._options.hold_after is None:
            return
        await asyncio.sleep(self._options.hold_after)
        try:
            await self._call.hold()
            await asyncio.sleep(self._options.hold_for or HOLD_FOR)
            await self._call.unhold()
        except InvalidStateError:
            pass  # the call is over
        except SipuaError as error:
            self._warn(f"hold: {one_line(error)}")

    def _warn(self, text: str) -> None:
        self._output.event("warning", text, message=text, call=self._number)

    def _expectations(self) -> list[Coroutine[Any, Any, object]]:
        from sipua.script.ears import Tones

        stage = self._stage
        if stage is None:
            return []
        return [
            *(
                self._expect(stage, _of_digits(digits), _contains(stage, digits))
                for digits in dict.fromkeys(self._options.expect_dtmf)
            ),
            *(
                self._expect(stage, _of_tone(tone), _sounds(stage, Tones(tone)))
                for tone in dict.fromkeys(self._options.expect_tone)
            ),
        ]

    async def _expect(self, stage: Stage, what: str, met: Callable[[], bool]) -> None:
        now = asyncio.get_running_loop().time
        began = now()
        self._unmet.append(what)
        within = self._options.expect_within or EXPECT_WITHIN
        came = await stage.until(met, within)
        seconds = round(now() - began, 3)
        text = f"heard {what} after {seconds:.1f} s" if came else None
        self._output.event("expected", text, call=self._number, what=what, met=came, seconds=seconds)
        if came:
            self._unmet.remove(what)
            self._met.add(what)
            return
        ended = "the call ended before that" if self._call.is_ended() else ""
        keys = f"came: {stage.keys}" if stage.keys else "no digits came" if "digits" in what else ""
        raise self._missing(ended or keys or f"it did not come within {within:g} s")

    async def _transfer(self, target: str) -> None:
        def tell(state: str, text: str | None, status: int | None = None, reason: str | None = None) -> None:
            self._output.event(
                "transfer",
                text,
                call=self._number,
                target=target,
                state=state,
                status=status,
                reason=reason,
            )

        consultation = None
        if self._options.attended and not self._call.is_ended():
            consultation = await self._consulted(target)
        if self._call.is_ended():
            raise Failure(f"transfer to {target}: the call ended before that")
        self._asked = True
        tell("asked", f"asking the peer to call {target}")
        subscriber = self._call.refer(target if consultation is None else None, replaces=consultation)
        try:
            await subscriber
        except TransferFailed as error:
            response = error.response
            tell("failed", None, error.status_code, response.phrase if response is not None else None)
            code = exit_code(error) if error.status_code is not None else ExitCode.FAILED
            why = one_line(error).removeprefix(f"{subscriber}: ")
            raise Failure(f"transfer to {target}: {why}", code) from None
        self._transferred = True
        tell("succeeded", f"the peer talks to {target}")

    async def _consulted(self, target: str) -> RTCSession:
        """The call to whom the peer shall be connected with, which waits meanwhile."""
        await self._hold_peer(True)
        consultation = self._consult(target)
        try:
            await consultation.wait_confirmed()
        except CallFailed as error:
            await self._hold_peer(False)
            raise Failure(f"transfer to {target}: {one_line(error)}", exit_code(error)) from None
        finally:
            if not consultation.is_established() and not consultation.is_ended():
                consultation.terminate()
        return consultation

    async def _hold_peer(self, held: bool) -> None:
        """As far as it lets us."""
        with contextlib.suppress(SipuaError):
            await (self._call.hold() if held else self._call.unhold())


def _of_digits(digits: str) -> str:
    return f"the digits {digits}"


def _of_tone(tone: tuple[float, ...]) -> str:
    return f"a tone of {'+'.join(f'{frequency:g}' for frequency in tone)} Hz"


def _contains(stage: Stage, digits: str) -> Callable[[], bool]:
    return lambda: digits in stage.keys


def _sounds(stage: Stage, sound: Any) -> Callable[[], bool]:
    return lambda: stage.ears.find(sound, since=0.0, length=TONE_LENGTH, take=False) is not None


@contextlib.asynccontextmanager
async def _cancelling(parts: list[Coroutine[Any, Any, object]]) -> Any:
    """The parts as tasks, of which none is left behind."""
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
