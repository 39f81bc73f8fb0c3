"""The path that a leg's packets take, and the one that is to take its place.

An ICE restart (:rfc:`8445#section-9`) is a new set of sockets, candidates and credentials below a DTLS association
that goes on (:rfc:`8842#section-3.3`): keys, SSRCs and the numbering of RTP stay. aiortc cannot do that. Here the
aioice connection below its ICE transport is exchanged: while the new one is being checked, packets go on over the old
one, and what comes is taken from both; when the new one has a pair, it takes over. One that comes to nothing leaves
the old one as it was.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, cast

from aiortc import RTCIceGatherer

from sipua.media import internals
from sipua.media.gathering import Gathering
from sipua.media.ice import SharedSockets

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiortc import RTCIceParameters, RTCRtpTransceiver

    from sipua.media.interface import MediaOptions

__all__ = ["Path", "Paths"]

logger = logging.getLogger(__name__)

# So long the sockets of the path before are still listened at: packets are under way (RFC 8445 section 8.3.1).
_LINGER = 3.0
_CLOSE_TIMEOUT = 2.0


class Path:
    """One ICE connection (aioice's, of an aiortc gatherer), with the gathering and the sockets that it may share."""

    def __init__(self, gatherer: RTCIceGatherer, gathering: Gathering, sockets: SharedSockets) -> None:
        self.gatherer = gatherer
        self.connection: Any = gatherer._connection
        self.gathering = gathering
        self.sockets = sockets

    @classmethod
    def gathered(cls, gatherer: RTCIceGatherer, options: MediaOptions) -> Path:
        """One with sockets of its own."""
        sockets = SharedSockets()
        return cls(gatherer, Gathering(gatherer._connection, options, sockets.adopt), sockets)

    @classmethod
    def lent(cls, gatherer: RTCIceGatherer, source: Path) -> Path:
        """One on the sockets of another, with its candidates."""
        source.sockets.lend(gatherer._connection, source.connection)
        return cls(gatherer, source.gathering, source.sockets)

    def expect(self, peer: str) -> None:
        """The peer is the one with this ICE user name."""
        self.sockets.expect(peer, self.connection)

    def forget(self) -> None:
        """Nothing more is looked for, and nothing that comes is for it."""
        self.gathering.stop()
        self.sockets.forget(self.connection)

    async def close(self) -> None:
        """Let go of the sockets. Takes two seconds at most."""
        # What ends here is not what DTLS reads from.
        self.connection._queue = asyncio.Queue()
        self.forget()
        closing = asyncio.ensure_future(self.connection.close())
        _, late = await asyncio.wait({closing}, timeout=_CLOSE_TIMEOUT)
        if late:
            internals.abandon(self.connection)
            closing.cancel()
            await asyncio.wait({closing}, timeout=_CLOSE_TIMEOUT)
        elif closing.exception() is not None:
            logger.debug("a path did not close cleanly", exc_info=closing.exception())


class Paths:
    """Of one transceiver's transport. `on_switch` is called when another path has taken over."""

    def __init__(
        self,
        transceiver: RTCRtpTransceiver,
        first: Path,
        limit: float,
        on_switch: Callable[[], None] = lambda: None,
    ) -> None:
        self.used = first
        """What packets go over."""
        self.is_stale = False
        """Whether descriptions tell of a path that was not found: what there is goes on until the next restart."""
        self._transport = cast("Any", transceiver.receiver.transport.transport)
        self._limit = limit
        self._on_switch = on_switch
        self._offered: Path | None = None
        self._next: Path | None = None
        self._checking: asyncio.Task[None] | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        self._closed = asyncio.Event()
        self._stop = self._transport.stop
        self._transport.stop = self._stop_all

    async def _stop_all(self) -> None:
        # aiortc may do that by itself, as when the peer has ended DTLS; it knows of one connection.
        self.leave_others()
        await self._stop()

    @property
    def described(self) -> Path:
        """The one that our descriptions tell of."""
        return self._offered or self._next or self.used

    @property
    def is_offered(self) -> bool:
        """Whether a restart waits for the peer's description."""
        return self._offered is not None

    @property
    def is_restarting(self) -> bool:
        """Whether another path is offered, or being checked."""
        return self._offered is not None or self._checking is not None

    def restart(self, options: MediaOptions) -> Path:
        """From now on descriptions tell of a path of its own, with new credentials; `agree` or `rollback` follows."""
        self.rollback()
        path = Path.gathered(RTCIceGatherer(iceServers=[]), options)
        path.connection.ice_controlling = self.used.connection.ice_controlling
        self._offered = path
        self._describe()
        return path

    def rollback(self) -> None:
        """Forget the path that was offered."""
        path, self._offered = self._offered, None
        if path is not None:
            self._describe()
            self._leave(path)

    def agree(self, remote: RTCIceParameters) -> None:
        """The peer has described itself: see whether it can be reached on the path that was offered."""
        path, self._offered = self._offered, None
        if path is None or self._closed.is_set():
            return
        self._give_up(linger=_LINGER)
        self._next, self.is_stale = path, False
        self._describe()
        path.connection._queue = self.used.connection._queue
        self._checking = asyncio.get_running_loop().create_task(
            self._check(path, remote), name="sipua ICE checks"
        )

    async def _check(self, path: Path, remote: RTCIceParameters) -> None:
        connection = path.connection
        connection.remote_is_lite = remote.iceLite
        connection.remote_username = remote.usernameFragment
        connection.remote_password = remote.password
        try:
            async with asyncio.timeout(self._limit):
                await connection.connect()
        except (ConnectionError, TimeoutError):
            logger.warning("an ICE restart has found no path")
            # A peer that keeps its credentials has not restarted (RFC 8839 section 4.4.1.1.1); another one knows ours.
            self._checking = None
            self.is_stale = remote.usernameFragment != self.used.connection.remote_username
            if not self.is_stale:
                self._give_up()
        else:
            self._take_over(path)

    def _give_up(self, linger: float = 0.0) -> None:
        """End the checks. The peer may have found the path before another one was agreed on: hence `linger`."""
        path, self._next = self._next, None
        checking, self._checking = self._checking, None
        if checking is not None:
            checking.cancel()
            self._leaving.add(checking)
            checking.add_done_callback(self._leaving.discard)
        if path is not None:
            self._describe()
            self._leave(path, linger)

    def _take_over(self, path: Path) -> None:
        before, self.used = self.used, path
        self._next = self._checking = None
        self.is_stale = False
        transport, connection = self._transport, path.connection
        transport._recv, transport._send = connection.recv, connection.send
        # aiortc's task that waits for the end of the connection.
        connection._event_waiter = before.connection._event_waiter
        before.connection._event_waiter = None
        self._leave(before, _LINGER)
        self._on_switch()

    def _describe(self) -> None:
        """Let aiortc describe, and add candidates to, the path of the negotiation."""
        path, transport = self.described, self._transport
        transport._RTCIceTransport__iceGatherer = path.gatherer
        transport._connection = path.connection

    def _leave(self, path: Path, linger: float = 0.0) -> None:
        task = asyncio.get_running_loop().create_task(self._end(path, linger), name="sipua ICE restart")
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _end(self, path: Path, linger: float) -> None:
        if linger and not self._closed.is_set():
            try:
                await asyncio.wait_for(self._closed.wait(), linger)
            except TimeoutError:
                pass
        await path.close()

    def leave_others(self) -> set[asyncio.Task[None]]:
        """Only the path in use is left, for aiortc to close. Returns what closes the others."""
        self._closed.set()
        self.rollback()
        self._give_up()
        return set(self._leaving)
