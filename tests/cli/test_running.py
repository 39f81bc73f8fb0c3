from __future__ import annotations

import asyncio
import io
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest

from sipua.cli.account import AccountOptions
from sipua.cli.exits import ExitCode, Failure
from sipua.cli.options import OutputOptions
from sipua.cli.output import JsonOutput, PlainOutput
from sipua.cli.running import LONGEST_LADDER, Run
from sipua.errors import MediaFileError

if TYPE_CHECKING:
    from sipua.cli.running import Work

ACCOUNT = AccountOptions(
    uri="sip:a@b", password=None, auth_user=None, server=("ws://127.0.0.1:1/",), ca_file=None, insecure=False
)


def execute(
    work: Work, *, verbose: int = 0, trace: Path | None = None, json_: bool = False
) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    output = (JsonOutput if json_ else PlainOutput)(out, err)
    with click.Context(click.Command("try"), info_name="sipua try"):
        code = Run(output, OutputOptions(json=json_, verbose=verbose, trace=trace)).execute(
            work, ExitCode.INTERRUPTED
        )
    return code, out.getvalue(), err.getvalue()


def test_result_of_the_work_is_the_exit_code() -> None:
    async def work(run: Run) -> int:
        return ExitCode.BUSY

    code, out, err = execute(work, json_=True)
    assert code == ExitCode.BUSY
    assert json.loads(out)["event"] == "done"
    assert json.loads(out)["exit_code"] == 6
    assert err == ""


def test_errors_are_one_line_with_the_name_of_the_command() -> None:
    async def work(run: Run) -> int:
        raise Failure("no luck", ExitCode.TIMEOUT)

    assert execute(work) == (ExitCode.TIMEOUT, "", "sipua try: no luck\n")


@pytest.mark.parametrize("verbose", [0, 1])
def test_mistakes_of_our_own_are_one_line_too(verbose: int) -> None:
    async def work(run: Run) -> int:
        raise KeyError("x")

    code, _, err = execute(work, verbose=verbose)
    assert code == ExitCode.FAILED
    assert err.startswith("sipua try: internal error: KeyError: 'x' (-v shows where)\n")
    assert ("Traceback" in err) is bool(verbose)


def test_output_that_cannot_be_written_ends_the_command() -> None:
    ended = []

    async def work(run: Run) -> int:
        run.output.event("connected", "connected")
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(True)
        return ExitCode.OK

    err = io.StringIO()
    with open("/dev/full", "w") as full, click.Context(click.Command("try"), info_name="sipua try"):
        run = Run(PlainOutput(full, err), OutputOptions(json=False, verbose=0))
        assert run.execute(work, ExitCode.INTERRUPTED) == ExitCode.FAILED
    assert ended == [True]
    assert err.getvalue() == "sipua: standard output: No space left on device\n"


def test_log_is_put_back_as_it_was() -> None:
    logger = logging.getLogger("sipua")
    before = logger.level, logger.propagate, list(logger.handlers)

    async def work(run: Run) -> int:
        logging.getLogger("sipua.test").info("news")
        return ExitCode.OK

    assert execute(work, verbose=1)[2] == "info: sipua.test: news\n"
    assert (logger.level, logger.propagate, logger.handlers) == before


def test_trace_that_cannot_be_written_is_told_and_a_failure_and_the_command_goes_on() -> None:
    async def work(run: Run) -> int:
        assert run.trace is not None
        run.trace.add("out", "OPTIONS sip:x SIP/2.0\r\n\r\n")
        return ExitCode.OK

    code, out, _ = execute(work, trace=Path("/dev/full"))
    assert code == ExitCode.FAILED
    assert "--trace /dev/full: No space left on device; the trace ends here" in out


def test_ladder_is_shown_after_a_failure(tmp_path: Path) -> None:
    async def work(run: Run) -> int:
        assert run.trace is not None
        run.trace.add("out", "not SIP at all")
        raise Failure("no luck")

    code, out, err = execute(work, trace=tmp_path / "trace")
    assert code == ExitCode.FAILED
    assert "illegible: not SIP at all" in out
    assert err == "sipua try: no luck\n"


@pytest.mark.parametrize(("connected", "what"), [(False, "no connection"), (True, "no answer to REGISTER")])
def test_user_agent_that_does_not_get_ready_in_time(connected: bool, what: str) -> None:
    stopped = []

    class Stuck:
        def start(self) -> None:
            pass

        async def ready(self) -> None:
            await asyncio.sleep(60)

        def is_connected(self) -> bool:
            return connected

        async def stop(self, timeout: float) -> None:
            stopped.append(True)

        def on(self, event: str, handler: Any) -> None:
            pass

    async def work(run: Run) -> int:
        ua: Any = Stuck()
        ua.configuration = run.new_user_agent(ACCOUNT, timeout=1, register=True).configuration
        async with run.started(ua, 0.01):
            raise AssertionError("cannot be")
        return ExitCode.OK

    code, _, err = execute(work)
    assert code == ExitCode.TIMEOUT
    line = f"ws://127.0.0.1:1/: {what} within 0.01 s; sipua doctor examines the way there"
    assert err == f"sipua try: {line}\n"
    assert stopped == [True]


def test_a_recording_that_cannot_be_finished_at_a_sudden_end_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    finished = []

    def broken() -> None:
        raise MediaFileError("x.wav", "no space left on device")

    def leave(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr("os._exit", leave)

    async def work(run: Run) -> int:
        run.at_abort += [broken, lambda: finished.append(True)]
        run._abort()

    err = io.StringIO()
    run = Run(PlainOutput(io.StringIO(), err), OutputOptions(json=False, verbose=0, trace=None))
    with click.Context(click.Command("try"), info_name="sipua try"), pytest.raises(SystemExit) as exit_:
        run.execute(work, ExitCode.INTERRUPTED)
    assert exit_.value.code == ExitCode.INTERRUPTED
    assert err.getvalue() == "x.wav: no space left on device\n"
    assert finished == [True]


def test_ladder_of_a_long_trace_is_left_to_the_command_for_it(tmp_path: Path) -> None:
    async def work(run: Run) -> int:
        assert run.trace is not None
        for number in range(LONGEST_LADDER + 1):
            run.trace.add("in", f"OPTIONS sip:{number} SIP/2.0\r\n\r\n")
        return ExitCode.OK

    path = tmp_path / "x.trace"
    code, out, _ = execute(work, trace=path)
    assert code == ExitCode.OK
    assert out == f"201 SIP messages or more: sipua trace {path} shows them\n"
