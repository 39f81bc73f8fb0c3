"""The location service (:rfc:`3261#section-10`): which contacts a user has, and on which connection each is.

Bindings live in memory, end by time, and end with their connection: a WebSocket client can only be reached
over the connection that it opened (:rfc:`7118#section-5`, :rfc:`5626`). The clock is an argument.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sipua.sip.timers import Deadline, Deadlines

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from sipua.server.flow import Flow
    from sipua.sip import URI, Address

#: Temporary GRUUs that one instance can have at a time; each registration makes a new one.
TEMP_GRUUS = 16

ContactKey = tuple[str | None, str, int | None]


@dataclass(slots=True, eq=False)
class Binding:
    """One contact of one user. Of `contact` the ``expires`` parameter has been taken off; `expires_at` has it."""

    user: str
    contact: Address
    flow: Flow
    call_id: str
    sequence: int
    expires_at: float
    instance: str | None = None
    """The value of ``+sip.instance`` without angle brackets (:rfc:`5626#section-4.1`)."""
    reg_id: str | None = None
    deadline: Deadline[Binding] | None = field(default=None, repr=False)


def instance_of(contact: Address) -> str | None:
    """The instance that a contact says it is, such as ``urn:uuid:…``."""
    value = contact.parameters.get("+sip.instance")
    return value.strip().removeprefix("<").removesuffix(">") if value else None


class Location:
    """All bindings of all users."""

    def __init__(self, rand: random.Random) -> None:
        self._rand = rand
        self._bindings: dict[str, list[Binding]] = {}
        self._contacts: dict[ContactKey, list[Binding]] = {}
        self._deadlines: Deadlines[Binding] = Deadlines()
        self._temp_gruus: dict[str, tuple[str, str]] = {}
        self.on_change: Callable[[str], None] = lambda user: None
        """Called with the user whose bindings have changed."""
        self._temp_gruus_of: dict[tuple[str, str], deque[str]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._bindings.values()))

    # --- looking up ---------------------------------------------------------------------------------------------------

    def of(self, user: str) -> list[Binding]:
        """The bindings of a user, the oldest first."""
        return list(self._bindings.get(user, ()))

    def matching(self, user: str, contact: Address) -> Binding | None:
        """The binding that a registration of `contact` is about.

        That of the same instance and reg-id (:rfc:`5626#section-6`), else that of an equal URI.
        """
        instance, reg_id = instance_of(contact), contact.parameters.get("reg-id")
        bindings = self._bindings.get(user, ())
        if instance is not None:
            for binding in bindings:
                if (binding.instance, binding.reg_id) == (instance, reg_id):
                    return binding
        for binding in bindings:
            if binding.contact.uri.matches(contact.uri):
                return binding
        return None

    def targets(self, user: str) -> list[Binding]:
        """Where to send what is for `user`: one binding per instance, the newest (:rfc:`5626#section-7`)."""
        chosen: dict[object, Binding] = {}
        for binding in self._bindings.get(user, ()):
            chosen[binding.instance or binding] = binding
        return list(chosen.values())

    def at_contact(self, uri: URI) -> Binding | None:
        """The newest binding whose contact is `uri`."""
        for binding in reversed(self._contacts.get(_contact_key(uri), ())):
            if binding.contact.uri.matches(uri):
                return binding
        return None

    # --- changing -----------------------------------------------------------------------------------------------------

    def save(self, binding: Binding, replaced: Binding | None = None) -> None:
        """Add a binding, in the place of another or of none."""
        if replaced is not None:
            self._unlink(replaced)
        self._bindings.setdefault(binding.user, []).append(binding)
        self._contacts.setdefault(_contact_key(binding.contact.uri), []).append(binding)
        binding.deadline = self._deadlines.start(binding.expires_at, binding, "expires")
        self.on_change(binding.user)

    def remove(self, binding: Binding) -> None:
        """Take a binding away, and the temporary GRUUs of an instance with its last one."""
        self._unlink(binding)
        user, instance = binding.user, binding.instance
        if instance is not None and not self.with_instance(user, instance):
            for token in self._temp_gruus_of.pop((user, instance), ()):
                del self._temp_gruus[token]
        self.on_change(user)

    def _unlink(self, binding: Binding) -> None:
        key = _contact_key(binding.contact.uri)
        for index, owner in ((self._bindings, binding.user), (self._contacts, key)):
            bindings = index[owner]  # type: ignore[index]
            bindings.remove(binding)
            if not bindings:
                del index[owner]  # type: ignore[arg-type]
        if binding.deadline is not None:
            self._deadlines.cancel(binding.deadline)

    def drop_flow(self, flow: Flow) -> list[Binding]:
        """Take away the bindings of a connection that is gone (:rfc:`5626#section-7`); returns them."""
        gone = [b for bindings in self._bindings.values() for b in bindings if b.flow is flow]
        for binding in gone:
            self.remove(binding)
        return gone

    # --- time ---------------------------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """When the next binding expires."""
        return self._deadlines.next()

    def expire(self, now: float) -> list[Binding]:
        """Take away the bindings whose time is over; returns them."""
        expired = []
        while (due := self._deadlines.pop(now)) is not None:
            expired.append(due[0])
            self.remove(due[0])
        return expired

    # --- GRUUs (RFC 5627) ---------------------------------------------------------------------------------------------

    def with_instance(self, user: str, instance: str) -> list[Binding]:
        """The bindings of one instance of a user."""
        return [binding for binding in self._bindings.get(user, ()) if binding.instance == instance]

    def at_gruu(self, uri: URI) -> Binding | None:
        """The newest binding of the instance that a GRUU leads to, public or temporary."""
        user, instance = uri.user or "", uri.parameters.get("gr")
        if not instance:
            user, instance = self._temp_gruus.get(user, ("", ""))
        return next(reversed(self.with_instance(user, instance)), None)

    def temp_gruu(self, user: str, instance: str, *, fresh: bool) -> str:
        """The user part of a URI that leads to the instance and does not tell whose it is: a new or the last one."""
        if not fresh and (known := self._temp_gruus_of.get((user, instance))):
            return known[-1]
        token = f"tgruu.{self._rand.getrandbits(80):020x}"
        self._temp_gruus[token] = user, instance
        tokens = self._temp_gruus_of.setdefault((user, instance), deque())
        tokens.append(token)
        if len(tokens) > TEMP_GRUUS:
            del self._temp_gruus[tokens.popleft()]
        return token


def _contact_key(uri: URI) -> ContactKey:
    return (uri.user, uri.host.lower(), uri.port)
