"""Carries out the call flows of this folder: one module of data for each document."""

from __future__ import annotations

import pytest

from sipua.testing import Flow, run_flow
from tests.flows import MODULES

FLOWS = [pytest.param(flow, id=f"{flow.figure}: {flow.title}") for module in MODULES for flow in module.FLOWS]


@pytest.mark.parametrize("flow", FLOWS)
def test_flow(flow: Flow) -> None:
    run_flow(flow)
