"""Presence: ``application/pidf+xml`` (:rfc:`3863`), with what a person is doing (:rfc:`4480`)."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from .xml import Reader, element, parse_xml, text_element, write_xml

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

NAMESPACE = "urn:ietf:params:xml:ns:pidf"
DATA_MODEL = "urn:ietf:params:xml:ns:pidf:data-model"
RPID = "urn:ietf:params:xml:ns:pidf:rpid"

_PRIORITY = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9\-]*")


@dataclass(frozen=True, slots=True)
class Note:
    """A comment for people."""

    text: str
    language: str | None = None


@dataclass(frozen=True, slots=True)
class PresenceTuple:
    """One way of reaching somebody."""

    id: str
    basic: Literal["open", "closed"] | None = None
    """Whether it accepts communication; None when it does not say."""
    contact: str | None = None
    """Its URI."""
    priority: float | None = None
    """Preference of the contact, 0 to 1."""
    notes: tuple[Note, ...] = ()
    timestamp: datetime.datetime | None = None
    """When this was last changed."""


@dataclass(frozen=True, slots=True)
class Presence:
    """How somebody can be reached. ``str()`` gives the document."""

    content_type: ClassVar[str] = "application/pidf+xml"

    entity: str
    """Whose presence it is: a ``pres:`` or ``sip:`` URI."""
    tuples: tuple[PresenceTuple, ...] = ()
    notes: tuple[Note, ...] = ()
    activities: tuple[str, ...] = ()
    """What the person is doing, such as ``on-the-phone``, ``away``, ``busy`` (:rfc:`4480#section-3.2`)."""

    @property
    def is_open(self) -> bool:
        """Whether any of the tuples is open."""
        return any(one.basic == "open" for one in self.tuples)

    @property
    def note(self) -> str | None:
        """The first note of the document, or else of one of its tuples."""
        notes = (*self.notes, *(note for one in self.tuples for note in one.notes))
        return notes[0].text if notes else None

    @classmethod
    def parse(cls, body: str | bytes) -> Presence:
        """The presence document in a body. Elements that are not known are skipped.

        :raises ParseError: not a presence document.
        """
        root = Reader(parse_xml(body, "presence", NAMESPACE), NAMESPACE)
        found = (
            child.tag.rpartition("}")[2]
            for activities in root.element.iter(f"{{{RPID}}}activities")
            for child in activities
            if child.tag != f"{{{RPID}}}note"
        )
        return cls(
            entity=root.need("entity"),
            tuples=root.map("tuple", _read_tuple),
            notes=root.map("note", _read_note),
            activities=tuple(dict.fromkeys(found)),
        )

    def __str__(self) -> str:
        names: dict[str, str | int | None] = {"xmlns": NAMESPACE, "entity": self.entity}
        if self.activities:
            names |= {"xmlns:dm": DATA_MODEL, "xmlns:rpid": RPID}
        person = None
        if self.activities:
            for name in self.activities:
                if not _NAME.fullmatch(name):
                    raise ValueError(f"{name!r}: not an activity such as on-the-phone")
            doing = element("rpid:activities", None, *(element(f"rpid:{name}") for name in self.activities))
            person = element("dm:person", {"id": "p1"}, doing)
        root = element(
            "presence", names, *(_tuple(one) for one in self.tuples), *(_note(n) for n in self.notes), person
        )
        return write_xml(root)


def _read_tuple(reader: Reader) -> PresenceTuple:
    status = reader.child("status")
    basic = (status.text_of("basic") or "").lower() if status is not None else ""
    contact = reader.child("contact")
    priority = (contact.get("priority") or "").strip() if contact is not None else ""
    return PresenceTuple(
        id=reader.get("id") or "",
        basic="open" if basic == "open" else "closed" if basic == "closed" else None,
        contact=(contact.text or None) if contact is not None else None,
        priority=float(priority) if _PRIORITY.fullmatch(priority) else None,
        notes=reader.map("note", _read_note),
        timestamp=_read_time(reader.text_of("timestamp")),
    )


def _read_note(reader: Reader) -> Note:
    return Note(reader.text, reader.language)


def _read_time(text: str | None) -> datetime.datetime | None:
    try:
        return None if text is None else datetime.datetime.fromisoformat(text)
    except ValueError:
        return None


def _tuple(one: PresenceTuple) -> Element:
    contact = None
    if one.contact is not None:
        priority = None if one.priority is None else f"{one.priority:.3f}".rstrip("0").rstrip(".") or "0"
        contact = element("contact", {"priority": priority}, text=one.contact)
    return element(
        "tuple",
        {"id": one.id},
        element("status", None, text_element("basic", one.basic)),
        contact,
        *(_note(note) for note in one.notes),
        text_element("timestamp", one.timestamp.isoformat() if one.timestamp else None),
    )


def _note(note: Note) -> Element:
    return element("note", {"xml:lang": note.language}, text=note.text)
