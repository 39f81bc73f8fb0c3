"""What there is to tell of a user, per event package: from registrations, calls and publications."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Literal, Protocol

from sipua.bodies import (
    DialogInfo,
    DialogStatus,
    MessageSummary,
    Participant,
    Presence,
    PresenceTuple,
    RegInfo,
    RegisteredContact,
    Registration,
)

if TYPE_CHECKING:
    from sipua.server.calls import Call, Calls
    from sipua.server.location import Location
    from sipua.server.publications import Publications

#: Packages that users are told of themselves only.
PRIVATE = frozenset({"message-summary", "reg"})


class State(Protocol):
    """Gives what is told of one package."""

    def __call__(self, user: str, uri: str, version: int) -> Any:
        """The state of `user`, whom the subscriber calls `uri`; `version` counts the documents, from 0."""


class States:
    """The states of all users. `packages` has one `State` for each event package."""

    def __init__(self, location: Location, calls: Calls, publications: Publications) -> None:
        self._location = location
        self._calls = calls
        self._publications = publications
        self.packages: dict[str, State] = {
            "presence": self._presence,
            "dialog": self._dialog,
            "message-summary": self._messages,
            "reg": self._registrations,
        }

    def _presence(self, user: str, uri: str, version: int) -> Presence:
        """All publications together; who has published nothing is there when registered."""
        published: list[Presence] = self._publications.of(user, "presence")
        if not published:
            basic: Literal["open", "closed"] = "open" if self._location.of(user) else "closed"
            return Presence(uri, (PresenceTuple("registered", basic, uri),))
        tuples: dict[str, PresenceTuple] = {}
        for number, one in enumerate(published):
            for part in one.tuples:
                name = part.id if part.id and part.id not in tuples else f"{part.id or 't'}-{number}"
                tuples[name] = dataclasses.replace(part, id=name)
        notes = [note for one in published for note in one.notes]
        activities = [name for one in published for name in one.activities]
        return Presence(
            uri, tuple(tuples.values()), tuple(dict.fromkeys(notes)), tuple(dict.fromkeys(activities))
        )

    def _dialog(self, user: str, uri: str, version: int) -> DialogInfo:
        """What the user has published last, or else the calls that pass through the server."""
        published: list[DialogInfo] = self._publications.of(user, "dialog")
        if published:
            return dataclasses.replace(published[-1], entity=uri, version=version)
        dialogs = tuple(_dialog_status(call, user) for call in self._calls.of(user))
        return DialogInfo(uri, version, dialogs=dialogs)

    def _messages(self, user: str, uri: str, version: int) -> MessageSummary:
        """What the user has published last: the server itself keeps no messages."""
        published: list[MessageSummary] = self._publications.of(user, "message-summary")
        return published[-1] if published else MessageSummary(messages_waiting=False)

    def _registrations(self, user: str, uri: str, version: int) -> RegInfo:
        contacts = tuple(
            RegisteredContact(
                f"{binding.call_id}-{number}", str(binding.contact.uri), call_id=binding.call_id
            )
            for number, binding in enumerate(self._location.of(user))
        )
        state = "active" if contacts else "init"
        return RegInfo(version, registrations=(Registration(uri, user, state, contacts),))


def _dialog_status(call: Call, user: str) -> DialogStatus:
    caller, called = Participant(call.caller_uri), Participant(call.called_uri)
    ours = call.caller == user
    return DialogStatus(
        id=call.call_id,
        state=call.state,
        direction="initiator" if ours else "recipient",
        call_id=call.call_id,
        local=caller if ours else called,
        remote=called if ours else caller,
    )
