"""The steps that let the peer hear something, or record it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sipua.script.base import Step, step
from sipua.script.speech import check_synthesiser, has_words, synthesise
from sipua.script.stage import StepFailed

if TYPE_CHECKING:
    from sipua.media.interface import AudioSource
    from sipua.script.stage import Stage
    from sipua.script.words import Words

RecordingMode = Literal["remote", "local", "mixed", "stereo"]
_MODES: tuple[RecordingMode, ...] = ("remote", "local", "mixed", "stereo")


def read_frequencies(words: Words) -> tuple[float, ...]:
    """The next word as frequencies in Hz: ``440`` or ``350+440``."""
    word = words.take("a frequency")
    try:
        frequencies = tuple(float(part.lower().removesuffix("hz")) for part in word.text.split("+"))
    except ValueError:
        frequencies = ()
    if not frequencies or not all(50 <= f <= 3900 for f in frequencies) or len(frequencies) > 4:
        raise words.wrong(
            f"{word.text!r} is no tone; it is up to 4 frequencies of 50 to 3900 Hz, such as 440 or 350+440"
        )
    return frequencies


def read_path(words: Words) -> Path:
    """The next word as the name of a file."""
    return Path(words.take("the name of a file").text).expanduser()


async def heard(stage: Stage, source: AudioSource) -> None:
    """Let the peer hear all of it.

    :raises StepFailed: the call ended before.
    """
    stage.playback = playback = stage.call.audio.play(source)
    if not await playback.wait() and stage.is_over:
        raise StepFailed(f"the call ended before all was heard: {stage.ending()}")


@step
class Play(Step):
    """A file."""

    usage = "play FILE [loop|meanwhile]"
    summary = "let the peer hear a file to its end; over and over with `loop`; go on at once with both words"
    needs_audio = True

    def __init__(self, words: Words) -> None:
        super().__init__(words)
        self.path = read_path(words)
        self.manner = words.accept("loop", "meanwhile")

    def _source(self, folder: Path) -> AudioSource:
        from sipua.media.sources import AudioFile

        return AudioFile(folder / self.path, loop=self.manner == "loop")

    def check(self, folder: Path) -> None:
        """Decode its beginning."""
        self._source(folder).check()

    async def run(self, stage: Stage) -> None:
        """Until it was heard, or has begun."""
        source = self._source(stage.folder)
        if self.manner is None:
            await heard(stage, source)
        else:
            stage.playback = stage.call.audio.play(source)


@step
class Tone(Step):
    """Sine waves."""

    usage = "tone HZ[+HZ] [for TIME]"
    summary = "let the peer hear a tone; without `for`, until something else is played, and go on at once"
    needs_audio = True

    def __init__(self, words: Words) -> None:
        super().__init__(words)
        self.frequencies = read_frequencies(words)
        self.seconds: float | None = None
        if words.accept("for"):
            self.seconds = words.seconds()
            if not self.seconds:
                raise words.wrong("a tone of no length cannot be heard; give more than 0s")

    async def run(self, stage: Stage) -> None:
        """Until it was heard, or has begun."""
        from sipua.media.sources import Tone as ToneSource

        source = ToneSource(*self.frequencies, seconds=self.seconds)
        if self.seconds is not None:
            await heard(stage, source)
        else:
            stage.playback = stage.call.audio.play(source)


@step
class Say(Step):
    """A synthesised voice."""

    usage = 'say "TEXT"'
    summary = "let the peer hear a text to its end, where espeak-ng is installed"
    needs_audio = True

    def __init__(self, words: Words) -> None:
        super().__init__(words)
        texts = [words.take("the text").text]
        while words.peek() is not None:
            texts.append(words.take("the text").text)
        self.said = " ".join(texts)
        if not has_words(self.said):
            raise words.wrong("there is no word in the text; give something that can be said")

    def check(self, folder: Path) -> None:
        """Whether there is a voice."""
        check_synthesiser()

    async def run(self, stage: Stage) -> None:
        """Until it was heard."""
        await heard(stage, await synthesise(self.said))


@step
class Echo(Step):
    """The peer's own voice."""

    usage = "echo"
    summary = "let the peer hear itself, until something else is played"
    needs_audio = True

    async def run(self, stage: Stage) -> None:
        """Begin."""
        stage.playback = stage.call.audio.play(stage.call.audio.as_source())


@step
class Stop(Step):
    """Silence."""

    usage = "stop"
    summary = "end what plays"
    needs_audio = True

    async def run(self, stage: Stage) -> None:
        """Stop it."""
        stage.call.audio.source = None


@step
class Record(Step):
    """A recording, to the end of the call or of itself."""

    usage = "record FILE [remote|local|mixed|stereo] | record stop"
    summary = (
        "record what the peer says (or one of the other three) to .wav, .ogg or .mp3; end all recordings"
    )
    needs_audio = True

    def __init__(self, words: Words) -> None:
        super().__init__(words)
        self.path = None if words.accept("stop") else read_path(words)
        mode = words.accept(*_MODES) if self.path is not None else None
        self.mode: RecordingMode = next((m for m in _MODES if m == mode), "remote")

    def _file(self, folder: Path, number: int) -> Path:
        assert self.path is not None
        path = folder / self.path
        return path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")

    def check(self, folder: Path) -> None:
        """Whether such a file can be made."""
        from sipua.media.recording import Recording

        if self.path is not None:
            Recording(self._file(folder, 1), self.mode).check()

    async def run(self, stage: Stage) -> None:
        """Begin, or end and wait until the files are complete."""
        from sipua.media.recording import Recording

        if self.path is not None:
            recording = Recording(self._file(stage.folder, stage.number), self.mode)
            stage.recordings.append(stage.call.audio.record(recording))
            return
        for recording in stage.recordings:
            recording.stop()
        for recording in stage.recordings:
            await recording.wait_closed()
