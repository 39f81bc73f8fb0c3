"""Steps of the negotiation that fail are told, and go on failing."""

from __future__ import annotations

import pytest

from sipua.media.steps import StepWatch


def test_the_step_and_its_error() -> None:
    told: list[tuple[str, Exception]] = []
    watch = StepWatch(lambda step, error: told.append((step, error)))
    with watch.step("createoffer"):
        pass
    with pytest.raises(ValueError, match="no") as raised, watch.step("setlocaldescription"):
        raise ValueError("no")
    assert told == [("setlocaldescription", raised.value)]


def test_nobody_has_to_listen() -> None:
    with pytest.raises(KeyError), StepWatch().step("createanswer"):
        raise KeyError
