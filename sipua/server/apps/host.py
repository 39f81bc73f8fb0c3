"""Runs the call apps, on a user agent of their own."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from sipua import UA, CallFailed, RTCSession

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from sipua.events import NewRTCSession
    from sipua.media.interface import MediaFactory
    from sipua.server.apps import App
    from sipua.transport import Connector

logger = logging.getLogger("sipua.server")

#: Seconds that an app may leave a call unanswered: what "for ever" means.
PATIENCE = 86400.0


class AppHost:
    """One user agent, registered as `address`, that has every number of `apps`: the To of a call tells which."""

    def __init__(
        self,
        apps: Mapping[str, App],
        address: str,
        media: MediaFactory | None,
        media_options: Mapping[str, Any],
    ) -> None:
        self._apps = {number: app.started() for number, app in apps.items()}
        self._address = address
        self._media = media
        self._media_options = media_options
        self._agent: UA | None = None

    async def start(self, connector: Connector) -> None:
        """Connect and register."""
        agent = self._agent = UA(
            self._address,
            sockets=connector,
            no_answer_timeout=PATIENCE,
            keep_alive_interval=None,
            media=self._media,
            media_options=self._media_options,
        )
        agent.on("new_rtc_session", self._on_call)
        agent.start()
        await agent.ready()

    async def stop(self) -> None:
        """End all calls and disconnect."""
        if self._agent is not None:
            agent, self._agent = self._agent, None
            await agent.stop()

    def _on_call(self, event: NewRTCSession) -> Coroutine[None, None, None] | None:
        call: RTCSession = event.session
        number = call.local_identity.uri.user or ""
        run = self._apps.get(number)
        if run is None:
            call.terminate(status_code=404)
            return None
        try:
            work = run(call)
        except Exception:
            logger.exception("%s: the call app failed", number)
            call.terminate(status_code=500)
            return None
        return None if work is None else _work(number, call, work)


async def _work(number: str, call: RTCSession, work: Coroutine[None, None, None]) -> None:
    """Run an app until it returns, then hang up; or until the caller does."""
    task = asyncio.current_task()
    assert task is not None
    for event in ("ended", "failed"):
        call.on(event, lambda _: task.cancel())
    try:
        await work
    except CallFailed:
        pass  # the caller has given up meanwhile
    except Exception:
        logger.exception("%s: the call app failed", number)
        if not call.is_ended():
            call.terminate(status_code=500)
    if not call.is_ended():
        call.terminate()
