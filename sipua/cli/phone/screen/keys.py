"""The keys of the phone: which there are, and the two lines at the bottom that show them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rich.text import Text

if TYPE_CHECKING:
    from sipua.cli.phone.phone import Phone

__all__ = ["KEYS", "PAGES", "help_text", "keys_text"]


class Key(NamedTuple):
    """One key: what textual calls it, what is shown, its action, and what it does."""

    key: str
    shown: str
    action: str
    word: str
    summary: str


KEYS = (
    Key("d", "d", "dial", "Dial", "the dial field: ↑ ↓ last targets, → completes, Enter calls"),
    Key("a", "a", "answer", "Answer", "take the call that comes in; others are held"),
    Key("h", "h", "hang_up", "Hang up", "end the selected call; refuse one that comes in"),
    Key("o", "o", "hold", "Hold", "put the peer on hold, or talk to it again"),
    Key("m", "m", "mute", "Mute", "keep the peer from hearing you, or not"),
    Key("t", "t", "transfer", "Transfer", "send the peer to somebody, or connect it with another call"),
    Key("c", "c", "conference", "Conf", "let all answered calls hear each other; once more ends that"),
    Key("r", "r", "record", "Rec", "record both sides, or end that"),
    Key("q", "q", "leave", "Quit", "end all calls, then the phone; twice at once"),
    Key("k", "0-9*# k", "keypad", "Digits", "send digits at once, or from a keypad"),
    Key("s", "s", "message", "Message", "write a text message"),
    Key("n", "n", "contact", "Contact", "remember somebody"),
    Key("v", "v", "sound", "♪", "what peers hear and where you hear them, as the top right says"),
    Key("up,down", "↑↓", "", "Call", "select a call, when the list of calls has the focus"),
    Key("tab", "Tab", "", "Focus", "go to the next part of the screen; at the titles, ← → change the page"),
    Key("question_mark", "?", "help", "Help", "this"),
)

PAGES = (
    ("events", "F1", "Log", "what has happened"),
    ("history", "F2", "History", "calls that are over; Enter calls again"),
    ("contacts", "F3", "Contacts", "Enter calls, Delete forgets"),
    ("messages", "F4", "Messages", "what was written"),
    ("trace", "F5", "Trace", "SIP messages; Enter shows one"),
    ("stats", "F6", "Stats", "the figures of the selected call"),
    ("lines", "F7", "Accounts", "Enter calls from it, r registers"),
)

#: What keys do on a page, when its content has the focus.
PAGE_KEYS = {
    "history": (("Enter", "Call again"),),
    "contacts": (("Enter", "Call"), ("Del", "Forget")),
    "trace": (("Enter", "Show"),),
    "lines": (("Enter", "Call from it"), ("r", "Register")),
}

#: While somebody types a number.
_DIALLING = (
    ("Enter", "Call"),
    ("→", "Complete"),
    ("↑↓", "Last targets"),
    ("Esc", "Back to the calls"),
    ("F1-F7", "Pages"),
)


def keys_text(phone: Phone, width: int, *, dialling: bool, page: str | None = None) -> Text:
    """What can be pressed now, in lines of at most `width`; what does nothing now is dim.

    :param page: the page that has the focus.
    """
    if dialling:
        return _flow([(key, word, True) for key, word in _DIALLING], width)
    able = _able(phone)
    its = [(key, word, True) for key, word in PAGE_KEYS.get(page or "", ())]
    if page == "lines":
        able["record"] = False  # the key is that of the page
    # The sound has its key beside it.
    words = [(key.shown, key.word, able.get(key.action, True)) for key in KEYS if key.action != "sound"]
    words.insert(-1, ("F1-F7", "Pages", True))
    if any(call.refer is not None for call in phone.calls):
        its[:0] = [("y", "Yes, transfer", True), ("x", "No", True)]
    lines = [_flow(its, width)] if its else []
    return Text("\n").join([*lines, _flow(words, width)])


def _able(phone: Phone) -> dict[str, bool]:
    """Which actions would do something."""
    selected = phone.selected
    up = selected is not None and selected.is_up
    answered = sum(call.is_up for call in phone.calls)
    return {
        "answer": any(call.waits_for_answer for call in phone.calls),
        "hang_up": selected is not None,
        **dict.fromkeys(("hold", "mute", "transfer", "record", "keypad"), up),
        "conference": answered > 1 or bool(phone.desk.conference),
    }


def _flow(words: list[tuple[str, str, bool]], width: int) -> Text:
    lines = [Text()]
    for key, word, able in words:
        style = "" if able else "dim"
        part = Text.assemble((key, style or "bold"), " ", (word, style))
        if lines[-1] and lines[-1].cell_len + 2 + part.cell_len > width:
            lines.append(Text())
        lines[-1].append("  " if lines[-1] else "").append_text(part)
    return Text("\n").join(lines)


def help_text() -> Text:
    """All keys and pages, a line each."""
    text = Text()
    for key in KEYS:
        text.append(f"{key.shown:>8}  ", "bold").append(f"{key.summary}\n")
    text.append("     y x  ", "bold").append("yes or no, when a peer asks you to call somebody else\n")
    text.append("\n")
    for _, name, title, summary in PAGES:
        text.append(f"{name:>8}  ", "bold").append(f"{title}: {summary}\n")
    return text
