"""Media that only looks like media: fixed session descriptions and no packets.

For load tests, for applications that only route calls, and for tests of signalling. No socket is opened,
aiortc is not imported, and candidates are found as late as one says. Offers and answers are what a WebRTC
peer with one audio stream, and one of video if that is wanted, would send (:rfc:`8829#section-5`), with
candidates and a fingerprint that lead nowhere; answers fit the offer line by line.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

from sipua.errors import InvalidStateError, MediaNegotiationError
from sipua.media.interface import (
    DIRECTIONS,
    Applied,
    AudioPort,
    Callbacks,
    Direction,
    MediaOptions,
    MediaSession,
    MediaState,
    MediaStats,
    VideoPort,
)
from sipua.media.silent import SilentAudioPort
from sipua.media.trickle import fragment_of, trickles
from sipua.media.video.silent import BlankVideoPort

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sipua.bodies import TrickleFragment

__all__ = ["SignallingOnlyMedia"]

# Session ids differ between the calls of a process and need no clock or random source (RFC 8866 section 5.2).
_session_ids = itertools.count(1)

_HEAD = (
    "v=0\r\no=- {id} {version} IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
    "a=group:BUNDLE {mids}\r\na=msid-semantic: WMS *\r\n{options}"
)
_MEDIUM = (
    "m={kind} {port} UDP/TLS/RTP/SAVPF {formats}\r\n"
    "c=IN IP4 127.0.0.1\r\n"
    "a={direction}\r\n"
    "a=mid:{mid}\r\n"
    "a=msid:- sipua-{kind}-{id}\r\n"
    "a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid\r\n"
    "a=rtcp:9 IN IP4 0.0.0.0\r\n"
    "a=rtcp-mux\r\n"
    "a=ssrc:{id} cname:sipua\r\n"
    "{maps}"
    "{candidates}"
    "a=ice-ufrag:noIC\r\n"
    "a=ice-pwd:thisEndSendsNoPackets0\r\n"
    "a=fingerprint:sha-256 "
    "4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB:4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF\r\n"
    "a=setup:{setup}\r\n"
)
_OFFERED_MAPS = (
    "a=rtpmap:96 opus/48000/2\r\na=fmtp:96 minptime=10;useinbandfec=1\r\n"
    "a=rtpmap:9 G722/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n"
    "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\n"
)
_VIDEO_MAPS = "a=rtpmap:97 VP8/90000\r\na=rtcp-fb:97 nack pli\r\n"
_NO_VIDEO = "m=video 0 UDP/TLS/RTP/SAVPF 97\r\n"
_STATIC = {"0": "PCMU/8000", "8": "PCMA/8000", "9": "G722/8000"}
_PORT = 49170
_HOST = f"candidate:1 1 udp 2130706431 127.0.0.1 {_PORT} typ host"
_ALL_CANDIDATES = f"a={_HOST}\r\na=end-of-candidates\r\n"
_TRICKLE = "a=ice-options:trickle\r\n"


class SignallingOnlyMedia(MediaSession):
    """A media session without media. `state` is ``connected`` as soon as offer and answer have met.

    `late_candidates` are seconds and ``candidate:…`` lines that are found so long after the first description
    was begun; the search lasts `ice_gathering_timeout` at most. `remote_candidates` holds what was
    given to `add_remote_candidate`, for tests.
    """

    def __init__(
        self, options: MediaOptions | None = None, *, late_candidates: Sequence[tuple[float, str]] = ()
    ) -> None:
        super().__init__(options)
        self.remote_candidates: list[str | None] = []
        self._late = late_candidates
        self._gathering: _Gathering | None = None
        self._id = next(_session_ids)
        self._version = 0
        self._mid = "0"
        self._place = 0
        self._video_mid = ""
        self._video_place: int | None = None
        self._video_agreed = False
        self._refused: dict[int, str] = {}
        self._state: MediaState = "new"
        self._local: str | None = None
        self._remote: str | None = None
        self._previous_local: str | None = None
        self._offered = False
        self._branch = ""
        self._remote_direction: Direction = "sendrecv"
        self._audio: SilentAudioPort | None = None
        self._video: BlankVideoPort | None = None

    @property
    def audio(self) -> AudioPort:
        """A port that hears nothing and says nothing."""
        if self._audio is None:
            self._audio = SilentAudioPort()
            if self._state == "closed":
                self._audio.close()
        return self._audio

    @property
    def video(self) -> VideoPort:
        """A port that shows nothing and sees nothing."""
        if self._video is None:
            self._video = BlankVideoPort(self.options.video)
            if self._state == "closed":
                self._video.close()
        return self._video

    @property
    def has_video(self) -> bool:
        """Whether there is a video m-line that is not refused."""
        return self._video_agreed

    @property
    def agreed_descriptions(self) -> tuple[str, str] | None:
        """Ours and the peer's, without one that waits for its answer."""
        ours = self._previous_local if self._offered else self._local
        return None if ours is None or self._remote is None else (ours, self._remote)

    @property
    def state(self) -> MediaState:
        """``new``, then ``connected``, then ``closed``."""
        return self._state

    @property
    def local_description(self) -> str | None:
        """The last description made here."""
        return self._local

    @property
    def remote_description(self) -> str | None:
        """The last description taken."""
        return self._remote

    @property
    def remote_direction(self) -> Direction:
        """As in the peer's last description."""
        return self._remote_direction

    @property
    def has_pending_offer(self) -> bool:
        """Whether our offer waits for an answer; the peer's are answered at once."""
        return self._offered

    async def create_offer(self, *, ice_restart: bool = False) -> str:
        """One audio stream with the usual codecs, one of video if that is wanted; no m-line goes away again."""
        self._assert_open("create_offer")
        if not self._offered:
            self._previous_local = self._local
        self._offered = True
        await self._gather()
        lines = dict(self._refused)
        mids = [self._mid]
        lines[self._place] = self._medium(
            "audio", self._mid, "96 9 0 8 101", _OFFERED_MAPS, self.direction, "actpass"
        )
        if self.video_direction is not None:
            place = self._new_place() if self._video_place is None else self._video_place
            mid = self._video_mid or str(place)
            mids.append(mid)
            lines[place] = self._medium("video", mid, "97", _VIDEO_MAPS, self.video_direction, "actpass")
        elif self._video_place is not None:
            lines[self._video_place] = _refusal(f"{_NO_VIDEO}a=mid:{self._video_mid}\r\n")
        self._local = self._head(mids) + "".join(lines[place] for place in sorted(lines))
        return self._local

    async def create_answer(self, offer: str) -> str:
        """Take the first audio line, the first of video if that is wanted; refuse the others with port 0.

        :rfc:`3264#section-6`
        """
        self._assert_open("create_answer")
        await self._gather()
        try:
            return self._answer(offer)
        except MediaNegotiationError as error:
            self._tell_failed(error)
            raise

    def _answer(self, offer: str) -> str:
        sections = _sections(offer)
        taken = self._take(sections)
        if "audio" not in taken:
            raise MediaNegotiationError("the offer has no audio that this side can take")
        session = offer.partition("\r\nm=")[0]
        lines = {place: _refusal(section) for place, section in enumerate(sections)}
        mids = []
        for kind, (place, payload_type, codec) in taken.items():
            section = sections[place]
            mid = _attribute(section, "mid") or str(place)
            offered = _direction(section) or _direction(session) or "sendrecv"
            wanted = self.direction
            if kind == "audio":
                self._mid, self._place, self._remote_direction = mid, place, offered
            else:
                self._video_mid, self._video_place = mid, place
                wanted = self.video_direction or "inactive"
            mids.append(mid)
            setup = "passive" if "\r\na=setup:active\r\n" in section else "active"
            maps = f"a=rtpmap:{payload_type} {codec}\r\n"
            direction = _common_direction(wanted, offered)
            lines[place] = self._medium(kind, mid, payload_type, maps, direction, setup)
        places = {place for place, _, _ in taken.values()}
        self._refused = {place: line for place, line in lines.items() if place not in places}
        self._video_agreed = "video" in taken
        self._local = self._head(mids, trickle=trickles(offer)) + "".join(lines.values())
        self._remote, self._offered = offer, False
        self._set_state("connected")
        return self._local

    def _take(self, sections: list[str]) -> dict[str, tuple[int, str, str]]:
        """Place, payload type and codec of the lines to take, by kind."""
        taken: dict[str, tuple[int, str, str]] = {}
        for place, section in enumerate(sections):
            kind = section[2:].partition(" ")[0]
            if kind in taken or (kind == "video" and self.video_direction is None):
                continue
            chosen = _choose_codec(section)
            if chosen is not None:
                taken[kind] = (place, *chosen)
        return taken

    async def apply_answer(self, answer: str, *, branch: str = "") -> Applied:
        """Note the answer; the same one again changes nothing."""
        self._assert_open("apply_answer")
        try:
            return self._apply(answer, branch)
        except MediaNegotiationError as error:
            self._tell_failed(error)
            raise

    def _apply(self, answer: str, branch: str) -> Applied:
        if not self._offered and (self._remote is None or answer == self._remote):
            if self._remote is None:
                raise MediaNegotiationError("an answer without an offer")
            return Applied.UNCHANGED
        sections = _sections(answer)
        audio = next((s for s in sections if s.startswith("m=audio ")), None)
        if audio is None or audio.startswith("m=audio 0 "):
            raise MediaNegotiationError("the answer refuses audio")
        if self.video_direction is not None and self._video_place is None:
            self._video_place = self._new_place()
            self._video_mid = str(self._video_place)
        accepted = (s for s in sections if s.startswith("m=video ") and not s.startswith("m=video 0 "))
        self._video_agreed = self.video_direction is not None and any(accepted)
        self._remote_direction = _direction(audio) or _direction(answer.partition("\r\nm=")[0]) or "sendrecv"
        self._remote, self._offered, self._branch = answer, False, branch
        self._set_state("connected")
        return Applied.APPLIED

    async def choose(self, branch: str) -> Applied:
        """Nothing to choose from."""
        return Applied.UNCHANGED

    async def rollback(self) -> None:
        """Forget the pending offer."""
        if self._offered:
            self._offered, self._local = False, self._previous_local

    def end_gathering(self) -> None:
        """Find nothing more."""
        if self._gathering is not None:
            self._gathering.end()

    def local_fragment(self) -> TrickleFragment | None:
        """What there is to tell of the last description."""
        if self._local is None or self._gathering is None:
            return None
        return fragment_of(self._local, self._gathering.lines, complete=self._gathering.is_complete)

    def knows_peer(self, ufrag: str, pwd: str | None = None) -> bool:
        """Whether the last description taken has these credentials."""
        remote = f"{self._remote or ''}\r\n"
        return f"a=ice-ufrag:{ufrag}\r\n" in remote and (pwd is None or f"a=ice-pwd:{pwd}\r\n" in remote)

    async def add_remote_candidate(
        self, candidate: str | None, mid: str | None = None, *, ufrag: str | None = None
    ) -> None:
        """Only noted."""
        self._assert_open("add_remote_candidate")
        self.remote_candidates.append(candidate)

    def stats(self) -> MediaStats:
        """All zero."""
        return MediaStats(state=self._state)

    async def close(self) -> None:
        """Ends readers and playbacks of the port."""
        self._offered = False
        self.callbacks.on_candidate = self.callbacks.on_gathered = None
        self.end_gathering()
        self._set_state("closed")
        if self._audio is not None:
            self._audio.close()
        if self._video is not None:
            self._video.close()

    def _assert_open(self, operation: str) -> None:
        if self._state == "closed":
            raise InvalidStateError(operation, self._state)

    def _set_state(self, state: MediaState) -> None:
        if state != self._state:
            self._state = state
            if self.callbacks.on_state is not None:
                self.callbacks.on_state(state)

    def _new_place(self) -> int:
        refused = (place for place, line in self._refused.items() if line.startswith("m=video "))
        return next(refused, max([self._place, *self._refused]) + 1)

    def _head(self, mids: list[str], *, trickle: bool = True) -> str:
        self._version += 1
        options = _TRICKLE if trickle and self.options.trickle_ice != "off" else ""
        return _HEAD.format(id=self._id, version=self._version, mids=" ".join(mids), options=options)

    def _medium(self, kind: str, mid: str, formats: str, maps: str, direction: str, setup: str) -> str:
        return _MEDIUM.format(
            kind=kind,
            port=_PORT,
            formats=formats,
            direction=direction,
            mid=mid,
            id=self._id,
            candidates=self._candidates(),
            maps=maps,
            setup=setup,
        )

    async def _gather(self) -> None:
        if self._gathering is None:
            self._gathering = _Gathering(self.callbacks)
            self._gathering.begin(self._late, self.options.ice_gathering_timeout)
        if not self.trickle and not self._gathering.is_complete:
            await self._gathering.wait()
            self._assert_open("gathering")

    def _candidates(self) -> str:
        gathering = self._gathering
        if gathering is None or (gathering.is_complete and len(gathering.lines) == 1):
            return _ALL_CANDIDATES
        lines = [f"a={line}\r\n" for line in gathering.lines]
        return "".join(lines) + ("a=end-of-candidates\r\n" if gathering.is_complete else "")

    def _tell_failed(self, error: MediaNegotiationError) -> None:
        if self.callbacks.on_step_failed is not None:
            self.callbacks.on_step_failed("setremotedescription", error)


