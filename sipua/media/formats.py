"""The formats of an audio m-line: what is said of them to the peer, and what two descriptions have agreed.

aiortc describes the bare codecs. Here go the rest: parameters, telephone-event (:rfc:`4733`), comfort noise
(:rfc:`3389`), packet times and bandwidth. aiortc never gets to know of them, so it never has to decode them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from sipua.media.codecs.base import CodecSpec
from sipua.media.description import parse
from sipua.media.fmtp import TELEPHONE_EVENTS, OpusParameters, format_fmtp, parse_fmtp
from sipua.media.interface import AUDIO_CODECS, PTIMES, MediaOptions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sipua.media.description import Description, Section
    from sipua.media.numbering import Numbering

__all__ = ["NegotiatedAudio", "codec_names", "codecs_negotiated", "complete", "encodings", "is_usable"]

#: Static payload types may come without an rtpmap (:rfc:`3551#section-6`).
STATIC_AUDIO: Mapping[int, str] = {
    0: "PCMU/8000", 3: "GSM/8000", 4: "G723/8000", 5: "DVI4/8000", 6: "DVI4/16000", 7: "LPC/8000",
    8: "PCMA/8000", 9: "G722/8000", 10: "L16/44100/2", 11: "L16/44100", 12: "QCELP/8000", 13: "CN/8000",
    14: "MPA/90000", 15: "G728/8000", 16: "DVI4/11025", 17: "DVI4/22050", 18: "G729/8000",
}  # fmt: skip

_DYNAMIC = range(96, 128)
_EVENT, _NOISE = "telephone-event", "CN"
_NOISE_RATE, _NOISE_TYPE = 8000, 13
# The numbers that most peers use.
_EVENT_TYPES = {8000: 101, 48000: 110}
_MAX_PTIME = PTIMES[-1]
# IPv4, UDP and RTP headers and the tag of SRTP, in bytes.
_OVERHEAD = 20 + 8 + 12 + 10


class NegotiatedAudio(NamedTuple):
    """What may go and what may come, telephone-event (``telephone-event``) and comfort noise (``cn``) included."""

    sent: tuple[CodecSpec, ...]
    """By the peer's numbers and wishes; the first that is audio is to be used."""
    received: tuple[CodecSpec, ...]
    """By our numbers."""


@dataclass(frozen=True, slots=True)
class _Format:
    payload_type: int
    name: str
    clock_rate: int
    channels: int
    fmtp: Mapping[str, str]

    @property
    def key(self) -> tuple[str, int]:
        return self.name, self.clock_rate


# --- what is agreed ---------------------------------------------------------------------------------------


def codecs_negotiated(
    local: str,
    remote: str,
    index: int = 0,
    *,
    answer: Literal["local", "remote"],
    options: MediaOptions | None = None,
) -> NegotiatedAudio:
    """What the audio m-lines `index` of our and the peer's description have in common, in the order of the answer.

    Raises MediaNegotiationError for a description that cannot be read.
    """
    options = options or MediaOptions()
    descriptions = parse(local), parse(remote)
    ours, theirs = (_formats(description.media[index]) for description in descriptions)
    rank = {form.key: -place for place, form in enumerate(reversed(ours if answer == "local" else theirs))}
    common = {form.key for form in ours} & {form.key for form in theirs}
    sent = sorted((form for form in theirs if form.key in common), key=lambda form: rank[form.key])
    ours = [form for form in ours if form.key in common]
    known = {form.payload_type for form in ours}
    # There are peers that send by their own numbers.
    ours += [form for form in sent if form.payload_type not in known]
    return NegotiatedAudio(
        tuple(_spec(form, descriptions[1], index, options) for form in sent),
        tuple(_spec(form, descriptions[0], index, options) for form in ours),
    )


def _spec(form: _Format, description: Description, index: int, options: MediaOptions) -> CodecSpec:
    section = description.media[index]
    ptime = _packet_time(form.name, section, options.ptime)
    return CodecSpec(
        form.name,
        form.payload_type,
        form.clock_rate,
        form.channels,
        form.fmtp,
        ptime,
        _max_bitrate(section, description.session, options.bandwidth, ptime),
    )


def _packet_time(name: str, section: Section, preferred: int) -> int:
    """The longest that we can make of what the receiver wants (:rfc:`8866#section-6.4`)."""
    wanted = min(_number(section.get("ptime")) or preferred, _number(section.get("maxptime")) or _MAX_PTIME)
    possible = PTIMES[1:] if name == "g722" else PTIMES
    return max((ptime for ptime in possible if ptime <= wanted), default=possible[0])


def _max_bitrate(section: Section, session: Section, bandwidth: int | None, ptime: int) -> int | None:
    """In bit/s of payload, from ``b=AS`` (:rfc:`8866#section-5.8`) and ``b=TIAS`` (:rfc:`3890`)."""
    overhead = _OVERHEAD * 8 * 1000 // ptime
    limits = [] if bandwidth is None else [bandwidth * 1000 - overhead]
    lines = [line for line in section.lines if line.startswith("b=")]
    for line in lines or session.lines:
        match = _BANDWIDTH.fullmatch(line)
        if match:
            limits.append(int(match[2]) if match[1] == "TIAS" else int(match[2]) * 1000 - overhead)
    return max(0, min(limits)) if limits else None


_BANDWIDTH = re.compile(r"b=(AS|TIAS):\s*(\d{1,9})")


def _number(value: str | None) -> int | None:
    match = re.match(r"\d{1,6}", value or "")
    return int(match[0]) if match else None


# --- what is there ----------------------------------------------------------------------------------------


