"""Phones in a browser: JsSIP and SIP.js in headless Chromium, driven from tests.

::

    with Browsers() as browsers:
        async with browsers.phone("jssip", server, "bob") as bob:
            await bob.do("call", "alice")
            await bob.wait("confirmed")

The commands and events are listed at the head of browser/www/phone.js.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import subprocess
import threading
from concurrent.futures import Future
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tests.lab.servers import STATE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.lab.peers import Peer

LIBRARIES = ("jssip", "sipjs")
NAME = "browsers"
TONES = {"alice": 520.0, "bob": 620.0, "carol": 880.0, "dave": 1230.0, "erin": 1420.0, "frank": 1640.0}
"""What the microphone of each user in a browser gives (Hz): none is a multiple of another, or part of DTMF."""

LIMIT = 30.0
"""Seconds that a command, or an event, may take on a busy machine."""

_SOURCES = Path(__file__).resolve().parent / "browser"
_FOLDER = STATE / "browser"
CHROMIUM = Path(os.environ.get("SIPUA_CHROMIUM", "/usr/lib/chromium/chromium"))


class BrowserError(Exception):
    """A browser phone could not do what it was told, or did not do it in time."""


def lacking() -> str | None:
    """What is not installed; None when the phones can be used."""
    node = _node()
    if node is None:
        return "there is no Node"
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    if int(version.removeprefix("v").partition(".")[0] or 0) < 20:
        return f"Node is {version!r}, and 20 is needed"
    if not CHROMIUM.exists():
        return f"there is no {CHROMIUM}"
    lock = _FOLDER / ".complete"
    if not lock.exists() or lock.read_bytes() != (_SOURCES / "package-lock.json").read_bytes():
        return "its npm packages are not installed"
    return None


class Browsers:
    """One Chromium and its phones; a context manager. May be used from any number of event loops."""

    def __init__(self) -> None:
        self.versions: dict[str, str] = {}
        """Of Chromium and the libraries."""
        self._events: dict[str, list[dict[str, Any]]] = {}
        self._orders: dict[int, Future[Any]] = {}
        self._ready: Future[None] = Future()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        subprocess.run([_node() or "node", str(_SOURCES / "build.mjs"), str(_FOLDER)], check=True)
        with (_FOLDER / "console.log").open("wb") as console:
            self._driver = subprocess.Popen(
                [_node() or "node", str(_SOURCES / "driver.mjs"), str(_FOLDER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=console,
                text=True,
            )
        self._reader = threading.Thread(target=self._read, name="browsers", daemon=True)
        self._reader.start()
        self._ready.result(LIMIT)
        return self

    def __exit__(self, *exc_info: object) -> None:
        assert self._driver.stdin is not None
        self._driver.stdin.close()
        try:
            self._driver.wait(10)
        except subprocess.TimeoutExpired:
            self._driver.kill()
            self._driver.wait()
        self._reader.join(5)

    @asynccontextmanager
    async def phone(
        self, library: str, server: Peer, user: str, **options: Any
    ) -> AsyncIterator[BrowserPhone]:
        """A page with a phone of `user`, registered at `server`; it is unregistered and closed at the end."""
        account = server.accounts[user]
        phone = BrowserPhone(self, library, user)
        self._events[user] = []
        settings = {
            "url": server.ws,
            "user": account.user,
            "password": account.password,
            "domain": account.domain,
            "frequency": phone.tone,
            **options,
        }
        try:
            await self.order("open", user, library=library, options=settings)
            yield phone
        finally:
            await self.order("close", user)

    async def order(self, command: str, phone: str, **fields: Any) -> Any:
        """Let the driver carry something out; returns the result, raises `BrowserError`."""
        order: Future[Any] = Future()
        with self._lock:
            number = len(self._orders)
            self._orders[number] = order
        line = json.dumps({"id": number, "do": command, "phone": phone, **fields})
        assert self._driver.stdin is not None
        try:
            print(line, file=self._driver.stdin, flush=True)
            return await asyncio.wait_for(asyncio.wrap_future(order), LIMIT)
        except TimeoutError:
            raise BrowserError(f"{phone}: {command!r} was not done within {LIMIT:g} s") from None
        except OSError as error:
            raise BrowserError(f"the browser is gone: {error}") from error

    def events(self, phone: str) -> list[dict[str, Any]]:
        """What happened at a phone, oldest first."""
        return self._events[phone]

    def _read(self) -> None:
        assert self._driver.stdout is not None
        for line in self._driver.stdout:
            message = json.loads(line)
            if "id" in message:
                order = self._orders[message["id"]]
                if not order.set_running_or_notify_cancel():
                    continue  # nobody waits any more
                if "error" in message:
                    order.set_exception(BrowserError(message["error"]))
                else:
                    order.set_result(message["result"])
            elif message["event"] == "ready":
                self.versions = message["versions"]
                self._ready.set_result(None)
            else:
                self._events[message.pop("phone")].append(message)
        gone = BrowserError(f"the browser ended; see {_FOLDER / 'console.log'}")
        for future in (self._ready, *self._orders.values()):
            if not future.done():
                future.set_exception(gone)


def _node() -> str | None:
    """install.sh puts one into the state folder where the host's is too old, or there is none."""
    own = _FOLDER / "node" / "bin" / "node"
    return str(own) if own.exists() else shutil.which("node")


class BrowserPhone:
    """One phone of `Browsers`."""

    def __init__(self, browsers: Browsers, library: str, user: str) -> None:
        self.library = library
        self.user = user
        self.tone = TONES[user]
        """What its peers hear, in Hz."""
        self._browsers = browsers

    @property
    def events(self) -> list[dict[str, Any]]:
        """All that happened, oldest first."""
        return self._browsers.events(self.user)

    async def do(self, command: str, *values: Any) -> Any:
        """A command of browser/www/phone.js."""
        return await self._browsers.order(command, self.user, values=values)

    async def heard(self) -> bytes:
        """What came since the command ``listen``: PCM at 8000 Hz."""
        return base64.b64decode(await self.do("heard"))

    async def wait(self, event: str, nth: int = 1, timeout: float = LIMIT) -> dict[str, Any]:
        """The first, second … event of this name; waits for it, and fails with all that happened instead."""
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout
        while len(found := [each for each in self.events if each["event"] == event]) < nth:
            if loop.time() > end:
                raise BrowserError(f"{self}: no {event!r} ({nth}) within {timeout:g} s but {self.events}")
            await asyncio.sleep(0.02)
        return found[nth - 1]

    def count(self, event: str) -> int:
        """How often something has happened."""
        return sum(each["event"] == event for each in self.events)

    def __str__(self) -> str:
        return f"{self.user} on {self.library}"
