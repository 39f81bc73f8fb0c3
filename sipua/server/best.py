"""Which of several responses goes back to the caller (:rfc:`3261#section-16.7`, steps 6 and 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sipua.sip import Response

_CHALLENGES = (401, 407)
_CHALLENGE_HEADERS = ("WWW-Authenticate", "Proxy-Authenticate")
# Within a class: first what tells the caller how to try again, last what only says that a client was not there.
_RANKS = {401: 0, 407: 0, 415: 1, 420: 1, 484: 1, 408: 3, 430: 4, 480: 3, 503: 3}
_USUAL = 2
# What means something else further up: 503 would be taken for the server's own state (RFC 3261 section 16.7),
# 430 is between proxies only (RFC 5626 section 5.3.1).
_TRANSLATED = {430: 480, 503: 500}


def best_response(responses: Sequence[Response]) -> Response:
    """The best of the final responses ≥ 300 of all branches; of equal ones the first that came."""
    return min(responses, key=_rank)


def _rank(response: Response) -> tuple[int, int]:
    status_class = response.code // 100
    return (0 if status_class == 6 else status_class, _RANKS.get(response.code, _USUAL))


def translated(code: int) -> int:
    """The status code to hand on instead of `code`."""
    return _TRANSLATED.get(code, code)


def collect_challenges(best: Response, responses: Sequence[Response]) -> None:
    """Put the challenges of all branches on a 401 or 407, for the caller to answer all at once."""
    if best.code not in _CHALLENGES:
        return
    for response in responses:
        if response is not best and response.code in _CHALLENGES:
            best.headers.copy_from(response.headers, *_CHALLENGE_HEADERS)
