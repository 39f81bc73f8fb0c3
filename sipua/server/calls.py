"""Which calls there are: what the proxy sees of INVITE and BYE, for the lamps of telephones (:rfc:`4235`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from sipua.server.flow import Flow
    from sipua.sip import Request, Response


@dataclass(frozen=True, slots=True)
class Call:
    """One call. The users are names at this server, or empty."""

    call_id: str
    caller: str
    called: str
    caller_uri: str
    called_uri: str
    state: Literal["proceeding", "early", "confirmed"]
    flows: tuple[Flow, ...]
    """The connections of both sides; one that breaks is taken for the end."""

    @property
    def users(self) -> set[str]:
        """Both."""
        return {self.caller, self.called}


class Calls:
    """The calls that have begun and not ended. `changed` is called with each user whose calls have changed.

    A call is told apart by its Call-ID: of one that rings at several telephones, the first that answers counts.
    """

    def __init__(self, changed: Callable[[str], None]) -> None:
        self._changed = changed
        self._calls: dict[str, Call] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def of(self, user: str) -> list[Call]:
        """The calls of a user, the oldest first."""
        return [call for call in self._calls.values() if user in call.users]

    def on_response(self, request: Request, response: Response, flows: tuple[Flow, ...]) -> None:
        """A response to a request goes back to who had sent it."""
        if request.method != "INVITE" or request.to_tag is not None or response.code == 100:
            return
        old = self._calls.get(request.call_id)
        if old is not None and old.state == "confirmed":
            return
        if response.code >= 300:
            self._end(request.call_id)
            return
        caller, called = request.from_address.uri, request.uri
        state: Literal["proceeding", "early", "confirmed"] = "proceeding"
        if response.to_tag:
            state = "early" if response.code < 200 else "confirmed"
        if old is None or old.state != state:
            call = self._calls[request.call_id] = Call(
                call_id=request.call_id,
                caller=caller.user or "",
                called=called.user or "",
                caller_uri=str(caller),
                called_uri=str(called),
                state=state,
                flows=flows,
            )
            self._tell(call)

    def on_request(self, request: Request) -> None:
        """A request inside of a dialog passes."""
        if request.method == "BYE":
            self._end(request.call_id)

    def on_flow_lost(self, flow: Flow) -> None:
        """A connection is gone."""
        for call in [call for call in self._calls.values() if flow in call.flows]:
            self._end(call.call_id)

    def _end(self, call_id: str) -> None:
        call = self._calls.pop(call_id, None)
        if call is not None:
            self._tell(call)

    def _tell(self, call: Call) -> None:
        for user in sorted(call.users - {""}):
            self._changed(user)
