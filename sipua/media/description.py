"""Session descriptions as lines: as much of SDP (:rfc:`8866`) as it takes to read and change them.

Nothing is lost or reordered; what is not understood stays as it is.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sipua.errors import MediaNegotiationError
from sipua.media.interface import DIRECTIONS, Direction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = [
    "Description",
    "Section",
    "association_of",
    "attribute_name",
    "direction_of",
    "identity_of",
    "parse",
    "setup_of",
]

_MAX_SIZE = 65536


class Section:
    """One m-line and what belongs to it. `lines` holds all of it, without line ends."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines

    @property
    def words(self) -> list[str]:
        """The parts of the m-line after ``m=``: kind, port, protocol, formats."""
        return self.lines[0][2:].split()

    @property
    def kind(self) -> str:
        """``audio``, ``video``, ``application`` …"""
        return self.words[0]

    @property
    def port(self) -> int:
        """0 means refused, or offered only inside a bundle."""
        return int(self.words[1].partition("/")[0])

    @property
    def formats(self) -> list[str]:
        """Payload types, or whatever the protocol has in their place."""
        return self.words[3:]

    @formats.setter
    def formats(self, formats: Iterable[str]) -> None:
        self.lines[0] = "m=" + " ".join([*self.words[:3], *formats])

    @property
    def live(self) -> bool:
        """Whether it is offered or accepted at all."""
        return self.port != 0 or self.has("bundle-only")

    def get(self, name: str) -> str | None:
        """The value of the first ``a=name:value``."""
        return next(iter(self.all(name)), None)

    def all(self, name: str) -> list[str]:
        """The values of every ``a=name:value``."""
        prefix = f"a={name}:"
        return [line[len(prefix) :].strip() for line in self.lines if line.startswith(prefix)]

    def has(self, name: str) -> bool:
        """Whether there is an ``a=name``, with or without a value."""
        return any(line == f"a={name}" or line.startswith(f"a={name}:") for line in self.lines)

    def drop(self, *names: str) -> None:
        """Remove every ``a=name``."""
        self.keep(lambda line: not (line.startswith("a=") and attribute_name(line) in names))

    def keep(self, wanted: Callable[[str], bool]) -> None:
        """Remove the lines that are not wanted; the m-line always stays."""
        self.lines[1:] = [line for line in self.lines[1:] if wanted(line)]

    def put(self, name: str, value: str | None = None) -> None:
        """Make this the only ``a=name``."""
        self.drop(name)
        self.lines.append(f"a={name}" if value is None else f"a={name}:{value}")

    @property
    def direction(self) -> Direction | None:
        """As the section says; None if it does not."""
        return next((d for d in DIRECTIONS if f"a={d}" in self.lines), None)


class Description:
    """A session description as lines. `str` gives it back with CRLF line ends."""

    def __init__(self, session: list[str], media: list[Section]) -> None:
        self.session = Section(session)
        self.media = media

    def __str__(self) -> str:
        lines = self.session.lines + [line for section in self.media for line in section.lines]
        return "\r\n".join(lines) + "\r\n"


def attribute_name(line: str) -> str:
    """The name in ``a=name:value`` or ``a=name``."""
    return line[2:].partition(":")[0]


def parse(text: str) -> Description:
    """Read a description with any line ends; blanks at line ends and empty lines go.

    Raises MediaNegotiationError for what is no SDP at all.
    """
    if len(text) > _MAX_SIZE:
        raise MediaNegotiationError(f"the session description is longer than {_MAX_SIZE} bytes")
    text = text.replace("\r", "\n").translate(_NO_BREAKS)
    lines = [line for line in map(str.strip, text.split("\n")) if line[1:2] == "="]
    if not lines or not lines[0].startswith("v="):
        raise MediaNegotiationError("the body is not a session description: it does not begin with v=")
    groups: list[list[str]] = [[]]
    for line in lines:
        if line.startswith("m="):
            groups.append([])
        groups[-1].append(line)
    media = [Section(group) for group in groups[1:]]
    for section in media:
        if not _M_LINE.fullmatch(section.lines[0]):
            raise MediaNegotiationError(f"the session description has a bad media line: {section.lines[0]!r}")
    return Description(groups[0], media)


# Characters that end a line for str.splitlines, by which aiortc reads, and not in SDP (RFC 8866 section 5).
_NO_BREAKS = dict.fromkeys(map(ord, "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"), " ")
_M_LINE = re.compile(r"m=\S+ +\d{1,5}(/\d+)? +\S+( +\S+)+")


def direction_of(text: str, index: int = 0) -> Direction:
    """What a description says of the direction of its m-line `index`, seen from who wrote it."""
    description = parse(text)
    section = description.media[index]
    if not section.live:
        return "inactive"
    return section.direction or description.session.direction or "sendrecv"


def association_of(text: str, index: int = 0) -> tuple[tuple[str, ...], str | None]:
    """The DTLS association of an m-line, as far as its author settles it: fingerprints and ``tls-id``.

    Another one is begun from the beginning (:rfc:`8842#section-3.1`).
    """
    description = parse(text)
    section, session = description.media[index], description.session
    prints = section.all("fingerprint") or session.all("fingerprint")
    return tuple(sorted(" ".join(p.lower().split()) for p in prints)), section.get("tls-id")


def identity_of(text: str, index: int = 0) -> tuple[str | None, str | None, tuple[str, ...]]:
    """Who sends the media of an m-line: ICE credentials and fingerprints.

    Another identity is another peer, or an ICE restart.
    """
    description = parse(text)
    section, session = description.media[index], description.session
    return (
        section.get("ice-ufrag") or session.get("ice-ufrag"),
        section.get("ice-pwd") or session.get("ice-pwd"),
        association_of(text, index)[0],
    )


def setup_of(text: str, index: int = 0) -> str | None:
    """The ``a=setup`` of an m-line: who begins with DTLS (:rfc:`8842#section-5`)."""
    description = parse(text)
    return description.media[index].get("setup") or description.session.get("setup")
