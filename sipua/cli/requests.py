"""One request outside of calls: sent, timed, told."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sipua.cli.exits import ExitCode, Failure, exit_code, one_line
from sipua.errors import RequestFailed

if TYPE_CHECKING:
    from sipua.cli.running import Run
    from sipua.sip import Response
    from sipua.ua.outofdialog import Outgoing


@dataclass(frozen=True)
class Answer:
    """What became of a request: its final `response` (None: there was none) after so many `seconds`, of `timeout`."""

    target: str
    timeout: float
    seconds: float
    response: Response | None
    error: RequestFailed | None = None

    @property
    def failure(self) -> Failure | None:
        """What the command says of it at its end; None when it was taken."""
        if self.response is not None and self.response.code < 300:
            return None
        if self.error is None:
            return Failure(f"{self.target}: no answer within {self.timeout:g} s", ExitCode.TIMEOUT)
        return Failure(f"{self.target}: {one_line(self.error)}", exit_code(self.error))


async def send(
    run: Run, request: Outgoing, timeout: float, *, sequence: int = 1, tell: bool = True
) -> Answer:
    """Wait for the final response, and tell it.

    :param timeout: seconds after which it is taken for lost.
    :param sequence: which of the requests of this run it is, from 1.
    :param tell: whether people get a line, too.
    """
    method, target = request.request.method, str(request.request.uri)
    now = asyncio.get_running_loop().time
    began = now()
    error: RequestFailed | None = None
    response: Response | None = None
    try:
        async with asyncio.timeout(timeout):
            response = await request
    except RequestFailed as failure:
        error, response = failure, failure.response
    except TimeoutError:
        pass  # told below
    answer = Answer(target, timeout, now() - began, response, error)
    status = response.code if response is not None else None
    reason = response.phrase if response is not None else None
    milliseconds = f"{1000 * answer.seconds:.1f} ms"
    text = f"{target}: {status} {reason}, {milliseconds}" if response is not None else f"{target}: no answer"
    run.output.event(
        "response",
        text if tell else None,
        method=method,
        target=target,
        status=status,
        reason=reason,
        seconds=round(answer.seconds, 6),
        sequence=sequence,
        user_agent=_header(response, "User-Agent") or _header(response, "Server"),
        allow=[name.strip() for name in (_header(response, "Allow") or "").split(",") if name.strip()],
    )
    return answer


def _header(response: Response | None, name: str) -> str | None:
    if response is None or name not in response.headers:
        return None
    return str(response.headers[name])