class _Gathering:
    """Finds one candidate at once, and others when their time has come."""

    __slots__ = ("_callbacks", "_expected", "_over", "_timers", "is_complete", "lines")

    def __init__(self, callbacks: Callbacks) -> None:
        self.lines: list[str] = []
        self.is_complete = False
        self._callbacks = callbacks
        self._expected = 1
        self._over: asyncio.Event | None = None
        self._timers: list[asyncio.TimerHandle] = []

    def begin(self, late: Sequence[tuple[float, str]], limit: float) -> None:
        self._expected = 1 + len(late)
        if late:
            loop = asyncio.get_running_loop()
            timely = [(seconds, line) for seconds, line in late if seconds <= limit]
            self._timers = [loop.call_later(seconds, self._find, line) for seconds, line in timely]
            if len(timely) < len(late):
                self._timers.append(loop.call_later(limit, self.end))
        self._find(_HOST)

    async def wait(self) -> None:
        self._over = self._over or asyncio.Event()
        await self._over.wait()

    def end(self) -> None:
        if self.is_complete:
            return
        self.is_complete = True
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        if self._over is not None:
            self._over.set()
        if self._callbacks.on_gathered is not None:
            self._callbacks.on_gathered()

    def _find(self, line: str) -> None:
        self.lines.append(line)
        if self._callbacks.on_candidate is not None:
            self._callbacks.on_candidate(line)
        if len(self.lines) == self._expected:
            self.end()


