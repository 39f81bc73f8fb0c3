from __future__ import annotations

import pytest

from sipua.trace import TracedStats
from sipua.trace.series import Plot, plots_of
from tests.trace.traces import sample


def plots(*samples: TracedStats) -> dict[str, Plot]:
    return {plot.title: plot for plot in plots_of(samples)}


def curves(plot: Plot) -> dict[str, list[float | None]]:
    return {curve.name: [value for _, value in curve.points] for curve in plot.curves}


def test_figures_have_the_units_of_their_plots() -> None:
    found = plots(sample(1.0, packets=50, lost=0), sample(2.0, packets=90, lost=10))
    assert list(found) == ["Jitter", "Loss", "Round trip", "Level", "MOS"]
    assert curves(found["Jitter"]) == {
        "heard here": [4.0, 4.0],
        "at the peer": [2.0, 2.0],
        "jitter buffer": [40.0, 40.0],
    }
    assert curves(found["Loss"]) == {"heard here": [None, 20.0], "at the peer": [10.0, 10.0]}
    assert curves(found["Round trip"]) == {"by RTCP": [80.0, 80.0]}
    assert curves(found["Level"]) == {"heard": [-25.5, -25.5], "said": [-30.0, -30.0]}
    assert curves(found["MOS"]) == {"heard here": [4.2, 4.2]}
    assert found["MOS"].curves[0].points[1][0] == 2.0


def test_loss_of_an_interval_in_which_nothing_came_and_of_another_branch() -> None:
    found = plots(
        sample(1.0, packets=50, lost=0),
        sample(2.0, packets=50, lost=0, mos=None),
        sample(3.0, packets=60, lost=30),
        sample(4.0, packets=9, lost=0, leg="audio-2"),
        sample(5.0, packets=19, lost=0, leg="audio-2"),
    )
    assert curves(found["Loss"])["heard here"] == [None, None, 75.0, None, 0.0]
    assert curves(found["MOS"])["heard here"] == [4.2, None, 4.2, 4.2, 4.2]


@pytest.mark.parametrize(
    "stats", [{}, {"audio": None}, {"audio": {"received": None}}, {"audio": {"received": {"jitter": "x"}}}]
)
def test_what_is_not_there_is_not_drawn(stats: dict[str, object]) -> None:
    assert plots(TracedStats(1.0, "c", stats)) == {}


def test_late_packets_that_lower_the_count_of_lost_ones_make_no_negative_loss() -> None:
    found = plots(sample(1.0, packets=50, lost=5), sample(2.0, packets=100, lost=3))
    assert curves(found["Loss"])["heard here"] == [None, 0.0]
