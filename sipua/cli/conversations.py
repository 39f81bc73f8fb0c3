"""The calls of one run of a command."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from typing import TYPE_CHECKING, Any

import click

from sipua.cli.conversation import Conversation
from sipua.cli.report import Board, Report
from sipua.cli.tasks import TaskOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sipua.cli.audio import AudioOptions
    from sipua.cli.exits import ExitCode
    from sipua.cli.running import Run
    from sipua.cli.scripts import Scripting
    from sipua.session import RTCSession
    from sipua.ua import UA

__all__ = ["Conversations", "refuse_transfers_option"]

#: Seconds for an answer when nobody says otherwise.
ANSWER_TIMEOUT = 60.0


refuse_transfers_option = click.option(
    "--refuse-transfers",
    is_flag=True,
    help="Stay in the call when the peer transfers us (REFER, Replaces), instead of going there.",
)


class Conversations:
    """All calls of one run.

    :param scripted: what each call follows; None: the options.
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
        self.follows = not refuse_transfers
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
        conversation.begin(call)
        task = asyncio.ensure_future(conversation.conduct())
        self._tasks.append(task)
        return task

    def consult(self, target: str) -> RTCSession:
        """Call whom the peer shall be connected with; the call is only reported."""
        assert self.ua is not None
        options = self.call_options | self.audio.path_options()
        call = self.ua.call(target, no_answer_timeout=self.timeout, **options)
        Report(self.run.output, self.board, call, self.next_number())
        return call

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """Inside, scripts learn of a cancellation before it ends their calls, which they would take for a hang-up."""
        try:
            yield
        except asyncio.CancelledError:
            if self.scripted is not None:
                self.scripted.interrupt()
            raise

    async def finish(self) -> None:
        """Until everything about calls that are over has been told, and recordings are complete."""
        for task in self._tasks:  # further ones may be added meanwhile
            await asyncio.wait((task,))
            if not task.cancelled():
                task.exception()  # whoever began it knows
