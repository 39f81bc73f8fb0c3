"""A delay that is too long is made shorter in pauses, in the beginning, and else only when it lasts or is great."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sipua.media.engine.correction import Correction
from tests.media.engine.test_conceal import tone

RATE = 8000
FRAME = 320
SPEECH = tone(RATE, 0.04, pitch=125.0)
QUIET = np.random.default_rng(1).normal(0, 150, FRAME).astype("<i2").tobytes()


def asked(correction: Correction, frames: list[bytes], excess: float, start: float = 100.0) -> list[bool]:
    return [
        correction.may_shorten(frame, [SPEECH[:FRAME]], excess, start + n * 0.02)
        for n, frame in enumerate(frames)
    ]


def test_a_little_too_long_waits_for_a_pause_in_speech() -> None:
    answers = asked(Correction(), [SPEECH[:FRAME]] * 50 + [QUIET[:FRAME]], 0.02)
    assert not any(answers[:-1])
    assert answers[-1]


def test_three_seconds_are_long_enough_and_short_interruptions_do_not_count() -> None:
    correction = Correction()
    assert not any(asked(correction, [SPEECH[:FRAME]] * 100, 0.02))
    # Right for half a second in between.
    assert not any(asked(correction, [SPEECH[:FRAME]] * 20, 0.02, start=102.5))
    assert all(asked(correction, [SPEECH[:FRAME]] * 10, 0.02, start=103.02)[1:])
    # Right for two seconds: it begins anew.
    assert not any(asked(correction, [SPEECH[:FRAME]] * 100, 0.02, start=106.0))


def test_far_too_long_is_made_shorter_at_once_but_for_one_late_pull() -> None:
    assert asked(Correction(), [SPEECH[:FRAME]] * 3, 0.06) == [False, True, True]


def test_a_stream_that_begins_is_put_right_in_one_step() -> None:
    correction = Correction()
    correction.begin(100.0)
    assert asked(correction, [SPEECH[:FRAME]] * 2, 0.02) == [False, True]
    shorter = correction.shorten(SPEECH, RATE, 0.02, 100.02)
    assert len(SPEECH) - len(shorter) == FRAME
    assert correction.compressed == 160
    # No click: as smooth as it was.
    steps = [np.abs(np.diff(np.frombuffer(pcm, "<i2").astype(float))).max() for pcm in (SPEECH, shorter)]
    assert steps[1] < 1.5 * steps[0]


def test_later_on_speech_loses_a_period_only() -> None:
    correction = Correction()
    shorter = correction.shorten(SPEECH, RATE, 0.02, 100.0)
    assert len(SPEECH) - len(shorter) == 2 * RATE // 125
    assert correction.next > 100.0


def test_a_delay_that_is_too_short_is_made_longer_at_once() -> None:
    correction = Correction()
    longer = correction.lengthen(SPEECH, RATE, 0.02, 100.0)
    assert correction.stretched == (len(longer) - len(SPEECH)) // 2 == RATE // 125


@pytest.mark.parametrize("frame", [b"", bytes(FRAME)])
def test_silence_is_quiet_whatever_was_before(frame: bytes) -> None:
    correction = Correction()
    assert not correction.may_shorten(frame, [], 0.02, 1.0)
    assert correction.may_shorten(frame, [], 0.02, 1.02)
    assert not math.isnan(correction.next)
