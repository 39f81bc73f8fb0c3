"""``expect``: what must, or must not, happen within a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from sipua.script.base import Step, step
from sipua.script.ears import AnySound, Quiet, Sound, Speech, Tones
from sipua.script.sounding import read_frequencies
from sipua.script.stage import StepFailed
from sipua.script.verbs import read_keys
from sipua.sip import Response

if TYPE_CHECKING:
    from sipua.script.base import Direction
    from sipua.script.stage import Stage
    from sipua.script.words import Words

__all__ = ["CONDITIONS", "Condition", "Expect"]

#: Seconds, where a step does not say `within`.
WITHIN = 10.0


class Condition(ABC):
    """What may happen in a call."""

    usage: ClassVar[str]
    summary: ClassVar[str]
    length: ClassVar[float | None] = None
    """Seconds that it must last when no `for` says so; None: it has no length."""
    only: Direction | None = None
    before_answer = False
    any_time = False
    sound: Sound | None = None
    wants_tones = False
    fresh = False
    """Whether only what comes from now on counts, not all since the last expectation that was met."""

    def __init__(self, words: Words) -> None:  # noqa: B027 - most have no words of their own
        pass

    @abstractmethod
    def met(self, stage: Stage, since: float, length: float, *, take: bool) -> bool:
        """Whether it has happened; with `take` it does not happen a second time."""

    def instead(self, stage: Stage) -> str:
        """What there was instead, for the error; empty: that it was not there says all."""
        return ""


class _Heard(Condition):
    sound: Sound
    length = 0.1

    def met(self, stage: Stage, since: float, length: float, *, take: bool) -> bool:
        when = stage.ears.find(self.sound, since=since, length=length, take=take and not self.fresh)
        if when is not None and take:
            stage.since = when
        return when is not None


class ToneHeard(_Heard):
    """Sine waves."""

    usage = "tone HZ[+HZ] [for TIME]"
    summary = "these frequencies and not much else, for 0.1 s or TIME"

    def __init__(self, words: Words) -> None:
        self.sound = Tones(read_frequencies(words))


class SpeechHeard(_Heard):
    """A voice."""

    usage = "speech [for TIME]"
    summary = "somebody speaks"
    sound = Speech()


class SoundHeard(_Heard):
    """Anything."""

    usage = "sound [for TIME]"
    summary = "anything that is louder than -50 dBov"
    sound = AnySound()


class SilenceHeard(_Heard):
    """Nothing."""

    usage = "silence [for TIME]"
    summary = "nothing louder than that, for 1 s or TIME from now on"
    sound = Quiet()
    length = 1.0
    fresh = True


class DtmfHeard(Condition):
    """Keys of the peer."""

    usage = "dtmf DIGITS"
    summary = "the peer sends these digits, next to each other, by any way"
    wants_tones = True

    def __init__(self, words: Words) -> None:
        self.keys = read_keys(words)

    def met(self, stage: Stage, since: float, length: float, *, take: bool) -> bool:
        """Among those that came since the last ones that were expected."""
        at = stage.keys.find(self.keys)
        if at >= 0 and take:
            stage.keys = stage.keys[at + len(self.keys) :]
        return at >= 0

    def instead(self, stage: Stage) -> str:
        """What came."""
        return f"came: {stage.keys}" if stage.keys else "no digit came"


class Ringing(Condition):
    """180 or another provisional response."""

    usage = "ringing"
    summary = "the other side rings (180 to 189)"
    only = "outgoing"
    before_answer = True

    def met(self, stage: Stage, since: float, length: float, *, take: bool) -> bool:
        """180 Ringing, 181 to 183 and their like."""
        return any(code >= 180 for code in stage.statuses)


class Answered(Condition):
    """The call is up."""

    usage = "answered"
    summary = "the other side takes the call; without it, the first step that needs that waits for it"
    only = "outgoing"
    before_answer = True

    def met(self, stage: Stage, since: float, length: float, *, take: bool) -> bool:
        """Confirmed."""
        return stage.call.is_established() and stage.call.start_time is not None


class Refused(Condition):
    """A final response of 300 or more."""

    usage = "refused [STATUS]"
    summary = "the call is refused, with this status if one is given"
    only = "outgoing"
    before_answer = True

    def __init__(self, words: Words) -> None:
        self.status: int | None = None
        text = words.peek()
        if text is not None and text.isdecimal():
            word = words.take("a status")
            self.status = int(text)
            if not 300 <= self.status <= 699:
                raise words.wrong(f"{text!r} is no status of a refusal; it is a number from 300 to 699", word)

    def met(self, stage: Stage, since: float, length: float, *, take: bool) -> bool:
        """By the response that ended it."""
        failure = stage.call.failure
        if failure is None or not isinstance(failure.message, Response):
            return False
        return self.status in (None, failure.message.code)


class HeldByPeer(Condition):
    """The peer has put us on hold."""

    usage = "hold"
    summary = "the peer has put us on hold"
    wanted = True

    def met(self, stage: Stage, since: float, length: float, *, take: bool) -> bool:
        """As it is now."""
        return stage.call.is_on_hold()["remote"] is self.wanted


class NotHeldByPeer(HeldByPeer):
    """It has not, or not any more."""

    usage = "unhold"
    summary = "the peer has not, or not any more"
    wanted = False


class Codec(Condition):
    """What is sent."""

    usage = "codec NAME"
    summary = "the audio that is sent has this codec: opus, g722, pcmu or pcma"

    def __init__(self, words: Words) -> None:
        self.name = words.choice("codec", ("opus", "g722", "pcmu", "pcma"))

    def _now(self, stage: Stage) -> str:
        codec = stage.call.stats().codec if stage.call.media is not None else None
        return (codec or "").partition("/")[0].lower()

    def met(self, stage: Stage, since: float, length: float, *, take: bool) -> bool:
        """As it is now."""
        return self._now(stage) == self.name

    def instead(self, stage: Stage) -> str:
        """The one there is."""
        return f"it is {self._now(stage)}" if self._now(stage) else "there is none yet"


class Over(Condition):
    """The call is over."""

    usage = "ended"
    summary = "the call is over"
    any_time = True

    def met(self, stage: Stage, since: float, length: float, *, take: bool) -> bool:
        """By whomever."""
        return stage.is_over


#: By their first word, in the order of the documentation.
CONDITIONS: dict[str, type[Condition]] = {
    kind.usage.split()[0]: kind
    for kind in (
        ToneHeard,
        SpeechHeard,
        SoundHeard,
        SilenceHeard,
        DtmfHeard,
        Ringing,
        Answered,
        Refused,
        HeldByPeer,
        NotHeldByPeer,
        Codec,
        Over,
    )
}


@step
class Expect(Step):
    """Wait for something, or make sure that it does not happen."""

    usage = "expect [no] WHAT [within TIME]"
    summary = "wait for WHAT, 10 s unless TIME is given; with `no`, it must not happen in that time"

    def __init__(self, words: Words) -> None:
        super().__init__(words)
        self.wanted = words.accept("no") is None
        kind = CONDITIONS[words.choice("expectation", CONDITIONS)]
        words.usage = f"expect [no] {kind.usage} [within TIME]"
        self.condition = kind(words)
        self.length = 0.0
        if kind.length is not None:
            self.length = words.seconds() if words.accept("for") else kind.length
        self.within = words.seconds() if words.accept("within") else WITHIN
        if self.length > self.within:
            raise words.wrong(
                f"it shall last {self.length:g} s within {self.within:g} s; give more time with `within`"
            )
        condition = self.condition
        self.sound, self.wants_tones = condition.sound, condition.wants_tones
        self.needs_audio = condition.sound is not None or kind is Codec
        self.only, self.before_answer, self.any_time = (
            condition.only,
            condition.before_answer,
            condition.any_time,
        )
        # Tones and voices are heard before the answer, too.
        self.any_time = self.any_time or condition.sound is not None

    async def run(self, stage: Stage) -> None:
        """Wait."""
        condition = self.condition
        fresh = condition.fresh or not self.wanted
        since = max(stage.since, stage.ears.position) if fresh else stage.since
        if not self.wanted and isinstance(condition, DtmfHeard):
            stage.keys = ""
        met = await stage.until(
            lambda: condition.met(stage, since, self.length, take=self.wanted), self.within
        )
        stage.ears.forget(stage.since)
        if met is self.wanted:
            return
        if met:
            raise StepFailed("it happened all the same")
        if stage.is_over:
            raise StepFailed(f"the call is over: {stage.ending()}")
        instead = condition.instead(stage)
        raise StepFailed(f"not within {self.within:g} s{f'; {instead}' if instead else ''}")
