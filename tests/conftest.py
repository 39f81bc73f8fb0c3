"""Runs ``async def test_*``: on simulated time, or on a real event loop when marked ``realtime``.

Each test has a fresh loop. Tasks that a test leaves behind, and exceptions that nobody saw, fail it.
"""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

import pytest

from sipua.testing import run_realtime, run_simulated

if TYPE_CHECKING:
    from collections.abc import Callable


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
