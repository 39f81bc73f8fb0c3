"""Text as sound: by the synthesiser of the machine where there is one, and by programs that are none."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest

from sipua.errors import MediaError
from sipua.media.sources import Pcm
from sipua.script import ScriptError, parse_script
from sipua.script import speech as module
from sipua.script.speech import has_words, synthesise

if TYPE_CHECKING:
    from pathlib import Path

installed = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="there is no espeak-ng")


@pytest.fixture(autouse=True)
def _nothing_is_remembered() -> None:
    module._synthesised.cache_clear()


def said(text: str) -> np.ndarray:
    source = synthesise(text)
    assert isinstance(source, Pcm)
    pcm, rate = module._synthesised(text)
    assert rate >= 8000
    return np.frombuffer(pcm, "<i2").astype(float)


@installed
def test_a_voice_says_the_text() -> None:
    short, long = said("hello"), said("hello, this is a longer sentence that takes its time")
    assert 2 * len(short) < len(long)
    assert np.sqrt(np.mean(long**2)) > 500
    assert abs(long[:20].mean()) < 1000, "the header is not part of it"


@installed
@pytest.mark.parametrize(
    "text", ["Grüße aus Köln", "-v de --version", "<speak>1 & 2</speak>", "one\ntwo", "数"]
)
def test_any_text_is_text(text: str) -> None:
    assert len(said(text)) > 4000


@pytest.mark.parametrize(
    ("program", "what"),
    [
        ("#!/bin/sh\necho first >&2; echo 'no voice of that name' >&2; exit 1\n", "no voice of that name"),
        ("#!/bin/sh\nexit 3\n", "ended with code 3"),
        ("#!/bin/sh\nexit 0\n", "gave no sound"),
        ("#!/bin/sh\necho something else\n", "gave no sound"),
        ("#!/nowhere/sh\n", "No such file or directory"),
    ],
)
def test_a_synthesiser_that_does_not_work(
    program: str, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    voice = tmp_path / "espeak-ng"
    voice.write_text(program)
    voice.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(MediaError) as caught:
        synthesise("hello")
    assert str(caught.value) == f"{voice}: {what}; play a file instead"


def test_text_without_words() -> None:
    assert has_words("a")
    assert has_words("42")
    assert not has_words(" \n…!")
    with pytest.raises(ScriptError, match="1:5: there is no word in the text"):
        parse_script('say " "')
