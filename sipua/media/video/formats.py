"""The video m-line of session descriptions: which of them is taken, and what of it aiortc can use.

aiortc speaks VP8 and H.264 in packetization mode 1, baseline and constrained baseline.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiortc.sdp import H264Profile, parse_h264_profile_level_id

from sipua.media.description import attribute_name

if TYPE_CHECKING:
    from sipua.media.description import Description, Section

__all__ = [
    "NONE_ANSWERED",
    "NONE_OFFERED",
    "NONE_WANTED",
    "AnsweredVideo",
    "OfferedVideo",
    "VideoWish",
    "are_bundled",
    "find_video",
    "is_usable",
    "peer_of",
    "read_answer",
    "refused_in_offer",
    "settle_video_formats",
    "share_transport",
    "unbundle",
]

# What says where a medium goes; bundled m-lines have it in common (RFC 8843 section 7.1.3).
_PATH_ATTRIBUTES = (
    "ice-ufrag", "ice-pwd", "ice-options", "fingerprint", "setup", "candidate", "end-of-candidates", "rtcp-mux",
)  # fmt: skip
_H264_PROFILES = (H264Profile.PROFILE_BASELINE, H264Profile.PROFILE_CONSTRAINED_BASELINE)
_FEEDBACK = ("nack", "nack pli", "goog-remb")
# aiortc keeps its own number for a codec whose number is not one of these.
_DYNAMIC = range(96, 128)


@dataclass(frozen=True, slots=True)
class VideoWish:
    """What this side has of video, and wants, when an offer of the peer comes."""

    wanted: bool = False
    place: int | None = None
    """Where the video m-line of the call is; None: there was none yet."""
    mid: str | None = None
    """The name of the one that aiortc has, which must be in every description from then on; None: it has none."""


@dataclass(frozen=True, slots=True)
class OfferedVideo:
    """What an offer of the peer has of video, as far as this side takes it."""

    place: int | None = None
    """Where; None: none is taken."""
    mid: str = ""
    bundled: bool = True
    """Whether it goes where the audio goes."""
    peer: str | None = None
    """The ICE user name of a path of its own."""

    @property
    def live(self) -> bool:
        """Whether it is taken."""
        return self.place is not None


@dataclass(frozen=True, slots=True)
class AnsweredVideo:
    """What an answer of the peer has of the video that was offered to it."""

    place: int | None = None
    """Where; None: it is refused, or was not offered."""
    bundled: bool = True
    peer: str | None = None
    """The ICE user name of a path of its own."""

    @property
    def live(self) -> bool:
        """Whether it was accepted."""
        return self.place is not None


NONE_WANTED, NONE_OFFERED, NONE_ANSWERED = VideoWish(), OfferedVideo(), AnsweredVideo()


def find_video(description: Description, wish: VideoWish) -> int | None:
    """The place of the video m-line to take from an offer of the peer: that of before, if it is there; or a new one."""
    places = [i for i, section in enumerate(description.media) if section.kind == "video" and section.live]
    usable = [i for i in places if is_usable(description, i)]
    if not wish.wanted or not usable:
        return None
    return wish.place if wish.place in usable else usable[0]


def read_answer(description: Description, audio: int, place: int | None) -> AnsweredVideo:
    """What the peer says to the video that was offered in this `place` (None: none was)."""
    if place is None or place >= len(description.media):
        return AnsweredVideo()
    section = description.media[place]
    if section.kind != "video" or section.port == 0 or not _usable_formats(section):
        return AnsweredVideo()
    bundled = are_bundled(description, audio, place)
    if not bundled and not _is_secure(description, place):
        return AnsweredVideo()
    return AnsweredVideo(place, bundled, peer_of(description, place))


def peer_of(description: Description, index: int) -> str | None:
    """The ICE user name of who sends this m-line."""
    return description.media[index].get("ice-ufrag") or description.session.get("ice-ufrag")


def is_usable(description: Description, index: int) -> bool:
    """Whether the m-line has a format that aiortc speaks, and a secure transport: its own, or one of a bundle."""
    has_path = _is_secure(description, index) or _in_group(description, index)
    return has_path and bool(_usable_formats(description.media[index]))


def _is_secure(description: Description, index: int) -> bool:
    section, session = description.media[index], description.session
    return all(section.get(name) or session.get(name) for name in ("ice-ufrag", "ice-pwd", "fingerprint"))


def _in_group(description: Description, index: int) -> bool:
    mid = description.media[index].get("mid")
    return mid is not None and any(mid in group for group in _groups(description))


def _groups(description: Description) -> list[list[str]]:
    return [value.split()[1:] for value in description.session.all("group") if value.startswith("BUNDLE")]


def are_bundled(description: Description, first: int, second: int) -> bool:
    """Whether two m-lines use the same transport: a group says so, or they have all that makes one."""
    one, other = description.media[first], description.media[second]
    mids = {one.get("mid"), other.get("mid")}
    groups = _groups(description)
    if None not in mids:
        return any(mids <= {*group} for group in groups)
    # There are servers that put no mid into their answers.
    ufrags = {one.get("ice-ufrag"), other.get("ice-ufrag")} - {None}
    return any(len(group) > 1 for group in groups) or (len(ufrags) == 1 and one.port == other.port)


def share_transport(description: Description, audio: int, video: int) -> None:
    """Bundled m-lines have the transport of the first in the group, whatever else they say of one."""
    sections = description.media
    mids = {sections[i].get("mid"): i for i in (video, audio)}
    group = next((g for g in _groups(description) if len(g) > 1), [])
    tagged = next((mids[mid] for mid in group if mid in mids), audio)
    for other in (audio, video):
        if other == tagged:
            continue
        path = [line for line in sections[tagged].lines if attribute_name(line) in _PATH_ATTRIBUTES]
        if any(line.startswith("a=ice-ufrag:") for line in path):
            sections[other].drop(*_PATH_ATTRIBUTES)
            sections[other].lines += path


def unbundle(description: Description) -> None:
    """Only the first m-line is in the bundle: the others have transports of their own."""
    description.session.keep(lambda line: not line.startswith("a=group:"))
    description.session.lines.append(f"a=group:BUNDLE {description.media[0].get('mid')}")


def settle_video_formats(description: Description, offer: Description | None) -> None:
    """Formats that aiortc speaks stay, with retransmission (:rfc:`4588`) and the feedback it knows."""
    for section in description.media:
        if section.kind != "video":
            continue
        usable = _usable_formats(section)
        feedback = [value.split(None, 1) for value in section.all("rtcp-fb") if value]
        section.drop("rtpmap", "fmtp", "rtcp-fb")
        if not usable:
            continue
        section.formats = list(usable)
        for payload_type, (encoding, parameters) in usable.items():
            section.lines.append(f"a=rtpmap:{payload_type} {encoding}")
            known = (rest for number, *rest in feedback if number in (payload_type, "*"))
            values = dict.fromkeys(" ".join(rest[0].split()) for rest in known if rest)
            section.lines += [f"a=rtcp-fb:{payload_type} {value}" for value in values if value in _FEEDBACK]
            if parameters:
                section.lines.append(f"a=fmtp:{payload_type} {parameters}")


def _usable_formats(section: Section) -> dict[str, tuple[str, str]]:
    """Encoding and parameters of each payload type that can be used, in the order of the m-line."""
    maps = dict(value.split(None, 1) for value in section.all("rtpmap") if len(value.split(None, 1)) == 2)
    given = dict(value.split(None, 1) for value in section.all("fmtp") if len(value.split(None, 1)) == 2)
    fmtp = {number: _parameters(text) for number, text in given.items()}
    names = {n: "".join(maps.get(n, "").split()).lower() for n in section.formats if _is_dynamic(n)}
    usable: dict[str, tuple[str, str]] = {}
    for number, name in names.items():
        if name == "vp8/90000":
            usable[number] = ("VP8/90000", "")
        elif name == "h264/90000" and _speaks_h264(fmtp.get(number, {})):
            usable[number] = ("H264/90000", ";".join(f"{k}={v}" for k, v in _h264(fmtp[number]).items()))
    retransmitted = {}
    for number, name in names.items():
        base = fmtp.get(number, {}).get("apt", "")
        if name == "rtx/90000" and base in usable:
            retransmitted[number] = ("rtx/90000", f"apt={base}")
    return usable | retransmitted


def _is_dynamic(number: str) -> bool:
    return number.isdecimal() and int(number) in _DYNAMIC


def _parameters(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split(";"))
    return {name.strip().lower(): value.strip() for name, _, value in pairs if name.strip()}


def _h264(parameters: dict[str, str]) -> dict[str, str]:
    names = ("level-asymmetry-allowed", "packetization-mode", "profile-level-id")
    return {name: parameters[name] for name in names if name in parameters}


def _speaks_h264(parameters: dict[str, str]) -> bool:
    if parameters.get("packetization-mode") != "1":
        return False
    try:
        profile, _ = parse_h264_profile_level_id(parameters.get("profile-level-id", "42e01f"))
    except ValueError:
        return False
    return profile in _H264_PROFILES


def refused_in_offer(audio: Section, mid: str) -> Section:
    """What aiortc gets in the place of a video m-line that the peer's offer refuses, or that is not taken."""
    path = [line for line in audio.lines if attribute_name(line) in _PATH_ATTRIBUTES]
    section = type(audio)(["m=video 9 UDP/TLS/RTP/SAVPF 97", f"a=mid:{mid}", "a=inactive", *path])
    section.lines.append("a=rtpmap:97 VP8/90000")
    return section
