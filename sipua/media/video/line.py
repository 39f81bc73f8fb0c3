"""The video of one leg: a second transceiver in its peer connection, from the first time that it is offered.

Bundled, it goes where the audio goes; a peer that does not bundle gets a second path, with its own ICE and DTLS, whose
failure does not end the call.
"""

from __future__ import annotations

import asyncio
import logging
import random
from typing import TYPE_CHECKING, Any

from aiortc import RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from aiortc.sdp import SessionDescription

from sipua.media import internals
from sipua.media.description import parse
from sipua.media.paths import Path, Paths
from sipua.media.video import internals as private
from sipua.media.video.numbering import VideoNumbering
from sipua.media.video.tracks import SentVideo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from aiortc import RTCPeerConnection, RTCRtpTransceiver

    from sipua.media.description import Section
    from sipua.media.interface import Direction, MediaOptions
    from sipua.media.video.port import CallVideo

__all__ = ["VideoLine"]

logger = logging.getLogger(__name__)

_CONSENT_INTERVAL = 2.5


class VideoLine:
    """There is one in every leg; `transceiver` is None as long as there was no video in it."""

    def __init__(
        self,
        pc: RTCPeerConnection,
        audio: RTCRtpTransceiver,
        options: MediaOptions,
        port: CallVideo,
        *,
        base: VideoLine | None = None,
    ) -> None:
        self.transceiver: RTCRtpTransceiver | None = None
        self.live = False
        """Whether it is agreed on."""
        self.offered: Direction | None = None
        """What our last offer said of it; None: it was not offered, or with port 0."""
        self.on_path_change: Callable[[], None] | None = None
        self._pc = pc
        self._audio = audio
        self._options = options
        self._port = port
        self._base = base
        self._loop = asyncio.get_running_loop()
        self._active = asyncio.Event()
        self._closing = False
        self._saved: private.Saved | None = None
        self._sending: private.SendingVideo | None = None
        self._paths: Paths | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._watched: Any = None
        private.guard_connect(pc)

    @property
    def has_own_path(self) -> bool:
        """Whether it does not (or, before the answer, not yet) go where the audio goes."""
        transceiver = self.transceiver
        return (
            transceiver is not None and transceiver.receiver.transport is not self._audio.receiver.transport
        )

    @property
    def mid(self) -> str | None:
        """Its name in the descriptions of aiortc."""
        return self.transceiver.mid if self.transceiver is not None else None

    @property
    def receives(self) -> bool:
        """Whether it was agreed that the peer may show something."""
        return self.transceiver is not None and self.transceiver.currentDirection in ("recvonly", "sendrecv")

    # --- offer and answer ---------------------------------------------------------------------------------

    def save(self) -> None:
        """From here on, `restore` goes back to this."""
        self._saved = private.save(self.transceiver) if self.transceiver is not None else None

    def restore(self) -> None:
        """What was offered or half applied since `save` is forgotten."""
        transceiver = self.transceiver
        if transceiver is None or self._pc.signalingState == "closed":
            return
        if self._saved is not None:
            private.restore(transceiver, self._saved)
            return
        private.remove_transceiver(self._pc, transceiver)
        if self.has_own_path:
            self._spawn(private.stop_path(self._pc, transceiver))
        self.transceiver, self.live = None, False
        self._release_path()

    def reserve(self, mids: Iterable[str]) -> None:
        """Keep the names of m-lines that were refused from what is added."""
        private.reserve_mids(self._pc, mids)

    def prepare_offer(self, direction: Direction | None, *, bundled: bool) -> None:
        """Before an offer is made: None offers no video. `bundled`: the peer is known to use one transport for all."""
        self.offered = direction
        if direction is not None and self.transceiver is None:
            self._add(bundled=bundled or self._base is not None)
        self._turn(direction)

    def prepare_answer(self, direction: Direction | None, *, mid: str, bundled: bool) -> None:
        """Before the peer's offer is applied: None takes no video."""
        if direction is not None and self.transceiver is None:
            self._add(bundled=bundled)
        elif self.transceiver is not None and self.transceiver.mid not in (None, mid):
            private.rename(self.transceiver, mid)
        self._turn(direction)

    def _turn(self, direction: Direction | None) -> None:
        if self.transceiver is not None:
            self.transceiver.direction = direction or "inactive"

    def number(
        self, offer: RTCSessionDescription, before: tuple[Section | None, ...]
    ) -> RTCSessionDescription:
        """The offer that was just made, with numbers for its video that clash with none.

        `before` is our last m-line for video, and all others whose numbers are taken.
        """
        if self.transceiver is None:
            return offer
        description = SessionDescription.parse(offer.sdp)
        ours, *others = before or (None,)
        numbering = VideoNumbering(ours, [parse(offer.sdp).media[0], *filter(None, others)])
        media = description.media[1]
        codecs, extensions = private.number(self.transceiver, numbering.codecs, numbering.header_extensions)
        media.fmt = [codec.payloadType for codec in codecs]
        media.rtp.codecs, media.rtp.headerExtensions = codecs, extensions
        return RTCSessionDescription(str(description), offer.type)

    def negotiated(self, *, live: bool, peer: str | None) -> None:
        """Offer and answer have met; `peer` is the ICE user name of a path of its own."""
        self.live = live and self.transceiver is not None
        self._saved = None
        transceiver = self.transceiver
        if transceiver is None:
            return
        if not self.has_own_path:
            self._release_path()
        elif self._paths is not None:
            if peer is None or not self.live:
                self._paths.rollback()
            else:
                self._paths.described.expect(peer)
                self._paths.agree(internals.remote_ice(self._pc, transceiver))
        if not self.live:
            transceiver.direction = "inactive"
            return
        if self._sending is not None:
            self._sending.follow()
        private.receive_codecs(transceiver)

    # --- its transceiver ----------------------------------------------------------------------------------

    def _add(self, *, bundled: bool) -> None:
        transceiver = private.add_transceiver(self._pc, SentVideo(self._next_frame), bundled=bundled)
        self.transceiver = transceiver
        if self._base is not None and self._base.transceiver is not None:
            private.impersonate(self._base.transceiver, transceiver)
        self._sending = private.SendingVideo(transceiver)
        private.guard_receiver(transceiver)
        private.guard_transport(transceiver)
        if not bundled:
            self._add_path(transceiver)
            # An answer may bundle them.
            private.guard_transport(self._audio)
            private.expect_bundling(self._audio, transceiver)

    def _add_path(self, transceiver: RTCRtpTransceiver) -> None:
        path = Path.gathered(transceiver.receiver.transport.transport.iceGatherer, self._options)
        self._watch_path(path)
        self._paths = Paths(transceiver, path, self._options.failure_timeout)
        if self._watched is None:
            # The state of the call is that of its audio: see `path_state`.
            self._watched = self._audio.receiver.transport
            self._watched.on("statechange", self._path_changed)
            self._watched.transport.on("statechange", self._path_changed)

    def _path_changed(self) -> None:
        if self.on_path_change is not None:
            self.on_path_change()

    @property
    def can_restart(self) -> bool:
        """Whether nothing is in the way of an ICE restart: a path of its own that is not up, or not in use."""
        if not self.has_own_path or self.transceiver is None:
            return True
        return self.live and self.transceiver.receiver.transport.state == "connected"

    def restart(self) -> None:
        """Let the offer or answer to come tell of another path, if it has one of its own."""
        if self._paths is not None and self.has_own_path:
            self._watch_path(self._paths.restart(self._options))

    def stay(self) -> None:
        """Forget the path that was offered by `restart`."""
        if self._paths is not None:
            self._paths.rollback()

    def _watch_path(self, path: Path) -> None:
        internals.replace_consent(path.connection, lambda: self._consent(path))
        internals.watch_socket(path.connection, lambda: None)

    async def _consent(self, path: Path) -> None:
        """Keep the pair in use open (:rfc:`7675`). Whether there is a peer is for the audio to say."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        while not self._closing:
            await asyncio.sleep(_CONSENT_INTERVAL * random.uniform(0.8, 1.2))
            if self._paths is None or self._paths.used is not path:
                return
            await internals.ask_consent(path.connection)

    def _release_path(self) -> None:
        if self._paths is not None:
            self._leaving |= self._paths.leave_others()
            self._paths.used.forget()
        self._paths = None

    def connection_state(self) -> str:
        """Of the leg's connection, video paths left aside."""
        if self._watched is None or self._pc.connectionState == "closed":
            return str(self._pc.connectionState)
        return private.path_state(self._audio)

    # --- frames -------------------------------------------------------------------------------------------

    def activate(self) -> None:
        """From now on this is what the peer of the call sees and shows."""
        self._active.set()

    def deactivate(self) -> None:
        """Nothing is sent, and what comes is not looked at."""
        self._active.clear()

    async def _next_frame(self) -> Any:
        await self._active.wait()
        return await self._port.next_frame()

    def receive(self, track: Any) -> None:
        """aiortc's remote track, to be read as long as the leg lives: its queue has no bound."""
        self._spawn(self._receive(track))

    async def _receive(self, track: Any) -> None:
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            if self._active.is_set():
                self._port.push(frame)

    # --- the end ------------------------------------------------------------------------------------------

    def _spawn(self, work: Any) -> None:
        task = self._loop.create_task(work, name="sipua video")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def begin_close(self) -> None:
        """The connection is about to be closed."""
        self._closing = True
        self.deactivate()
        if self.transceiver is not None:
            private.forbid_start(self.transceiver)

    def abandon(self) -> None:
        """It did not close in time."""
        if self._paths is not None:
            internals.abandon(self._paths.used.connection)

    async def close(self) -> None:
        """The connection is closed."""
        self._release_path()
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks or self._leaving:
            await asyncio.wait(tasks | self._leaving)
