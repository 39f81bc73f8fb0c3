"""A new path for the media of a call that is up, when the machine has moved to another network, or lost its relay.

ICE restart (:rfc:`8445#section-9`). That the machine has moved is looked for when nothing comes from the peer any more,
and when the connection to the server was lost and is back. Both, for the offer must find a connection that works.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sipua.session.renegotiation import may_offer

if TYPE_CHECKING:
    from sipua.session.session import RTCSession

logger = logging.getLogger("sipua.session")

#: Seconds that a new path may take when the one before has failed: to find that the connection to the server is gone,
#: to connect and register, to ask the peer.
LIMIT = 32.0


def on_disconnected(session: RTCSession) -> None:
    """Nothing comes from the peer any more: look whether that is our own doing."""
    if recover(session):
        session._host.check_connection()  # it is likely to be gone with the addresses


def recover(session: RTCSession) -> bool:
    """Look for a new path, if this machine or its relay has lost an address of the present one.

    Returns whether it is looked for.
    """
    media = session._media
    if session.is_ended() or not may_offer(session) or media is None:
        return False
    if session._renegotiation.is_restarting:
        return True
    if not media.options.ice_restart or not media.has_moved:
        return False
    logger.info("%s: an address of the media path is lost, looking for a new path", session)
    session.renegotiate(ice_restart=True)
    return True
