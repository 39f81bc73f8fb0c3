from __future__ import annotations

import itertools
import json
import math

import pytest

from sipua.errors import ConfigurationError
from sipua.load.plan import Plan, Slope, parse_ramp


def plan(**options: object) -> Plan:
    return Plan("sip:a@b", {}, ("600",), **options)  # type: ignore[arg-type]


def times(plan: Plan) -> list[float]:
    return [when for _, when in plan.arrivals()]


def test_a_constant_rate() -> None:
    made = plan(slopes=(Slope(10, 10, 2.0),))
    assert times(made) == pytest.approx([n / 10 for n in range(20)])
    assert made.duration == 2.0


def test_steps_and_slopes() -> None:
    made = plan(slopes=parse_ramp("10:1s, 0-20:2s,5:1s"))
    due = times(made)
    assert len(due) == 10 + 20 + 5
    assert [sum(n <= when < n + 1 for when in due) for n in range(4)] == [10, 5, 15, 5]
    assert due == sorted(due)


def test_limits_of_time_and_number() -> None:
    for_ever = (Slope(10, 10, math.inf),)
    assert len(times(plan(slopes=for_ever, seconds=3.0))) == 30
    assert len(times(plan(slopes=for_ever, calls=7))) == 7
    assert len(list(itertools.islice(plan(slopes=for_ever).arrivals(), 1000))) == 1000
    assert plan(slopes=for_ever).duration is None
    assert plan(slopes=for_ever, calls=7).duration == pytest.approx(0.7)
    assert plan(slopes=(Slope(10, 10, 2),), calls=1000, seconds=5).duration == 2.0
    assert plan(limit=5, seconds=3.0).duration == 3.0


def test_processes_share_all_calls() -> None:
    whole = plan(slopes=parse_ramp("7:3s"), limit=5, calls=19)
    parts = [plan(slopes=parse_ramp("7:3s"), limit=5, calls=19, processes=3, process=k) for k in range(3)]
    assert sorted(itertools.chain.from_iterable(part.arrivals() for part in parts)) == list(whole.arrivals())
    assert sum(part.own_limit for part in parts) == 5
    assert [part.own_calls for part in parts] == [7, 6, 6]


def test_chance_keeps_the_rate_and_is_the_same_for_all_processes() -> None:
    options: dict[str, object] = {"slopes": (Slope(100, 100, 50),), "chance": True, "seed": 4}
    due = times(plan(**options))
    gaps = [b - a for a, b in itertools.pairwise(due)]
    assert len(due) == pytest.approx(5000, rel=0.05)
    mean = sum(gaps) / len(gaps)
    assert math.sqrt(sum((g - mean) ** 2 for g in gaps) / len(gaps)) == pytest.approx(mean, rel=0.1)
    halves = [times(plan(**options, processes=2, process=k)) for k in (0, 1)]
    assert sorted(halves[0] + halves[1]) == due


def test_by_way_of_json() -> None:
    made = plan(slopes=(Slope(10, 10, math.inf),), script="hangup")
    assert Plan.of_dict(json.loads(json.dumps(made.as_dict()))) == made


@pytest.mark.parametrize(
    "text", ["", "10", "10:", "x:3s", "10:0s", "10:soon", "10-:3s", "10:3s,", "0:3s", "-1:3s"]
)
def test_bad_ramps(text: str) -> None:
    with pytest.raises(ConfigurationError, match="ramp"):
        parse_ramp(text)


def test_accounts_are_dealt_out_to_the_processes() -> None:
    others = tuple((f"sip:{name}@b", {"password": name}) for name in "cde")

    def own(processes: int) -> list[list[str]]:
        plans = (
            Plan("sip:a@b", {}, ("600",), others=others, processes=processes, process=k)
            for k in range(processes)
        )
        made = [Plan.of_dict(json.loads(json.dumps(plan.as_dict()))) for plan in plans]
        return [[uri[4] for uri, _ in plan.own_accounts] for plan in made]

    assert own(1) == [["a", "c", "d", "e"]]
    assert own(3) == [["a", "e"], ["c"], ["d"]]
    assert own(6) == [["a"], ["c"], ["d"], ["e"], ["a"], ["c"]]
