"""Which step of the negotiation failed: told where it happens, before the error goes its way."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sipua.media.interface import MediaStep

__all__ = ["StepWatch"]


class StepWatch:
    """Calls `failed` with the step and its error; without it, does nothing."""

    __slots__ = ("failed",)

    def __init__(self, failed: Callable[[MediaStep, Exception], None] | None = None) -> None:
        self.failed = failed

    @contextmanager
    def step(self, name: MediaStep) -> Iterator[None]:
        """What is done in this context is this step."""
        try:
            yield
        except Exception as error:
            if self.failed is not None:
                self.failed(name, error)
            raise
