"""The status of a reference in the body of a NOTIFY: ``message/sipfrag`` (:rfc:`3420`, :rfc:`3515#section-2.4.5`)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sipua.errors import ParseError
from sipua.sip import reason_phrase

if TYPE_CHECKING:
    from sipua.sip import Request

MEDIA_TYPE = "message/sipfrag"
CONTENT_TYPE = f"{MEDIA_TYPE};version=2.0"

_STATUS_LINE = re.compile(r"[Ss][Ii][Pp]/2\.0[ \t]+([1-6][0-9]{2})(?:[ \t]+([^\r\n]*))?[ \t]*(?:\r?\n|\Z)")


@dataclass(frozen=True, slots=True)
class StatusLine:
    """How far the referenced request is: the status line of the last response to it."""

    code: int
    phrase: str = ""

    def __str__(self) -> str:
        return f"SIP/2.0 {self.code} {self.phrase}"


def status_line(code: int, phrase: str | None = None) -> StatusLine:
    """A status line of ours; what must not be in a line is taken out of a foreign `phrase`."""
    text = phrase or reason_phrase(code)
    return StatusLine(code, "".join(character if character.isprintable() else " " for character in text))


def build(line: StatusLine) -> bytes:
    """The body that says so."""
    return f"{line}\r\n".encode()


def parse(request: Request) -> StatusLine | None:
    """The status line in the body of a NOTIFY; None when it has no body.

    :raises ParseError: a body of another type (``status`` 415), or one that does not begin with a status line (400).
    """
    if not request.body:
        return None
    content_type = request.content_type
    if content_type is None or content_type.mime_type != MEDIA_TYPE:
        raise ParseError(
            f"a NOTIFY with {content_type}", status=415, headers=(("Accept", MEDIA_TYPE),), request=request
        )
    match = _STATUS_LINE.match(request.text.lstrip("\r\n"))
    if match is None:
        raise ParseError("a sipfrag without status line", status=400, request=request)
    return StatusLine(int(match[1]), (match[2] or "").strip())
