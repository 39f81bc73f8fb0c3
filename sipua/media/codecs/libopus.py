"""The functions of libopus that a call needs, by ctypes.

PyAV's wheels bring the library with them; without them the system's is used. What av itself gives of it
has neither error correction nor concealment.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import importlib.util
import logging
from ctypes import POINTER, c_char_p, c_int, c_int32, c_void_p
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sipua.media.codecs.base import CodecError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["APPLICATION_AUDIO", "SIGNAL_AUTO", "SIGNAL_VOICE", "LibOpus", "Request", "load"]

logger = logging.getLogger(__name__)

APPLICATION_AUDIO: Final = 2049
SIGNAL_AUTO: Final = -1000
SIGNAL_VOICE: Final = 3001


class Request:
    """The requests to an encoder or decoder (opus_defines.h) that set a number."""

    BITRATE: Final = 4002
    MAX_BANDWIDTH: Final = 4004
    VBR: Final = 4006
    COMPLEXITY: Final = 4010
    INBAND_FEC: Final = 4012
    PACKET_LOSS_PERC: Final = 4014
    DTX: Final = 4016
    SIGNAL: Final = 4024
    RESET_STATE: Final = 4028


class LibOpus:
    """The library, with the types of what is called. :raises AttributeError: it lacks a function."""

    def __init__(self, path: str) -> None:
        # PyDLL keeps the interpreter's lock: a call lasts 0.1 ms, and to get the lock back from a busy thread
        # may take 5 ms, which no audio clock can bear.
        library = ctypes.PyDLL(path)
        self.path = path
        self.version = str(_typed(library, "opus_get_version_string", c_char_p)().decode())
        self.error_text = _typed(library, "opus_strerror", c_char_p, c_int)
        self.encoder_create = _typed(
            library, "opus_encoder_create", c_void_p, c_int32, c_int, c_int, POINTER(c_int)
        )
        self.encoder_destroy = _typed(library, "opus_encoder_destroy", None, c_void_p)
        self.encode = _typed(
            library, "opus_encode", c_int32, c_void_p, c_char_p, c_int, ctypes.c_char_p, c_int32
        )
        # With variable arguments: only the fixed ones have a type here.
        self.encoder_ctl = _typed(library, "opus_encoder_ctl", c_int, c_void_p, c_int)
        self.decoder_create = _typed(library, "opus_decoder_create", c_void_p, c_int32, c_int, POINTER(c_int))
        self.decoder_destroy = _typed(library, "opus_decoder_destroy", None, c_void_p)
        self.decode = _typed(
            library, "opus_decode", c_int, c_void_p, c_char_p, c_int32, c_void_p, c_int, c_int
        )
        self.decoder_ctl = _typed(library, "opus_decoder_ctl", c_int, c_void_p, c_int)
        self.packet_samples = _typed(library, "opus_packet_get_nb_samples", c_int, c_char_p, c_int32, c_int32)
        # Since 1.4.
        self.packet_has_fec = (
            _typed(library, "opus_packet_has_lbrr", c_int, c_char_p, c_int32)
            if hasattr(library, "opus_packet_has_lbrr")
            else None
        )

    def checked(self, result: int) -> int:
        """The result of a function, unless that is an error. :raises CodecError: it is."""
        if result < 0:
            raise CodecError(f"opus: {self.error_text(result).decode()}")
        return result


def _typed(
    library: ctypes.PyDLL, name: str, result: type | None, *arguments: type
) -> ctypes._NamedFuncPointer:
    function = getattr(library, name)
    function.restype = result
    function.argtypes = arguments
    return function  # type: ignore[no-any-return]


@cache
def load() -> LibOpus | None:
    """The library, or None where there is none."""
    for path in _candidates():
        try:
            return LibOpus(path)
        except (OSError, AttributeError):
            logger.debug("cannot use %s", path, exc_info=True)
    logger.warning("libopus was not found: Opus goes without error correction and concealment")
    return None


def _candidates() -> Iterator[str]:
    spec = importlib.util.find_spec("av")
    if spec is not None and spec.origin is not None:
        package = Path(spec.origin).parent
        # Where auditwheel, delocate and delvewheel put what a wheel needs.
        for folder in (package.parent / "av.libs", package / ".dylibs"):
            yield from map(str, sorted(folder.glob("*opus*")))
    found = ctypes.util.find_library("opus")
    if found is not None:
        yield found
