"""The tests of this folder talk to real servers, on the real clock: see tests/lab/README.md.

A test takes the fixture ``asterisk``, ``kamailio``, or ``server`` (then it runs with each), ``coturn`` for TURN,
``browsers`` for phones in a browser, with ``library`` to run with each library, ``chromium`` for other pages,
``dissector`` to read captures, and ``speech`` for calls that say a text. When a server does not answer, or one of the
others is not installed, the tests that need it are left out, and a line of the output says so; with
``SIPUA_REQUIRE_LAB=1`` nothing runs. What a server logged during a test is shown when the test fails.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.lab import browsers as browser_phones
from tests.lab import dissector as packet_dissector
from tests.lab import pages
from tests.lab import speech as speech_synthesiser
from tests.lab.browsers import LIBRARIES, Browsers
from tests.lab.pages import Page
from tests.lab.peers import PEERS, SERVERS, AsteriskPeer, CoturnPeer, KamailioPeer, LabServer, Peer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOG_LINES = 200
#: What has to be installed; each is named as the fixture that gives it.
TOOLS = (browser_phones, packet_dissector, pages, speech_synthesiser)
_complaints = pytest.StashKey[list[str]]()


@pytest.fixture
def asterisk() -> AsteriskPeer:
    return AsteriskPeer()


@pytest.fixture
def kamailio() -> KamailioPeer:
    return KamailioPeer()


@pytest.fixture
def coturn() -> CoturnPeer:
    return CoturnPeer()


@pytest.fixture(params=sorted(PEERS))
def server(request: pytest.FixtureRequest) -> Peer:
    return PEERS[request.param]()


@pytest.fixture(scope="session")
def browsers() -> Iterator[Browsers]:
    with Browsers() as running:
        yield running


@pytest.fixture
def dissector() -> type[packet_dissector.Capture]:
    return packet_dissector.Capture


@pytest.fixture
def speech() -> Callable[[str, Path], Path]:
    """Says a text to a file."""
    return speech_synthesiser.speak


@pytest.fixture
def chromium() -> type[Page]:
    return Page


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    here = [item for item in items if item.path.is_relative_to(Path(__file__).parent)]
    for item in here:
        item.add_marker("realtime")

    absent = {
        peer.name: f"{peer.name} DOES NOT ANSWER at {peer.place[0]}:{peer.place[1]}"
        for name in SERVERS
        if not (peer := SERVERS[name]()).is_reachable()
    }
    for tool in TOOLS:
        if (reason := tool.lacking()) is not None:
            absent[tool.NAME] = f"{tool.NAME}: NOT INSTALLED ({reason})"
    left_out = [item for item in here if _needs(item) & absent.keys()]
    complaints = config.stash[_complaints] = []
    for name, complaint in absent.items():
        count = sum(name in _needs(item) for item in left_out)
        complaints.append(f"{complaint}: {count} tests left out")
    if left_out and os.environ.get("SIPUA_REQUIRE_LAB") == "1":
        pytest.exit("SIPUA_REQUIRE_LAB=1, but " + "; ".join(complaints), returncode=1)
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


def _needs(item: pytest.Item) -> set[str]:
    wanted = set(getattr(item, "fixturenames", ()))
    callspec = getattr(item, "callspec", None)
    if callspec is not None:
        wanted.add(callspec.params.get("server", ""))
    return wanted & {*SERVERS, *(tool.NAME for tool in TOOLS)}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> object:
    report = yield
    if report.failed:
        for peer in getattr(item, "funcargs", {}).values():
            if isinstance(peer, LabServer) and (lines := peer.log().splitlines()[-LOG_LINES:]):
                report.sections.append((f"log of {peer.name}, last {len(lines)} lines", "\n".join(lines)))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in config.stash.get(_complaints, []):
        terminalreporter.write_line(f"NOT TESTED: {line} (see tests/lab/README.md)", red=True, bold=True)
