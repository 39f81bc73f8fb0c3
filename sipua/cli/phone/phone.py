"""`Phone`: accounts, calls, messages, and what one can do with them. It knows nothing of who looks at it."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sipua.cli.exits import Failure, one_line
from sipua.cli.phone.book import Book
from sipua.cli.phone.bulletin import Bulletin
from sipua.cli.phone.call import PhoneCall
from sipua.cli.phone.desk import Desk
from sipua.cli.phone.finding import Finding
from sipua.cli.phone.line import Line
from sipua.cli.phone.messages import Messages
from sipua.cli.phone.recordings import Recordings
from sipua.cli.phone.sound import Sound
from sipua.cli.phone.transfers import Transfers
from sipua.cli.report import Board
from sipua.cli.running import patience
from sipua.errors import InvalidStateError, MediaDeviceError, SipuaError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from sipua import events
    from sipua.cli.account import AccountOptions
    from sipua.session import RTCSession
    from sipua.ua import UA

__all__ = ["Phone"]

#: Calls at the same time; a further one finds us busy.
MOST_CALLS = 16

#: Seconds that commands from a pipe wait for the accounts, at most.
SETTLING = 10.0


class Phone(Finding):
    """A phone with one or several accounts.

    Commands that need a call take its number, or None for the one that is `selected`. What cannot be done raises one of
    the library's errors or `Failure`, each with one line that says why; what goes wrong later is told as an event.

    :param make_ua: makes the user agent of an account, not started.
    :param auto_answer: take calls at once.
    :param record_directory: where recordings go that are given no name.
    :param media_options: fields of `MediaOptions` for all calls.
    """

    def __init__(
        self,
        accounts: Sequence[AccountOptions],
        make_ua: Callable[[AccountOptions], UA],
        *,
        bulletin: Bulletin | None = None,
        book: Book | None = None,
        sound: Sound | None = None,
        auto_answer: bool = False,
        hold_music: Path | None = None,
        record_directory: Path | None = None,
        media_options: dict[str, Any] | None = None,
    ) -> None:
        self.bulletin = bulletin if bulletin is not None else Bulletin()
        self.book = book if book is not None else Book(None, self.bulletin.notice)
        self.sound = sound if sound is not None else Sound()
        self.auto_answer = auto_answer
        self.lines = [Line(account, make_ua(account), self.bulletin) for account in accounts]
        self.calls: list[PhoneCall] = []
        """Those that are not over, in the order in which they began."""
        self.selected: PhoneCall | None = None
        """The call that commands are about when they name none."""
        self.quitting = asyncio.Event()
        """Set when the phone shall end: by `quit`."""
        self.desk = Desk(self, hold_music)
        self.messages = Messages(self)
        self.transfers = Transfers(self)
        self.recordings = Recordings(self, record_directory if record_directory is not None else Path())
        self.media_options = media_options or {}
        self.book.on_history = lambda entry: self.bulletin.event("history", entry=asdict(entry))
        self.book.on_contacts = self._tell_contacts
        self._board = Board(self.bulletin)
        self._numbers = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        for line in self.lines:
            line.prefix = f"{line.name}: " if len(self.lines) > 1 else ""
            line.ua.on("new_rtc_session", lambda event, line=line: self._on_session(line, event))
            line.ua.on("new_message", lambda event, line=line: self.messages.receive(line, event))

    async def settled(self) -> None:
        """Wait until every account is registered, refused or unreachable; some seconds at most."""
        deadline = asyncio.get_running_loop().time() + SETTLING
        while any(line.is_settling for line in self.lines) and not self.quitting.is_set():
            if asyncio.get_running_loop().time() > deadline:
                return
            await asyncio.sleep(0.02)

    # --- life ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Connect and register all accounts; events tell how that goes."""
        self.tell_sound()
        for line in self.lines:
            line.ua.start()

    async def stop(self) -> None:
        """End all calls, finish recordings, unregister, disconnect; waits some seconds for the peers at most."""
        self.desk.close()
        await asyncio.gather(*(line.ua.stop(patience(line.ua)) for line in self.lines))
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=5.0)
            for task in late:
                task.cancel()
        self._board.close()

    def tell_sound(self) -> None:
        """What peers hear from us and where we hear them, as it is now."""
        source, sink = self.sound.source_name, self.sound.sink_name
        text = f"peers hear: {source}; we hear them: {sink or 'nowhere'}"
        if self.sound.problem is not None:
            text += f" (no sound card: {self.sound.problem})"
        self.bulletin.event("sound", text, source=source, sink=sink)

    def quit(self) -> None:
        """Ask for the end: whoever runs the phone then calls `stop`."""
        self.quitting.set()

    def spawn(self, work: Coroutine[Any, Any, Any], call: PhoneCall | None = None) -> None:
        """Do it in the background; what goes wrong is told."""

        async def guarded() -> None:
            try:
                await work
            except (SipuaError, Failure, OSError) as error:
                self._complain(error, call)

        task = asyncio.ensure_future(guarded())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _complain(self, error: Exception, call: PhoneCall | None = None) -> None:
        text = one_line(error)
        if call is not None:
            call.tell("warning", text, message=text)
        else:
            self.bulletin.notice(text)

    # --- calls --------------------------------------------------------------------------------------------

    def dial(self, target: str, account: str | None = None) -> PhoneCall:
        """Call somebody: a contact, a number or name at our own domain, or a SIP address. Other calls are held.

        :raises Failure: no such account, or too many calls.
        :raises InvalidTargetError: not a target.
        """
        line = self.line(account)
        to = self.book.target_of(target)
        line.ua.normalize_target(to)
        line.check_connected()
        if len(self.calls) >= MOST_CALLS:
            raise Failure(f"there are {MOST_CALLS} calls already; hang up one")
        self.desk.hold_others(None)
        session = line.ua.call(to, **self.media_options)
        call = next(call for call in self.calls if call.session is session)
        self.select_call(call)
        return call

    def answer(self, number: int | None = None) -> PhoneCall:
        """Take a call. Other calls are held.

        :raises Failure: nobody is calling.
        """
        call = self.waiting(number)
        self.desk.hold_others(call)
        call.session.answer(**self.media_options)
        self.select_call(call)
        return call

    def decline(self, number: int | None = None, status: int = 486) -> None:
        """Refuse a call: 486 is busy, 603 declined.

        :raises Failure: nobody is calling.
        :raises ValueError: no such status.
        """
        self.waiting(number).session.terminate(status_code=status)

    def hang_up(self, number: int | None = None) -> None:
        """End a call, whatever its state; one that waits for our answer is refused as busy."""
        call = self.call(number)
        if call.waits_for_answer:
            call.session.terminate(status_code=486)
        else:
            call.session.terminate()

    def mute(self, number: int | None = None, *, muted: bool | None = None) -> None:
        """Keep the peer from hearing us, or not any more; None: the other way round."""
        call = self.talking(number)
        wanted = not self.desk.is_muted(call) if muted is None else muted
        self.desk.mute(call, wanted)

    def send_digits(self, digits: str, number: int | None = None) -> None:
        """Send DTMF; ``,`` is a pause of 2 s.

        :raises ValueError: a character that is no tone.
        """
        call = self.talking(number)
        sending = call.session.send_dtmf(digits)
        self.spawn(_wait(sending), call)

    async def hold(self, number: int | None = None) -> None:
        """Put the peer on hold; returns when it has agreed."""
        await self.desk.hold(self.talking(number))

    async def resume(self, number: int | None = None) -> None:
        """Talk to the peer again; other calls are held. Returns when it has agreed."""
        call = self.talking(number)
        self.desk.hold_others(call)
        self.select_call(call)
        await self.desk.resume(call)

    # --- what sessions tell -------------------------------------------------------------------------------

    def _on_session(self, line: Line, event: events.NewRTCSession) -> None:
        session = event.session
        if event.originator == "remote" and len(self.calls) >= MOST_CALLS:
            session.terminate(status_code=486)
            return
        self._numbers += 1
        call = PhoneCall(session, line, self._numbers, self.bulletin, self._board)
        call.contact = self.name_of(call.remote)
        self.calls.append(call)
        self._follow(call, session)
        if self.selected is None:
            self.select_call(call)
        self.desk.arrange()
        if event.originator == "remote" and self.auto_answer:
            self.answer(call.number)

    def _follow(self, call: PhoneCall, session: RTCSession) -> None:
        def ringing(event: events.Progress) -> None:
            call.ringing = call.ringing or event.response.code == 180
            call.early = call.early or bool(event.response.body)
            self.desk.arrange()

        def digit(event: events.NewDTMF) -> None:
            call.digits = (call.digits + event.tone)[-20:]

        def over(event: events.Ended | events.Failed) -> None:
            self._over(call)

        session.on("progress", ringing)
        session.on("new_dtmf", digit)
        session.on("refer", lambda event: self.transfers.asked(call, event))
        session.on("replaces", lambda event: self.transfers.replaced(call, event))
        for name in ("accepted", "confirmed", "hold", "unhold"):
            session.on(name, lambda event: self.desk.arrange())
        for name in ("muted", "unmuted"):
            session.on(name, lambda event, name=name: self._tell_mute(call, name == "muted"))
        session.on("media_failed", lambda event: self._on_media_failed(call, event.error))
        session.on("ended", over)
        session.on("failed", over)

    def _tell_contacts(self, text: str) -> None:
        self.bulletin.event("contacts", text, contacts=[asdict(contact) for contact in self.book.contacts])

    def _tell_mute(self, call: PhoneCall, muted: bool) -> None:
        call.tell("mute", "muted" if muted else "not muted any more", muted=muted)

    def _on_media_failed(self, call: PhoneCall, error: Exception) -> None:
        """What failed has been told. A device that is gone is not tried again and again."""
        if isinstance(error, MediaDeviceError):
            self.desk.lose(error)

    def _over(self, call: PhoneCall) -> None:
        if call not in self.calls:
            return
        self.calls.remove(call)
        self.book.note(call.history_entry())
        self.desk.forget(call)
        if call is self.selected:
            self.select_call(self._next_call())

    def _next_call(self) -> PhoneCall | None:
        """Who is talked to, else the latest."""
        up = [call for call in self.calls if call.state in ("connected", "conference")]
        return up[-1] if up else (self.calls[-1] if self.calls else None)


async def _wait(future: asyncio.Future[Any]) -> None:
    """For digits to be sent."""
    try:
        await future
    except InvalidStateError:
        raise Failure("the rest of the digits was not sent: the call is over") from None
    except asyncio.CancelledError:
        if not future.cancelled():
            raise
