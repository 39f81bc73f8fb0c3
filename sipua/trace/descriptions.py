"""The offers and answers of a call, found in its messages (:rfc:`6337`), and what changed from one to another."""

from __future__ import annotations

import difflib
import itertools
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sipua.session.multipart import part_of
from sipua.sip import Request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sipua.sip import Response
    from sipua.trace.records import TracedMessage

__all__ = ["Change", "Description", "Descriptions", "compare"]

Role = Literal["offer", "answer"]
Change = tuple[Literal[" ", "-", "+"], str]
"""A line that is in both descriptions, in the earlier one only, or in the later one only."""


@dataclass(frozen=True, slots=True)
class Description:
    """One session description."""

    number: int
    """Counts those of the call, from 1."""
    role: Role
    direction: Literal["in", "out"]
    message: int
    """The index of the traced message that it came in."""
    sdp: str
    answers: Description | None = None
    """The offer that it is the answer to."""
    previous: Description | None = None
    """The last one of the same side."""


class Descriptions:
    """Collects those of one call, as one user agent saw it."""

    def __init__(self) -> None:
        self.found: list[Description] = []
        self._last: dict[str, Description] = {}
        # By sequence number and method of the transaction: its offer, and whether that is answered.
        self._offers: dict[tuple[int, str], Description] = {}
        self._answered: set[int] = set()

    def see(self, index: int, traced: TracedMessage, message: Request | Response) -> Description | None:
        """The description in this message; None: there is none, or it says again what another said."""
        sdp = _sdp(message)
        if sdp is None:
            return None
        transaction = (message.cseq.sequence, message.cseq.method)
        offer = self._offer_for(message, transaction)
        if offer is not None and offer.direction == traced.direction:
            return None  # the offer once more, such as in a provisional response and then in the 200
        if offer is not None and offer.number in self._answered and self._repeats(traced, sdp):
            return None
        last = self._last.get(traced.direction)
        role: Role = "offer" if offer is None else "answer"
        found = Description(len(self.found) + 1, role, traced.direction, index, sdp, offer, last)
        self.found.append(found)
        self._last[traced.direction] = found
        if offer is None:
            self._offers[transaction] = found
        else:
            self._answered.add(offer.number)
        return found

    def _offer_for(self, message: Request | Response, transaction: tuple[int, str]) -> Description | None:
        """The offer that a description in this message answers."""
        number, method = transaction
        if isinstance(message, Request):
            if method not in ("ACK", "PRACK"):
                return None
            if method == "ACK":
                return self._offers.get((number, "INVITE"))
            # A PRACK acknowledges some response to an INVITE: the last one that made an offer.
            offers = [offer for (_, of), offer in self._offers.items() if of == "INVITE"][-1:]
            return next((offer for offer in offers if offer.number not in self._answered), None)
        return self._offers.get(transaction)

    def _repeats(self, traced: TracedMessage, sdp: str) -> bool:
        last = self._last.get(traced.direction)
        return last is not None and last.sdp == sdp


def _sdp(message: Request | Response) -> str | None:
    body = part_of(message, "application/sdp")
    return body.decode(errors="replace") if body else None


def compare(earlier: str, later: str) -> list[Change]:
    """The lines of two descriptions, with those that were taken away and added; section by section.

    Attributes that only stand in another order are no change: it says nothing (:rfc:`8866#section-5.13`).
    """
    pairs = itertools.zip_longest(_sections(earlier), _sections(later), fillvalue=())
    return [change for before, after in pairs for change in _compare(before, _in_order_of(before, after))]


def _sections(sdp: str) -> list[list[str]]:
    """What is of the session, and of each medium."""
    sections: list[list[str]] = [[]]
    for line in sdp.splitlines():
        if line.startswith("m="):
            sections.append([])
        sections[-1].append(line)
    return sections


def _in_order_of(before: Sequence[str], after: Sequence[str]) -> list[str]:
    """`after`, with what is in both as `before` has it; what is new stays behind the line that it was behind."""
    both = Counter(before) & Counter(after)
    left = both.copy()
    behind: dict[tuple[str, int] | None, list[str]] = {}
    place: tuple[str, int] | None = None
    for line in after:
        if left[line] > 0:
            place = line, left[line]
            left[line] -= 1
        else:
            behind.setdefault(place, []).append(line)
    ordered = behind.get(None, [])
    for line in before:
        if both[line] > 0:
            ordered = [*ordered, line, *behind.get((line, both[line]), ())]
            both[line] -= 1
    return ordered


def _compare(before: Sequence[str], after: Sequence[str]) -> list[Change]:
    changes: list[Change] = []
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for _, left, left_end, right, right_end in matcher.get_opcodes():
        if before[left:left_end] == after[right:right_end]:
            changes += _lines(" ", before[left:left_end])
        else:
            changes += [*_lines("-", before[left:left_end]), *_lines("+", after[right:right_end])]
    return changes


def _lines(sign: Literal[" ", "-", "+"], lines: Sequence[str]) -> list[Change]:
    return [(sign, line) for line in lines]
