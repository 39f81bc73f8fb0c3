# Hooks that an implementation may leave out are empty on purpose.
# ruff: noqa: B027
"""What a session asks of media, and what media tells a session. Nothing here knows aiortc, av or numpy.

A session talks to one :class:`MediaSession`. It makes and takes complete session descriptions (offer/answer,
:rfc:`3264`), follows forks, and is closed once. Its :class:`AudioPort` is what the application hears and
says. All calls come from one event loop; those that are not coroutines are cheap and never block.

States told by `on_state`::

    new → connecting → connected ⇄ disconnected → failed
                  any state → closed

PCM is always little-endian signed 16 bit, one channel. Rates are in Hz, times in seconds.
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sipua.errors import InvalidStateError, MediaError
from sipua.media.ports import (
    AudioLevels,
    AudioPort,
    AudioReader,
    AudioSink,
    AudioSource,
    PcmChunk,
    PcmStream,
    Playback,
    Utterance,
    VideoPort,
    VideoSource,
)
from sipua.media.statistics import MediaStats

if TYPE_CHECKING:
    import asyncio
    from pathlib import Path

    from sipua.bodies import TrickleFragment
    from sipua.media.recording import Recording

__all__ = [
    "AUDIO_CODECS",
    "DIRECTIONS",
    "DTMF_PAUSE",
    "DTMF_TONES",
    "PCM_RATES",
    "PTIMES",
    "Applied",
    "AudioLevels",
    "AudioPort",
    "AudioReader",
    "AudioSink",
    "AudioSource",
    "Callbacks",
    "Direction",
    "DtmfTransport",
    "IceServer",
    "MediaFactory",
    "MediaOptions",
    "MediaSession",
    "MediaState",
    "MediaStats",
    "MediaStep",
    "OpusOptions",
    "PcmChunk",
    "PcmStream",
    "Playback",
    "TrickleIce",
    "Utterance",
    "VideoPort",
    "VideoSource",
]

Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]
DIRECTIONS: tuple[Direction, ...] = ("sendrecv", "sendonly", "recvonly", "inactive")

MediaState = Literal["new", "connecting", "connected", "disconnected", "failed", "closed"]

#: A step of the negotiation that can fail, by the name of its event in JsSIP.
MediaStep = Literal["createoffer", "createanswer", "setlocaldescription", "setremotedescription"]

TrickleIce = Literal["half", "full", "off"]

DtmfTransport = Literal["RFC4733", "INBAND"]
"""How a tone goes in the audio: as a named event (:rfc:`4733`), or as two frequencies in the sound."""

#: What this side can speak, in its own order of preference: names as in rtpmap, in lower case.
AUDIO_CODECS: tuple[str, ...] = ("opus", "g722", "pcmu", "pcma")

#: The tones of DTMF in the order of their event codes (:rfc:`4733#section-3.2`).
DTMF_TONES = "0123456789*#ABCD"
#: Milliseconds that a comma among tones stands for.
DTMF_PAUSE = 2000
#: Milliseconds of audio that a packet may have.
PTIMES: tuple[int, ...] = (10, 20, 40, 60)

#: The sample rates at which an application may read and write PCM.
PCM_RATES: tuple[int, ...] = (8000, 16000, 24000, 48000)


class Applied(enum.Enum):
    """What became of an answer given to :meth:`MediaSession.apply_answer`."""

    APPLIED = "applied"
    """Media goes to whoever sent this answer."""
    UNCHANGED = "unchanged"
    """The same answer had been applied before: nothing was done."""
    NEEDS_REOFFER = "needs_reoffer"
    """Media cannot follow this answer with the offer that was sent: send a new offer in this dialog."""


@dataclass(frozen=True, slots=True)
class IceServer:
    """A STUN or TURN server.

    `urls` are such as ``stun:stun.example.com:3478`` or ``turns:turn.example.com?transport=tcp``.
    """

    urls: str | Sequence[str]
    username: str | None = None
    credential: str | None = None
    ca_file: str | None = None
    """PEM file with certificates that are trusted with ``turns:`` beside those of the system."""
    insecure: bool = False
    """Trust any certificate with ``turns:``: for tests only."""


@dataclass(frozen=True, slots=True)
class OpusOptions:
    """How Opus is used (:rfc:`7587#section-6.1`). What the peer asks for limits all of it."""

    bitrate: int = 48000
    """Bit/s that this side sends on average, 6000 to 510000."""
    complexity: int = 1
    """Of encoding, 0 to 10: how much time it takes to sound better; 5 takes half as much again, 10 three times."""
    fec: bool = True
    """Send a coarse copy of each frame in the next packet when the peer loses packets, and use the peer's."""
    dtx: bool | None = None
    """Send next to nothing while there is silence, and ask the peer to. None: send as the peer prefers."""
    cbr: bool = False
    """Send packets of one size, and ask the peer to."""
    max_average_bitrate: int | None = None
    """Bit/s that the peer is asked not to exceed, 6000 to 510000."""
    max_playback_rate: int | None = None
    """The highest sample rate in Hz that is of use to this side, 8000 to 48000."""


