"""The registrar (:rfc:`3261#section-10.3`, with :rfc:`5626#section-6` and :rfc:`5627#section-5`).

A REGISTER goes through in four steps: is it for us and from whom; what does it ask for, in full; may all of it be
done; do it. One that is refused has changed nothing.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from sipua.server.location import Binding, instance_of
from sipua.server.refusal import Refusal
from sipua.sip import check_request

if TYPE_CHECKING:
    from collections.abc import Container

    from sipua.server.flow import Flow
    from sipua.server.gatekeeper import Gatekeeper
    from sipua.server.location import Location
    from sipua.server.names import Names
    from sipua.sip import Address, Request

logger = logging.getLogger("sipua.server")

EXTENSIONS = ("outbound", "gruu")


@dataclass(frozen=True, slots=True)
class RegistrarPolicy:
    """What a registration may ask for. Times are in seconds."""

    min_expires: int = 60
    max_expires: int = 3600
    default_expires: int = 600
    max_contacts: int = 10
    """Contacts that one user can have at a time."""


class _Change(NamedTuple):
    """One contact of a request: how long it is to live (0: remove it), and the binding it is about."""

    contact: Address
    expires: int
    binding: Binding | None


class Registrar:
    """Answers REGISTER. `users` are those who may have bindings."""

    def __init__(
        self,
        location: Location,
        gatekeeper: Gatekeeper,
        names: Names,
        users: Container[str],
        policy: RegistrarPolicy,
    ) -> None:
        self._location = location
        self._gatekeeper = gatekeeper
        self._names = names
        self._users = users
        self._policy = policy

    def register(self, request: Request, flow: Flow, now: float) -> list[tuple[str, str]]:
        """Do what a REGISTER asks for; returns the headers of the 200.

        :raises Refusal: why not. Nothing has changed then.
        :raises ParseError: the request is not one; its status is the answer.
        """
        check_request(request, supported=EXTENSIONS, schemes=("sip", "sips"))
        user = self._authorize(request, flow, now)
        if request.contact_is_star:
            self._remove_all(user, request)
        else:
            changes = self._changes(user, request)
            self._apply(user, changes, request, flow, now)
        return self._answer(user, request, now)

    def _authorize(self, request: Request, flow: Flow, now: float) -> str:
        """The user whose bindings the request is about, who must be the sender."""
        address = request.to_address.uri
        if not (self._names.is_ours(request.uri) and self._names.is_ours(address)):
            raise Refusal(404, "Unknown Domain")
        if flow.trusted:
            user = address.user or ""
        else:
            user = self._gatekeeper.authenticate(request, flow, now)
            if user != address.user:
                logger.warning("%s: %s may not register as %s", flow, user, address)
                raise Refusal(403, "Not Your Address")
        if user not in self._users:
            raise Refusal(404)
        return user

    # --- what is asked for --------------------------------------------------------------------------------------------

    def _changes(self, user: str, request: Request) -> list[_Change]:
        default = request.expires
        if default is None:
            default = self._policy.default_expires
        changes = []
        for contact in request.contact:
            if contact.uri.scheme not in ("sip", "sips"):
                raise Refusal(400, "Contact Is No SIP URI")
            expires = default if contact.expires is None else contact.expires
            if 0 < expires < self._policy.min_expires:
                raise Refusal(423, headers=(("Min-Expires", str(self._policy.min_expires)),))
            binding = self._location.matching(user, contact)
            _check_order(request, binding)
            changes.append(_Change(contact, min(expires, self._policy.max_expires), binding))
        added = sum(change.expires > 0 and change.binding is None for change in changes)
        removed = sum(change.expires == 0 and change.binding is not None for change in changes)
        if added and len(self._location.of(user)) + added - removed > self._policy.max_contacts:
            raise Refusal(403, "Too Many Contacts")
        return changes

    def _remove_all(self, user: str, request: Request) -> None:
        """``Contact: *``, which is only for removing (:rfc:`3261#section-10.2.2`)."""
        if request.expires != 0 or len(request.headers.getlist("Contact")) != 1:
            raise Refusal(400, "Contact * Is For Expires 0")
        bindings = self._location.of(user)
        for binding in bindings:
            _check_order(request, binding)
        for binding in bindings:
            self._remove(binding)

    # --- doing it -----------------------------------------------------------------------------------------------------

    def _apply(self, user: str, changes: list[_Change], request: Request, flow: Flow, now: float) -> None:
        for contact, expires, _ in changes:
            # Looked up anew: of two contacts in one request the second may be about what the first one made.
            old = self._location.matching(user, contact)
            if expires > 0:
                binding = Binding(
                    user=user,
                    contact=contact.replace(parameters=contact.parameters.without("expires")),
                    flow=flow,
                    call_id=request.call_id,
                    sequence=request.cseq.sequence,
                    expires_at=now + expires,
                    instance=instance_of(contact),
                    reg_id=contact.parameters.get("reg-id"),
                )
                self._location.save(binding, old)
                level = logging.INFO if old is None and not flow.trusted else logging.DEBUG
                logger.log(level, "%s registered at %s (%s) for %d s", user, contact.uri, flow, expires)
            elif old is not None:
                self._remove(old)

    def _remove(self, binding: Binding) -> None:
        self._location.remove(binding)
        level = logging.DEBUG if binding.flow.trusted else logging.INFO
        logger.log(level, "%s unregistered from %s (%s)", binding.user, binding.contact.uri, binding.flow)

    # --- the answer ---------------------------------------------------------------------------------------------------

    def _answer(self, user: str, request: Request, now: float) -> list[tuple[str, str]]:
        supported = {tag.lower() for tag in request.supported}
        headers: list[tuple[str, str]] = []
        if "outbound" in supported and any("reg-id" in contact.parameters for contact in request.contact):
            headers.append(("Require", "outbound"))
        headers.append(("Supported", ", ".join(EXTENSIONS)))
        for binding in self._location.of(user):
            seconds = max(1, math.ceil(binding.expires_at - now - 1e-3))  # 600.0000001 s are 600
            parameters: dict[str, str | None] = {"expires": str(seconds)}
            if binding.instance is not None and "gruu" in supported:
                parameters |= self._gruus(binding, request)
            contact = binding.contact
            headers.append(
                ("Contact", str(contact.replace(parameters=contact.parameters.updated(parameters))))
            )
        return headers

    def _gruus(self, binding: Binding, request: Request) -> dict[str, str | None]:
        assert binding.instance is not None
        address = request.to_address.uri.replace(parameters=None, headers=None)
        fresh = any(instance_of(contact) == binding.instance for contact in request.contact)
        temporary = self._location.temp_gruu(binding.user, binding.instance, fresh=fresh)
        return {
            "pub-gruu": str(address.replace(parameters={"gr": binding.instance})),
            "temp-gruu": str(address.replace(user=temporary, parameters={"gr": None})),
        }


def _check_order(request: Request, binding: Binding | None) -> None:
    """Refuse a request that was overtaken by a later one (:rfc:`3261#section-10.3`, step 7)."""
    if (
        binding is not None
        and binding.call_id == request.call_id
        and request.cseq.sequence <= binding.sequence
    ):
        raise Refusal(500, "Out Of Order")
