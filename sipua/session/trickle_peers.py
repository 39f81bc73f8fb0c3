"""What is known of peers that trickle: their candidates until media can take them, and which devices do so.

:rfc:`8840`
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sipua.session.peer import option_tags
from sipua.sip import ParseError

if TYPE_CHECKING:
    from sipua.bodies import TrickleFragment
    from sipua.media.interface import MediaSession
    from sipua.session.session import RTCSession
    from sipua.sip import Request, Response

logger = logging.getLogger("sipua.session")

#: The name of the Info Package, and of the option tag.
PACKAGE = "trickle-ice"

_MAX_PEERS = 256
_MAX_GENERATIONS = 8
_MAX_CANDIDATES = 100

#: Of remote candidates: user name, password, mid.
Generation = tuple[str, str | None, str | None]


class KnownPeers:
    """The devices that took candidates by INFO before, each by its GRUU (:rfc:`8840#section-5.2`)."""

    __slots__ = ("_uris",)

    def __init__(self) -> None:
        self._uris: dict[str, None] = {}

    def learn(self, message: Request | Response) -> None:
        """Note what `message` says of the device that it is from."""
        try:
            uri = message.contact[0].uri if message.contact else None
        except ParseError:
            return
        if uri is None or "gr" not in uri.parameters:
            return
        self._uris.pop(str(uri), None)
        if PACKAGE in option_tags(message, "Recv-Info"):
            self._uris[str(uri)] = None
            while len(self._uris) > _MAX_PEERS:
                self._uris.pop(next(iter(self._uris)))

    def __contains__(self, uri: object) -> bool:
        return str(uri) in self._uris


@dataclass(slots=True)
class _Remote:
    """What the peer told of one m-line in one generation; `given` of these lines are with media."""

    lines: list[str | None]
    given: int = 0


class RemoteCandidates:
    """The peer's candidates of one call, in the order in which they were told, by ICE generation and m-line."""

    __slots__ = ("_generations", "_session")

    def __init__(self, session: RTCSession) -> None:
        self._session = session
        self._generations: dict[Generation, _Remote] = {}

    def take(self, fragment: TrickleFragment) -> None:
        """Keep what it tells and was not told before; media gets it as soon as it can."""
        for media in fragment.media:
            ufrag, pwd = fragment.credentials(media)
            if ufrag is not None:
                self._keep(
                    (ufrag, pwd, media.mid), media.candidates, fragment.is_complete or media.is_complete
                )
        self.deliver()

    def _keep(self, key: Generation, candidates: tuple[str, ...], complete: bool) -> None:
        if key not in self._generations and len(self._generations) >= _MAX_GENERATIONS:
            self._generations.pop(next(iter(self._generations)))
        remote = self._generations.setdefault(key, _Remote([]))
        for line in (*candidates, *((None,) if complete else ())):
            ended = bool(remote.lines) and remote.lines[-1] is None
            if line not in remote.lines and not ended and len(remote.lines) < _MAX_CANDIDATES:
                remote.lines.append(line)

    def deliver(self) -> None:
        """Give media what waits, as soon as it can take it."""
        if any(remote.given < len(remote.lines) for remote in self._generations.values()):
            self._session._post(self._deliver)

    def _deliver(self) -> None:
        session, media = self._session, self._session._media
        if media is None or session.is_ended():
            return
        batch: list[tuple[Generation, str | None]] = []
        for key, remote in self._generations.items():
            if remote.given < len(remote.lines) and media.knows_peer(key[0], key[1]):
                batch += [(key, line) for line in remote.lines[remote.given :]]
                remote.given = len(remote.lines)
        if batch:
            session._do(_add(media, batch), lambda _: None, self._failed)

    def _failed(self, error: Exception) -> None:
        logger.warning("%s: candidates of the peer cannot be used: %s", self._session, error)


async def _add(media: MediaSession, batch: list[tuple[Generation, str | None]]) -> None:
    for (ufrag, _, mid), line in batch:
        await media.add_remote_candidate(line, mid, ufrag=ufrag)
