"""Branches, tags and Call-IDs that nobody else has."""

from __future__ import annotations

import random

MAGIC_COOKIE = "z9hG4bK"
"What every branch of :rfc:`3261#section-8.1.1.7` begins with."

_system = random.SystemRandom()


def new_branch(rand: random.Random | None = None) -> str:
    """A branch for a new transaction: the cookie and 72 random bits."""
    return f"{MAGIC_COOKIE}{(rand or _system).getrandbits(72):018x}"


def new_tag(rand: random.Random | None = None) -> str:
    """A tag for From or To: 64 random bits (:rfc:`3261#section-19.3` asks for 32)."""
    return f"{(rand or _system).getrandbits(64):016x}"


def new_call_id(rand: random.Random | None = None) -> str:
    """A Call-ID: 128 random bits, and no host that would tell where it comes from."""
    return f"{(rand or _system).getrandbits(128):032x}"
