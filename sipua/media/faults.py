"""What code of the application raises in the middle of a tick: it harms nobody else."""

from __future__ import annotations

import asyncio
import logging

from sipua.errors import MediaError

__all__ = ["FAULTS", "told"]

logger = logging.getLogger(__name__)

#: What is caught. CancelledError is of a future whose result they asked for: nobody is cancelled in a tick.
FAULTS = (Exception, asyncio.CancelledError)


def told(what: str, error: BaseException) -> MediaError:
    """The error as the call tells of it; one that is not ours is logged with the way it came."""
    if isinstance(error, MediaError):
        return error
    logger.warning("%s failed", what, exc_info=error)
    return MediaError(f"{what} failed: {str(error) or type(error).__name__}")
