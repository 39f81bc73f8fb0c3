"""The numbers that RTP packets carry keep their meaning for as long as a call lasts.

aiortc numbers each of its offers as if it were the first. After an answer in which it used the numbers of the peer,
its next offer gives the same numbers to something else: forbidden for payload types (:rfc:`3264#section-8.3.2`) and
for header extensions (:rfc:`8285#section-6`), and browsers refuse the latter with 488.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sipua.media.description import Section, parse

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    from aiortc.rtcrtpparameters import RTCRtpCodecParameters, RTCRtpHeaderExtensionParameters

__all__ = ["Numbering"]

_Codec = tuple[str, int, int]
_DYNAMIC = range(96, 128)
# Those with one byte of header (RFC 8285 section 4.2).
_EXTENSIONS = range(1, 15)


@dataclass(frozen=True, slots=True)
class Numbering:
    """What the numbers of one m-line stand for, and which ones are taken."""

    payload_types: dict[_Codec, int]
    extensions: dict[str, int]
    taken_payload_types: frozenset[int]
    taken_extensions: frozenset[int]

    @classmethod
    def of(cls, ours: str, theirs: str, index: int) -> Numbering:
        """As two descriptions that are in force have it: what we have said counts, what the peer has said is taken.

        Raises MediaNegotiationError for a description that cannot be read.
        """
        own, peers = (parse(text).media[index] for text in (ours, theirs))
        payload_types, extensions = _payload_types(own), _extensions(own)
        return cls(
            {codec: number for number, codec in payload_types.items()},
            {uri: number for number, uri in extensions.items()},
            frozenset({*payload_types, *_payload_types(peers)}),
            frozenset({*extensions, *_extensions(peers)}),
        )

    def codecs(self, codecs: Iterable[RTCRtpCodecParameters]) -> list[RTCRtpCodecParameters]:
        """Copies with the numbers they have, or with free ones if theirs are taken."""
        taken = set(self.taken_payload_types)
        renumbered = []
        for codec in map(copy.deepcopy, codecs):
            key = (codec.name.lower(), codec.clockRate, codec.channels or 1)
            if key in self.payload_types:
                codec.payloadType = self.payload_types[key]
            elif codec.payloadType is not None and codec.payloadType in _DYNAMIC:
                codec.payloadType = _free(codec.payloadType, _DYNAMIC, taken)
            taken.add(codec.payloadType or 0)
            renumbered.append(codec)
        return renumbered

    def header_extensions(
        self, extensions: Iterable[RTCRtpHeaderExtensionParameters]
    ) -> list[RTCRtpHeaderExtensionParameters]:
        """Copies with the numbers they have, or with free ones if theirs are taken."""
        taken = set(self.taken_extensions)
        renumbered = []
        for extension in map(copy.deepcopy, extensions):
            known = self.extensions.get(extension.uri)
            extension.id = known if known is not None else _free(extension.id, _EXTENSIONS, taken)
            taken.add(extension.id)
            renumbered.append(extension)
        return renumbered


def _free(wanted: int, choice: Sequence[int], taken: Container[int]) -> int:
    return next((number for number in (wanted, *choice) if number not in taken), wanted)


def _payload_types(section: Section) -> dict[int, _Codec]:
    found = {}
    for value in section.all("rtpmap"):
        number, _, codec = value.partition(" ")
        name, rate, channels, *_ = [*codec.strip().split("/"), "", ""]
        if number.isdecimal() and rate.isdecimal():
            found[int(number)] = (name.lower(), int(rate), int(channels) if channels.isdecimal() else 1)
    return found


def _extensions(section: Section) -> dict[int, str]:
    found = {}
    for value in section.all("extmap"):
        number, _, rest = value.partition(" ")
        number = number.partition("/")[0]
        if number.isdecimal() and rest.split():
            found[int(number)] = rest.split()[0]
    return found
