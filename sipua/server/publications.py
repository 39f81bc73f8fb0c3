"""What users have published of themselves: an event state compositor (:rfc:`3903#section-6`).

Each publication lives until it is removed, replaced or runs out. The clock is an argument.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sipua.bodies import ACCEPT, parse_body
from sipua.server.refusal import Refusal
from sipua.sip import ParseError, check_request
from sipua.sip.timers import Deadline, Deadlines

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Container

    from sipua.server.flow import Flow
    from sipua.server.gatekeeper import Gatekeeper
    from sipua.server.names import Names
    from sipua.sip import Request

logger = logging.getLogger("sipua.server")

#: The packages whose state can be published.
PACKAGES = ("presence", "dialog", "message-summary")

#: Seconds.
MIN_EXPIRES, MAX_EXPIRES, DEFAULT_EXPIRES = 60, 3600, 3600

#: Publications that one user can have at a time.
MAX_PUBLICATIONS = 20


@dataclass(slots=True, eq=False)
class Published:
    """One publication; `content` is a value of `sipua.bodies`."""

    user: str
    package: str
    etag: str
    content: Any
    deadline: Deadline[Published] | None = None


class Publications:
    """Answers PUBLISH. `changed` is called with user and package after each change."""

    def __init__(
        self,
        gatekeeper: Gatekeeper,
        names: Names,
        users: Container[str],
        rand: random.Random,
        changed: Callable[[str, str], None],
    ) -> None:
        self._gatekeeper = gatekeeper
        self._names = names
        self._users = users
        self._rand = rand
        self._changed = changed
        self._by_etag: dict[str, Published] = {}
        self._deadlines: Deadlines[Published] = Deadlines()

    def __len__(self) -> int:
        return len(self._by_etag)

    def of(self, user: str, package: str) -> list[Any]:
        """What a user has published, the oldest first."""
        return [one.content for one in self._of(user) if one.package == package]

    def _of(self, user: str) -> list[Published]:
        return [one for one in self._by_etag.values() if one.user == user]

    def publish(self, request: Request, flow: Flow, now: float) -> list[tuple[str, str]]:
        """Do what a PUBLISH asks for; returns the headers of the 200.

        :raises Refusal: why not. Nothing has changed then.
        :raises ParseError: the request is not one; its status is the answer.
        """
        check_request(request, schemes=("sip", "sips"))
        user = self._authorize(request, flow, now)
        package = _package(request)
        old = self._matching(request, user, package)
        expires = _expires(request)
        if old is None and not (request.body and expires):
            raise Refusal(400, "Nothing To Publish")
        if old is None and len(self._of(user)) >= MAX_PUBLICATIONS:
            raise Refusal(403, "Too Many Publications")
        content = _content(request, package) if request.body else old and old.content
        if old is not None:
            self._remove(old)
        etag = f"{self._rand.getrandbits(64):016x}"
        if expires:
            one = self._by_etag[etag] = Published(user, package, etag, content)
            one.deadline = self._deadlines.start(now + expires, one, "expires")
        logger.info("%s published %s for %d s", user, package, expires)
        self._changed(user, package)
        return [("SIP-ETag", etag), ("Expires", str(expires))]

    def _authorize(self, request: Request, flow: Flow, now: float) -> str:
        uri = request.uri
        if not self._names.is_ours(uri):
            raise Refusal(404, "Unknown Domain")
        user = self._gatekeeper.authenticate(request, flow, now)
        if user != uri.user:
            raise Refusal(403 if uri.user in self._users else 404)
        return user

    def _matching(self, request: Request, user: str, package: str) -> Published | None:
        """The publication that is refreshed, changed or removed; None: it is a new one (section 6, step 4)."""
        tags = request.headers.values("SIP-If-Match")
        if not tags:
            return None
        one = self._by_etag.get(tags[0])
        if len(tags) > 1 or one is None or (one.user, one.package) != (user, package):
            raise Refusal(412)
        return one

    def _remove(self, one: Published) -> None:
        del self._by_etag[one.etag]
        if one.deadline is not None:
            self._deadlines.cancel(one.deadline)

    # --- time ---------------------------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """When the next publication runs out."""
        return self._deadlines.next()

    def expire(self, now: float) -> None:
        """Take away those whose time is over."""
        while (due := self._deadlines.pop(now)) is not None:
            one = due[0]
            self._remove(one)
            logger.info("%s published %s: expired", one.user, one.package)
            self._changed(one.user, one.package)


def _package(request: Request) -> str:
    event = request.event
    if event is None or event.package not in PACKAGES:
        raise Refusal(489, headers=(("Allow-Events", ", ".join(PACKAGES)),))
    return event.package


def _expires(request: Request) -> int:
    expires = DEFAULT_EXPIRES if request.expires is None else request.expires
    if 0 < expires < MIN_EXPIRES:
        raise Refusal(423, headers=(("Min-Expires", str(MIN_EXPIRES)),))
    return min(expires, MAX_EXPIRES)


def _content(request: Request, package: str) -> Any:
    content_type = (request.headers.get("Content-Type") or "").partition(";")[0].strip().lower()
    if content_type != ACCEPT[package]:
        raise Refusal(415, headers=(("Accept", ACCEPT[package]),))
    try:
        content = parse_body(content_type, request.body)
        str(content)  # what is told to others is written anew
    except (ParseError, ValueError):
        raise Refusal(400, "Body Cannot Be Read") from None
    return content
