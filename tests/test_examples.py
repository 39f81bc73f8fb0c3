"""The examples, run as a reader would run them, against the embedded server.

Most of their time is waiting, so they run side by side, once; the tests look at what came of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import sys
import wave
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from sipua import UA, RTCSession, SignallingOnlyMedia, Tone, VoiceDetector
from sipua.events import NewRTCSession
from sipua.media.analysis import correlate, detect_tones, load
from sipua.server import Server
from sipua.testing import run_realtime, steady

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable

    import numpy as np
    from numpy.typing import NDArray

# All examples run at once, when the first test asks for what came of one.
pytestmark = [pytest.mark.realtime, pytest.mark.timeout(180)]

ROOT = Path(__file__).parents[1]
#: By tests/script/test_examples.py and tests/load/test_processes.py.
RUN_ELSEWHERE = {"locustfile", "remote", "scripted"}
SPEECH = ROOT / "examples" / "audio" / "speech.wav"
#: What is heard suffers where processors are scarce: the others, which run beside these, leave them to them.
SOUNDING = {"awaitable", "conference", "demo", "quality", "sound", "trace", "voicebot"}
PATIENT = ["nice", "-n", "10"]
LOOPBACK = {"ice_host_addresses": ("127.0.0.1",)}


def server() -> Server:
    return Server({"alice": "secret", "bob": "secret"}, media_options=LOOPBACK)


@contextlib.asynccontextmanager
async def example(name: str, *args: str, cwd: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(*([] if name in SOUNDING else PATIENT), sys.executable, "-m", f"examples.{name}", *args),
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


class Ran(NamedTuple):
    """What an example left behind."""

    code: int | None
    out: str
    directory: Path


async def run(directory: Path, name: str, *args: str) -> Ran:
    async with example(name, *args, cwd=directory) as process:
        out, _ = await process.communicate()
        return Ran(process.returncode, out.decode(), directory)


Outcomes = dict[str, "Ran | Exception"]

#: Where nobody listens.
NOBODY = "ws://127.0.0.1:1/"

#: Examples that need a server and nothing else, and what they print.
SILENT = {
    "identity": """\
valid: sip:alice@localhost, says CN=Localhost
nobody has changed the keys of the media
talking
without a signature: 428
""",
    "messages": """\
bob reads from alice: are you there?
alice reads from bob: I am here
200 OK
bob reads from alice: spam
bob: 603, Rejected
nobody: 404, Not Found
bob can transfer calls: True
""",
    "hold": """\
bob: hold, by remote
alice: hold, by local
alice: hold, by remote
bob: hold, by local
alice's view: {'local': True, 'remote': True}
bob: unhold, by remote
alice: unhold, by local
alice: unhold, by remote
bob: unhold, by local
call outgoing sip:bob@example.com (confirmed): renegotiate: INVITE: 488 Not Acceptable Here
refused with 488, and the call goes on: True
""",
    "ice": """\
found: host
the call is up
found: srflx
found: host, which is enough
the call is up
""",
    "video": """\
the peer refused video, and the call goes on: {'audio': 'sendrecv'}
agreed: {'audio': 'sendrecv', 'video': 'recvonly'}
bob shows 320 × 240, and it moves
on hold: {'audio': 'sendonly', 'video': 'inactive'}
without it: {'audio': 'sendrecv'}
""",
    "digits": """\
1 for 120 ms by INFO
# for 120 ms by INFO
text/plain: the door, please
tones='one': only 0-9, *, #, A-D and , (a pause)
""",
    "failures": """\
610 is busy
612 does not exist
608 does not answer: No Answer
611: CallRejected, Rejected, 603
613: CallUnavailable, Unavailable, 480
600 answered
event: remote, Busy
hold is not possible in state ended
InvalidTargetError
""",
    "presence": """\
