"""What real peers send, made fit for aiortc.

aiortc reads what browsers write. Servers and other phones write a good deal more, and less. Each *mend*
below takes one such habit out of a description of the peer before aiortc sees it; `mend_offer` and
`mend_answer` apply them in order.

One audio m-line goes through, and one of video if that is wanted; the others are refused with port 0 on the way out
(see `outgoing`). In what aiortc sees, audio is the first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sipua.errors import MediaNegotiationError
from sipua.media import candidates
from sipua.media.description import Description, Section, attribute_name, parse
from sipua.media.formats import codec_names, encodings, is_usable
from sipua.media.interface import AUDIO_CODECS, DIRECTIONS
from sipua.media.video.formats import (
    NONE_ANSWERED,
    NONE_OFFERED,
    NONE_WANTED,
    AnsweredVideo,
    OfferedVideo,
    VideoWish,
    are_bundled,
    find_video,
    peer_of,
    refused_in_offer,
    settle_video_formats,
    share_transport,
    unbundle,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["AUDIO_CODECS", "RemoteOffer", "answer_rejected_sections", "mend_answer", "mend_offer"]

_FINGERPRINTS = ("sha-256", "sha-384", "sha-512")
_TRANSPORT_ATTRIBUTES = ("ice-ufrag", "ice-pwd", "ice-options", "fingerprint", "setup")
_FORMAT_ATTRIBUTES = ("rtpmap", "fmtp", "sctp-port", "max-message-size")


# Each takes the peer's description and, if that is an answer, our offer; and changes the former.


def spread_session_attributes(description: Description, offer: Description | None) -> None:
    """ICE and DTLS attributes and the direction at session level hold for every m-line without its own.

    ``a=ice-lite`` is the other way round: it counts for the whole session wherever it stands.
    """
    session = description.session
    for section in description.media:
        for name in _TRANSPORT_ATTRIBUTES:
            if not section.has(name):
                section.lines += [f"a={name}:{value}" for value in session.all(name)]
        if section.direction is None and session.direction is not None:
            section.lines.append(f"a={session.direction}")
        if not section.has("rtcp-mux") and session.has("rtcp-mux"):
            section.lines.append("a=rtcp-mux")
    if any(section.has("ice-lite") for section in description.media):
        session.put("ice-lite")
    session.drop(*_TRANSPORT_ATTRIBUTES, *DIRECTIONS)


def keep_first(description: Description, offer: Description | None) -> None:
    """Of what may be said once only, the first counts: aiortc goes by the last."""
    for section in description.media:
        for name in _ONCE:
            values = section.all(name)
            if len(values) > 1:
                section.put(name, values[0])


_ONCE = ("mid", "ice-ufrag", "ice-pwd", "setup")


def settle_mids(description: Description, offer: Description | None) -> None:
    """Every m-line has a mid of its own (:rfc:`5888#section-4`).

    In an answer it is that of the offer's m-line in the same place, whatever the peer wrote.
    """
    taken: set[str] = set()
    for index, section in enumerate(description.media):
        mid = section.get("mid") or str(index)
        if offer is not None and index < len(offer.media):
            mid = offer.media[index].get("mid") or str(index)
        while mid in taken:
            mid += f"-{index}"
        taken.add(mid)
        section.put("mid", mid)


def settle_bundle(description: Description, offer: Description | None) -> None:
    """One bundle of all live m-lines, since one transport is all that is used."""
    mids = [section.get("mid") or "" for section in description.media if section.live]
    description.session.keep(lambda line: not line.startswith("a=group:"))
    description.session.lines.append(f"a=group:BUNDLE {' '.join(mids)}")


def settle_direction(description: Description, offer: Description | None) -> None:
    """A missing direction is sendrecv (:rfc:`3264#section-5.1`)."""
    for section in description.media:
        direction = section.direction or "sendrecv"
        section.keep(lambda line: line[2:] not in DIRECTIONS)
        section.lines.append(f"a={direction}")


def settle_setup(description: Description, offer: Description | None) -> None:
    """Who starts DTLS. Missing or ``holdconn``: in an offer anybody, in an answer the peer.

    So does ``actpass`` in an answer, which is not allowed there (:rfc:`5763#section-5`) but sent. When the
    offer says which role this side has already, the peer has the other one.
    """
    for index, section in enumerate(description.media):
        value = section.get("setup")
        if offer is None:
            section.put("setup", value if value in ("active", "passive", "actpass") else "actpass")
            continue
        offered = offer.media[index].get("setup") if index < len(offer.media) else None
        if offered in ("active", "passive"):
            section.put("setup", "passive" if offered == "active" else "active")
        else:
            section.put("setup", value if value in ("active", "passive") else "active")


def settle_formats(description: Description, offer: Description | None) -> None:
    """Audio formats that can be spoken stay, each with an rtpmap; others go with all that is said about them.

    So aiortc never gets to know a payload type that it has no decoder for, such as telephone-event. What was
    said of the formats is read elsewhere (`formats.codecs_negotiated`).
    """
    for section in description.media:
        if section.kind != "audio":
            continue
        maps = {pt: name for pt, name in encodings(section).items() if is_usable(pt, name)}
        formats = [f for f in dict.fromkeys(section.formats) if f.isdecimal() and int(f) in maps]
        section.drop("rtpmap", "fmtp", "rtcp-fb", "ptime", "maxptime")
        if formats:
            section.formats = formats
            section.lines += [f"a=rtpmap:{f} {maps[int(f)]}" for f in formats]
        elif section.live:
            section.formats = ["0"]


def settle_candidates(description: Description, offer: Description | None) -> None:
    """Only candidates that can be paired stay: UDP, RTP component, an address, not too many.

    Candidates with a host name (mDNS) would hold up the negotiation while the name is looked up; their
    owner is found anyway when it checks from there. ``end-of-candidates`` is added where the peer does not
    trickle (or ICE would never give up), and removed where nothing is left to check yet.
    """
    for section in description.media:
        seen = list(filter(candidates.is_usable, section.all("candidate")))[: candidates.MAX_CANDIDATES]
        trickles = "trickle" in (section.get("ice-options") or "").split()
        section_ended = section.has("end-of-candidates")
        section.drop("candidate", "end-of-candidates")
        section.lines += [f"a=candidate:{value}" for value in seen]
        if seen and (section_ended or not trickles):
            section.lines.append("a=end-of-candidates")


def assume_rtcp_mux(description: Description, offer: Description | None) -> None:
    """aiortc has one port for RTP and RTCP. A peer that does not say rtcp-mux loses RTCP at worst."""
    for section in description.media:
        section.put("rtcp-mux")


def drop_unreadable(description: Description, offer: Description | None) -> None:
    """Of all lines, those stay that aiortc has a use for and can read.

    What goes without loss: ``c=`` with a host name or a TTL, ``a=rtcp`` with trailing blanks, ``b=``,
    ``a=crypto``, ``a=ssrc`` without an attribute. What is trimmed: the attributes of an extmap.
    """
    description.session.keep(
        lambda line: line[:2] in _SESSION_LINES or attribute_name(line) in _SESSION_ATTRIBUTES
    )
    for section in description.media:
        kind, _, protocol, *formats = section.words
        section.lines[0] = f"m={kind} {section.port} {protocol.upper()} {' '.join(formats)}"
        section.lines[1:] = [line for line in map(_readable, section.lines[1:]) if line]


_SESSION_LINES = ("v=", "o=", "s=", "t=")
_SESSION_ATTRIBUTES = ("group", "msid-semantic", "ice-lite")

# name → what aiortc can read of its value
_READABLE = {
    name: re.compile(pattern, re.IGNORECASE)
    for name, pattern in {
        "candidate": r".+",
        # What a header extension may have in a packet, and 15 is none (RFC 8285 sections 4.2, 4.3).
        "extmap": r"(?!15\b)(?:[1-9]|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])(?:/\w+)?\s+\S+",
        "fmtp": r"\d{1,3} \S.*",
        "fingerprint": r"\S+\s+[0-9a-f:]+",
        "ice-ufrag": r"\S+",
        "ice-pwd": r"\S+",
        "mid": r"\S+",
        "msid": r"\S+(?: \S+)?",
        "rtcp-fb": r"\d{1,3} \S.*",
        "rtpmap": r".+",
        "setup": r"active|passive|actpass",
        "ssrc": r"\d{1,10} \w+:\S.*",
        "ssrc-group": r"\w+(?: \d{1,10})+",
        "sctp-port": r"\d{1,5}",
        "max-message-size": r"\d{1,12}",
        "sctpmap": r"\d+ .+",
    }.items()
}
_FLAGS = ("rtcp-mux", "end-of-candidates", *DIRECTIONS)


def _readable(line: str) -> str | None:
    if not line.startswith("a="):
        return None
    name, _, value = line[2:].partition(":")
    if name in _FLAGS:
        return line
    pattern = _READABLE.get(name)
    match = pattern.match(value.strip()) if pattern else None
    return f"a={name}:{match[0]}" if match else None


def answer_rejected_sections(description: Description, offer: Description | None) -> None:
    """An m-line refused with port 0 becomes an inactive one inside the bundle.

    aiortc wants ICE and DTLS lines and the offered formats in every m-line of an answer. The transceiver of
    such an m-line must be made inactive too, or the next offer asks for it again.
    """
    if offer is None:
        return
    accepted = next((section for section in description.media if section.live), None)
    if accepted is None:
        return
    shared = (*_TRANSPORT_ATTRIBUTES, "candidate", "rtcp-mux")
    transport = [line for line in accepted.lines if attribute_name(line) in shared]
    for section, offered in zip(description.media, offer.media, strict=False):
        if not section.live:
            formats = [line for line in offered.lines if attribute_name(line) in _FORMAT_ATTRIBUTES]
            m_line = " ".join(["m=" + offered.kind, "9", *offered.words[2:]])
            mid = [f"a=mid:{section.get('mid')}", "a=inactive"]
            section.lines = [m_line, *mid, *transport, *formats]


_MENDS: tuple[Callable[[Description, Description | None], None], ...] = (
    keep_first,
    spread_session_attributes,
    settle_mids,
    settle_direction,
    settle_setup,
    settle_formats,
    settle_video_formats,
    settle_candidates,
    assume_rtcp_mux,
    drop_unreadable,
    settle_bundle,
)


# --- the peer's descriptions ------------------------------------------------------------------------------


@dataclass(slots=True)
class RemoteOffer:
    """A peer's offer, ready for aiortc."""

    sdp: str
    """With the audio m-line, and that of video if there is any."""
    original: Description
    """As it was received."""
    index: int
    """Where the audio m-line is in it."""
    video: OfferedVideo = NONE_OFFERED


