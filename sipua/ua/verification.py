"""Incoming calls are told of when it is known who vouches for the caller (:rfc:`8224#section-6.2`)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sipua.passport.interface import NO_IDENTITY, NO_SOURCE, IdentityCheck
from sipua.session.incoming import refuse_identity
from sipua.session.negotiation import sdp_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sipua.passport.interface import Verifier
    from sipua.session.session import RTCSession
    from sipua.ua.ua import UA

logger = logging.getLogger("sipua.ua")


def when_verified(ua: UA, session: RTCSession, then: Callable[[], None]) -> None:
    """Call `then` when the caller's identity was checked, unless the call is refused for it or over by then.

    At once, when there is nothing to wait for.
    """
    verifier = ua.configuration.identity_verifier
    if verifier is None:
        then()
    elif "Identity" not in session.request.headers:
        _found(verifier, session, NO_IDENTITY, then)
    else:
        task = ua.spawn(_verify(verifier, session, then))
        session.on("failed", lambda _: task.cancel())


async def _verify(verifier: Verifier, session: RTCSession, then: Callable[[], None]) -> None:
    try:
        check = await verifier.verify(session.request, sdp_of(session.request))
    except Exception as error:
        logger.exception("%s: the identity verifier raised", session)
        check = IdentityCheck(NO_SOURCE.status, str(error), refusal=NO_SOURCE.refusal)
    _found(verifier, session, check, then)


def _found(verifier: Verifier, session: RTCSession, check: IdentityCheck, then: Callable[[], None]) -> None:
    if session.is_ended():
        return
    session._identity_check = check
    refusal = verifier.refusal(check)
    if refusal is None:
        then()
        return
    logger.info("%s: refused with %d %s: %s", session, *refusal, check.reason)
    refuse_identity(session, *refusal)
