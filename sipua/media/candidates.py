"""Candidates of the peer that are worth a check (:rfc:`8445#section-5.1`)."""

from __future__ import annotations

import ipaddress
import re

__all__ = ["MAX_CANDIDATES", "is_usable"]

#: So many candidates of one medium are looked at (:rfc:`8445#section-6.1.2.5`): a description may hold a thousand,
#: and each is sent checks.
MAX_CANDIDATES = 100

_CANDIDATE = re.compile(
    r"(?:candidate:)?\S{1,64} +1 +udp +\d{1,10} +([0-9a-f.:]{2,45}) +(\d{1,5})"
    r" +typ +(?:host|srflx|prflx|relay)\b(?!.* (?:rport|generation) +(?!\d{1,9}(?: |$))).*",
    re.IGNORECASE,
)


def is_usable(candidate: str) -> bool:
    """Whether a candidate, with or without ``candidate:`` before it, can be paired.

    That is UDP, the component of RTP, an address instead of a name, and a port that exists: one that does not makes
    asyncio close the socket that something is to be sent from.
    """
    match = _CANDIDATE.fullmatch(candidate)
    if match is None or not 0 < int(match[2]) < 65536:
        return False
    try:
        ipaddress.ip_address(match[1])
    except ValueError:
        return False
    return True