def mend_offer(
    text: str,
    *,
    codecs: Sequence[str] | None = None,
    index: int | None = None,
    mid: str | None = None,
    video: VideoWish = NONE_WANTED,
) -> RemoteOffer:
    """Take the peer's offer.

    In a call that is up, `index` is the place of the audio m-line and `mid` its name in the first round:
    whatever the peer calls it now. Who started DTLS is settled then, too. Raises MediaNegotiationError when
    there is no audio that this side could answer.
    """
    original = parse(text)
    description = parse(text)
    places = range(len(description.media)) if index is None else [index]
    audio = [i for i in places if i < len(description.media) and description.media[i].kind == "audio"]
    chosen = next((i for i in audio if description.media[i].live), None)
    if chosen is None:
        kinds = ", ".join(dict.fromkeys(s.kind for s in original.media)) or "nothing"
        raise MediaNegotiationError(f"the offer has no audio to answer (it offers {kinds})")
    names = codec_names(description.media[chosen])
    place = find_video(description, video)
    bundled = place is None or are_bundled(original, chosen, place)
    if place is not None and bundled:
        share_transport(description, chosen, place)
    keep_first(description, None)
    settle_mids(description, None)
    description.media = [description.media[i] for i in (chosen, place) if i is not None]
    if mid is not None:
        description.media[0].put("mid", mid)
        for section in description.media:
            section.put("setup", "actpass")
    for mend in _MENDS:
        mend(description, None)
    _require_transport(description.media[0], "offer")
    _require_codec(description.media[0], names, codecs, "offer")
    taken = _with_video(description, place, bundled, video)
    return RemoteOffer(str(description), original, chosen, taken)


