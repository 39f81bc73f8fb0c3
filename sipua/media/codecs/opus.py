"""Opus for calls (:rfc:`6716`, :rfc:`7587`): one channel of speech at 48 kHz.

The encoder is in libopus's ``audio`` mode: the high-pass filter of its ``voip`` mode turns the phase of low
voices, and what comes back then does not look like what was sent, to an echo canceller or a monitor. Left to
itself it uses CELT at these bit rates, which takes a third of the time of SILK and is nearer to the original.
Error correction and silence detection exist in SILK alone: it is told that it hears a voice when they are wanted.
"""

from __future__ import annotations

import ctypes
import weakref
from typing import TYPE_CHECKING

from sipua.media.codecs.base import AudioDecoder, AudioEncoder, CodecError
from sipua.media.codecs.libopus import APPLICATION_AUDIO, SIGNAL_AUTO, SIGNAL_VOICE, Request, load

if TYPE_CHECKING:
    from sipua.media.codecs.libopus import LibOpus

__all__ = ["OpusDecoder", "OpusEncoder"]

_RATE = 48000
_MAX_PAYLOAD = 1275
# 120 ms, the most that a packet can hold.
_MAX_SAMPLES = 5760
_STEP = 120
# Percent of loss from where on hearing lost frames again, coarsely, is worth what SILK takes.
_LOSS_WORTH_FEC = 2
_BANDWIDTHS = {8000: 1101, 12000: 1102, 16000: 1103, 24000: 1104, 48000: 1105}


class OpusEncoder(AudioEncoder):
    """An encoder of libopus. Raises CodecError when there is no libopus, or an option has an impossible value.

    `bit_rate` is in bit/s, `max_rate` the highest sample rate in Hz that the peer can play.
    """

    rate = _RATE
    clock_rate = _RATE

    def __init__(
        self,
        bit_rate: int = 48000,
        *,
        complexity: int = 1,
        fec: bool = False,
        dtx: bool = False,
        cbr: bool = False,
        max_rate: int = _RATE,
    ) -> None:
        self._library = library = _library()
        error = ctypes.c_int()
        self._encoder = ctypes.c_void_p(
            library.encoder_create(_RATE, 1, APPLICATION_AUDIO, ctypes.byref(error))
        )
        library.checked(error.value)
        weakref.finalize(self, library.encoder_destroy, self._encoder)
        self._payload = ctypes.create_string_buffer(_MAX_PAYLOAD)
        self._view = memoryview(self._payload).cast("B")
        self._loss = 0
        self._set(Request.BITRATE, bit_rate)
        self._set(Request.COMPLEXITY, complexity)
        self._fec, self._dtx = fec, dtx
        self._set(Request.INBAND_FEC, fec)
        self._set(Request.DTX, dtx)
        self._choose_signal()
        self._set(Request.VBR, not cbr)
        self._set(Request.MAX_BANDWIDTH, _BANDWIDTHS[max(r for r in _BANDWIDTHS if r <= max(max_rate, 8000))])

    def encode(self, pcm: bytes) -> bytes:
        """2.5, 5, 10, 20, 40 or 60 ms; CodecError for any other length. Empty while there is nothing to send."""
        size = self._library.encode(self._encoder, pcm, len(pcm) // 2, self._payload, _MAX_PAYLOAD)
        if size > 2:
            return self._view[:size].tobytes()
        self._library.checked(size)
        # So libopus says that the packet need not be sent (opus_encode).
        return b""

    def set_expected_loss(self, percent: float) -> None:
        """The share of packets that get lost; error correction takes as much of the bit rate as that is worth."""
        loss = min(100, max(0, round(percent)))
        if loss != self._loss:
            self._loss = loss
            self._set(Request.PACKET_LOSS_PERC, loss)
            self._choose_signal()

    def reset(self) -> None:
        """Begin anew, with the same options."""
        self._library.checked(self._library.encoder_ctl(self._encoder, Request.RESET_STATE))

    def _choose_signal(self) -> None:
        voice = self._dtx or (self._fec and self._loss >= _LOSS_WORTH_FEC)
        self._set(Request.SIGNAL, SIGNAL_VOICE if voice else SIGNAL_AUTO)

    def _set(self, request: int, value: int) -> None:
        self._library.checked(self._library.encoder_ctl(self._encoder, request, ctypes.c_int32(value)))


class OpusDecoder(AudioDecoder):
    """A decoder of libopus. Raises CodecError when there is no libopus."""

    rate = _RATE
    clock_rate = _RATE

    def __init__(self) -> None:
        self._library = library = _library()
        error = ctypes.c_int()
        self._decoder = ctypes.c_void_p(library.decoder_create(_RATE, 1, ctypes.byref(error)))
        library.checked(error.value)
        weakref.finalize(self, library.decoder_destroy, self._decoder)
        self._pcm = ctypes.create_string_buffer(2 * _MAX_SAMPLES)
        self._view = memoryview(self._pcm).cast("B")

    def duration(self, payload: bytes) -> int:
        """At most 5760. Raises CodecError for what is no Opus packet."""
        samples = self._library.checked(self._library.packet_samples(payload, len(payload), _RATE))
        if not samples:
            raise CodecError("opus: a packet without a frame")
        return samples

    def decode(self, payload: bytes) -> bytes:
        """Raises CodecError for what is no Opus packet, or is broken inside."""
        if not payload:
            # For libopus it would be a lost packet.
            raise CodecError("an empty payload")
        return self._decode(payload, _MAX_SAMPLES, 0)

    def recover(self, payload: bytes, samples: int) -> bytes | None:
        """From the low bit-rate copy in the payload, if there is one (:rfc:`6716#section-2.1.7`)."""
        _check_samples(samples)
        has_fec = self._library.packet_has_fec
        if has_fec is not None and has_fec(payload, len(payload)) != 1:
            return None
        return self._decode(payload, samples, 1)

    def conceal(self, samples: int) -> bytes:
        """What libopus makes of what it decoded last; it fades out."""
        _check_samples(samples)
        return self._decode(None, samples, 0)

    def reset(self) -> None:
        """Begin anew."""
        self._library.checked(self._library.decoder_ctl(self._decoder, Request.RESET_STATE))

    def _decode(self, payload: bytes | None, samples: int, fec: int) -> bytes:
        size = 0 if payload is None else len(payload)
        count = self._library.decode(self._decoder, payload, size, self._pcm, samples, fec)
        return self._view[: 2 * self._library.checked(count)].tobytes()


def _check_samples(samples: int) -> None:
    if not 0 < samples <= _MAX_SAMPLES or samples % _STEP:
        raise CodecError(f"opus: {samples} samples are no multiple of 2.5 ms up to 120 ms")


def _library() -> LibOpus:
    library = load()
    if library is None:
        raise CodecError("there is no libopus here")
    return library
