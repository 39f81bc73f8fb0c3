"""What a flow is made of: participants and steps, as plain data (see `sipua.testing.flow`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

#: What a header field, a fact or an attribute must be: the very value; a compiled pattern that matches somewhere in its
#: text; a function that says whether it is right; ``...`` for anything but nothing; None for nothing at all.
Expected: TypeAlias = Any

Fate: TypeAlias = Literal["arrives", "held", "lost"]

#: Seconds of silence after the last step: longer than any transaction lives.
QUIET = 40.0


# --- participants -------------------------------------------------------------------------------------------


@dataclass(frozen=True, init=False)
class Agent:
    """A participant that is a real user agent, ``sip:<name>@example.com``.

    :param servers: how many servers it knows, the first one of which it prefers; to the flow they are one.
    :param on: handlers of events of the user agent and of its calls: a function of the payload, the name of one of
        the payload's methods (``{"refer": "accept"}``), or a name with arguments (``("reject", 403)``,
        ``("reject", {"status_code": 403})``).
    :param options: of `sipua.UA`; here ``register`` is False and ``media`` only signals unless they say otherwise.
    """

    options: Mapping[str, Any]
    on: Mapping[str, Any]
    servers: int

    def __init__(self, *, on: Mapping[str, Any] | None = None, servers: int = 1, **options: Any) -> None:
        object.__setattr__(self, "options", options)
        object.__setattr__(self, "on", on or {})
        object.__setattr__(self, "servers", servers)


@dataclass(frozen=True)
class Peer:
    """A participant that is a script: each of its arrows is written as it stands there."""

    contact: str = ""
    """Its Contact address; one of its own when empty."""


# --- steps --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Call:
    """Stands for a call of the participant among the arguments of a `Press`: 1 is the first one, -1 the last."""

    number: int

    def __str__(self) -> str:
        return f"call {self.number}"


@dataclass(frozen=True)
class Named:
    """Stands for what `make` makes of the messages that have names so far, among the arguments of a `Press`."""

    make: Callable[[Mapping[str, Any]], Any]

    def __str__(self) -> str:
        return "…"


@dataclass(frozen=True, init=False)
class Press:
    """An agent's user does something: a method of the call's, or ``"ua.…"`` for one of the user agent's.

    ``"call"`` is `UA.call`. ``call=`` says which call it is for (1 is the agent's first; the last one by default).
    With ``raises=``, the method must raise this error then and there.
    """

    who: str
    button: str
    args: tuple[Any, ...]
    options: Mapping[str, Any]
    call: int
    raises: type[BaseException] | None

    def __init__(
        self,
        who: str,
        button: str,
        *args: Any,
        call: int = -1,
        raises: type[BaseException] | None = None,
        **options: Any,
    ) -> None:
        for name, value in {
            "who": who, "button": button, "args": args, "options": options, "call": call, "raises": raises
        }.items():  # fmt: skip
            object.__setattr__(self, name, value)

    def __str__(self) -> str:
        words = [*map(str, self.args), *(f"{key}={value}" for key, value in self.options.items())]
        return f"{self.button}({', '.join(words)})"


@dataclass(frozen=True)
class Arrow:
    """A message from one participant to another: sent, and delivered at once unless `fate` says otherwise.

    From an agent it is expected, and all that is given here is checked; from a peer it is written, and all that is
    given here goes into it.
    """

    way: str
    """Such as ``"alice -> bob"``."""
    what: str
    """``"INVITE"``; ``"180"`` or ``"200 BYE"``: a response to the last request, or the last one of that method."""
    name: str = ""
    """Such as ``"F1"``: other arrows can refer to it."""
    fate: Fate = "arrives"
    """``"held"`` until its `Arrives`, or ``"lost"``."""
    after: float | tuple[float, float] | None = None
    """Seconds since the step before, or the limits of that; None: at once. Agents only."""
    headers: Mapping[str, Expected] = field(default_factory=dict)
    """From an agent: what they must be. From a peer: what they are (None: left out; a list: several fields)."""
    sdp: Expected = None
    """The direction of the audio in its description; False: it has none; from a peer also the whole text."""
    body: Expected = None
    """What it carries; with the type in ``headers={"Content-Type": …}``."""
    uri: Expected = None
    """The Request-URI."""
    cseq: int | str | tuple[str, int] | None = None
    """The CSeq number: itself, that of the message of this name, or ``("F1", 1)``: one more than F1's."""
    branch: str | None = None
    """The name of a message with the same branch. From a peer: that, or a branch of its own."""
    same: str | None = None
    """The name of a message that this one is a copy of."""
    to: str | None = None
    """The name of the request that this response answers."""
    tag: str | None = None
    """The To tag of a response from a peer; its name when not given. For its requests: the dialog they belong to."""
    dialog: str | None = None
    """For a peer's request: the name of a message of the dialog that it belongs to; ``"new"`` for none."""
    check: Callable[[Any, Mapping[str, Any]], bool] | None = None
    """Anything else that must be true of the message, which it gets together with those that have a name."""

    @property
    def sender(self) -> str:
        """Who sends it."""
        return self.way.partition("->")[0].strip()

    @property
    def receiver(self) -> str:
        """Whom it is for."""
        return self.way.partition("->")[2].strip()

    def __str__(self) -> str:
        return f"{self.what} {self.name}".rstrip()


@dataclass(frozen=True)
class Arrives:
    """A message that was held comes to where it was going. `name` is the arrow's."""

    name: str


@dataclass(frozen=True)
class Wait:
    """So many seconds pass, in which nobody sends anything."""

    seconds: float


@dataclass(frozen=True)
class Cut:
    """The agent's connection breaks."""

    who: str


@dataclass(frozen=True)
class Fails:
    """The server that the agent is connected to falls silent, for good.

    Its connections stay up, but nothing that it gets is answered, not even keep-alives, and nobody new gets in.
    """

    who: str


@dataclass(frozen=True, init=False)
class Events:
    """The events of a call since the last such step, all of them, in order: names, or ``(name, {attribute: value})``.

    Those that tell of media only are left out (`MEDIA_EVENTS`). ``of=`` says which call (1 is the agent's first; by
    default the last one), or ``"ua"`` for the user agent itself.
    """

    who: str
    expected: tuple[str | tuple[str, Mapping[str, Expected]], ...]
    of: int | str

    def __init__(
        self, who: str, *expected: str | tuple[str, Mapping[str, Expected]], of: int | str = -1
    ) -> None:
        object.__setattr__(self, "who", who)
        object.__setattr__(self, "expected", expected)
        object.__setattr__(self, "of", of)


@dataclass(frozen=True, init=False)
class Shows:
    """What a call shows: ``is_established=True``, ``is_on_hold={"local": True, "remote": False}``.

    Attributes, or methods without arguments; ``of=`` as for `Events`.
    """

    who: str
    of: int | str
    facts: Mapping[str, Expected]

    def __init__(self, who: str, *, of: int | str = -1, **facts: Expected) -> None:
        object.__setattr__(self, "who", who)
        object.__setattr__(self, "of", of)
        object.__setattr__(self, "facts", facts)


@dataclass(frozen=True)
class Finished:
    """What the agent's button began is done; with `raises`, it has failed so. ``back=2`` is the press before."""

    who: str
    raises: type[BaseException] | None = None
    back: int = 1


Step: TypeAlias = Press | Arrow | Arrives | Wait | Cut | Fails | Events | Shows | Finished

#: Events that tell how media is getting on; a flow is about signalling.
MEDIA_EVENTS = frozenset({"sdp", "ice_connection_state", "peerconnection", "connecting", "sending", "track"})


@dataclass(frozen=True)
class Flow:
    """A call flow: who takes part, what happens, and what must come of it."""

    figure: str
    """Where it is drawn, such as ``"RFC 3665 §3.1"``."""
    title: str
    people: Mapping[str, Agent | Peer]
    steps: Sequence[Step]
    quiet: float = QUIET
    """Seconds of silence that must follow the last step."""
    leaves: bool = False
    """Whether something may be left at the end that is no call, such as a subscription."""


# --- descriptions --------------------------------------------------------------------------------------------


def description(direction: str = "sendrecv", *, address: str = "192.0.2.1", setup: str = "actpass") -> str:
    """A session description as a browser makes it: audio with Opus and PCMU."""
    lines = (
        "v=0",
        f"o=- 4962303333179871722 1 IN IP4 {address}",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0",
        "m=audio 40000 UDP/TLS/RTP/SAVPF 111 0",
        f"c=IN IP4 {address}",
        "a=ice-ufrag:Xz9K",
        "a=ice-pwd:8mQ0dQbq0b2m0V7y7wE5cJxC",
        "a=fingerprint:sha-256 " + ":".join(["D2", "FA", "0E", "C3"] * 8),
        f"a=setup:{setup}",
        "a=mid:0",
        f"a={direction}",
        "a=rtcp-mux",
        "a=rtpmap:111 opus/48000/2",
        "a=rtpmap:0 PCMU/8000",
        "",
    )
    return "\r\n".join(lines)


def direction_of(sdp: str) -> str:
    """The direction of the first audio line, or of the whole description; empty without audio."""
    head, *sections = sdp.replace("\r\n", "\n").split("\nm=")
    audio = next((section for section in sections if section.startswith("audio ")), None)
    if audio is None:
        return ""
    for part in (audio, head):
        for line in part.splitlines():
            if line in ("a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive"):
                return line[2:]
    return "sendrecv"
