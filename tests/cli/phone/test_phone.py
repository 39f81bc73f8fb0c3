"""The model of the phone, through the embedded server, on simulated time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from sipua.cli.events import faults
from sipua.cli.exits import Failure
from sipua.cli.phone.book import Book
from sipua.cli.phone.sound import Sound, SoundOptions
from sipua.errors import InvalidTargetError, MediaDeviceLost
from sipua.events import MediaFailed
from sipua.media.devices import AudioDevice, Microphone

if TYPE_CHECKING:
    from pathlib import Path

    from sipua.cli.phone.phone import Phone


async def until(condition: Any, seconds: float = 60.0) -> None:
    for _ in range(round(seconds / 0.05)):
        if condition():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("not within the time")


def states(phone: Phone) -> list[str]:
    return [call.state for call in phone.calls]


async def answered(caller: Phone, callee: Phone, target: str = "bob") -> None:
    caller.dial(target)
    await until(lambda: any(call.waits_for_answer for call in callee.calls))
    callee.answer()
    await until(lambda: callee.calls[-1].is_up and caller.calls[-1].is_up)


async def test_a_call_from_the_first_ring_to_the_history(make_phone: Any, make_server: Any) -> None:
    async with (
        make_server() as server,
        make_phone(server, "alice") as (alice, a),
        make_phone(server, "bob") as (bob, b),
    ):
        assert [line.state for line in (*alice.lines, *bob.lines)] == ["registered"] * 2
        call = alice.dial("bob")
        assert (call.number, call.state, alice.selected) == (1, "calling", call)
        await until(lambda: states(bob) == ["incoming"])
        await until(lambda: states(alice) == ["ringing"])
        bob.answer()
        await until(lambda: states(alice) == states(bob) == ["connected"])
        await asyncio.sleep(61)
        assert 60 < call.seconds < 62
        bob.hang_up()
        await until(lambda: not alice.calls and not bob.calls)
        assert alice.selected is None
        (entry,) = alice.book.history
        assert (entry.direction, entry.remote, entry.outcome) == (
            "outgoing",
            "sip:bob@example.com",
            "answered",
        )
        assert 60 < entry.seconds < 62
        assert bob.book.history[0].direction == "incoming"
        assert "[1] calling sip:bob@example.com" in a.lines
        assert "[1] call from sip:alice@example.com" in b.lines
        assert any(line.startswith("[1] the peer hung up after 01:01") for line in a.lines)
    for told in (a, b):
        assert [fault for news in told.news for fault in faults(news.name, news.fields)] == []


async def test_missed_declined_cancelled_and_refused_calls(make_phone: Any, make_server: Any) -> None:
    async with (
        make_server() as server,
        make_phone(server, "alice") as (alice, a),
        make_phone(server, "bob") as (bob, b),
    ):
        alice.dial("bob")
        await until(lambda: bob.calls)
        alice.hang_up()
        await until(lambda: not bob.calls and not alice.calls)
        alice.dial("bob")
        await until(lambda: bob.calls)
        bob.decline(status=603)
        await until(lambda: not alice.calls)
        alice.dial("nobody")
        await until(lambda: not alice.calls)
        assert [entry.outcome for entry in bob.book.history] == ["missed", "declined"]
        assert "[1] missed call from sip:alice@example.com" in b.lines
        assert "[2] declined call from sip:alice@example.com" in b.lines
        assert [entry.outcome for entry in alice.book.history] == ["cancelled", "rejected", "not found"]
        assert "[3] sip:nobody@example.com: Not Found (404 Not Found)" in a.lines


async def test_digits_that_are_late(make_phone: Any, make_server: Any) -> None:
    async with (
        make_server() as server,
        make_phone(server, "alice") as (alice, told),
        make_phone(server, "bob", auto_answer=True),
    ):
        call = alice.dial("bob")
        await until(lambda: call.is_up)
        alice.send_digits("1,2")
        await asyncio.sleep(1)
        alice.hang_up()
        await until(lambda: not alice.calls)
        await asyncio.sleep(3)
        assert "[1] the rest of the digits was not sent: the call is over" in told.lines


async def test_a_second_call_holds_the_first(make_phone: Any, make_server: Any) -> None:
    async with (
        make_server() as server,
        make_phone(server, "alice") as (alice, a),
        make_phone(server, "bob") as (bob, b),
        make_phone(server, "carol") as (carol, _),
    ):
        await answered(alice, bob)
        await answered(alice, carol, "carol")
        await until(lambda: states(alice) == ["held", "connected"])
        assert bob.calls[0].held_by_peer
        await alice.resume(1)
        await until(lambda: states(alice) == ["connected", "held"])
        assert alice.selected is alice.calls[0]
        assert carol.calls[0].held_by_peer
        assert "[1] the peer has put us on hold" in b.lines
        assert "[1] the peer has taken us off hold" in b.lines
        assert [event["call"] for event in a.named("hold")] == [1, 2]


async def test_mute_is_told(make_phone: Any, make_server: Any) -> None:
    async with (
        make_server() as server,
        make_phone(server, "alice") as (alice, a),
        make_phone(server, "bob") as (bob, _),
    ):
        with pytest.raises(Failure, match="there is no call"):
            alice.mute()
        await answered(alice, bob)
        alice.mute()
        assert alice.calls[0].muted
        alice.mute()
        alice.mute(muted=False)
        assert not alice.calls[0].muted
        assert [event["muted"] for event in a.named("mute")] == [True, False]


async def test_blind_transfer(make_phone: Any, make_server: Any) -> None:
    async with (
        make_server() as server,
        make_phone(server, "alice") as (alice, a),
        make_phone(server, "bob") as (bob, b),
        make_phone(server, "carol") as (carol, _),
    ):
        await answered(alice, bob)
        alice.transfers.blind("carol")
        await until(lambda: bob.calls[0].refer is not None)
        (asked,) = b.named("refer")
        assert asked["target"] == "sip:carol@example.com"
        bob.transfers.accept()
        await until(lambda: carol.calls)
        carol.answer()
        await until(lambda: not alice.calls)
        await until(lambda: states(bob) == states(carol) == ["connected"])
        assert [event["state"] for event in a.named("transfer")] == ["asked", "trying", "succeeded"]


async def test_a_transfer_that_is_refused_leaves_the_call(make_phone: Any, make_server: Any) -> None:
    async with (
        make_server() as server,
        make_phone(server, "alice") as (alice, a),
        make_phone(server, "bob") as (bob, _),
    ):
        await answered(alice, bob)
        with pytest.raises(Failure, match="no peer has asked"):
            bob.transfers.refuse()
        alice.transfers.blind("carol")
        await until(lambda: bob.calls[0].refer is not None)
        bob.transfers.refuse()
        await until(lambda: a.named("transfer")[-1]["state"] == "failed")
        assert states(alice) == states(bob) == ["connected"]


async def test_attended_transfer(make_phone: Any, make_server: Any) -> None:
    async with (
        make_server() as server,
        make_phone(server, "alice") as (alice, a),
        make_phone(server, "bob") as (bob, _),
        make_phone(server, "carol") as (carol, _c),
    ):
        await answered(alice, bob)
        await answered(alice, carol, "carol")
        with pytest.raises(Failure, match="another one"):
            alice.transfers.attended(2)
        alice.transfers.attended(2, 1)
        await until(lambda: bob.calls[0].refer is not None)
        bob.transfers.accept()
        await until(lambda: not alice.calls)
        await until(lambda: states(bob) == states(carol) == ["connected"])
        assert carol.calls[0].remote == "sip:bob@example.com"
        assert a.named("transfer")[-1]["state"] == "succeeded"


async def test_conference(make_phone: Any, make_server: Any) -> None:
    async with (
        make_server() as server,
        make_phone(server, "alice") as (alice, a),
        make_phone(server, "bob") as (bob, _),
        make_phone(server, "carol") as (carol, _c),
    ):
        await answered(alice, bob)
        with pytest.raises(Failure, match="two calls"):
            alice.desk.join(alice.calls)
        await answered(alice, carol, "carol")
        await until(lambda: states(alice) == ["held", "connected"])
        alice.desk.join(alice.calls)
        await until(lambda: not bob.calls[0].held_by_peer)
        assert states(alice) == ["conference", "conference"]
        alice.mute()
        assert all(alice.desk.is_muted(call) for call in alice.calls)
        assert not alice.calls[0].muted  # the members hear each other
        alice.mute()
        alice.desk.split()
        await until(lambda: states(alice) == ["held", "connected"])
        alice.desk.join(alice.calls)
        carol.hang_up()
        await until(lambda: states(alice) == ["connected"])
        assert [event["calls"] for event in a.named("conference")] == [[1, 2], [], [1, 2], []]


async def test_messages(make_phone: Any, make_server: Any) -> None:
    async with (
        make_server() as server,
        make_phone(server, "alice") as (alice, a),
        make_phone(server, "bob") as (bob, b),
    ):
        alice.messages.send("bob", "hello there")
        await until(lambda: bob.messages.all)
        assert "message from sip:alice@example.com: hello there" in b.lines
        await until(lambda: alice.messages.all[0].state == "sent")
        alice.messages.send("nobody", "hello?")
        await until(lambda: len(a.named("response")) == 2)
        assert [event["status"] for event in a.named("response")] == [200, 404]
        with pytest.raises(Failure, match="empty"):
            alice.messages.send("bob", "  ")


async def test_several_accounts(make_phone: Any, make_server: Any) -> None:
    async with (
        make_server() as server,
        make_phone(server, "alice", "carol") as (phone, told),
        make_phone(server, "bob") as (bob, _),
    ):
        assert "carol: registered as sip:carol@example.com for 600 s" in told.lines
        phone.dial("bob", "carol")
        await until(lambda: bob.calls)
        assert bob.calls[0].remote == "sip:carol@example.com"
        with pytest.raises(Failure, match="no account 'dave'; there are: alice, carol"):
            phone.dial("bob", "dave")


async def test_a_wrong_password_is_told_once(make_phone: Any, make_server: Any) -> None:
    async with (
        make_server() as server,
        make_phone(server, "alice", passwords={"alice": "wrong"}) as (alice, told),
    ):
        assert alice.lines[0].state == "refused"
        await asyncio.sleep(3600)
        (line,) = [line for line in told.lines if "registration failed" in line]
        assert line == (
            "registration failed: Authentication Error (401 Unauthorized); mend the account, then: register"
        )


async def test_an_outage_is_told_once_and_so_is_its_end(make_phone: Any, make_server: Any) -> None:
    async with make_server() as server, make_phone(server, "alice") as (alice, told):
        await server.stop()
        await until(lambda: alice.lines[0].state == "no connection")
        await asyncio.sleep(600)
        assert len(told.named("connecting")) > 5
        assert len([line for line in told.lines if line.startswith("no connection")]) == 1
        with pytest.raises(Failure, match="alice: not connected to a server"):
            alice.dial("bob")
        await server.start()
        await until(lambda: alice.lines[0].state == "registered", 600)
        assert told.lines[-1].startswith("registered as sip:alice@example.com")


async def test_leaving_ends_calls(make_phone: Any, make_server: Any) -> None:
    async with make_server() as server, make_phone(server, "bob") as (bob, b):
        async with make_phone(server, "alice") as (alice, _):
            await answered(alice, bob)
        await until(lambda: not bob.calls)
        assert b.named("ended")[0]["originator"] == "remote"
        assert list(server.registrations()) == ["bob"]


async def test_auto_answer(make_phone: Any, make_server: Any) -> None:
    async with (
        make_server() as server,
        make_phone(server, "alice") as (alice, _),
        make_phone(server, "bob", auto_answer=True) as (bob, _b),
    ):
        alice.dial("bob")
        await until(lambda: states(alice) == ["connected"])
        assert states(bob) == ["connected"]


async def test_contacts_are_dialled(make_phone: Any, make_server: Any, tmp_path: Path) -> None:
    book = Book(tmp_path, lambda text: None)
    book.add("Robert", "bob")
    async with make_server() as server, make_phone(server, "alice", book=book) as (alice, _):
        assert alice.dial("robert").remote == "sip:bob@example.com"
        with pytest.raises(InvalidTargetError):
            alice.dial("sip:<>")
        with pytest.raises(Failure, match="no call 7; there are: 1"):
            alice.hang_up(7)
        with pytest.raises(Failure, match="nobody is calling"):
            alice.answer()
        with pytest.raises(Failure, match="call 1 is not answered yet"):
            alice.send_digits("1")


async def test_a_device_that_vanishes_is_told_once_and_the_call_goes_on(
    make_phone: Any, make_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices = [AudioDevice(0, "USB", "ALSA", 1, 0, 48000, True, False)]
    monkeypatch.setattr("sipua.media.devices.list_devices", lambda: devices)
    async with (
        make_server() as server,
        make_phone(server, "alice", sound=Sound(SoundOptions(speaker=False))) as (alice, told),
        make_phone(server, "bob") as (bob, _),
    ):
        await answered(alice, bob)
        call = alice.calls[0]
        assert isinstance(call.source, Microphone)
        devices.clear()
        for _ in range(2):
            error = MediaDeviceLost("microphone 'USB'", "was unplugged")
            call.session.emit("media_failed", MediaFailed(error))
            await asyncio.sleep(1)
        assert [line for line in told.lines if "calls go on" in line] == [
            "calls go on without it; choose another (v, or the command sound), or hang up"
        ]
        assert call.source is None
        assert (call.state, alice.sound.source_name) == ("connected", "silence")
        devices.append(AudioDevice(0, "Other", "ALSA", 1, 0, 48000, True, False))
        alice.sound.choose("microphone")
        alice.desk.change()
        assert repr(call.session.audio.source) == "Microphone('Other')"


async def test_our_sound_goes_to_whom_we_talk_to(make_phone: Any, make_server: Any) -> None:
    sound = Sound(SoundOptions(tone=440.0, speaker=False))
    async with (
        make_server() as server,
        make_phone(server, "alice", sound=sound) as (alice, _),
        make_phone(server, "bob") as (bob, _b),
        make_phone(server, "carol") as (carol, _c),
    ):
        await answered(alice, bob)
        await answered(alice, carol, "carol")
        await until(lambda: states(alice) == ["held", "connected"])
        assert [call.source is not None for call in alice.calls] == [False, True]
        await alice.resume(1)
        await until(lambda: states(alice) == ["connected", "held"])
        await until(lambda: [call.source is not None for call in alice.calls] == [True, False])
        sound.choose("tone 1000")
        alice.desk.change()
        assert repr(alice.calls[0].session.audio.source) == repr(sound.source())
