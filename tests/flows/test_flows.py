"""Carries out the call flows of this folder: one module of data for each document."""

from __future__ import annotations

import pytest

from sipua.testing import Flow, run_flow
from tests.flows import MODULES, jssip_mistakes
from tests.flows.figures import FIGURES, WITHOUT_FLOW

FLOWS = [pytest.param(flow, id=f"{flow.figure}: {flow.title}") for module in MODULES for flow in module.FLOWS]


@pytest.mark.parametrize("flow", FLOWS)
def test_flow(flow: Flow) -> None:
    run_flow(flow)


def _place(flow: Flow) -> tuple[str, str]:
    """The document and the figure that a flow is of."""
    head = flow.figure.partition(",")[0].split(" ", 2)
    return " ".join(head[:2]), head[-1]


@pytest.mark.parametrize("document", FIGURES)
def test_every_figure_has_a_flow_or_a_reason(document: str) -> None:
    with_flow = {_place(flow) for module in MODULES for flow in module.FLOWS}
    for figure, title in FIGURES[document].items():
        place = document, figure
        assert (place in with_flow) != (place in WITHOUT_FLOW), f"{document} {figure}: {title}"


@pytest.mark.parametrize(
    "flow", [pytest.param(p.values[0], id=p.id) for p in FLOWS if _place(p.values[0])[0] in FIGURES]
)
def test_every_flow_is_of_a_figure_that_exists(flow: Flow) -> None:
    document, figure = _place(flow)
    assert figure in FIGURES[document]


def test_reasons_are_about_figures_that_exist() -> None:
    assert all(figure in FIGURES[document] and reason for (document, figure), reason in WITHOUT_FLOW.items())


def test_each_of_the_twelve_mistakes_has_a_flow() -> None:
    numbers = [int(flow.figure.split()[-1]) for flow in jssip_mistakes.FLOWS]
    assert sorted(set(numbers)) == list(range(1, 13))


def test_no_two_flows_are_called_the_same() -> None:
    names = [param.id for param in FLOWS]
    assert len(set(names)) == len(names)
