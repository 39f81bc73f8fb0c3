"""Gathering ICE candidates in bounded time, from all STUN and TURN servers at once.

aioice asks one server of each kind, waits 5 s for one that is dead, cannot be stopped meanwhile and never
uses loopback. Here every server is asked, and the answers that came in time are used
(:rfc:`8445#section-5.1.1`). A connection that trickles does not wait for them.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from typing import TYPE_CHECKING, Any

import aioice.ice
from aioice import Candidate
from aioice.ice import StunProtocol

from sipua.errors import MediaTransportError
from sipua.media.ice_servers import Server, parse_servers
from sipua.media.reaching import IceServerError, check_family, why

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from sipua.media.interface import MediaOptions

__all__ = ["Gathering", "host_addresses"]

logger = logging.getLogger(__name__)


def host_addresses() -> list[str]:
    """The machine's addresses; loopback when there is nothing else."""
    return aioice.ice.get_host_addresses(use_ipv4=True, use_ipv6=True) or ["127.0.0.1"]


class Gathering:
    """Takes over the gathering of one aioice connection.

    `opened` is called with each socket or relay as soon as it can be used.
    """

    def __init__(
        self,
        connection: Any,
        options: MediaOptions,
        opened: Callable[[Any], None],
    ) -> None:
        self.trickles = False
        """Whether the connection begins with what is there at once, and the rest follows (:rfc:`8838`)."""
        self.is_complete = False
        self.candidates: list[str] = []
        """The ``candidate:…`` lines that are known by now, in the order in which they were found."""
        self.on_found: Callable[[str], None] | None = None
        """Gets each ``candidate:…`` line as soon as it is known."""
        self.on_complete: Callable[[], None] | None = None
        """Called once, when no more candidates come."""
        self._connection = connection
        self._servers = parse_servers(options.ice_servers)
        self._relay_only = options.ice_transport_policy == "relay"
        self._timeout = options.ice_gathering_timeout
        self._addresses = options.ice_host_addresses
        self._opened = opened
        self._asking: dict[asyncio.Task[Any], Server] = {}
        self._faults: dict[Server, IceServerError] = {}
        self._collecting: asyncio.Task[None] | None = None
        self._enough = asyncio.Event()
        self._stopped = False
        self._remote_ended = False
        self._hosts: frozenset[str] = frozenset()
        self._host_candidates = connection.get_component_candidates
        self._add_remote_candidate = connection.add_remote_candidate
        connection.gather_candidates = self._gather
        connection.add_remote_candidate = self._add_remote

    @property
    def has_moved(self) -> bool:
        """Whether the machine has lost one of the addresses that it had when they were looked for."""
        return not self._hosts <= frozenset(host_addresses()) if self._hosts else False

    def stop(self) -> None:
        """Wait for no server any longer: what there is is all."""
        self._stopped = True
        for task in self._asking:
            task.cancel()

    async def _gather(self) -> None:
        connection = self._connection
        if connection._local_candidates_start:
            return
        connection._local_candidates_start = True
        if not self._relay_only:
            addresses = host_addresses() if self._addresses is None else list(self._addresses)
            if self._addresses is None:
                self._hosts = frozenset(addresses)
            hosts = await self._host_candidates(component=1, addresses=addresses)
            for protocol in connection._protocols:
                self._opened(protocol)
            for candidate in hosts:
                self._found(candidate)
        questions = self._questions()
        if self._stopped:
            for _, question in questions:
                question.close()
            questions = []
        if questions:
            loop = asyncio.get_running_loop()
            self._asking = {loop.create_task(question): server for server, question in questions}
            self._collecting = loop.create_task(self._collect(), name="sipua ICE gathering")
            await self._enough.wait()
        else:
            self._warn()
            await self._complete()
        connection._local_candidates_end = True
        if self._relay_only and not self.candidates:
            raise MediaTransportError(self._no_relay())

    async def _collect(self) -> None:
        """Take each answer as it comes, until all are there or the time is over."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timeout
        waiting = set(self._asking)
        self._settle()
        while waiting:
            done, waiting = await asyncio.wait(
                waiting,
                timeout=max(0.0, deadline - loop.time()),
                return_when=asyncio.FIRST_COMPLETED,
            )
            if not done:
                break
            for task in done:
                self._take(task)
            self._settle()
        if waiting:
            for task in waiting:
                self._faults[self._asking[task]] = why(self._asking[task], TimeoutError(), self._timeout)
                task.cancel()
            await asyncio.wait(waiting)
        self._warn()
        await self._complete()

    def _warn(self) -> None:
        # A server that is asked from several addresses need not be reached from all of them.
        helped = {
            server for task, server in self._asking.items() if not task.cancelled() and not task.exception()
        }
        for server, fault in self._faults.items():
            if server not in helped:
                logger.warning("the ICE server %s is of no use: %s", server.url, fault)

    def _no_relay(self) -> str:
        faults = "; ".join(f"{server.url}: {fault}" for server, fault in self._faults.items())
        return f"no TURN server gave an address, and others are not to be used: {faults or 'they were not waited for'}"

    def _take(self, task: asyncio.Task[Any]) -> None:
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            server = self._asking[task]
            self._faults[server] = why(server, error, self._timeout)
            return
        candidate, protocol = task.result()
        connection = self._connection
        if protocol is not None:
            connection._protocols.append(protocol)
            self._opened(protocol)
            # Those of the peer that have come already; aioice pairs the others when they come.
            for remote in connection._remote_candidates:
                connection._pair_remote_candidate(remote)
            connection.sort_check_list()
        self._found(candidate)

    def _found(self, candidate: Candidate) -> None:
        """Use it, unless it says what another says, such as what two STUN servers saw."""
        known = self._connection._local_candidates
        if any(_meaning(candidate) == _meaning(other) for other in known):  # RFC 8445 section 5.1.3
            return
        known.append(candidate)
        line = f"candidate:{candidate.to_sdp()}"
        self.candidates.append(line)
        if self.on_found is not None:
            self.on_found(line)

    def _settle(self) -> None:
        if self.trickles and self._connection._local_candidates:
            self._enough.set()

    async def _complete(self) -> None:
        self.is_complete = True
        self._enough.set()
        if self.on_complete is not None:
            self.on_complete()
        if self._remote_ended:
            await self._add_remote_candidate(None)

    async def _add_remote(self, candidate: Candidate | None) -> None:
        # With all of the peer's candidates known, aioice gives up when the pairs that it has have failed: too early
        # while a relay of ours is still to come.
        if candidate is None and not self.is_complete:
            self._remote_ended = True
        else:
            await self._add_remote_candidate(candidate)

    def _questions(self) -> list[tuple[Server, Coroutine[Any, Any, Any]]]:
        hosts = [p for p in self._connection._protocols if _version(p.local_candidate.host) == 4]
        questions: list[tuple[Server, Coroutine[Any, Any, Any]]] = []
        for server in self._servers:
            try:
                check_family(server)
            except IceServerError as error:
                self._faults[server] = error
                continue
            if server.scheme == "stun":
                ask = aioice.ice.server_reflexive_candidate
                questions += [(server, ask(protocol, server.address)) for protocol in hosts]
            else:
                questions.append((server, self._allocate(server)))
        return questions

    def _allocate(self, server: Server) -> Coroutine[Any, Any, Any]:
        # aioice hands what is for TLS on to asyncio, which takes a context, too.
        tls: Any = server.tls()
        return aioice.ice.relayed_candidate(
            component=1,
            hide_related_address=self._relay_only,
            protocol_factory=lambda: StunProtocol(self._connection),
            turn_server=server.address,
            turn_username=server.username,
            turn_password=server.credential,
            turn_ssl=tls,
            turn_transport=server.transport,
        )


def _meaning(candidate: Candidate) -> tuple[Any, ...]:
    c = candidate
    return (c.type, c.host, c.port, c.related_address, c.related_port)


def _version(address: str) -> int:
    return ipaddress.ip_address(address).version
