"""What an audio codec of a call does, whichever it is.

PCM is bytes: little-endian signed 16 bit, one channel, at the codec's own `rate`. Encoders and decoders have
memory: one of each belongs to one stream.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sipua.errors import MediaError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["AudioDecoder", "AudioEncoder", "CodecError", "CodecSpec"]


class CodecError(MediaError):
    """A payload that is malformed, PCM that does not fit, or a codec that cannot be had here."""


@dataclass(frozen=True, slots=True)
class CodecSpec:
    """A codec as it was negotiated for one direction (:rfc:`8866#section-6.6`)."""

    name: str
    """The encoding name of rtpmap, in lower case: ``opus``, ``pcmu``, ``telephone-event``, ``cn`` …"""
    payload_type: int
    clock_rate: int
    """Of RTP timestamps, in Hz; 8000 for G.722 too (:rfc:`3551#section-4.5.2`)."""
    channels: int = 1
    fmtp: Mapping[str, str] = field(default_factory=dict)
    """What the receiver of this direction has said of the format; see :mod:`sipua.media.fmtp`."""
    ptime: int = 20
    """Milliseconds of audio in one packet."""
    max_bitrate: int | None = None
    """Bit/s that the payload may have, from the receiver's ``b=`` lines. None: no limit."""

    @property
    def label(self) -> str:
        """For people: ``opus/48000``, ``PCMU/8000`` …"""
        return f"{self.name if self.name == 'opus' else self.name.upper()}/{self.clock_rate}"


class AudioEncoder(ABC):
    """Makes payloads of PCM."""

    rate: int
    """Hz of the PCM that it takes."""
    clock_rate: int
    """Hz of RTP timestamps."""

    @abstractmethod
    def encode(self, pcm: bytes) -> bytes:
        """The payload of one packet. Empty: there is nothing to send now (discontinuous transmission).

        `pcm` is one packet's worth of audio, at `rate`. Raises CodecError for a length that the codec cannot have.
        """

    def set_expected_loss(self, percent: float) -> None:  # noqa: B027
        """Prepare for this share of packets being lost, 0 to 100, as the peer reports it. Most codecs cannot."""

    def reset(self) -> None:  # noqa: B027
        """Forget what was encoded before: another stream begins."""


class AudioDecoder(ABC):
    """Makes PCM of payloads."""

    rate: int
    """Hz of the PCM that it gives."""
    clock_rate: int
    """Hz of RTP timestamps."""

    @abstractmethod
    def duration(self, payload: bytes) -> int:
        """Samples at `rate` that the payload holds. Raises CodecError when it is malformed."""

    @abstractmethod
    def decode(self, payload: bytes) -> bytes:
        """The PCM of the next payload of the stream. Raises CodecError when it is malformed."""

    def recover(self, payload: bytes, samples: int) -> bytes | None:
        """The last `samples` samples before this payload, from its in-band error correction.

        To be called instead of `decode` for the lost packet, before `decode` of this one. None: it carries none.
        """
        return None

    def conceal(self, samples: int) -> bytes | None:
        """What may have been in `samples` lost samples, by the decoder's own concealment. None: it has none."""
        return None

    def reset(self) -> None:  # noqa: B027
        """Forget what was decoded before: another stream begins."""
