"""The commands that make no calls: message, options, subscribe, publish."""

from __future__ import annotations

import asyncio
import contextlib
import io
from typing import TYPE_CHECKING, Any

import pytest
from websockets import Subprotocol
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_websocket

from sipua import UA, Request, events
from sipua.bodies import (
    DialogInfo,
    DialogStatus,
    MessageCounts,
    MessageSummary,
    Note,
    Participant,
    Presence,
    PresenceTuple,
)
from sipua.cli.exits import ExitCode
from sipua.cli.notifications import describe, fields_of
from sipua.server import Server
from sipua.sip import make_response, parse_message
from tests.cli.commands import account, command, server, sipua

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


pytestmark = pytest.mark.realtime


@contextlib.asynccontextmanager
async def bob(s: Server, **handlers: Any) -> AsyncIterator[UA]:
    ua = UA("sip:bob@localhost", sockets=s.url, password="secret")
    for name, handler in handlers.items():
        ua.on(name, handler)
    async with ua:
        yield ua


# --- message ----------------------------------------------------------------------------------------------------------


async def test_message() -> None:
    heard: list[events.NewMessage] = []
    async with server() as s, bob(s, new_message=heard.append):
        done = await sipua("message", "bob", "are you there?", *account(s), "--json", "--header", "X-Case: 4")
    assert done.code == ExitCode.OK, done
    assert heard[0].message.body == "are you there?"
    assert heard[0].request.headers["X-Case"] == "4"
    response = done.event("response")
    assert (response["method"], response["status"], response["sequence"]) == ("MESSAGE", 200, 1)
    assert 0 < response["seconds"] < 5


async def test_message_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[events.NewMessage] = []
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO('{"a": "ä"}'.encode())))
    async with server() as s, bob(s, new_message=heard.append):
        done = await sipua("message", "bob", *account(s), "--content-type", "application/json")
    assert done.code == ExitCode.OK, done
    assert heard[0].message.body == '{"a": "ä"}'
    assert heard[0].message.content_type == "application/json"
    assert "sip:bob@localhost: 200 OK, " in done.out


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "standard input: is empty; there is nothing to send"),
        (b"ab\xff", "standard input: byte 3 is not UTF-8; only text can be sent"),
        (bytes(70_000), "standard input: more than 60000 bytes; send it in parts"),
    ],
)
def test_standard_input_that_is_no_message(
    data: bytes, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
    done = command("message", "bob", "--uri", "sip:a@b", "--server", "ws://127.0.0.1:1/")
    assert done.code == ExitCode.USAGE
    assert complaint in done.err


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        (("message", "bob", "ab\udcff"), "TEXT: character 3 is not UTF-8"),
        (("message", "bob", "x", "--content-type", "text"), "--content-type text: not a media type such as"),
        (("subscribe", "presence", "bob", "--accept", "x"), "--accept x: not content types such as"),
        (("publish", "open", "--note", "a\x01"), "--note: 'a\\x01': characters that XML cannot hold"),
        (("options", "--count", "x"), "'--count': 'x' is not a whole number"),
    ],
)
def test_what_cannot_be_sent_is_refused_before_anybody_is_bothered(
    args: tuple[str, ...], complaint: str
) -> None:
    done = command(*args, "--uri", "sip:a@b", "--server", "ws://127.0.0.1:1/")
    assert done.code == ExitCode.USAGE
    assert complaint in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("target", "password", "code", "line"),
    [
        (
            "nobody",
            "secret",
            ExitCode.REJECTED,
            "sipua message: sip:nobody@localhost: MESSAGE: 404 Not Found",
        ),
        ("bob", "wrong", ExitCode.UNAUTHORISED, "wrong user name or password"),
    ],
)
async def test_message_that_is_refused(target: str, password: str, code: ExitCode, line: str) -> None:
    async with server() as s:
        done = await sipua("message", target, "hello", *account(s, password=password))
    assert done.code == code
    assert line in done.err
    assert done.err.count("\n") == 1


async def test_message_to_somebody_busy() -> None:
    async with server() as s, bob(s, new_message=lambda event: event.message.reject(486)):
        done = await sipua("message", "bob", "hello", *account(s))
    assert done.code == ExitCode.BUSY


async def test_message_that_nobody_answers() -> None:
    async with server() as s, bob(s, new_message=lambda event: event.message.defer()):
        done = await sipua("message", "bob", "hello", *account(s), "--timeout", "0.5", "--json")
    assert done.code == ExitCode.TIMEOUT
    assert done.event("response")["status"] is None
    assert "no answer within 0.5 s" in done.err


# --- options ----------------------------------------------------------------------------------------------------------


