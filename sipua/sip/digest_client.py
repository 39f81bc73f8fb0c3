"""Answering challenges (:rfc:`3261#section-22.2`, :rfc:`7616`, :rfc:`8760`, :rfc:`8898`).

One `DigestClient` serves all requests of a user agent. It remembers, per realm, the last challenge that it
answered, so that later requests carry credentials from the start, and counts how often each nonce was used::

    client.preload(request)                     # before it is sent
    …401 or 407…
    again = transaction.resubmission(cseq)
    client.authorize(again, response)           # or AuthenticationError: give up
"""

from __future__ import annotations

import random
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from .auth import AuthChallenge, AuthCredentials, AuthParameters
from .digest import Algorithm, Credentials, digest_response, find_algorithm
from .errors import AuthenticationError, ParseError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .message import Request, Response

__all__ = ["DigestClient"]

#: how often one request is sent again with other credentials, stale nonces included
MAX_TRIES: Final = 5

#: how many realms, nonces and requests under way are remembered
_MEMORY: Final = 64

_CREDENTIALS_HEADER: Final = {False: "Authorization", True: "Proxy-Authorization"}


class _Realm(NamedTuple):
    """Whom credentials are for: a proxy anywhere on the way, or a server by the host of the Request-URI."""

    proxy: bool
    realm: str
    host: str


class _Nonce:
    """How a nonce was used so far."""

    __slots__ = ("cnonce", "count")

    def __init__(self, cnonce: str) -> None:
        self.cnonce = cnonce
        self.count = 0


@dataclass(slots=True, frozen=True)
class _Answer:
    """How to answer one challenge: with a digest, or, without `algorithm`, with the token."""

    parameters: AuthParameters
    algorithm: Algorithm | None = None
    ha1: str = ""
    qop: str | None = None


class _Attempts:
    """One request through all its re-sendings."""

    __slots__ = ("answered", "count", "sequence")

    def __init__(self) -> None:
        self.count = 0
        self.sequence = 0
        self.answered: set[tuple[bool, str]] = set()


KeyT = TypeVar("KeyT")
ValueT = TypeVar("ValueT")


def _remember(memory: OrderedDict[KeyT, ValueT], key: KeyT, value: ValueT) -> None:
    memory[key] = value
    memory.move_to_end(key)
    if len(memory) > _MEMORY:
        memory.popitem(last=False)


