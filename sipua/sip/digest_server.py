"""Asking for credentials and checking them (:rfc:`3261#section-22`, :rfc:`7616`, :rfc:`8760`)."""

from __future__ import annotations

import base64
import enum
import hashlib
import hmac
import random
import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from .auth import AuthChallenge, AuthCredentials, AuthParameters
from .digest import Algorithm, Credentials, digest_response, find_algorithm
from .errors import ParseError
from .uri import URI

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .message import Request

__all__ = ["DigestServer", "Failure", "Verdict"]

#: nonce counts this far below the highest one may still come: requests overtake each other
_WINDOW: Final = 64


class Failure(enum.StrEnum):
    """Why a request is not accepted."""

    MISSING = "no credentials"
    BAD = "wrong credentials"
    #: right, but for a nonce that is too old or not of this server: ask again with ``stale``
    STALE = "stale nonce"
    #: right, but used before: ask again with ``stale``
    REPLAYED = "nonce count used before"


class Verdict(NamedTuple):
    """What became of a check: a user name, or a failure."""

    username: str | None
    failure: Failure | None = None

    @property
    def is_stale(self) -> bool:
        """Whether the client knows the password and only needs another nonce."""
        return self.failure in (Failure.STALE, Failure.REPLAYED)


class _Counts:
    """The nonce counts seen with one nonce: the highest, and a bit for each of those just below."""

    __slots__ = ("expires", "highest", "seen")

    def __init__(self, expires: float) -> None:
        self.expires = expires
        self.highest = 0
        self.seen = 0

    def take(self, count: int) -> bool:
        """Note a count. False if it was there before, or may have been."""
        ahead = count - self.highest
        if ahead > 0:
            self.seen = (self.seen << ahead | 1) & (1 << _WINDOW) - 1
            self.highest = count
            return True
        bit = 1 << -ahead
        if count < 1 or -ahead >= _WINDOW or self.seen & bit:
            return False
        self.seen |= bit
        return True


