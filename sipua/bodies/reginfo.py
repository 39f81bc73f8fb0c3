"""The registrations of somebody: ``application/reginfo+xml`` (:rfc:`3680`), with GRUUs (:rfc:`5628`)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Literal

from .partial import is_gap, is_stale, merged
from .xml import Reader, element, parse_xml, text_element, write_xml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from xml.etree.ElementTree import Element

NAMESPACE = "urn:ietf:params:xml:ns:reginfo"
GRUU = "urn:ietf:params:xml:ns:gruuinfo"


@dataclass(frozen=True, slots=True)
class RegisteredContact:
    """One binding."""

    id: str
    uri: str
    state: str = "active"
    """``active`` or ``terminated``."""
    event: str = "registered"
    """What put it into this state: ``registered``, ``created``, ``refreshed``, ``shortened``, ``expired``,
    ``deactivated``, ``probation``, ``unregistered``, ``rejected``."""
    display_name: str | None = None
    expires: int | None = None
    """Seconds left."""
    retry_after: int | None = None
    """Seconds to wait before registering anew."""
    duration_registered: int | None = None
    """Seconds since it was made."""
    q: str | None = None
    call_id: str | None = None
    cseq: int | None = None
    pub_gruu: str | None = None
    parameters: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Other parameters of the Contact, such as ``+sip.instance``."""


@dataclass(frozen=True, slots=True)
class Registration:
    """The bindings of one address of record."""

    aor: str
    id: str
    state: str
    """``init``, ``active`` or ``terminated``."""
    contacts: tuple[RegisteredContact, ...] = ()


@dataclass(frozen=True, slots=True)
class RegInfo:
    """Who is registered where. ``str()`` gives the document."""

    content_type: ClassVar[str] = "application/reginfo+xml"

    version: int = 0
    state: Literal["full", "partial"] = "full"
    """Whether these are all registrations, or just those that have changed."""
    registrations: tuple[Registration, ...] = ()

    @classmethod
    def parse(cls, body: str | bytes) -> RegInfo:
        """The document in a body. Elements that are not known are skipped.

        :raises ParseError: not a reginfo document.
        """
        root = Reader(parse_xml(body, "reginfo", NAMESPACE), NAMESPACE)
        return cls(
            version=root.need_number("version"),
            state="partial" if root.get("state") == "partial" else "full",
            registrations=root.map("registration", _read_registration),
        )

    def updated(self, new: RegInfo) -> RegInfo | None:
        """All registrations after `new` came; None when a document in between was lost.

        A document that is no newer than this one changes nothing (:rfc:`3680#section-5.1`).
        """
        if is_stale(new.version, self.version):
            return self
        if new.state == "full":
            return new
        if is_gap(new.version, self.version):
            return None
        held = {one.id: one for one in self.registrations if one.state != "terminated"}
        changed = [_merged(held.get(one.id), one) for one in new.registrations]
        return replace(new, state="full", registrations=merged(held.values(), changed, lambda one: one.id))

    def __str__(self) -> str:
        gruu = any(contact.pub_gruu for one in self.registrations for contact in one.contacts)
        root = element(
            "reginfo",
            {
                "xmlns": NAMESPACE,
                "xmlns:gr": GRUU if gruu else None,
                "version": self.version,
                "state": self.state,
            },
            *(_registration(one) for one in self.registrations),
        )
        return write_xml(root)


def _merged(held: Registration | None, new: Registration) -> Registration:
    if held is None:
        return new
    alive = (contact for contact in held.contacts if contact.state != "terminated")
    return replace(new, contacts=merged(alive, new.contacts, lambda contact: contact.id))


def _read_registration(reader: Reader) -> Registration:
    return Registration(
        aor=reader.need("aor"),
        id=reader.need("id"),
        state=(reader.get("state") or "").lower(),
        contacts=reader.map("contact", _read_contact),
    )


def _read_contact(reader: Reader) -> RegisteredContact:
    gruu = reader.element.find(f"{{{GRUU}}}pub-gruu")
    return RegisteredContact(
        id=reader.need("id"),
        uri=reader.text_of("uri") or "",
        state=(reader.get("state") or "").lower(),
        event=(reader.get("event") or "").lower(),
        display_name=reader.text_of("display-name"),
        expires=reader.number("expires"),
        retry_after=reader.number("retry-after"),
        duration_registered=reader.number("duration-registered"),
        q=reader.get("q"),
        call_id=reader.get("callid"),
        cseq=reader.number("cseq"),
        pub_gruu=gruu.get("uri") if gruu is not None else None,
        parameters=MappingProxyType({p.get("name") or "": p.text for p in reader.children("unknown-param")}),
    )


def _registration(one: Registration) -> Element:
    contacts = (_contact(contact) for contact in one.contacts)
    return element("registration", {"aor": one.aor, "id": one.id, "state": one.state}, *contacts)


def _contact(contact: RegisteredContact) -> Element:
    attributes: dict[str, str | int | None] = {
        "id": contact.id,
        "state": contact.state,
        "event": contact.event,
        "duration-registered": contact.duration_registered,
        "expires": contact.expires,
        "retry-after": contact.retry_after,
        "q": contact.q,
        "callid": contact.call_id,
        "cseq": contact.cseq,
    }
    return element(
        "contact",
        attributes,
        element("uri", text=contact.uri),
        text_element("display-name", contact.display_name),
        *(element("unknown-param", {"name": k}, text=v) for k, v in contact.parameters.items()),
        element("gr:pub-gruu", {"uri": contact.pub_gruu}) if contact.pub_gruu else None,
    )
