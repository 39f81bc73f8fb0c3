"""The steps that do something with the call itself: answer, digits, hold, transfer, hang up."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar, Literal

from sipua.errors import InvalidTargetError
from sipua.script.base import Step, step
from sipua.script.stage import StepFailed
from sipua.sip import URI
from sipua.ua.targets import request_target

if TYPE_CHECKING:
    from sipua.script.stage import Stage
    from sipua.script.words import Words

_DTMF_BY: dict[str, Literal["RFC4733", "INFO", "INBAND"]] = {
    "rfc4733": "RFC4733",
    "info": "INFO",
    "inband": "INBAND",
}

#: Seconds until the caller must have acknowledged the answer; RFC 3261 gives it 32.
ANSWER_TIMEOUT = 35.0

# Only whether it is an address is looked at before there is an account.
_ANY_DOMAIN = URI("sip", "example.invalid")


def read_keys(words: Words) -> str:
    """The next word as DTMF keys."""
    word = words.take("the digits")
    keys = word.text.upper()
    if not re.fullmatch(r"[0-9*#A-D]+", keys):
        raise words.wrong(f"{word.text!r} has a character that is none of 0-9 * # A-D")
    return keys


@step
class Wait(Step):
    """A pause, of a length that may be left to chance."""

    usage = "wait TIME [to TIME]"
    summary = "pause; with `to`, for a random time between the two"
    any_time = True

    def __init__(self, words: Words) -> None:
        super().__init__(words)
        self.least = self.most = words.seconds()
        if words.accept("to"):
            self.most = words.seconds("the longest time")
            if self.most < self.least:
                raise words.wrong("the longest time is less than the shortest; put the shorter one first")

    async def run(self, stage: Stage) -> None:
        """Wait; no longer than the call lasts."""
        await stage.pause(stage.chance.uniform(self.least, self.most))


@step
class Ring(Step):
    """180 Ringing."""

    usage = "ring [TIME]"
    summary = "tell the caller that it rings (180), and wait"
    only = "incoming"
    before_answer = True

    def __init__(self, words: Words) -> None:
        super().__init__(words)
        self.seconds = 0.0 if words.peek() is None else words.seconds()

    async def run(self, stage: Stage) -> None:
        """Send it, and wait no longer than the caller does."""
        if not stage.call.is_ended():
            stage.call.progress(180)
        await stage.pause(self.seconds)


@step
class Answer(Step):
    """200 OK."""

    usage = "answer"
    summary = "take the call; without it, a call is taken when the first step needs that"
    only = "incoming"
    before_answer = True

    async def run(self, stage: Stage) -> None:
        """Until the caller has acknowledged it."""
        await stage.answered(ANSWER_TIMEOUT)


@step
class Refuse(Step):
    """A final response that is not 200."""

    usage = "refuse [STATUS] [REASON]"
    summary = "refuse the call: 486 (busy) unless another status, 300 to 699, is given"
    only = "incoming"
    before_answer = True

    def __init__(self, words: Words) -> None:
        super().__init__(words)
        self.status, self.reason = 486, None
        if words.peek() is not None:
            word = words.take("a status")
            if not (word.text.isdecimal() and 300 <= int(word.text) <= 699):
                raise words.wrong(f"{word.text!r} is no status of a refusal; it is a number from 300 to 699")
            self.status = int(word.text)
            rest = []
            while words.peek() is not None:
                rest.append(words.take("the reason").text)
            self.reason = " ".join(rest) or None

    async def run(self, stage: Stage) -> None:
        """Send it."""
        if stage.call.is_ended():
            raise StepFailed(f"the call is over: {stage.ending()}")
        stage.call.terminate(status_code=self.status, reason_phrase=self.reason)


@step
class Dtmf(Step):
    """Send tones."""

    usage = "dtmf DIGITS [by rfc4733|info|inband]"
    summary = "send digits; a comma among them pauses 2 s"

    def __init__(self, words: Words) -> None:
        super().__init__(words)
        word = words.take("the digits")
        self.digits = word.text.upper()
        if not re.fullmatch(r"[0-9*#A-D,]+", self.digits):
            raise words.wrong(f"{word.text!r} has a character that is none of 0-9 * # A-D and , (a pause)")
        self.by = _DTMF_BY[words.choice("way", _DTMF_BY)] if words.accept("by") else None

    async def run(self, stage: Stage) -> None:
        """Until the last one has been sent."""
        await stage.call.send_dtmf(self.digits, transport_type=self.by or stage.dtmf_by)


class _Plain(Step):
    """One word, one method of the call."""

    method: ClassVar[str]

    async def run(self, stage: Stage) -> None:
        """Until the peer has agreed, where it must."""
        done = getattr(stage.call, self.method)()
        if done is not None:
            await done


@step
class Hold(_Plain):
    """Put the peer on hold."""

    usage = method = "hold"
    summary = "put the peer on hold"


@step
class Unhold(_Plain):
    """Take the peer off hold."""

    usage = method = "unhold"
    summary = "end the hold"


@step
class Mute(_Plain):
    """Silence."""

    usage = method = "mute"
    summary = "let the peer hear silence, whatever plays"


@step
class Unmute(_Plain):
    """No silence any more."""

    usage = method = "unmute"
    summary = "end it"


@step
class Transfer(Step):
    """A blind transfer."""

    usage = "transfer ADDRESS"
    summary = "ask the peer to call somebody else instead, and wait until that call is up"

    def __init__(self, words: Words) -> None:
        super().__init__(words)
        word = words.take("an address")
        self.target = word.text
        try:
            request_target(self.target, _ANY_DOMAIN)
        except InvalidTargetError as error:
            raise words.wrong(str(error)) from None

    async def run(self, stage: Stage) -> None:
        """Until it is known whether it worked."""
        await stage.call.refer(self.target)


@step
class Hangup(Step):
    """BYE, or CANCEL before the answer."""

    usage = "hangup"
    summary = "end the call, if the peer has not; it is ended after the last step anyway"
    any_time = ends_call = True

    async def run(self, stage: Stage) -> None:
        """End it, and wait for the last word of the peer."""
        if not stage.call.is_ended():
            await stage.call.terminate()
