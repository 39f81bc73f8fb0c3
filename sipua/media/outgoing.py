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


_NO_VIDEO = "m=video 0 UDP/TLS/RTP/SAVPF 97"


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
    video: int | None = None
    """Where the video m-line is, since it was agreed on first: refused again, it keeps its place."""
    refused: dict[int, str] = field(default_factory=dict)
    """The other m-lines by place, as they go into our offers."""
    _last: str = ""

    @property
    def video_place(self) -> int:
        """Where the video m-line goes in an offer of ours: where one was refused, or after all others."""
        if self.video is not None:
            return self.video
        refused = (place for place, line in self.refused.items() if line.startswith("m=video "))
        return next(refused, max([self.index, *self.refused]) + 1)

    @property
    def refused_mids(self) -> list[str]:
        """The names of the m-lines that were refused, but for one of video that may be used again."""
        lines = (line for place, line in self.refused.items() if place != self.video_place)
        return [mid for line in lines if (mid := parse(f"v=0\r\n{line}").media[0].get("mid"))]

    def offer(
        self,
        text: str,
        candidate_filter: Callable[[str], bool] | None = None,
        numbering: Numbering | None = None,
        *,
        video: bool = True,
    ) -> str:
        """aiortc's offer as it is sent: with the m-lines refused before, which never go away again.

        Without `video`, a video m-line of aiortc's is refused as well.
        """
        description = self._prepare(text, candidate_filter)
        complete(description.media[0], self.options, numbering=numbering)
        places = {i: parse(f"v=0\r\n{line}").media[0] for i, line in self.refused.items()}
        places[self.index] = description.media[0]
        pictures = next(iter(description.media[1:]), None)
        if pictures is not None and video:
            places[self.video_place] = pictures
        else:
            if pictures is not None:
                _leave_bundle(description, pictures)
            if self.video is not None:
                places[self.video] = parse(f"v=0\r\n{_refusal(pictures or Section([_NO_VIDEO]))}").media[0]
        description.media = [places[i] for i in sorted(places)]
        return self._stamp(description)

    def answer(
        self, text: str, offer: RemoteOffer, candidate_filter: Callable[[str], bool] | None = None
    ) -> str:
        """aiortc's answer as it is sent: a line for each of the offer, spelled as the offer spells it."""
        description = self._prepare(text, candidate_filter)
        taken = {offer.index: description.media[0]}
        if offer.video.place is not None:
            taken[offer.video.place] = description.media[1]
        for place, section in taken.items():
            _spell(section, offer.original.media[place], offer.original)
        complete(description.media[0], self.options, offer=offer.original.media[offer.index])
        description.session.keep(lambda line: not line.startswith("a=group:"))
        bundled = [i for i in taken if i == offer.index or offer.video.bundled]
        mids = {mid for i in bundled if (mid := taken[i].get("mid"))}
        group = _in_the_order_of(offer.original.session.all("group"), mids)
        if group:
            description.session.put("group", f"BUNDLE {' '.join(group)}")
        self.index = offer.index
        if offer.video.place is not None:
            self.video = offer.video.place
        self.refused = {i: _refusal(s) for i, s in enumerate(offer.original.media) if i not in taken}
        description.media = [
            taken[i] if i in taken else parse(f"v=0\r\n{self.refused[i]}").media[0]
            for i in range(len(offer.original.media))
        ]
        return self._stamp(description)

    def agreed(self, *, offered_video: bool) -> None:
        """The peer has answered our last offer: what was in it keeps its place."""
        if offered_video and self.video is None:
            self.video = self.video_place

    def _prepare(self, text: str, candidate_filter: Callable[[str], bool] | None) -> Description:
        description = parse(text)
        for section in description.media:
            # One fingerprint is enough, and there are peers that take the last they see and know sha-256 only.
            section.keep(lambda line: not line.startswith("a=fingerprint:") or "sha-256" in line)
            if candidate_filter is not None:
                section.keep(lambda line: not line.startswith("a=candidate:") or candidate_filter(line[2:]))
                _move_to_first_candidate(section)
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


def _spell(section: Section, offered: Section, offer: Description) -> None:
    """Protocol, name and rtcp-mux of a line in our answer are those that the offer has."""
    section.lines[0] = " ".join([f"m={section.kind} {section.port}", offered.words[2], *section.formats])
    mid = offered.get("mid")
    section.drop("mid")
    if mid:
        section.put("mid", mid)
    if not offered.has("rtcp-mux") and not offer.session.has("rtcp-mux"):
        section.drop("rtcp-mux", "rtcp")


def _in_the_order_of(groups: list[str], mids: set[str]) -> list[str]:
    """The bundle of an answer begins with the m-line that the offer's begins with (:rfc:`8843#section-7.3.1`)."""
    offered = [mid for group in groups if group.startswith("BUNDLE") for mid in group.split()[1:]]
    known = [mid for mid in offered if mid in mids]
    return (known or sorted(mids)) if groups else []


def _leave_bundle(description: Description, section: Section) -> None:
    mid = section.get("mid")
    groups = [[word for word in group.split() if word != mid] for group in description.session.all("group")]
    description.session.drop("group")
    description.session.lines += [f"a=group:{' '.join(group)}" for group in groups if len(group) > 1]


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
