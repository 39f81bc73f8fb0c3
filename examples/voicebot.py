"""Way 3, audio streams: a bot that answers calls, listens, and says back what it heard.

python -m examples.voicebot ws://127.0.0.1:8080/             (alice, password secret; Ctrl-C ends)

PCM in, PCM out: put your speech recognition and synthesis in the place of `reply`. Who speaks while the bot
speaks is listened to at once (barge-in).
"""

import asyncio
import sys
from array import array

from sipua import UA, RTCSession, events

RATE = 16000  # Hz; PCM is 16 bit mono
LOUD = 500  # mean amplitude from which a chunk is speech
PAUSE = 0.5  # seconds of silence that end what the caller says


def is_speech(pcm: bytes) -> bool:
    samples = array("h", pcm)
    return sum(map(abs, samples)) > LOUD * len(samples)


async def reply(heard: bytes) -> bytes:
    """What the bot says to what it heard."""
    return heard


async def converse(call: RTCSession) -> None:
    heard, silent, speaking = bytearray(), 0.0, None
    async for pcm in call.audio.read(rate=RATE):  # chunks of 20 ms, until the call is over
        if is_speech(pcm):
            if speaking is not None:
                speaking.cancel()
                speaking = None
                dropped = call.audio.clear()  # barge-in: not another word
                print(f"interrupted with {dropped:.1f} s left to say")
            silent = 0.0
            heard += pcm
        elif heard:
            silent += len(pcm) / 2 / RATE
            heard += pcm
            if silent >= PAUSE:
                print(f"heard {len(heard) / 2 / RATE:.1f} s")
                speaking = asyncio.create_task(call.audio.write(await reply(bytes(heard)), RATE))
                heard.clear()


async def main(url: str) -> None:
    async with UA("sip:alice@example.com", sockets=url, password="secret") as ua:

        async def answer(event: events.NewRTCSession) -> None:
            call: RTCSession = event.session
            call.answer()
            async with call:
                print(f"{call.remote_identity.uri} calls")
                await converse(call)
            print("call over")

        ua.on("new_rtc_session", answer)
        print("waiting for calls", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    try:
        asyncio.run(main(sys.argv[1]))
    except KeyboardInterrupt:
        print("bye")
