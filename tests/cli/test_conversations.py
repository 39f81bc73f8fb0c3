"""What becomes of the calls of `sipua call` and `sipua answer` when their peers transfer them."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from sipua import UA, Cause, TransferFailed
from sipua.cli.audio import AudioOptions
from sipua.cli.commands.answer import Answering
from sipua.cli.conversation import Conversation
from sipua.cli.conversations import Conversations
from sipua.cli.events import faults
from sipua.cli.exits import ExitCode, Failure
from sipua.cli.options import OutputOptions
from sipua.cli.output import JsonOutput
from sipua.cli.running import Run
from sipua.cli.scripts import Scripting, ScriptOptions
from sipua.cli.tasks import TaskOptions
from sipua.errors import MediaFileError
from sipua.media.signalling import SignallingOnlyMedia
from sipua.script import parse_script
from sipua.server import Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sipua import RTCSession


class Told(JsonOutput):
    """Keeps what is told."""

    def __init__(self) -> None:
        self.stream = io.StringIO()
        super().__init__(self.stream, io.StringIO())

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]

    def all(self, name: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == name]

    def check(self) -> None:
        given = [
            {key: value for key, value in event.items() if key not in ("schema", "time")}
            for event in self.events
        ]
        assert not [fault for event in given for fault in faults(event.pop("event"), event)]


class Setting:
    """The command's side is bob; alice and carol talk to him."""

    def __init__(self, server: Server, bob: UA, alice: UA, carol: UA) -> None:
        self.server, self.bob, self.alice, self.carol = server, bob, alice, carol
        self.told = Told()
        self.run = Run(self.told, OutputOptions(json=True, verbose=0))
        self.carols: list[RTCSession] = []
        self.answers = True
        carol.on("new_rtc_session", self._on_call)

    def _on_call(self, event: Any) -> None:
        if event.originator != "remote":
            return
        self.carols.append(event.session)
        event.session.on("refer", lambda event: event.accept())
        event.session.on("replaces", lambda event: event.accept())
        if self.answers:
            event.session.answer()
        else:
            asyncio.get_running_loop().call_later(1, lambda: event.session.terminate(status_code=486))

    def conversations(self, tasks: TaskOptions | None = None, **options: Any) -> Conversations:
        audio = AudioOptions(duration=options.pop("duration", None))
        calls = Conversations(self.run, audio, tasks, **options)
        calls.ua = self.bob
        return calls

    def answering(self, calls: Conversations, count: int | None = 1) -> Answering:
        made = Answering(self.run, calls, code=None, reason=None, count=count)
        self.bob.on("new_rtc_session", made.on_call)
        return made

    def calling(self, calls: Conversations, target: str = "carol", **options: Any) -> asyncio.Task[ExitCode]:
        return calls.begin(calls.new(), self.bob.call(target, **options))


@contextlib.asynccontextmanager
async def setting() -> AsyncIterator[Setting]:
    def user(name: str) -> UA:
        return UA(
            f"sip:{name}@localhost", sockets=server.connector(), password="x", media=SignallingOnlyMedia
        )

    accounts = dict.fromkeys(("alice", "bob", "carol"), "x")
    server = Server(accounts, port=None, media=SignallingOnlyMedia)
    async with server, user("alice") as alice, user("bob") as bob, user("carol") as carol:
        made = Setting(server, bob, alice, carol)
        yield made
        made.told.check()


async def test_a_peer_that_vanished_is_told_though_we_hang_up_first(monkeypatch: pytest.MonkeyPatch) -> None:
    async with setting() as s:
        calling = s.calling(s.conversations(duration=10.0))
        await asyncio.sleep(5)
        stats = SignallingOnlyMedia.stats
        monkeypatch.setattr(
            SignallingOnlyMedia, "stats", lambda media: replace(stats(media), state="disconnected")
        )
        assert await calling == ExitCode.FAILED
        assert [event["message"] for event in s.told.all("warning")] == [
            "nothing comes from the peer any more"
        ]


# --- answering --------------------------------------------------------------------------------------------------------


