"""Running a subcommand: the event loop, its end by a signal, and its user agent.

The first Ctrl-C (or SIGTERM, SIGHUP) cancels the command, which then ends its calls and its registration as
it should. The second one ends the process at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import traceback
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import click

from sipua.cli.exits import CREDENTIALS, NO_PASSWORD, ExitCode, Failure, exit_code, file_trouble, one_line
from sipua.cli.following import Following
from sipua.cli.output import LogHandler, Output, make_output
from sipua.errors import SipuaError

if TYPE_CHECKING:
    from sipua.cli.account import AccountOptions
    from sipua.cli.options import OutputOptions
    from sipua.trace.recorder import Trace
    from sipua.ua import UA

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

#: Seconds for one attempt to connect.
CONNECT_TIMEOUT = 10.0

#: Seconds for the goodbyes at the end; and after how many a server that has not said anything at all is not
#: waited for any more: even a slow one says 100 Trying in that time.
GOODBYE_TIMEOUT, MUTE_AFTER = 5.0, 2.0

#: A trace of more messages than this is not drawn at the end.
LONGEST_LADDER = 200

Work = Callable[["Run"], Coroutine[Any, Any, int]]


class Run:
    """One run of a subcommand: where it tells what happens, and what has to be saved at a sudden end.

    :param told: loggers whose warnings the command tells in its own words.
    """

    def __init__(self, output: Output, options: OutputOptions, told: Sequence[str] = ()) -> None:
        self.output = output
        self.options = options
        self.trace: Trace | None = None
        self.at_abort: list[Callable[[], None]] = []
        """Called when the process is about to end at once: what finishes recordings."""
        self._told = told
        self._interrupted = False
        self._without_password = False

    # --- its end ------------------------------------------------------------------------------------------

    def execute(self, work: Work, interrupted: ExitCode) -> int:
        """Run `work` on an event loop; returns the exit code. Errors are told in one line."""
        name = click.get_current_context().command_path
        code: int
        try:
            with self._logging(), self._tracing():
                code = asyncio.run(self._main(work))
        except asyncio.CancelledError:
            code = interrupted if self._interrupted else ExitCode.FAILED
        except KeyboardInterrupt:
            code = interrupted
        except Exception as error:  # noqa: BLE001 - told below
            code = exit_code(error)
            text = one_line(error)
            if code == ExitCode.UNAUTHORISED and self._without_password:
                text = text.replace(CREDENTIALS, NO_PASSWORD)
            self.output.error(f"{name}: {text}", code)
            if self.options.verbose:
                self.output.log("".join(traceback.format_exception(error)))
        finally:
            self.output.close()
        if code == ExitCode.OK and self.trace is not None and self.trace.error is not None:
            code = ExitCode.FAILED  # what was asked for is not complete; it has been told
        self.output.event("done", exit_code=int(code))
        return code

    async def _main(self, work: Work) -> int:
        task = asyncio.current_task()
        assert task is not None
        loop = asyncio.get_running_loop()
        self.output.on_broken = task.cancel
        for number in SIGNALS:
            with contextlib.suppress(NotImplementedError, ValueError, RuntimeError):  # not in the main thread
                loop.add_signal_handler(number, self._on_signal, task)
        return await work(self)

    def _on_signal(self, task: asyncio.Task[Any]) -> None:
        if self._interrupted:
            self._abort()
        self._interrupted = True
        self.output.event("interrupted", "interrupted; once more ends at once")
        task.cancel()

    def _abort(self) -> NoReturn:
        for finish in self.at_abort:
            try:
                finish()
            except Exception as error:  # noqa: BLE001 - told; the others have to be finished, too
                self.output.log(one_line(error))
        self.output.close()
        os._exit(ExitCode.INTERRUPTED)

    @contextlib.contextmanager
    def aborting(self, finish: Iterable[Callable[[], None]]) -> Iterator[None]:
        """Inside, these are called when the process is about to end at once."""
        wanted = list(finish)
        self.at_abort += wanted
        try:
            yield
        finally:
            for one in wanted:
                self.at_abort.remove(one)

    # --- log and trace ------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _logging(self) -> Iterator[None]:
        logger = logging.getLogger("sipua")
        handler = LogHandler(self.output, self.options.verbose, self._told)
        before = logger.level, logger.propagate
        logger.addHandler(handler)
        logger.setLevel(handler.level)
        logger.propagate = False
        try:
            yield
        finally:
            logger.removeHandler(handler)
            logger.level, logger.propagate = before

    @contextlib.contextmanager
    def _tracing(self) -> Iterator[None]:
        path = self.options.trace
        if path is None:
            yield
            return
        try:
            from sipua.trace.recorder import Trace

            trace = Trace(path, on_error=self._trace_broken)
        except OSError as error:
            raise Failure(f"--trace {path}: {file_trouble(error)}", ExitCode.USAGE) from None
        with trace:
            self.trace = trace
            try:
                yield
            finally:
                self._show_ladder(trace)

    def _show_ladder(self, trace: Trace) -> None:
        from sipua.trace.ladder import ASCII, UNICODE, ladder

        self.output.close()
        if len(trace.messages) > LONGEST_LADDER:
            path = self.options.trace
            self.output.text(f"{len(trace.messages)} SIP messages or more: sipua trace {path} shows them")
            return
        glyphs = UNICODE if self.output.unicode else ASCII
        self.output.text(ladder(trace.messages, glyphs=glyphs, columns=self.output.columns))

    def _trace_broken(self, error: OSError) -> None:
        text = f"--trace {self.options.trace}: {error.strerror or error}; the trace ends here"
        self.output.event("warning", text, message=text)

    # --- user agent ---------------------------------------------------------------------------------------------------

    def new_user_agent(self, account: AccountOptions, *, timeout: float, register: bool, **more: Any) -> UA:
        """A user agent for the account, not started yet. `more` are further options of `UA`.

        :param timeout: seconds, of which connecting takes 10 at most.
        :raises ConfigurationError: an option that cannot be used.
        """
        from sipua.ua import UA

        options = {
            **account.user_agent_options(),
            "connect_timeout": min(timeout, CONNECT_TIMEOUT),
            "register": register,
            **more,
        }
        ua = UA(account.uri, **options)
        self._without_password = account.password is None
        for warning in account.warnings:
            self.output.event("warning", warning, message=warning)
        return ua

    @contextlib.asynccontextmanager
    async def started(self, ua: UA, timeout: float) -> AsyncIterator[None]:
        """Inside, the user agent is connected, and registered if so wanted; on leaving, its calls are ended first.

        :param timeout: seconds for connecting and registering together.
        """
        following = Following(self.output, ua, self.trace)
        try:
            try:
                async with asyncio.timeout(timeout):
                    ua.start()
                    await ua.ready()
            except TimeoutError as error:
                if isinstance(error, SipuaError):
                    raise
                servers = ", ".join(socket.url for socket in ua.configuration.sockets)
                what = "no answer to REGISTER" if ua.is_connected() else "no connection"
                remedy = "sipua doctor examines the way there"
                raise Failure(f"{servers}: {what} within {timeout:g} s; {remedy}", ExitCode.TIMEOUT) from None
            following.ready = True
            yield
        finally:
            await ua.stop(patience(ua))


def patience(ua: UA) -> float:
    """Seconds to wait for answers to our goodbyes.

    A CANCEL, for one, may not be sent before the server has said something (:rfc:`3261#section-9.1`).
    """
    silence = ua.endpoint.silence if hasattr(ua, "endpoint") else 0.0  # there is none before it is started
    return max(0.0, MUTE_AFTER - silence) if silence else GOODBYE_TIMEOUT


async def wait_at_most(event: asyncio.Event, seconds: float | None) -> None:
    """Until the event, or (unless None) for so long: both are what was asked for."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass


def execute(
    options: OutputOptions,
    work: Work,
    *,
    interrupted: ExitCode = ExitCode.INTERRUPTED,
    told: Sequence[str] = (),
) -> int:
    """Run `work` for a subcommand; returns its exit code, which is `interrupted` after Ctrl-C.

    :param told: loggers whose warnings the command tells in its own words.
    """
    return Run(make_output(json=options.json), options, told).execute(work, interrupted)
