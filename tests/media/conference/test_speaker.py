"""Who is speaking, by how loud everybody is."""

from __future__ import annotations

from sipua.media.conference.speaker import SpeakerWatch

QUIET, SOFT, LOUD = 1e-7, 1e-3, 1e-2


def run(watch: SpeakerWatch[str], ticks: int, **powers: float) -> list[str | None]:
    """The changes."""
    return [watch.speaker for _ in range(ticks) if watch.tick(powers.items())]


def test_the_first_one_and_then_nobody() -> None:
    watch: SpeakerWatch[str] = SpeakerWatch()
    assert run(watch, 100, a=QUIET, b=QUIET) == []
    assert run(watch, 50, a=SOFT, b=QUIET) == ["a"]
    assert run(watch, 90, a=0.0, b=0.0) == []
    assert run(watch, 100, a=0.0, b=0.0) == [None]


def test_who_is_clearly_louder_takes_over_after_a_while() -> None:
    watch: SpeakerWatch[str] = SpeakerWatch()
    run(watch, 50, a=SOFT, b=0.0)
    assert run(watch, 5, a=SOFT, b=LOUD) == []
    assert run(watch, 5, a=SOFT, b=0.0) == []
    assert run(watch, 500, a=SOFT, b=2 * SOFT) == []
    assert run(watch, 50, a=SOFT, b=LOUD) == ["b"]


def test_the_speaker_leaves() -> None:
    watch: SpeakerWatch[str] = SpeakerWatch()
    run(watch, 50, a=LOUD, b=SOFT)
    assert not watch.forget("b")
    assert watch.forget("a")
    assert watch.speaker is None
    assert run(watch, 50, b=SOFT) == ["b"]
    assert run(watch, 1, c=0.0) == [None]
    assert run(watch, 1) == []
