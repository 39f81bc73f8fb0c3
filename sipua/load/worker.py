"""The program of one of several processes: a plan comes by standard input, figures go by standard output.

Both are JSON lines. In: the plan, then ``{"do": "drain"}``; the end of the input means the same. Out: ``ready``,
``figures`` twice a second, ``result`` at the end; ``error`` when it cannot begin; ``warning``, each once.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from sipua.load.generator import Generator
from sipua.load.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["main"]

#: Seconds between two figures.
INTERVAL = 0.5


def tell(event: str, /, **fields: Any) -> None:
    """One line out. When nobody reads any more, the process is of no use."""
    try:
        sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
        sys.stdout.flush()
    except OSError:
        os._exit(1)


def read_lines(on_line: Callable[[str], None], on_end: Callable[[], None]) -> None:
    """Call `on_line` in the event loop with each line of standard input, by a thread."""
    loop = asyncio.get_running_loop()

    def read() -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nothing more to be done
            for line in sys.stdin:
                loop.call_soon_threadsafe(on_line, line)
            loop.call_soon_threadsafe(on_end)

    threading.Thread(target=read, daemon=True, name="sipua load input").start()


async def _work(plan: Plan) -> None:
    generator = Generator(plan)
    began: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def told(line: str) -> None:
        order = json.loads(line)
        if order["do"] == "begin" and not began.done():
            began.set_result(order["at"])
        elif order["do"] == "drain":
            ended()

    def ended() -> None:
        generator.drain()
        if not began.done():
            began.set_result(0.0)

    read_lines(told, ended)
    try:
        await generator.start()
        tell("ready")
        # All processes begin at one time, and stand at their places of the plan from then on.
        await asyncio.sleep(max(0.0, await began - time.time()))
        run = asyncio.ensure_future(generator.run())
        while not run.done():
            await asyncio.wait({run}, timeout=INTERVAL)
            tell("figures", figures=generator.figures.as_dict(seconds=False))
        tell("result", figures=run.result().as_dict())
    finally:
        await generator.close()


class _Warnings(logging.Handler):
    """Tells each warning once, however many calls have found it out."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._told: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if message not in self._told:
            self._told.add(message)
            tell("warning", message=message)


def main() -> int:
    """Run the plan of the first line."""
    # Who has started us tells what matters, once for all processes.
    logging.getLogger("sipua").setLevel(logging.ERROR)
    # But what is wrong with STUN and TURN servers, nobody sees but those who make the calls.
    gathering = logging.getLogger("sipua.media.gathering")
    gathering.setLevel(logging.WARNING)
    gathering.addHandler(_Warnings())
    gathering.propagate = False
    plan = Plan.of_dict(json.loads(sys.stdin.readline()))
    try:
        asyncio.run(_work(plan))
    except Exception as error:  # noqa: BLE001 - told to who has started us
        kind = getattr(error, "kind", type(error).__name__)
        tell("error", message=str(error) or kind, kind=kind)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
