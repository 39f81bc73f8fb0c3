"""A bad network for the media of a test: packets lost, late, or held back for a moment.

`netem` makes it where the test has a network namespace of its own, as in the lab, and the kernel has that module.
Otherwise the faults are made at the sockets of this process (`FaultyLink`), in either direction; what goes over
TCP stays unharmed then.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import shutil
import subprocess
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

__all__ = ["FaultyLink", "Netem", "Network", "bad_network"]


class Network(Protocol):
    """What can be done to packets, in both directions."""

    name: str

    def impair(self, *, loss: float = 0.0, delay: float = 0.0, jitter: float = 0.0) -> None:
        """From now on lose this share (0 to 1), and let the rest take `delay` ± `jitter` seconds."""

    async def stall(self, seconds: float) -> None:
        """Let nothing through for so long; what was held back then comes at once."""

    def close(self) -> None:
        """Let packets be."""


@contextlib.asynccontextmanager
async def bad_network(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Network]:
    """The network of the calls that are made inside. It is a good one until it is impaired."""
    network: Network = Netem() if Netem.works() else FaultyLink(monkeypatch)
    print(f"network faults by {network.name}")
    try:
        yield network
    finally:
        network.close()


class Netem:
    """``tc qdisc … netem`` on loopback. Only for a network namespace in which there is nothing else."""

    name = "tc netem"
    _qdisc = ("dev", "lo", "root", "netem", "limit", "100000")

    @classmethod
    def works(cls) -> bool:
        """Whether we may, the kernel can, and this namespace is not the machine's own."""
        if shutil.which("tc") is None or not _in_own_namespace():
            return False
        if _tc("qdisc", "replace", *cls._qdisc, "delay", "0ms"):
            return False
        return not _tc("qdisc", "del", "dev", "lo", "root")

    def __init__(self) -> None:
        self._present: tuple[str, ...] = ("delay", "0ms")

    def impair(self, *, loss: float = 0.0, delay: float = 0.0, jitter: float = 0.0) -> None:
        # Each way passes loopback once.
        self._present = ("loss", f"{100 * loss:g}%", "delay", f"{1e3 * delay:g}ms", f"{1e3 * jitter:g}ms")
        self._set(*self._present)

    async def stall(self, seconds: float) -> None:
        # What is in the queue keeps the time that it was given: it comes when the stall is over, as all that
        # comes meanwhile is given what is left of it.
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while (left := end - loop.time()) > 0:
            self._set("delay", f"{1e3 * left:.0f}ms")
            await asyncio.sleep(0.01)
        self._set(*self._present)

    def close(self) -> None:
        _tc("qdisc", "del", "dev", "lo", "root")

    def _set(self, *words: str) -> None:
        assert not _tc("qdisc", "replace", *self._qdisc, *words)


def _tc(*words: str) -> int:
    return subprocess.run(["tc", *words], capture_output=True, check=False).returncode


def _in_own_namespace() -> bool:
    """Whether there are no interfaces but loopback and those of the lab (see run.sh)."""
    listed = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=False)
    names = {line.split(":")[1].strip().split("@")[0] for line in listed.stdout.splitlines()}
    return listed.returncode == 0 and names == {"lo", "lab0", "lab1"}


class FaultyLink:
    """Faults between the UDP sockets that are opened from now on and the rest of the machine."""

    name = "faults at our sockets"

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seed: int = 5) -> None:
        self._rng = random.Random(seed)
        self._loss = self._delay = self._jitter = 0.0
        self._held: list[Callable[[], None]] | None = None
        self._loop = loop = asyncio.get_running_loop()
        original = loop.create_datagram_endpoint

        async def create_datagram_endpoint(factory: Any, *args: Any, **options: Any) -> Any:
            transport, wrapper = await original(lambda: _Tampering(factory(), self), *args, **options)
            return transport, wrapper.protocol

        monkeypatch.setattr(loop, "create_datagram_endpoint", create_datagram_endpoint)

    def impair(self, *, loss: float = 0.0, delay: float = 0.0, jitter: float = 0.0) -> None:
        self._loss, self._delay, self._jitter = loss, delay, jitter

    async def stall(self, seconds: float) -> None:
        held: list[Callable[[], None]] = []
        self._held = held
        await asyncio.sleep(seconds)
        self._held = None
        for deliver in held:
            deliver()

    def close(self) -> None:
        self.impair()

    def carry(self, deliver: Callable[[], None]) -> None:
        """One packet, either way."""
        if self._loss and self._rng.random() < self._loss:
            return
        if self._held is not None:
            self._held.append(deliver)
        elif late := max(0.0, self._delay + self._rng.uniform(-self._jitter, self._jitter)):
            self._loop.call_later(late, deliver)
        else:
            deliver()


class _Tampering(asyncio.DatagramProtocol):
    """In the place of a protocol: what comes and goes passes the link."""

    def __init__(self, protocol: Any, link: FaultyLink) -> None:
        self.protocol = protocol
        self._link = link

    def connection_made(self, transport: Any) -> None:
        send = transport.sendto

        def sendto(data: bytes, address: Any = None) -> None:
            self._link.carry(lambda: None if transport.is_closing() else send(data, address))

        transport.sendto = sendto
        self.protocol.connection_made(transport)

    def datagram_received(self, data: bytes, address: Any) -> None:
        # Looked up each time: who listens may change.
        self._link.carry(lambda: self.protocol.datagram_received(data, address))

    def error_received(self, error: Exception) -> None:
        self.protocol.error_received(error)

    def connection_lost(self, error: Exception | None) -> None:
        self.protocol.connection_lost(error)