async def test_a_transferred_call_goes_on_with_somebody_else() -> None:
    async with setting() as s:
        answering = s.answering(s.conversations())
        call = s.alice.call("bob")
        await call.wait_confirmed()
        statuses: list[int] = []
        transfer = call.refer("carol")
        for name in ("trying", "progress", "accepted"):
            transfer.on(name, lambda event: statuses.append(event.status_code))
        await transfer
        ended = await call.wait_ended()
        assert (statuses[0], statuses[-1]) == (100, 200), "NOTIFYs told how it went"
        assert ended.originator == "local", "who transfers ends the old call"
        (carols,) = s.carols
        assert carols.request.headers["Referred-By"] == "<sip:alice@localhost>"
        await asyncio.sleep(5)
        assert answering._tasks, "one call, of which the second part goes on"
        carols.terminate()
        await answering.wait(None)
        await answering.finish()
    assert answering.code == ExitCode.OK
    (refer,) = s.told.all("refer")
    assert (refer["call"], refer["target"], refer["accepted"]) == (1, "sip:carol@localhost", True)
    assert refer["referred_by"] == "sip:alice@localhost"
    first, second = s.told.all("call")
    assert "replaces" not in first
    assert (second["call"], second["direction"], second["replaces"]) == (2, "outgoing", 1)
    assert [(event["call"], event["originator"]) for event in s.told.all("ended")] == [
        (1, "remote"),
        (2, "remote"),
    ]


async def test_transfers_are_refused_if_so_wanted() -> None:
    async with setting() as s:
        s.answering(s.conversations(refuse_transfers=True))
        call = s.alice.call("bob")
        await call.wait_confirmed()
        with pytest.raises(TransferFailed) as failure:
            await call.refer("carol")
        assert failure.value.status_code == 603
        assert call.is_established()
        assert not s.carols
    assert s.told.all("refer")[0]["accepted"] is False


async def test_a_transfer_that_fails_leaves_the_call_as_it_was() -> None:
    async with setting() as s:
        s.answers = False
        answering = s.answering(s.conversations())
        call = s.alice.call("bob")
        await call.wait_confirmed()
        with pytest.raises(TransferFailed) as failure:
            await call.refer("carol")
        assert failure.value.status_code == 486
        await asyncio.sleep(60)
        assert call.is_established()
        s.answers = True
        await call.refer("carol")
        await asyncio.sleep(5)
        s.carols[-1].terminate()
        await answering.wait(None)
        await answering.finish()
    assert answering.code == ExitCode.OK, "a call that went well in the end"
    assert [event["message"] for event in s.told.all("warning")] == [
        "the transfer failed: sip:carol@localhost: Busy (486 Busy Here)"
    ]
    assert [event["call"] for event in s.told.all("call")] == [1, 2, 3]


async def test_left_alone_by_a_transfer_that_fails() -> None:
    """Whom we talked to does not wait for how it goes: that nobody is there is how this call ended."""
    async with setting() as s:
        s.answers = False
        answering = s.answering(s.conversations())
        call = s.alice.call("bob")
        await call.wait_confirmed()
        call.refer("carol", hang_up=False)
        await asyncio.sleep(0.3)
        call.terminate()
        await answering.wait(None)
        await answering.finish()
    assert answering.code == ExitCode.BUSY
    assert not s.told.all("warning")


async def test_a_second_transfer_while_one_goes_on_is_refused() -> None:
    async with setting() as s:
        s.answers = False
        s.answering(s.conversations())
        call = s.alice.call("bob")
        await call.wait_confirmed()
        first = call.refer("carol")
        with pytest.raises(TransferFailed) as failure:
            await call.refer("600")
        assert failure.value.status_code == 603
        with pytest.raises(TransferFailed, match="486"):
            await first
    assert [event["accepted"] for event in s.told.all("refer")] == [True, False]


async def test_somebody_takes_the_place_of_the_peer() -> None:
    """Attended: alice asks carol, and connects carol with us; the new INVITE replaces our call."""
    async with setting() as s:
        answering = s.answering(s.conversations())
        call, consultation = s.alice.call("bob"), s.alice.call("carol")
        await asyncio.gather(call.wait_confirmed(), consultation.wait_confirmed())
        await consultation.refer(replaces=call)
        ended = await call.wait_ended()
        assert ended.originator == "remote", "we end the call that was replaced"
        await asyncio.sleep(5)
        assert len(answering._tasks) == 1, "it does not count as another call"
        await s.alice.stop()
        (second,) = s.told.all("call")[1:]
        assert (second["direction"], second["remote"], second["replaces"]) == (
            "incoming",
            "sip:carol@localhost",
            1,
        )
        assert s.told.all("replaced")[0]["accepted"] is True
        await s.carol.stop()
        await answering.wait(None)
        await answering.finish()
    assert answering.code == ExitCode.OK


