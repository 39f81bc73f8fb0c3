"""The choice among final responses (RFC 3261 section 16.7, step 6)."""

from __future__ import annotations

import pytest

from sipua.server.best import best_response, collect_challenges, translated
from sipua.sip import Response


@pytest.mark.parametrize(
    ("codes", "best"),
    [
        ([486], 486),
        ([486, 302], 302),
        ([486, 503, 500], 486),
        ([404, 603], 603),
        ([302, 600], 600),
        ([486, 404], 486),
        ([404, 486], 404),
        ([486, 401], 401),
        ([486, 407, 401], 407),
        ([480, 415], 415),
        ([415, 407], 407),
        ([408, 486], 486),
        ([480, 408, 430, 404], 404),
        ([430, 480], 480),
        ([430, 408], 408),
        ([503, 500], 500),
        ([503, 504], 504),
    ],
)
def test_best(codes: list[int], best: int) -> None:
    assert best_response([Response(code) for code in codes]).code == best


def test_what_means_something_else_further_up() -> None:
    assert [translated(code) for code in (430, 503, 486, 500, 603)] == [480, 500, 486, 500, 603]


def test_challenges_of_all_branches() -> None:
    responses = [
        Response(407, headers=[("Proxy-Authenticate", 'Digest realm="a", nonce="1"')]),
        Response(486, headers=[("WWW-Authenticate", 'Digest realm="no", nonce="0"')]),
        Response(
            401,
            headers=[
                ("WWW-Authenticate", 'Digest realm="b", nonce="2", algorithm=SHA-256'),
                ("WWW-Authenticate", 'Digest realm="b", nonce="2"'),
            ],
        ),
    ]
    best = best_response(responses)
    collect_challenges(best, responses)
    assert best is responses[0]
    assert [(name, value.split('"')[1]) for name, value in best.headers.items()] == [
        ("Proxy-Authenticate", "a"),
        ("WWW-Authenticate", "b"),
        ("WWW-Authenticate", "b"),
    ]


def test_a_refusal_gets_no_challenges() -> None:
    best = Response(603)
    collect_challenges(
        best, [best, Response(401, headers=[("WWW-Authenticate", 'Digest realm="a", nonce="1"')])]
    )
    assert len(best.headers) == 0
