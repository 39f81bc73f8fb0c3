"""A SIP message in one line, for the list of the trace."""

from __future__ import annotations

import re

from sipua.cli.phone.finding import short

__all__ = ["summary_of"]

_FROM = re.compile(
    r'^(?:from|f)\s*:\s*(?:"(?:[^"\\]|\\.)*")?[^<\r\n]*?<?((?:sips?|tel):[^>;\s]+)',
    re.IGNORECASE | re.MULTILINE,
)
_CSEQ = re.compile(r"^cseq\s*:\s*(.*?)\s*$", re.IGNORECASE | re.MULTILINE)


def summary_of(message: str, *, came: bool) -> tuple[str, str]:
    """What it is, and of a response the CSeq that tells what it answers; it need not be legible.

    Of a REGISTER, and of a request that `came`, it says from whom: their Request-URI is the domain, or our Contact.
    """
    first = message.lstrip().partition("\n")[0].strip()
    if first.upper().startswith("SIP/2.0 "):
        found = _CSEQ.search(message)
        return first[len("SIP/2.0 ") :], found[1] if found else ""
    method, _, rest = first.partition(" ")
    sender = _FROM.search(message)
    if sender and method == "REGISTER":
        return f"REGISTER {sender[1]}", ""
    if sender and came:
        return f"{method} from {sender[1]}", ""
    return f"{method} {short(rest.partition(' ')[0])}".strip(), ""
