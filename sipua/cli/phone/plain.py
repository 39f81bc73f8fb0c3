"""The phone as lines of text: for pipes, screen readers, and terminals that can do nothing else."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

from sipua.cli.phone.commands import COMMANDS, perform, refusal
from sipua.cli.phone.lines import read_lines
from sipua.cli.phone.parsing import help_text, parse_line
from sipua.cli.report import clock

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from sipua.cli.output import Output
    from sipua.cli.phone.bulletin import News
    from sipua.cli.phone.phone import Phone

__all__ = ["Conversation", "flat", "run_plain", "until_quit"]


async def run_plain(phone: Phone, output: Output, descriptor: int) -> None:
    """Take commands from `descriptor` until ``quit``. When it ends, wait until the calls are over."""
    conversation = Conversation(phone, output)
    conversation.begin()

    async def converse() -> None:
        if not os.isatty(descriptor):
            await phone.settled()
        async for line in read_lines(descriptor):
            await conversation.take(line)
        await conversation.finish()

    await until_quit(phone, converse())


class Conversation:
    """Commands as lines of text, and what happens as lines of text.

    Commands begin in the order of their lines and do not wait for each other, except for ``wait``.
    """

    def __init__(self, phone: Phone, output: Output) -> None:
        self._phone = phone
        self._output = output
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self) -> None:
        """Tell everything from now on, to the very end: calls may end after the last command."""
        self._phone.bulletin.listen(self._tell)
        self._output.text("sipua phone: type help for the commands, quit to end")

    def _tell(self, news: News) -> None:
        if news.text is not None:
            self._output.event(news.name, news.text, **news.fields)

    async def take(self, line: str) -> None:
        """One line: a command, or nothing, or a comment after ``#``."""
        words = line.split()
        if not words or words[0].startswith("#"):
            return
        if words[0].lower() in ("help", "?"):
            self._output.text(help_text(COMMANDS))
            return
        task = asyncio.ensure_future(self._perform(line))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.sleep(0)  # it begins now
        if words[0].lower() == "wait":
            await task

    async def finish(self) -> None:
        """Wait until all commands are done and all calls are over."""
        await asyncio.gather(*self._tasks)
        while self._phone.calls:
            await self._phone.calls[0].session.wait_ended()

    async def _perform(self, line: str) -> None:
        try:
            command, arguments = parse_line(COMMANDS, line)
            result = await perform(self._phone, command, arguments)
        except Exception as error:  # noqa: BLE001 - told: calls have to go on
            self._output.text(f"! {refusal(error)}")
            return
        show = _SHOWN.get(command.name)
        told = command.name == "sound" and arguments["what"]  # the event of a change has said it
        if show is not None and not told:
            self._output.text("\n".join(show(result)) or "none")


async def until_quit(phone: Phone, conversation: Coroutine[Any, Any, None]) -> None:
    """Run a conversation until it is over, or the phone shall end."""
    talking = asyncio.ensure_future(conversation)
    quitting = asyncio.ensure_future(phone.quitting.wait())
    try:
        await asyncio.wait((talking, quitting), return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(0)  # the reply to the command that ended it
        if talking.done():
            talking.result()
    finally:
        talking.cancel()
        quitting.cancel()
        await asyncio.gather(talking, quitting, return_exceptions=True)


# --- what commands show -----------------------------------------------------------------------------------


def _calls(result: dict[str, Any]) -> list[str]:
    return [
        f"{'>' if call['call'] == result['selected'] else ' '} [{call['call']}] {call['remote']}  {call['state']}"
        f"  {clock(call['seconds'])}{'  muted' if call['muted'] else ''}"
        f"{'  held by the peer' if call['held_by_peer'] else ''}{'  recorded' if call['recording'] else ''}"
        for call in result["calls"]
    ]


def _history(result: dict[str, Any]) -> list[str]:
    return [
        f"{entry['time']}  {entry['direction']}  {entry['remote']}  {entry['outcome']}  {clock(entry['seconds'])}"
        for entry in result["history"]
    ]


def _messages(result: dict[str, Any]) -> list[str]:
    return [
        f"{message['time']}  {'from' if message['direction'] == 'incoming' else 'to'} {message['remote']}: "
        f"{message['body']}{' (' + message['state'] + ')' if message['state'] else ''}"
        for message in result["messages"]
    ]


def _accounts(result: dict[str, Any]) -> list[str]:
    return [
        f"{line['account']}  {line['uri']}  {line['state']}{'  ' + line['detail'] if line['detail'] else ''}"
        for line in result["accounts"]
    ]


def _stats(result: dict[str, Any]) -> list[str]:
    return list(flat(result["stats"] or {}))


def flat(figures: dict[str, Any], prefix: str = "") -> list[str]:
    """Figures within figures as ``a.b: value``; what is not known is left out."""
    lines = []
    for name, value in figures.items():
        if isinstance(value, dict):
            lines += flat(value, f"{prefix}{name}.")
        elif value is not None:
            shown = f"{value:.4g}" if isinstance(value, float) and abs(value) < 1e4 else value
            lines.append(f"{prefix}{name}: {shown}")
    return lines


_SHOWN: dict[str, Callable[[dict[str, Any]], list[str]]] = {
    "calls": _calls,
    "history": _history,
    "messages": _messages,
    "accounts": _accounts,
    "stats": _stats,
    "contacts": lambda result: [f"{c['name']}  {c['target']}" for c in result["contacts"]],
    "sound": lambda result: [f"peers hear: {result['source']}; we hear them: {result['sink'] or 'nowhere'}"],
}
