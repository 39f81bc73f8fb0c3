"""What all examinations in tests share."""

from __future__ import annotations

import logging

import pytest

from sipua.cli.doctor import echo


@pytest.fixture(autouse=True)
def _log_of_the_server_is_not_the_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("sipua.server"), "propagate", False)


@pytest.fixture(autouse=True)
def _short_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(echo, "LENGTH", 1.4)
