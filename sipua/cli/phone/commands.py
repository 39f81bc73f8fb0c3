"""What a phone can be told to do: one table for lines of text and for JSON objects.

`sipua.cli.phone.parsing` reads both.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sipua.cli.exits import ExitCode, Failure, one_line
from sipua.cli.phone.parsing import Argument, Command
from sipua.errors import SipuaError

if TYPE_CHECKING:
    from sipua.cli.phone.phone import Phone

__all__ = ["COMMANDS", "choose_sound", "perform", "refusal"]

logger = logging.getLogger("sipua.cli.phone")

_CALL = Argument("call", "number", "number of the call; without it the selected one")
_ACCOUNT = Argument(
    "account", "text", "name of the account; without it that of the selected call, or the first"
)


def _accounts(phone: Phone) -> dict[str, Any]:
    return {"accounts": [line.as_dict() for line in phone.lines]}


def _calls(phone: Phone) -> dict[str, Any]:
    selected = phone.selected.number if phone.selected is not None else None
    return {"calls": [call.as_dict() for call in phone.calls], "selected": selected}


def _statistics(phone: Phone, number: int | None) -> dict[str, Any]:
    call = phone.call(number)
    stats = call.stats
    return {"call": call.number, "stats": stats.as_dict() if stats is not None else None}


def _messages(phone: Phone) -> dict[str, Any]:
    shown = [
        {**asdict(message), "time": message.time.isoformat(timespec="seconds")}
        for message in phone.messages.all
    ]
    return {"messages": shown}


def _record(phone: Phone, number: int | None, path: str | None) -> dict[str, Any]:
    return {"path": str(phone.recordings.start(number, path))}


def _conference(phone: Phone, numbers: list[int] | None) -> dict[str, Any]:
    calls = [phone.call(n) for n in numbers] if numbers else [call for call in phone.calls if call.is_up]
    phone.desk.join(calls)
    return {"calls": [call.number for call in phone.desk.conference]}


def _leave(phone: Phone, number: int | None) -> None:
    call = phone.call(number)
    if not call.in_conference:
        raise Failure(f"call {call.number} is in no conference", ExitCode.USAGE)
    phone.desk.leave(call)


async def _register(phone: Phone, account: str | None) -> None:
    await phone.line(account).register()


async def _unregister(phone: Phone, account: str | None) -> None:
    await phone.line(account).ua.unregister()


def choose_sound(phone: Phone, what: str | None) -> dict[str, Any]:
    """What peers hear and where we hear them; changed, if `what` says how.

    :raises Failure: it says nothing that can be used.
    :raises MediaFileError: a file that cannot be played.
    """
    if what:
        phone.sound.choose(what)
        phone.desk.change()
        phone.tell_sound()
    return {"source": phone.sound.source_name, "sink": phone.sound.sink_name}


async def _wait(phone: Phone, seconds: float) -> None:
    await asyncio.sleep(seconds)


def _number(call: Any) -> dict[str, Any]:
    return {"call": call.number}


COMMANDS: dict[str, Command] = {
    command.name: command
    for command in (
        Command(
            "dial",
            "call somebody: a contact, a number or name, a SIP address",
            lambda phone, a: _number(phone.dial(a["target"], a["account"])),
            (Argument("target", "text", "whom", needed=True), _ACCOUNT),
            "d",
            also="call",
        ),
        Command("answer", "take a call", lambda phone, a: _number(phone.answer(a["call"])), (_CALL,), "a"),
        Command(
            "decline",
            "refuse a call",
            lambda phone, a: phone.decline(a["call"], a["status"] or 486),
            (_CALL, Argument("status", "number", "300 to 699; without it 486, busy")),
        ),
        Command(
            "hangup",
            "end a call, whatever its state",
            lambda phone, a: phone.hang_up(a["call"]),
            (_CALL,),
            "h",
        ),
        Command("hold", "put the peer on hold", lambda phone, a: phone.hold(a["call"]), (_CALL,)),
        Command(
            "resume",
            "talk to the peer again; others are held",
            lambda phone, a: phone.resume(a["call"]),
            (_CALL,),
        ),
        Command(
            "mute",
            "keep the peer from hearing us",
            lambda phone, a: phone.mute(a["call"], muted=True),
            (_CALL,),
            "m",
        ),
        Command("unmute", "end that", lambda phone, a: phone.mute(a["call"], muted=False), (_CALL,), "u"),
        Command(
            "dtmf",
            "send digits: 0-9 * # A-D, and a comma for a pause of 2 s",
            lambda phone, a: phone.send_digits(a["digits"], a["call"]),
            (Argument("digits", "text", "such as 123#", needed=True), _CALL),
        ),
        Command(
            "transfer",
            "send the peer to somebody else (blind)",
            lambda phone, a: phone.transfers.blind(a["target"], a["call"]),
            (Argument("target", "text", "to whom", needed=True), _CALL),
        ),
        Command(
            "connect",
            "connect the peers of two calls with each other (attended transfer)",
            lambda phone, a: phone.transfers.attended(a["other"], a["call"]),
            (Argument("other", "number", "number of the other call", needed=True), _CALL),
        ),
        Command(
            "accept",
            "call whom the peer asks us to call",
            lambda phone, a: _number(phone.transfers.accept(a["call"])),
            (_CALL,),
        ),
        Command("refuse", "do not do that", lambda phone, a: phone.transfers.refuse(a["call"]), (_CALL,)),
        Command(
            "conference",
            "let calls hear each other; without numbers, all that are answered",
            lambda phone, a: _conference(phone, a["calls"]),
            (Argument("calls", "numbers", "their numbers"),),
            "c",
        ),
        Command(
            "leave", "take a call out of the conference", lambda phone, a: _leave(phone, a["call"]), (_CALL,)
        ),
        Command(
            "split",
            "end the conference; all but the selected call are held",
            lambda phone, a: phone.desk.split(),
        ),
        Command(
            "record",
            "record both sides of a call",
            lambda phone, a: _record(phone, a["call"], a["path"]),
            (_CALL, Argument("path", "text", "a file that ends in .wav, .ogg or .mp3")),
            "r",
        ),
        Command("stop", "end the recording", lambda phone, a: phone.recordings.stop(a["call"]), (_CALL,)),
        Command(
            "message",
            "send a text message",
            lambda phone, a: phone.messages.send(a["target"], a["text"]),
            (Argument("target", "text", "to whom", needed=True), Argument("text", "text", "", needed=True)),
        ),
        Command(
            "select",
            "make it the call that commands are about",
            lambda phone, a: phone.select(a["call"]),
            (Argument("call", "number", "its number", needed=True),),
            "s",
        ),
        Command("calls", "the calls that are going on", lambda phone, a: _calls(phone), short="l"),
        Command("stats", "the figures of a call", lambda phone, a: _statistics(phone, a["call"]), (_CALL,)),
        Command("messages", "the messages that came and went", lambda phone, a: _messages(phone)),
        Command(
            "history",
            "the calls that are over, the latest last",
            lambda phone, a: {"history": [asdict(entry) for entry in phone.book.history]},
        ),
        Command(
            "contacts",
            "names that can be dialled",
            lambda phone, a: {"contacts": [asdict(contact) for contact in phone.book.contacts]},
        ),
        Command(
            "contact",
            "remember somebody",
            lambda phone, a: phone.book.add(a["name"], a["target"]),
            (
                Argument("name", "text", "", needed=True),
                Argument("target", "text", "what to dial", needed=True),
            ),
        ),
        Command(
            "forget",
            "forget a contact",
            lambda phone, a: phone.book.remove(a["name"]),
            (Argument("name", "text", "", needed=True),),
        ),
        Command("accounts", "our accounts and their registration", lambda phone, a: _accounts(phone)),
        Command(
            "register",
            "register an account now",
            lambda phone, a: _register(phone, a["account"]),
            (_ACCOUNT,),
        ),
        Command(
            "unregister",
            "take the registration away",
            lambda phone, a: _unregister(phone, a["account"]),
            (_ACCOUNT,),
        ),
        Command(
            "sound",
            "choose what peers hear (microphone [NAME], file PATH, tone HZ, silence) and where we hear them "
            "(speaker [NAME], quiet)",
            lambda phone, a: choose_sound(phone, a["what"]),
            (Argument("what", "text", "without it: what it is now"),),
        ),
        Command(
            "wait",
            "do nothing for some seconds, before the next line",
            lambda phone, a: _wait(phone, a["seconds"]),
            (Argument("seconds", "number", "how many", needed=True),),
        ),
        Command("quit", "end all calls, then the phone", lambda phone, a: phone.quit(), short="q"),
    )
}


async def perform(phone: Phone, command: Command, arguments: dict[str, Any]) -> Any:
    """Do it; returns what was asked for, or None. Raises what the phone raises."""
    result = command.run(phone, arguments)
    return await result if isinstance(result, Awaitable) else result


#: What a command that cannot be done raises.
_REFUSALS = (SipuaError, Failure, ValueError, OSError)


def refusal(error: Exception) -> str:
    """Why it cannot be done, in one line. A fault of our own is one line, too: the phone and its calls go on."""
    if not isinstance(error, _REFUSALS):
        logger.info("a command failed by a fault of the phone", exc_info=error)
    return str(error) if type(error) is ValueError else one_line(error)
