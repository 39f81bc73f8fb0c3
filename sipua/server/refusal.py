"""How the parts of the server say no."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Refusal(Exception):
    """A request that is answered at once with a final response ≥ 300: code, phrase (None: the usual), headers."""

    def __init__(self, code: int, phrase: str | None = None, headers: Iterable[tuple[str, str]] = ()) -> None:
        super().__init__(code, phrase)
        self.code = code
        self.phrase = phrase
        self.headers = tuple(headers)
