from __future__ import annotations

import asyncio
import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from sipua import UA
from sipua.media import SignallingOnlyMedia
from sipua.media.levels import LevelMeter
from sipua.media.silent import SilentAudioPort
from sipua.media.statistics import MediaStats, MediumStats, ReceivedStats, SentStats, TransportStats
from sipua.server import Server
from sipua.trace import (
    Trace,
    TracedEvent,
    TracedMessage,
    TracedStats,
    read_trace,
    records_of_call,
    write_trace,
)
from sipua.trace.following import CALL_EVENTS, UA_EVENTS, details_of
from tests.trace.traces import CALL

REGISTER = (
    "REGISTER sip:example.com SIP/2.0\r\n"
    "Via: SIP/2.0/WS x.invalid;branch=z9hG4bK1\r\n"
    'Authorization: Digest username="alice", realm="r", nonce="n",\r\n'
    ' response="0123456789abcdef0123456789abcdef", cnonce="zzz"\r\n'
    "Call-ID: 1\r\n\r\n"
)


def test_file_has_one_object_a_line_and_can_be_read_again(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    times = iter((100.0, 100.5, 101.25, 102.0))
    with Trace(path, clock=lambda: next(times)) as trace:
        trace.peer = "ws://127.0.0.1:1/"
        trace.add("out", REGISTER)
        trace.add("in", "\r\n")
        trace.add("in", "SIP/2.0 200 Grüß\r\n\r\n".encode(), agent="sip:a@h")
        trace.add_event("registered", {"expires": 600}, agent="sip:a@h")
    head, first, second, third = (json.loads(line) for line in path.read_text().splitlines())
    assert head["format"] == "sipua-trace"
    assert (head["version"], head["time"]) == (1, 100.0)
    assert head["software"].startswith("sipua ")
    assert (first["kind"], first["direction"], first["time"]) == ("message", "out", 100.5)
    assert "0123456789" not in first["message"]
    assert second == {
        "kind": "message",
        "time": 101.25,
        "direction": "in",
        "peer": "ws://127.0.0.1:1/",
        "message": "SIP/2.0 200 Grüß\r\n\r\n",
        "agent": "sip:a@h",
    }
    assert third["details"] == {"expires": 600}
    read = read_trace(path)
    assert read.records == trace.records
    assert (read.cut, read.skipped) == (None, 0)


def test_file_is_its_owners_even_if_another_one_was_there(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    path.write_text("old")
    path.chmod(0o644)
    Trace(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "old" not in path.read_text()


def test_memory_is_bounded() -> None:
    trace = Trace(limit=2)
    for number in range(5):
        trace.add("in", f"OPTIONS sip:{number} SIP/2.0\r\n\r\n")
    assert [message.message.split()[1] for message in trace.messages] == ["sip:0", "sip:1"]


def test_full_disk_is_told_once_and_the_trace_goes_on_in_memory() -> None:
    told: list[OSError] = []
    with Trace(Path("/dev/full"), on_error=told.append) as trace:
        trace.add("out", REGISTER)
        trace.add("out", REGISTER)
    assert told == [trace.error]
    assert len(trace.messages) == 2
    assert Path("/dev/full").is_char_device()


@pytest.mark.parametrize(("size", "left"), [(0, False), (300, True)])
def test_full_disk_leaves_what_can_be_read_or_nothing(size: int, left: bool, tmp_path: Path) -> None:
    script = (
        "import resource, sys\n"
        "from sipua.trace import Trace\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))\n"
        "with Trace(sys.argv[1]) as trace:\n"
        "    for _ in range(9): trace.add('out', 'OPTIONS sip:x SIP/2.0\\r\\n\\r\\n')\n"
        "print(trace.error.strerror, len(trace.messages))\n"
    )
    path = tmp_path / "trace"
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True)
    assert done.stdout == "File too large 9\n", done
    assert path.exists() is left
    if left:
        found = read_trace(path)
        assert 0 < len(found.messages) < 9
        assert found.cut


def test_file_that_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        Trace(tmp_path / "none" / "trace")


def test_text_that_is_no_unicode_is_written_all_the_same(tmp_path: Path) -> None:
    with Trace(tmp_path / "trace") as trace:
        trace.add("in", b"MESSAGE sip:\xff SIP/2.0\r\n\r\n")
        trace.add("in", "MESSAGE sip:\udcff SIP/2.0\r\n\r\n")
    assert len(read_trace(tmp_path / "trace").messages) == 2


def test_records_written_are_those_read(tmp_path: Path) -> None:
    write_trace(tmp_path / "trace", CALL)
    assert read_trace(tmp_path / "trace").records == CALL


class Counting(SignallingOnlyMedia):
    """Media that heard a packet more each time that it is asked."""

    asked = 0

    def stats(self) -> MediaStats:
        Counting.asked += 1
        received = ReceivedStats("r", packets=self.asked)
        audio = MediumStats("audio-1", "audio", 0.0, SentStats("s"), received, TransportStats("t"))
        return MediaStats("connected", 0.0, audio)


async def call_each_other(trace: Trace, media: type[SignallingOnlyMedia] = SignallingOnlyMedia) -> None:
    async with Server({"alice": "secret", "bob": "secret"}, port=None, apps=False) as server:
        agents = [
            UA(f"sip:{user}@localhost", sockets=server.connector(), password="secret", media=media)
            for user in ("alice", "bob")
        ]
        for ua in agents:
            trace.follow(ua)
        alice, bob = agents
        async with alice, bob:
            bob.on("new_rtc_session", lambda event: event.session.answer())
            async with alice.call("bob"):
                await asyncio.sleep(2.5)


async def test_figures_are_taken_every_second_and_at_the_end() -> None:
    with Trace() as trace:
        await call_each_other(trace, Counting)
    for agent in ("sip:alice@localhost", "sip:bob@localhost"):
        samples = [
            record for record in trace.records if isinstance(record, TracedStats) and record.agent == agent
        ]
        assert len(samples) == 3
        packets = [sample.stats["audio"]["received"]["packets"] for sample in samples]
        assert packets == sorted(packets)
        assert samples[0].quality is None


async def test_somebody_listens_so_that_there_is_a_level(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[LevelMeter] = []
    made: list[LevelMeter] = []

    def meter(self: SilentAudioPort) -> LevelMeter:
        made.append(LevelMeter(closed.append))
        return made[-1]

    monkeypatch.setattr(SilentAudioPort, "meter", meter)
    with Trace() as trace:
        await call_each_other(trace, Counting)
    assert len(made) == 2
    assert sorted(map(id, closed)) == sorted(map(id, made))


async def test_no_figures_when_they_are_not_wanted() -> None:
    with Trace(stats_interval=None) as trace:
        await call_each_other(trace, Counting)
    assert not [record for record in trace.records if isinstance(record, TracedStats)]


async def test_user_agents_are_followed_with_their_calls() -> None:
    with Trace() as trace:
        await call_each_other(trace)
    agents = "sip:alice@localhost", "sip:bob@localhost"
    for agent in agents:
        told = [
            record.name
            for record in trace.records
            if isinstance(record, TracedEvent) and record.agent == agent
        ]
        assert told[:3] == ["connecting", "connected", "registered"]
        assert [name for name in told if name in ("call", "confirmed", "ended")] == [
            "call",
            "confirmed",
            "ended",
        ]
    assert {message.agent for message in trace.messages} == set(agents)
    assert "response=" not in "".join(message.message for message in trace.messages)
    (call_id,) = {r.call for r in trace.records if isinstance(r, TracedEvent) and r.name == "ended"}
    assert call_id is not None
    of_call = records_of_call(trace.records, call_id)
    texts = [record.message for record in of_call if isinstance(record, TracedMessage)]
    assert texts[0].startswith("INVITE ")
    assert all(call_id in text for text in texts)
    assert not any("REGISTER" in text for text in texts)


def test_only_events_that_change_nothing_are_listened_to() -> None:
    from sipua.session import RTCSession

    assert set(CALL_EVENTS) <= RTCSession.event_names
    assert set(UA_EVENTS) <= UA.event_names
    deciding = {"refer", "replaces", "reinvite", "update", "redirect", "sdp", "sending", "icecandidate"}
    assert not deciding & set(CALL_EVENTS)


def test_details_are_plain_values() -> None:
    from sipua import events
    from sipua.sip import Response

    assert details_of(events.Disconnected("ws://h", OSError("gone"), 1006)) == {
        "url": "ws://h",
        "error": "gone",
        "code": 1006,
        "reason": "",
    }
    failed = events.Failed("remote", events.Cause.BUSY, Response(486, "Busy Here"))
    assert details_of(failed) == {
        "originator": "remote",
        "cause": "Busy",
        "status": 486,
        "phrase": "Busy Here",
        "reason": "",
    }
