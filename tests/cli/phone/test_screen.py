"""The screen, by textual's pilot on simulated time: what is shown, and what keys do."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from rich.text import Text
from textual.widgets import Input

from sipua.cli.phone.bulletin import News
from sipua.cli.phone.screen.app import PhoneApp
from sipua.cli.phone.screen.dialogs import Ask, Keypad, Show, TransferTo
from sipua.cli.phone.screen.keys import KEYS, PAGES
from sipua.cli.phone.screen.shown import Shown

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from textual.pilot import Pilot

    from sipua.cli.phone.phone import Phone


@pytest.fixture(autouse=True)
def textual_goes_by_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Textual sleeps by the loop and reads the machine's clock: on simulated time it would paint later and later."""
    monkeypatch.setattr("textual._time.get_time", lambda: asyncio.get_running_loop().time())


@asynccontextmanager
async def shown(
    phone: Phone, size: tuple[int, int] = (80, 24)
) -> AsyncIterator[tuple[PhoneApp, Pilot[None]]]:
    app = PhoneApp(phone)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield app, pilot


def screen(app: PhoneApp) -> str:
    """What a person sees, line by line."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


async def until(condition: Any) -> None:
    for _ in range(250):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("not within the time")


async def dialled(app: PhoneApp, pilot: Pilot[None], target: str) -> None:
    await pilot.press("d", *target, "enter")
    await until(lambda: app.phone.calls and app.phone.calls[-1].is_up)
    app.show_now()
    await pilot.pause()


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (60, 16)])
async def test_everything_is_on_the_screen(size: tuple[int, int], make_phone: Any, make_server: Any) -> None:
    async with (
        make_server() as server,
        make_phone(server, "alice") as (alice, _),
        shown(alice, size) as (app, pilot),
    ):
        app.show_now()
        await pilot.pause()
        text = screen(app)
        assert "● alice  sip:alice@example.com  registered" in text
        assert "♪ silence" in text
        assert "no call; d dials" in text
        assert "alice calls:" in text
        words = " ".join(text.split())
        for key in KEYS:
            assert f"{key.shown} {key.word}" in words
        if size[0] >= 80:
            assert all(f"{key} {title}" in text for _, key, title, _ in PAGES)


async def test_a_call_with_keys(make_phone: Any, make_server: Any) -> None:
    async with (
        make_server() as server,
        make_phone(server, "alice") as (alice, told),
        make_phone(server, "bob", auto_answer=True) as (bob, _b),
        shown(alice) as (app, pilot),
    ):
        await dialled(app, pilot, "bob")
        assert "▶ 1 → sip:bob@example.com" in screen(app)
        assert "connected  00:0" in screen(app)
        await pilot.press("m")
        assert alice.calls[0].muted
        app.show_now()
        await pilot.pause()
        assert " muted " in screen(app)
        await pilot.press("o")
        await until(lambda: alice.calls[0].state == "held")
        await pilot.press("o")
        await until(lambda: alice.calls[0].state == "connected")
        await pilot.press("h")
        await until(lambda: not alice.calls)
        await pilot.press("f2")
        app.show_now()
        await pilot.pause()
        assert "→ sip:bob@example.com  answered" in screen(app)
        await pilot.press("enter")
        await until(lambda: alice.calls and alice.calls[0].is_up)
        await until(lambda: bob.calls)
        bob.hang_up()
        await until(lambda: not alice.calls)
        assert told.named("warning") == []


async def test_calls_that_come_in(make_phone: Any, make_server: Any) -> None:
    async with (
        make_server() as server,
        make_phone(server, "alice") as (alice, _),
        make_phone(server, "bob") as (bob, _b),
        shown(alice) as (app, pilot),
    ):
        bob.dial("alice")
        await until(lambda: alice.calls)
        app.show_now()
        await pilot.pause()
        assert "INCOMING CALL" in screen(app)
        assert "to alice: a answers, h refuses" in screen(app)
        await pilot.press("h")
        await until(lambda: not bob.calls)
        assert alice.book.history[0].outcome == "declined"
        bob.dial("alice")
        await until(lambda: alice.calls)
        await pilot.press("a")
        await until(lambda: bob.calls[0].is_up)
        bob.transfers.blind("600")
        await until(lambda: alice.calls[0].refer is not None)
        app.show_now()
        await pilot.pause()
        assert "asks you to call sip:600@example.com: y yes, x no" in screen(app)
        await pilot.press("x")
        assert alice.calls[0].refer is None


async def test_conference_and_transfer(make_phone: Any, make_server: Any) -> None:
    async with (
        make_server() as server,
        make_phone(server, "alice") as (alice, told),
        make_phone(server, "bob", auto_answer=True),
        make_phone(server, "carol", auto_answer=True),
        shown(alice) as (app, pilot),
    ):
        await pilot.press("t", "k", "o")
        assert told.lines[-1] == "there is no call"
        await dialled(app, pilot, "bob")
        await dialled(app, pilot, "carol")
        await until(lambda: [call.state for call in alice.calls] == ["held", "connected"])
        await pilot.press("c")
        assert [call.state for call in alice.calls] == ["conference"] * 2
        await pilot.press("c")
        await until(lambda: [call.state for call in alice.calls] == ["held", "connected"])
        await pilot.press("up")
        assert alice.selected is alice.calls[0]
        await pilot.press("t")
        assert isinstance(app.screen, TransferTo)
        assert "2  sip:carol@example.com" in screen(app)
        await pilot.press("tab", "enter")
        await until(lambda: told.named("transfer"))
        assert told.named("transfer")[0]["target"] == "sip:carol@example.com"
        await pilot.press("t", *"dave", "enter")
        assert told.named("transfer")[-1]["target"] == "sip:dave@example.com"


async def test_the_keypad(make_phone: Any, make_server: Any) -> None:
    async with (
        make_server() as server,
        make_phone(server, "alice") as (alice, told),
        make_phone(server, "bob", auto_answer=True),
        shown(alice) as (app, pilot),
    ):
        await dialled(app, pilot, "bob")
        await pilot.press("7", "k")
        assert isinstance(app.screen, Keypad)
        await pilot.press("1", "a", "asterisk", "number_sign")
        await pilot.pause()
        assert "1A*#" in screen(app)
        await pilot.press("escape")
        await until(lambda: "".join(event["tone"] for event in told.named("dtmf")) == "71A*#")


async def test_the_dial_field(make_phone: Any, make_server: Any) -> None:
    async with (
        make_server() as server,
        make_phone(server, "alice") as (alice, told),
        shown(alice) as (app, pilot),
    ):
        alice.book.add("Robert", "sip:bob@example.com")
        await pilot.press("6", "0", "0")
        dial = app.query_one("#dial", Input)
        assert dial.value == "600"
        await pilot.press("escape")
        await pilot.press("d")
        dial.value = ""
        await pilot.press("r", "o")
        await pilot.pause(0.1)
        await pilot.press("right")
        assert dial.value == "Robert"
        await pilot.press("enter")
        assert dial.value == ""
        await until(lambda: alice.book.history)  # nobody is there
        assert alice.book.history[0].remote == "sip:bob@example.com"
        await pilot.press("d", "up")
        assert dial.value == "sip:bob@example.com"
        await pilot.press("down")
        assert dial.value == ""
        await pilot.press(*"no", "space", *"uri", "enter")
        assert dial.value == "no uri"  # to be mended
        assert "no uri" in told.lines[-1]
        await pilot.press("q")  # is a letter here
        assert dial.value == "no uriq"


async def test_messages_and_contacts(make_phone: Any, make_server: Any) -> None:
    async with (
        make_server() as server,
        make_phone(server, "alice") as (alice, _),
        make_phone(server, "bob") as (bob, _b),
        shown(alice) as (app, pilot),
    ):
        await pilot.press("s")
        assert isinstance(app.screen, Ask)
        await pilot.press(*"bob", "enter", *"hello", "enter")
        await until(lambda: bob.messages.all)
        bob.messages.send("alice", "[bold]and you?")
        await until(lambda: len(alice.messages.all) == 2)
        await pilot.press("f4")
        app.show_now()
        await pilot.pause()
        assert "← sip:bob@example.com: [bold]and you?" in screen(app)
        await pilot.press("escape", "n", *"Robert", "tab")
        app.screen.query_one("#field1", Input).value = "bob"
        await pilot.press("enter")
        assert [contact.target for contact in alice.book.contacts] == ["bob"]
        await pilot.press("f3")
        app.show_now()
        await pilot.pause()
        assert "Robert" in screen(app)
        await pilot.press("delete")
        assert alice.book.contacts == []


async def test_trace_figures_accounts_and_help(make_phone: Any, make_server: Any) -> None:
    async with (
        make_server() as server,
        make_phone(server, "alice", "carol") as (alice, _),
        make_phone(server, "bob", auto_answer=True),
        shown(alice) as (app, pilot),
    ):
        message = "OPTIONS sip:bob@example.com SIP/2.0\r\nCSeq: 1 OPTIONS\r\nX: [red]\r\n\r\n"
        alice.bulletin.event("sip", direction="out", server="ws://x", message=message)
        await pilot.press("f5")
        await pilot.pause()
        assert "→ OPTIONS sip:bob@example.com" in screen(app)
        await pilot.press("enter")
        assert isinstance(app.screen, Show)
        await pilot.pause()
        assert "X: [red]" in screen(app)
        await pilot.press("escape", "f7", "down", "enter")
        await pilot.pause()
        assert "carol calls:" in screen(app)
        assert "○ " not in screen(app)
        await dialled(app, pilot, "bob")
        assert alice.calls[0].line.name == "carol"
        await pilot.press("f6")
        app.show_now()
        await pilot.pause()
        assert "call 1  sip:bob@example.com" in screen(app)
        await pilot.press("question_mark")
        await pilot.pause()
        assert "end all calls, then the phone" in screen(app)
        assert "↑ ↓ scroll   Esc back" in screen(app)


async def test_empty_pages_say_so_and_show_their_keys(make_phone: Any, make_server: Any) -> None:
    async with (
        make_server() as server,
        make_phone(server, "alice") as (alice, _),
        shown(alice) as (app, pilot),
    ):
        for key, line, keys in (
            ("f2", "no calls yet", "Enter Call again"),
            ("f3", "no contacts yet; n remembers somebody", "Enter Call  Del Forget"),
            ("f4", "no messages yet; s writes one", ""),
            ("f5", "no SIP messages yet", "Enter Show"),
            ("f6", "no call with media", ""),
            ("f7", "▶ ● alice  sip:alice@example.com  registered", "Enter Call from it  r Register"),
        ):
            await pilot.press(key)
            app.show_now()
            await until(lambda line=line, keys=keys: line in screen(app) and keys in screen(app))
            await pilot.press("enter")  # there is nothing that it could be about
        assert alice.calls == []


async def test_what_was_missed_is_marked_until_it_is_seen(make_phone: Any, make_server: Any) -> None:
    async with (
        make_server() as server,
        make_phone(server, "alice") as (alice, _),
        make_phone(server, "bob") as (bob, _b),
        shown(alice) as (app, pilot),
    ):
        bob.messages.send("alice", "are you there?")
        bob.dial("alice")
        await until(lambda: alice.calls)
        bob.hang_up()
        await until(lambda: alice.book.history and alice.messages.all)
        await until(lambda: "F2•History" in screen(app) and "F4•Messages" in screen(app))
        await pilot.press("f2", "f4")
        await until(lambda: "F2 History" in screen(app) and "F4 Messages" in screen(app))


async def test_what_comes_later_goes_out_from_the_same_account(make_phone: Any, make_server: Any) -> None:
    async with (
        make_server() as server,
        make_phone(server, "alice", "carol") as (alice, told),
        make_phone(server, "bob") as (bob, _b),
        shown(alice) as (app, pilot),
    ):
        bob.messages.send("carol", "are you there?")
        bob.dial("carol")
        await until(lambda: alice.calls and alice.messages.all)
        bob.hang_up()
        await until(lambda: alice.book.history)
        assert app.chosen.name == "alice"
        app.show_now()
        await pilot.press("f2", "enter")
        await until(lambda: alice.calls)
        assert alice.calls[0].line.name == "carol"
        alice.hang_up()
        await until(lambda: not alice.calls)
        await pilot.press("s", *"yes", "enter")
        await until(lambda: len(alice.messages.all) == 2)
        assert alice.messages.all[1].account == "carol"
        await pilot.press("f7", "down", "r")
        await until(lambda: told.lines[-1] == "carol: registered as sip:carol@example.com for 600 s")


async def test_the_sound_is_chosen(make_phone: Any, make_server: Any) -> None:
    async with (
        make_server() as server,
        make_phone(server, "alice") as (alice, told),
        shown(alice) as (app, pilot),
    ):
        await pilot.press("v")
        await pilot.pause()
        assert "Now: silence; no speaker " in screen(app)
        assert "microphone [NAME], file PATH" in screen(app)
        await pilot.press(*"ton")
        await pilot.pause(0.1)
        await pilot.press("right", "enter")
        app.show_now()
        await pilot.pause()
        assert "v ♪ tone 440 Hz, no speaker" in screen(app)
        await pilot.press("v", *"file", "space", *"nothing", "enter")
        assert told.lines[-1] == "nothing: no such file or directory; check the path"
        await pilot.press("v", "enter", "v", "escape")
        assert alice.sound.source_name == "tone 440 Hz"


async def test_square_brackets_are_no_markup(make_phone: Any, make_server: Any) -> None:
    async with (
        make_server() as server,
        make_phone(server, "alice") as (alice, _),
        make_phone(server, "bob", auto_answer=True),
        shown(alice) as (app, pilot),
    ):
        for window in (
            Show("[/x] [red]a", Text("[/x] [red]a")),
            Keypad("[/x] [red]a", lambda digit: None),
            Ask("[/x] [red]a", [("[/x] [red]a", "[/x]")], "[/x]", ["[/x]"]),
        ):
            app.push_screen(window)
            await until(lambda: "[/x] [red]a" in screen(app))
            await pilot.press("escape")
        alice.bulletin.event("sip", direction="in", server="ws://x", message="[/x] [red]\r\n\r\n")
        alice.bulletin.notice("[/x] [red]a")
        alice.book.add("[/x] [red]", "[/x]")
        alice.messages.send("bob", "[/x] [red]b")
        await dialled(app, pilot, "bob")
        alice.calls[0].contact = "[/x] [red]c"
        for key in ("f1", "f2", "f3", "f4", "f5", "f6", "f7", "t"):
            await pilot.press(key)
            app.show_now()
            await pilot.pause()
        await until(lambda: "[/x] [red]c" in screen(app))


async def test_another_size_has_the_same_lines(make_phone: Any, make_server: Any) -> None:
    async with (
        make_server() as server,
        make_phone(server, "alice") as (alice, _),
        make_phone(server, "bob", auto_answer=True),
        shown(alice, (120, 40)) as (app, pilot),
    ):
        await dialled(app, pilot, "bob")
        alice.bulletin.notice("a line " * 20)
        await pilot.resize_terminal(50, 20)
        await until(lambda: app.size.width == 50)
        app.show_now()
        await pilot.pause()
        lines = screen(app).splitlines()
        assert lines[0].startswith(" ● alice")
        assert "▶ 1 → sip:bob@example.com" in lines[2]
        assert lines[4].startswith("╰")
        assert any(line.rstrip().endswith("…") and "a line" in line for line in lines)


async def test_a_fault_of_the_phone_ends_no_calls(
    make_phone: Any, make_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        make_server() as server,
        make_phone(server, "alice") as (alice, told),
        make_phone(server, "bob", auto_answer=True),
        shown(alice) as (app, pilot),
    ):
        await dialled(app, pilot, "bob")

        def broken(*args: object, **kwargs: object) -> None:
            raise KeyError("x")

        monkeypatch.setattr(alice, "mute", broken)
        await pilot.press("m")
        assert told.lines[-1].startswith("internal error: KeyError: 'x'")
        assert alice.calls[0].is_up


async def test_what_peers_write_does_not_steer_the_terminal(make_phone: Any, make_server: Any) -> None:
    async with (
        make_server() as server,
        make_phone(server, "alice") as (alice, _),
        make_phone(server, "bob") as (bob, _b),
        shown(alice) as (app, pilot),
    ):
        evil = "\x1b[2J\x1b]0;x\x07\x9b31m\x7f"
        alice.bulletin.notice(f"note{evil} end")
        bob.messages.send("alice", f"body{evil} end")
        message = f"OPTIONS sip:{evil}bob SIP/2.0\r\nX: {evil} header\r\n\r\n"
        alice.bulletin.event("sip", direction="in", server="ws://x", message=message)
        alice.book.add(f"Ann{evil} end", "1")
        await until(lambda: alice.messages.all)
        bob.dial("alice")
        await until(lambda: alice.calls)
        alice.calls[0].contact = f"Bob{evil} end"
        for key, text in (("f1", "note"), ("f3", "Ann"), ("f4", "body"), ("f5", "OPTIONS"), ("enter", "X: ")):
            await pilot.press(key)
            app.show_now()
            await until(lambda text=text: text in screen(app))
            assert "Bob[2J]0;x31m end" in screen(app) or key == "enter"
            assert all(line.replace("\n", "").isprintable() for line in screen(app).splitlines()), key
            assert {len(line) for line in screen(app).splitlines()} == {80}, key


async def test_many_calls_on_a_small_screen(make_phone: Any, make_server: Any) -> None:
    async with (
        make_server() as server,
        make_phone(server, "alice") as (alice, _),
        make_phone(server, "bob") as (bob, _b),
        shown(bob) as (app, pilot),
    ):
        for _ in range(8):
            alice.dial("bob")
        await until(lambda: len(bob.calls) == 8)
        app.show_now()
        await pilot.pause()
        assert screen(app).count("INCOMING CALL") == 3
        assert screen(app).count("a answers, h refuses") == 1  # that is about the selected one
        assert screen(app).count("a answers, selected with ↑↓, h refuses") == 2
        assert "5 more: ↑ ↓" in screen(app)
        await pilot.press(*["down"] * 7)
        app.show_now()
        await pilot.pause()
        assert "▶ 8 ← " in screen(app)
        assert all(key.word in screen(app) for key in KEYS)


async def test_q_ends_calls_and_then_the_screen(make_phone: Any, make_server: Any) -> None:
    async with (
        make_server() as server,
        make_phone(server, "alice") as (alice, _),
        make_phone(server, "bob", auto_answer=True) as (bob, told),
    ):
        app = PhoneApp(alice)
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.pause()
            await dialled(app, pilot, "bob")
            await pilot.press("q")
            await until(lambda: not app.is_running)
        await until(lambda: not bob.calls)
        assert told.named("ended")[0]["originator"] == "remote"
        assert not alice.lines[0].ua.is_connected()


async def test_the_model_may_end_it(make_phone: Any, make_server: Any) -> None:
    async with make_server() as server, make_phone(server, "alice") as (alice, _):
        app = PhoneApp(alice)
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.pause()
            alice.quit()
            await until(lambda: not app.is_running)


async def test_what_has_not_changed_is_not_drawn(make_phone: Any, make_server: Any) -> None:
    async with (
        make_server() as server,
        make_phone(server, "alice") as (alice, _),
        shown(alice) as (app, pilot),
    ):
        app.show_now()
        await pilot.pause()
        before = {widget: widget._now for widget in app.query(Shown)}
        app.show_now()
        assert {widget: widget._now for widget in app.query(Shown)} == before
        alice.bulletin.event(*("warning", "something"), message="something")
        app.show_now()
        assert str(app.query_one("#news", Shown)._now) == "something"
        assert News("warning", "something").text == "something"