# --- just enough SDP --------------------------------------------------------------------------------------


def _sections(description: str) -> list[str]:
    if "\r" not in description:
        description = description.replace("\n", "\r\n")
    return [f"m={part}\r\n" for part in description.rstrip("\r\n").split("\r\nm=")[1:]]


def _attribute(section: str, name: str) -> str | None:
    start = section.find(f"\r\na={name}:")
    if start < 0:
        return None
    start += len(name) + 5
    return section[start : section.index("\r\n", start)].strip()


def _direction(text: str) -> Direction | None:
    return next((d for d in DIRECTIONS if f"\r\na={d}\r\n" in text + "\r\n"), None)


def _common_direction(mine: Direction, theirs: Direction) -> Direction:
    """What both want, seen from this side (:rfc:`3264#section-6.1`)."""
    send = mine in ("sendrecv", "sendonly") and theirs in ("sendrecv", "recvonly")
    receive = mine in ("sendrecv", "recvonly") and theirs in ("sendrecv", "sendonly")
    if send:
        return "sendrecv" if receive else "sendonly"
    return "recvonly" if receive else "inactive"


def _choose_codec(section: str) -> tuple[str, str] | None:
    words = section[: section.index("\r\n")].split()
    if len(words) < 4 or words[1] == "0":
        return None
    if words[0] == "m=video":
        known = (pt for pt in words[3:] if f"\r\na=rtpmap:{pt} VP8/90000" in section)
        return next(((pt, "VP8/90000") for pt in known), None)
    if words[0] != "m=audio":
        return None
    for payload_type in words[3:]:
        if f"\r\na=rtpmap:{payload_type} opus/48000" in section:
            return payload_type, "opus/48000/2"
        if payload_type in _STATIC:
            return payload_type, _STATIC[payload_type]
    return None


def _refusal(section: str) -> str:
    words = section[: section.index("\r\n")].split()
    if len(words) < 4:
        raise MediaNegotiationError(f"the session description has a bad media line: {' '.join(words)!r}")
    kind, _, protocol, *formats = words
    mid = _attribute(section, "mid")
    line = f"{kind} 0 {protocol} {' '.join(formats)}\r\nc=IN IP4 0.0.0.0\r\na=inactive\r\n"
    return line if mid is None else f"{line}a=mid:{mid}\r\n"