def _with_video(description: Description, place: int | None, bundled: bool, wish: VideoWish) -> OfferedVideo:
    """The second m-line of a mended offer, or what stands for it if aiortc must have one."""
    if place is None:
        if wish.mid is None:
            return OfferedVideo()
        description.media.append(refused_in_offer(description.media[0], wish.mid))
        settle_bundle(description, None)
        return OfferedVideo(mid=wish.mid)
    if not bundled:
        unbundle(description)
    return OfferedVideo(place, description.media[1].get("mid") or "", bundled, peer_of(description, 1))


def mend_answer(
    text: str,
    offer: str,
    *,
    codecs: Sequence[str] | None = None,
    index: int = 0,
    role: str | None = None,
    video: AnsweredVideo = NONE_ANSWERED,
) -> str:
    """Take the peer's answer to our `offer`, which aiortc made with the audio m-line, and perhaps one of video.

    `index` is the place of the audio in what was sent, `role` the ``active`` or ``passive`` that this side has
    been in DTLS before, `video` what `read_answer` says of it. Returns what aiortc gets. Raises
    MediaNegotiationError when audio is refused or cannot work.
    """
    description = parse(text)
    if index >= len(description.media) or description.media[index].kind != "audio":
        raise MediaNegotiationError("the answer has no audio line in the place of the offered one")
    section = description.media[index]
    if section.port == 0:
        raise MediaNegotiationError("the peer refused audio (port 0)")
    offered = parse(offer)
    if video.place is None:
        pictures = Section(["m=video 0 UDP/TLS/RTP/SAVPF 0"])
    else:
        pictures = description.media[video.place]
        if video.bundled:
            share_transport(description, index, video.place)
    description.media = [section, pictures][: len(offered.media)]
    names = codec_names(section)
    if role is not None:
        for one in offered.media[: 2 if video.bundled else 1]:
            one.put("setup", role)
    for mend in _MENDS:
        mend(description, offered)
    if video.place is None:
        answer_rejected_sections(description, offered)
        settle_bundle(description, offered)
    elif not video.bundled:
        unbundle(description)
    _require_transport(section, "answer")
    _require_codec(section, names, codecs, "answer")
    return str(description)


def _require_transport(section: Section, what: str) -> None:
    prints = [value.split()[0].lower() for value in section.all("fingerprint")]
    missing = "ICE credentials" if not (section.get("ice-ufrag") and section.get("ice-pwd")) else ""
    missing = missing or ("" if prints else "DTLS fingerprint")
    if missing:
        raise MediaNegotiationError(
            f"the {what} has no {missing} (its transport is {section.words[2]}):"
            " the peer must be set up for WebRTC"
        )
    if not any(algorithm in _FINGERPRINTS for algorithm in prints):
        raise MediaNegotiationError(
            f"the {what} has no fingerprint that can be checked: it has {', '.join(prints)}"
            f" and this side needs one of {', '.join(_FINGERPRINTS)}"
        )


def _require_codec(section: Section, names: list[str], codecs: Sequence[str] | None, what: str) -> None:
    wanted = AUDIO_CODECS if codecs is None else tuple(c.lower() for c in codecs)
    maps = [value.split()[1].partition("/")[0].lower() for value in section.all("rtpmap")]
    if not any(name in wanted for name in maps):
        raise MediaNegotiationError(
            f"no common codec: the {what} has {', '.join(names)}, this side {', '.join(wanted)}"
        )
