"""What a session description says of trickle ICE (:rfc:`8838`, :rfc:`8840`), and what is told after it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sipua.bodies import TrickleFragment, TrickleMedia
from sipua.media.description import Description, parse

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["fragment_of", "has_news", "mark", "trickles"]


def trickles(text: str) -> bool:
    """Whether a description says ``a=ice-options:trickle`` (:rfc:`8838#section-3`)."""
    return any("trickle" in line.split(":", 1)[1].split() for line in _OPTIONS.findall(text))


_OPTIONS = re.compile(r"^a=ice-options:[^\r\n]*", re.MULTILINE)


def mark(text: str, *, trickle: bool, complete: bool) -> str:
    """Our description as aiortc made it, saying whether we trickle, and that no more comes only if that is so."""
    description = parse(text)
    if trickle:
        description.session.lines.append("a=ice-options:trickle")
    if not complete:
        for section in description.media:
            section.drop("end-of-candidates")
    return str(description)


def fragment_of(text: str, candidates: Sequence[str], *, complete: bool, index: int = 0) -> TrickleFragment:
    """All `candidates` of the ICE generation of our description `text`; `index` is the m-line that has them."""
    description = parse(text)
    section = description.media[index]
    mux = ("rtcp-mux",) if section.has("rtcp-mux") else ()  # RFC 8840 section 6
    return TrickleFragment(
        (TrickleMedia(section.get("mid"), tuple(candidates), complete, section.kind, attributes=mux),),
        _of(description, "ice-ufrag", index),
        _of(description, "ice-pwd", index),
        attributes=tuple(f"group:{value}" for value in description.session.all("group")),
    )


def has_news(fragment: TrickleFragment, text: str) -> bool:
    """Whether the fragment says anything that our description `text` did not say."""
    lines = {line.strip() for line in text.splitlines()}
    return any(
        (media.is_complete and "a=end-of-candidates" not in lines)
        or any(f"a={candidate}" not in lines for candidate in media.candidates)
        for media in fragment.media
    )


def _of(description: Description, name: str, index: int) -> str | None:
    return description.media[index].get(name) or description.session.get(name)
