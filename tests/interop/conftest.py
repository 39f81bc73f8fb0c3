"""The tests of this folder talk to real servers, on the real clock: see tests/lab/README.md.

A test takes the fixture ``asterisk``, ``kamailio``, or ``server`` (then it runs with each). When one does not
answer, the tests that need it are left out, and a line of the output says so; with ``SIPUA_REQUIRE_LAB=1``
nothing runs. What a server logged during a test is shown when the test fails.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.lab.peers import PEERS, AsteriskPeer, KamailioPeer, Peer

LOG_LINES = 200
_complaints = pytest.StashKey[list[str]]()


@pytest.fixture
def asterisk() -> AsteriskPeer:
    return AsteriskPeer()


@pytest.fixture
def kamailio() -> KamailioPeer:
    return KamailioPeer()


@pytest.fixture(params=sorted(PEERS))
def server(request: pytest.FixtureRequest) -> Peer:
    return PEERS[request.param]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    here = [item for item in items if item.path.is_relative_to(Path(__file__).parent)]
    for item in here:
        item.add_marker("realtime")

    absent = [peer for name in PEERS if not (peer := PEERS[name]()).is_reachable()]
    left_out = [item for item in here if any(peer.name in _needs(item) for peer in absent)]
    complaints = config.stash[_complaints] = []
    for peer in absent:
        count = sum(peer.name in _needs(item) for item in left_out)
        complaints.append(f"{peer.name} DOES NOT ANSWER at {peer.ws}: {count} tests left out")
    if left_out and os.environ.get("SIPUA_REQUIRE_LAB") == "1":
        pytest.exit("SIPUA_REQUIRE_LAB=1, but " + "; ".join(complaints), returncode=1)
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


def _needs(item: pytest.Item) -> set[str]:
    wanted = set(getattr(item, "fixturenames", ()))
    callspec = getattr(item, "callspec", None)
    if callspec is not None:
        wanted.add(callspec.params.get("server", ""))
    return wanted & PEERS.keys()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> object:
    report = yield
    if report.failed:
        for peer in getattr(item, "funcargs", {}).values():
            if isinstance(peer, Peer) and (lines := peer.log().splitlines()[-LOG_LINES:]):
                report.sections.append((f"log of {peer.name}, last {len(lines)} lines", "\n".join(lines)))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in config.stash.get(_complaints, []):
        terminalreporter.write_line(f"NOT TESTED: {line} (see tests/lab/README.md)", red=True, bold=True)
