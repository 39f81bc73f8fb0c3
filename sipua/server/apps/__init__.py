"""Call apps: what answers at the server's own numbers. Each is a user agent, made with the public face only.

`APPS` is the list of them; an app is a function of the incoming call. `AppHost` runs them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from sipua.server.apps.audio import echo, hold_music, playback, test_tone
from sipua.server.apps.conference import Room
from sipua.server.apps.endings import hang_up, refuse
from sipua.server.apps.host import AppHost
from sipua.server.apps.ivr import read_digits
from sipua.server.apps.ringing import early_media, ring

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from sipua import RTCSession

__all__ = ["APPS", "App", "AppHost", "Run"]


class Run(Protocol):
    """Answers a call, or refuses it; what is to be done while it lasts is a coroutine, or None."""

    def __call__(self, call: RTCSession, /) -> Coroutine[None, None, None] | None:
        """Begin."""


class App(NamedTuple):
    """What a number does, in words and as a function."""

    summary: str
    run: Run | type[Run]
    """A function of the call; or a class of such functions, one of which has all calls of a server."""

    def started(self) -> Run:
        """The function, for one server."""
        return self.run() if isinstance(self.run, type) else self.run


APPS: dict[str, App] = {
    "600": App("echo", echo),
    "601": App("plays a tune, then hangs up", playback),
    "602": App("music on hold", hold_music),
    "603": App("reads up to 4 digits", read_digits),
    "605": App("1004 Hz tone", test_tone),
    "606": App("early media: a tone before the answer, then echo", early_media),
    "608": App("rings for ever", ring),
    "609": App("answers, hangs up after 2 s", hang_up),
    "610": App("busy (486)", refuse(486)),
    "611": App("declined (603)", refuse(603)),
    "612": App("not found (404)", refuse(404)),
    # 480 and not 503: a proxy turns 503 into 500 (RFC 3261 section 16.7), so it never comes from a callee.
    "613": App("unavailable (480)", refuse(480)),
    "700": App("conference of all who call it", Room),
}
