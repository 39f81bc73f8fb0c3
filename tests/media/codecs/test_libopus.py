"""Where libopus is looked for, and what it is to be."""

from __future__ import annotations

import ctypes.util
import importlib.util
import logging
from typing import TYPE_CHECKING

import pytest

from sipua.media.codecs import CodecError, CodecSpec, libopus, make_decoder, make_encoder
from sipua.media.codecs.opus import OpusEncoder
from sipua.media.codecs.opus_av import AvOpusDecoder, AvOpusEncoder

if TYPE_CHECKING:
    from collections.abc import Iterator

OPUS = CodecSpec("opus", 96, 48000, 2)


@pytest.fixture
def nothing_loaded() -> Iterator[None]:
    libopus.load.cache_clear()
    yield
    libopus.load.cache_clear()


def test_the_library_that_came_with_av() -> None:
    library = libopus.load()
    assert library is not None
    assert "opus" in library.path
    assert library.version.startswith("libopus ")
    assert library.packet_has_fec is not None


def test_errors_have_a_text() -> None:
    library = libopus.load()
    assert library is not None
    assert library.checked(7) == 7
    with pytest.raises(CodecError, match="opus: buffer too small"):
        library.checked(-2)


def test_without_it_av_does_what_it_can_and_that_is_said_once(
    nothing_loaded: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(libopus, "_candidates", lambda: iter(["/nowhere/libopus.so"]))
    with caplog.at_level(logging.WARNING, "sipua"):
        assert isinstance(make_encoder(OPUS), AvOpusEncoder)
        assert isinstance(make_decoder(OPUS), AvOpusDecoder)
    assert [record.getMessage() for record in caplog.records] == [
        "libopus was not found: Opus goes without error correction and concealment"
    ]
    with pytest.raises(CodecError, match="there is no libopus here"):
        OpusEncoder()


def test_the_system_has_one_too(nothing_loaded: None, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = libopus.load()
    assert ours is not None
    libopus.load.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: ours.path)
    assert list(libopus._candidates()) == [ours.path]
    assert libopus.load() is not None


def test_a_library_that_is_another_one_is_passed_over(
    nothing_loaded: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = ctypes.util.find_library("c")
    assert other is not None
    monkeypatch.setattr(libopus, "_candidates", lambda: iter([other]))
    assert libopus.load() is None
