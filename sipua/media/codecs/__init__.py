"""Audio codecs: from PCM to RTP payloads and back, in line."""

from sipua.media.codecs.base import AudioDecoder, AudioEncoder, CodecError, CodecSpec

__all__ = ["AudioDecoder", "AudioEncoder", "CodecError", "CodecSpec"]
