"""One call of a command from its beginning to its end, and what takes its place when the peer transfers it.

A transfer is a REFER of the peer, and then we call somebody; or an INVITE with Replaces, and then somebody calls us.
Either way there are two calls for a while. The new one gets its own number, report and recordings; it is about the
same options, without what was done already. When it is up, the old one is only waited for: the peer ends it
(:rfc:`5589#section-6`). When it does not come about, the old one is as it was.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from sipua.cli.calls import AFTERWARDS, TRANSFER_GRACE, broken, hang_up, refused
from sipua.cli.doing import Tasks
from sipua.cli.exits import ExitCode, one_line
from sipua.cli.report import Report
from sipua.errors import CallFailed, InvalidStateError, MediaDeviceError, MediaFileError, SipuaError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sipua import events
    from sipua.cli.conversations import Conversations
    from sipua.cli.scripts import Scripting
    from sipua.cli.tasks import TaskOptions
    from sipua.media.devices import Speaker
    from sipua.script.stage import Stage
    from sipua.session import RTCSession

__all__ = ["Conversation"]

#: So often a call is transferred, one call after the other: two that transfer to each other do it for ever.
MOST_TRANSFERS = 20


class Conversation:
    """One call from its beginning to its end, and those that take its place."""

    def __init__(self, calls: Conversations, number: int) -> None:
        self.number = number
        self.up: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        """Whether the call came about, as soon as that is known."""
        self._calls = calls
        self._audio = calls.audio
        self._tasks = calls.tasks
        self._recordings = calls.audio.recording(number), calls.audio.stereo_recording(number)
        self._captured = calls.audio.captured(number)
        self._before: Conversation | None = None
        self._transfers = 0
        self._next: Conversation | None = None
        self._next_task: asyncio.Task[ExitCode] | None = None
        """Of the call in our place, or that may be there soon. None when that did not come about in time."""
        self._left: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._doing: Tasks | None = None
        self._speaker: Speaker | None = None
        self._broken = ExitCode.OK
        self._stage: Stage | None = None
        self._call: RTCSession
        self._report: Report

    @property
    def options(self) -> dict[str, Any]:
        """For `RTCSession.answer`, and with those of `UA.call` for that."""
        scripted = self._calls.scripted
        more = self._tasks.media_options() if scripted is None else scripted.script.media_options
        return self._audio.media_options(self._recordings[0], self._captured) | more

    @property
    def call(self) -> RTCSession:
        """The call, once it has begun."""
        return self._call

    # --- from beginning to end ----------------------------------------------------------------------------

    def begin(self, call: RTCSession) -> None:
        """It is this call: one of ours that was just begun, or one that has just come in."""
        self._call = call
        before = self._before.number if self._before is not None else None
        self._report = Report(self._calls.run.output, self._calls.board, call, self.number, replaces=before)
        call.on("refer", self._on_refer)
        call.on("replaces", self._on_replaces)
        call.on("media_failed", self._on_media_failed)

    async def conduct(self) -> ExitCode:
        """All of it, until the call is over.

        :returns: how it went; how the last one went, if it was transferred.
        :raises CallFailed: a call that came in did not come about.
        :raises Failure: one of ours did not come about, or something expected did not come.
        :raises SipuaError: it cannot go on.
        """
        call = self._call
        with self._calls.run.aborting(recording.finish for recording in self._recordings):
            try:
                code = await self._conduct()
            except CallFailed as error:
                raise (refused(call, error) if call.direction == "outgoing" else error) from None
            except SipuaError:
                if call.direction == "incoming" and not (call.is_established() or call.is_ended()):
                    call.terminate(status_code=500)
                raise
            finally:
                if not self.up.done():
                    self.up.set_result(False)
                hang_up(call)
                for recording in self._recordings:
                    await recording.finished()
                    self._report.tell_recording(recording)
                    self._broken = self._broken or recording.code
                await self._captured.finished(call)
                self._report.tell_capture(self._captured)
        if self._next_task is not None:
            code = await self._next_task
        elif code is ExitCode.FAILED:
            raise broken(call)
        return code or self._broken

    async def _conduct(self) -> ExitCode:
        call, scripted = self._call, self._calls.scripted
        if scripted is not None and self._before is None:
            return await self._follow(scripted)
        if call.direction == "incoming" and self._before is None:
            call.answer(**self.options)
        try:
            await call.wait_confirmed()
        except CallFailed:
            if self._next is None or not await self._next.up:  # somebody else may have been put through to us
                raise
            return ExitCode.OK
        if self._before is not None:
            self._tasks = self._before.leave(self)
        self.up.set_result(True)
        if scripted is not None:  # its steps go on here
            await call.wait_ended()
            if _ended_by_us(call):
                self._give_up_next()
            return ExitCode.OK
        self._recordings[1].begin(call)
        await self._talk()
        self._check_peer()
        if self._left.done() and self._next_task is not None:
            # Whom we talked to ends this call. If not, it is over with the new one.
            over = asyncio.ensure_future(call.wait_ended())
            either: set[asyncio.Future[Any]] = {over, self._next_task}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            over.cancel()
        return hang_up(call)

    async def _follow(self, scripted: Scripting) -> ExitCode:
        incoming = self._call.direction == "incoming"
        try:
            await scripted.run(
                self._call,
                self.number,
                timeout=self._calls.timeout,
                duration=self._audio.duration,
                dtmf_by=self._tasks.dtmf_by,
                answer_options=self.options if incoming else None,
                on_stage=self._take_stage,
            )
        finally:
            if self._stage is not None:
                hang_up(self._stage.call)  # that may be another one by now
            self._give_up_next()
        return ExitCode.OK  # how it ended is what the script expects, or does not care about

    # --- what is done in it -------------------------------------------------------------------------------

    async def _talk(self) -> None:
        """Do what the options say; returns when the call is over, has to be hung up, or another one is in its place.

        :raises Failure: what is expected did not come, or a transfer did not work.
        :raises MediaError: what is to be heard cannot be opened any more.
        """
        call, audio, options = self._call, self._audio, self._tasks
        source = await audio.opened_source()
        playback = call.audio.play(source) if source is not None else None
        self._speaker = audio.sink()
        if self._speaker is not None:
            call.audio.add_sink(self._speaker)
        with Tasks(options, call, self._calls.run.output, self.number, self._calls.consult) as doing:
            self._doing = doing
            playing = playback.wait() if playback is not None and audio.plays_to_an_end else None
            asked = self._calls.tasks.has_to_succeed
            ends = audio.duration is None and (playing is not None or asked)

            async def work() -> None:
                await doing.run(playing)
                if not ends:
                    await asyncio.get_running_loop().create_future()  # never
                if playing is not None:
                    await asyncio.sleep(AFTERWARDS)

            over, worked = asyncio.ensure_future(call.wait_ended()), asyncio.ensure_future(work())
            first = asyncio.FIRST_COMPLETED
            try:
                ways: set[asyncio.Future[Any]] = {over, worked, self._left}
                done, _ = await asyncio.wait(ways, timeout=audio.duration, return_when=first)
                if over in done and options.has_to_succeed and not _ended_by_us(call):
                    await asyncio.wait(ways - {over}, timeout=TRANSFER_GRACE, return_when=first)
                if (new := self._next) is not None:
                    if not done or _ended_by_us(call):
                        self._give_up_next()
                    await new.up
                if self._left.done():
                    return
                if worked.done():
                    worked.result()
                elif not _ended_by_us(call):
                    doing.check_done(peer_left=over in done)
            finally:
                for task in (over, worked):
                    task.cancel()
                await asyncio.gather(over, worked, return_exceptions=True)

    def _check_peer(self) -> None:
        """We hang up before a call ends by itself whose peer is gone; that it is gone counts all the same."""
        call = self._call
        if call.media is None or call.is_ended() or call.stats().state not in ("disconnected", "failed"):
            return
        self._warn("nothing comes from the peer any more")
        self._broken = ExitCode.FAILED

    # --- transfers ----------------------------------------------------------------------------------------

    @property
    def _may_be_transferred(self) -> bool:
        decided = (self._next is None or self._next.up.done()) and not self._left.done()
        return self._calls.follows and decided and self._transfers < MOST_TRANSFERS

    def _take_stage(self, stage: Stage) -> None:
        """The steps of a script are about this call now."""
        self._stage = stage
        stage.is_moving = lambda: self._next is not None and not self._next.up.done()

    def leave(self, new: Conversation) -> TaskOptions:
        """The next call is up: hand over the script, give sound devices back; returns what is left to do there."""
        self._left.set_result(None)
        if self._stage is not None:
            new._take_stage(self._stage)
            self._stage.move(new.call)
        if not self._call.is_ended():
            if self._audio.mic is not None:
                self._call.audio.source = None
            if self._speaker is not None:
                self._call.audio.remove_sink(self._speaker)
        return self._tasks if self._doing is None else self._doing.left

    def _give_up_next(self) -> None:
        """We hang up before it is known whether there is another call in our place."""
        if self._next is not None and not (self._next.up.done() or self._next.call.is_ended()):
            self._next.call.terminate()

    def _on_refer(self, event: events.Refer) -> None:
        """The peer asks us to call somebody else."""
        refer, accepted = event.refer, self._may_be_transferred
        target, by = str(refer.uri), refer.referred_by
        self._calls.run.output.event(
            "refer",
            f"the peer transfers us to {target}{'' if accepted else '; refused'}",
            call=self.number,
            target=target,
            referred_by=str(by.uri) if by is not None else None,
            accepted=accepted,
        )
        if not accepted:
            refer.reject(603)
            return
        options = {"no_answer_timeout": self._calls.timeout, **self._calls.call_options}
        self._go_on(lambda new: refer.accept(**options, **new.options), refer.reject)

    def _on_replaces(self, event: events.Replaces) -> None:
        """Somebody calls to take the place of the peer, which has transferred us."""
        accepted = self._may_be_transferred
        remote = str(event.request.from_address.uri)
        self._calls.run.output.event(
            "replaced",
            f"{remote} takes the place of the peer{'' if accepted else '; refused'}",
            call=self.number,
            remote=remote,
            accepted=accepted,
        )
        if not accepted:
            event.reject(603)
            return
        self._go_on(lambda new: event.accept(**new.options), event.reject)

    def _go_on(self, begin: Callable[[Conversation], RTCSession], refuse: Callable[[int], None]) -> None:
        calls = self._calls
        try:
            new = calls.new()
            calls.is_taking_over = True
            call = begin(new)
        except SipuaError as error:
            with contextlib.suppress(InvalidStateError):  # it has been, where the call could not begin
                refuse(500)
            self._warn(f"not transferred: {one_line(error)}")
            return
        finally:
            calls.is_taking_over = False
        new._before, new._transfers = self, self._transfers + 1
        self._next, self._next_task = new, calls.begin(new, call)
        new.up.add_done_callback(self._on_decision)

    def _on_decision(self, up: asyncio.Future[bool]) -> None:
        """The next call is up, or will never be: then this one goes on, if it is not over."""
        task = self._next_task
        if up.result() or task is None:
            return
        if self._stage is not None:
            self._stage.wake()
        if self._call.is_ended():
            return
        self._next = self._next_task = None

        def tell(task: asyncio.Task[ExitCode]) -> None:
            error = None if task.cancelled() else task.exception()
            self._warn(f"the transfer failed{f': {one_line(error)}' if error is not None else ''}")

        task.add_done_callback(tell)

    def _on_media_failed(self, event: events.MediaFailed) -> None:
        """It has been told. A device that is gone or a disk that is full does not end the call, but it counts."""
        if isinstance(event.error, MediaFileError | MediaDeviceError):
            self._broken = ExitCode.FAILED
            self._captured.note(event.error)

    def _warn(self, text: str) -> None:
        self._calls.run.output.event("warning", text, call=self.number, message=text)


def _ended_by_us(call: RTCSession) -> bool:
    over = call.ending or call.failure
    return over is not None and over.originator == "local"