def encodings(section: Section) -> dict[int, str]:
    """``name/rate`` or ``name/rate/channels`` by payload type, static ones included."""
    maps = dict(STATIC_AUDIO)
    for value in section.all("rtpmap"):
        match = _RTPMAP.fullmatch(value)
        if match:
            maps[int(match[1])] = re.sub(r"\s", "", match[2])
    return maps


_RTPMAP = re.compile(r"(\d{1,3})\s+([\w.-]+\s*/\s*\d{1,6}(?:\s*/\s*\d{1,2})?)")


def codec_names(section: Section) -> list[str]:
    """The codecs of an m-line as it writes them; a payload type that nothing is known of as its number."""
    maps = encodings(section)
    names = [maps[int(f)].partition("/")[0] if f.isdecimal() and int(f) in maps else f for f in section.formats]
    return [name for name in names if name.lower() not in (_EVENT, _NOISE.lower())] or names


def is_usable(payload_type: int, encoding: str) -> bool:
    """Whether it is one of our codecs, under a number that it can have."""
    name, rate, *_ = encoding.lower().split("/")
    if name not in AUDIO_CODECS or int(rate) != (48000 if name == "opus" else 8000):
        return False
    # aiortc keeps its own number for a codec that the peer gave a number outside the dynamic range.
    return _is_static(payload_type, name) or payload_type in _DYNAMIC


def _is_static(payload_type: int, name: str) -> bool:
    return STATIC_AUDIO.get(payload_type, "").lower().partition("/")[0] == name


def _formats(section: Section) -> list[_Format]:
    maps = encodings(section)
    fmtp: dict[str, dict[str, str]] = {}
    for value in section.all("fmtp"):
        number, _, content = value.partition(" ")
        fmtp.setdefault(number, parse_fmtp(content))
    found = []
    for number in dict.fromkeys(section.formats):
        encoding = maps.get(int(number)) if number.isdecimal() else None
        if encoding is None:
            continue
        name, rate, *channels = encoding.lower().split("/")
        payload_type = int(number)
        extra = payload_type == _NOISE_TYPE or (name == _EVENT and payload_type in _DYNAMIC)
        if extra or is_usable(payload_type, encoding):
            count = int(channels[0]) if channels else 1
            found.append(_Format(payload_type, name, int(rate), count, fmtp.get(number, {})))
    return found


# --- what we say ------------------------------------------------------------------------------------------


def complete(
    section: Section,
    options: MediaOptions,
    *,
    offer: Section | None = None,
    numbering: Numbering | None = None,
) -> None:
    """Say the rest of our audio m-line: an answer to `offer`, or an offer, by the numbers that the call has."""
    formats = _formats(section)
    rates = list(dict.fromkeys(form.clock_rate for form in formats))
    section.drop("fmtp", "ptime", "maxptime")
    section.keep(lambda line: not line.startswith("b="))
    added = (
        _offered_extras(rates, options, section, numbering)
        if offer is None
        else _answered(rates, options, offer)
    )
    section.formats = [*section.formats, *(str(number) for number, _ in added)]
    maps = section.all("rtpmap") + [f"{number} {encoding}" for number, encoding in added]
    opus = format_fmtp(OpusParameters.wanted(options.opus))
    lines = []
    for value in maps:
        number, _, encoding = value.partition(" ")
        lines.append(f"a=rtpmap:{value}")
        if encoding.startswith("opus/"):
            lines.append(f"a=fmtp:{number} {opus}")
        elif encoding.startswith(f"{_EVENT}/"):
            lines.append(f"a=fmtp:{number} {TELEPHONE_EVENTS}")
    lines += [f"a=ptime:{options.ptime}", f"a=maxptime:{_MAX_PTIME}"]
    place = next(
        (i for i, line in enumerate(section.lines) if line.startswith("a=rtpmap:")), len(section.lines)
    )
    section.drop("rtpmap")
    section.lines[place:place] = lines
    if options.bandwidth is not None:
        place = next((i for i, line in enumerate(section.lines) if line.startswith("c=")), 0) + 1
        section.lines.insert(place, f"b=AS:{options.bandwidth}")


def _offered_extras(
    rates: Iterable[int], options: MediaOptions, section: Section, numbering: Numbering | None
) -> list[tuple[int, str]]:
    known = numbering.payload_types if numbering is not None else {}
    taken = {int(number) for number in section.formats} | (
        set(numbering.taken_payload_types) if numbering is not None else set()
    )
    added: list[tuple[int, str]] = []
    if options.comfort_noise and _NOISE_RATE in rates:
        added.append((_NOISE_TYPE, f"{_NOISE}/{_NOISE_RATE}"))
    for rate in rates:
        number = known.get((_EVENT, rate, 1)) or _free(_EVENT_TYPES[rate], taken)
        if number is not None:
            taken.add(number)
            added.append((number, f"{_EVENT}/{rate}"))
    return added


def _free(preferred: int, taken: set[int]) -> int | None:
    # From above, as the codecs are numbered from below.
    return next((number for number in (preferred, *reversed(_DYNAMIC)) if number not in taken), None)


def _answered(rates: Sequence[int], options: MediaOptions, offer: Section) -> list[tuple[int, str]]:
    """What the offer has of them for the codecs that were kept, under its numbers."""
    offered = {form.key: form for form in reversed(_formats(offer))}
    keys = [(_NOISE.lower(), _NOISE_RATE)] if options.comfort_noise and _NOISE_RATE in rates else []
    events = [(_EVENT, rate) for rate in rates if (_EVENT, rate) in offered]
    # Many peers have Opus and know events at 8000 Hz alone. They mean it (and RFC 4733 section 2.1 does not).
    keys += events or [(_EVENT, _NOISE_RATE)]
    names = {_NOISE.lower(): _NOISE}
    return [
        (offered[key].payload_type, f"{names.get(key[0], key[0])}/{key[1]}") for key in keys if key in offered
    ]