class DigestClient:
    """Our credentials, and what is known of the servers that ask for them. Secrets are not in its ``repr``.

    Of several challenges for a realm the first one that can be answered counts (:rfc:`8760#section-2.4`): one
    with a known algorithm and quality of protection, and for the realm of the credentials.
    """

    def __init__(self, credentials: Credentials, *, rand: random.Random | None = None) -> None:
        self.credentials = credentials
        self._rand = rand or random.SystemRandom()
        self._answers: OrderedDict[_Realm, _Answer] = OrderedDict()
        self._nonces: OrderedDict[str, _Nonce] = OrderedDict()
        self._attempts: OrderedDict[tuple[str, str | None, str], _Attempts] = OrderedDict()

    def __repr__(self) -> str:
        return f"DigestClient({self.credentials!r})"

    # --- the three verbs -----------------------------------------------------------------------------------

    def preload(self, request: Request) -> bool:
        """Put credentials on a request before anybody asks, where they are known. True if there were any.

        Proxies that challenged us before get theirs with each request, servers with requests to the same
        host. A bearer token goes ahead to the registrar only. ACK and CANCEL, never challenged, get nothing.
        """
        if request.method in ("ACK", "CANCEL"):
            return False
        host = request.uri.host.lower()
        known = [
            (realm, answer)
            for realm, answer in self._answers.items()
            if (realm.proxy or realm.host == host) and realm[:2] not in _realms_in(request)
        ]
        for realm, answer in known:
            self._put(request, realm, answer)
        if (
            self.credentials.bearer
            and request.method == "REGISTER"
            and "Authorization" not in request.headers
        ):
            request.headers.add("Authorization", f"Bearer {self.credentials.bearer}")
            return True
        return bool(known)

    def authorize(self, request: Request, response: Response) -> bool:
        """Put the answer to a 401 or 407 on the request that is to be sent again. Always True.

        `request` is a copy of what `response` refused, with its new CSeq. All challenged realms are answered,
        and credentials for other realms are made anew, for no nonce count may be used twice.

        Raises `AuthenticationError` when no challenge can be answered, when a realm refuses credentials that
        were made for its challenge (unless it calls them stale), and after five tries in any case.
        """
        attempts = self._continue(request, response)
        attempts.count += 1
        if attempts.count > MAX_TRIES:
            raise AuthenticationError(f"{request.method}: refused {MAX_TRIES} times, giving up")
        chosen = self._choose(request, response)
        for realm, answer in chosen.items():
            if realm[:2] in attempts.answered and not _is_stale(answer):
                self._answers.pop(realm, None)
                raise AuthenticationError(
                    f"{self.credentials.username!r} was refused for realm {realm.realm!r}"
                )
        for realm, answer in chosen.items():
            attempts.answered.add(realm[:2])
            _remember(self._answers, realm, answer)
        host = request.uri.host.lower()
        again = {
            realm: known
            for proxy, name in _realms_in(request)
            if (known := self._answers.get(realm := _realm(proxy, name, host))) is not None
        }
        for realm, answer in {**again, **chosen}.items():
            self._put(request, realm, answer)
        return True

    def accepted(self, request: Request, response: Response) -> None:
        """Note what a final response to an authorized request says about the next one.

        That is ``nextnonce`` of Authentication-Info (:rfc:`7616#section-3.5`).
        """
        value = response.headers.get("Authentication-Info")
        if value is None:
            return
        try:
            nonce = AuthParameters.parse(value).get("nextnonce")
        except ParseError:
            return
        host = request.uri.host.lower()
        for proxy, name in _realms_in(request):
            realm = _realm(proxy, name, host)
            answer = self._answers.get(realm)
            if nonce and not proxy and answer is not None and answer.algorithm is not None:
                parameters = answer.parameters.replace(nonce=nonce)
                self._answers[realm] = _Answer(parameters, answer.algorithm, answer.ha1, answer.qop)

    # --- choosing ------------------------------------------------------------------------------------------

    def _continue(self, request: Request, response: Response) -> _Attempts:
        """The attempts that `response` is the latest result of."""
        key = (request.call_id, request.from_tag, request.method)
        attempts = self._attempts.get(key)
        if attempts is None or attempts.sequence != response.cseq.sequence:
            attempts = _Attempts()
        attempts.sequence = request.cseq.sequence
        _remember(self._attempts, key, attempts)
        return attempts

    def _choose(self, request: Request, response: Response) -> dict[_Realm, _Answer]:
        host = request.uri.host.lower()
        chosen: dict[_Realm, _Answer] = {}
        refused: list[str] = []
        for proxy, challenge in _challenges_in(response):
            realm = _realm(proxy, challenge.parameters.get("realm", ""), host)
            if realm in chosen:
                continue
            answer = self._answer(challenge, realm.realm)
            if answer is None:
                refused.append(
                    f"{challenge.scheme} {challenge.parameters.get('algorithm', '')} for {realm.realm!r}"
                )
            else:
                chosen[realm] = answer
        if not chosen:
            offered = "; ".join(refused) or "nothing"
            raise AuthenticationError(
                f"{response.code} asks for what {self.credentials!r} cannot give: {offered}"
            )
        return chosen

    def _answer(self, challenge: AuthChallenge, realm: str) -> _Answer | None:
        """How to answer a challenge; None when it cannot be."""
        credentials, parameters = self.credentials, challenge.parameters
        scheme = challenge.scheme.lower()
        if scheme == "bearer" and credentials.bearer and credentials.realm in (None, realm):
            return _Answer(parameters)
        if scheme != "digest" or "nonce" not in parameters:
            return None
        algorithm = find_algorithm(parameters.get("algorithm"))
        offered = [name.strip().lower() for name in parameters.get("qop", "").split(",") if name.strip()]
        qop = next((name for name in ("auth", "auth-int") if name in offered), None)
        if algorithm is None or (offered and qop is None):
            return None
        ha1 = credentials.ha1_for(algorithm, realm)
        return None if ha1 is None else _Answer(parameters, algorithm, ha1, qop)

    # --- writing -------------------------------------------------------------------------------------------

    def _put(self, request: Request, realm: _Realm, answer: _Answer) -> None:
        name = _CREDENTIALS_HEADER[realm.proxy]
        others = [
            value for value in request.headers.getlist(name) if _realm_of(value) not in (realm.realm, None)
        ]
        request.headers.setlist(name, [*others, self._credentials(request, realm.realm, answer)])

    def _credentials(self, request: Request, realm: str, answer: _Answer) -> str:
        algorithm = answer.algorithm
        if algorithm is None:
            return f"Bearer {self.credentials.bearer}"
        challenge = answer.parameters
        nonce, uri, qop = challenge["nonce"], str(request.uri), answer.qop
        use = self._use(nonce)
        nc = f"{use.count:08x}"
        username = self.credentials.username
        hidden = challenge.get("userhash", "").lower() == "true"
        parameters = {
            "username": algorithm.userhash(username, realm) if hidden else username,
            "realm": realm,
            "nonce": nonce,
            "uri": uri,
            "response": digest_response(
                algorithm,
                answer.ha1,
                nonce=nonce,
                method=request.method,
                uri=uri,
                qop=qop,
                nc=nc,
                cnonce=use.cnonce,
                body=request.body,
            ),
        }
        if "algorithm" in challenge:
            parameters["algorithm"] = challenge["algorithm"]
        if qop is not None or algorithm.session:
            parameters["cnonce"] = use.cnonce
        if qop is not None:
            parameters.update(qop=qop, nc=nc)
        if "opaque" in challenge:
            parameters["opaque"] = challenge["opaque"]
        if hidden:
            parameters["userhash"] = "true"
        return str(AuthCredentials("Digest", parameters))

    def _use(self, nonce: str) -> _Nonce:
        """Count a nonce up. Its cnonce stays the same: the key of a ``-sess`` algorithm hangs on it."""
        use = self._nonces.get(nonce)
        if use is None:
            use = _Nonce(f"{self._rand.getrandbits(128):032x}")
        use.count += 1
        _remember(self._nonces, nonce, use)
        return use


def _realm(proxy: bool, realm: str, host: str) -> _Realm:
    return _Realm(proxy, realm, "" if proxy else host)


def _is_stale(answer: _Answer) -> bool:
    return answer.parameters.get("stale", "").lower() == "true"


def _challenges_in(response: Response) -> Iterator[tuple[bool, AuthChallenge]]:
    """All challenges that can be read, in order of appearance; whether they are a proxy's."""
    for proxy, name in ((False, "WWW-Authenticate"), (True, "Proxy-Authenticate")):
        for value in response.headers.getlist(name):
            try:
                challenges = AuthChallenge.parse_many(value)
            except ParseError:
                continue
            for challenge in challenges:
                yield proxy, challenge


def _realm_of(value: str) -> str | None:
    """The realm of credentials; None for a token, which has none."""
    try:
        parameters = AuthCredentials.parse(value).parameters
    except ParseError:
        return ""
    return None if parameters is None else parameters.get("realm", "")


def _realms_in(request: Request) -> list[tuple[bool, str]]:
    """The realms that a request has credentials for."""
    return [
        (proxy, realm)
        for proxy, name in _CREDENTIALS_HEADER.items()
        for value in request.headers.getlist(name)
        if (realm := _realm_of(value)) is not None
    ]
