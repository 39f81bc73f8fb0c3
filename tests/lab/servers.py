"""The servers that install.sh put on this machine: how each is set up, started and asked."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab import render

if TYPE_CHECKING:
    from collections.abc import Sequence

STATE = Path(os.environ.get("SIPUA_LAB_STATE", "/var/tmp/sipua-lab"))
"""Where install.sh put what is not a package of the host."""


class Server(ABC):
    """A server installed on this machine."""

    name: str
    port: int
    """Where it takes TCP connections, on loopback."""
    log: Path
    output: Path
    """What it writes to stdout and stderr."""

    @abstractmethod
    def is_installed(self) -> bool:
        """Whether install.sh has been here."""

    @abstractmethod
    def prepare(self) -> None:
        """Write what the server reads; leave nothing of an earlier run."""

    @abstractmethod
    def program(self) -> list[str]:
        """The command that is the server, in the foreground."""

    @abstractmethod
    def end(self) -> list[str]:
        """The command that ends the running server at once."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether it is up."""

    @abstractmethod
    def version(self) -> str:
        """What it is, with its version."""

    def is_listening(self) -> bool:
        """Whether its port takes connections."""
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def last_words(self, lines: int = 20) -> str:
        """The end of what it has written, for an error message."""
        files = dict.fromkeys((self.output, self.log))
        texts = [path.read_text(errors="replace") for path in files if path.exists()]
        return "\n".join(line for text in texts for line in text.splitlines()[-lines:])


class SipServer(Server):
    """A server for SIP, with a console."""

    version_command: str
    """What its console is asked for the version."""
    end_command: tuple[str, ...]
    """What its console is told to end it at once."""

    @abstractmethod
    def console(self, *words: str) -> list[str]:
        """The command that asks the running server for something."""

    def end(self) -> list[str]:
        return self.console(*self.end_command)

    def version(self) -> str:
        return _said_by(self.console(self.version_command)).split(" built by")[0].strip()


class Asterisk(SipServer):
    """In the chroot that install.sh made. Nothing is mounted there: Asterisk needs neither /proc nor /dev."""

    name = "asterisk"
    port = 8088
    root = STATE / "asterisk" / "root"
    home = root / "sipua-lab"
    log = home / "log" / "asterisk.log"
    output = home / "log" / "output"
    version_command = "core show version"
    end_command = ("core stop now",)

    def is_installed(self) -> bool:
        return (self.root / ".sipua-lab").exists()  # written last

    def prepare(self) -> None:
        shutil.rmtree(self.home, ignore_errors=True)
        for folder in ("etc", "log", "run", "spool/monitor"):
            (self.home / folder).mkdir(parents=True)
        render.render(self.name, render.NATIVE, self.home / "etc")
        shutil.copytree(STATE / "tls", self.home / "tls")
        # Asterisk asks for the address of its own host name, and stands still while no name server answers.
        (self.root / "etc/hosts").write_text(f"127.0.0.1 localhost {socket.gethostname()}\n")
        (self.root / "etc/resolv.conf").unlink(missing_ok=True)
        (self.root / "etc/resolv.conf").touch()

    def program(self) -> list[str]:
        return [*self._asterisk(), "-f"]

    def console(self, *words: str) -> list[str]:
        return [*self._asterisk(), "-rx", " ".join(words)]

    def answers(self) -> bool:
        return succeeds(self.console("core waitfullybooted")) and self.is_listening()

    def _asterisk(self) -> list[str]:
        return ["chroot", str(self.root), "/usr/sbin/asterisk", "-C", "/sipua-lab/etc/asterisk.conf"]


class Kamailio(SipServer):
    """The distribution's, with a configuration and a folder of our own."""

    name = "kamailio"
    port = 8080
    home = STATE / "kamailio"
    log = output = home / "log" / "kamailio.log"
    version_command = "core.version"
    end_command = ("core.kill", "15")

    def is_installed(self) -> bool:
        return shutil.which("kamailio") is not None

    def prepare(self) -> None:
        shutil.rmtree(self.home, ignore_errors=True)
        for folder in ("log", "run"):
            (self.home / folder).mkdir(parents=True)
        places = {"TLS": str(STATE / "tls"), "RUN": str(self.home / "run")}
        render.render(self.name, render.NATIVE | places, self.home / "etc")

    def program(self) -> list[str]:
        # in the foreground, logging to stderr; 128 MiB shared and 16 MiB private memory
        options = ["-DD", "-E", "-Y", str(self.home / "run"), "-m", "128", "-M", "16"]
        return ["kamailio", "-f", str(self.home / "etc/kamailio.cfg"), *options]

    def console(self, *words: str) -> list[str]:
        return ["kamcmd", "-s", f"unix:{self.home}/run/ctl.sock", *words]

    def answers(self) -> bool:
        return succeeds(self.console("core.uptime")) and self.is_listening()


class Coturn(Server):
    """The distribution's, with a configuration and a folder of our own."""

    name = "coturn"
    port = 3478
    configuration = "turnserver.conf"

    def __init__(self) -> None:
        self.home = STATE / self.name
        self.log = self.output = self.home / "log" / f"{self.name}.log"

    def is_installed(self) -> bool:
        return shutil.which("turnserver") is not None

    def prepare(self) -> None:
        shutil.rmtree(self.home, ignore_errors=True)
        for folder in ("log", "run"):
            (self.home / folder).mkdir(parents=True)
        places = {"TLS": str(STATE / "tls"), "RUN": str(self.home / "run")}
        render.render("coturn", render.NATIVE | places, self.home / "etc")

    def program(self) -> list[str]:
        return ["turnserver", "-c", str(self.home / "etc" / self.configuration)]

    def end(self) -> list[str]:
        # Nothing is said to those who have an allocation, as when the machine is lost.
        return ["sh", "-c", 'kill -KILL "$(cat "$0")"', str(self.home / "run/turnserver.pid")]

    def answers(self) -> bool:
        return self.is_listening()

    def version(self) -> str:
        return f"{self.name} {_said_by(['turnserver', '--version']).strip()}"


class CoturnWithSecret(Coturn):
    """Another one, which takes what is made from a secret for a time, instead of users and passwords."""

    name = "coturn-secret"
    port = 3479
    configuration = "secret.conf"


def _said_by(command: Sequence[str]) -> str:
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    ).stdout


def succeeds(command: Sequence[str]) -> bool:
    """Whether a command can be run and ends with status 0, within 30 s."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
