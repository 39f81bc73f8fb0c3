"""Every event that a command tells, with its fields: the schema of ``--json``, and of what is built on it.

Within a version of the schema, events and fields may be added; nothing is renamed, removed, or given another meaning.
The table is what docs/cli.md and docs/events.schema.json are made of, and what the tests hold the commands to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Of the JSON lines. For any change that is no addition the number is raised.
SCHEMA = "sipua/1"


@dataclass(frozen=True)
class Event:
    """One event. `fields` maps each name to a JSON type (``?``: or null; ``=``: not always there) and a meaning."""

    summary: str
    fields: Mapping[str, tuple[str, str]]


def _event(summary: str, **fields: str | tuple[str, str]) -> Event:
    return Event(summary, {name: (f, "") if isinstance(f, str) else f for name, f in fields.items()})


_CALL = ("integer", "counts the calls of this run, from 1")
_FIGURES: dict[str, str | tuple[str, str]] = {
    "state": ("string=", "of the media"),
    "codec": "string?=",
    "packets_sent": "integer=",
    "packets_received": "integer=",
    "packets_lost": "integer=",
    "packets_discarded": "integer=",
    "jitter": ("number=", "seconds"),
    "rtt": ("number?=", "seconds"),
    "r_factor": ("number?=", "0 to 148; the best is 93 with a narrowband codec, 129 wideband, 148 fullband"),
    "mos": ("number?=", "1 to 5"),
}
_ORIGINATOR = ("string", "local, remote or system")
_STATUS: dict[str, str | tuple[str, str]] = {"status": "integer?", "reason": "string?"}
_PHONE = ("string=", "its name, in `sipua phone`")

_LOAD: dict[str, str | tuple[str, str]] = {
    "seconds": ("number", "since the first call was due"),
    "started": "integer",
    "answered": "integer",
    "passed": ("integer", "calls that went as they should"),
    "failed": "integer",
    "missed": ("integer", "calls that were due and not made, as there were as many as may be"),
    "active": ("integer", "calls at this moment"),
    "setup_p50": ("number?", "seconds from the INVITE to the answer"),
    "setup_p90": "number?",
    "setup_p99": "number?",
}

EVENTS: dict[str, Event] = {
    # connection and registration
    "connecting": _event("an attempt begins", url="string", attempt=("integer", "from 1"), account=_PHONE),
    "connected": _event("the connection is up", url="string", account=_PHONE),
    "disconnected": _event(
        "the connection is gone", url="string", reason=("string?", "null: wanted by us"), account=_PHONE
    ),
    "registered": _event(
        "the server took the registration", uri="string", expires=("number", "seconds"), account=_PHONE
    ),
    "unregistered": _event(
        "not registered any more", uri="string", cause=("string?", "null: wanted by us"), account=_PHONE
    ),
    "registration_failed": _event(
        "the server refused, or did not answer",
        uri="string",
        cause="string",
        **_STATUS,
        retry_after=("number?", "seconds; null: not tried again"),
        account=_PHONE,
    ),
    # calls
    "waiting": _event("ready for calls", uri="string"),
    "call": _event(
        "a call begins",
        call=_CALL,
        direction=("string", "outgoing or incoming"),
        remote="string",
        local="string",
        call_id="string",
        replaces=("integer=", "the call whose place it takes, after a transfer"),
    ),
    "progress": _event(
        "a provisional response", call=_CALL, originator=_ORIGINATOR, **_STATUS, early_media="boolean"
    ),
    "accepted": _event("a 200 was received or sent", call=_CALL, originator=_ORIGINATOR),
    "confirmed": _event("the call is up", call=_CALL, codec="string?"),
    "media": _event(
        "the way of the media changed",
        call=_CALL,
        state=("string", "connecting, connected, disconnected, failed or closed"),
    ),
    "stats": _event(
        "the figures, once a second", call=_CALL, seconds=("number", "since the answer"), **_FIGURES
    ),
    "dtmf": _event(
        "a digit was sent or received",
        call=_CALL,
        originator=_ORIGINATOR,
        tone="string",
        duration=("number", "milliseconds"),
        transport=("string", "RFC4733, INFO or INBAND"),
    ),
    "ended": _event(
        "an answered call is over",
        call=_CALL,
        originator=_ORIGINATOR,
        cause="string",
        reason="string?",
        seconds=("number", "since the answer"),
        **_FIGURES,
    ),
    "failed": _event(
        "a call that was not answered", call=_CALL, originator=_ORIGINATOR, cause="string", **_STATUS
    ),
    "recorded": _event(
        "a recording is complete", call=_CALL, path="string", seconds=("number?", "null where not known")
    ),
    "captured": _event("the packets of a call are all in their file", call=_CALL, path="string"),
    "expected": _event(
        "what the peer was expected to do came, or the time for it is over",
        call=_CALL,
        what="string",
        met="boolean",
        seconds=("number", "since the answer"),
    ),
    "load": _event("a load test, once a second, and at its end", **_LOAD),
    "load_result": _event(
        "what came of a load test",
        **_LOAD,
        passed_thresholds="boolean",
        broken=("array", "the thresholds that were not kept"),
        causes=("object", "why calls failed, and how many for each reason"),
        reports=("array", "the files that were written"),
        notes=("array", "what else there is to know, such as that a process was lost"),
    ),
    "step": _event(
        "a step of a script is over",
        call=_CALL,
        line=("integer", "of the script, from 1"),
        step="string",
        verdict=("string", "passed, failed or skipped"),
        seconds="number",
        message=("string?", "why it failed"),
    ),
    # calls of the phone
    "hold": _event("a side has put the other on hold", call=_CALL, originator=_ORIGINATOR),
    "unhold": _event("and takes it off again", call=_CALL, originator=_ORIGINATOR),
    "mute": _event("the peer is kept from hearing us, or not any more", call=_CALL, muted="boolean"),
    "recording": _event("a recording has begun", call=_CALL, path="string"),
    "transfer": _event(
        "how a transfer goes that we asked for",
        call=_CALL,
        target="string",
        state=("string", "asked, trying, succeeded or failed"),
        **_STATUS,
    ),
    "refer": _event(
        "the peer asks us to call somebody else",
        call=_CALL,
        target="string",
        referred_by="string?",
        accepted=("boolean=", "whether it is done; `sipua phone` asks"),
    ),
    "replaced": _event(
        "somebody calls to take the place of the peer, which has transferred us",
        call=_CALL,
        remote="string",
        accepted="boolean",
    ),
    "conference": _event("who is in the conference", calls=("array", "their numbers; empty: it is over")),
    "selected": _event("the call that commands without a number are about", call="integer?"),
    "sound": _event(
        "what peers hear from us, and where we hear them", source="string", sink=("string?", "null: nowhere")
    ),
    "history": _event(
        "a call is over, and the history has it",
        entry=(
            "object",
            "as in the result of the command `history`: time, direction, remote, account, seconds, outcome",
        ),
    ),
    "contacts": _event(
        "somebody was remembered or forgotten", contacts=("array", "all of them, each with name and target")
    ),
    # other requests
    "response": _event(
        "the final response to a request of ours, or that there was none",
        method="string",
        target="string",
        status=("integer?", "null: no response"),
        reason="string?",
        seconds=("number", "from sending to the response"),
        sequence=("integer=", "counts the requests of this run, from 1"),
        user_agent=("string?=", "what the peer says that it is"),
        allow=("array=", "the methods that the peer takes"),
    ),
    "summary": _event(
        "all the requests of `sipua options`",
        sent="integer",
        answered="integer",
        lost=("number", "share of 1"),
        minimum=("number?", "seconds"),
        average=("number?", "seconds"),
        maximum=("number?", "seconds"),
        deviation=("number?", "seconds"),
    ),
    "message": _event(
        "a MESSAGE came", remote="string", local="string", content_type="string", body="string"
    ),
    "subscription": _event(
        "the state of a subscription",
        target="string",
        package="string",
        state=("string", "pending, active or terminated"),
        reason=("string?", "why it ended"),
        expires=("number?", "seconds that are left"),
    ),
    "notification": _event(
        "a NOTIFY came",
        target="string",
        package="string",
        content_type="string?",
        content=("object?", "what it says, by the fields of the package; null for a type that is not known"),
        body=("string", "as it came"),
    ),
    "published": _event(
        "the server took our state", target="string", package="string", expires=("number", "seconds")
    ),
    "unpublished": _event("our state is removed", target="string", package="string", cause="string?"),
    # accounts, devices
    "account": _event(
        "one account of the settings",
        name="string",
        uri="string",
        servers="array",
        default="boolean",
        password=("string", "where it comes from: text, env, file, keyring, prompt or none"),
        keys=("object=", "all that the file says of it, passwords hidden, for `sipua config show`"),
    ),
    "settings": _event("the file of settings", path="string", exists="boolean", accounts="integer"),
    "device": _event(
        "one sound device",
        index="integer",
        name="string",
        host=("string", "the sound system"),
        inputs=("integer", "channels of its microphone"),
        outputs=("integer", "channels of its speaker"),
        rate=("integer", "Hz"),
        default_input="boolean",
        default_output="boolean",
    ),
    # remote control
    "ready": _event("the phone takes commands", version="string", accounts="array"),
    "reply": _event(
        "what became of a command",
        id=("scalar?", "that of the command"),
        command=("string?", "null: it could not be read"),
        ok="boolean",
        error=("string=", "why not, with `ok` false"),
        result=("object?=", "what was asked for, with `ok` true"),
    ),
    "sip": _event(
        "a SIP message, without credentials; after the command `trace`",
        direction=("string", "in or out"),
        server="string",
        message="string",
    ),
    # diagnosis
    "check": _event(
        "one check of `sipua doctor`",
        check=("string", "name, TCP, TLS, WebSocket, register, STUN, TURN, candidates, call, or proxy"),
        target="string",
        state=("string", "ok, warning, failed or skipped"),
        detail="string",
        remedy=("string?", "what to do; null: nothing"),
        seconds=("number?", "null: it took none"),
    ),
    "diagnosis": _event(
        "the result of all checks", failed="integer", warnings="integer", exit_code="integer"
    ),
    # traces
    "traced_message": _event(
        "a SIP message of a trace",
        number=("integer", "from 1"),
        at=("number", "seconds since 1970"),
        source="string",
        target="string",
        label=("string", "method and target, or status"),
        dialog=("string?", "A, B, …; null: the message is not legible"),
        call_id="string?",
        description=("string?", "offer or answer; null: it has none"),
        again=("boolean", "it was sent before"),
        message=("string", "its whole text"),
    ),
    "traced_event": _event(
        "what a user agent or a call told, of a trace",
        at=("number", "seconds since 1970"),
        name="string",
        agent="string",
        call_id="string?",
        details="object",
    ),
    "traced_stats": _event(
        "a sample of media statistics of a trace",
        at=("number", "seconds since 1970"),
        call_id="string",
        agent="string",
        stats=("object", "as in docs/statistics.md"),
        quality=("object?", "since the sample before; null: nothing was heard"),
    ),
    "written": _event("a file is complete", path="string", format=("string", "html or pcap")),
    # the command
    "listening": _event("`sipua serve` is ready", urls="array"),
    "warning": _event("something is not as it should be", message="string", call="integer="),
    "interrupted": _event("the first Ctrl-C"),
    "error": _event(
        "what ends the command: the line of standard error", message="string", exit_code="integer"
    ),
    "done": _event("always the last one", exit_code="integer"),
}


def faults(name: str, given: Mapping[str, Any]) -> list[str]:
    """How an event differs from the table: nothing, as a rule."""
    event = EVENTS.get(name)
    if event is None:
        return [f"{name}: not in the table"]
    found = [f"{name}.{field}: not in the table" for field in given if field not in event.fields]
    for field, (kind, _) in event.fields.items():
        if field not in given:
            if not kind.endswith("="):
                found.append(f"{name}.{field}: missing")
        elif not _fits(kind.rstrip("="), given[field]):
            found.append(f"{name}.{field}: {given[field]!r} is no {kind}")
    return found


_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list, tuple),
    "object": (dict,),
    "scalar": (str, int),
}


def _fits(kind: str, value: object) -> bool:
    if value is None:
        return kind.endswith("?")
    plain = kind.rstrip("?")
    if isinstance(value, bool):
        return plain == "boolean"
    return isinstance(value, _TYPES[plain])


def json_schema() -> dict[str, Any]:
    """The table as a JSON Schema (draft 2020-12) of one line."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"One line of sipua --json ({SCHEMA})",
        "oneOf": [_event_schema(name, event) for name, event in EVENTS.items()],
    }


def _event_schema(name: str, event: Event) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "schema": {"const": SCHEMA},
        "event": {"const": name},
        "time": {"type": "string", "format": "date-time"},
    }
    for field, (kind, meaning) in event.fields.items():
        plain = kind.rstrip("=").rstrip("?")
        described = {"description": meaning} if meaning else {}
        types = ["string", "integer"] if plain == "scalar" else [plain]
        types += ["null"] if "?" in kind else []
        properties[field] = {"type": types if len(types) > 1 else plain, **described}
    needed = [field for field, (kind, _) in event.fields.items() if not kind.endswith("=")]
    return {
        "type": "object",
        "description": event.summary,
        "properties": properties,
        "required": ["schema", "event", "time", *needed],
    }
