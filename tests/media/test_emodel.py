"""The E-model against what the recommendations themselves say of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipua.media.emodel import (
    CodecQuality,
    Connection,
    Model,
    burst_ratio,
    codec_quality,
    delay_impairment,
    effective_impairment,
    estimate,
    mos,
    rating,
)

CODECS = [
    codec
    for codec in (
        codec_quality("PCMU"),
        codec_quality("pcma"),
        codec_quality("G722"),
        codec_quality("opus"),
        codec_quality("opus", 20000),
        codec_quality("opus", None, 16000),
        codec_quality("opus", 8000),
    )
    if codec is not None
]


def test_default_values_give_the_rating_of_the_recommendation() -> None:
    # G.107, 7.7: with all default values R is 93.2, which annex B makes a MOS of 4.41.
    assert rating(Connection()) == pytest.approx(93.2, abs=0.05)
    assert mos(rating(Connection())) == pytest.approx(4.41, abs=0.005)


@pytest.mark.parametrize(("r", "score"), [(90, 4.34), (80, 4.03), (70, 3.60), (60, 3.10), (50, 2.58)])
def test_opinion_of_the_limits_of_the_categories(r: float, score: float) -> None:
    # G.107, table B.1.
    assert mos(r) == pytest.approx(score, abs=0.01)


def test_opinion_has_bounds() -> None:
    assert (mos(-20), mos(0), mos(5), mos(100), mos(130)) == (1.0, 1.0, 1.0, 4.5, 4.5)


@pytest.mark.parametrize(("ta", "idd"), [(0, 0), (100, 0), (150, 0.2), (200, 3.0), (300, 14.8), (400, 24.1)])
def test_delay(ta: float, idd: float) -> None:
    assert delay_impairment(ta) == pytest.approx(idd, abs=0.05)


def test_codec_of_g729_without_loss() -> None:
    # G.113, table I.1: Ie of G.729A is 11, and nothing else is added.
    assert rating(Connection()) - rating(Connection(ie=11)) == pytest.approx(11)


def test_loss_of_half_of_everything_that_is_left() -> None:
    # Ppl equal to Bpl takes half of the way from Ie to 95.
    assert effective_impairment(11, 19, 19) == pytest.approx((11 + 95) / 2)
    assert effective_impairment(11, 19, 0) == 11


def test_echo_is_worse_the_later_it_comes() -> None:
    near = [rating(Connection(t=t, ta=t, tr=2 * t, telr=45)) for t in (0, 10, 50, 100, 200)]
    assert near == sorted(near, reverse=True)
    assert rating(Connection(t=100, ta=100, tr=200, telr=35)) < rating(Connection(t=100, ta=100, tr=200))


def test_sidetone_of_other_telephones() -> None:
    # Too loud a sidetone disturbs, and what there is of it hides some echo.
    assert rating(Connection(stmr=5)) < rating(Connection())
    assert rating(Connection(stmr=25, t=50)) < rating(Connection(stmr=20, t=50))
    assert rating(Connection(stmr=8, t=50, telr=40)) > rating(Connection(stmr=8, t=50, telr=30))


def test_noise_and_loudness() -> None:
    assert rating(Connection(ps=60)) < rating(Connection())
    assert rating(Connection(pr=60)) < rating(Connection())
    assert rating(Connection(slr=20)) < rating(Connection())
    assert rating(Connection(qdu=4)) < rating(Connection())
    assert rating(Connection(a=5)) == pytest.approx(rating(Connection()) + 5)


@pytest.mark.parametrize(
    ("lost", "bursts", "expected", "ratio"),
    [
        (0, 0, 1000, 1.0),
        (50, 50, 1000, 1.0),  # never two in a row: no less than at random
        (50, 10, 1000, 4.75),
        (90, 3, 1000, 8.0),
        (100, 1, 100, 1.0),  # nothing came: there is no pattern
    ],
)
def test_burst_ratio(lost: int, bursts: int, expected: int, ratio: float) -> None:
    assert burst_ratio(lost, bursts, expected) == pytest.approx(ratio)


def test_codecs() -> None:
    assert codec_quality("speex") is None
    assert codec_quality("PCMU") == CodecQuality("G.107", 0.0, 25.1)
    assert codec_quality("g722") == CodecQuality("G.107.1", 13.0, 4.3)
    wide, narrow = codec_quality("opus", sample_rate=16000), codec_quality("opus", sample_rate=8000)
    assert wide is not None
    assert narrow is not None
    assert (wide.model, narrow.model) == ("G.107.1", "G.107")
    # Between two bit rates of the table, and beyond its ends.
    between = codec_quality("opus", 20500)
    assert between is not None
    assert (between.ie, between.bpl) == pytest.approx((22.015, 10.57))
    assert codec_quality("opus", 510000) == codec_quality("opus")
    assert codec_quality("opus", 500) == codec_quality("opus", 6000)
    bad = codec_quality("opus", 14000)
    best = codec_quality("opus")
    assert bad is not None
    assert best is not None
    assert bad.ie > best.ie


def test_scales_of_wider_bandwidths_are_longer() -> None:
    perfect = [
        estimate(CodecQuality(model, 0.0, 10.0), delay=0, loss=0) for model in ("G.107", "G.107.1", "G.107.2")
    ]
    assert [round(r, 1) for r, _ in perfect] == [93.2, 129.0, 148.0]
    assert [score for _, score in perfect][1:] == [4.5, 4.5]


@pytest.mark.parametrize(("model", "scale"), [("G.107", 1.0), ("G.107.1", 1.29), ("G.107.2", 1.48)])
def test_delay_costs_as_much_of_each_scale(model: Model, scale: float) -> None:
    codec = CodecQuality(model, 0.0, 10.0)
    lost = estimate(codec, delay=0, loss=0)[0] - estimate(codec, delay=200, loss=0)[0]
    assert lost == pytest.approx(scale * 3.0444, abs=1e-3)


@pytest.mark.parametrize(
    ("ie", "bpl", "loss", "r", "score"),
    [
        (13.0, 4.3, 0.0, 116.0, 4.3371),
        (20.0, 4.3, 2.0, 85.1905, 3.4062),
        (0.0, 4.3, 0.0, 129.0, 4.5),
        (41.0, 4.3, 0.0, 88.0, 3.5123),
    ],
)
def test_wideband(ie: float, bpl: float, loss: float, r: float, score: float) -> None:
    # G.107.1, equations 7-1 and 7-15, annex A.
    assert estimate(CodecQuality("G.107.1", ie, bpl), delay=0, loss=loss) == pytest.approx(
        (r, score), abs=1e-3
    )


def test_fullband() -> None:
    # G.107.2, 7.1 and 7.5, with the codec EVS at 48 kbit/s of G.113, table V.1.
    evs = CodecQuality("G.107.2", 10.2, 9.6)
    assert estimate(evs, delay=0, loss=0)[0] == pytest.approx(137.8)
    assert estimate(evs, delay=0, loss=9.6)[0] == pytest.approx(148 - (10.2 + 132) / 2)


@given(
    codec=st.sampled_from(CODECS),
    delay=st.floats(0, 2000),
    more_delay=st.floats(0, 500),
    loss=st.floats(0, 100),
    more_loss=st.floats(0, 50),
    burst=st.floats(1, 8),
)
def test_more_trouble_never_sounds_better(
    codec: CodecQuality, delay: float, more_delay: float, loss: float, more_loss: float, burst: float
) -> None:
    r, score = estimate(codec, delay=delay, loss=loss, burst=burst)
    assert 1.0 <= score <= 4.5
    for other in (
        estimate(codec, delay=delay + more_delay, loss=loss, burst=burst),
        estimate(codec, delay=delay, loss=loss + more_loss, burst=burst),
        estimate(codec, delay=delay, loss=loss, burst=burst + 1),
    ):
        assert other[0] <= r + 1e-9
        assert other[1] <= score + 1e-9
