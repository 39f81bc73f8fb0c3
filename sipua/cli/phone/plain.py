"""The phone as lines of text: for pipes, screen readers, and terminals that can do nothing else."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

from sipua.cli.phone.commands import COMMANDS, REFUSALS, perform, refusal
from sipua.cli.phone.lines import read_lines
from sipua.cli.phone.parsing import help_text, parse_line
from sipua.cli.report import clock

if TYPE_CHECKING:
    from collections.abc import Callable

    from sipua.cli.output import Output
    from sipua.cli.phone.bulletin import News
    from sipua.cli.phone.phone import Phone

__all__ = ["run_plain"]


async def run_plain(phone: Phone, output: Output, descriptor: int) -> None:
    """Take commands from `descriptor` until ``quit``. When it ends, wait until the calls are over.

    Commands begin in the order of their lines and do not wait for each other, except for ``wait``.
    """
    # To the very end: how calls end is told after this has returned.
    phone.bulletin.listen(lambda news: _tell(output, news))
    output.text("sipua phone: type help for the commands, quit to end")
    conversation = asyncio.ensure_future(_converse(phone, output, descriptor))
    quitting = asyncio.ensure_future(phone.quitting.wait())
    try:
        await asyncio.wait((conversation, quitting), return_when=asyncio.FIRST_COMPLETED)
        if conversation.done():
            conversation.result()
    finally:
        conversation.cancel()
        quitting.cancel()
        await asyncio.gather(conversation, quitting, return_exceptions=True)


def _tell(output: Output, news: News) -> None:
    if news.text is not None:
        output.event(news.name, news.text, **news.fields)


async def _converse(phone: Phone, output: Output, descriptor: int) -> None:
    tasks: set[asyncio.Task[None]] = set()
    if not os.isatty(descriptor):
        await phone.settled()
    async for line in read_lines(descriptor):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if line.strip().lower() in ("help", "?"):
            output.text(help_text(COMMANDS))
            continue
        task = asyncio.ensure_future(_perform(phone, output, line))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        await asyncio.sleep(0)  # it begins now
        if line.split()[0].lower() == "wait":
            await task
    await asyncio.gather(*tasks)
    while phone.calls:
        await phone.calls[0].session.wait_ended()


async def _perform(phone: Phone, output: Output, line: str) -> None:
    try:
        command, arguments = parse_line(COMMANDS, line)
        result = await perform(phone, command, arguments)
    except REFUSALS as error:
        output.text(f"! {refusal(error)}")
        return
    show = _SHOWN.get(command.name)
    if show is not None:
        output.text("\n".join(show(result)) or "none")


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
