"""The calls of somebody: ``application/dialog-info+xml`` (:rfc:`4235`), the busy lamps of telephones."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Literal

from .partial import is_gap, is_stale, merged
from .xml import Reader, element, number_in, parse_xml, text_element, write_xml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from xml.etree.ElementTree import Element

NAMESPACE = "urn:ietf:params:xml:ns:dialog-info"


@dataclass(frozen=True, slots=True)
class Participant:
    """One side of a call."""

    identity: str | None = None
    """Its address of record."""
    display: str | None = None
    """Its name for people."""
    target: str | None = None
    """Its Contact."""
    parameters: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """What its Contact says of itself, such as ``"+sip.rendering": "no"`` for a call on hold."""


@dataclass(frozen=True, slots=True)
class DialogStatus:
    """One call."""

    id: str
    """Its name in these documents: it stays the same."""
    state: str
    """``trying``, ``proceeding``, ``early``, ``confirmed`` or ``terminated``."""
    direction: Literal["initiator", "recipient"] | None = None
    """Whether the watched user called, or was called."""
    call_id: str | None = None
    local_tag: str | None = None
    remote_tag: str | None = None
    event: str | None = None
    """Why it ended: ``cancelled``, ``rejected``, ``replaced``, ``local-bye``, ``remote-bye``, ``error``…."""
    code: int | None = None
    """The status code that led to this state."""
    duration: int | None = None
    """Seconds since it began."""
    replaces: tuple[str, str, str] | None = None
    """Call-ID, local tag and remote tag of the dialog that it replaced."""
    referred_by: str | None = None
    local: Participant = Participant()
    remote: Participant = Participant()


@dataclass(frozen=True, slots=True)
class DialogInfo:
    """The calls of `entity`. ``str()`` gives the document."""

    content_type: ClassVar[str] = "application/dialog-info+xml"

    entity: str
    version: int = 0
    state: Literal["full", "partial"] = "full"
    """Whether these are all calls, or just those that have changed."""
    dialogs: tuple[DialogStatus, ...] = ()

    @property
    def is_busy(self) -> bool:
        """Whether any call is up or being set up."""
        return any(dialog.state != "terminated" for dialog in self.dialogs)

    @property
    def is_ringing(self) -> bool:
        """Whether a call to the watched user rings and can be picked up."""
        return any(d.state == "early" and d.direction != "initiator" for d in self.dialogs)

    @classmethod
    def parse(cls, body: str | bytes) -> DialogInfo:
        """The document in a body. Elements that are not known are skipped.

        :raises ParseError: not a dialog-info document.
        """
        root = Reader(parse_xml(body, "dialog-info", NAMESPACE), NAMESPACE)
        return cls(
            entity=root.need("entity"),
            version=root.need_number("version"),
            state="partial" if root.get("state") == "partial" else "full",
            dialogs=root.map("dialog", _read_dialog),
        )

    def updated(self, new: DialogInfo) -> DialogInfo | None:
        """All calls after `new` came; None when a document in between was lost, and the full state is needed.

        A document that is no newer than this one changes nothing (:rfc:`4235#section-4.3`). Calls that ended are in
        the result once.
        """
        if is_stale(new.version, self.version):
            return self
        if new.state == "full":
            return new
        if is_gap(new.version, self.version):
            return None
        alive = (dialog for dialog in self.dialogs if dialog.state != "terminated")
        return replace(new, state="full", dialogs=merged(alive, new.dialogs, lambda dialog: dialog.id))

    def __str__(self) -> str:
        root = element(
            "dialog-info",
            {"xmlns": NAMESPACE, "version": self.version, "state": self.state, "entity": self.entity},
            *(_dialog(dialog) for dialog in self.dialogs),
        )
        return write_xml(root)


def _read_dialog(reader: Reader) -> DialogStatus:
    state, replaces = reader.child("state"), reader.child("replaces")
    direction = reader.get("direction")
    return DialogStatus(
        id=reader.need("id"),
        state=state.text.lower() if state is not None else "",
        direction="initiator"
        if direction == "initiator"
        else "recipient"
        if direction == "recipient"
        else None,
        call_id=reader.get("call-id"),
        local_tag=reader.get("local-tag"),
        remote_tag=reader.get("remote-tag"),
        event=state.get("event") if state is not None else None,
        code=state.number("code") if state is not None else None,
        duration=number_in(reader.text_of("duration")),
        replaces=_read_replaces(replaces) if replaces is not None else None,
        referred_by=reader.text_of("referred-by"),
        local=_read_participant(reader.child("local")),
        remote=_read_participant(reader.child("remote")),
    )


def _read_replaces(reader: Reader) -> tuple[str, str, str]:
    return (reader.get("call-id") or "", reader.get("local-tag") or "", reader.get("remote-tag") or "")


def _read_participant(reader: Reader | None) -> Participant:
    if reader is None:
        return Participant()
    identity, target = reader.child("identity"), reader.child("target")
    parameters = {
        parameter.get("pname") or "": parameter.get("pval") or ""
        for parameter in (target.children("param") if target is not None else ())
    }
    return Participant(
        identity=(identity.text or None) if identity is not None else None,
        display=identity.get("display") if identity is not None else None,
        target=target.get("uri") if target is not None else None,
        parameters=MappingProxyType(parameters),
    )


def _dialog(dialog: DialogStatus) -> Element:
    ids: dict[str, str | int | None] = {
        "id": dialog.id,
        "call-id": dialog.call_id,
        "local-tag": dialog.local_tag,
        "remote-tag": dialog.remote_tag,
        "direction": dialog.direction,
    }
    replaces = None
    if dialog.replaces is not None:
        names = ("call-id", "local-tag", "remote-tag")
        replaces = element("replaces", dict(zip(names, dialog.replaces, strict=True)))
    return element(
        "dialog",
        ids,
        element("state", {"event": dialog.event, "code": dialog.code}, text=dialog.state),
        text_element("duration", None if dialog.duration is None else str(dialog.duration)),
        replaces,
        text_element("referred-by", dialog.referred_by),
        _participant("local", dialog.local),
        _participant("remote", dialog.remote),
    )


def _participant(name: str, participant: Participant) -> Element | None:
    if participant == Participant():
        return None
    identity = target = None
    if participant.identity is not None:
        identity = element("identity", {"display": participant.display}, text=participant.identity)
    if participant.target is not None:
        parameters = (element("param", {"pname": k, "pval": v}) for k, v in participant.parameters.items())
        target = element("target", {"uri": participant.target}, *parameters)
    return element(name, None, identity, target)
