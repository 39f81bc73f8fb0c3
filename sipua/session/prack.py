"""Acknowledging the peer's reliable provisional responses: PRACK (:rfc:`3262#section-4`)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sipua.errors import ParseError
from sipua.session.host import NoResponse
from sipua.session.negotiation import SDP_TYPE
from sipua.session.peer import option_tags

if TYPE_CHECKING:
    from sipua.session.session import RTCSession
    from sipua.sip import Dialog, Response

logger = logging.getLogger("sipua.session")


def is_reliable(response: Response) -> bool:
    """Whether it wants a PRACK."""
    return (
        "RSeq" in response.headers
        and 100 < response.code < 200
        and "100rel" in option_tags(response, "Require")
    )


def is_next(session: RTCSession, dialog: Dialog, response: Response) -> bool:
    """Whether it is a reliable response whose turn it is; each is acknowledged and used once, and in order.

    A copy was acknowledged already, and what came before its turn comes again.
    """
    if not is_reliable(response):
        return False
    try:
        rseq = response.rseq
    except ParseError as error:
        logger.warning("%s: %s", session, error)
        return False
    key = (dialog.remote_tag, response.cseq.sequence)
    last = session._rseqs.get(key)
    if rseq is None or not rseq or (last is not None and rseq != last + 1):
        return False
    session._rseqs[key] = rseq
    return True


def send(session: RTCSession, dialog: Dialog, response: Response, sdp: str = "") -> None:
    """Acknowledge `response`, perhaps with the answer to the offer in it."""
    headers: tuple[tuple[str, str], ...] = (
        ("RAck", f"{response.headers['RSeq']} {response.cseq.sequence} {response.cseq.method}"),
    )
    if sdp:
        headers += (("Content-Type", SDP_TYPE),)
    request = dialog.request("PRACK", headers=headers, body=sdp.encode())

    def received(result: Response | NoResponse) -> None:
        if isinstance(result, NoResponse) or result.code >= 300:
            logger.warning("%s: a PRACK was not accepted: %s", session, getattr(result, "code", result))

    session._host.send_request(request, received, next_cseq=dialog.next_cseq)
