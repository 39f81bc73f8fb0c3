"""A program that makes calls for another one, which cannot have an event loop of asyncio: Locust, with its gevent.

JSON lines. In, each with an ``id``: ``{"do": "agent", "uri", "options", "register", "media"}`` starts a user agent,
``{"do": "call", "agent", "target", …}`` makes a call with it, ``{"do": "stop", "agent"}`` ends it. Out: one line for
each, with its ``id``, when it is done; ``error`` says why it was not. The ``id`` 0 says that it can begin. The end of
the input ends everything.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sipua.load.caller import MeasuredCall
from sipua.load.worker import read_lines
from sipua.script import parse_script

if TYPE_CHECKING:
    from sipua.script import Script
    from sipua.ua import UA

__all__ = ["Bridge", "main"]

#: Seconds for the last words of a user agent, and for being ready.
STOP_TIMEOUT, READY_TIMEOUT = 3.0, 30.0


class Bridge:
    """The user agents, and the calls that go on."""

    def __init__(self) -> None:
        self._agents: dict[int, tuple[UA, bool]] = {}
        self._scripts: dict[tuple[str, str, str], Script] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._number = 0

    def take(self, line: str) -> None:
        """One order."""
        task = asyncio.ensure_future(self._carry_out(json.loads(line)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry_out(self, order: dict[str, Any]) -> None:
        try:
            result = await {"agent": self._agent, "call": self._call, "stop": self._stop}[order["do"]](order)
        except Exception as error:  # noqa: BLE001 - told to who has asked
            result = {"error": str(error) or type(error).__name__}
        _tell(order["id"], **result)

    async def _agent(self, order: dict[str, Any]) -> dict[str, Any]:
        from sipua.media import SignallingOnlyMedia
        from sipua.ua import UA

        options = {**order["options"], "register": order["register"]}
        if not order["media"]:
            options["media"] = SignallingOnlyMedia
        ua = UA(order["uri"], **options)
        try:
            async with asyncio.timeout(READY_TIMEOUT):
                ua.start()
                await ua.ready()
        except BaseException:
            await ua.stop(STOP_TIMEOUT)
            raise
        self._agents[order["id"]] = ua, order["media"]
        return {}

    async def _stop(self, order: dict[str, Any]) -> dict[str, Any]:
        ua, _ = self._agents.pop(order["agent"])
        await ua.stop(STOP_TIMEOUT)
        return {}

    async def _call(self, order: dict[str, Any]) -> dict[str, Any]:
        ua, media = self._agents[order["agent"]]
        self._number += 1
        options = {key: tuple(v) if isinstance(v, list) else v for key, v in order["media_options"].items()}
        script = self._script(order, audio=media)
        if media and script is None:
            from sipua.media.sources import Tone

            options["audio"] = Tone()
        call = MeasuredCall(
            ua,
            order["target"],
            script=script,
            talk=order["talk"],
            timeout=order["timeout"],
            number=self._number,
            media_options=options,
        )
        await call.run()
        stats = call.stats if media else None
        return {
            "cause": call.cause,
            "setup": call.setup,
            "ringing": call.ringing,
            "lasted": call.lasted,
            "mos": stats.mos if stats is not None else None,
            "packets_received": stats.packets_received if stats is not None else None,
            "packets_lost": stats.packets_lost if stats is not None else None,
        }

    def _script(self, order: dict[str, Any], *, audio: bool) -> Script | None:
        if order["script"] is None:
            return None
        key = order["script"], order["script_source"], order["script_folder"]
        script = self._scripts.get(key)
        if script is None:
            script = parse_script(key[0], key[1], Path(key[2]))
            script.check("outgoing", audio=audio)
            self._scripts[key] = script
        return script

    async def close(self) -> None:
        """Hang up, unregister, disconnect."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(
            *(ua.stop(STOP_TIMEOUT) for ua, _ in self._agents.values()), return_exceptions=True
        )


def _tell(number: int, /, **result: Any) -> None:
    sys.stdout.write(json.dumps({"id": number, **result}) + "\n")
    sys.stdout.flush()


async def _serve() -> None:
    import sipua.media
    import sipua.ua  # noqa: F401 - takes its time, and must be there before anything is measured

    bridge, over = Bridge(), asyncio.Event()
    _tell(0)
    read_lines(bridge.take, over.set)
    await over.wait()
    await bridge.close()


def main() -> int:
    """Until the input ends."""
    logging.getLogger("sipua").setLevel(logging.ERROR)
    asyncio.run(_serve())
    return 0


if __name__ == "__main__":
    sys.exit(main())
