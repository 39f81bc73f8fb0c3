"""How findings are told, and what candidates mean."""

from __future__ import annotations

import asyncio
import io

import pytest

from sipua.cli.doctor.findings import Examination, Finding, Wrong, ok, warning
from sipua.cli.doctor.relays import judge_candidates
from sipua.cli.exits import ExitCode
from sipua.cli.output import PlainOutput


class Stream(io.StringIO):
    encoding = "utf-8"


def examination(encoding: str = "utf-8") -> tuple[Examination, Stream]:
    stream = Stream()
    stream.encoding = encoding
    return Examination(PlainOutput(stream, stream), 5.0), stream


async def of(finding: Finding | Exception, seconds: float = 0.25) -> Finding:
    await asyncio.sleep(seconds)
    if isinstance(finding, Exception):
        raise finding
    return finding


async def test_first_fault_gives_the_exit_code() -> None:
    examined, stream = examination()
    assert await examined.check("name", "h", of(ok("is 192.0.2.1")))
    assert await examined.check("TCP", "h", of(warning("slow", "look")))
    assert not await examined.check("TLS", "h", of(Wrong("old", "renew it")))
    assert not await examined.check("register", "", of(Wrong("no", "yes", ExitCode.UNAUTHORISED)))
    examined.skip("call", "600", "needs the registration")
    assert examined.conclude() == ExitCode.FAILED
    lines = stream.getvalue().splitlines()
    assert lines[0].startswith("✓ name        h: is 192.0.2.1 (")
    assert lines[1].startswith("! TCP")
    assert lines[2].strip() == "→ look"
    assert lines[3].startswith("✗ TLS")
    assert lines[7] == "– call        600: needs the registration"
    assert lines[8] == "2 things are wrong; begin with the first one"


@pytest.mark.parametrize(
    ("finding", "said", "code"),
    [
        (ok("x"), "all is well", ExitCode.OK),
        (warning("x", "y"), "it works, with 1 thing to look at", ExitCode.OK),
    ],
)
async def test_conclusions(finding: Finding, said: str, code: ExitCode) -> None:
    examined, stream = examination("ascii")
    await examined.check("name", "", of(finding))
    assert examined.conclude() == code
    assert stream.getvalue().splitlines()[-1] == said
    assert stream.getvalue().isascii()


async def test_check_that_does_not_end_and_one_that_breaks() -> None:
    examined, stream = examination()
    assert not await examined.check("TCP", "h", of(ok("late"), 60.0))
    assert not await examined.check("TLS", "h", of(ZeroDivisionError("division by zero")))
    assert examined.conclude() == ExitCode.TIMEOUT
    assert "no end within 5 s" in stream.getvalue()
    assert "internal error: ZeroDivisionError" in stream.getvalue()


HOST, STUN, TURN = ("192.0.2.1", "host"), ("198.51.100.1", "srflx"), ("203.0.113.1", "relay")


@pytest.mark.parametrize(
    ("found", "asked", "state", "said"),
    [
        ([HOST, HOST, STUN, TURN], {"STUN", "TURN"}, "ok", "2 own, 1 by STUN, 1 by TURN"),
        ([HOST, STUN], {"STUN"}, "ok", "1 own, 1 by STUN"),
        ([HOST, STUN], {"TURN"}, "warning", "none by TURN"),
        ([HOST], {"STUN"}, "warning", "see STUN above"),
        ([HOST], set(), "warning", "only peers that reach 192.0.2.1 directly"),
        ([HOST], set(), "warning", "give --ice-server"),
    ],
)
def test_candidates(found: list[tuple[str, str]], asked: set[str], state: str, said: str) -> None:
    finding = judge_candidates(found, asked)
    assert finding.state == state
    assert said in f"{finding.detail} {finding.remedy}"


def test_no_candidates() -> None:
    with pytest.raises(Wrong):
        judge_candidates([])
