"""How a call or a request ended, as an exception: one class per reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipua import errors
from sipua.errors import RequestFailed, RequestTimeout
from sipua.events import Cause, cause_of_status
from sipua.session.host import NoResponse
from sipua.sip import Response

if TYPE_CHECKING:
    import asyncio

    from sipua.events import Ended, Failed

_CLASS_OF_CAUSE: dict[Cause, type[errors.CallFailed]] = {
    Cause.BUSY: errors.CallBusy,
    Cause.REJECTED: errors.CallRejected,
    Cause.REDIRECTED: errors.CallRejected,
    Cause.NOT_FOUND: errors.CallNotFound,
    Cause.ADDRESS_INCOMPLETE: errors.CallNotFound,
    Cause.UNAVAILABLE: errors.CallUnavailable,
    Cause.CONNECTION_ERROR: errors.CallUnavailable,
    Cause.AUTHENTICATION_ERROR: errors.CallUnauthorized,
    Cause.REQUEST_TIMEOUT: errors.CallTimeout,
    Cause.NO_ANSWER: errors.CallTimeout,
    Cause.EXPIRES: errors.CallTimeout,
    Cause.CANCELED: errors.CallCanceled,
    Cause.INCOMPATIBLE_SDP: errors.CallIncompatible,
    Cause.MISSING_SDP: errors.CallIncompatible,
    Cause.BAD_MEDIA_DESCRIPTION: errors.CallIncompatible,
    Cause.WEBRTC_ERROR: errors.CallIncompatible,
}
# Where the status says more than JsSIP's cause does.
_CLASS_OF_STATUS: dict[int, type[errors.CallFailed]] = {
    408: errors.CallTimeout,
    410: errors.CallNotFound,
    500: errors.CallUnavailable,
    502: errors.CallUnavailable,
    503: errors.CallUnavailable,
    504: errors.CallTimeout,
}


def call_error(event: Failed | Ended) -> errors.CallFailed:
    """The exception for a call that did not come about."""
    response = event.message if isinstance(event.message, Response) else None
    status = response.code if response is not None else None
    kind = _CLASS_OF_CAUSE.get(event.cause, errors.CallRejected if status else errors.CallFailed)
    if event.originator == "remote" and status in _CLASS_OF_STATUS:
        kind = _CLASS_OF_STATUS[status]
    text = str(event.cause)
    if response is not None:
        text += f" ({response.code} {response.phrase})".replace(" )", ")")
    if event.reason:
        text += f": {event.reason}"
    return kind(text, cause=event.cause, status_code=status, response=response)


def failure_of(method: str, result: Response | NoResponse) -> RequestFailed | None:
    """The exception that this result of a request stands for; None for a provisional response or success."""
    if isinstance(result, NoResponse):
        kind = RequestTimeout if result.cause is Cause.REQUEST_TIMEOUT else RequestFailed
        return kind(f"{method}: {result.cause}", cause=result.cause, response=result.response)
    if result.code < 300:
        return None
    return RequestFailed(
        f"{method}: {result.code} {result.phrase}".rstrip(),
        cause=cause_of_status(result.code),
        status_code=result.code,
        response=result,
    )


def settle(done: asyncio.Future[Response], method: str, result: Response | NoResponse) -> None:
    """Put the final result of a request into a future that nobody has to wait for."""
    if done.done() or (isinstance(result, Response) and result.code < 200):
        return
    error = failure_of(method, result)
    if error is None:
        assert isinstance(result, Response)
        done.set_result(result)
    else:
        done.set_exception(error)
        done.exception()
