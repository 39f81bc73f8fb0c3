"""Messages as they may be shown: without what could be used to authenticate."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .message import Request, Response

__all__ = ["REDACTED", "redact", "summary"]

#: What is put in the place of a secret.
REDACTED: Final = "[redacted]"

# Header fields whose values prove knowledge of a password; folded lines belong to them.
_SECRET_HEADERS = re.compile(
    r"^((?:Proxy-)?(?:Authorization|Authentication-Info)[ \t]*:[ \t]*(?:(?:Digest|Basic|Bearer)\b)?)"
    r"[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*",
    re.IGNORECASE | re.MULTILINE,
)
_URI_PASSWORD = re.compile(r"(\bsips?:[^\s:@<>;?\"]+:)[^\s@<>;?\"]+@", re.IGNORECASE)
# In session descriptions: keys of the media (RFC 4568) and of connectivity checks (RFC 8839 section 5.4).
_SDP_SECRETS = re.compile(
    r"^(a=ice-pwd:|a=crypto:[^\r\n]*?inline:)([^|;\s]+)|(?<=;inline:)()([^|;\s]+)",
    re.IGNORECASE | re.MULTILINE,
)


def redact(text: str) -> str:
    """The message without credentials (:rfc:`3261#section-22`), passwords in addresses and keys of media."""
    # Bodies too: they may hold pieces of messages (message/sipfrag).
    text = _URI_PASSWORD.sub(rf"\1{REDACTED}@", _SECRET_HEADERS.sub(rf"\1 {REDACTED}", text))
    # As many characters as before, so that Content-Length stays right.
    return _SDP_SECRETS.sub(lambda found: f"{found[1] or ''}{'*' * len(found[2] or found[4])}", text)


def summary(message: Request | Response) -> str:
    """A message in a few words, for a log: its method or status, and its Call-ID."""
    # Not by the parsed fields: nothing is wrong enough with a message to make its log line fail.
    what = getattr(message, "method", None) or f"{getattr(message, 'code', '?')}"
    sequence = message.headers.get("CSeq", "no CSeq")
    return f"{what} (CSeq {sequence}, Call-ID {message.headers.get('Call-ID', 'none')})"
