from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import pty
import re
import sys
from typing import TYPE_CHECKING, TextIO

import pytest

from sipua.cli.output import SCHEMA, JsonOutput, LogHandler, PlainOutput, TerminalOutput, make_output

if TYPE_CHECKING:
    from collections.abc import Iterator


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_json_is_one_object_a_line() -> None:
    stream, errors = io.StringIO(), io.StringIO()
    output = JsonOutput(stream, errors)
    output.event("connected", "connected to x", url="ws://x/")
    output.text("for people")
    output.live(["for people"])
    output.error("sipua call: it failed", 3)
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert first.pop("time").endswith("+00:00")
    assert first == {"schema": SCHEMA, "event": "connected", "url": "ws://x/"}
    assert second["event"] == "error"
    assert second["exit_code"] == 3
    assert second["message"] == "sipua call: it failed"
    assert errors.getvalue() == "sipua call: it failed\n"


def test_plain_has_the_texts_and_nothing_that_moves() -> None:
    stream, errors = io.StringIO(), io.StringIO()
    output = PlainOutput(stream, errors)
    output.event("connecting", url="x")
    output.event("connected", "connected to x", url="x")
    output.live(["00:01"])
    output.error("it failed", 1)
    output.close()
    assert stream.getvalue() == "connected to x\n"
    assert errors.getvalue() == "it failed\n"


def test_terminal_has_colours_and_a_live_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    stream = Terminal()
    output = TerminalOutput(stream, Terminal())
    output.live(["600  00:01"])
    output.event("confirmed", "answered")
    output.live(["600  00:02"])
    output.close()
    text = stream.getvalue()
    assert "\x1b[32m" in text
    assert "600  00:01" in text
    assert "600  00:02" in text
    assert text.count("\x1b[?25h") >= 1, "the cursor is shown again"
    assert text.count("answered") == 1


def test_terminal_without_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    stream = Terminal()
    output = TerminalOutput(stream, Terminal())
    output.event("confirmed", "answered")
    output.live(["600  00:01"])
    output.close()
    assert not re.search(r"\x1b\[[0-9;]*(3[0-9]|9[0-9])[0-9;]*m", stream.getvalue())


@pytest.mark.parametrize("kind", [PlainOutput, TerminalOutput])
def test_terminal_is_not_steered_by_what_others_write(kind: type[PlainOutput | TerminalOutput]) -> None:
    out, err = io.StringIO(), io.StringIO()
    output = kind(out, err)
    output.event("message", "one\r\ntwo\x1b]0;title\x07\x9b31m\tthree")
    output.log("four\x1b[2J")
    shown = out.getvalue().expandtabs(8)
    assert shown == "one\ntwo\ufffd]0;title\ufffd\ufffd31m\tthree\n".expandtabs(8)
    assert err.getvalue() == "four\ufffd[2J\n"


def test_live_line_is_cut_to_the_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm-256color")
    stream = Terminal()
    output = TerminalOutput(stream, Terminal())
    output.live(["x" * 100])
    output.close()
    assert "x" * 41 not in stream.getvalue()
    assert "…" in stream.getvalue()


def test_errors_come_after_the_live_line() -> None:
    stream, errors = Terminal(), Terminal()
    output = TerminalOutput(stream, errors)
    output.live(["00:01"])
    output.error("it failed", 1)
    assert errors.getvalue() == "it failed\n"


def test_log_does_not_tear_the_live_line() -> None:
    stream, errors = Terminal(), Terminal()
    output = TerminalOutput(stream, errors)
    output.log("before")
    output.live(["00:01"])
    output.log("meanwhile")
    output.close()
    assert errors.getvalue() == "before\n"
    assert "meanwhile" in stream.getvalue()


def test_choice_of_output(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(make_output(json=True, stream=Terminal()), JsonOutput)
    assert isinstance(make_output(json=False, stream=Terminal()), TerminalOutput)
    assert isinstance(make_output(json=False, stream=io.StringIO()), PlainOutput)
    monkeypatch.setitem(sys.modules, "rich.console", None)
    assert isinstance(make_output(json=False, stream=Terminal()), PlainOutput)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(make_output(json=False, stream=Terminal()), PlainOutput)


def test_reader_that_went_away_is_noticed_once() -> None:
    read, write = os.pipe()
    os.close(read)
    told = []
    with os.fdopen(write, "w") as stream:
        output = PlainOutput(stream, io.StringIO())
        output.on_broken = lambda: told.append(True)
        output.event("connected", "one")
        output.event("connected", "two")
    assert told == [True]
    assert output.broken


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    logger = logging.getLogger("sipua.test")
    logger.propagate = False
    yield logger
    logger.propagate = True
    logger.handlers.clear()


@pytest.mark.parametrize(("verbose", "lines"), [(0, 1), (1, 2), (2, 3)])
def test_log_by_verbosity(logger: logging.Logger, verbose: int, lines: int) -> None:
    errors = io.StringIO()
    handler = LogHandler(PlainOutput(io.StringIO(), errors), verbose)
    logger.addHandler(handler)
    logger.setLevel(handler.level)
    logger.debug("detail")
    logger.info("news")
    logger.warning("trouble")
    assert len(errors.getvalue().splitlines()) == lines
    assert errors.getvalue().splitlines()[-1] == "warning: sipua.test: trouble"


def test_log_has_stack_traces_when_verbose_only(logger: logging.Logger) -> None:
    for verbose, expected in ((0, False), (1, True)):
        errors = io.StringIO()
        logger.handlers = [LogHandler(PlainOutput(io.StringIO(), errors), verbose)]
        try:
            raise ValueError("broken")
        except ValueError:
            logger.exception("handler raised")
        assert ("Traceback" in errors.getvalue()) is expected
        assert "broken" in errors.getvalue()


def test_what_the_command_tells_itself_is_not_logged_again() -> None:
    record = logging.LogRecord("sipua.registration", logging.WARNING, "", 0, "refused", (), None)
    output = PlainOutput(io.StringIO(), io.StringIO())
    assert not LogHandler(output, 0).filter(record)
    assert LogHandler(output, 1).filter(record)
    record.levelno = logging.ERROR
    assert LogHandler(output, 0).filter(record)


@pytest.mark.parametrize("verbose", [0, 2])
def test_an_ice_server_of_no_use_is_told_once_and_not_in_the_log(verbose: int) -> None:
    out, err = io.StringIO(), io.StringIO()
    record = logging.LogRecord("sipua.media.gathering", logging.WARNING, "", 0, "turn:x is dead", (), None)
    handler = LogHandler(JsonOutput(out, err), verbose)
    for _ in range(2):
        assert handler.handle(record)
    told = json.loads(out.getvalue())
    assert (told["event"], told["message"]) == ("warning", "turn:x is dead; sipua doctor examines it")
    assert err.getvalue() == ""
    # A command that has words of its own for it.
    silent = LogHandler(JsonOutput(out, err), verbose, told=("sipua.media.gathering",))
    assert bool(silent.filter(record)) is bool(verbose)


def test_on_a_real_terminal() -> None:
    ours, theirs = pty.openpty()
    stream: TextIO = os.fdopen(theirs, "w")
    output = make_output(json=False, stream=stream)
    output.event("connected", "connected to x")
    output.live(["00:01"])
    output.close()
    stream.close()
    parts = []
    with contextlib.suppress(OSError):  # EIO: all has been read
        while part := os.read(ours, 65536):
            parts.append(part)
    text = b"".join(parts).decode()
    os.close(ours)
    assert "connected to x" in text
    assert "00:01" in text
