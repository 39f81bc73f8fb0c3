"""Way 3, audio streams: a bot that answers calls, listens, and says back what it heard.

python -m examples.voicebot ws://127.0.0.1:8080/             (alice, password secret; Ctrl-C ends)

PCM in, PCM out: put your speech recognition and synthesis in the place of `reply`. Who speaks while the bot
speaks is listened to at once (barge-in), and the bot knows how much of its sentence was heard.
"""

import asyncio
import sys
from collections import deque

from sipua import UA, RTCSession, VoiceDetector, events

RATE = 16000  # Hz; PCM is 16 bit mono
PAUSE = 0.5  # seconds without a voice that end what the caller says
BEFORE = 10  # chunks of 20 ms before a voice was noticed: they have its beginning


async def reply(heard: bytes) -> bytes:
    """What the bot says to what it heard."""
    return heard


class Conversation:
    """One call: the caller speaks, then the bot, unless it is interrupted."""

    def __init__(self, call: RTCSession) -> None:
        self.audio = call.audio
        self.detector = VoiceDetector(hangover=PAUSE)
        self.recent: deque[bytes] = deque(maxlen=BEFORE)
        self.heard = bytearray()
        self.answering: asyncio.Task[None] | None = None

    async def run(self) -> None:
        async for chunk in self.audio.read(rate=RATE):  # 20 ms each, until the call is over
            self.recent.append(chunk)
            change = self.detector.feed(chunk, RATE)
            if change is True:
                self.interrupt()
                self.heard = bytearray(b"".join(self.recent))
            elif self.detector.speaking:
                self.heard += chunk
            elif change is False:
                print(f"heard {len(self.heard) / 2 / RATE:.1f} s")
                self.answering = asyncio.create_task(self.answer(bytes(self.heard)))
        self.interrupt()
        if self.answering is not None:
            await asyncio.wait([self.answering])

    def interrupt(self) -> None:
        """Barge-in: not another word."""
        if self.answering is not None and not self.answering.done():
            self.answering.cancel()
            self.audio.clear()

    async def answer(self, heard: bytes) -> None:
        said = []
        try:
            speech = await reply(heard)
            for start in range(0, len(speech), RATE):  # as synthesis would give it: half a second at a time
                utterance = await self.audio.write(speech[start : start + RATE], RATE)
                said.append(utterance)
            await self.audio.drain()
        finally:
            print(f"said {sum(utterance.heard for utterance in said):.1f} of {len(heard) / 2 / RATE:.1f} s")


async def main(url: str) -> None:
    async with UA("sip:alice@example.com", sockets=url, password="secret") as ua:

        async def answer(event: events.NewRTCSession) -> None:
            call: RTCSession = event.session
            call.answer()
            async with call:
                print(f"{call.remote_identity.uri} calls")
                await Conversation(call).run()
            print("call over")

        ua.on("new_rtc_session", answer)
        print("waiting for calls", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    try:
        asyncio.run(main(sys.argv[1]))
    except KeyboardInterrupt:
        print("bye")