alice is there
alice is on-the-phone
alice is meeting
alice is there
alice is there
""",
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    """What became of each example, by its name and arguments. Those with sound run beside the others."""
    base = tmp_path_factory.mktemp("examples")
    found: Outcomes = {}

    def place(name: str) -> Path:
        directory = base / name
        directory.mkdir()
        return directory

    async def note(name: str, work: Awaitable[Ran]) -> None:
        try:
            found[name] = await work
        except Exception as error:  # noqa: BLE001 - the test of it raises it
            found[name] = error

    async def everything() -> None:
        async def silent_ones() -> None:
            for name in SILENT:
                await note(name, run(place(name), name, s.url))

        async def other_quick_ones() -> None:
            async with server() as fresh:  # one that has not known another alice
                await note("registration", run(place("registration"), "registration", NOBODY, fresh.url))
            await note("registration, nobody", run(place("nobody"), "registration", NOBODY))
            await note("own_tests", run_tests(place("own_tests"), "own_tests"))
            await asyncio.gather(
                *(note(f"transfer {how}", transferred(place(f"transfer{how}"), how)) for how in ("", "--ask"))
            )
            for name in ("events 610", "awaitable 610", "awaitable 612"):
                example, target = name.split()
                await note(name, run(place(name), example, others.url, target))
            files = [bad_file(place(kind), kind) for kind in BAD_FILES]
            for kind, ran in zip(BAD_FILES, await bad_demos(files), strict=True):
                found[f"demo {kind}"] = ran
            await note("demo, ended", ended_demo(place("ended")))

        talking, speaking, measured = place("awaitable"), place("voicebot"), place("quality")
        meeting, sounding, traced = place("conference"), place("sound"), place("trace")
        # The bot is alice, too, and so is the bridge: each would be called together with others at the same server.
        async with server() as s, server() as others, server() as bots, server() as rooms:
            await asyncio.gather(
                note("awaitable", steady(lambda: run(talking, "awaitable", s.url), check_awaitable)),
                note("voicebot", steady(lambda: voicebot(bots.url, speaking), check_voicebot)),
                note("conference", steady(lambda: conference(rooms.url, meeting), check_conference)),
                note("quality", run(measured, "quality", s.url)),
                note("trace", run(traced, "trace", s.url)),
                note("sound", steady(lambda: run(sounding, "sound", s.url), check_sound)),
                note("demo", run(place("demo"), "demo")),
                note("events", run(place("events"), "events", s.url)),
                silent_ones(),
                other_quick_ones(),
            )

    run_realtime(everything())
    return found


async def run_tests(directory: Path, name: str) -> Ran:
    file = ROOT / "examples" / f"{name}.py"
    process = await asyncio.create_subprocess_exec(
        *(*PATIENT, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(file)),
        cwd=directory,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    return Ran(process.returncode, out.decode(), directory)


async def transferred(directory: Path, how: str) -> Ran:
    """bob calls the switchboard, and goes where it sends him: to carol."""

    def people(name: str) -> UA:
        return UA(f"sip:{name}@localhost", sockets=s.url, password="secret", media=SignallingOnlyMedia)

    def answer(event: NewRTCSession) -> None:
        event.session.on("replaces", lambda replaces: replaces.accept())
        if event.request.replaces is None:
            event.session.answer()

    accounts = dict.fromkeys(("alice", "bob", "carol"), "secret")
    async with (
        Server(accounts, media_options=LOOPBACK) as s,
        people("bob") as ua,
        people("carol") as carol,
        example("transfer", s.url, "carol", how, cwd=directory) as switchboard,
    ):
        assert switchboard.stdout is not None
        out = await switchboard.stdout.readline()
        carol.on("new_rtc_session", answer)
        new_call: asyncio.Future[RTCSession] = asyncio.get_running_loop().create_future()
        call = ua.call("alice")
        call.on("refer", lambda event: new_call.set_result(event.accept()))
        await (await new_call).wait_confirmed()
        out += await switchboard.stdout.readline()
        await call.wait_ended()
        switchboard.send_signal(signal.SIGINT)
        out += (await switchboard.communicate())[0]
        return Ran(switchboard.returncode, out.decode(), directory)


def outcome(outcomes: Outcomes, name: str) -> Ran:
    found = outcomes[name]
    if isinstance(found, Exception):
        raise found
    return found


def test_events(outcomes: Outcomes) -> None:
    code, out, _ = outcome(outcomes, "events")
    assert code == 0, out
    assert "180 Ringing" in out
    assert "ended by local: Terminated" in out


def test_events_of_a_refused_call(outcomes: Outcomes) -> None:
    code, out, _ = outcome(outcomes, "events 610")
    assert code == 0, out
    assert "failed: Busy" in out


@pytest.mark.parametrize("name", SILENT)
def test_examples_without_sound(name: str, outcomes: Outcomes) -> None:
    code, out, _ = outcome(outcomes, name)
    assert code == 0, out
    assert sorted(out.splitlines()) == sorted(
        SILENT[name].splitlines()
    )  # two user agents tell as they come to it


def test_registration(outcomes: Outcomes) -> None:
    code, out, _ = outcome(outcomes, "registration")
    assert code == 0, out
    assert f"{NOBODY}: ConnectFailed\nconnected to ws://" in out
    assert "registered for 300 s\nthe registrar knows 1 address of ours\nunregistered: as we wanted\n" in out
    assert f"no server: {NOBODY}" in outcome(outcomes, "registration, nobody").out


def test_own_tests(outcomes: Outcomes) -> None:
    code, out, _ = outcome(outcomes, "own_tests")
    assert code == 0, out
    assert "2 passed" in out


@pytest.mark.parametrize("how", ["", "--ask"])
def test_transfer(how: str, outcomes: Outcomes) -> None:
    assert outcome(outcomes, f"transfer {how}").out.startswith(
        "waiting for calls\nsip:bob@localhost is put through to carol\n"
    )


def test_every_example_is_run(outcomes: Outcomes) -> None:
    names = {path.stem for path in (ROOT / "examples").glob("*.py")} - RUN_ELSEWHERE
    assert names == {name.split()[0].rstrip(",") for name in outcomes}


def check_awaitable(ran: Ran) -> None:
    assert ran.code == 0, ran.out
    assert re.match(r"opus/48000: [23]\d\d packets sent, [23]\d\d received\n", ran.out)
    assert correlate(SPEECH, ran.directory / "awaitable.wav").correlation > 0.9


def test_quality(outcomes: Outcomes) -> None:
    code, out, directory = outcome(outcomes, "quality")
    assert code == 0, out
    lines = re.findall(r"(\d+) packets, 0 lost, jitter \d+\.\d ms, R 1\d\d, MOS [34]\.\d\d\n", out)
    assert len(lines) >= 2, out
    assert (directory / "quality.pcap").stat().st_size > 20000
    assert json.loads((directory / "quality.json").read_text())["audio"]["sent"]["codec"] == "opus/48000"


def test_trace(outcomes: Outcomes) -> None:
    code, out, directory = outcome(outcomes, "trace")
    assert code == 0, out
    assert "INVITE sip:600@example.com" in out
    assert "with credentials, SDP offer" in out
    assert "REGISTER" not in out
    assert re.search(r"\n\d+ messages, \d+ records\n$", out)
    assert "a=sendonly" in (directory / "call.html").read_text()
    assert (directory / "call.pcap").stat().st_size > 2000


def check_sound(ran: Ran) -> None:
    assert ran.code == 0, ran.out
    # A level and a time were measured, and are not the same to the last digit each time.
    told = re.fullmatch(
        r"the ring-back tone is at -(\d+) dBov\n"
        r"somebody spoke: True\n"
        r"paused in the middle of 5\.3 s\n"
        r"heard to its end: False\n"
        r"of 1\.0 s were heard about (0\.\d)\n"
        r"recorded both sides: True\n",
        ran.out,
    )
    assert told is not None, ran.out
    assert int(told[1]) == pytest.approx(16, abs=1)
    assert float(told[2]) == pytest.approx(0.4, abs=0.1)
    with wave.open(str(ran.directory / "sound.wav")) as file:
        assert (file.getnchannels(), file.getframerate()) == (2, 48000)
        assert file.getnframes() > 6 * 48000


def test_sound(outcomes: Outcomes) -> None:
    check_sound(outcome(outcomes, "sound"))


def test_awaitable(outcomes: Outcomes) -> None:
    check_awaitable(outcome(outcomes, "awaitable"))


def test_awaitable_with_busy_and_missing_targets(outcomes: Outcomes) -> None:
    assert outcome(outcomes, "awaitable 610")[:2] == (0, "610 is busy\n")
    assert outcome(outcomes, "awaitable 612")[:2] == (0, "612: Not Found (404 Not Found) (status 404)\n")


def sentence() -> NDArray[np.float64]:
    """Speech of a second and a half at 16000 Hz, without a pause."""
    return load(SPEECH, 16000)[: 16000 * 3 // 2]


async def told(process: asyncio.subprocess.Process, *texts: str) -> str:
    """Its further output, until each text was in a line."""
    assert process.stdout is not None
    out, missing = "", set(texts)
    async with asyncio.timeout(30):
        while missing:
            line = (await process.stdout.readline()).decode()
            assert line, f"ended without {missing}: {out}"
            out += line
            missing = {text for text in missing if text not in line}
    return out


async def is_heard(call: RTCSession) -> None:
    """Until the peer speaks."""
    detector = VoiceDetector()
    async for chunk in call.audio.read(rate=16000):
        if detector.feed(chunk, 16000):
            break


async def voicebot(url: str, directory: Path) -> Ran:
    """Speak to the bot, let it speak, interrupt it."""
    pcm = (sentence() * 32767).astype("<i2").tobytes()
    async with example("voicebot", url, cwd=directory) as bot:
        await told(bot, "waiting for calls")
        ua = UA("sip:bob@localhost", sockets=url, password="secret", media_options=LOOPBACK)
        async with ua, ua.call("alice", record=directory / "heard.wav") as call:
            out = await told(bot, "calls")
            async with asyncio.timeout(10):
                while call.stats().state != "connected":  # noqa: ASYNC110 - what is said before, nobody hears
                    await asyncio.sleep(0.02)
            await call.audio.write(pcm)
            out += await told(bot, "heard", "said")  # the bot's turn
            await call.audio.write(pcm)
            out += await told(bot, "heard")
            await is_heard(call)
            await call.audio.write(pcm)
            out += await told(bot, "said")
        bot.send_signal(signal.SIGINT)
        out += (await bot.communicate())[0].decode()
        return Ran(bot.returncode, out, directory)


def check_voicebot(ran: Ran) -> None:
    assert ran.out.startswith("sip:bob@localhost calls\nheard ")
    heard = [float(seconds) for seconds in re.findall(r"^heard ([\d.]+) s$", ran.out, re.M)]
    assert all(1.5 <= seconds < 3 for seconds in heard[:2])  # with the pause that ends it
    said = re.findall(r"^said ([\d.]+) of ([\d.]+) s$", ran.out, re.M)
    whole, broken_off = [(float(part), float(all_)) for part, all_ in said[:2]]
    assert whole == (heard[0], heard[0])
    assert 0 < broken_off[0] < broken_off[1]
    assert broken_off[1] == heard[1]
    assert ran.out.endswith("call over\nbye\n")
    match = correlate(sentence()[::2], load(ran.directory / "heard.wav"), rate=8000)
    assert match.correlation > 0.8
    assert match.delay > 1.5


def test_voicebot_says_back_what_it_heard_and_can_be_interrupted(outcomes: Outcomes) -> None:
    check_voicebot(outcome(outcomes, "voicebot"))


async def conference(url: str, directory: Path) -> Ran:
    """Two callers who hum."""
    async with example("conference", url, cwd=directory) as bridge:
        await told(bridge, "waiting for calls")
        ua = UA("sip:bob@localhost", sockets=url, password="secret", media_options=LOOPBACK)
        async with (
            ua,
            ua.call("alice", audio=Tone(440.0), record=directory / "one.wav"),
            ua.call("alice", audio=Tone(700.0), record=directory / "other.wav"),
        ):
            out = await told(bridge, "2 in the room", "is speaking")
            await asyncio.sleep(2.5)
        out += await told(bridge, "0 in the room")
        bridge.send_signal(signal.SIGINT)
        out += (await bridge.communicate())[0].decode()
        return Ran(bridge.returncode, out, directory)


def check_conference(ran: Ran) -> None:
    assert ran.out.startswith("sip:bob@localhost has come, 1 in the room\n")
    assert "sip:bob@localhost is speaking\n" in ran.out
    assert "sip:bob@localhost has left, 0 in the room\n" in ran.out
    assert ran.out.endswith("bye\n")
    for file, tones in (("one", [700.0]), ("other", [440.0])):
        heard = load(ran.directory / f"{file}.wav")[-12000:-4000]
        assert detect_tones(heard, [440.0, 700.0]) == tones
    assert detect_tones(load(ran.directory / "room.wav")[-16000:-8000], [440.0, 700.0]) == [440.0, 700.0]


def test_conference_whose_members_hear_each_other(outcomes: Outcomes) -> None:
    check_conference(outcome(outcomes, "conference"))


def test_demo(outcomes: Outcomes) -> None:
    code, out, directory = outcome(outcomes, "demo")
    assert code == 0, out
    assert "registered alice with digest authentication\nregistered bob with digest authentication\n" in out
    assert "answered, opus/48000" in out
    found = re.search(r"what came back is what was played: correlation (\d\.\d+) .*, delay (\d+) ms", out)
    assert found is not None, out
    assert float(found[1]) >= 0.9
    assert 0 < int(found[2]) < 2000
    assert "── INVITE sip:600@localhost ──" in out
    assert "BYE" in out
    assert correlate(SPEECH, directory / "demo-call.wav").correlation >= 0.9


BAD_FILES = {
    "missing": "no such file",
    "text": "not an audio file",
    "silent": "is silent",
    "directory": "is not a regular file",
    "its own": "is where the demo records to",
}


def bad_file(directory: Path, kind: str) -> Path:
    """A file that the demo cannot play."""
    file = directory / "bad.wav"
    if kind == "text":
        file.write_text("not sound\n" * 100)
    elif kind == "silent":
        with wave.open(str(file), "wb") as silent:
            silent.setparams((1, 2, 8000, 0, "NONE", ""))
            silent.writeframes(bytes(16000))
    elif kind == "directory":
        file.mkdir()
    elif kind == "its own":
        file = directory / "demo-call.wav"
        shutil.copy(SPEECH, file)
    return file


#: Each in its directory, in one process: it ends before anything begins.
_DEMOS = """
import contextlib, io, json, os, runpy, sys
for file in sys.argv[1:]:
    os.chdir(os.path.dirname(file))
    sys.argv, out, code = ["demo", file], io.StringIO(), None
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            runpy.run_module("examples.demo", run_name="__main__")
        except SystemExit as end:
            code = int(end.code)
    print(json.dumps([code, out.getvalue()]))
