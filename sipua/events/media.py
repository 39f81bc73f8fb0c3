"""The media of a call."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from sipua.events.causes import Originator


@dataclass(frozen=True, slots=True)
class PeerConnection:
    """The media session was made: `peerconnection` is aiortc's RTCPeerConnection (None without media)."""

    peerconnection: Any


@dataclass(slots=True)
class Sdp:
    """A session description about to be used; `sdp` may be changed by the handler."""

    originator: Originator
    type: Literal["offer", "answer"]
    sdp: str


@dataclass(frozen=True, slots=True)
class IceConnectionState:
    """The media path's state: ``connecting``, ``connected``, ``disconnected``, ``failed`` or ``closed``."""

    state: str


@dataclass(frozen=True, slots=True)
class Stats:
    """What the call's media has done so far, every `stats_interval` seconds (a media option).

    `stats` is a :class:`sipua.media.MediaStats`, `previous` that of the last event, None in the first; `quality` is how
    the peer sounded between the two (:class:`sipua.media.Quality`), None when nothing was heard.
    """

    stats: Any
    previous: Any = None
    quality: Any = None


@dataclass(frozen=True, slots=True)
class Track:
    """The peer's audio or video arrived: `track` is aiortc's remote track."""

    kind: str
    track: Any


@dataclass(frozen=True, slots=True)
class MediaFailed:
    """A step of the negotiation, a source, a sink or a recording failed. It has been dealt with: this tells of it."""

    error: Exception


@dataclass(frozen=True, slots=True)
class IceCandidate:
    """A local candidate was found. `ready()` ends the search at once: what there is is used."""

    candidate: str
    """The ``candidate:…`` line (:rfc:`8839#section-5.1`)."""
    ready: Callable[[], None] = field(repr=False)


@dataclass(frozen=True, slots=True)
class GetUserMediaFailed:
    """A file to play or record to cannot be used; the call or answer that named it raises `error`."""

    error: Exception


@dataclass(frozen=True, slots=True)
class StepFailed:
    """A step of the media negotiation failed, told before what follows from it (``failed``, a refusal)."""

    error: Exception


@dataclass(frozen=True, slots=True)
class CreateOfferFailed(StepFailed):
    """Media could not make an offer."""


@dataclass(frozen=True, slots=True)
class CreateAnswerFailed(StepFailed):
    """Media could not make an answer."""


@dataclass(frozen=True, slots=True)
class SetLocalDescriptionFailed(StepFailed):
    """Media could not use its own description: no candidates could be gathered, for instance."""


@dataclass(frozen=True, slots=True)
class SetRemoteDescriptionFailed(StepFailed):
    """Media cannot use the peer's description."""


@dataclass(frozen=True, slots=True)
class Muted:
    """What the mute or unmute was about."""

    audio: bool = False
    video: bool = False


@dataclass(frozen=True, slots=True)
class VoiceActivity:
    """Somebody has begun to speak, or has ceased (`speaks`): the peer, or what it is sent by this side.

    Told with the media option ``voice_activity=True``.
    """

    originator: Originator
    speaks: bool
