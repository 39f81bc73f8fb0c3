"""The choice among servers and the pauses, without a clock."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipua.transport.servers import Recovery


@dataclass(eq=False)
class Server:
    url: str
    weight: int = 0
    via_transport: str = "WS"


def recovery(*servers: Server, minimum: float = 2.0, maximum: float = 30.0, seed: int = 1) -> Recovery:
    return Recovery(servers, minimum, maximum, random.Random(seed))


def test_the_highest_weight_comes_first_and_each_server_once_a_round():
    low, high, middle = Server("low", 1), Server("high", 10), Server("middle", 5)
    choice = recovery(low, high, middle)
    tried = []
    for _ in range(3):
        pause, server = choice.next()
        assert pause == 0
        tried.append(server.url)
        choice.failed(server)
    assert tried == ["high", "middle", "low"]
    pause, server = choice.next()
    assert 2 <= pause <= 4
    assert server is high


def test_equals_are_chosen_at_random():
    servers = [Server("a"), Server("b"), Server("c")]
    first = Counter(recovery(*servers, seed=seed).next()[1].url for seed in range(300))
    assert set(first) == {"a", "b", "c"}
    assert min(first.values()) > 60


def test_asking_again_without_a_result_changes_nothing():
    choice = recovery(Server("a", 2), Server("b", 1))
    assert [choice.next()[1].url for _ in range(3)] == ["a", "a", "a"]


def test_pauses_grow_from_the_minimum_to_the_maximum():
    server = Server("only")
    limits = [4, 8, 16, 30, 30, 30]
    seen: list[list[float]] = [[] for _ in limits]
    for seed in range(200):
        choice = recovery(server, seed=seed)
        for pauses in seen:
            choice.failed(server)
            pauses.append(choice.next()[0])
    for pauses, limit in zip(seen, limits, strict=True):
        assert min(pauses) >= 2
        assert max(pauses) <= limit
        assert max(pauses) > 0.9 * limit


def test_months_of_failures_do_not_overflow():
    server = Server("only")
    choice = recovery(server)
    for _ in range(5000):
        choice.failed(server)
        assert 2 <= choice.next()[0] <= 30


def test_after_a_loss_the_others_come_at_once_and_the_lost_one_last():
    first, second = Server("first", 2), Server("second", 1)
    choice = recovery(first, second)
    choice.lost(first, up_for=100)
    assert choice.next() == (0, second)
    choice.failed(second)
    pause, server = choice.next()
    assert 2 <= pause <= 4
    assert server is first


def test_a_lost_server_does_not_come_back_into_an_old_round():
    first, second = Server("first", 2), Server("second", 1)
    choice = recovery(first, second)
    choice.failed(first)
    assert choice.next() == (0, second)
    choice.lost(second, up_for=100)
    assert choice.next() == (0, first)


def test_the_only_server_is_tried_again_promptly_after_a_loss():
    server = Server("only")
    pauses = []
    for seed in range(100):
        choice = recovery(server, seed=seed)
        choice.lost(server, up_for=2)
        pauses.append(choice.next()[0])
        choice.failed(server)
        assert 2 <= choice.next()[0] <= 4
    assert max(pauses) <= 1
    assert len(set(pauses)) == 100


def test_a_server_that_hangs_up_at_once_is_backed_off_from():
    server = Server("only")
    choice = recovery(server)
    for limit in (4, 8, 16):
        choice.lost(server, up_for=0.1)
        assert 2 <= choice.next()[0] <= limit


def test_a_connection_that_lasted_resets_the_pauses():
    server = Server("only")
    choice = recovery(server)
    for _ in range(10):
        choice.failed(server)
        choice.next()
    choice.lost(server, up_for=60)
    assert choice.next()[0] <= 1
    choice.failed(server)
    assert choice.next()[0] <= 4


def test_lasting_refusals_are_retried_slowly_unless_one_server_has_a_passing_trouble():
    bad, other = Server("bad", 1), Server("other")
    choice = recovery(bad, other)
    choice.failed(bad, lasting=True)
    choice.failed(other, lasting=True)
    assert 24 <= choice.next()[0] <= 30
    choice.failed(bad, lasting=True)
    choice.failed(other)
    assert 2 <= choice.next()[0] <= 4


@given(st.lists(st.integers(0, 3), min_size=1, max_size=5), st.integers(0, 1000), st.data())
def test_whatever_happens_there_is_a_server_and_a_pause_within_the_limits(weights, seed, data):
    servers = [Server(str(i), weight) for i, weight in enumerate(weights)]
    choice = recovery(*servers, seed=seed)
    for _ in range(30):
        pause, server = choice.next()
        assert 0 <= pause <= 30
        assert server in servers
        what = data.draw(st.sampled_from(["failed", "lasting", "lost", "short"]))
        if what == "lost":
            choice.lost(server, up_for=50)
        elif what == "short":
            choice.lost(server, up_for=0)
        else:
            choice.failed(server, lasting=what == "lasting")


@pytest.mark.parametrize("count", [1, 2, 5])
def test_no_round_has_a_pause_in_it(count):
    servers = [Server(str(i)) for i in range(count)]
    choice = recovery(*servers)
    for _ in range(4):
        pauses = []
        for _ in servers:
            pause, server = choice.next()
            pauses.append(pause)
            choice.failed(server)
        assert pauses[1:] == [0] * (count - 1)
