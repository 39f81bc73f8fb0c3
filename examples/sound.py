"""What can be done with the sound of a call while it is up. 600 is an echo: we hear what we say.

python -m examples.sound ws://127.0.0.1:8080/      (alice, password secret; makes sound.wav)
"""

import asyncio
import sys
from pathlib import Path

from sipua import UA, AudioFile, ProgressTone, Recording, RTCSession, Tone, events

SPEECH = Path(__file__).parent / "audio" / "speech.wav"
RATE = 16000


async def control_a_file(call: RTCSession) -> None:
    playback = call.audio.play(AudioFile(SPEECH, loop=2))
    playback.seek(4.5)
    playback.gain = -6.0  # dB
    await asyncio.sleep(0.5)
    playback.pause()
    print(f"paused in the middle of {playback.duration:.1f} s")
    playback.seek(5.0)
    playback.resume()
    playback.stop()


async def interrupt_a_sentence(call: RTCSession) -> None:
    sentence = Tone(300, seconds=1.0).open(RATE).read(RATE)  # what a speech synthesis gives
    utterance = await call.audio.write(sentence, RATE)
    await asyncio.sleep(0.4)
    call.audio.clear()  # barge-in: without a click
    print("heard to its end:", await utterance.wait())
    print(f"of {utterance.seconds} s were heard about {utterance.heard:.1f}")
    await call.audio.write(sentence[: RATE // 2], RATE)
    await call.audio.drain()  # its last packet has left


async def main(url: str) -> None:
    async with (
        UA("sip:alice@example.com", sockets=url, password="secret") as ua,
        ua.call("600", hold_music=Tone(440), voice_activity=True) as call,
    ):
        voices: list[events.VoiceActivity] = []
        call.on("voice_activity", voices.append)

        # The peer left, we right. A thread writes it; what a crash leaves can be played.
        recording = call.audio.record(Recording("sound.wav", "stereo"))

        call.audio.source = ProgressTone("ringback", country="us")
        meter = call.audio.meter()
        await asyncio.sleep(0.6)
        print(f"the ring-back tone is at {meter.levels.said:.0f} dBov")
        meter.close()

        await call.audio.play(AudioFile(SPEECH)).wait()
        print("somebody spoke:", any(event.speaks for event in voices))
        await control_a_file(call)
        await interrupt_a_sentence(call)

        await call.hold()  # the peer hears the music
        await asyncio.sleep(0.3)
        await call.unhold()

        recording.stop()
        await recording.wait_closed()
        print("recorded both sides:", recording.seconds > 6)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
