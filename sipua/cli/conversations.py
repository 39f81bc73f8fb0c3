"""The calls of a command: what is done in each, what takes its place when the peer transfers it, how it counts.

A transfer is a REFER of the peer, and then we call somebody; or an INVITE with Replaces, and then somebody calls us.
Either way there are two calls for a while. The new one gets its own number, report and recordings; it is about the
same options, without what was done already. When it is up, the old one is only waited for: the peer ends it
(:rfc:`5589#section-6`). When it does not come about, the old one is as it was.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from typing import TYPE_CHECKING, Any

import click

from sipua.cli.calls import AFTERWARDS, TRANSFER_GRACE, hang_up, refused
from sipua.cli.exits import ExitCode, one_line
from sipua.cli.report import Board, Report
from sipua.cli.tasks import TaskOptions, Tasks
from sipua.errors import CallFailed, InvalidStateError, SipuaError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sipua import events
    from sipua.cli.audio import AudioOptions
    from sipua.cli.running import Run
    from sipua.cli.scripts import Scripting
    from sipua.media.devices import Speaker
    from sipua.session import RTCSession
    from sipua.ua import UA

__all__ = ["Conversation", "Conversations", "refuse_transfers_option"]

#: Seconds for an answer when nobody says otherwise.
ANSWER_TIMEOUT = 60.0


refuse_transfers_option = click.option(
    "--refuse-transfers",
    is_flag=True,
    help="Stay in the call when the peer transfers us (REFER, Replaces), instead of going there.",
)


class Conversations:
    """All calls of one run.

    :param scripted: what each call follows; None: the options. Then nobody is transferred: the script is about one
        call.
    :param timeout: seconds that a call of ours may ring.
    :param refuse_transfers: stay in the call when the peer wants us in another one.
    :param call_options: of `UA.call`, for the calls that transfers ask us for.
    """

    def __init__(
        self,
        run: Run,
        audio: AudioOptions,
        tasks: TaskOptions | None = None,
        *,
        scripted: Scripting | None = None,
        timeout: float = ANSWER_TIMEOUT,
        refuse_transfers: bool = False,
        call_options: dict[str, Any] | None = None,
    ) -> None:
        self.run = run
        self.audio = audio
        self.tasks = tasks if tasks is not None else TaskOptions()
        self.scripted = scripted
        self.timeout = timeout
        self.follows = scripted is None and not refuse_transfers
        self.call_options = call_options or {}
        self.ua: UA | None = None
        """Who makes calls of its own accord, if there is somebody."""
        self.is_taking_over = False
        """Whether the call that is told of just now takes the place of another one: it is ours already."""
        self.board = Board(run.output)
        self._numbers = itertools.count(1)
        self._tasks: list[asyncio.Task[ExitCode]] = []

    def new(self) -> Conversation:
        """The next call, before it begins.

        :raises MediaFileError: it cannot be recorded.
        """
        return Conversation(self, self.next_number())

    def next_number(self) -> int:
        """Of a call that is only told of."""
        return next(self._numbers)

    def begin(self, conversation: Conversation, call: RTCSession) -> asyncio.Task[ExitCode]:
        """From now on, `call` goes as it should, in a task that ends by itself when the call does."""
        task = asyncio.ensure_future(conversation.conduct(call))
        self._tasks.append(task)
        return task

    def consult(self, target: str) -> RTCSession:
        """Call whom the peer shall be connected with; the call is only reported."""
        assert self.ua is not None
        options = self.call_options | self.audio.path_options()
        call = self.ua.call(target, no_answer_timeout=self.timeout, **options)
        Report(self.run.output, self.board, call, self.next_number())
        return call

    async def finish(self) -> None:
        """Until everything about calls that are over has been told, and recordings are complete."""
        for task in self._tasks:  # further ones may be added meanwhile
            await asyncio.wait((task,))
            if not task.cancelled():
                task.exception()  # whoever began it knows


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
        self._before: Conversation | None = None
        self._next: Conversation | None = None
        self._next_task: asyncio.Task[ExitCode] | None = None
        """Of the call in our place, or that may be there soon. None when that did not come about in time."""
        self._left: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._doing: Tasks | None = None
        self._speaker: Speaker | None = None
        self._call: RTCSession

    @property
    def options(self) -> dict[str, Any]:
        """For `RTCSession.answer`, and with those of `UA.call` for that."""
        return self._audio.media_options(self._recordings[0]) | self._tasks.media_options()

    @property
    def call(self) -> RTCSession:
        """The call, once it has begun."""
        return self._call

    # --- from beginning to end ----------------------------------------------------------------------------

    async def conduct(self, call: RTCSession) -> ExitCode:
        """All of it: a call of ours that was just begun, or one that has just come in.

        :returns: how it went; how the last one went, if it was transferred.
        :raises CallFailed: a call that came in did not come about.
        :raises Failure: one of ours did not come about, or something expected did not come.
        :raises SipuaError: it cannot go on.
        """
        self._call = call
        before = self._before.number if self._before is not None else None
        report = Report(self._calls.run.output, self._calls.board, call, self.number, replaces=before)
        call.on("refer", self._on_refer)
        call.on("replaces", self._on_replaces)
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
                    report.tell_recording(recording)
        if self._next_task is not None:
            code = await self._next_task
        for recording in self._recordings:
            code = code or recording.code
        return code

    async def _conduct(self) -> ExitCode:
        call, scripted = self._call, self._calls.scripted
        if scripted is not None:
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
            self._tasks = self._before.leave()
        self.up.set_result(True)
        self._recordings[1].begin(call)
        await self._talk()
        if self._left.done() and self._next_task is not None:
            # Whom we talked to ends this call. If not, it is over with the new one.
            over = asyncio.ensure_future(call.wait_ended())
            either: set[asyncio.Future[Any]] = {over, self._next_task}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            over.cancel()
        return hang_up(call)

    async def _follow(self, scripted: Scripting) -> ExitCode:
        incoming = self._call.direction == "incoming"
        await scripted.run(
            self._call,
            self.number,
            timeout=self._calls.timeout,
            duration=self._audio.duration,
            dtmf_by=self._tasks.dtmf_by,
            answer_options=self.options if incoming else None,
        )
        hang_up(self._call)  # how it ended is what the script expects, or does not care about
        return ExitCode.OK

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
                    if (not done or _ended_by_us(call)) and not new.call.is_ended() and not new.up.done():
                        new.call.terminate()
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

    # --- transfers ----------------------------------------------------------------------------------------

    @property
    def _may_be_transferred(self) -> bool:
        return self._calls.follows and (self._next is None or self._next.up.done()) and not self._left.done()

    def leave(self) -> TaskOptions:
        """The next call is up: give sound devices back; returns what is left to do there."""
        self._left.set_result(None)
        if not self._call.is_ended():
            if self._audio.mic is not None:
                self._call.audio.source = None
            if self._speaker is not None:
                self._call.audio.remove_sink(self._speaker)
        return self._tasks if self._doing is None else self._doing.left

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
        new._before = self
        self._next, self._next_task = new, calls.begin(new, call)
        new.up.add_done_callback(self._on_decision)

    def _on_decision(self, up: asyncio.Future[bool]) -> None:
        """The next call is up, or will never be: then this one goes on, if it is not over."""
        task = self._next_task
        if up.result() or self._call.is_ended() or task is None:
            return
        self._next = self._next_task = None

        def tell(task: asyncio.Task[ExitCode]) -> None:
            error = None if task.cancelled() else task.exception()
            self._warn(f"the transfer failed{f': {one_line(error)}' if error is not None else ''}")

        task.add_done_callback(tell)

    def _warn(self, text: str) -> None:
        self._calls.run.output.event("warning", text, call=self.number, message=text)


def _ended_by_us(call: RTCSession) -> bool:
    over = call.ending or call.failure
    return over is not None and over.originator == "local"
