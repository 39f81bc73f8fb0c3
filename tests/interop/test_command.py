"""The command `sipua` against real servers."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from sipua.cli.exits import ExitCode
from sipua.media.analysis import correlate, detect_tones, load
from tests.interop.test_calls import registered

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from tests.lab.peers import AsteriskPeer, KamailioPeer, Peer

    Command = Callable[..., Coroutine[Any, Any, "Result"]]


class Result(NamedTuple):
    code: int | None
    events: list[dict[str, Any]]
    err: str

    def all(self, name: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == name]


@pytest.fixture
def sipua(tmp_path: Path) -> Command:
    """Runs the command with the account of a file, as somebody in front of a terminal has it."""

    async def run(server: Peer, user: str, *args: str) -> Result:
        account = server.accounts[user]
        config = tmp_path / f"{user}.toml"
        config.write_text(
            f'[accounts.{user}]\nuri = "{account.uri}"\nserver = "{server.wss}"\n'
            f'ca_file = "{server.ca_file}"\npassword_env = "LAB_PASSWORD"\n'
        )
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sipua", *args, "--json"),
            env={"SIPUA_CONFIG": str(config), "LAB_PASSWORD": account.password},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        return Result(
            process.returncode, [json.loads(line) for line in out.decode().splitlines()], err.decode()
        )

    return run


async def test_register_and_options(server: Peer, sipua: Command) -> None:
    registered = await sipua(server, "alice", "register")
    assert registered.code == ExitCode.OK, registered
    assert registered.all("registered")
    pinged = await sipua(server, "alice", "options", "--count", "3", "--interval", "0.1", "--timeout", "5")
    assert [event["sequence"] for event in pinged.all("response")] == [1, 2, 3]
    assert pinged.all("summary")[0]["answered"] == 3


async def test_expectations(asterisk: AsteriskPeer, sipua: Command, tmp_path: Path) -> None:
    both = str(tmp_path / "both.wav")
    tone = await sipua(asterisk, "alice", "call", "605", "--expect-tone", "1004", "--record-stereo", both)
    assert tone.code == ExitCode.OK, tone
    assert tone.all("recorded")[0]["path"] == both
    digits = await sipua(asterisk, "alice", "call", "604", "--expect-dtmf", "1234#")
    assert digits.code == ExitCode.OK, digits
    missing = await sipua(
        asterisk, "alice", "call", "604", "--expect-dtmf", "99", "--expect-within", "3", "--hold-after", "1"
    )
    assert missing.code == ExitCode.FAILED, missing
    assert "expected the digits 99; " in missing.err
    busy = await sipua(asterisk, "alice", "call", "610")
    assert busy.code == ExitCode.BUSY, busy


async def test_ivr_by_a_script(asterisk: AsteriskPeer, sipua: Command, tmp_path: Path) -> None:
    script = tmp_path / "ivr"
    script.write_text("wait 2s\ndtmf 42#\nexpect sound within 5s\nexpect ended within 15s\n")
    done = await sipua(asterisk, "alice", "call", "603", "--script", str(script))
    assert done.code == ExitCode.OK, done
    await asterisk.logged("IVR-GOT 42")


async def test_transfer(asterisk: AsteriskPeer, sipua: Command) -> None:
    def answer(event: Any) -> None:
        if event.originator == "remote":
            event.session.on("refer", lambda refer: refer.accept())
            event.session.answer(echo=True)

    async with registered(asterisk, "bob") as bob:
        bob.on("new_rtc_session", answer)
        done = await sipua(asterisk, "alice", "call", "bob", "--transfer", "605", "--register")
    assert done.code == ExitCode.OK, done
    assert [event["state"] for event in done.all("transfer")] == ["asked", "succeeded"]


async def test_subscriptions(asterisk: AsteriskPeer, sipua: Command) -> None:
    presence = await sipua(asterisk, "alice", "subscribe", "presence", "bob", "--count", "1", "--register")
    assert presence.code == ExitCode.OK, presence
    assert presence.all("notification")[0]["content_type"] == "application/pidf+xml"
    # Asterisk answers 400 to a subscription that is to end at once; it is begun and ended then.
    once = await sipua(asterisk, "alice", "subscribe", "dialog", "bob", "--once")
    assert once.code == ExitCode.OK, once
    assert len(once.all("notification")) == 1
    unknown = await sipua(asterisk, "alice", "subscribe", "no-such-package", "bob", "--register")
    assert unknown.code == ExitCode.REJECTED, unknown
    assert "489" in unknown.err


async def test_publish(kamailio: KamailioPeer, sipua: Command) -> None:
    watching = asyncio.ensure_future(
        sipua(kamailio, "alice", "subscribe", "presence", "bob", "--duration", "4", "--register")
    )
    await asyncio.sleep(1.5)
    done = await sipua(kamailio, "bob", "publish", "open", "--note", "at the desk", "--duration", "1")
    assert done.code == ExitCode.OK, done
    assert done.all("published")
    assert done.all("unpublished")
    watched = await watching
    assert watched.code == ExitCode.OK, watched
    told = [event["content"] for event in watched.all("notification") if event["content"]]
    assert any(one["basic"] == "open" for content in told for one in content["tuples"])


async def test_message(kamailio: KamailioPeer, sipua: Command) -> None:
    listening = asyncio.ensure_future(sipua(kamailio, "bob", "register", "--duration", "6"))
    done = await sipua(kamailio, "alice", "message", "bob", "hello")
    while done.code == ExitCode.REJECTED and not listening.done():  # bob is not there yet
        await asyncio.sleep(0.3)
        done = await sipua(kamailio, "alice", "message", "bob", "hello")
    assert done.code == ExitCode.OK, done
    assert (await listening).all("message")[0]["body"] == "hello"


# --- transfers --------------------------------------------------------------------------------------------------------


async def test_asterisk_transfers_our_call(asterisk: AsteriskPeer, sipua: Command, tmp_path: Path) -> None:
    """614 sends us to 600 with a REFER, and there is our own tone again."""
    path = tmp_path / "heard.wav"
    done = await sipua(
        *(asterisk, "alice", "call", "614", "--tone", "440", "--expect-tone", "440", "--duration", "4"),
        *("--record", str(path)),
    )
    assert done.code == ExitCode.OK, done
    (refer,) = done.all("refer")
    assert (refer["call"], refer["accepted"]) == (1, True)
    assert [(event["call"], event.get("replaces")) for event in done.all("call")] == [(1, None), (2, 1)]
    assert [(event["call"], event["met"]) for event in done.all("expected")] == [(2, True)]
    assert sorted(event["call"] for event in done.all("ended")) == [1, 2]
    await asterisk.logged("TRANSFER-STATUS SUCCESS")
    assert detect_tones(load(tmp_path / "heard-2.wav"), [330, 440, 1004]) == [440]
    refused = await sipua(asterisk, "alice", "call", "614", "--refuse-transfers")
    assert refused.code == ExitCode.OK, refused
    assert refused.all("refer")[0]["accepted"] is False
    await asterisk.logged("TRANSFER-STATUS FAILURE")


async def test_a_script_goes_where_asterisk_transfers_the_call(
    asterisk: AsteriskPeer, sipua: Command, tmp_path: Path
) -> None:
    script = tmp_path / "script"
    script.write_text("expect no ended within 3s\ntone 440\nexpect tone 440 for 1s within 5s\n")
    done = await sipua(asterisk, "alice", "call", "614", "--script", str(script))
    assert done.code == ExitCode.OK, done
    assert len(done.all("call")) == 2


async def test_asterisk_transfers_a_call_that_we_have_answered(
    asterisk: AsteriskPeer, sipua: Command, tmp_path: Path
) -> None:
    path = tmp_path / "heard.wav"
    answering = asyncio.ensure_future(
        sipua(
            asterisk, "bob", "answer", "--once", "--duration", "2", "--timeout", "10", "--record", str(path)
        )
    )
    await bound(asterisk, "bob")
    target = asterisk.uri("605")
    await asterisk.ask(f"channel originate PJSIP/bob application Transfer PJSIP/{target}")
    done = await answering
    assert done.code == ExitCode.OK, done
    assert [event["direction"] for event in done.all("call")] == ["incoming", "outgoing"]
    assert detect_tones(load(tmp_path / "heard-2.wav"), [440, 1004]) == [1004]
    await asterisk.idle()


@pytest.mark.parametrize("attended", [False, True], ids=["blind", "attended"])
async def test_the_command_transfers_the_command(
    server: AsteriskPeer | KamailioPeer, sipua: Command, tmp_path: Path, attended: bool
) -> None:
    """Alice calls bob, and connects him with carol, who hears his tone."""
    path = str(tmp_path / "heard.wav")
    bob = asyncio.ensure_future(sipua(server, "bob", "answer", "--once", "--timeout", "20", "--tone", "440"))
    carol = asyncio.ensure_future(
        sipua(
            server,
            "carol",
            "answer",
            "--once",
            "--timeout",
            "20",
            "--tone",
            "660",
            "--record",
            path,
            "--duration",
            "6",
        )
    )
    await asyncio.gather(bound(server, "bob"), bound(server, "carol"))
    how = ("--attended",) if attended else ()
    done = await sipua(
        server, "alice", "call", "bob", "--expect-tone", "440", "--transfer", "carol", "--register", *how
    )
    assert done.code == ExitCode.OK, done
    bobs, carols = await bob, await carol
    assert bobs.code == carols.code == ExitCode.OK, (bobs, carols)
    recordings = [event["path"] for event in carols.all("recorded")]
    assert detect_tones(load(recordings[-1])[-8000:-800], [440, 660]) == [440]


async def bound(server: AsteriskPeer | KamailioPeer, user: str) -> None:
    """Until the user has registered."""
    async with asyncio.timeout(10):
        while not await server.bindings(user):  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.1)


# --- speech -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", ["opus", "pcmu"])
async def test_say(
    asterisk: AsteriskPeer, sipua: Command, speech: Callable[[str, Path], Path], tmp_path: Path, codec: str
) -> None:
    text, heard = "The quick brown fox jumps over the lazy dog.", tmp_path / "heard.wav"
    said = speech(text, tmp_path / "said.wav")
    done = await sipua(
        asterisk, "alice", "call", "600", "--say", text, "--record", str(heard), "--codec", codec
    )
    assert done.code == ExitCode.OK, done
    assert correlate(said, heard).correlation > 0.9
