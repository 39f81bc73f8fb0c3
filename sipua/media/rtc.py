"""Real media: offers, answers, forks and the audio of one call over aiortc.

The session sees one `RtcMedia`. Behind it are legs (`leg.Leg`): one as a rule; one per peer while a forked INVITE
rings in several places with early media; a new one when somebody else answers, or the peer begins anew with another
certificate. (An ICE restart goes on in the leg.) One leg is active: it is connected to the call's audio, and its state
is the state of the media.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from sipua.errors import InvalidStateError, MediaError, MediaNegotiationError
from sipua.media import candidates, internals, trickle
from sipua.media.capture import PacketCapture
from sipua.media.checks import check_options
from sipua.media.description import association_of, direction_of, identity_of, parse, setup_of
from sipua.media.formats import codecs_negotiated
from sipua.media.ice_servers import parse_servers
from sipua.media.interface import (
    Applied,
    AudioPort,
    AudioSink,
    Direction,
    MediaOptions,
    MediaSession,
    MediaState,
    MediaStats,
    MediaStep,
)
from sipua.media.leg import Leg
from sipua.media.numbering import Numbering
from sipua.media.outgoing import Outgoing
from sipua.media.port import CallAudio
from sipua.media.recording import Recording, as_recording
from sipua.media.sdp import mend_answer, mend_offer
from sipua.media.sinks import check_apart
from sipua.media.sources import as_hold_music, as_source
from sipua.media.steps import StepWatch
from sipua.media.video.formats import AnsweredVideo, VideoWish, read_answer
from sipua.media.video.port import CallVideo
from sipua.media.video.sources import as_video_source

if TYPE_CHECKING:
    from sipua.bodies import TrickleFragment
    from sipua.media.description import Section
    from sipua.media.formats import NegotiatedAudio
    from sipua.media.gathering import Gathering
    from sipua.media.interface import DtmfTransport

__all__ = ["RtcMedia"]

logger = logging.getLogger(__name__)


class RtcMedia(MediaSession):
    """The media of one call. To be made and used in a running event loop."""

    def __init__(self, options: MediaOptions | None = None) -> None:
        super().__init__(options)
        self._audio = CallAudio(self._tell_error, asyncio.get_running_loop().time)
        self._audio.dtmf.tell = self._tell_dtmf
        if self.options.detect_dtmf:
            self._audio.detect_dtmf()
        self._video = CallVideo(self._tell_error)
        self._out = Outgoing(self.options)
        self._leg: Leg | None = None
        self._offering: Leg | None = None
        self._legs: list[Leg] = []
        self._branches: dict[str, Leg] = {}
        self._state: MediaState = "new"
        self._local: str | None = None
        self._agreed_local: str | None = None
        self._video_before: tuple[Section, ...] = ()
        self._described: Leg | None = None  # whose candidates `_local` has
        record = self.options.record
        self._record: AudioSink | Recording | None = (
            record if record is None or isinstance(record, AudioSink) else as_recording(record)
        )
        self._audio.set_hold_music(as_hold_music(self.options.hold_music))
        if self.options.voice_activity:
            self._audio.detect_voice(self._tell_voice)
        capture = self.options.capture
        self._capture = PacketCapture(capture, on_error=self._tell_error) if capture is not None else None
        self._watch = StepWatch(self._step_failed)
        self._closed: asyncio.Task[None] | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        if self.options.echo:
            self._audio.echo()
        elif self.options.audio is not None:
            self._audio.outlet.play(as_source(self.options.audio))
        if self.wants_video:
            self._video.choose(self.options.video)

    # --- what the session may look at ---------------------------------------------------------------------

    @property
    def audio(self) -> AudioPort:
        """The application's end."""
        return self._audio

    @property
    def video(self) -> CallVideo:
        """The application's end of the video."""
        return self._video

    @property
    def has_video(self) -> bool:
        """Whether the active leg has video."""
        return self._leg is not None and self._leg.video.live

    @property
    def agreed_descriptions(self) -> tuple[str, str] | None:
        """Ours, and the last of the active leg's peer."""
        ours, theirs = self._agreed_local, self.remote_description
        return None if ours is None or theirs is None else (ours, theirs)

    @property
    def state(self) -> MediaState:
        """Of the active leg."""
        return self._state

    @property
    def connection(self) -> Any:
        """The active leg's RTCPeerConnection."""
        leg = self._leg or self._offering
        return leg.pc if leg is not None else None

    @property
    def has_moved(self) -> bool:
        """Whether an address of the branch in use is lost: one of this machine, or that of its relay."""
        return self._leg is not None and self._leg.has_moved

    @property
    def local_description(self) -> str | None:
        """The last one made."""
        return self._local

    @property
    def remote_description(self) -> str | None:
        """The last one applied, of the active leg."""
        return self._leg.remote_text if self._leg is not None else None

    @property
    def remote_direction(self) -> Direction:
        """As the peer put it."""
        text = self.remote_description
        return direction_of(text, self._out.index) if text is not None else "sendrecv"

    @property
    def has_pending_offer(self) -> bool:
        """Whether our offer waits for an answer; those of the peer are answered at once."""
        return self._offering is not None

    @property
    def dtmf_transport(self) -> Literal["RFC4733"] | None:
        """As the peer of the active leg takes it."""
        return "RFC4733" if self._audio.dtmf.codec is not None else None

    @property
    def dtmf_tones(self) -> frozenset[str]:
        """As the peer of the active leg says."""
        return self._audio.dtmf.tones

    def send_dtmf(
        self,
        tones: str,
        duration: int = 100,
        gap: int = 70,
        *,
        transport: DtmfTransport = "RFC4733",
        volume: int = -10,
    ) -> asyncio.Future[None]:
        """In the packets or the sound of the active leg."""
        return self._audio.dtmf.send(tones, duration, gap, transport, volume)

    def stats(self) -> MediaStats:
        """Of the active leg."""
        return self._leg.stats() if self._leg is not None else MediaStats(state=self._state)

    def check(self) -> None:
        """Look at everything that can be wrong with the options before a request is sent."""
        options = self.options
        check_options(options)
        parse_servers(options.ice_servers)
        source = as_source(options.audio)
        if source is not None:
            source.check()
        check = getattr(self._record, "check", None)
        if check is not None:
            check()
        check_apart(source, self._record)
        music = as_hold_music(options.hold_music)
        if music is not None:
            music.check()
        if self._capture is not None:
            self._capture.check()
        video = as_video_source(options.video)
        if video is not None:
            video.check()

    # --- offer and answer ---------------------------------------------------------------------------------

    async def create_offer(self, *, ice_restart: bool = False) -> str:
        """Offer audio, with candidates gathered for at most `ice_gathering_timeout`."""
        self._assert_open("create_offer")
        leg = self._offering
        if leg is None:
            leg = self._leg
            if leg is None or leg.ended:
                leg = self._new_leg()
            elif ice_restart or leg.must_restart:
                leg = await self._restarted(leg)
        self._offering = leg
        leg.gathering.trickles = self.trickle
        numbering = self._numbering()
        leg.video.reserve(self._out.refused_mids)
        try:
            text = await leg.offer(
                self.direction,
                numbering,
                video=self.video_direction,
                bundled=self.trickle or self._bundles(),
                video_before=self._numbers_taken(),
            )
        except BaseException:
            await self.rollback()
            raise
        text = self._mark(leg, text, trickles=self.options.trickle_ice != "off")
        wanted = self.video_direction is not None
        self._local = self._out.offer(text, self.options.ice_candidate_filter, numbering, video=wanted)
        self._described = leg
        return self._local

    async def create_answer(self, offer: str) -> str:
        """Answer the peer's offer, on a new leg when it comes from somebody else than before."""
        self._assert_open("create_answer")
        leg = self._leg
        wish = VideoWish(self.video_direction is not None, self._out.video)
        with self._watch.step("setremotedescription"):
            mended = mend_offer(offer, codecs=self.options.codecs, video=wish)
        moved = leg is not None and self._moved(leg, offer, mended.index)
        if leg is None or not await self._can_answer(leg, offer, mended.index, moved=moved):
            leg = self._new_leg()
        else:
            mid, wish, index = leg.transceiver.mid, replace(wish, mid=leg.video.mid), self._out.index
            with self._watch.step("setremotedescription"):
                mended = mend_offer(offer, codecs=self.options.codecs, index=index, mid=mid, video=wish)
            if moved:
                self._restart(leg)
        peer = identity_of(offer, mended.index)[0] or ""
        leg.gathering.trickles = self.trickle
        try:
            text = await leg.answer(mended, peer, self.direction, self.video_direction)
        except BaseException:
            if leg is not self._leg:
                self._leave(leg)
            raise
        leg.remote_text = offer
        text = self._mark(leg, text, trickles=self.options.trickle_ice != "off" and trickle.trickles(offer))
        self._local = self._agreed_local = self._out.answer(text, mended, self.options.ice_candidate_filter)
        self._described = leg
        leg.agree(self._agreed(self._local, offer, "local"))
        self._activate(leg)
        self._leave_others(leg)
        return self._local

    async def apply_answer(self, answer: str, *, branch: str = "") -> Applied:
        """Follow the answer: of the peer we know, or of another that the INVITE was forked to."""
        self._assert_open("apply_answer")
        offering, before = self._offering, self._branches.get(branch)
        known = offering or before or self._leg
        if known is None:
            raise MediaNegotiationError("an answer without an offer")
        for leg in (before, known):
            if leg is not None and leg is not offering and leg.remote_text == answer:
                return self._follow(leg, branch)
        leg = self._find_leg(answer, known) or await self._fork(known, answer)
        if leg is None:
            return Applied.NEEDS_REOFFER
        try:
            await self._accept(leg, answer)
        except BaseException:
            if leg.remote_text is None and leg is not offering:
                self._leave(leg)
            raise
        self._offering, self._agreed_local = None, self._local
        self._follow(leg, branch)
        if offering is not None and offering is not leg:
            # Somebody else answered, or the peer began anew.
            offering.rollback()
        for other in (offering, before):
            if other is not None and other is not leg and other not in self._branches.values():
                self._leave(other)
        return Applied.APPLIED

    def _follow(self, leg: Leg, branch: str) -> Applied:
        changed = leg is not self._leg
        self._branches[branch] = leg
        self._activate(leg)
        return Applied.APPLIED if changed else Applied.UNCHANGED

    async def _accept(self, leg: Leg, answer: str) -> None:
        if leg.offer_text is None:
            raise MediaNegotiationError("an answer without an offer")
        index = self._out.index
        role = internals.dtls_role(leg.transceiver) if leg.remote_text is not None else None
        video = self._answered_video(leg, answer)
        with self._watch.step("setremotedescription"):
            mended = mend_answer(
                answer, leg.offer_text, codecs=self.options.codecs, index=index, role=role, video=video
            )
        await leg.accept(mended, identity_of(answer, index)[0] or "", video)
        self._out.agreed(offered_video=leg.video.offered is not None)
        leg.remote_text = answer
        leg.agree(self._agreed(self._local or "", answer, "remote"))

    def _answered_video(self, leg: Leg, answer: str) -> AnsweredVideo:
        place = self._out.video_place if leg.video.offered is not None else None
        return read_answer(parse(answer), self._out.index, place)

    async def choose(self, branch: str) -> Applied:
        """Keep this branch's leg and end the others."""
        self._assert_open("choose")
        leg = self._branches.get(branch)
        if leg is None:
            return Applied.UNCHANGED
        changed = leg is not self._leg
        self._activate(leg)
        self._leave_others(leg)
        return Applied.APPLIED if changed else Applied.UNCHANGED

    async def rollback(self) -> None:
        """Forget our pending offer."""
        leg, self._offering = self._offering, None
        if leg is None:
            return
        self._local, self._described = self._agreed_local, self._leg
        if leg is self._leg:
            leg.rollback()
        else:
            self._leave(leg)

    # --- candidates, one by one -----------------------------------------------------------------------------

    def end_gathering(self) -> None:
        """Ask the servers of the description in the making, or the last one, no longer."""
        for leg in self._legs:
            leg.gathering.stop()

    def local_fragment(self) -> TrickleFragment | None:
        """What there is to tell of the last description of ours."""
        leg = self._described
        if leg is None or self._local is None:
            return None
        shown = self.options.ice_candidate_filter
        lines = [line for line in leg.gathering.candidates if shown is None or shown(line)]
        complete = leg.gathering.is_complete
        return trickle.fragment_of(self._local, lines, complete=complete, index=self._out.index)

    def knows_peer(self, ufrag: str, pwd: str | None = None) -> bool:
        """Of any branch."""
        return self._leg_of(ufrag, pwd) is not None

    async def add_remote_candidate(
        self, candidate: str | None, mid: str | None = None, *, ufrag: str | None = None
    ) -> None:
        """Give it to the leg whose peer it is of."""
        self._assert_open("add_remote_candidate")
        leg = (self._leg or self._offering) if ufrag is None else self._leg_of(ufrag)
        if leg is None or (candidate is not None and not candidates.is_usable(candidate.removeprefix("a="))):
            return
        if mid is not None and leg.remote_text is not None:
            ours = parse(leg.remote_text).media[self._out.index].get("mid")
            if ours is not None and ours != mid:
                return
        await leg.add_remote_candidate(candidate)

    def _leg_of(self, ufrag: str, pwd: str | None = None) -> Leg | None:
        for leg in self._legs:
            if leg.remote_text is None or leg.ended:
                continue
            name, password, _ = identity_of(leg.remote_text, self._out.index)
            if name == ufrag and pwd in (None, password):
                return leg
        return None

    def _mark(self, leg: Leg, text: str, *, trickles: bool) -> str:
        return trickle.mark(text, trickle=trickles, complete=leg.gathering.is_complete)

    def _found(self, gathering: Gathering, line: str) -> None:
        shown = self.options.ice_candidate_filter
        told = self.callbacks.on_candidate
        if told is not None and self._is_used(gathering) and (shown is None or shown(line)):
            told(line)

    def _gathered(self, gathering: Gathering) -> None:
        if self.callbacks.on_gathered is not None and self._is_used(gathering):
            self.callbacks.on_gathered()

    def _is_used(self, gathering: Gathering) -> bool:
        return self._closed is None and any(leg.gathering is gathering for leg in self._legs)

    def _step_failed(self, step: MediaStep, error: Exception) -> None:
        if self.callbacks.on_step_failed is not None:
            self.callbacks.on_step_failed(step, error)

    async def close(self) -> None:
        """End all legs, finish recordings."""
        if self._closed is None:
            self._closed = asyncio.get_running_loop().create_task(self._close(), name="sipua media close")
        await asyncio.shield(self._closed)

    def _numbering(self) -> Numbering | None:
        """What the numbers in RTP mean in this call; None before anything was agreed."""
        ours, theirs = self._agreed_local, self.remote_description
        if ours is None or theirs is None:
            return None
        return Numbering.of(ours, theirs, self._out.index)

    def _numbers_taken(self) -> tuple[Section | None, ...]:
        """Our last m-line for video, if there was one, and all others in force."""
        ours, *theirs = self._video_before or (None,)
        audio = (parse(text).media[self._out.index] for text in self.agreed_descriptions or ())
        return (ours, *theirs, *audio)

    def _bundles(self) -> bool:
        """Whether the peer has agreed to one transport for all media (:rfc:`8843`)."""
        agreed = self.agreed_descriptions
        return agreed is not None and all(parse(text).session.has("group") for text in agreed)

    def _agreed(self, local: str, remote: str, answer: Literal["local", "remote"]) -> NegotiatedAudio:
        return codecs_negotiated(local, remote, self._out.index, answer=answer, options=self.options)

    # --- legs ---------------------------------------------------------------------------------------------

    def _new_leg(self) -> Leg:
        leg = Leg(
            self.options,
            self._audio,
            self._video,
            self._leg_state,
            self._leg_track,
            capture=self._capture,
        )
        leg.watch = self._watch
        self._tell_candidates(leg.gathering)
        self._legs.append(leg)
        return leg

    def _tell_candidates(self, gathering: Gathering) -> None:
        gathering.on_found = lambda line: self._found(gathering, line)
        gathering.on_complete = lambda: self._gathered(gathering)

    async def _restarted(self, leg: Leg) -> Leg:
        """The leg, to be described with another path; another leg, if there is nothing in this one that could go on."""
        await leg.wait_secured()
        self._assert_open("create_offer")
        if not leg.can_restart:
            return self._new_leg()
        self._restart(leg)
        return leg

    def _restart(self, leg: Leg) -> None:
        self._tell_candidates(leg.restart())

    async def _can_answer(self, leg: Leg, offer: str, index: int, *, moved: bool) -> bool:
        """Whether an offer, with other credentials or certificate if it has `moved`, is for this leg."""
        if leg.ended:
            return False
        if not moved:
            return not leg.is_suspended  # of which the peer knows nothing
        if not self._goes_on(leg, offer, index):
            return False
        await leg.wait_secured()
        self._assert_open("create_answer")
        return leg.can_restart

    def _goes_on(self, leg: Leg, description: str, index: int) -> bool:
        """Whether the peer, with other ICE credentials, keeps to its DTLS association (:rfc:`8842#section-3.1`)."""
        if leg.remote_text is None:
            return False
        before = association_of(leg.remote_text, self._out.index)
        setup = setup_of(description, index)
        return association_of(description, index) == before and setup != internals.dtls_role(leg.transceiver)

    def _moved(self, leg: Leg, offer: str, index: int) -> bool:
        """Whether an offer comes with other ICE credentials or another certificate than before."""
        if leg.remote_text is None:
            return False
        return identity_of(leg.remote_text, self._out.index) != identity_of(offer, index)

    def _find_leg(self, answer: str, known: Leg) -> Leg | None:
        """The leg that this answer is for: whose peer has the same identity, or that has no peer yet."""
        parse(answer)
        try:
            identity = identity_of(answer, self._out.index)
        except IndexError:
            raise MediaNegotiationError("the answer has fewer media lines than the offer") from None
        for leg in self._legs:
            if leg.remote_text is not None and identity_of(leg.remote_text, self._out.index) == identity:
                return leg
        if known.is_restarting and known.is_secured and self._goes_on(known, answer, self._out.index):
            return known
        return known if known.remote_text is None else None

    async def _fork(self, known: Leg, answer: str) -> Leg | None:
        if not known.sockets.usable or known.offer_text is None or known.ended:
            return None
        video = self._answered_video(known, answer)
        if video.live and not video.bundled:
            return None  # its sockets belong to the branch that has answered before
        try:
            leg = await known.fork()
            leg.watch = self._watch
        except (MediaError, InvalidStateError, OSError):
            logger.warning("media cannot follow another branch of the call", exc_info=True)
            return None
        self._legs.append(leg)
        return leg

    def _activate(self, leg: Leg) -> None:
        if leg is not self._leg or not leg.active:
            self._switch(leg)
        self._settle_video(leg)

    def _settle_video(self, leg: Leg) -> None:
        """Begin with video, or end it, as it was agreed."""
        agreed, place = self.agreed_descriptions, self._out.video
        if not leg.video.live or agreed is None or place is None:
            self._video.end()
            return
        self._video_before = tuple(parse(text).media[place] for text in agreed)
        self._video.begin()
        if leg.video.receives:
            track = self._video.expect()
            if track is not None and self.callbacks.on_track is not None:
                self.callbacks.on_track("video", track)

    def _switch(self, leg: Leg) -> None:
        if self._leg is not None:
            self._leg.deactivate()
        self._leg = leg
        leg.activate()
        self._leg_state(leg)
        if leg.track is not None:
            self._leg_track(leg, leg.track)

    def _leave_others(self, kept: Leg) -> None:
        for leg in self._legs[:]:
            if leg is not kept:
                self._leave(leg)
        self._branches = {branch: leg for branch, leg in self._branches.items() if leg is kept}
        if self._offering is not kept:
            self._offering = None

    def _leave(self, leg: Leg) -> None:
        if leg in self._legs:
            self._legs.remove(leg)
        leg.deactivate()
        task = asyncio.get_running_loop().create_task(leg.close(), name="sipua leg close")
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    def _leg_state(self, leg: Leg) -> None:
        if leg is self._leg and self._closed is None:
            if leg.state == "connected":
                self._start_recording()
            self._set_state(leg.state)

    def _leg_track(self, leg: Leg, track: Any) -> None:
        if leg is self._leg and self.callbacks.on_track is not None:
            self.callbacks.on_track(track.kind, track)

    # --- the rest -----------------------------------------------------------------------------------------

    async def _close(self) -> None:
        self._set_state("closed")
        self._audio.close()
        self._video.close()
        self._offering = None
        for leg in self._legs[:]:
            self._leave(leg)
        if self._leaving:
            await asyncio.wait(self._leaving)
        await self._audio.wait_recorded()
        if self._capture is not None:
            self._capture.close()

    def _start_recording(self) -> None:
        sink, self._record = self._record, None
        if sink is None:
            return
        try:
            if isinstance(sink, Recording):
                self._audio.record(sink)
            else:
                self._audio.add_sink(sink)
        except MediaError as error:
            self._tell_error(error)

    def _set_state(self, state: MediaState) -> None:
        if state != self._state:
            self._state = state
            if self.callbacks.on_state is not None:
                self.callbacks.on_state(state)

    def _tell_voice(self, side: Literal["remote", "local"], speaks: bool) -> None:
        if self.callbacks.on_voice is not None:
            self.callbacks.on_voice(side, speaks)

    def _tell_dtmf(self, tone: str, duration: float, transport: DtmfTransport) -> None:
        if self.callbacks.on_dtmf is not None:
            self.callbacks.on_dtmf(tone, duration, transport)

    def _tell_error(self, error: MediaError) -> None:
        if self.callbacks.on_error is not None:
            self.callbacks.on_error(error)
        else:
            logger.warning("%s", error)

    def _assert_open(self, operation: str) -> None:
        if self._closed is not None:
            raise InvalidStateError(operation, "closed")
