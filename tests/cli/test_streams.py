"""Standard output and error that are closed, or full."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from sipua.cli.app import run
from sipua.cli.exits import ExitCode

SIPUA = f"{sys.executable} -m sipua"

pytestmark = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")


@pytest.mark.parametrize(
    ("line", "code", "complaint"),
    [
        ("config path >&-", 0, ""),
        ("--help >&-", 0, ""),
        ("register 2>&-", 2, ""),
        (
            "message bob --uri sip:a@b --server ws://h/ <&-",
            2,
            "sipua message: standard input: is empty; there is nothing to send (sipua message --help shows how)\n",
        ),
        (
            "register --uri sip:a@b --server ws://h/ --password-prompt <&-",
            2,
            "sipua register: --password-prompt: there is no terminal to ask at; "
            "use SIPUA_PASSWORD or --password-file\n",
        ),
        ("--help >/dev/full", 1, "sipua: No space left on device\n"),
        ("--version >/dev/full", 1, "sipua: No space left on device\n"),
        ("completion bash >/dev/full", 1, "sipua completion: No space left on device\n"),
        ("config path >/dev/full", 1, "sipua: standard output: No space left on device\n"),
    ],
)
def test_exit_code_and_no_stack_trace(line: str, code: int, complaint: str) -> None:
    done = subprocess.run(f"{SIPUA} {line}", shell=True, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", complaint)


@pytest.mark.parametrize(("more", "shown"), [((), False), (("-v",), True)])
def test_a_mistake_of_our_own_is_one_line(
    more: tuple[str, ...], shown: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sipua.cli.account.load_settings", lambda: 1 / 0)
    assert run(["register", *more]) == ExitCode.FAILED
    told = capsys.readouterr().err
    assert told.startswith(
        "sipua register: internal error: ZeroDivisionError: division by zero (-v shows where)\n"
    )
    assert ("Traceback" in told) is shown