@dataclass(slots=True)
class MediaOptions:
    """What a call wants of its media. Every field has a default that works without a sound card or a network.

    `audio` is what the peer hears (None: silence; a path, an :class:`AudioSource`), `record` where what the
    peer says is written (a path ending in ``.wav``, ``.ogg`` or ``.mp3``, an :class:`AudioSink`), or a
    :class:`Recording` of either side or both. With `echo` the peer hears itself.
    `sipua.media.checks` says what values will do.

    `video` is what the peer sees: a path, a :class:`VideoSource`, any aiortc MediaStreamTrack of kind video;
    True: nothing yet. None: no video at all, and what the peer offers of it is refused.
    """

    audio: AudioSource | str | Path | None = None
    record: AudioSink | Recording | str | Path | None = None
    echo: bool = False
    video: VideoSource | str | Path | bool | Any = None
    hold_music: AudioSource | str | Path | None = None
    """What a peer that is put on hold hears, instead of anything else; a path is played over and over."""
    voice_activity: bool = False
    """Whether to tell when either side begins and ceases to speak."""
    detect_dtmf: bool = False
    """Whether to look for DTMF tones in the peer's sound as well, for peers that send neither events nor INFO."""
    direction: Direction = "sendrecv"
    """Of the audio."""
    video_direction: Direction = "sendrecv"
    codecs: tuple[str, ...] | None = None
    """Names in order of preference, from ``opus``, ``G722``, ``PCMU``, ``PCMA``. None: all, in that order."""
    ptime: int = 20
    """Milliseconds of audio in a packet: 10, 20, 40 or 60. The peer is asked for it, and may ask for another."""
    bandwidth: int | None = None
    """Kbit/s with all headers that the audio may take, each way (``b=AS``, :rfc:`8866#section-5.8`)."""
    opus: OpusOptions = OpusOptions()
    """How Opus is used."""
    comfort_noise: bool = False
    """Offer comfort noise (:rfc:`3389`): G.711 stops while this side is silent, and so may the peer's."""
    ice_servers: Sequence[IceServer | str] = ()
    ice_gathering_timeout: float = 3.0
    """Seconds after which candidates gathered so far are used (0.0: host candidates only)."""
    ice_host_addresses: tuple[str, ...] | None = None
    """Local addresses to use. None: all of the machine's; loopback when there is nothing else."""
    ice_candidate_filter: Callable[[str], bool] | None = None
    """Called with each local ``candidate:…`` line; False keeps it out of the description."""
    ice_transport_policy: Literal["all", "relay"] = "all"
    ice_restart: bool = True
    """Whether a call that is up looks for a new path by itself when the machine has changed its addresses, or its
    TURN server has been restarted."""
    sdp_modifiers: Sequence[Callable[[str], str]] = ()
    """Functions from description to description. Each of ours goes through them, in order, before ``sdp`` tells it."""
    trickle_ice: TrickleIce = "half"
    """Whether candidates may follow their description in INFO requests (:rfc:`8840`). ``half``: yes, as soon as the
    peer has said that it can take them; the first offer waits for all of ours. ``full``: the first offer does not
    wait either, for peers that are known to take them. ``off``: not at all."""
    silence_timeout: float = 5.0
    """Seconds without a sign of life of the peer (RTP, RTCP, ICE consent) until it is ``disconnected``."""
    failure_timeout: float = 20.0
    """Seconds in ``disconnected`` after which the state is ``failed``."""
    stats_interval: float | None = None
    """Seconds between two ``stats`` events of the call; None: there are none."""
    capture: str | Path | None = None
    """Where the audio's RTP and RTCP, as they are before encryption, are written as pcap; None: nowhere."""


