"""Property tests of what has states: some hundred runs in ``make test``, ten thousand each in ``make nightly``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

#: The name of Hypothesis' profile for the night, and how often it runs each of these tests at least.
NIGHTLY = "nightly"
NIGHTLY_RUNS = 10_000


def so_many(runs: int) -> int:
    """This many runs, and at night ten thousand."""
    return max(runs, NIGHTLY_RUNS) if is_night() else runs


def is_night() -> bool:
    """Whether this is ``make nightly``."""
    return settings.get_current_profile_name() == NIGHTLY


def stateful(runs: int, **options: Any) -> Callable[[Any], Any]:
    """Run the property test so often, and at night ten thousand times; goes above ``@given``."""
    if is_night():
        options.setdefault("suppress_health_check", [HealthCheck.too_slow])

    def decorate(test: Any) -> Any:
        return pytest.mark.stateful(settings(max_examples=so_many(runs), **options)(test))

    return decorate
