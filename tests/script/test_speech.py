"""Text as sound: by the synthesiser of the machine where there is one, and by programs that are none."""

from __future__ import annotations

import asyncio
import os
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
    module._spoken.clear()


async def said(text: str) -> np.ndarray:
    source = await synthesise(text)
    assert isinstance(source, Pcm)
    pcm, rate = module._spoken[text]
    assert rate >= 8000
    return np.frombuffer(pcm, "<i2").astype(float)


@installed
@pytest.mark.realtime
async def test_a_voice_says_the_text() -> None:
    short, long = await said("hello"), await said("hello, this is a longer sentence that takes its time")
    assert 2 * len(short) < len(long)
    assert np.sqrt(np.mean(long**2)) > 500
    assert abs(long[:20].mean()) < 1000, "the header is not part of it"


@installed
@pytest.mark.parametrize(
    "text", ["Grüße aus Köln", "-v de --version", "<speak>1 & 2</speak>", "one\ntwo", "数", "a\udcffb"]
)
@pytest.mark.realtime
async def test_any_text_is_text(text: str) -> None:
    assert len(await said(text)) > 4000


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
@pytest.mark.realtime
async def test_a_synthesiser_that_does_not_work(
    program: str, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    voice = tmp_path / "espeak-ng"
    voice.write_text(program)
    voice.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(MediaError) as caught:
        await synthesise("hello")
    assert str(caught.value) == f"{voice}: {what}; play a file instead"


@pytest.mark.realtime
async def test_one_that_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    voice, alive = tmp_path / "espeak-ng", tmp_path / "alive"
    voice.write_text(f"#!/bin/sh\necho $$ > {alive}\nexec sleep 60\n")
    voice.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(module, "_TIMEOUT", 0.3)
    with pytest.raises(MediaError, match="was not done after"):
        await synthesise("hello")
    monkeypatch.setattr(module, "_TIMEOUT", 60.0)
    alive.unlink(missing_ok=True)
    speaking = asyncio.ensure_future(synthesise("hello"))
    async with asyncio.timeout(10):
        while not (alive.exists() and alive.read_text().endswith("\n")):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.05)
    speaking.cancel()
    await asyncio.wait((speaking,))
    with pytest.raises(ProcessLookupError):
        os.kill(int(alive.read_text()), 0)


def test_text_without_words() -> None:
    assert has_words("a")
    assert has_words("42")
    assert not has_words(" \n…!")
    with pytest.raises(ScriptError, match="1:5: there is no word in the text"):
        parse_script('say " "')
