"""Recordings of calls, both sides in one file."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sipua.cli.exits import ExitCode, Failure
from sipua.errors import SipuaError

if TYPE_CHECKING:
    from sipua.cli.phone.call import PhoneCall
    from sipua.cli.phone.phone import Phone
    from sipua.media.recording import Recording

__all__ = ["Recordings"]


class Recordings:
    """The recordings of a phone, in `directory` unless a path is given."""

    def __init__(self, phone: Phone, directory: Path) -> None:
        self._phone = phone
        self._directory = directory

    def start(self, number: int | None = None, path: str | None = None) -> Path:
        """Record both sides of a call, to a file with its time and peer in its name unless `path` is given.

        :raises Failure: it is not answered, or is being recorded.
        :raises MediaFileError: the file cannot be written.
        """
        from sipua.media.recording import Recording

        call = self._phone.talking(number)
        if call.is_recorded and call.recording is not None:
            raise Failure(f"call {call.number} is being recorded to {call.recording.path}", ExitCode.USAGE)
        file = Path(path).expanduser() if path else self._new_path(call)
        recording = Recording(file, "mixed")
        call.session.audio.record(recording)
        call.recording = recording
        call.tell("recording", f"recording to {recording.path}", path=str(recording.path))
        self._phone.spawn(self._finish(call, recording))
        return recording.path

    def stop(self, number: int | None = None) -> None:
        """End the recording; the call goes on.

        :raises Failure: there is none.
        """
        call = self._phone.call(number)
        if call.recording is None or not call.is_recorded:
            raise Failure(f"call {call.number} is not being recorded", ExitCode.USAGE)
        call.recording.stop()

    async def _finish(self, call: PhoneCall, recording: Recording) -> None:
        try:
            await recording.wait_closed()
        except SipuaError:
            return  # the call has told it
        seconds, path = round(recording.seconds, 1), str(recording.path)
        call.tell("recorded", f"recorded {seconds} s to {path}", path=path, seconds=seconds)

    def _new_path(self, call: PhoneCall) -> Path:
        user = call.session.remote_identity.uri.user or "call"
        who = "".join(c if c.isalnum() or c in "+-_." else "_" for c in user).strip(".") or "call"
        now = datetime.datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
        return self._directory / f"{now}-{who}-{call.number}.wav"
