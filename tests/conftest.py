"""Runs ``async def test_*``: on simulated time, or on a real event loop when marked ``realtime``.

Each test has a fresh loop. Tasks that a test leaves behind, and exceptions that nobody saw, fail it.
"""

from __future__ import annotations

import functools
import inspect
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from sipua.testing import run_realtime, run_simulated
from tests.stateful import NIGHTLY, NIGHTLY_RUNS

# How long an example takes says more of what else the machine does.
DESK = settings(settings.get_profile("default"), deadline=None)
settings.register_profile("default", DESK)
# In CI the same examples every time; new ones are looked for at a desk, where somebody can look at what is found.
settings.register_profile("ci", DESK, derandomize=True)
settings.register_profile(NIGHTLY, DESK, max_examples=NIGHTLY_RUNS, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")

if TYPE_CHECKING:
    from collections.abc import Callable


def pytest_configure(config: pytest.Config) -> None:
    # Not the end at once: tests have processes of their own, which they end in their `finally`.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Tests on the real clock wait more than they work, but what they hear suffers where processors are scarce."""
    return max(2, (os.cpu_count() or 2) // 2) if config.option.markexpr == "realtime" else None


def _synchronous(function: Callable[..., Any], run: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def runner(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        return run(function(*args, **kwargs))

    return runner


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> None:
    run = run_realtime if pyfuncitem.get_closest_marker("realtime") else run_simulated
    test = pyfuncitem.obj
    hypothesis = getattr(test, "hypothesis", None)
    if hypothesis is not None and inspect.iscoroutinefunction(hypothesis.inner_test):
        # Each example gets a loop of its own.
        hypothesis.inner_test = _synchronous(hypothesis.inner_test, run)
    elif inspect.iscoroutinefunction(test):
        pyfuncitem.obj = _synchronous(test, run)
