"""What an application asks for in a call that is up: hold, unhold, renegotiate. `Reoffer` carries it out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sipua.errors import InvalidStateError
from sipua.media.interface import DIRECTIONS
from sipua.session.early import early_dialog
from sipua.session.headers import header_list
from sipua.session.reoffer import Reoffer
from sipua.session.states import State

if TYPE_CHECKING:
    import asyncio
    from pathlib import Path

    from sipua.media.interface import AudioSource, Direction
    from sipua.session.renegotiation import VideoWish
    from sipua.session.session import RTCSession


def ask(
    session: RTCSession,
    operation: str,
    *,
    hold: bool | None = None,
    music: AudioSource | None = None,
    direction: Direction | None = None,
    video: VideoWish | None = None,
    video_source: Any = None,
    use_update: bool = False,
    ice_restart: bool = False,
    late_offer: bool = False,
    extra_headers: Any = (),
) -> asyncio.Future[None]:
    """What `RTCSession.hold`, `unhold` and `renegotiate` do."""
    for wanted in (direction, video and video.direction):
        if wanted is not None and wanted not in DIRECTIONS:
            raise ValueError(f"direction={wanted!r}: none of {', '.join(DIRECTIONS)}")
    if late_offer and use_update:
        raise ValueError("late_offer=True: an UPDATE cannot ask for an offer")
    headers = header_list(extra_headers)
    answered = session.status in (State.WAITING_FOR_ACK, State.CONFIRMED)
    if session.is_ended() or not (answered or (use_update and _may_update(session))):
        raise InvalidStateError(operation, session.status.value)
    reoffer = Reoffer(
        session,
        operation,
        hold=hold,
        music=music,
        direction=direction,
        video=video,
        video_source=video_source,
        use_update=use_update,
        ice_restart=ice_restart,
        late_offer=late_offer,
        headers=headers,
    )
    session._renegotiation.add(reoffer)
    return reoffer.done


def hold(
    session: RTCSession, music: AudioSource | str | Path | None, *, use_update: bool, extra_headers: Any
) -> asyncio.Future[None]:
    """What `RTCSession.hold` does."""
    checked = None if music is None else session.audio.checked_hold_music(music)
    return ask(session, "hold", hold=True, music=checked, use_update=use_update, extra_headers=extra_headers)


def _may_update(session: RTCSession) -> bool:
    return early_dialog(session) is not None and session._peer.allows("UPDATE")