async def test_nobody_takes_the_place_of_the_peer_if_so_wanted() -> None:
    async with setting() as s:
        s.answering(s.conversations(refuse_transfers=True))
        call, consultation = s.alice.call("bob"), s.alice.call("carol")
        await asyncio.gather(call.wait_confirmed(), consultation.wait_confirmed())
        with pytest.raises(TransferFailed, match="603"):
            await consultation.refer(replaces=call)
        assert call.is_established()
    assert s.told.all("replaced")[0]["accepted"] is False


async def test_a_transfer_that_cannot_be_recorded_is_not_made() -> None:
    async with setting() as s:
        calls = s.conversations()
        task = s.calling(calls)
        await asyncio.sleep(1)

        def full() -> Conversation:
            raise MediaFileError("x-2.wav", "directory is not writable; choose another one")

        calls.new = full  # type: ignore[method-assign]
        with pytest.raises(TransferFailed) as failure:
            await s.carols[0].refer("600")
        assert failure.value.status_code == 500
        assert s.carols[0].is_established()
        s.carols[0].terminate()
        assert await task == ExitCode.OK
    assert [event["message"] for event in s.told.all("warning")] == [
        "not transferred: x-2.wav: directory is not writable; choose another one"
    ]


async def test_transfers_without_end_are_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sipua.cli.conversation.MOST_TRANSFERS", 3)
    async with setting() as s:

        def send_back(event: Any) -> None:
            event.session.on("confirmed", lambda _: event.session.refer("carol"))

        s.carol.on("new_rtc_session", send_back)
        task = s.calling(s.conversations(duration=10.0))
        await asyncio.sleep(5)
        assert len(s.carols) == 4
        await task
    assert [event["accepted"] for event in s.told.all("refer")] == [True, True, True, False]


# --- calling ----------------------------------------------------------------------------------------------------------


async def test_a_call_of_ours_is_transferred() -> None:
    async with setting() as s:
        task = s.calling(s.conversations())
        await asyncio.sleep(1)
        (carols,) = s.carols
        carols.refer("609")  # hangs up after 2 s
        assert await task == ExitCode.OK
    assert [event["remote"] for event in s.told.all("call")] == ["sip:carol@localhost", "sip:609@localhost"]


async def test_a_peer_that_never_hangs_up_the_old_call() -> None:
    """It is over with the new one, at the latest."""
    async with setting() as s:
        task = s.calling(s.conversations())
        await asyncio.sleep(1)
        (carols,) = s.carols
        carols.refer("609", hang_up=False)
        assert await task == ExitCode.OK
        assert (await carols.wait_ended()).originator == "remote"


async def test_what_is_expected_may_come_after_the_transfer() -> None:
    async def digits(call: RTCSession, tones: str) -> None:
        await asyncio.sleep(1)
        await call.send_dtmf(tones, transport_type="INFO")

    async with setting() as s:

        def on_call(event: Any) -> None:
            event.session.answer()
            event.session.on("confirmed", lambda _: asyncio.ensure_future(digits(event.session, "2")))

        s.alice.on("new_rtc_session", on_call)
        tasks = TaskOptions(dtmf="9", expect_dtmf=("1", "2"), expect_within=4)
        task = s.calling(s.conversations(tasks))
        await asyncio.sleep(1)
        (carols,) = s.carols
        await digits(carols, "1")
        await asyncio.sleep(1)
        await carols.refer("alice")
        assert await task == ExitCode.OK
    assert [(event["call"], event["what"]) for event in s.told.all("expected")] == [
        (1, "the digits 1"),
        (2, "the digits 2"),
    ]
    sent = [event["call"] for event in s.told.all("dtmf") if event["originator"] == "local"]
    assert sent == [1], "digits for the first peer are not sent to the second"


async def test_what_does_not_come_after_the_transfer_either() -> None:
    async with setting() as s:
        task = s.calling(s.conversations(TaskOptions(expect_dtmf=("1",), expect_within=3)))
        await asyncio.sleep(1)
        s.carols[0].refer("600")
        with pytest.raises(Failure, match="sip:600@localhost: expected the digits 1; no digits came"):
            await task


