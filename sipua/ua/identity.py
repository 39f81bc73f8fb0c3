"""Who we are, in the headers of our requests: From, Contact, Route; and what is addressed to us."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipua.sip import URI, Credentials, DigestClient
from sipua.sip.grammar import quote
from sipua.ua.config import check_text
from sipua.ua.targets import request_target

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from sipua.ua.config import Configuration
    from sipua.ua.registrator import Registrator


class Identity:
    """The addresses of one user agent.

    `sent_by` is the host of our Via and Contact: a random name under ``.invalid``, for a WebSocket client has no
    address that others could use (:rfc:`7118#appendix-B`).
    """

    def __init__(self, configuration: Configuration, rand: random.Random) -> None:
        self.sent_by = f"{rand.getrandbits(48):012x}.invalid"
        self.registrator: Registrator | None = None
        self.server_url: Callable[[], str] = lambda: ""
        self._configuration = configuration
        self._user = f"{rand.getrandbits(40):010x}"

    def use(self, configuration: Configuration) -> None:
        """Go by this configuration from now on."""
        self._configuration = configuration

    @property
    def _registered(self) -> Registrator | None:
        registrator = self.registrator
        return registrator if registrator is not None and registrator.registered else None

    @property
    def contact_uri(self) -> str:
        """Where this connection can be reached; the transport is "ws" over TLS, too (:rfc:`7118#section-5.2`)."""
        if self._configuration.contact_uri is not None:
            return str(self._configuration.contact_uri)
        return f"sip:{self._user}@{self.sent_by};transport=ws"

    def contact(self, *, anonymous: bool = False) -> str:
        """The Contact for what makes a dialog: a GRUU (:rfc:`5627`) when the registrar gave one.

        ``ob`` asks for requests of the dialog over this connection (:rfc:`5626#section-5.3`).
        """
        if (registered := self._registered) is not None:
            gruu = registered.temp_gruu if anonymous else registered.pub_gruu
            if gruu:
                return f"<{gruu}>"
        if anonymous and self._configuration.contact_uri is None:
            return f"<sip:anonymous@{self.sent_by};transport=ws;ob>"
        return f"<{self.contact_uri};ob>"

    def from_value(self, *, user: str | None = None, display_name: str | None = None) -> str:
        """Our address as a From value without tag.

        :raises InvalidTargetError: `user` is no user name.
        :raises ConfigurationError: a display name that must not go on the wire.
        """
        configuration = self._configuration
        uri = configuration.uri if user is None else request_target(user, configuration.uri)
        name = configuration.display_name
        if display_name is not None:
            name = check_text("from_display_name", display_name)
        return f"{quote(name)} <{uri}>" if name else f"<{uri}>"

    def authenticator(self, rand: random.Random) -> DigestClient | None:
        """What answers challenges; None when there is nothing to answer them with."""
        own = self._configuration
        if not (own.password is not None or own.ha1 or own.authorization_jwt):
            return None
        credentials = Credentials(
            username=own.authentication_user,
            password=own.password,
            ha1=own.ha1,
            realm=own.realm,
            bearer=own.authorization_jwt,
        )
        return DigestClient(credentials, rand=rand)

    def route(self) -> tuple[str, ...]:
        """The Route of a request outside of dialogs: Service-Route (:rfc:`3608`), or the server if so configured."""
        if (registered := self._registered) is not None and registered.service_route:
            return registered.service_route
        host = self.server_url().split("://", 1)[-1].split("/", 1)[0]
        if self._configuration.use_preloaded_route and host:
            return (f"<sip:{host};transport=ws;lr>",)
        return ()

    def is_ours(self, uri: URI) -> bool:
        """Whether a request to `uri` was meant for us: our user name, our contact, a GRUU of ours."""
        own = self._configuration
        users = {own.uri.user, self._user, "anonymous"}
        if own.contact_uri is not None:
            users.add(own.contact_uri.user)
        if (registrator := self.registrator) is not None:
            users |= {URI.parse(gruu).user for gruu in (registrator.pub_gruu, registrator.temp_gruu) if gruu}
        return uri.user in users
