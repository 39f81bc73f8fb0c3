"""What a step of a script is, and the table of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sipua.script.ears import Sound
    from sipua.script.stage import Stage
    from sipua.script.words import Words

__all__ = ["STEPS", "Direction", "Step", "step"]

Direction = Literal["incoming", "outgoing"]

T = TypeVar("T", bound="type[Step]")

#: The kinds of steps by their first word, in the order of the documentation.
STEPS: dict[str, type[Step]] = {}


def step(kind: T) -> T:
    """Put a kind of step into the table."""
    STEPS[kind.usage.split()[0]] = kind
    return kind


class Step(ABC):
    """One step: made of its words, checked before a call begins, run in a call."""

    usage: ClassVar[str]
    """How it is written."""
    summary: ClassVar[str]
    """What it does, in one line."""
    only: Direction | None = None
    """Of which calls it can be a step; None: of all."""
    before_answer = False
    """Whether it belongs to the time before the answer."""
    any_time = False
    """Whether it may also come before the answer."""
    ends_call = False
    """Whether it ends the call: behind steps about the answer it does not wait for one."""
    needs_audio = False
    """Whether it is of no use in a call without sound."""
    sound: Sound | None = None
    """What it listens for."""
    wants_tones = False
    """Whether DTMF in the peer's sound counts, too."""

    line: int
    column: int
    text: str

    def __init__(self, words: Words) -> None:
        self.line, self.column, self.text = words.first.line, words.first.column, words.text

    def check(self, folder: Path) -> None:  # noqa: B027 - most have nothing that can be looked at before
        """Look at what can be looked at before there is a call, such as files.

        :raises SipuaError: something cannot be used.
        """

    @abstractmethod
    async def run(self, stage: Stage) -> None:
        """Carry it out.

        :raises SipuaError: it did not work.
        """


def sounds_of(steps: Iterable[Step]) -> list[Sound]:
    """What these steps listen for, each once."""
    return list(dict.fromkeys(step.sound for step in steps if step.sound is not None))