async def test_the_end_of_the_duration_ends_the_call_that_begins_too() -> None:
    async with setting() as s:
        task = s.calling(s.conversations(duration=3.0))
        await asyncio.sleep(1)
        s.carols[0].refer("608")  # rings for ever
        began = asyncio.get_running_loop().time()
        with contextlib.suppress(Failure):
            await task
        assert asyncio.get_running_loop().time() - began < 5
    assert {event["call"] for event in s.told.all("ended")} == {1}
    assert [(event["call"], event["cause"]) for event in s.told.all("failed")] == [(2, str(Cause.CANCELED))]


async def test_a_peer_that_has_not_the_patience_for_all_digits() -> None:
    async with setting() as s:
        task = s.calling(s.conversations(TaskOptions(dtmf="12,,,,3", dtmf_by="INFO")))
        await asyncio.sleep(3)
        s.carols[0].terminate()
        assert await task == ExitCode.OK
    assert [event["message"] for event in s.told.all("warning")] == [
        "the call ended before the digits 3 were sent"
    ]


async def test_a_call_that_breaks_is_told_at_the_end() -> None:
    async with setting() as s:
        task = s.calling(s.conversations())
        await asyncio.sleep(1)
        (call,) = s.bob.sessions
        call.terminate(cause=Cause.RTP_TIMEOUT)
        with pytest.raises(Failure, match=r"^sip:carol@localhost: the call broke: RTP Timeout$") as error:
            await task
    assert error.value.code == ExitCode.FAILED


async def test_digits_for_which_there_is_no_time() -> None:
    async with setting() as s:
        task = s.calling(s.conversations(TaskOptions(dtmf=",1,2,,3#,", dtmf_by="INFO"), duration=6.0))
        with pytest.raises(Failure, match="sip:carol@localhost: the digits 3# were not sent before the end"):
            await task
    assert not s.told.all("warning")


async def test_digits_for_which_there_is_just_the_time() -> None:
    async with setting() as s:
        task = s.calling(s.conversations(TaskOptions(dtmf="1,2,,", dtmf_by="INFO"), duration=3.0))
        assert await task == ExitCode.OK
    assert not s.told.all("warning")


@pytest.mark.parametrize(
    ("status", "header", "line"),
    [
        (486, "Reason: Q.850;cause=17", "sip:carol@localhost: Busy (486 Busy Here)"),
        (
            486,
            'Reason: Q.850;cause=17;text="in a meeting"',
            "sip:carol@localhost: Busy (486 Busy Here): in a meeting",
        ),
        (
            302,
            "Contact: <sip:alice@localhost>",
            "sip:carol@localhost: Redirected (302 Moved Temporarily); call sip:alice@localhost instead",
        ),
    ],
)
async def test_a_refusal_in_words(status: int, header: str, line: str) -> None:
    async with setting() as s:
        s.answers = False
        task = s.calling(s.conversations())
        await asyncio.sleep(0.5)
        s.carols[0].terminate(status_code=status, extra_headers=[header])
        with pytest.raises(Failure) as failure:
            await task
    assert str(failure.value) == line


# --- scripts ----------------------------------------------------------------------------------------------------------


def scripted(s: Setting, text: str) -> Conversations:
    return s.conversations(scripted=Scripting(parse_script(text), ScriptOptions(), s.told))


async def test_a_script_goes_on_where_the_call_is_transferred() -> None:
    async with setting() as s:
        task = s.calling(scripted(s, "wait 1s; wait 3s; expect ended within 2s"))
        await asyncio.sleep(0.5)
        transfer = s.carols[0].refer("609")  # hangs up after 2 s
        await asyncio.sleep(1)
        assert (await transfer).status_code == 200
        assert await task == ExitCode.OK
    assert {event["verdict"] for event in s.told.all("step")} == {"passed"}
    assert [event["remote"] for event in s.told.all("call")] == ["sip:carol@localhost", "sip:609@localhost"]


