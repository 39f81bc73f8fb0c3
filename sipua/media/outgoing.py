"""Our own descriptions on their way to the peer: what aiortc leaves out is put in.

A lasting session id with a version (:rfc:`3264#section-8`), an answer to every m-line of the offer, the
offer's own spelling of transport and mid, all that is to be said of the audio formats, only those candidates
that the application wants shown.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sipua.media.description import Description, Section, parse
from sipua.media.formats import complete
from sipua.media.interface import MediaOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from sipua.media.numbering import Numbering
    from sipua.media.sdp import RemoteOffer

__all__ = ["Outgoing"]


def _session_id() -> str:
    # 62 bits as in RFC 8829 section 5.2.1, and never 0.
    return str(secrets.randbits(62) | 1)


@dataclass(slots=True)
class Outgoing:
    """What makes the descriptions of one session a series: id, version, and the m-lines that were refused."""

    options: MediaOptions = field(default_factory=MediaOptions)
    session_id: str = field(default_factory=_session_id)
    version: int = 0
    index: int = 0
    """Where the audio m-line is."""
    refused: dict[int, str] = field(default_factory=dict)
    """The other m-lines by place, as they go into our offers."""
    _last: str = ""

    def offer(
        self,
        text: str,
        candidate_filter: Callable[[str], bool] | None = None,
        numbering: Numbering | None = None,
    ) -> str:
        """aiortc's offer as it is sent: with the m-lines refused before, which never go away again."""
        description = self._prepare(text, candidate_filter)
        audio = description.media[0]
        complete(audio, self.options, numbering=numbering)
        count = max([self.index, *self.refused], default=0) + 1
        description.media = [
            audio if i == self.index else parse(f"v=0\r\n{self.refused[i]}").media[0]
            for i in range(count)
            if i == self.index or i in self.refused
        ]
        return self._stamp(description)

    def answer(
        self, text: str, offer: RemoteOffer, candidate_filter: Callable[[str], bool] | None = None
    ) -> str:
        """aiortc's answer as it is sent: a line for each of the offer, spelled as the offer spells it."""
        description = self._prepare(text, candidate_filter)
        audio, offered = description.media[0], offer.original.media[offer.index]
        audio.lines[0] = " ".join([f"m=audio {audio.port}", offered.words[2], *audio.formats])
        complete(audio, self.options, offer=offered)
        mid = offered.get("mid")
        audio.drop("mid")
        if mid:
            audio.put("mid", mid)
        if not offered.has("rtcp-mux") and not offer.original.session.has("rtcp-mux"):
            audio.drop("rtcp-mux", "rtcp")
        description.session.keep(lambda line: not line.startswith("a=group:"))
        if mid and offer.original.session.has("group"):
            description.session.put("group", f"BUNDLE {mid}")
        self.index = offer.index
        self.refused = {i: _refusal(s) for i, s in enumerate(offer.original.media) if i != offer.index}
        description.media = [
            audio if i == offer.index else parse(f"v=0\r\n{self.refused[i]}").media[0]
            for i in range(len(offer.original.media))
        ]
        return self._stamp(description)

    def _prepare(self, text: str, candidate_filter: Callable[[str], bool] | None) -> Description:
        description = parse(text)
        audio = description.media[0]
        # One fingerprint is enough, and there are peers that take the last they see and know sha-256 only.
        audio.keep(lambda line: not line.startswith("a=fingerprint:") or "sha-256" in line)
        if candidate_filter is not None:
            audio.keep(lambda line: not line.startswith("a=candidate:") or candidate_filter(line[2:]))
            _move_to_first_candidate(audio)
        return description

    def _stamp(self, description: Description) -> str:
        """The version goes up by one with every change, and only then (:rfc:`3264#section-8`)."""
        description.session.keep(lambda line: not line.startswith("o="))
        body = str(description)
        if body != self._last:
            self._last = body
            self.version += 1
        description.session.lines.insert(1, f"o=- {self.session_id} {self.version} IN IP4 127.0.0.1")
        return str(description)


def _refusal(section: Section) -> str:
    mid = section.get("mid")
    lines = [f"m={section.kind} 0 {' '.join(section.words[2:])}", "c=IN IP4 0.0.0.0", "a=inactive"]
    return "\r\n".join(lines if mid is None else [*lines, f"a=mid:{mid}"]) + "\r\n"


def _move_to_first_candidate(section: Section) -> None:
    """The default address is that of a candidate (:rfc:`8839#section-4.2.1.2`), or none."""
    candidate = (section.get("candidate") or "").split()
    host, port = (candidate[4], candidate[5]) if len(candidate) > 5 else ("0.0.0.0", "9")
    section.lines[0] = " ".join(["m=" + section.kind, port, *section.words[2:]])
    family = "IP6" if ":" in host else "IP4"
    section.keep(lambda line: not line.startswith("c="))
    section.lines.insert(1, f"c=IN {family} {host}")
