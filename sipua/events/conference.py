"""Conferences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class MemberJoined:
    """A call has joined the conference; `member.call` is it."""

    member: Any


@dataclass(frozen=True, slots=True)
class MemberLeft:
    """A call has left the conference: it was asked to, or is over."""

    member: Any


@dataclass(frozen=True, slots=True)
class SpeakerChanged:
    """Another member is speaking now; None: nobody has been for 2 s."""

    member: Any
