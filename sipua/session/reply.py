"""Answers to in-dialog requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from sipua.sip import make_response

if TYPE_CHECKING:
    from sipua.session.host import SessionHost
    from sipua.sip import Dialog, Request, ServerTransaction


class DialogOwner(Protocol):
    """In whose dialog the request came."""

    _host: SessionHost
    _dialog: Dialog | None


def respond(
    session: DialogOwner,
    transaction: ServerTransaction,
    request: Request,
    code: int,
    headers: tuple[tuple[str, str], ...] = (),
    phrase: str | None = None,
) -> None:
    """Answer an in-dialog request."""
    if code >= 300 and session._dialog is not None:
        session._dialog.refused(request)
    if code == 405:
        headers += tuple(pair for pair in session._host.standard_headers() if pair[0] == "Allow")
    session._host.respond(
        transaction, make_response(request, code, phrase, to_tag=transaction.to_tag, headers=headers)
    )