@dataclass(slots=True)
class Callbacks:
    """What media tells; each is called in the event loop and must not block. None: nobody asked."""

    on_state: Callable[[MediaState], None] | None = None
    on_track: Callable[[str, Any], None] | None = None
    """Kind and track, once per remote track."""
    on_candidate: Callable[[str], None] | None = None
    """Each local ``candidate:…`` line that the peer may know, as soon as it is found."""
    on_gathered: Callable[[], None] | None = None
    """No more local candidates come."""
    on_step_failed: Callable[[MediaStep, Exception], None] | None = None
    """A step of the negotiation failed; the error is raised afterwards by what was called."""
    on_error: Callable[[MediaError], None] | None = None
    """Something that does not end the call, such as a recording that could not go on."""
    on_voice: Callable[[Literal["remote", "local"], bool], None] | None = None
    """A side, and whether it begins (True) or ceases to speak; with `MediaOptions.voice_activity`."""
    on_dtmf: Callable[[str, float, DtmfTransport], None] | None = None
    """Tone, duration in seconds, and how it came: each tone of the peer once, when it is over."""


class MediaSession(ABC):
    """The media of one call, through all its offers, answers and forks."""

    def __init__(self, options: MediaOptions | None = None) -> None:
        self.options = options if options is not None else MediaOptions()
        self.direction: Direction = self.options.direction
        """What this side wants; goes into the next offer or answer. Hold is ``sendonly`` or ``inactive``."""
        self.video_direction: Direction | None = self.options.video_direction if self.wants_video else None
        """What this side wants of video: None is none, in an offer and in an answer to one."""
        self.trickle = False
        """Whether the next offer or answer goes out without waiting for candidates; they follow by `on_candidate`."""
        self.callbacks = Callbacks()

    @property
    @abstractmethod
    def audio(self) -> AudioPort:
        """The application's end of the audio. The same object for the whole call."""

    @property
    def wants_video(self) -> bool:
        """Whether the options ask for video."""
        return self.options.video is not None and self.options.video is not False

    @property
    @abstractmethod
    def video(self) -> VideoPort:
        """The application's end of the video. The same object for the whole call."""

    @property
    @abstractmethod
    def has_video(self) -> bool:
        """Whether video is agreed on, whatever its direction."""

    @property
    @abstractmethod
    def agreed_descriptions(self) -> tuple[str, str] | None:
        """Ours and the peer's that are in force; None before there are any."""

    @property
    @abstractmethod
    def state(self) -> MediaState:
        """Of the branch in use."""

    @property
    def connection(self) -> Any:
        """aiortc's RTCPeerConnection of the branch in use; None when there is none."""
        return None

    @property
    def has_moved(self) -> bool:
        """Whether this machine has lost an address that candidates of the branch in use were found from, or its TURN
        server has lost ours."""
        return False

    @property
    @abstractmethod
    def local_description(self) -> str | None:
        """The last description made by this side that is in force or pending."""

    @property
    @abstractmethod
    def remote_description(self) -> str | None:
        """The last description of the peer that was applied, as it was received."""

    @property
    @abstractmethod
    def remote_direction(self) -> Direction:
        """What the peer's last description said of its audio, from its side: ``sendonly`` holds us."""

    @property
    @abstractmethod
    def has_pending_offer(self) -> bool:
        """Whether an offer of either side waits for its answer."""

    def check(self) -> None:
        """Raise MediaFileError, ConfigurationError … now for options that cannot work.

        Called before an INVITE is sent.
        """

    @abstractmethod
    async def create_offer(self, *, ice_restart: bool = False) -> str:
        """An offer; candidates are gathered for at most `ice_gathering_timeout`, before it or (`trickle`) after it."""

    @abstractmethod
    async def create_answer(self, offer: str) -> str:
        """Apply the peer's offer and return the answer to it.

        Raises MediaNegotiationError with the SIP status to refuse with, and then nothing has changed.
        """

    @abstractmethod
    async def apply_answer(self, answer: str, *, branch: str = "") -> Applied:
        """Apply the peer's answer to the last offer; SDP in a 18x counts as the answer.

        `branch` tells the dialogs of a forked INVITE apart (the To tag). An answer from another branch than
        before is followed: the newest branch is heard. Raises MediaNegotiationError, and then nothing has
        changed.
        """

    @abstractmethod
    async def choose(self, branch: str) -> Applied:
        """The branch that won a forked INVITE; media of all others ends. Unknown branches change nothing."""

    @abstractmethod
    async def rollback(self) -> None:
        """Forget the pending offer of either side; what was agreed before stays in force."""

    def end_gathering(self) -> None:
        """Look for no more local candidates: what there is is used."""

    def local_fragment(self) -> TrickleFragment | None:
        """All local candidates of our last description so far, also those found after it; None before it."""
        return None

    def knows_peer(self, ufrag: str, pwd: str | None = None) -> bool:
        """Whether a description with these ICE credentials is in force, so that its candidates can be added."""
        return False

    async def add_remote_candidate(
        self, candidate: str | None, mid: str | None = None, *, ufrag: str | None = None
    ) -> None:
        """A ``candidate:…`` line that came after its description (:rfc:`8840`); None: no more come.

        `mid` is the m-line it belongs to, `ufrag` the ICE user name of its description, which tells branches
        apart. What cannot be used is left out.
        """

    @property
    def dtmf_transport(self) -> Literal["RFC4733"] | None:
        """``RFC4733`` when the peer takes telephone-events (:rfc:`4733`) on the branch in use, else None."""
        return None

    @property
    def dtmf_tones(self) -> frozenset[str]:
        """The tones that the peer takes as telephone-events, by its ``a=fmtp`` (:rfc:`4733#section-2.4.1`)."""
        return frozenset(DTMF_TONES if self.dtmf_transport is not None else "")

    def send_dtmf(
        self,
        tones: str,
        duration: int = 100,
        gap: int = 70,
        *,
        transport: DtmfTransport = "RFC4733",
        volume: int = -10,
    ) -> asyncio.Future[None]:
        """Send tones in the audio, after those that wait; `duration` and the least `gap` after each in ms.

        `volume` (dBm0, 0 to -63) is what telephone-events say of their tones; sound is as loud as telephones make it.
        Done when the last has been sent. While the direction lets nothing be sent, tones wait. Raises
        InvalidStateError when this media has no such transport now, or the peer does not take such a tone, or it is
        closed; the future does when it is closed before.
        """
        raise InvalidStateError("send_dtmf", self.state)

    @abstractmethod
    def stats(self) -> MediaStats:
        """Cheap: reads counters."""

    @abstractmethod
    async def close(self) -> None:
        """End everything, finish recordings. Idempotent, bounded in time, never raises."""


MediaFactory = Callable[[MediaOptions], MediaSession]
