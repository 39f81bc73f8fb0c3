"""What a call is asked to do beside sound: digits, hold, transfer, and what must come from the peer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from sipua.cli.options import Digits, Seconds, gather

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")

DtmfBy = Literal["RFC4733", "INFO", "INBAND"] | None


#: Seconds, unless the options say otherwise.
EXPECT_WITHIN, HOLD_FOR = 10.0, 2.0


class Frequencies(click.ParamType[tuple[float, ...]]):
    """One to four frequencies at once: ``440`` or ``350+440``. Gives Hz."""

    name = "hz[+hz]"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        """The frequencies."""
        if isinstance(value, tuple):
            return value
        parts = str(value).split("+")
        found = tuple(float(part) for part in parts if re.fullmatch(r"\d+(\.\d*)?", part))
        if not len(found) == len(parts) <= 4 or not all(50 <= frequency <= 3900 for frequency in found):
            self.fail(
                f"{value!r} is no tone; it is up to 4 frequencies of 50 to 3900 Hz, such as 440 or 350+440",
                param,
                ctx,
            )
        return found


class PlainDigits(Digits):
    """Digits without pauses."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The digits in upper case."""
        digits = super().convert(value, param, ctx)
        if "," in digits:
            self.fail(f"{value!r} has a comma, which is no digit", param, ctx)
        return digits


@dataclass(frozen=True, kw_only=True)
class TaskOptions:
    """What to do in a call beside sound. Times are in seconds from the answer."""

    dtmf: str | None = None
    dtmf_by: DtmfBy = None
    expect_dtmf: tuple[str, ...] = ()
    expect_tone: tuple[tuple[float, ...], ...] = ()
    expect_within: float | None = None
    hold_after: float | None = None
    hold_for: float | None = None
    transfer: str | None = None
    attended: bool = False

    def check(self, *, duration: float | None = None) -> None:
        """Refuse what cannot work, before anybody is called.

        :param duration: seconds from the answer to the end of the call, where that is known.
        :raises click.UsageError: options that do not go together.
        """
        if self.attended and self.transfer is None:
            raise click.UsageError("--attended: goes with --transfer")
        if self.hold_for is not None and self.hold_after is None:
            raise click.UsageError("--hold-for: goes with --hold-after")
        if self.hold_after is not None and duration is not None and self.hold_after >= duration:
            raise click.UsageError(
                f"--hold-after {self.hold_after:g}: the call is over by then, with --duration {duration:g}"
            )
        if self.expect_within is not None and not (self.expect_dtmf or self.expect_tone):
            raise click.UsageError("--expect-within: goes with --expect-dtmf or --expect-tone")

    @property
    def has_to_succeed(self) -> bool:
        """Whether there is something that decides on the exit code, and whose end is the end of the call."""
        return bool(self.expect_dtmf or self.expect_tone or self.transfer)

    def media_options(self) -> dict[str, Any]:
        """For `UA.call`."""
        return {"detect_dtmf": True} if self.expect_dtmf else {}


_TASKS = (
    click.option("--dtmf", type=Digits(), help="Send these digits after the answer; a comma waits 2 s."),
    click.option(
        "--dtmf-by",
        type=click.Choice(["RFC4733", "INFO", "INBAND"], case_sensitive=False),
        help="How to send them; without it: RFC4733 when the peer takes it, else INFO.",
    ),
    click.option(
        "--expect-dtmf",
        type=PlainDigits(),
        multiple=True,
        help="The peer must send these digits, by any way; then hang up.",
    ),
    click.option(
        "--expect-tone",
        type=Frequencies(),
        multiple=True,
        help="The peer must let us hear this tone (350+440: both at once); then hang up.",
    ),
    click.option(
        "--expect-within",
        type=Seconds(),
        help=f"How long after the answer what is expected may take.  [default: {EXPECT_WITHIN:g}]",
    ),
    click.option("--hold-after", type=Seconds(), help="Put the peer on hold so long after the answer."),
    click.option(
        "--hold-for",
        type=Seconds(),
        help=f"Take it off hold again after so long.  [default: {HOLD_FOR:g}]",
    ),
    click.option(
        "--transfer",
        metavar="TARGET",
        help="When all else is done, transfer the peer to TARGET, and hang up when it got there.",
    ),
    click.option(
        "--attended",
        is_flag=True,
        help="Call TARGET ourselves first, and connect the two when it has answered.",
    ),
)


def task_options(function: F) -> F:
    """Add what can be done in a call; the function gets it as `tasks`."""
    return gather(function, TaskOptions, "tasks", _TASKS)