async def test_options_of_the_server() -> None:
    async with server() as s:
        done = await sipua("options", *account(s))
    assert done.code == ExitCode.OK, done
    assert "sip:localhost: 200 OK, " in done.out
    assert "sent" not in done.out


async def test_options_count_and_figures() -> None:
    async with server() as s, bob(s):
        done = await sipua(
            "options", "bob", *account(s), "--count", "3", "--interval", "0.05", "--json", "--register"
        )
    assert done.code == ExitCode.OK, done
    assert [event["sequence"] for event in done.all("response")] == [1, 2, 3]
    assert "INVITE" in done.all("response")[0]["allow"]
    summary = done.event("summary")
    assert (summary["sent"], summary["answered"], summary["lost"]) == (3, 3, 0.0)
    assert 0 < summary["minimum"] <= summary["average"] <= summary["maximum"]


async def test_options_of_somebody_who_is_not_there() -> None:
    async with server() as s:
        done = await sipua("options", "bob", *account(s), "--duration", "0.3", "--interval", "0.1")
    assert done.code == ExitCode.REJECTED
    assert "0 % lost" in done.out
    assert done.err.startswith("sipua options: sip:bob@localhost: OPTIONS: 480 ")


# --- subscribe --------------------------------------------------------------------------------------------------------

OPEN = Presence("sip:bob@localhost", (PresenceTuple("t", "open"),), (Note("back at two"),), ("meeting",))


async def test_subscribe_to_presence() -> None:
    async def told(event: events.NewSubscribe) -> None:
        notifier = ua.notify(event.subscribe, body=OPEN)
        await asyncio.sleep(0.2)
        notifier.notify(Presence("sip:bob@localhost", (PresenceTuple("t", "closed"),)))

    async with server() as s, bob(s, new_subscribe=told) as ua:
        args = ("subscribe", "presence", "bob", *account(s), "--count", "2")
        done = await sipua(*args, "--json")
        plain = await sipua(*args)
    assert done.code == plain.code == ExitCode.OK, (done, plain)
    first, second = done.all("notification")
    assert first["content"]["tuples"][0]["basic"] == "open"
    assert first["content"]["activities"] == ["meeting"]
    assert first["content_type"] == "application/pidf+xml"
    assert second["content"]["tuples"][0]["basic"] == "closed"
    states = [event["state"] for event in done.all("subscription")]
    assert states == ["active", "terminated"]
    assert 0 < done.all("subscription")[0]["expires"] <= 900
    assert "sip:bob@localhost is open, meeting: back at two\n" in plain.out
    assert "sip:bob@localhost is closed\n" in plain.out


async def test_subscribe_once_to_our_mailbox() -> None:
    summary = MessageSummary(True, counts={"voice-message": MessageCounts(2, 1)})

    def told(event: events.NewSubscribe) -> None:
        assert event.request.headers["Expires"] == "0"
        ua.notify(event.subscribe, body=summary)

    async with server() as s, bob(s, new_subscribe=told) as ua:
        done = await sipua("subscribe", "mwi", *account(s, "bob"), "--once")
    assert done.code == ExitCode.OK, done
    assert "messages are waiting (voice-message 2 new, 1 old)\n" in done.out


async def test_subscribe_once_where_nothing_is_known() -> None:
    def told(event: events.NewSubscribe) -> None:
        ua.notify(event.subscribe, body="")

    async with server() as s, bob(s, new_subscribe=told) as ua:
        done = await sipua("subscribe", "presence", "bob", *account(s), "--once")
    assert done.code == ExitCode.OK, done
    assert "subscription to presence of sip:bob@localhost: nothing is known\n" in done.out


async def test_subscribe_once_where_a_subscription_cannot_end_at_once() -> None:
    asked: list[str] = []

    def told(event: events.NewSubscribe) -> None:
        asked.append(str(event.request.headers["Expires"]))
        if asked == ["0"]:
            event.subscribe.reject(400)
        else:
            ua.notify(event.subscribe, body=DialogInfo("sip:bob@localhost"))

    async with server() as s, bob(s, new_subscribe=told) as ua:
        done = await sipua("subscribe", "dialog", "bob", *account(s), "--once")
    assert done.code == ExitCode.OK, done
    assert asked == ["0", "900"]
    assert done.out.count("sip:bob@localhost: no calls\n") == 1
    assert "\n\n" not in done.out


async def test_subscribe_to_a_package_that_is_mistyped() -> None:
    async with server() as s, bob(s):
        done = await sipua("subscribe", "presense", "bob", *account(s), "--json")
    assert done.code == ExitCode.REJECTED
    assert done.err.endswith("489 Bad Event; did you mean presence?\n")
    assert done.event("subscription")["reason"] is not None


