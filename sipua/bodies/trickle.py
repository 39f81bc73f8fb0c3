"""Candidates on their way: ``application/trickle-ice-sdpfrag`` (:rfc:`8840#section-9`), the body of an INFO."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from sipua.sip import ParseError

__all__ = ["TrickleFragment", "TrickleMedia"]

_MAX_SIZE = 65536
_ICE_CHARS = "[A-Za-z0-9+/]"
_UFRAG = re.compile(rf"{_ICE_CHARS}{{4,256}}")
_PWD = re.compile(rf"{_ICE_CHARS}{{22,256}}")
_MEDIA = re.compile(r"m=([A-Za-z0-9!#$%&'*+.^_`{|}~-]+) +\d{1,5}(?:/\d+)? +\S+(?: +\S+)+")
#: :rfc:`8839#section-5.1`; extensions follow the type.
_CANDIDATE = re.compile(
    rf"{_ICE_CHARS}{{1,32}} \d{{1,5}} [\w-]+ \d{{1,10}} [A-Za-z0-9.:%_-]+ \d{{1,5}} typ [\w-]+(?: .*)?"
)


@dataclass(frozen=True, slots=True)
class TrickleMedia:
    """The candidates of one m-line: `mid` says which (:rfc:`5888`)."""

    mid: str | None
    candidates: tuple[str, ...] = ()
    """As ``candidate:…`` lines, in the order in which they were found."""
    is_complete: bool = False
    """``a=end-of-candidates``: no more will come."""
    kind: str = "audio"
    ufrag: str | None = None
    """The ICE user name fragment, where it is not that of the whole fragment."""
    pwd: str | None = field(default=None, repr=False)
    attributes: tuple[str, ...] = ()
    """Other attributes, without ``a=``."""

    def __str__(self) -> str:
        lines = [f"m={self.kind} 9 RTP/AVP 0"]  # a pseudo media description: only its kind counts
        if self.mid is not None:
            lines.append(f"a=mid:{self.mid}")
        lines += _credentials(self.ufrag, self.pwd)
        lines += [f"a={attribute}" for attribute in (*self.attributes, *self.candidates)]
        if self.is_complete:
            lines.append("a=end-of-candidates")
        return "".join(f"{line}\r\n" for line in lines)


@dataclass(frozen=True, slots=True)
class TrickleFragment:
    """What one INFO tells: all candidates of this ICE generation so far, by m-line (:rfc:`8840#section-4.4`)."""

    media: tuple[TrickleMedia, ...] = ()
    ufrag: str | None = None
    pwd: str | None = field(default=None, repr=False)
    is_complete: bool = False
    """``a=end-of-candidates`` for every m-line."""
    attributes: tuple[str, ...] = ()
    """Other attributes of the session level, without ``a=``."""

    content_type = "application/trickle-ice-sdpfrag"

    @classmethod
    def parse(cls, body: str | bytes) -> TrickleFragment:
        """Read a fragment; attributes that are not known are kept.

        :raises ParseError: it breaks the grammar of :rfc:`8840#section-9.2`.
        """
        text = body.decode(errors="replace") if isinstance(body, bytes) else body
        if len(text) > _MAX_SIZE:
            raise ParseError(f"a fragment of more than {_MAX_SIZE} bytes")
        groups: list[list[str]] = [[]]
        for line in text.replace("\r\n", "\n").split("\n"):
            if line.startswith("m="):
                groups.append([line])
            elif line.startswith("a="):
                groups[-1].append(line[2:].rstrip())
            elif line.strip():
                raise ParseError(f"neither an attribute nor a media line: {line!r:.80}")
        session = _Attributes(groups[0])
        if session.candidates:
            raise ParseError("a candidate that belongs to no media line")
        return cls(
            tuple(_parse_media(lines) for lines in groups[1:]),
            session.ufrag,
            session.pwd,
            session.is_complete,
            tuple(session.others),
        )

    def credentials(self, media: TrickleMedia) -> tuple[str | None, str | None]:
        """User name fragment and password that tell the ICE generation of these candidates."""
        return media.ufrag or self.ufrag, media.pwd or self.pwd

    def __str__(self) -> str:
        lines = _credentials(self.ufrag, self.pwd)
        lines += [f"a={attribute}" for attribute in self.attributes]
        if self.is_complete:
            lines.append("a=end-of-candidates")
        return "".join(f"{line}\r\n" for line in lines) + "".join(map(str, self.media))


class _Attributes:
    """The attributes of one level, sorted."""

    def __init__(self, lines: list[str]) -> None:
        self.ufrag: str | None = None
        self.pwd: str | None = None
        self.mid: str | None = None
        self.is_complete = False
        self.candidates: list[str] = []
        self.others: list[str] = []
        for line in lines:
            name, _, value = line.partition(":")
            if name == "ice-ufrag":
                self.ufrag = _checked(name, value, _UFRAG)
            elif name == "ice-pwd":
                self.pwd = _checked(name, value, _PWD)
            elif name == "mid":
                self.mid = _checked(name, value.strip(), re.compile(r"\S+"))
            elif name == "candidate":
                self.candidates.append(f"candidate:{_checked(name, value, _CANDIDATE)}")
            elif line == "end-of-candidates":
                self.is_complete = True
            else:
                self.others.append(line)


def _checked(name: str, value: str, pattern: re.Pattern[str]) -> str:
    if not pattern.fullmatch(value):
        raise ParseError(f"a={name} that cannot be read")
    return value


def _parse_media(lines: list[str]) -> TrickleMedia:
    match = _MEDIA.fullmatch(lines[0].rstrip())
    if match is None:
        raise ParseError(f"a media line that cannot be read: {lines[0]!r:.80}")
    found = _Attributes(lines[1:])
    return TrickleMedia(
        found.mid,
        tuple(found.candidates),
        found.is_complete,
        match[1],
        found.ufrag,
        found.pwd,
        tuple(found.others),
    )


def _credentials(ufrag: str | None, pwd: str | None) -> list[str]:
    pairs = (("ice-ufrag", ufrag), ("ice-pwd", pwd))
    return [f"a={name}:{value}" for name, value in pairs if value is not None]
