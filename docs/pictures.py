"""The pictures of `sipua phone` in docs/images: docs.screenshots makes them, docs.reference puts them into cli.md."""

from __future__ import annotations

from typing import NamedTuple


class Picture(NamedTuple):
    """One picture. `of` is the page that it shows (as in the phone's PAGES), or the class of the window or field."""

    of: str
    caption: str
    large: bool = False
    """Whether there is one with 120 columns and 40 lines, too: NAME-large."""

    @staticmethod
    def file(name: str, *, large: bool = False) -> str:
        """The name of the file below docs/images."""
        return f"phone-{name}{'-large' if large else ''}.svg"


PICTURES = {
    "calls": Picture(
        "events", "A call on hold, one that is recorded, and a third that comes in; below, the log", True
    ),
    "dial": Picture("DialField", "The dial field completes a contact; below, the keys that work there"),
    "keypad": Picture("Keypad", "The keypad: digits for the selected call"),
    "transfer": Picture("TransferTo", "Where to transfer a call: blind, or attended to the other call"),
    "message": Picture("Ask", "Writing a message. A contact is asked for in the same way"),
    "conference": Picture("messages", "A conference of three calls, and the messages", True),
    "history": Picture("history", "The calls that are over, the latest first"),
    "contacts": Picture("contacts", "The contacts; Enter calls, Del forgets"),
    "trace": Picture("trace", "The SIP messages, as they come and go"),
    "sip": Picture("Show", "One of them in full"),
    "sound": Picture("Ask", "Choosing what peers hear, or where they are heard"),
    "stats": Picture("stats", "The statistics of the selected call"),
    "accounts": Picture(
        "lines", "The accounts and their registration; calls go out from the one that is marked"
    ),
    "help": Picture("Show", "All keys"),
}
