"""Audio codecs: from PCM to RTP payloads and back, in line."""

from sipua.media.codecs.base import AudioDecoder, AudioEncoder, CodecError, CodecSpec
from sipua.media.codecs.registry import make_decoder, make_encoder

__all__ = ["AudioDecoder", "AudioEncoder", "CodecError", "CodecSpec", "make_decoder", "make_encoder"]
