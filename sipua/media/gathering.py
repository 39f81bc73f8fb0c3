"""Gathering ICE candidates in bounded time, from all STUN and TURN servers at once.

aioice asks one server of each kind, waits 5 s for one that is dead, cannot be stopped meanwhile and never
uses loopback. Here every server is asked, and the answers that came in time are used
(:rfc:`8445#section-5.1.1`).
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aioice.ice
from aioice import Candidate
from aioice.ice import StunProtocol
from aiortc.rtcicetransport import parse_stun_turn_uri

from sipua.errors import ConfigurationError
from sipua.media.interface import IceServer

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from sipua.media.interface import MediaOptions

__all__ = ["Gathering", "Server", "host_addresses", "parse_servers"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Server:
    """One STUN or TURN server."""

    scheme: str
    address: tuple[str, int]
    transport: str = "udp"
    username: str | None = None
    credential: str | None = None


def parse_servers(servers: Sequence[IceServer | str]) -> list[Server]:
    """Read the URLs (:rfc:`7064`, :rfc:`7065`). Raises ConfigurationError for one that is wrong."""
    parsed = []
    for server in servers:
        made = IceServer(server) if isinstance(server, str) else server
        for url in [made.urls] if isinstance(made.urls, str) else made.urls:
            try:
                parts = parse_stun_turn_uri(url)
                transport = parts.get("transport", "udp")
                if parts["scheme"] == "stuns" or (parts["scheme"], transport) == ("turns", "udp"):
                    raise ValueError("cannot be used over this transport")
            except ValueError as error:
                raise ConfigurationError(
                    "ice_servers",
                    url,
                    f"{error}; give stun:host[:port] or turn[s]:host[:port][?transport=udp|tcp]",
                ) from None
            if transport not in ("udp", "tcp"):
                raise ConfigurationError("ice_servers", url, "the transport must be udp or tcp")
            address = (parts["host"], parts["port"])
            parsed.append(Server(parts["scheme"], address, transport, made.username, made.credential))
    return parsed


def host_addresses() -> list[str]:
    """The machine's addresses; loopback when there is nothing else."""
    return aioice.ice.get_host_addresses(use_ipv4=True, use_ipv6=True) or ["127.0.0.1"]


class Gathering:
    """Takes over the gathering of one aioice connection. `gathered` is called when it is done."""

    def __init__(self, connection: Any, options: MediaOptions, gathered: Callable[[], None]) -> None:
        self._connection = connection
        self._servers = parse_servers(options.ice_servers)
        self._relay_only = options.ice_transport_policy == "relay"
        self._timeout = options.ice_gathering_timeout
        self._addresses = options.ice_host_addresses
        self._gathered = gathered
        self._asking: set[asyncio.Task[Any]] = set()
        self._host_candidates = connection.get_component_candidates
        connection.gather_candidates = self._gather

    def stop(self) -> None:
        """Wait for no server any longer."""
        for task in self._asking:
            task.cancel()

    async def _gather(self) -> None:
        connection = self._connection
        if connection._local_candidates_start:
            return
        connection._local_candidates_start = True
        candidates: list[Candidate] = []
        if not self._relay_only:
            addresses = host_addresses() if self._addresses is None else list(self._addresses)
            candidates += await self._host_candidates(component=1, addresses=addresses)
        candidates += await self._ask()
        connection._local_candidates += candidates
        connection._local_candidates_end = True
        self._gathered()

    async def _ask(self) -> list[Candidate]:
        loop = asyncio.get_running_loop()
        self._asking = {loop.create_task(question) for question in self._questions()}
        if not self._asking:
            return []
        try:
            done, late = await asyncio.wait(self._asking, timeout=self._timeout)
        finally:
            self.stop()
        found = []
        for task in done:
            if task.cancelled():
                continue
            error = task.exception()
            if error is not None:
                logger.info("an ICE server did not help: %s", str(error) or type(error).__name__)
                continue
            candidate, protocol = task.result()
            found.append(candidate)
            if protocol is not None:
                self._connection._protocols.append(protocol)
        if late:
            logger.warning(
                "%d of %d ICE servers did not answer within %g s",
                len(late),
                len(done) + len(late),
                self._timeout,
            )
            await asyncio.wait(late)
        return _distinct(found)

    def _questions(self) -> list[Coroutine[Any, Any, Any]]:
        hosts = [p for p in self._connection._protocols if _version(p.local_candidate.host) == 4]
        questions: list[Coroutine[Any, Any, Any]] = []
        for server in self._servers:
            if server.scheme == "stun":
                questions += [aioice.ice.server_reflexive_candidate(p, server.address) for p in hosts]
            else:
                questions.append(
                    aioice.ice.relayed_candidate(
                        component=1,
                        hide_related_address=self._relay_only,
                        protocol_factory=lambda: StunProtocol(self._connection),
                        turn_server=server.address,
                        turn_username=server.username,
                        turn_password=server.credential,
                        turn_ssl=server.scheme == "turns",
                        turn_transport=server.transport,
                    )
                )
        return questions


def _distinct(candidates: list[Candidate]) -> list[Candidate]:
    """Without those that say the same, such as what two STUN servers saw (:rfc:`8445#section-5.1.3`)."""
    return list({(c.type, c.host, c.port, c.related_address, c.related_port): c for c in candidates}.values())


def _version(address: str) -> int:
    return ipaddress.ip_address(address).version
