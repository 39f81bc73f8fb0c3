"""Hold: putting the peer on hold, and knowing when it does so (:rfc:`3264#section-8.4`, :rfc:`6337#section-5.3`)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple

from sipua import events

if TYPE_CHECKING:
    from sipua.media.interface import Direction
    from sipua.session.session import RTCSession

_DIRECTION = re.compile(r"^a=(sendrecv|sendonly|recvonly|inactive)\s*$", re.MULTILINE)
_ADDRESS = re.compile(r"^c=IN\s+IP[46]\s+(\S+)", re.MULTILINE)
_NOWHERE = ("0.0.0.0", "::")
#: Without any of these in it, a description holds nobody.
_SIGNS = ("a=sendonly", "a=inactive", "c=IN IP4 0.0.0.0", "c=IN IP6 ::")


class Medium(NamedTuple):
    """One medium of a description, as far as hold goes."""

    direction: str
    to_nowhere: bool
    """The connection address is the old sign for hold (:rfc:`2543#appendix-B.5`)."""

    @property
    def receives(self) -> bool:
        """Whether whoever wrote the description wants to get anything."""
        return self.direction in ("sendrecv", "recvonly") and not self.to_nowhere


def media_of(sdp: str) -> list[Medium]:
    """The media of a description that are not refused (port 0)."""
    head, *sections = re.split(r"^(?=m=)", sdp.replace("\r\n", "\n"), flags=re.MULTILINE)
    direction, address = _first(_DIRECTION, head), _first(_ADDRESS, head)
    found = []
    for section in sections:
        port = section.split(None, 2)[1:2]
        if not port or port[0].partition("/")[0] == "0":
            continue
        # Port 9 at 0.0.0.0 with ICE says only that candidates come later (RFC 8840 §4.1.3).
        trickling = port[0] == "9" and "a=ice-ufrag:" in sdp
        nowhere = (_first(_ADDRESS, section) or address) in _NOWHERE and not trickling
        found.append(Medium(_first(_DIRECTION, section) or direction or "sendrecv", nowhere))
    return found


def _first(pattern: re.Pattern[str], text: str) -> str | None:
    match = pattern.search(text)
    return match[1] if match is not None else None


def holds(sdp: str) -> bool:
    """Whether the writer of this description puts us on hold: there are media, and it wants to receive none."""
    if not any(sign in sdp for sign in _SIGNS):
        return False
    media = media_of(sdp)
    return bool(media) and not any(medium.receives for medium in media)


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


def agreed(session: RTCSession, *, hold: bool) -> None:
    """The peer has accepted that we hold it, or that we do not any more."""
    renegotiation = session._renegotiation
    if hold != renegotiation.local_hold:
        renegotiation.local_hold = hold
        session.emit("hold" if hold else "unhold", events.Hold("local"))
