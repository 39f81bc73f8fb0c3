"""Which codecs there are, and one of each for a stream as it was negotiated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipua.media.codecs.base import AudioDecoder, AudioEncoder, CodecError
from sipua.media.codecs.comfort import ComfortNoiseDecoder
from sipua.media.codecs.g711 import G711Decoder, G711Encoder
from sipua.media.codecs.g722 import G722Decoder, G722Encoder
from sipua.media.codecs.libopus import load
from sipua.media.codecs.opus import OpusDecoder, OpusEncoder
from sipua.media.codecs.opus_av import AvOpusDecoder, AvOpusEncoder
from sipua.media.fmtp import OpusParameters
from sipua.media.interface import MediaOptions, OpusOptions

if TYPE_CHECKING:
    from sipua.media.codecs.base import CodecSpec

__all__ = ["make_decoder", "make_encoder"]


def make_encoder(codec: CodecSpec, options: MediaOptions | None = None) -> AudioEncoder:
    """An encoder for one stream, as far as the peer allows what `options` want.

    :raises CodecError: there is no encoder of that name, such as for telephone-event and comfort noise.
    """
    match codec.name:
        case "pcmu" | "pcma" as law:
            return G711Encoder(law)
        case "g722":
            return G722Encoder()
        case "opus":
            return _opus(codec, (options or MediaOptions()).opus)
    raise CodecError(f"there is no encoder for {codec.name}")


def make_decoder(codec: CodecSpec) -> AudioDecoder:
    """A decoder for one stream.

    :raises CodecError: there is no decoder of that name, such as for telephone-event.
    """
    match codec.name:
        case "pcmu" | "pcma" as law:
            return G711Decoder(law)
        case "g722":
            return G722Decoder()
        case "opus":
            return OpusDecoder() if load() is not None else AvOpusDecoder()
        case "cn":
            return ComfortNoiseDecoder(codec.clock_rate)
    raise CodecError(f"there is no decoder for {codec.name}")


def _opus(codec: CodecSpec, options: OpusOptions) -> AudioEncoder:
    peer = OpusParameters.of(codec.fmtp)
    limits = (options.bitrate, peer.max_average_bitrate, codec.max_bitrate)
    bit_rate = max(6000, min(limit for limit in limits if limit is not None))
    if load() is None:
        return AvOpusEncoder(bit_rate, complexity=options.complexity, ptime=codec.ptime)
    return OpusEncoder(
        bit_rate,
        complexity=options.complexity,
        fec=options.fec and peer.fec,
        dtx=peer.dtx if options.dtx is None else options.dtx,
        cbr=options.cbr or peer.cbr,
        max_rate=peer.max_playback_rate,
    )