class DigestServer:
    """The server side of digest authentication for one realm.

    `lookup` finds a user's password, or `Credentials` with an HA1; None for an unknown user. `algorithms` are
    offered in that order, one challenge each. `qop` are the qualities of protection on offer; with none,
    clients answer as in RFC 2069 and nothing stops replays before the nonce expires, `nonce_lifetime` seconds
    after it was made. Nonces are signed, not stored: challenging costs no memory.
    """

    def __init__(
        self,
        realm: str,
        lookup: Callable[[str], str | Credentials | None],
        *,
        algorithms: Sequence[str] = ("SHA-256", "MD5"),
        qop: Sequence[str] = ("auth",),
        nonce_lifetime: float = 300.0,
        rand: random.Random | None = None,
    ) -> None:
        self.realm = realm
        self.qop = tuple(qop)
        self.nonce_lifetime = nonce_lifetime
        self.algorithms: tuple[Algorithm, ...] = tuple(
            algorithm for name in algorithms if (algorithm := find_algorithm(name)) is not None
        )
        if not self.algorithms:
            raise ValueError(f"none of the digest algorithms {', '.join(algorithms)} is available")
        self._lookup = lookup
        self._rand = rand or random.SystemRandom()
        self._secret = self._rand.getrandbits(256).to_bytes(32, "big")
        self._counts: dict[str, _Counts] = {}
        self._next_sweep = 0.0

    def __repr__(self) -> str:
        return f"DigestServer({self.realm!r})"

    def __len__(self) -> int:
        """How many nonces are remembered: those that were used and have not expired."""
        return len(self._counts)

    # --- asking --------------------------------------------------------------------------------------------

    def challenge(self, now: float, *, proxy: bool = False, stale: bool = False) -> list[tuple[str, str]]:
        """The headers of a 401, or with `proxy` of a 407: one challenge per algorithm."""
        name = "Proxy-Authenticate" if proxy else "WWW-Authenticate"
        nonce = self._new_nonce(now)
        return [(name, self._challenge(algorithm, nonce, stale)) for algorithm in self.algorithms]

    def _challenge(self, algorithm: Algorithm, nonce: str, stale: bool) -> str:
        parameters = {"realm": self.realm, "nonce": nonce, "algorithm": algorithm.name}
        if self.qop:
            parameters["qop"] = ",".join(self.qop)
        if stale:
            parameters["stale"] = "true"
        return str(AuthChallenge("Digest", parameters))

    # --- checking ------------------------------------------------------------------------------------------

    def verify(self, request: Request, now: float, *, proxy: bool = False) -> Verdict:
        """Check the credentials for our realm on a request: who it is, or what is wrong."""
        parameters = self._find(request, "Proxy-Authorization" if proxy else "Authorization")
        if parameters is None:
            return Verdict(None, Failure.MISSING)
        username = self._check(request, parameters)
        if username is None:
            return Verdict(None, Failure.BAD)
        nonce = parameters["nonce"]
        made = self._nonce_time(nonce)
        if made is None or not 0 <= now - made <= self.nonce_lifetime:
            return Verdict(None, Failure.STALE)
        if "qop" in parameters and not self._count(nonce, parameters["nc"], made, now):
            return Verdict(None, Failure.REPLAYED)
        return Verdict(username)

    def _find(self, request: Request, name: str) -> AuthParameters | None:
        for value in request.headers.getlist(name):
            try:
                credentials = AuthCredentials.parse(value)
            except ParseError:
                continue
            parameters = credentials.parameters
            if (
                credentials.scheme.lower() == "digest"
                and parameters
                and parameters.get("realm") == self.realm
            ):
                return parameters
        return None

    def _check(self, request: Request, parameters: AuthParameters) -> str | None:
        """The user name, if user, password, URI and form are right; whatever the nonce."""
        algorithm = find_algorithm(parameters.get("algorithm"))
        qop = parameters.get("qop")
        if (
            algorithm not in self.algorithms
            or not {"username", "nonce", "uri", "response"}.issubset(map(str.lower, parameters))
            or (qop is None) != (not self.qop)
            or (qop is not None and not (qop in self.qop and _is_count(parameters.get("nc", ""))))
            or not _same_uri(parameters["uri"], request)
        ):
            return None
        assert algorithm is not None
        username = parameters["username"]
        ha1 = self._ha1(algorithm, username)
        expected = digest_response(
            algorithm,
            # The same work for a user that there is not: the time must not tell.
            ha1 or algorithm.ha1(username, self.realm, ""),
            nonce=parameters["nonce"],
            method=request.method,
            uri=parameters["uri"],
            qop=qop,
            nc=parameters.get("nc", ""),
            cnonce=parameters.get("cnonce", ""),
            body=request.body,
        )
        given = parameters["response"].lower().encode("utf-8", "replace")
        right = hmac.compare_digest(given, expected.encode())
        return username if right and ha1 is not None else None

    def _ha1(self, algorithm: Algorithm, username: str) -> str | None:
        found = self._lookup(username)
        if isinstance(found, Credentials):
            return found.ha1_for(algorithm, self.realm)
        return None if found is None else algorithm.ha1(username, self.realm, found)

    # --- nonces --------------------------------------------------------------------------------------------

    def _new_nonce(self, now: float) -> str:
        content = struct.pack("!dQ", now, self._rand.getrandbits(64))
        return base64.b64encode(content + self._sign(content)).decode()

    def _sign(self, content: bytes) -> bytes:
        return hmac.digest(self._secret, content, hashlib.sha256)[:17]

    def _nonce_time(self, nonce: str) -> float | None:
        """When one of our nonces was made; None when it is not one of ours."""
        try:
            raw = base64.b64decode(nonce, validate=True)
        except ValueError:
            return None
        content, signature = raw[:16], raw[16:]
        if not hmac.compare_digest(signature, self._sign(content)):
            return None
        made: float = struct.unpack("!dQ", content)[0]
        return made

    def _count(self, nonce: str, nc: str, made: float, now: float) -> bool:
        if now >= self._next_sweep:
            self._counts = {n: counts for n, counts in self._counts.items() if counts.expires >= now}
            self._next_sweep = now + self.nonce_lifetime
        counts = self._counts.get(nonce)
        if counts is None:
            counts = self._counts[nonce] = _Counts(made + self.nonce_lifetime)
        return counts.take(int(nc, 16))


def _is_count(nc: str) -> bool:
    return len(nc) == 8 and all(digit in "0123456789abcdefABCDEF" for digit in nc)


def _same_uri(given: str, request: Request) -> bool:
    if given == str(request.uri):
        return True
    try:
        return URI.parse(given).matches(request.uri)
    except ParseError:
        return False
