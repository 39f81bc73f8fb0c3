"""Session descriptions on their way between messages, the application and media."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal

from sipua import events
from sipua.errors import MediaError, MediaFileError
from sipua.events import Cause, Originator
from sipua.session import dtmf, path, statistics, terminate, trickle
from sipua.session.multipart import is_understood, media_type, part_of
from sipua.session.states import Event, State, allowed

if TYPE_CHECKING:
    from sipua.media.interface import MediaSession, MediaState, MediaStep
    from sipua.session.session import RTCSession
    from sipua.sip import Request, Response

logger = logging.getLogger("sipua.session")

SDP_TYPE = "application/sdp"


def sdp_of(message: Request | Response) -> str:
    """The session description in `message`, empty when there is none (also inside multipart, :rfc:`5621`)."""
    if not message.body:
        return ""
    if media_type(message) == SDP_TYPE:
        return message.text
    return (part_of(message, SDP_TYPE) or b"").decode(errors="replace")


def refusal_of_body(request: Request) -> tuple[int, tuple[tuple[str, str], ...]] | None:
    """415 for a body of which more must be understood than a session description."""
    return None if is_understood(request, SDP_TYPE) else (415, (("Accept", SDP_TYPE),))


def set_sdp(message: Request | Response, sdp: str) -> None:
    """Make `sdp` the body of `message`."""
    message.headers.set("Content-Type", SDP_TYPE)
    message.body = sdp.encode()


async def change_sdp(
    session: RTCSession, originator: Originator, kind: Literal["offer", "answer"], sdp: str
) -> str:
    """Let the application change a description before it is used: by modifiers (ours only), then by ``sdp`` handlers.

    :raises MediaError: what a modifier gives is no text. What it raises is raised.
    """
    if originator == "local" and session._media is not None:
        for modify in session._media.options.sdp_modifiers:
            sdp = modify(sdp)
            if not isinstance(sdp, str):
                raise MediaError(f"the SDP modifier {modify!r} gives {type(sdp).__name__}, not a text")
    if not session.has_handlers("sdp"):
        return sdp
    event = events.Sdp(originator, kind, sdp)
    await session.emit_and_wait("sdp", event)
    return event.sdp


async def make_offer(session: RTCSession, *, ice_restart: bool = False) -> str:
    """An offer of ours."""
    assert session._media is not None
    session._trickle.prepare()
    return await change_sdp(
        session, "local", "offer", await session._media.create_offer(ice_restart=ice_restart)
    )


async def answer_offer(session: RTCSession, offer: str) -> str:
    """Our answer to an offer of the peer."""
    assert session._media is not None
    changed = await change_sdp(session, "remote", "offer", offer)
    session._trickle.prepare(changed)
    return await change_sdp(session, "local", "answer", await session._media.create_answer(changed))


def _step_failed(step: str) -> type[events.StepFailed]:
    return {
        "createoffer": events.CreateOfferFailed,
        "createanswer": events.CreateAnswerFailed,
        "setlocaldescription": events.SetLocalDescriptionFailed,
        "setremotedescription": events.SetRemoteDescriptionFailed,
    }[step]


def check_media(session: RTCSession, media: MediaSession) -> None:
    """Raise what is wrong with the call's media, and tell of a file that cannot be used."""
    try:
        media.check()
    except MediaFileError as error:
        session.emit("getusermediafailed", events.GetUserMediaFailed(error))
        raise


def watch_media(session: RTCSession, media: MediaSession) -> None:
    """Pass on what media tells; end the call when its path has failed."""

    def on_state(state: MediaState) -> None:
        session.emit("ice_connection_state", events.IceConnectionState(state))
        if state == "failed":
            session._post(lambda: path_failed(session), urgent=True)
        elif state == "disconnected":
            session._post(lambda: path.on_disconnected(session))

    def on_error(error: Exception) -> None:
        logger.warning("%s: %s", session, error)
        session.emit("media_failed", events.MediaFailed(error))

    def on_step_failed(step: MediaStep, error: Exception) -> None:
        session.emit(f"peerconnection_{step}failed", _step_failed(step)(error))

    media.callbacks.on_candidate = lambda line: trickle.tell_candidate(session, line, media)
    media.callbacks.on_gathered = session._trickle.found
    media.callbacks.on_step_failed = on_step_failed
    media.callbacks.on_state = on_state
    media.callbacks.on_track = lambda kind, track: session.emit("track", events.Track(kind, track))
    media.callbacks.on_error = on_error
    media.callbacks.on_voice = lambda side, speaks: session.emit(
        "voice_activity", events.VoiceActivity("remote" if side == "remote" else "local", speaks)
    )
    media.callbacks.on_dtmf = lambda *tone: dtmf.receive(session, *tone)
    statistics.begin(session, media)


def path_failed(session: RTCSession) -> None:
    """ICE or DTLS failed, or the peer's media fell silent for good."""
    if session.is_ended() or not allowed(session.status, Event.FAILURE):
        return
    if path.recover(session):  # the next one may be found in time
        session._set_timer("new path", path.LIMIT, lambda: path_still_failed(session))
    else:
        path_given_up(session)


def path_still_failed(session: RTCSession) -> None:
    """The time for another path is over."""
    media = session._media
    if not session.is_ended() and media is not None and media.state != "connected":
        path_given_up(session)


def path_given_up(session: RTCSession) -> None:
    """There is no path, and there will be none."""
    silent = session.status is State.CONFIRMED
    terminate.finish(
        session,
        Event.FAILURE,
        originator="system",
        cause=Cause.RTP_TIMEOUT if silent else Cause.WEBRTC_ERROR,
        reason="the media path failed",
        status=488 if session.direction == "incoming" and not silent else None,
    )


def media_failure(session: RTCSession, error: Exception, cause: Cause, status: int | None = None) -> None:
    """Media could not make or take a description before the call was up: give the call up."""
    session.emit("media_failed", events.MediaFailed(error))
    if allowed(session.status, Event.FAILURE):
        terminate.finish(
            session, Event.FAILURE, originator="system", cause=cause, reason=str(error), status=status
        )
