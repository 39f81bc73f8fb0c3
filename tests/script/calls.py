"""Calls on simulated time whose peers are heard: what they say is given to the sinks, 20 ms at a time."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from sipua import UA
from sipua.media import SignallingOnlyMedia
from sipua.media.silent import SilentAudioPort
from tests.server.client import ACCOUNTS, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sipua.media.interface import AudioSink, AudioSource

RATE = 8000


class HearingPort(SilentAudioPort):
    """Hears one source after the other, over and over no more than once, in simulated time."""

    def __init__(self, heard: list[AudioSource]) -> None:
        super().__init__()
        self._heard = heard

    def add_sink(self, sink: Any) -> AudioSink:
        sink.open()
        self._task = asyncio.get_running_loop().create_task(self._pump(sink))
        return sink  # type: ignore[no-any-return]

    def remove_sink(self, sink: AudioSink) -> None:
        self._task.cancel()

    async def _pump(self, sink: AudioSink) -> None:
        for source in self._heard:
            stream = source.open(RATE)
            while pcm := stream.read(RATE // 50):
                await asyncio.sleep(0.02)
                sink.write(pcm.ljust(RATE // 25, b"\0"), RATE)


def hearing(*heard: AudioSource) -> Any:
    """A factory of media whose peer says this."""

    class Media(SignallingOnlyMedia):
        @property
        def audio(self) -> Any:
            if self._audio is None:
                self._audio = HearingPort(list(heard))
            return self._audio

    return Media


@asynccontextmanager
async def two(media: Any = SignallingOnlyMedia) -> AsyncIterator[tuple[UA, UA]]:
    """Alice, who has this media, and Bob, registered at one server."""
    async with running() as server:
        options: dict[str, Any] = {"sockets": server.connector()}
        async with (
            UA("sip:alice@example.com", password=ACCOUNTS["alice"], media=media, **options) as alice,
            UA("sip:bob@example.com", password=ACCOUNTS["bob"], media=SignallingOnlyMedia, **options) as bob,
        ):
            yield alice, bob
