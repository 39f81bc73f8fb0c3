"""Who hears us and whom we hear: one call at a time, or all of a conference."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from sipua.cli.exits import ExitCode, Failure, one_line
from sipua.cli.phone.ringer import Ringer
from sipua.errors import InvalidStateError, MediaDeviceError, MediaError, SipuaError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from sipua import events
    from sipua.cli.phone.call import PhoneCall
    from sipua.cli.phone.phone import Phone
    from sipua.media.conference import Conference
    from sipua.media.interface import AudioReader, AudioSink, AudioSource, Playback

__all__ = ["Desk"]


class Desk:
    """Gives the phone's sound to calls, by their state: `arrange` may be called at any time."""

    def __init__(self, phone: Phone, hold_music: Path | None) -> None:
        self._phone = phone
        self._hold_music = hold_music
        self._source: AudioSource | None = None
        self._made = False
        self._room: Room | None = None
        self.ringer = Ringer(phone.sound)

    # --- hold ---------------------------------------------------------------------------------------------

    async def hold(self, call: PhoneCall) -> None:
        """Put the peer on hold; one of the conference leaves it. Returns when the peer has agreed."""
        if call.in_conference:
            self.leave(call)
        await self._hold(call)

    async def resume(self, call: PhoneCall) -> None:
        """End that."""
        await call.session.unhold()

    def hold_others(self, call: PhoneCall | None) -> None:
        """Put all on hold that we talk to but `call`. A conference goes on without us."""
        if call is not None and call.in_conference:
            call = None
        for other in self._phone.calls:
            if other is not call and other.state == "connected":
                self._phone.spawn(self._hold(other), other)

    async def _hold(self, call: PhoneCall) -> None:
        from sipua.media.sources import Silence

        music = self._hold_music if self._hold_music is not None else Silence()
        await call.session.hold(hold_music=music)

    # --- mute ---------------------------------------------------------------------------------------------

    def is_muted(self, call: PhoneCall) -> bool:
        """Whether it does not hear us: in a conference, nobody of it does."""
        if call.in_conference and self._room is not None:
            return self._room.muted
        return call.muted

    def mute(self, call: PhoneCall, muted: bool) -> None:
        """Keep the peer from hearing us, or not; in a conference all of them. They go on hearing each other."""
        if call.in_conference and self._room is not None:
            self._room.muted = muted
            call.tell("mute", "conference muted" if muted else "conference not muted any more", muted=muted)
            self.arrange()
        elif muted:
            call.session.mute()
        else:
            call.session.unmute()

    # --- conference ---------------------------------------------------------------------------------------

    @property
    def conference(self) -> tuple[PhoneCall, ...]:
        """Who is in the conference."""
        return tuple(call for call in self._phone.calls if call.in_conference)

    def join(self, calls: Sequence[PhoneCall]) -> None:
        """Let these hear each other and us; those on hold are taken off it.

        :raises Failure: one of them is not answered yet, or there are not two.
        """
        for call in calls:
            if not call.is_up:
                raise Failure(f"call {call.number} is not answered yet", ExitCode.USAGE)
        if len({*calls, *self.conference}) < 2:
            raise Failure("a conference takes two calls that are answered", ExitCode.USAGE)
        if self._room is None:
            self._room = Room(self._on_left, self._on_error)
        for call in calls:
            if call.in_conference:
                continue
            call.say(None)
            call.listen(None)
            self._room.conference.join(call.session)
            call.in_conference = True
            if call.muted:
                call.session.unmute()
            if call.session.is_on_hold()["local"]:
                self._phone.spawn(self.resume(call), call)
        self._tell_conference()
        self.arrange()

    def leave(self, call: PhoneCall) -> None:
        """It is out of the conference, and goes on."""
        if self._room is not None and call.in_conference:
            self._room.conference.leave(call.session)

    def split(self) -> None:
        """End the conference: all but the selected call are on hold then.

        :raises Failure: there is none.
        """
        if self._room is None:
            raise Failure("there is no conference", ExitCode.USAGE)
        members = self.conference
        keep = self._phone.selected if self._phone.selected in members else members[-1]
        self._close_room()
        self.hold_others(keep)

    def _on_left(self, event: events.MemberLeft) -> None:
        for call in self._phone.calls:
            if call.session is event.member.call:
                call.in_conference = False
        if self._room is not None and len(self._room.conference) < 2:
            self._close_room()
        elif self._room is not None:
            self._tell_conference()
        self.arrange()

    def _close_room(self) -> None:
        room, self._room = self._room, None
        if room is not None:
            room.close()
            for call in self.conference:
                call.in_conference = False
            self._tell_conference()
            self.arrange()

    def _tell_conference(self) -> None:
        numbers = [call.number for call in self.conference]
        who = ", ".join(str(number) for number in numbers)
        text = f"conference of calls {who}" if numbers else "the conference is over"
        self._phone.bulletin.event("conference", text, calls=numbers)

    # --- sound --------------------------------------------------------------------------------------------

    def arrange(self) -> None:
        """Give everybody what is due: our sound to whom we talk to, theirs to the speaker."""
        self.ringer.update(self._phone.calls)
        if not self._made:
            self._source, self._made = self._phone.sound.source(), True
        alone = [call for call in self._phone.calls if not call.in_conference]
        for call in alone:
            try:
                self._arrange(call)
            except SipuaError as error:
                self._fail(call, error)
        if self._room is not None:
            elsewhere = any(call.state == "connected" for call in alone)
            try:
                self._room.give(None if elsewhere else self._source, not elsewhere, self._phone.sound.sink)
            except SipuaError as error:
                self._on_error(error)

    def _arrange(self, call: PhoneCall) -> None:
        if call.session.media is None:
            return
        talks = call.state == "connected"
        call.say(self._source if talks else None)
        listens = talks or (call.direction == "outgoing" and call.state in ("calling", "ringing"))
        if listens and call.sink is None:
            call.listen(self._phone.sound.sink())
        elif not listens:
            call.listen(None)

    def forget(self, call: PhoneCall) -> None:
        """It is over."""
        call.source = call.sink = None
        self.arrange()

    def change(self) -> None:
        """The phone's sound has been changed."""
        self._made = False
        for call in self._phone.calls:
            if call.session.media is not None and not call.in_conference:
                call.listen(None)
        if self._room is not None:
            self._room.give(None, False, self._phone.sound.sink)
        self.arrange()

    # --- devices that fail ----------------------------------------------------------------------------------

    def lose(self, error: MediaDeviceError) -> None:
        """A device does not work any more: go on without it, and say so once."""
        sound, before = self._phone.sound, (self._phone.sound.source_name, self._phone.sound.sink_name)
        sound.lose(source=_is_microphone(error))
        if (sound.source_name, sound.sink_name) != before:
            self._phone.bulletin.notice(
                "calls go on without it; choose another (v, or the command sound), or hang up"
            )
            self.change()

    def _fail(self, call: PhoneCall, error: SipuaError) -> None:
        call.tell("warning", one_line(error), message=one_line(error))
        if isinstance(error, MediaDeviceError):
            self.lose(error)

    def _on_error(self, error: Exception) -> None:
        self._phone.bulletin.notice(f"conference: {one_line(error)}")
        if isinstance(error, MediaDeviceError):
            self.lose(error)

    def close(self) -> None:
        """End the conference and be silent; calls are not touched."""
        self.ringer.close()
        self._close_room()


