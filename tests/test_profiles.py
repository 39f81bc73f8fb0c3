"""The profiles of Hypothesis that conftest.py makes."""

from __future__ import annotations

import pytest
from hypothesis import settings

from tests.stateful import NIGHTLY, NIGHTLY_RUNS


@pytest.mark.parametrize("name", ["default", "ci", NIGHTLY])
def test_no_example_has_to_be_quick(name: str) -> None:
    assert settings.get_profile(name).deadline is None


def test_the_profile_in_use() -> None:
    assert settings().deadline is None
    assert settings(max_examples=7).deadline is None


def test_what_profiles_are_for() -> None:
    assert settings.get_profile("ci").derandomize
    assert settings.get_profile(NIGHTLY).max_examples == NIGHTLY_RUNS
    assert settings.get_profile(NIGHTLY).print_blob
