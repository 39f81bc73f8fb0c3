"""Keep-alive: notices a dead connection, and keeps middle boxes from forgetting a live one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sipua.errors import ConnectionLost, NotConnected
from sipua.transport.interface import PING

if TYPE_CHECKING:
    import random

    from sipua.transport.interface import Connection


class KeepAlive:
    """Sends CRLFCRLF and a WebSocket ping at intervals, and drops the connection when nothing comes back.

    The interval is drawn anew each time between 80 % and 100 % of `interval` (:rfc:`5626#section-4.4.1`);
    None leaves only `ask`. Not every server answers CRLFCRLF, since :rfc:`7118#section-6` leaves it open;
    so anything at all that arrives within `pong_timeout` counts as an answer: CRLF, a WebSocket pong, a
    message. Times are in seconds.
    """

    def __init__(
        self, connection: Connection, interval: float | None, pong_timeout: float, rand: random.Random
    ) -> None:
        self._connection = connection
        self._interval = interval
        self._pong_timeout = pong_timeout
        self._rand = rand
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._asked_at: float | None = None
        self._wait_for_turn(self._loop.time())

    def stop(self) -> None:
        """Send and expect nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def ask(self) -> None:
        """Ask for a sign of life now; without one within the pong time-out the connection is dropped."""
        if self._asked_at is not None:  # asked already: the first question counts
            return
        self.stop()
        try:
            self._connection.send(PING)
        except NotConnected:  # it is closing, with a time-out of its own
            return
        self._connection.ping()
        self._asked_at = self._loop.time()
        self._timer = self._loop.call_later(self._pong_timeout, self._check, self._asked_at)

    def _check(self, asked_at: float) -> None:
        self._timer = self._asked_at = None
        connection = self._connection
        if connection.last_received >= asked_at:
            self._wait_for_turn(asked_at)
        else:
            why = f"no answer to a keep-alive within {self._pong_timeout:g} s, the connection is dead"
            connection.abort(ConnectionLost(connection.url, why))

    def _wait_for_turn(self, since: float) -> None:
        if self._interval:
            due = since + self._interval * self._rand.uniform(0.8, 1.0)
            self._timer = self._loop.call_at(due, self.ask)
