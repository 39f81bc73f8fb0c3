"""A script as a whole: read, checked, and what it asks of its call."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sipua.errors import SipuaError
from sipua.script import expectations, sounding, verbs
from sipua.script.base import STEPS, Step, sounds_of
from sipua.script.lexer import ScriptError, Word, split
from sipua.script.words import Words

if TYPE_CHECKING:
    from sipua.script.base import Direction
    from sipua.script.ears import Sound

__all__ = ["Script", "load_script", "parse_script"]

# Importing them has filled the table, in this order.
_ = verbs, sounding, expectations

#: Characters of a script; anything longer is another file by accident.
MAX_LENGTH = 1_000_000


class Script:
    """Steps, and where they come from. Names of files in them are relative to `folder`."""

    def __init__(self, source: str, steps: list[Step], folder: Path, text: str) -> None:
        self.source = source
        """The name of the file, for messages."""
        self.text = text
        """As it was written, with comments: what the numbers of lines are about."""
        self.steps = steps
        self.folder = folder
        self.before_answer = 1 + max((i for i, step in enumerate(steps) if step.before_answer), default=-1)
        """How many of the steps come before the answer, or bring it about."""

    def __str__(self) -> str:
        return "\n".join(step.text for step in self.steps)

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def sounds(self) -> list[Sound]:
        """What it listens for."""
        return sounds_of(self.steps)

    @property
    def media_options(self) -> dict[str, Any]:
        """What the call must be made with: fields of `MediaOptions`."""
        return {"detect_dtmf": True} if any(step.wants_tones for step in self.steps) else {}

    def check(self, direction: Direction, *, audio: bool = True) -> None:
        """Look at what can be looked at before there is a call: files, and whether each step is one of such a call.

        :param audio: whether the call has sound.
        :raises ScriptError: at the first step that cannot work.
        """
        for step in self.steps:
            if step.only not in (None, direction):
                calls = "calls that come in" if step.only == "incoming" else "calls that we make"
                raise self._wrong(step, f"`{step.text}` is for {calls}; leave it out")
            if step.needs_audio and not audio:
                raise self._wrong(
                    step, f"`{step.text}` needs sound, and there is none; leave it out, or use media"
                )
            try:
                step.check(self.folder)
            except SipuaError as error:
                raise self._wrong(step, str(error)) from None

    def _wrong(self, step: Step, problem: str) -> ScriptError:
        return ScriptError(self.source, step.line, step.column, problem)


def parse_script(text: str, source: str = "script", folder: Path | None = None) -> Script:
    """Read a script: one step a line, or several with ``;`` between them; ``#`` begins a comment.

    :param source: its name in messages.
    :param folder: what names of files are relative to; None: the current directory.
    :raises ScriptError: it cannot be read; says where, and what to write instead.
    """
    if len(text) > MAX_LENGTH:
        raise ScriptError(source, 1, 1, f"is longer than {MAX_LENGTH} characters; is it a script?")
    steps = [_step(words, source) for words in split(text, source)]
    if not steps:
        raise ScriptError(source, 1, 1, "there is no step in it; the shortest script is: hangup")
    script = Script(source, steps, folder or Path(), text)
    for step in steps[: script.before_answer]:
        if not (step.before_answer or step.any_time):
            later = next(s for s in reversed(steps) if s.before_answer)
            problem = f"`{step.text}` needs a call that is answered; put it after `{later.text}` of line {later.line}"
            raise ScriptError(source, step.line, step.column, problem)
    return script


def load_script(path: str | Path) -> Script:
    """Read a script from a file.

    :raises ScriptError: it cannot be read.
    """
    path = Path(path).expanduser()
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ScriptError(str(path), 1, 1, f"{error.strerror or error}; check the path") from None
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise ScriptError(str(path), line, 1, "not text in UTF-8; is it a script?") from None
    return parse_script(text, str(path), path.parent)


def _step(words: list[Word], source: str) -> Step:
    first = words[0]
    name = first.text.lower()
    kind = STEPS.get(name)
    if kind is None:
        near = difflib.get_close_matches(name, STEPS, 1)
        remedy = f"did you mean {near[0]}?" if near else f"there are {', '.join(STEPS)}"
        raise ScriptError(source, first.line, first.column, f"no step {first.text!r}; {remedy}")
    reader = Words(words, source, kind.usage)
    reader.take("a step")
    step = kind(reader)
    reader.end()
    return step
