"""When to do things again: refreshes well before the end, new tries after failures with growing pauses."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

    from sipua.sip import Response

#: Pauses between failed tries, in seconds: doubled each time, within these bounds (:rfc:`5626#section-4.5`).
RETRY_MIN, RETRY_MAX = 30.0, 1800.0
#: No pause is shorter, in seconds, whatever a peer asks for: of a peer that would like to be asked all the time there
#: is always one, and its mistake must not become a storm.
REFRESH_MIN, ASKED_MIN = 1.0, 5.0
#: Bounds the exponent, so that months of failures do not overflow.
_MAX_DOUBLINGS = 10
#: Answers after which trying again the same way makes no sense: the application or the user has to do something.
LASTING = frozenset({400, 401, 403, 404, 405, 406, 407, 410, 413, 414, 415, 416, 420, 482, 483, 484, 485, 489, 493, 501,
                     505, 600, 603, 604, 606})  # fmt: skip
#: Answers to a request in a dialog that mean that this usage of it is no more (:rfc:`5057#section-5.1`).
USAGE_GONE = frozenset({404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604})


def refresh_delay(expires: float, rand: random.Random) -> float:
    """Seconds until a refresh: between half of the lifetime and its last 32 s, and not everybody's at once."""
    latest = expires - 32.0 if expires > 64.0 else expires * 0.75
    return max(rand.uniform(expires / 2, latest), REFRESH_MIN)


class Backoff:
    """Pauses that grow with each failure."""

    def __init__(self, rand: random.Random) -> None:
        self._rand = rand
        self._failures = 0

    def reset(self) -> None:
        """It worked."""
        self._failures = 0

    def next(self, asked: float | None = None) -> float:
        """Seconds to wait after one more failure: a pause of our own, or what the peer asked for.

        The first time a peer may ask for less than our own pause, after that only for more.
        """
        self._failures += 1
        if asked is not None and self._failures == 1:
            return max(asked, ASKED_MIN)
        ceiling = min(RETRY_MIN * 2.0 ** min(self._failures - 1, _MAX_DOUBLINGS), RETRY_MAX)
        return max(self._rand.uniform(ceiling / 2, ceiling), asked or 0.0)


def asked_delay(response: Response | None) -> float | None:
    """The Retry-After of a response, in seconds (:rfc:`3261#section-20.33`); None without, or when it is malformed."""
    try:
        retry_after = response.retry_after if response is not None else None
    except ValueError:
        return None
    return float(retry_after.delay) if retry_after is not None else None
