"""Which host names mean this server."""

from __future__ import annotations

from sipua.errors import ConfigurationError
from sipua.sip import URI, ParseError


class Names:
    """The domain that the server is responsible for, and the names that it is reached by.

    Without a `domain`, every name is ours but those ending in ``.invalid``, which WebSocket clients give
    themselves (:rfc:`7118#section-5.2`). `own` is the host, with port if any, in our Via and Record-Route.
    """

    def __init__(self, domain: str | None, own: str, others: tuple[str, ...] = ()) -> None:
        self.own = own.lower()
        self._domain = domain.lower() if domain is not None else None
        self._names = {name.lower() for name in (own, *others)} | ({self._domain} if self._domain else set())

    def is_ours(self, uri: URI) -> bool:
        """Whether a URI is in our domain, so that its user is one of ours."""
        host = uri.host.lower()
        if self.is_own(uri) or host in self._names:
            return True
        return self._domain is None and bool(host) and not host.endswith(".invalid")

    def is_own(self, uri: URI) -> bool:
        """Whether a URI is the one of this very server that Via and Record-Route have."""
        return (uri.host if uri.port is None else f"{uri.host}:{uri.port}").lower() == self.own


def check_domain(domain: str) -> None:
    """Whether users can be at this domain.

    :raises ConfigurationError: no.
    """
    try:
        host = URI.parse(f"sip:{domain}").host
    except ParseError:
        host = None
    if host is None or host.lower() != domain.lower():
        raise ConfigurationError("domain", domain, "not the name of a domain, such as example.com")
