"""SIP calls as users of Locust, so that its distributed engine and web page drive a fleet of machines.

::

    from locust import constant, task
    from sipua.load.locust import SipUser

    class Caller(SipUser):
        uri, password = "sip:alice@example.com", "secret"
        host = "wss://example.com/ws"
        wait_time = constant(1)

        @task
        def echo(self):
            self.client.call("600", talk=5)

Locust is built on gevent, which replaces what asyncio needs. So the calls of all users of a Locust process are made by
one child process (`sipua.load.bridge`), and greenlets wait for what it says. For each call Locust gets these requests:
``SIP setup`` (INVITE to answer) and ``SIP call`` (the whole of it, with what the script says), and ``SIP register``
for the connection of a user.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from pathlib import Path
from typing import Any, ClassVar

import gevent
from gevent import subprocess
from gevent.event import AsyncResult
from gevent.lock import BoundedSemaphore
from locust import User

from sipua.errors import CallFailed, SipuaError

__all__ = ["SipClient", "SipUser"]

#: Seconds to wait for the bridge beyond the time that a call may take.
_GRACE = 120.0


class _Bridge:
    """The child process, shared by all users of this process."""

    _shared: ClassVar[_Bridge | None] = None
    _lock: ClassVar[Any] = BoundedSemaphore(1)

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "sipua.load.bridge"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._ids = itertools.count(1)
        ready = AsyncResult()
        self._waiting: dict[int, Any] = {0: ready}
        gevent.spawn(self._read)
        # What it takes to begin is no time of a connection.
        ready.wait(timeout=_GRACE)

    @classmethod
    def shared(cls) -> _Bridge:
        """The one there is; a new one when that has ended."""
        # Starting a process lets other greenlets run, which would each start one.
        with cls._lock:
            if cls._shared is None or cls._shared._process.poll() is not None:
                cls._shared = cls()
            return cls._shared

    def _read(self) -> None:
        for line in self._process.stdout:
            answer = json.loads(line)
            result = self._waiting.pop(answer["id"], None)
            if result is not None:
                result.set(answer)
        for result in self._waiting.values():
            result.set({"error": "the process that makes the calls has ended"})
        self._waiting.clear()

    def ask(self, patience: float, /, **order: Any) -> dict[str, Any]:
        """Let it do something; waits for the result.

        :raises SipuaError: it did not work.
        """
        number = next(self._ids)
        result = self._waiting[number] = AsyncResult()
        line = json.dumps({"id": number, **order}) + "\n"
        try:
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()
            answer: dict[str, Any] = result.get(timeout=patience)
        except OSError as error:
            raise SipuaError(f"the process that makes the calls has ended: {error}") from None
        except gevent.Timeout:
            raise SipuaError(f"no result within {patience:g} s") from None
        finally:
            self._waiting.pop(number, None)
        if answer.get("error"):
            raise SipuaError(answer["error"])
        return answer


class SipClient:
    """What a task has as ``self.client``: a connection of its own, and calls on it."""

    def __init__(self, user: SipUser) -> None:
        self._user = user
        self._agent: int | None = None

    def start(self) -> None:
        """Connect, and register if so wanted. Done by the first call, too."""
        if self._agent is not None:
            return
        user = self._user
        options = {"sockets": user.host, "password": user.password, **user.options}
        bridge = _Bridge.shared()
        began = time.monotonic()
        error: SipuaError | None = None
        try:
            answer = bridge.ask(
                _GRACE, do="agent", uri=user.uri, options=options, register=user.register, media=user.media
            )
            self._agent = answer["id"]
        except SipuaError as failure:
            error = failure
        self._fire(
            "SIP register" if user.register else "SIP connect", user.uri, time.monotonic() - began, error
        )
        if error is not None:
            raise error

    def stop(self) -> None:
        """Disconnect."""
        agent, self._agent = self._agent, None
        if agent is not None:
            _Bridge.shared().ask(_GRACE, do="stop", agent=agent)

    def call(
        self,
        target: str,
        *,
        script: str | Path | None = None,
        talk: float = 10.0,
        timeout: float = 30.0,
        name: str | None = None,
        **media_options: Any,
    ) -> dict[str, Any]:
        """Call `target`, stay in the call, tell Locust how it went. Returns its figures, times in seconds.

        ``cause`` among them says why it failed; None: it did not. Nothing is raised: Locust has been told.

        :param script: steps as text, or the path of a file with them (see docs/scripts.md); None: hang up after `talk`
            seconds.
        :param timeout: seconds for the answer.
        :param name: of the requests in Locust's statistics; `target` by default.
        :param media_options: for calls with media, such as ``codecs=("pcmu",)``.
        """
        try:
            self.start()
        except SipuaError as failure:
            return {"cause": str(failure)}
        text, source, folder = _read(script)
        began = time.monotonic()
        answer: dict[str, Any] = {}
        error: SipuaError | None = None
        try:
            answer = _Bridge.shared().ask(
                timeout + talk + _GRACE,
                do="call",
                agent=self._agent,
                target=target,
                script=text,
                script_source=source,
                script_folder=folder,
                talk=talk,
                timeout=timeout,
                media_options=media_options,
            )
            if answer["cause"] is not None:
                error = CallFailed(answer["cause"])
        except SipuaError as failure:
            error, answer = failure, {"cause": str(failure)}
        name = name or target
        if answer.get("setup") is not None:
            self._fire("SIP setup", name, answer["setup"], None)
        self._fire("SIP call", name, time.monotonic() - began, error)
        return answer

    def _fire(self, kind: str, name: str, seconds: float, error: SipuaError | None) -> None:
        self._user.environment.events.request.fire(
            request_type=kind,
            name=name,
            response_time=1000 * seconds,
            response_length=0,
            exception=error,
            context=self._user.context(),
        )


def _read(script: str | Path | None) -> tuple[str | None, str, str]:
    if isinstance(script, Path):
        return script.read_text(encoding="utf-8"), str(script), str(script.parent.absolute())
    return script, "script", str(Path().absolute())


class SipUser(User):
    """A user that makes calls, with a connection of its own. `host` is the WebSocket address of the server."""

    abstract = True

    uri = ""
    """The address of the account, such as ``sip:alice@example.com``."""
    password: str | None = None
    register = False
    """Whether to register first."""
    media = False
    """Whether calls have real audio; else they are signalling only."""
    options: ClassVar[dict[str, Any]] = {}
    """Further options of `UA`, as JSON can have them."""

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        if not self.uri or not self.host:
            raise ValueError(
                f"{type(self).__name__}: set uri (sip:name@domain), and host (wss://server/path) or --host"
            )
        self.client = SipClient(self)

    def on_stop(self) -> None:
        """Leave the server as it was."""
        self.client.stop()
