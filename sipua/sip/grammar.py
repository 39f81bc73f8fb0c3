"""The alphabet of SIP: what tokens, quoted strings, parameters and URIs look like, and how text is made safe.

Every pattern here runs in time proportional to the length of its input, whatever the input: neighbours in a
sequence never share a character, and runs are possessive (``*+``), so there is nothing to backtrack into. Classes
name their characters: ``\\d``, ``\\w`` and ``\\s`` would let in digits and spaces of every script.

Text is what arrived, decoded as UTF-8 with ``surrogateescape``: bytes that are not UTF-8 (Latin-1 in old display
names) survive to be sent on as they came. `readable` turns such text into something for people.
"""

from __future__ import annotations

import re
import urllib.parse

from .errors import InvalidHeaderError

# --- fragments (:rfc:`3261#section-25.1`) ----------------------------------------------------------------------------

WS = r"[ \t]*+"
TOKEN = r"[A-Za-z0-9\-.!%*_+`'~]++"
QUOTED = r'"[^"\\\r\n]*+(?:\\[^\r\n][^"\\\r\n]*+)*"'
HOST = r"(?:[A-Za-z0-9_.\-]++|\[[0-9A-Fa-f:.]++\])"
PORT = (
    r"0{0,3}+(?:6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3}|(?<=0))"
    r"(?![0-9])"
)
# A value may be a token, a host (bare IPv6 in received=, :rfc:`5118#section-4.5`) or quoted. Wider than the RFC.
PARAMETER = rf'{WS}[^;,=\x00-\x20\x7f<>"]++(?:{WS}={WS}(?:{QUOTED}|[^;,\x00-\x20\x7f<>"]*+))?'
PARAMETERS = f"(?:{WS};{PARAMETER})*"

# User parts may hold anything printable: ``#``, UTF-8. A password may be empty.
URI_TEXT = r'[^\x00-\x20\x7f<>"]'
USER = r'[^@:\x00-\x20\x7f<>"]++'
PASSWORD = r'[^@\x00-\x20\x7f<>"]*+'
URI_PARAMETERS = r'(?:;[^;?=@\x00-\x20\x7f<>"]++(?:=[^;?@\x00-\x20\x7f<>"]*+)?)*'
SIP_SCHEME = r"[Ss][Ii][Pp][Ss]?"
SIP_URI = (
    rf"({SIP_SCHEME}):(?:({USER})(?::({PASSWORD}))?@)?({HOST})(?::({PORT}))?"
    rf"({URI_PARAMETERS})(\?{URI_TEXT}*+)?"
)
"A SIP or SIPS URI; its groups are scheme, user, password, host, port, parameters and headers."
OTHER_URI = rf"(?!{SIP_SCHEME}:)[A-Za-z][A-Za-z0-9+.\-]*+:{URI_TEXT}++"

# Without angle brackets, what begins with ``;`` belongs to the header field, and ``?`` and ``,`` are not allowed
# (:rfc:`3261#section-20`).
BARE_TEXT = r'[^,;?\x00-\x20\x7f<>"]'
BARE_USER = r'[^@:,;?\x00-\x20\x7f<>"]++'
BARE_PASSWORD = r'[^@,;?\x00-\x20\x7f<>"]*+'
BARE_URI = (
    rf"(?:{SIP_SCHEME}:(?:{BARE_USER}(?::{BARE_PASSWORD})?@)?{HOST}(?::{PORT})?"
    rf"|(?!{SIP_SCHEME}:)[A-Za-z][A-Za-z0-9+.\-]*+:{BARE_TEXT}++)"
)

URI_TEXT_ONLY = re.compile(f"{URI_TEXT}++")

_TOKEN = re.compile(TOKEN)
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_FOLD = re.compile(r"[ \t]*+\r?\n[ \t]++")
_FORBIDDEN = re.compile(r"[\r\n\0]")
_ITEM = re.compile(rf'{WS}((?:[^",<]++|{QUOTED}|<[^>]*+>)*)')


def is_token(text: str) -> bool:
    """Whether `text` is a non-empty token: a method, a header name, a parameter name."""
    return _TOKEN.fullmatch(text) is not None


# --- quoting ----------------------------------------------------------------------------------------------------------


def quote(text: str) -> str:
    """`text` as a quoted-string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def unquote(text: str) -> str:
    """What a quoted-string says; text without quotes is returned as it is."""
    if text[:1] != '"':
        return text
    text = text[1:-1]
    return _QUOTED_PAIR.sub(r"\1", text) if "\\" in text else text


def readable(text: str) -> str:
    """`text` with bytes that were not UTF-8 read as Latin-1."""
    if text.isascii():
        return text
    raw = text.encode("utf-8", "surrogateescape")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def percent_decode(text: str) -> str:
    """`text` with ``%41`` read as ``A``; a percent sign that escapes nothing stays."""
    if "%" in text:
        text = urllib.parse.unquote(text, errors="surrogateescape")
    return readable(text)


def percent_encode(text: str, safe: str) -> str:
    """`text` with everything but letters, digits, ``-._~`` and `safe` percent-escaped."""
    try:
        return urllib.parse.quote(text, safe=safe, errors="surrogateescape")
    except UnicodeEncodeError:
        raise InvalidHeaderError(f"cannot be encoded: {text!r}") from None


def excerpt(text: str) -> str:
    """The beginning of `text`, which came from outside, for an error message."""
    text = readable(text.strip())
    return repr(text if len(text) <= 80 else text[:79] + "…")


def unfold(value: str) -> str:
    """A header value that came on several lines, on one (:rfc:`3261#section-7.3.1`)."""
    return _FOLD.sub(" ", value).strip(" \t")


def split_list(value: str) -> list[str]:
    """The members of a comma-separated list; commas in quotes and angle brackets do not count, empty members go."""
    if "," not in value:
        value = value.strip(" \t")
        return [value] if value else []
    if '"' not in value and "<" not in value:
        return [item for part in value.split(",") if (item := part.strip(" \t"))]
    items: list[str] = []
    position, end = 0, len(value)
    while position < end:
        match = _ITEM.match(value, position)
        stop = match.end() if match else end
        if stop < end and value[stop] != ",":
            stop = end  # a quote or bracket that is never closed swallows the rest
        if item := value[position:stop].strip(" \t"):
            items.append(item)
        position = stop + 1
    return items


# --- what must not go on the wire -------------------------------------------------------------------------------------


def check_text(what: str, text: str) -> None:
    """Raise :class:`InvalidHeaderError` if `text`, given by the application as `what`, would break a message.

    Carriage return, line feed and NUL end or cut lines; lone surrogates cannot be encoded.
    """
    if text.isprintable():
        return
    if match := _FORBIDDEN.search(text):
        raise InvalidHeaderError(f"{what} contains {match.group()!r}: {text!r}")
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise InvalidHeaderError(f"{what} cannot be encoded: {text!r}") from None


def check_token(what: str, text: str) -> None:
    """Raise :class:`InvalidHeaderError` unless `text`, given by the application as `what`, is a token."""
    if not is_token(text):
        raise InvalidHeaderError(f"{what} is not a token: {text!r}")
