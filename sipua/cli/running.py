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
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import TYPE_CHECKING, Any, NoReturn

import click

from sipua.cli.account import Following
from sipua.cli.exits import ExitCode, Failure, exit_code, one_line
from sipua.cli.output import LogHandler, Output, make_output
from sipua.cli.trace import Trace
from sipua.errors import SipuaError

if TYPE_CHECKING:
    from sipua.cli.options import AccountOptions, OutputOptions
    from sipua.ua import UA

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Work = Callable[["Run"], Coroutine[Any, Any, int]]


class Run:
    """One run of a subcommand: where it tells what happens, and what has to be saved at a sudden end."""

    def __init__(self, output: Output, options: OutputOptions) -> None:
        self.output = output
        self.options = options
        self.trace: Trace | None = None
        self.at_abort: list[Callable[[], None]] = []
        """Called when the process is about to end at once: what finishes recordings."""
        self._interrupted = False

    # --- its end ------------------------------------------------------------------------------------------

    def execute(self, work: Work) -> int:
        """Run `work` on an event loop; returns the exit code. Errors are told in one line."""
        name = click.get_current_context().command_path
        code: int
        try:
            with self._logging(), self._tracing():
                code = asyncio.run(self._main(work))
        except asyncio.CancelledError:
            code = ExitCode.INTERRUPTED if self._interrupted else ExitCode.FAILED
        except KeyboardInterrupt:
            code = ExitCode.INTERRUPTED
        except Exception as error:  # noqa: BLE001 - told below
            code = exit_code(error)
            self.output.error(f"{name}: {one_line(error)}", code)
            if self.options.verbose:
                self.output.log("".join(traceback.format_exception(error)))
        finally:
            self.output.close()
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
        self.output.event("interrupted", "interrupted: hanging up (again: end at once)")
        task.cancel()

    def _abort(self) -> NoReturn:
        for finish in self.at_abort:
            with contextlib.suppress(Exception):
                finish()
        self.output.close()
        os._exit(ExitCode.INTERRUPTED)

    # --- log and trace ------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _logging(self) -> Any:
        logger = logging.getLogger("sipua")
        handler = LogHandler(self.output, self.options.verbose)
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
    def _tracing(self) -> Any:
        path = self.options.trace
        if path is None:
            yield
            return
        try:
            trace = Trace(path, on_error=self._trace_broken)
        except OSError as error:
            raise Failure(f"--trace {path}: {error.strerror or error}", ExitCode.USAGE) from None
        with trace:
            self.trace = trace
            yield
        if trace.messages:
            from sipua.cli.ladder import ladder

            self.output.close()
            self.output.text(ladder(trace.messages))

    def _trace_broken(self, error: OSError) -> None:
        text = f"--trace {self.options.trace}: {error.strerror or error}; the trace ends here"
        self.output.event("warning", text, message=text)

    # --- user agent ---------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def user_agent(
        self, account: AccountOptions, *, timeout: float, register: bool, **more: Any
    ) -> AsyncIterator[UA]:
        """A user agent that is connected, and registered if so wanted; on leaving it ends its calls first.

        :param timeout: seconds for both together.
        """
        from sipua.ua import UA

        ua = UA(
            account.uri,
            sockets=list(account.server),
            password=account.password,
            authorization_user=account.auth_user,
            ca_file=account.ca_file,
            insecure=account.insecure,
            connect_timeout=min(timeout, 10.0),
            register=register,
            **more,
        )
        following = Following(self.output, ua, self.trace)
        try:
            try:
                async with asyncio.timeout(timeout):
                    ua.start()
                    await ua.ready()
                following.ready = True
            except TimeoutError as error:
                if isinstance(error, SipuaError):
                    raise
                servers = ", ".join(socket.url for socket in ua.configuration.sockets)
                raise Failure(f"{servers}: not ready within {timeout:g} s", ExitCode.TIMEOUT) from None
            yield ua
        finally:
            await ua.stop()


def execute(options: OutputOptions, work: Work) -> int:
    """Run `work` for a subcommand; returns its exit code."""
    return Run(make_output(json=options.json), options).execute(work)
