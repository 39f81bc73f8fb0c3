"""OPTIONS to our server, which tell that SIP behind the connection still works (:rfc:`3261#section-11`)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sipua.events import Cause
from sipua.session.host import NoResponse

if TYPE_CHECKING:
    import asyncio

    from sipua.sip import Response
    from sipua.ua.ua import UA

logger = logging.getLogger("sipua.ua")


class Pinging:
    """Asks the registrar's address every `interval` seconds while there is a connection.

    Any answer will do. None in 32 seconds, and the next server gets its chance: keep-alives of the connection find only
    what breaks the connection itself.
    """

    def __init__(self, ua: UA, interval: float | None) -> None:
        self._ua = ua
        self._interval = interval
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """There is a connection (again)."""
        self.stop()
        if self._interval is not None:
            # Not all user agents of a server that was restarted at once.
            seconds = self._interval * self._ua.rand.uniform(0.8, 1.0)
            self._timer = self._ua.loop.call_later(seconds, self._ask)

    def stop(self) -> None:
        """The connection is gone."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ask(self) -> None:
        ua = self._ua
        self._timer = None
        url, transport = ua.endpoint.transport.url, ua.endpoint.transport
        connection = transport.connection

        def received(result: Response | NoResponse) -> None:
            if transport.connection is not connection or (
                not isinstance(result, NoResponse) and result.code < 200
            ):
                return
            if isinstance(result, NoResponse) and result.cause is Cause.REQUEST_TIMEOUT:
                logger.warning("%s: no answer to OPTIONS", url)
                transport.give_up("no answer to OPTIONS")
            else:
                self.start()

        request = ua._request("OPTIONS", ua.configuration.registrar, (("Contact", ua.contact()),), b"")
        ua.endpoint.send_request(request, received)