class Room:
    """The phone's conference, and our own place in it."""

    def __init__(
        self, on_left: Callable[[events.MemberLeft], None], on_error: Callable[[Exception], None]
    ) -> None:
        from sipua.media.conference import Conference

        self.conference: Conference = Conference()
        self.conference.on("left", on_left)
        self.conference.on("media_failed", lambda event: on_error(event.error))
        self.muted = False
        """Whether the others do not hear us."""
        self._source: AudioSource | None = None
        self._playback: Playback | None = None
        self._pump: asyncio.Task[None] | None = None
        self._reader: AudioReader | None = None
        self._on_error = on_error

    def give(
        self, source: AudioSource | None, listening: bool, make_sink: Callable[[], AudioSink | None]
    ) -> None:
        """Let all hear `source`; `listening` is whether we hear them, at a sink that `make_sink` makes."""
        wanted = None if self.muted else source
        if wanted is not self._source:
            playback, self._playback, self._source = self._playback, None, wanted
            if playback is not None:
                playback.stop()
            if wanted is not None:
                self._playback = self.conference.play(wanted)
        if listening and self._pump is None:
            sink = make_sink()
            if sink is not None:
                sink.open()
                self._reader = self.conference.read(48000, max_queued=0.2)
                self._pump = asyncio.ensure_future(self._listen(self._reader, sink))
        elif not listening:
            self._hear_no_more()

    async def _listen(self, reader: AudioReader, sink: AudioSink) -> None:
        try:
            async for pcm in reader:
                sink.write(pcm, 48000)
        except MediaError as error:
            self._on_error(error)
        finally:
            reader.close()
            with contextlib.suppress(MediaError, InvalidStateError):
                sink.close()

    def _hear_no_more(self) -> None:
        reader, self._reader, self._pump = self._reader, None, None
        if reader is not None:
            reader.close()

    def close(self) -> None:
        """All leave it."""
        self._hear_no_more()
        self.conference.close()


def _is_microphone(error: MediaDeviceError) -> bool:
    return error.device.startswith(("microphone", "default microphone"))
