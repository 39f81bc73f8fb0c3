"""The numbers of a video m-line in our offers: kept for the whole call, and never those of its audio.

Bundled m-lines share one space of payload types and header extensions (:rfc:`8843#section-9.1`), and aiortc tells
their packets apart by payload type.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from sipua.media.description import Section, attribute_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from aiortc.rtcrtpparameters import RTCRtpCodecParameters, RTCRtpHeaderExtensionParameters

__all__ = ["VideoNumbering"]

# From below, since audio events are numbered from above.
_PAYLOAD_TYPES = range(97, 128)
_EXTENSIONS = range(1, 15)

_Key = tuple[str, str]


class VideoNumbering:
    """`ours` is our last m-line for video; `taken` are all others whose numbers mean something already."""

    def __init__(self, ours: Section | None, taken: Iterable[Section]) -> None:
        self._known = {key: number for number, key in _codecs(ours)} if ours is not None else {}
        self._extensions: dict[str, int] = {}
        self._taken: set[int] = {*self._known.values()}
        self._taken_extensions: set[int] = set()
        for section in (*([ours] if ours is not None else ()), *taken):
            self._taken |= {int(f) for f in section.formats if f.isdecimal()}
            for number, uri in _header_extensions(section):
                self._extensions.setdefault(uri, number)
                self._taken_extensions.add(number)

    def codecs(self, codecs: list[RTCRtpCodecParameters]) -> list[RTCRtpCodecParameters]:
        """Copies with the numbers they have, or with free ones; retransmission follows what it is of."""
        made: dict[int, RTCRtpCodecParameters] = {}
        for codec in map(copy.deepcopy, codecs):
            before = codec.payloadType or 0
            base = made.get(_int(codec.parameters.get("apt")))
            if base is not None:
                codec.parameters["apt"] = base.payloadType
            key = (codec.name.lower(), str(base.payloadType) if base is not None else _profile(codec))
            number = codec.payloadType = self._known.get(key) or self._free()
            self._taken.add(number)
            made[before] = codec
        return list(made.values())

    def header_extensions(
        self, extensions: list[RTCRtpHeaderExtensionParameters]
    ) -> list[RTCRtpHeaderExtensionParameters]:
        """Copies; the same extension has the same number in all m-lines."""
        made = []
        for extension in map(copy.deepcopy, extensions):
            known = self._extensions.get(extension.uri)
            if known is None:
                wanted = (extension.id, *_EXTENSIONS)
                known = next((n for n in wanted if n not in self._taken_extensions), extension.id)
                self._taken_extensions.add(known)
            extension.id = known
            made.append(extension)
        return made

    def _free(self) -> int:
        return next((n for n in _PAYLOAD_TYPES if n not in self._taken), 97)


def _profile(codec: RTCRtpCodecParameters) -> str:
    return str(codec.parameters.get("profile-level-id", "")).lower()


def _int(value: object) -> int:
    return int(value) if isinstance(value, int | str) and str(value).isdecimal() else -1


def _codecs(section: Section) -> Iterator[tuple[int, _Key]]:
    parameters = {
        number: dict(part.strip().partition("=")[::2] for part in rest.split(";"))
        for number, _, rest in (value.partition(" ") for value in section.all("fmtp"))
    }
    for value in section.all("rtpmap"):
        number, _, encoding = value.partition(" ")
        if number.isdecimal():
            own = parameters.get(number, {})
            which = own.get("apt") or own.get("profile-level-id", "").lower()
            yield int(number), (encoding.strip().partition("/")[0].lower(), which)


def _header_extensions(section: Section) -> Iterator[tuple[int, str]]:
    for line in section.lines:
        if attribute_name(line) == "extmap" and line.startswith("a="):
            number, _, uri = line.partition(":")[2].partition(" ")
            number = number.partition("/")[0]
            if number.isdecimal() and uri.split():
                yield int(number), uri.split()[0]