"""


async def bad_demos(files: list[Path]) -> list[Ran]:
    """What the demo says of each."""
    process = await asyncio.create_subprocess_exec(
        *(*PATIENT, sys.executable, "-c", _DEMOS, *map(str, files)),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
    )
    out = (await process.communicate())[0].decode().splitlines()
    return [Ran(*json.loads(line), file.parent) for line, file in zip(out, files, strict=True)]


@pytest.mark.parametrize("kind", BAD_FILES)
def test_demo_with_a_bad_file(kind: str, outcomes: Outcomes) -> None:
    code, out, directory = outcome(outcomes, f"demo {kind}")
    assert code == 2
    assert out.startswith(f"demo: {directory}")
    assert BAD_FILES[kind] in out
    assert out.count("\n") == 1
    recording = directory / "demo-call.wav"
    assert recording.read_bytes() == SPEECH.read_bytes() if kind == "its own" else not recording.exists()


async def ended_demo(directory: Path) -> Ran:
    """Start the demo and end it; `out` is the line that tells where its server listened."""
    async with example("demo", cwd=directory) as process:
        assert process.stdout is not None
        first = (await process.stdout.readline()).decode()
        await process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        return Ran(await process.wait(), first, directory)


async def test_demo_that_is_ended_takes_its_server_with_it(outcomes: Outcomes) -> None:
    code, first, _ = outcome(outcomes, "demo, ended")
    assert code == 130
    port = int(first.rstrip("/\n").rsplit(":", 1)[1])
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
