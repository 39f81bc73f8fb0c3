"""Turns the templates of the lab into configurations.

A template is a file ending in ``.in``; in it ``@NAME@`` stands for a value. Every other file of the same
folder is taken over as it is.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab.certificates import make_certificates

if TYPE_CHECKING:
    from collections.abc import Mapping

HERE = Path(__file__).resolve().parent
COMPOSE = HERE.parents[1] / "examples" / "compose"
SERVERS = ("asterisk", "kamailio", "coturn")

DOMAIN = "lab.test"
"""The domain of every account. It is a name only: clients reach it by the server they are connected to."""

TURN_SECRET = "lab-secret"
"""What the second coturn and those who give out credentials for it know."""

NATIVE_ADDRESS = "10.77.0.1"
"""The address in the namespace beside loopback; Asterisk offers no ICE candidates for loopback."""

NATIVE = {
    "DOMAIN": DOMAIN,
    "SECRET": TURN_SECRET,
    "BIND": "127.0.0.1",
    "ASTERISK": "127.0.0.1",
    "KAMAILIO": "127.0.0.1",
    "MEDIA": NATIVE_ADDRESS,
    "RELAY": NATIVE_ADDRESS,
}

# The same addresses stand in compose.yaml.
CONTAINERS = {
    "DOMAIN": DOMAIN,
    "SECRET": TURN_SECRET,
    "BIND": "0.0.0.0",
    "ASTERISK": "10.77.0.10",
    "KAMAILIO": "10.77.0.11",
    "COTURN": "10.77.0.12",
    "MEDIA": "10.77.0.10",
    "RELAY": "10.77.0.12",
    "TLS": "/sipua-lab/tls",
    "RUN": "/sipua-lab/run",
}

_PLACEHOLDER = re.compile(r"@([A-Z]+)@")


def fill(template: str, values: Mapping[str, str]) -> str:
    """The text of a template with its values in place; KeyError names a value that is lacking."""
    return _PLACEHOLDER.sub(lambda match: values[match[1]], template)


def render(server: str, values: Mapping[str, str], target: Path) -> list[Path]:
    """Write the configuration of one server into *target*, which is emptied first."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    written = []
    for source in sorted((HERE / server).iterdir()):
        text = source.read_text()
        path = target / source.name.removesuffix(".in")
        path.write_text(fill(text, values) if source.suffix == ".in" else text)
        written.append(path)
    return written


def render_for_compose(target: Path = COMPOSE / "generated") -> None:
    """Everything that the containers mount: a configuration each, the certificates, a folder for the logs."""
    for server in SERVERS:
        render(server, CONTAINERS, target / server)
    make_certificates(target / "tls", (NATIVE_ADDRESS, *(CONTAINERS[name.upper()] for name in SERVERS)))
    (target / "log").mkdir(exist_ok=True)
