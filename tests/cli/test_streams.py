"""Standard output and error that are closed, or full."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SIPUA = f"{sys.executable} -m sipua"

pytestmark = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")


@pytest.mark.parametrize(
    ("line", "code", "complaint"),
    [
        ("config path >&-", 0, ""),
        ("--help >&-", 0, ""),
        ("register 2>&-", 2, ""),
        ("--help >/dev/full", 1, "sipua: No space left on device\n"),
        ("--version >/dev/full", 1, "sipua: No space left on device\n"),
        ("completion bash >/dev/full", 1, "sipua completion: No space left on device\n"),
        ("config path >/dev/full", 1, "sipua: standard output: No space left on device\n"),
    ],
)
def test_exit_code_and_no_stack_trace(line: str, code: int, complaint: str) -> None:
    done = subprocess.run(f"{SIPUA} {line}", shell=True, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", complaint)
