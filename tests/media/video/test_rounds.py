"""Rounds of offers and answers at random, of audio and video: what must be true after each."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sipua.media.description import parse
from sipua.media.interface import DIRECTIONS, Direction, MediaOptions, MediaSession
from sipua.media.signalling import SignallingOnlyMedia
from sipua.testing import run_realtime, run_simulated
from tests.media.calls import media

if TYPE_CHECKING:
    from collections.abc import Callable

Round = tuple[
    Literal["agree", "roll back", "restart", "refuse as servers do", "without bundle"],
    bool,
    Direction | None,
    Direction | None,
]

KINDS = st.sampled_from(["agree", "agree", "roll back", "restart", "refuse as servers do", "without bundle"])
WISHES = st.one_of(st.none(), st.sampled_from(DIRECTIONS))
ROUNDS = st.lists(st.tuples(KINDS, st.booleans(), WISHES, WISHES), max_size=8)


def shape(description: str) -> list[tuple[str, bool]]:
    return [(section.kind, section.port > 0) for section in parse(description).media]


def plain_refusal(answer: str) -> str:
    """Video refused with nothing but port 0."""
    head, found, _ = answer.partition("m=video")
    return f"{head}m=video 0 UDP/TLS/RTP/SAVPF 97\r\n" if found else answer


def unbundled(description: str) -> str:
    return "".join(line for line in description.splitlines(keepends=True) if not line.startswith("a=group:"))


async def play(rounds: list[Round], make: Callable[[], MediaSession]) -> None:
    ends = make(), make()
    lines: list[str] = []
    try:
        for kind, swap, wish, other_wish in [("agree", False, None, None), *rounds]:
            one, other = reversed(ends) if swap else ends
            one.video_direction, other.video_direction = wish, other_wish
            before = one.local_description
            offer = await one.create_offer(ice_restart=kind == "restart")
            assert [k for k, _ in shape(offer)][: len(lines)] == lines
            assert dict(shape(offer)).get("video", False) is (wish is not None)
            if kind == "roll back":
                await one.rollback()
                assert one.local_description == before
                continue
            sent = unbundled(offer) if kind == "without bundle" else offer
            answer = await other.create_answer(sent)
            assert [k for k, _ in shape(answer)] == [k for k, _ in shape(offer)]
            agreed = wish is not None and other_wish is not None
            assert other.has_video is agreed
            if kind == "refuse as servers do":
                answer, agreed = plain_refusal(answer), False
            await one.apply_answer(answer)
            assert one.has_video is agreed
            lines = [k for k, _ in shape(offer)]
            assert lines.count("video") <= 1
            for end in ends:
                payload_types = [
                    f for s in parse(end.local_description or "").media if s.port for f in s.formats
                ]
                assert len(payload_types) == len(set(payload_types))
    finally:
        await asyncio.gather(*(end.close() for end in ends))


@settings(max_examples=200)
@given(ROUNDS)
def test_signalling_only(rounds: list[Round]) -> None:
    run_simulated(play(rounds, lambda: SignallingOnlyMedia(MediaOptions())))


@pytest.mark.realtime
@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@given(ROUNDS)
def test_with_aiortc(rounds: list[Round]) -> None:
    run_realtime(play(rounds, media))
