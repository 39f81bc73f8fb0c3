"""Asking for credentials, and telling who somebody is (:rfc:`3261#section-22`)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sipua.server.refusal import Refusal
from sipua.sip import AuthCredentials, DigestServer, ParseError
from sipua.sip.digest_server import Failure

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping

    from sipua.server.accounts import Account
    from sipua.server.flow import Flow
    from sipua.sip import Request

logger = logging.getLogger("sipua.server")

#: Seconds that a nonce serves before the client is given another one.
NONCE_LIFETIME = 300.0


class Gatekeeper:
    """Digest authentication against the accounts, as a registrar (401) or as a proxy (407)."""

    def __init__(
        self,
        accounts: Mapping[str, Account],
        realm: str,
        algorithms: tuple[str, ...],
        rand: random.Random,
    ) -> None:
        self.realm = realm
        self._accounts = accounts
        self._algorithms = algorithms
        self._rand = rand
        self._servers: dict[tuple[str, ...], DigestServer] = {}

    def authenticate(self, request: Request, flow: Flow, now: float, *, proxy: bool = False) -> str:
        """The user whose password the sender knows.

        :raises Refusal: 401, or 407 with `proxy`, with challenges.
        """
        address = request.from_address if proxy else request.to_address
        server = self._server_for(address.uri.user or "")
        verdict = server.verify(request, now, proxy=proxy)
        if verdict.username is not None:
            return verdict.username
        if verdict.failure is Failure.BAD:
            logger.warning("%s from %s (%s): wrong credentials", request.method, address.uri, flow)
        challenges = server.challenge(now, proxy=proxy, stale=verdict.is_stale)
        raise Refusal(407 if proxy else 401, headers=challenges)

    def _server_for(self, user: str) -> DigestServer:
        """Who asks for a client's password is guided by the name that it goes by: its account may have algorithms."""
        account = self._accounts.get(user)
        algorithms = (account and account.algorithms) or self._algorithms
        server = self._servers.get(algorithms)
        if server is None:
            server = self._servers[algorithms] = DigestServer(
                self.realm,
                self._password,
                algorithms=algorithms,
                nonce_lifetime=NONCE_LIFETIME,
                rand=self._rand,
            )
        return server

    def _password(self, user: str) -> str | None:
        account = self._accounts.get(user)
        return None if account is None else account.password

    def strip_credentials(self, request: Request) -> None:
        """Take off the credentials that were meant for us, and leave all others (:rfc:`3261#section-22.3`)."""
        for name in ("Proxy-Authorization", "Authorization"):
            fields = request.headers.getlist(name)
            others = [value for value in fields if not self._is_ours(value)]
            if len(others) != len(fields):
                request.headers.setlist(name, others)

    def _is_ours(self, value: str) -> bool:
        try:
            parameters = AuthCredentials.parse(value).parameters
        except ParseError:
            return False
        return parameters is not None and parameters.get("realm") == self.realm
