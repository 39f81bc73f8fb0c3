"""The sockets of one offer, shared by every branch of a forked call that answers it.

A forked INVITE carries one offer to several peers: one set of ICE credentials, candidates and one
certificate, and answers from each. aioice knows one remote side per connection, so every branch gets a
connection of its own, all with the same local credentials, and this module sorts what arrives at the sockets
among them:

- STUN requests by the remote half of their user name (:rfc:`8445#section-7.2.2`); those of a peer whose
  answer has not come yet are kept until it does, since refusing them would make its ICE fail;
- STUN responses by transaction;
- DTLS and SRTP by the address they come from, which ICE has learnt.

Datagrams that belong to nobody are dropped here. They cost aiortc dearly: one empty datagram from anywhere
ends its receiving task.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Any

from aioice.ice import StunProtocol
from aioice.stun import parse_message

__all__ = ["SharedSockets"]

# Checks kept for peers that are not known yet: so many peers, so many checks each.
_EARLY_PEERS = 16
_EARLY_CHECKS = 16
# Bytes of a datagram. SRTP takes no more (pylibsrtp raises ValueError, which ends aiortc's receiving task); a longer
# one is cut, and so not authentic.
_MAX_DATAGRAM = 1500
# Datagrams that may wait for aiortc. Nobody takes them before DTLS begins, and after it has ended.
_MOST_WAITING = 1000


class SharedSockets:
    """Sockets that several aioice connections use at the same time."""

    def __init__(self) -> None:
        self._sockets: list[_Socket] = []
        self._borrowers: list[Any] = []
        self._peers: dict[str, Any] = {}
        self._early: OrderedDict[str, deque[tuple[_Socket, bytes, tuple[str, int]]]] = OrderedDict()

    @property
    def usable(self) -> bool:
        """Whether the sockets are still open, so that another branch can join."""
        return any(socket.users for socket in self._sockets)

    def adopt(self, owner: Any) -> None:
        """Take over a socket (or TURN allocation) that the first connection has made.

        One that comes late is lent to the branches that are there already.
        """
        socket = _Socket(self, owner)
        self._sockets.append(socket)
        for connection in self._borrowers:
            connection._protocols.append(socket.lend(connection))
            for remote in connection._remote_candidates:
                connection._pair_remote_candidate(remote)
            connection.sort_check_list()

    def lend(self, connection: Any, source: Any) -> None:
        """Let `connection` use them too, with the candidates of `source`, instead of gathering its own."""

        async def gather_candidates() -> None:
            if connection._local_candidates_start:
                return
            connection._local_candidates_start = True
            connection._protocols = [socket.lend(connection) for socket in self._sockets if socket.users]
            connection._local_candidates = list(source._local_candidates)
            connection._local_candidates_end = True
            self._borrowers.append(connection)

        connection.gather_candidates = gather_candidates

    def expect(self, remote_username: str, connection: Any) -> None:
        """From now on `connection` talks to the peer with these ICE credentials."""
        self._peers[remote_username] = connection
        for socket, data, address in self._early.pop(remote_username, ()):
            socket.deliver_to(connection, data, address)

    def forget(self, connection: Any) -> None:
        """The connection is closing; whatever comes for it is dropped."""
        self._peers = {name: known for name, known in self._peers.items() if known is not connection}
        self._borrowers = [known for known in self._borrowers if known is not connection]

    def route_request(self, socket: _Socket, data: bytes, address: tuple[str, int]) -> None:
        """A STUN request: to the connection that expects this peer."""
        try:
            username = parse_message(data).attributes.get("USERNAME", "")
        except ValueError:
            return
        remote = username.partition(":")[2]
        connection = self._peers.get(remote)
        if connection is not None:
            socket.deliver_to(connection, data, address)
        elif remote:
            self._keep(remote, socket, data, address)

    def _keep(self, remote: str, socket: _Socket, data: bytes, address: tuple[str, int]) -> None:
        if remote not in self._early and len(self._early) >= _EARLY_PEERS:
            self._early.popitem(last=False)
        self._early.setdefault(remote, deque(maxlen=_EARLY_CHECKS)).append((socket, data, address))


class _Socket:
    """One socket (or TURN allocation), made by `owner` and used by one protocol per branch."""

    def __init__(self, shared: SharedSockets, owner: Any) -> None:
        self._shared = shared
        self._owner = owner
        self._close_owner = owner.close
        self._owner_lost = owner.connection_lost
        self.users: list[Any] = [owner]
        if hasattr(owner.transport, "max_size"):
            # asyncio would allocate 256 KiB for each datagram.
            owner.transport.max_size = _MAX_DATAGRAM
        # The loop calls the owner, whichever branch it once belonged to.
        owner.datagram_received = self._received
        owner.connection_lost = self._lost
        owner.close = self._owner_closed

    def lend(self, connection: Any) -> StunProtocol:
        """Another protocol on the same socket."""
        user = _BranchProtocol(connection, self._owner, self)
        self.users.append(user)
        return user

    def deliver_to(self, connection: Any, data: bytes, address: tuple[str, int]) -> None:
        """Give a datagram to the protocol of this connection."""
        for user in self.users:
            if user.receiver is connection:
                StunProtocol.datagram_received(user, data, address)
                return

    async def release(self, user: Any) -> None:
        """One branch less; the last one closes the socket."""
        if user in self.users:
            self.users.remove(user)
            if not self.users:
                await self._close_owner()

    def _received(self, data: bytes, address: tuple[Any, ...]) -> None:
        peer = (address[0], address[1])
        if len(data) > 12 and data[0] & 0xC0 == 0x80:
            # RTP and RTCP: nearly all there is.
            self._data(data if len(data) <= _MAX_DATAGRAM else data[:_MAX_DATAGRAM], peer)
        elif len(data) >= 20 and data[0] < 4 and data[4:8] == b"\x21\x12\xa4\x42":
            if data[0] & 1:
                self._response(data, peer)
            else:
                self._shared.route_request(self, data, peer)
        elif data:
            self._data(data, peer)

    def _response(self, data: bytes, peer: tuple[str, int]) -> None:
        transaction = data[8:20]
        for user in self.users:
            if transaction in user.transactions:
                StunProtocol.datagram_received(user, data, peer)
                return

    def _data(self, data: bytes, peer: tuple[str, int]) -> None:
        # Branches behind one address: the one that has chosen this address, then the newest.
        for user in self.users:
            if _uses(user.receiver, peer):
                break
        else:
            candidates = [user for user in self.users if _knows(user.receiver, peer)]
            if not candidates:
                return
            user = candidates[-1]
        if user.receiver._queue.qsize() < _MOST_WAITING:
            user.receiver.data_received(data, user.local_candidate.component)

    def _lost(self, error: Exception | None) -> None:
        for user in self.users:
            if user is not self._owner:
                user.receiver.protocol_lost(user)
        self._owner_lost(error)

    async def _owner_closed(self) -> None:
        await self.release(self._owner)


class _BranchProtocol(StunProtocol):
    """What a branch that joined later has in the place of a socket of its own."""

    def __init__(self, connection: Any, owner: Any, socket: _Socket) -> None:
        super().__init__(connection)
        self.transport = owner.transport
        self.local_candidate = owner.local_candidate
        self._socket = socket

    async def close(self) -> None:
        await self._socket.release(self)


def _knows(connection: Any, peer: tuple[str, int]) -> bool:
    host, port = peer
    return any(c.port == port and c._network_host == host for c in connection._remote_candidates)


def _uses(connection: Any, peer: tuple[str, int]) -> bool:
    pair = connection._nominated.get(1)
    return pair is not None and bool(pair.remote_addr == peer)
