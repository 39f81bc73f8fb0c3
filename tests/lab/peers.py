"""The servers of the lab as the tests see them: addresses, accounts, console, log.

The environment can name other addresses than the lab's own:

====================================  ==========================================
``SIPUA_ASTERISK_WS``, ``…_WSS``      WebSocket addresses of Asterisk
``SIPUA_KAMAILIO_WS``, ``…_WSS``      WebSocket addresses of Kamailio
``SIPUA_COTURN``                      host of coturn, with its certificate's name
``SIPUA_LAB_CA``                      PEM file that the certificates verify with
``SIPUA_LAB_DOMAIN``                  domain of the accounts
``SIPUA_LAB_PASSWORD_ALICE``, …       password of an account (its name and "pw")
====================================  ==========================================
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import os
import re
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.lab import labs, render

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

USERS = ("alice", "bob", "carol", "dave", "erin", "frank")


@dataclass(frozen=True)
class Account:
    """Who can register; the password is the same at every server."""

    user: str
    password: str
    domain: str

    @property
    def uri(self) -> str:
        return f"sip:{self.user}@{self.domain}"


class LabServer:
    """One server. Make one per test: its log begins where the object was made."""

    name: str

    def __init__(self) -> None:
        self._lab = labs.current()
        self.ca_file = Path(os.environ.get("SIPUA_LAB_CA", self._lab.ca_file))
        self._log_file = self._lab.log(self.name)
        self._log_begin = self._log_file.stat().st_size if self._log_file.exists() else 0

    @property
    def place(self) -> tuple[str, int]:
        """Host and port that take TCP connections when it is up."""
        raise NotImplementedError

    def is_reachable(self) -> bool:
        """Whether something takes connections there."""
        try:
            socket.create_connection(self.place, timeout=2).close()
        except OSError:
            return False
        return True

    async def restart(self) -> None:
        """End the server. It is started again at once, but does not answer for a moment."""
        await asyncio.to_thread(_output, self._lab.restart(self.name))

    def log(self) -> str:
        """What the server has logged since this object was made."""
        if not self._log_file.exists():
            return ""
        with self._log_file.open("rb") as log:
            log.seek(self._log_begin)
            return log.read().decode(errors="replace")

    async def logged(self, pattern: str, timeout: float = 5.0) -> re.Match[str]:
        """Wait until the log has a line with *pattern*; AssertionError after *timeout* seconds."""
        found: re.Match[str] | None = None

        async def look() -> bool:
            nonlocal found
            found = re.search(pattern, self.log())
            return found is not None

        await _until(look, timeout, lambda: f"{self.name} logged no {pattern!r}")
        assert found is not None
        return found


class Peer(LabServer):
    """A server for SIP."""

    ws: str
    wss: str

    def __init__(self) -> None:
        super().__init__()
        self.ws = os.environ.get(f"SIPUA_{self.name.upper()}_WS", self.ws)
        self.wss = os.environ.get(f"SIPUA_{self.name.upper()}_WSS", self.wss)
        self.domain = os.environ.get("SIPUA_LAB_DOMAIN", render.DOMAIN)
        self.accounts = {user: _account(user, self.domain) for user in USERS}

    @property
    def place(self) -> tuple[str, int]:
        url = urlsplit(self.ws)
        return url.hostname or "", url.port or 80

    def uri(self, user: str) -> str:
        """The SIP URI of an account or number of this server."""
        return f"sip:{user}@{self.domain}"

    async def ask(self, *words: str) -> str:
        """What the server's own console answers to a command."""
        command = self._lab.console(self.name, *words)
        return await asyncio.to_thread(_output, command)

    async def version(self) -> str:
        raise NotImplementedError


class AsteriskPeer(Peer):
    """A B2BUA: accounts and numbers of tests/lab/asterisk."""

    name = "asterisk"
    ws = "ws://127.0.0.1:8088/ws"
    wss = "wss://127.0.0.1:8089/ws"

    async def version(self) -> str:
        return (await self.ask("core show version")).split(" built")[0].strip()

    async def channels(self) -> list[str]:
        """The names of the channels that are up: one per leg of a call. The one for MESSAGEs is left out."""
        listing = await self.ask("core show channels concise")
        names = [line.split("!")[0] for line in listing.splitlines() if "!" in line]
        return [name for name in names if not name.startswith("Message/")]

    async def idle(self, timeout: float = 5.0) -> None:
        """Wait until no channel is left; AssertionError, naming them, after *timeout* seconds."""
        left: list[str] = []

        async def look() -> bool:
            nonlocal left
            left = await self.channels()
            return not left

        await _until(look, timeout, lambda: f"channels left in Asterisk: {left}")

    async def bindings(self, user: str) -> list[str]:
        """The contacts that *user* is registered with."""
        listing = await self.ask(f"pjsip show aor {user}")
        return re.findall(rf"^ +Contact: +{user}/(\S+)", listing, re.MULTILINE)


class KamailioPeer(Peer):
    """A registrar, proxy and presence server, which passes numbers on to Asterisk."""

    name = "kamailio"
    ws = "ws://127.0.0.1:8080"
    wss = "wss://127.0.0.1:8443"

    async def version(self) -> str:
        return (await self.ask("core.version")).strip()

    async def bindings(self, user: str) -> list[str]:
        """The contacts that *user* is registered with."""
        return re.findall(r"^\s*Address: (\S+)", await self.ask("ul.lookup", "location", user), re.MULTILINE)


class CoturnPeer(LabServer):
    """A STUN and TURN server, which logs each session; with it another one, which knows a secret and no users."""

    name = "coturn"
    user = "turn"
    password = "turnpw"

    def __init__(self) -> None:
        super().__init__()
        host = os.environ.get("SIPUA_COTURN", "127.0.0.1")
        self.stun = f"stun:{host}:3478"
        self.turn = {
            "udp": f"turn:{host}:3478",
            "tcp": f"turn:{host}:3478?transport=tcp",
            "tls": f"turns:{host}:5349?transport=tcp",
        }
        self.with_secret = f"turn:{host}:3479"
        self._host = host

    @property
    def place(self) -> tuple[str, int]:
        return self._host, 3478

    def credentials(self, seconds: float) -> tuple[str, str]:
        """User name and password at `with_secret`, valid for so long; with a negative number, not any more."""
        user = f"{int(time.time() + seconds)}:alice"
        digest = hmac.digest(render.TURN_SECRET.encode(), user.encode(), "sha1")
        return user, base64.b64encode(digest).decode()


PEERS = {peer.name: peer for peer in (AsteriskPeer, KamailioPeer)}
"""Those for SIP."""
SERVERS: dict[str, type[LabServer]] = {**PEERS, CoturnPeer.name: CoturnPeer}


def _account(user: str, domain: str) -> Account:
    return Account(user, os.environ.get(f"SIPUA_LAB_PASSWORD_{user.upper()}", f"{user}pw"), domain)


def _output(command: list[str]) -> str:
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=False
    ).stdout


async def _until(
    condition: Callable[[], Awaitable[bool]], timeout: float, complaint: Callable[[], str]
) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + timeout
    while not await condition():
        assert loop.time() < end, complaint()
        await asyncio.sleep(0.05)
