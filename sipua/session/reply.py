"""Answers to in-dialog requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from sipua.sip import make_response

if TYPE_CHECKING:
    from sipua.session.host import SessionHost
    from sipua.sip import Dialog, Request, ServerTransaction


class DialogOwner(Protocol):
    """In whose dialog the request came: a call, or a subscription outside of calls."""

    _host: SessionHost
    _dialog: Dialog | None


#: The longest Retry-After, in seconds, for an offer that came too early (:rfc:`3261#section-14.2`).
MAX_RETRY_AFTER = 10


def respond(
    session: DialogOwner,
    transaction: ServerTransaction,
    request: Request,
    code: int,
    headers: tuple[tuple[str, str], ...] = (),
    phrase: str | None = None,
    *,
    sdp: str = "",
) -> None:
    """Answer an in-dialog request."""
    if code >= 300 and session._dialog is not None:
        session._dialog.refused(request)
    if code == 405:
        headers += tuple(pair for pair in session._host.standard_headers() if pair[0] == "Allow")
    response = make_response(
        request,
        code,
        phrase,
        to_tag=transaction.to_tag,
        headers=headers,
        body=sdp.encode(),
        content_type="application/sdp" if sdp else None,
    )
    session._host.respond(transaction, response)


def retry_later(session: DialogOwner, code: int) -> tuple[tuple[str, str], ...]:
    """The Retry-After that a 500 to an offer which came too early must have."""
    return (("Retry-After", str(session._host.rand.randint(0, MAX_RETRY_AFTER))),) if code == 500 else ()