async def test_subscribe_refused_and_unanswered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sipua.cli.running.GOODBYE_TIMEOUT", 0.2)
    async with server() as s, bob(s):
        refused = await sipua("subscribe", "dialog", "nobody", *account(s))
    assert refused.code == ExitCode.REJECTED
    assert "404 Not Found" in refused.err
    async with server() as s, bob(s, new_subscribe=lambda event: event.subscribe.defer()):
        silent = await sipua("subscribe", "dialog", "bob", *account(s), "--timeout", "0.5")
    assert silent.code == ExitCode.TIMEOUT
    assert "no notification within 0.5 s" in silent.err


async def test_subscription_that_the_other_side_ends() -> None:
    async def told(event: events.NewSubscribe) -> None:
        notifier = ua.notify(event.subscribe, body=DialogInfo("sip:bob@localhost"))
        await asyncio.sleep(0.1)
        notifier.terminate(reason="noresource")

    async with server() as s, bob(s, new_subscribe=told) as ua:
        done = await sipua("subscribe", "dialog", "bob", *account(s))
    assert done.code == ExitCode.FAILED
    assert "sip:bob@localhost: no calls\n" in done.out
    assert "subscription to dialog of sip:bob@localhost: ended: noresource\n" in done.out


def test_descriptions() -> None:
    dialogs = DialogInfo(
        "sip:bob@x", 1, "full", (DialogStatus("1", "confirmed", remote=Participant("sip:carol@x")),)
    )
    assert describe(dialogs, "") == "sip:bob@x: confirmed with sip:carol@x"
    assert describe(MessageSummary(False), "") == "no messages are waiting"
    assert describe(None, "a\n  b") == "a b"
    assert describe(None, "") == "(empty)"
    assert describe(None, "x" * 200) == "x" * 100 + "…"
    assert fields_of(dialogs)["dialogs"][0]["remote"]["identity"] == "sip:carol@x"
    assert fields_of(MessageSummary(True, counts={"fax": MessageCounts(1, 0)}))["counts"]["fax"]["new"] == 1
    assert fields_of(None) is None


# --- publish ----------------------------------------------------------------------------------------------------------


async def test_publish_where_nobody_takes_it() -> None:
    async with server() as s:
        done = await sipua("publish", "open", *account(s))
    assert done.code == ExitCode.REJECTED
    assert done.err.startswith("sipua publish: sip:alice@localhost: PUBLISH: ")
    assert done.err.count("\n") == 1


@contextlib.asynccontextmanager
async def presence_server(heard: list[Request]) -> AsyncIterator[str]:
    """Takes each PUBLISH."""

    async def serve(connection: ServerConnection) -> None:
        async for frame in connection:
            request = parse_message(frame)
            assert isinstance(request, Request)
            heard.append(request)
            expires = request.headers["Expires"] or "0"
            headers = (("SIP-ETag", f"tag{len(heard)}"), ("Expires", expires))
            await connection.send(str(make_response(request, 200, to_tag="p", headers=headers)))

    async with serve_websocket(serve, "127.0.0.1", 0, subprotocols=[Subprotocol("sip")]) as listener:
        yield f"ws://127.0.0.1:{next(iter(listener.sockets)).getsockname()[1]}/"


async def test_publish() -> None:
    heard: list[Request] = []
    async with presence_server(heard) as url:
        args = ("publish", "open", "--uri", "sip:alice@localhost", "--server", url, "--note", "here")
        done = await sipua(*args, "--activity", "meeting", "--duration", "0.2", "--expires", "90", "--json")
        assert done.code == ExitCode.OK, done
        assert done.event("published")["expires"] == 90
        assert done.event("unpublished")["cause"] is None
        published = Presence.parse(heard[0].body)
        assert (published.is_open, published.note, published.activities) == (True, "here", ("meeting",))
        assert [request.headers["Expires"] for request in heard] == ["90", "0"]
        heard.clear()
        left = await sipua(*args, "--leave")
        assert left.code == ExitCode.OK
        assert left.out.splitlines()[1:] == ["published for 3600 s: sip:alice@localhost is open"]
        assert len(heard) == 1


async def test_presence_of_the_embedded_server() -> None:
    async with Server({"alice": "secret", "bob": "secret"}, apps=False, presence=True) as s:
        watching = asyncio.ensure_future(
            sipua("subscribe", "presence", "bob", *account(s), "--count", "3", "--duration", "20", "--json")
        )
        while not (s._watching and s._watching._watchers):  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.02)
        done = await sipua("publish", "open", "--activity", "meeting", "--note", "room 4", *account(s, "bob"))
        assert done.code == ExitCode.OK, done
        heard = [event["content"] for event in (await watching).all("notification")]
    assert [content["tuples"][0]["basic"] for content in heard] == ["closed", "open", "closed"]
    assert (heard[1]["activities"], heard[1]["notes"][0]["text"]) == (["meeting"], "room 4")
