"""Hold: putting the peer on hold, and knowing when it does so (:rfc:`3264#section-8.4`, :rfc:`6337#section-5.3`)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

from sipua import events

if TYPE_CHECKING:
    from sipua.media.interface import AudioSource, Direction
    from sipua.session.session import RTCSession

_DIRECTIONS: dict[tuple[bool, bool], Direction] = {
    (True, True): "sendrecv",
    (True, False): "sendonly",
    (False, True): "recvonly",
    (False, False): "inactive",
}
_DIRECTION = re.compile(r"^a=(sendrecv|sendonly|recvonly|inactive)\s*$", re.MULTILINE)
_ADDRESS = re.compile(r"^c=IN\s+IP[46]\s+(\S+)", re.MULTILINE)
_NOWHERE = ("0.0.0.0", "::")
#: Without any of these in it, a description holds nobody.
_SIGNS = ("a=sendonly", "a=inactive", "c=IN IP4 0.0.0.0", "c=IN IP6 ::")


class Medium(NamedTuple):
    """One medium of a description, as far as hold goes."""

    kind: str
    refused: bool
    direction: Direction
    to_nowhere: bool
    """The connection address is the old sign for hold (:rfc:`2543#appendix-B.5`)."""

    @property
    def receives(self) -> bool:
        """Whether whoever wrote the description wants to get anything."""
        return self.direction in ("sendrecv", "recvonly") and not self.to_nowhere

    @property
    def sends(self) -> bool:
        """Whether it wants to send something."""
        return self.direction in ("sendrecv", "sendonly")


def media_of(sdp: str) -> list[Medium]:
    """The media of a description, in their order."""
    head, *sections = re.split(r"^(?=m=)", sdp.replace("\r\n", "\n"), flags=re.MULTILINE)
    direction, address = _first(_DIRECTION, head), _first(_ADDRESS, head)
    found = []
    for section in sections:
        kind, port = (*section[2:].split(None, 2), "0", "0")[:2]
        refused = port.partition("/")[0] == "0" and "a=bundle-only" not in section
        # Port 9 at 0.0.0.0 with ICE says only that candidates come later (RFC 8840 §4.1.3).
        trickling = port == "9" and "a=ice-ufrag:" in sdp
        nowhere = (_first(_ADDRESS, section) or address) in _NOWHERE and not trickling
        own = cast("Direction", _first(_DIRECTION, section) or direction or "sendrecv")
        found.append(Medium(kind, refused, own, nowhere))
    return found


def _first(pattern: re.Pattern[str], text: str) -> str | None:
    match = pattern.search(text)
    return match[1] if match is not None else None


def holds(sdp: str) -> bool:
    """Whether the writer of this description puts us on hold: there are media, and it wants to receive none."""
    if not any(sign in sdp for sign in _SIGNS):
        return False
    media = [medium for medium in media_of(sdp) if not medium.refused]
    return bool(media) and not any(medium.receives for medium in media)


def directions(session: RTCSession) -> dict[str, Direction]:
    """What was agreed of each medium, seen from this side (:rfc:`3264#section-6.1`); no medium that is refused."""
    agreed = session._media.agreed_descriptions if session._media is not None else None
    if agreed is None:
        return {}
    found: dict[str, Direction] = {}
    for ours, theirs in zip(*map(media_of, agreed), strict=False):
        if not (ours.refused or theirs.refused):
            sends, receives = ours.sends and theirs.receives, ours.receives and theirs.sends
            found.setdefault(ours.kind, _DIRECTIONS[sends, receives])
    return found


def heard(
    session: RTCSession, kind: Literal["offer", "answer"], sdp: str, offered: Direction = "sendrecv"
) -> None:
    """A description of the peer is in force: find out whether it holds us, and tell when that has changed.

    An answer can say so only about what we `offered` to send.
    """
    renegotiation = session._renegotiation
    renegotiation.heard = True
    if session.is_ended() or (kind == "answer" and offered not in ("sendrecv", "sendonly")):
        return
    held = holds(sdp)
    if held != renegotiation.remote_hold:
        renegotiation.remote_hold = held
        session.emit("hold" if held else "unhold", events.Hold("remote"))


def first(session: RTCSession, kind: Literal["offer", "answer"]) -> None:
    """The call is up: what the peer's first description says, unless there was another since."""
    media = session._media
    if media is not None and media.remote_description and not session._renegotiation.heard:
        heard(session, kind, media.remote_description, media.options.direction)


def begin_music(session: RTCSession, music: AudioSource) -> None:
    """What the peer hears in the hold that is about to be, or in the one that is."""
    renegotiation, audio = session._renegotiation, session.audio
    if renegotiation.music is None:
        renegotiation.music = (audio.hold_music,)
    audio.hold_music = music


def end_music(session: RTCSession) -> None:
    """Music of its own is for one hold, unless that goes on."""
    renegotiation, media = session._renegotiation, session._media
    if renegotiation.music is not None and not renegotiation.local_hold:
        (before,), renegotiation.music = renegotiation.music, None
        if media is not None:
            media.audio.hold_music = before


def agreed(session: RTCSession, *, hold: bool) -> None:
    """The peer has accepted that we hold it, or that we do not any more."""
    renegotiation = session._renegotiation
    if hold != renegotiation.local_hold:
        renegotiation.local_hold = hold
        if session._media is not None:
            session._media.audio.held = hold
        end_music(session)
        session.emit("hold" if hold else "unhold", events.Hold("local"))