async def test_the_end_of_a_script_ends_the_call_that_it_is_about() -> None:
    async with setting() as s:
        task = s.calling(scripted(s, "wait 2s; expect no ended within 5s; wait 1s"))
        await asyncio.sleep(0.5)
        s.carols[0].refer("600")
        assert await task == ExitCode.OK
    assert [(event["call"], event["originator"]) for event in s.told.all("ended")] == [
        (1, "remote"),
        (2, "local"),
    ]


async def test_a_peer_that_leaves_before_the_new_call_is_up_does_not_end_the_script() -> None:
    async with setting() as s:

        def slowly(event: Any) -> None:
            asyncio.get_running_loop().call_later(3, event.session.answer)

        s.alice.on("new_rtc_session", slowly)
        task = s.calling(scripted(s, "wait 5s; expect no ended within 1s"))
        await asyncio.sleep(0.5)
        s.carols[0].refer("alice", hang_up=False)
        await asyncio.sleep(0.5)
        s.carols[0].terminate()
        assert await task == ExitCode.OK


async def test_a_script_that_is_left_alone_by_a_transfer_that_fails() -> None:
    async with setting() as s:
        task = s.calling(scripted(s, "expect dtmf 1 within 20s"))
        await asyncio.sleep(0.5)
        s.alice.on(
            "new_rtc_session",
            lambda event: asyncio.get_running_loop().call_later(
                3, lambda: event.session.terminate(status_code=486)
            ),
        )
        s.carols[0].refer("alice", hang_up=False)
        await asyncio.sleep(0.5)
        s.carols[0].terminate()
        began = asyncio.get_running_loop().time()
        with pytest.raises(Failure, match="the call is over"):
            await task
        assert asyncio.get_running_loop().time() - began < 4


async def test_a_script_that_ends_while_the_new_call_rings() -> None:
    async with setting() as s:
        task = s.calling(scripted(s, "wait 2s"))
        await asyncio.sleep(0.5)
        s.carols[0].refer("608")
        began = asyncio.get_running_loop().time()
        with contextlib.suppress(Failure):
            await task
        assert asyncio.get_running_loop().time() - began < 3


# --- our own transfers ------------------------------------------------------------------------------------------------


async def test_attended_transfer() -> None:
    async with setting() as s:
        tasks = TaskOptions(transfer="alice", attended=True)
        s.alice.on("new_rtc_session", _take)
        held: list[str] = []
        s.carol.on(
            "new_rtc_session",
            lambda event: event.session.on("hold", lambda event: held.append(event.originator)),
        )
        task = s.calling(s.conversations(tasks))
        assert await task == ExitCode.OK
    assert held == ["remote"], "the peer waits while we ask"
    assert [event["state"] for event in s.told.all("transfer")] == ["asked", "succeeded"]
    assert [event["remote"] for event in s.told.all("call")] == ["sip:carol@localhost", "sip:alice@localhost"]


@pytest.mark.parametrize(("target", "code"), [("610", ExitCode.BUSY), ("608", ExitCode.TIMEOUT)])
async def test_attended_transfer_to_nobody(target: str, code: ExitCode) -> None:
    async with setting() as s:
        tasks = TaskOptions(transfer=target, attended=True)
        task = s.calling(s.conversations(tasks, timeout=10))
        with pytest.raises(Failure, match=f"transfer to {target}: ") as failure:
            await task
    assert failure.value.code == code
    assert not s.told.all("transfer"), "the peer was not asked"
    assert [event["originator"] for event in s.told.all("unhold")] == ["local"]


@pytest.mark.parametrize(
    ("after", "options", "why"),
    [
        (1, {"hold_after": 3.0}, "transfer to 600: the call ended before that"),
        (
            None,
            {"hold_after": 3.0, "duration": 2.0},
            "transfer to 600: not done before the end of --duration",
        ),
    ],
)
async def test_transfer_that_is_never_asked_for(
    after: float | None, options: dict[str, Any], why: str
) -> None:
    async with setting() as s:
        duration = options.pop("duration", None)
        task = s.calling(s.conversations(TaskOptions(transfer="600", **options), duration=duration))
        await asyncio.sleep(0.5)
        if after is not None:
            s.carols[0].terminate()
        with pytest.raises(Failure) as failure:
            await task
    assert str(failure.value) == why


def _take(event: Any) -> None:
    if event.originator == "remote":
        event.session.on("replaces", lambda event: event.accept())
        event.session.answer()
