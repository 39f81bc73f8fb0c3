"""`Conference`: calls of this process that hear each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from sipua import events
from sipua.emitter import Emitter
from sipua.errors import InvalidStateError, MediaError
from sipua.media.conference.member import Member
from sipua.media.conference.mixer import Mixer
from sipua.media.conference.sound import RoomSound, checked_recording
from sipua.media.conference.speaker import SpeakerWatch
from sipua.media.engine.clock import AudioClock, Phase
from sipua.media.faults import FAULTS, told
from sipua.media.interface import AudioSink

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sipua.media.conference.member import Call
    from sipua.media.interface import AudioReader, AudioSource, Playback, Utterance
    from sipua.media.recording import Recording

__all__ = ["Conference"]

_ENDS = ("ended", "failed")


class Conference(Emitter):
    """Mixes calls: everybody hears all others, and nobody itself.

    ::

        async with Conference(record="room.wav") as room:
            room.join(call)

    Calls join and leave at any time. A call that ends leaves by itself; a conference that ends hangs up nobody. It may
    be used in one event loop, and costs nothing while nobody is in it and nothing is played or recorded.

    Events: ``joined`` (`MemberJoined`), ``left`` (`MemberLeft`), ``speaker`` (`SpeakerChanged`), ``media_failed``
    (`MediaFailed`: a source or sink of the conference has failed, and is out of it).

    :param record: where everything that is heard goes: a path that ends in ``.wav``, ``.ogg`` or ``.mp3``, a
        `Recording`, or a sink.
    :param max_members: how many calls can be in it; None: any number.
    :raises MediaFileError: a file that cannot be written.
    :raises ValueError: less than one member.
    """

    event_names = frozenset({"joined", "left", "speaker", "media_failed"})

    def __init__(
        self, *, record: Recording | AudioSink | str | Path | None = None, max_members: int | None = None
    ) -> None:
        super().__init__()
        if max_members is not None and max_members < 1:
            raise ValueError(f"max_members={max_members!r}: must be at least 1")
        self.max_members = max_members
        self._record: Recording | AudioSink | None = None
        if isinstance(record, AudioSink):
            self._record = record
            check = getattr(record, "check", None)
            if check is not None:
                check()
        elif record is not None:
            self._record = checked_recording(record)
        self._members: dict[Any, Member] = {}
        self._mixer = Mixer()
        self._speakers: SpeakerWatch[Member] = SpeakerWatch()
        self._sound = RoomSound(self._tell_error)
        self._clock: AudioClock | None = None
        self._closed = False

    def __str__(self) -> str:
        return f"conference of {len(self._members)}"

    # --- who is in it -------------------------------------------------------------------------------------

    @property
    def members(self) -> tuple[Member, ...]:
        """Those in it now, in the order in which they came."""
        return tuple(self._members.values())

    def __len__(self) -> int:
        return len(self._members)

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[Member]:
        return iter(self.members)

    def __contains__(self, call: object) -> bool:
        return call in self._members

    def __getitem__(self, call: Call) -> Member:
        """The member that this call is. KeyError: it is not here."""
        return self._members[call]

    @property
    def speaker(self) -> Member | None:
        """Who is speaking: the loudest for some time; None when nobody has been for 2 s."""
        return self._speakers.speaker

    def join(self, call: Call) -> Member:
        """Let `call` take part from now on, also while it is held or has no media path yet.

        What was played to it ends. What is played to it later by ``call.audio`` it hears in the place of the
        conference, until that is over. Joining twice changes nothing.

        :raises InvalidStateError: the conference is closed or full; the call is over, an incoming one that was not
            answered, or in another conference.
        """
        if call in self._members:
            return self._members[call]
        if self._closed:
            raise InvalidStateError("join", "closed")
        if call.is_ended():
            raise InvalidStateError("join", "ended")
        if self.max_members is not None and len(self._members) >= self.max_members:
            raise InvalidStateError("join", "full")
        self._wake()
        member = Member(call, self._tell_error)
        member._seat.attach()
        self._members[call] = member
        member._end = lambda _: self.leave(call)
        for event in _ENDS:
            call.on(event, member._end)
        self.emit("joined", events.MemberJoined(member))
        return member

    def leave(self, call: Call) -> None:
        """It hears and says nothing here any more, and goes on. Calls that are not here are ignored."""
        member = self._members.pop(call, None)
        if member is None:
            return
        for event in _ENDS:
            call.off(event, member._end)
        member._seat.detach()
        self.emit("left", events.MemberLeft(member))
        if self._speakers.forget(member):
            self.emit("speaker", events.SpeakerChanged(None))

    # --- what it hears and says itself --------------------------------------------------------------------

    def play(self, source: AudioSource | str | Path, *, to: Call | None = None) -> Playback:
        """Let all hear `source`, or one, over what they hear; it ends what is being played so.

        :param to: a call that is here. It alone hears it.
        :raises MediaFileError: a file that cannot be played.
        :raises InvalidStateError: the conference is closed.
        :raises KeyError: `to` is not here.
        """
        if self._closed:
            raise InvalidStateError("play", "closed")
        if to is not None:
            return self._members[to].play(source)
        self._wake()
        return self._sound.play(source)

    async def write(self, pcm: bytes, rate: int = 16000) -> Utterance:
        """Let all hear `pcm` after what was written before, as in `AudioPort.write`. Returns when it is queued."""
        self._wake()
        return await self._sound.written.write(pcm, rate)

    def clear(self) -> float:
        """Drop what was written and not heard yet; returns its seconds."""
        return self._sound.clear()

    def read(self, rate: int = 16000, *, max_queued: float = 1.0) -> AudioReader:
        """What the members say from now on, mixed, without what is played or written here; see `AudioPort.read`."""
        self._wake()
        reader = self._sound.read(rate, max_queued)
        if self._closed:
            reader.close()
        return reader

    def record(self, recording: Recording | str | Path) -> Recording:
        """Record everything that is heard here, from now on; threads write it. See `AudioPort.record`.

        :raises MediaFileError: a file that cannot be written.
        :raises ConfigurationError: a mode other than ``remote``.
        :raises InvalidStateError: the conference is closed, or the recording was used before.
        """
        if self._closed:
            raise InvalidStateError("record", "closed")
        made = checked_recording(recording)
        self._wake()
        self._sound.record(made)
        return made

    def add_sink(self, sink: AudioSink | str | Path) -> AudioSink:
        """Give everything that is heard here to `sink` too.

        :raises MediaFileError: a file that cannot be written.
        :raises InvalidStateError: the conference is closed.
        """
        if self._closed:
            raise InvalidStateError("add_sink", "closed")
        self._wake()
        return self._sound.add_sink(sink)

    def remove_sink(self, sink: AudioSink) -> None:
        """Take the sink off and close it. Unknown sinks are ignored."""
        self._sound.remove_sink(sink)

    def _tell_error(self, error: MediaError) -> None:
        self.emit("media_failed", events.MediaFailed(error))

    # --- ticks --------------------------------------------------------------------------------------------

    def _wake(self) -> None:
        """Mix from now on. To be called in the event loop."""
        if self._clock is not None or self._closed:
            return
        self._clock = AudioClock.running()
        self._clock.add(Phase.MIX, self._tick)
        record, self._record = self._record, None
        try:
            if isinstance(record, AudioSink):
                self._sound.add_sink(record)
            elif record is not None:
                self._sound.record(record)
        except MediaError as error:
            self._tell_error(error)

    def _sleep(self) -> None:
        if self._clock is not None:
            self._clock.remove(Phase.MIX, self._tick)
            self._clock = None

    def _tick(self, now: float, missed: int) -> None:
        members = tuple(member for member in self.members if self._collect(member))
        if not members and not self._sound.busy:
            self._sleep()
            return
        voices = [member._seat.voice for member in members]
        rate = self._sound.speak(max((voice.rate for voice in voices), default=0) or self._mixer.rate)
        if not rate:
            return
        voices.append(self._sound.voice)
        self._mixer.prepare(voices)
        self._mixer.mix(voices)
        for member in members:
            member._seat.deliver()
        self._sound.listen(self._mixer.everything, rate)
        if self._speakers.tick([(member, member._seat.voice.power) for member in self.members]):
            self.emit("speaker", events.SpeakerChanged(self._speakers.speaker))

    def _collect(self, member: Member) -> bool:
        """Take what a call says. One that fails is out, and the others go on."""
        try:
            member._seat.collect()
        except FAULTS as error:
            self._tell_error(told(f"conference of {len(self)}: {member!r}", error))
            self.leave(member.call)
            return False
        return True

    # --- the end ------------------------------------------------------------------------------------------

    def close(self) -> None:
        """All leave, what is played ends, recordings are finished. The calls go on. Idempotent."""
        if self._closed:
            return
        self._closed = True
        for call in tuple(self._members):
            self.leave(call)
        self._sleep()
        self._sound.close()

    async def wait_closed(self) -> None:
        """Close it, and wait until what was recorded is complete, some seconds at most."""
        self.close()
        await self._sound.wait_recorded()

    async def __aenter__(self) -> Self:
        if self._closed:
            raise InvalidStateError("enter", "closed")
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.wait_closed()
