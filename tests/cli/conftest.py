from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from sipua.cli.events import faults
from sipua.cli.output import JsonOutput, PlainOutput

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def config(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the command looks for its settings: nobody's own, and there is no file yet."""
    path = tmp_path_factory.mktemp("settings") / "config.toml"
    monkeypatch.setenv("SIPUA_CONFIG", str(path))
    for name in ("SIPUA_ACCOUNT", "SIPUA_URI", "SIPUA_PASSWORD", "SIPUA_SERVER"):
        monkeypatch.delenv(name, raising=False)
    return path


@pytest.fixture(autouse=True)
def _events_are_those_of_the_table(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """In the tests that run whole commands."""
    if request.node.get_closest_marker("realtime") is None:
        yield
        return
    found: list[str] = []

    def checked(kind: type[Any]) -> None:
        tell = kind.event

        def event(self: Any, name: str, text: str | None = None, /, **fields: Any) -> None:
            found.extend(faults(name, fields))
            tell(self, name, text, **fields)

        monkeypatch.setattr(kind, "event", event)

    checked(JsonOutput)
    checked(PlainOutput)
    yield
    assert not found


@pytest.fixture(autouse=True)
def _log_of_the_server_is_not_the_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("sipua.server"), "propagate", False)
