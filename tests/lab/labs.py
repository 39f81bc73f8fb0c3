"""The servers together: those of this machine, or the containers; and a command run beside them."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.lab import render
from tests.lab.certificates import make_certificates
from tests.lab.servers import (
    STATE,
    Asterisk,
    Coturn,
    CoturnWithSecret,
    Kamailio,
    Server,
    SipServer,
    succeeds,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

START_TIMEOUT = 30.0
"""Seconds a server may take to answer after its start."""
STOP_TIMEOUT = 10.0
"""Seconds a server may take to go after SIGTERM."""
LOCK_TIMEOUT = 900.0
"""Seconds to wait for another run on this machine to end: the state folder serves one at a time."""


class LabError(Exception):
    """The lab cannot be had; the message says why and what to do."""


class NativeLab:
    """The servers of this machine, run as children of this process."""

    ca_file = STATE / "tls" / "ca.pem"

    def __init__(self) -> None:
        servers = (Asterisk(), Kamailio(), Coturn(), CoturnWithSecret())
        self._servers: dict[str, Server] = {server.name: server for server in servers}
        self._started: list[tuple[Server, subprocess.Popen[bytes]]] = []

    def console(self, name: str, *words: str) -> list[str]:
        """The command line that asks the server *name*, which is one for SIP."""
        server = self._servers[name]
        assert isinstance(server, SipServer), f"{name} has no console"
        return server.console(*words)

    def log(self, name: str) -> Path:
        """The file that the server *name* writes its log to."""
        return self._servers[name].log

    def restart(self, name: str) -> list[str]:
        """The command line that lets the server *name* end; it is then started again."""
        return self._servers[name].end()

    def keep_up(self) -> None:
        """Start what has ended since the last look. Only tests end a server, but whoever it was: it is said."""
        for number, (server, process) in enumerate(self._started):
            if process.poll() is not None:
                say(f"{server.name} ended with status {process.returncode}: it is started again")
                self._started[number] = (server, _launch(server, again=True))

    @contextmanager
    def running(self) -> Iterator[None]:
        """Start every installed server; stop them at the end, last started first."""
        installed = [server for server in self._servers.values() if server.is_installed()]
        self._complain_of_missing({*self._servers} - {server.name for server in installed})
        STATE.mkdir(parents=True, exist_ok=True)
        with _exclusive(STATE / "lock"):
            make_certificates(STATE / "tls", [render.NATIVE_ADDRESS])
            try:
                for server in installed:
                    self._started.append((server, _launch(server)))
                for server, process in self._started:
                    _await(server, process)
                yield
            finally:
                while self._started:
                    _stop(*self._started.pop())

    def _complain_of_missing(self, missing: set[str]) -> None:
        for name in sorted(missing):
            say(f"{name} IS NOT INSTALLED: its tests will not run (`make lab` installs it)")
        if missing == {*self._servers}:
            raise LabError("no server is installed: `make lab` (root) does it; or `make interop LAB=compose`")
        if missing and os.environ.get("SIPUA_REQUIRE_LAB") == "1":
            raise LabError(f"SIPUA_REQUIRE_LAB=1, and not installed: {', '.join(sorted(missing))}")


class ComposeLab:
    """The containers of examples/compose."""

    ca_file = render.COMPOSE / "generated" / "tls" / "ca.pem"
    _compose = ("docker", "compose", "--file", str(render.COMPOSE / "compose.yaml"))

    def console(self, name: str, *words: str) -> list[str]:
        """The command line that asks the server *name*."""
        inside = {
            "asterisk": ["asterisk", "-C", "/sipua-lab/etc/asterisk.conf", "-rx", " ".join(words)],
            "kamailio": ["kamcmd", "-s", "unix:/sipua-lab/run/ctl.sock", *words],
        }
        return [*self._compose, "exec", "-T", name, *inside[name]]

    def restart(self, name: str) -> list[str]:
        """The command line that restarts the server *name*."""
        return [*self._compose, "restart", name]

    def keep_up(self) -> None:
        """Nothing: Docker does."""

    def log(self, name: str) -> Path:
        """The file that the server *name* writes its log to."""
        return render.COMPOSE / "generated" / "log" / f"{name}.log"

    @contextmanager
    def running(self) -> Iterator[None]:
        """Build and start the containers; remove them at the end."""
        if not succeeds(["docker", "compose", "version"]):
            raise LabError("LAB=compose needs Docker with its compose plug-in")
        render.render_for_compose()
        try:
            # --wait: until the health checks in compose.yaml are content
            if subprocess.call([*self._compose, "up", "--build", "--detach", "--wait"]):
                subprocess.call([*self._compose, "ps", "--all"])
                raise LabError("docker compose could not start the servers: see above, and generated/log")
            yield
        finally:
            subprocess.call([*self._compose, "down", "--volumes"])


def current() -> NativeLab | ComposeLab:
    """The lab that the environment asks for."""
    return ComposeLab() if os.environ.get("SIPUA_LAB") == "compose" else NativeLab()


def say(text: str) -> None:
    print(f"lab: {text}", flush=True)


def _launch(server: Server, *, again: bool = False) -> subprocess.Popen[bytes]:
    if not again:
        if server.is_listening():
            raise LabError(f"cannot start {server.name}: something else listens on port {server.port}")
        server.prepare()
    with server.output.open("ab") as output:
        return subprocess.Popen(
            server.program(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C is for the tests; the servers are stopped after them
        )


def _await(server: Server, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while not server.answers():
        if process.poll() is not None:
            raise LabError(f"{server.name} ended with status {process.returncode}:\n{server.last_words()}")
        if time.monotonic() > deadline:
            raise LabError(f"{server.name} does not answer {START_TIMEOUT:g} s on:\n{server.last_words()}")
        time.sleep(0.05)
    say(f"{server.version()} is up, log {server.log}")


def _stop(server: Server, process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        say(f"{server.name} did not stop within {STOP_TIMEOUT:g} s: killed")
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    deadline = time.monotonic() + LOCK_TIMEOUT
    with path.open("w") as lock:
        announced = False
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise LabError(f"another run has held {path} for {LOCK_TIMEOUT:g} s") from None
            if not announced:
                say(f"waiting for another run to give {path} free")
                announced = True
            time.sleep(0.2)
        yield


def run(command: Sequence[str]) -> int:
    """Run *command* beside the servers; its exit status, 128 + n when signal n ended it."""

    def leave(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)
    lab = current()
    with lab.running():
        child = subprocess.Popen(command)
        # From here on signals are the command's business; Ctrl-C reaches it without our help.
        signal.signal(signal.SIGINT, lambda number, frame: None)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda number, frame: child.send_signal(number))
        while (status := child.poll()) is None:
            lab.keep_up()
            time.sleep(0.05)
    return status if status >= 0 else 128 - status
