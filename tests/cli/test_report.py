from __future__ import annotations

import asyncio
import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from sipua import UA, events
from sipua.cli.output import JsonOutput, PlainOutput
from sipua.cli.report import REFRESH, Board, Report, clock, figures, sound, stats_fields
from sipua.events import Cause
from sipua.media import MediaStats, SignallingOnlyMedia
from sipua.media.emodel import codec_quality
from sipua.media.statistics import (
    MediumStats,
    Quality,
    ReceivedStats,
    RemoteReceivedStats,
    RoundTripStats,
    SentStats,
    TransportStats,
)
from sipua.server import Server

if TYPE_CHECKING:
    from collections.abc import Sequence


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0, "00:00"), (59.9, "00:59"), (61, "01:01"), (3599, "59:59"), (3661, "1:01:01")]
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_figures() -> None:
    assert figures(None) == ""
    assert figures(MediaStats()) == "no codec  sent 0  received 0  lost 0"
    assert figures(heard()) == "PCMU/8000  sent 100  received 90  lost 10 (10.0 %)"
    assert sound(heard()) == "  jitter 1 ms  round trip 80 ms  MOS 3.4"
    assert sound(MediaStats()) == ""


def heard() -> MediaStats:
    """Of a call in which every tenth packet was lost."""
    codec = codec_quality("pcmu")
    assert codec is not None
    audio = MediumStats(
        id="audio",
        kind="audio",
        timestamp=0.0,
        sent=SentStats("s", codec="PCMU/8000", packets=100),
        received=ReceivedStats("r", packets=90, lost=10, discarded=1, jitter=0.00123456),
        transport=TransportStats("t"),
        remote_received=RemoteReceivedStats("p", round_trip=RoundTripStats(0.08, 0.08, 0.08, 1)),
        quality=Quality.estimate(codec, delay=0.1, loss=0.1),
    )
    return MediaStats(state="connected", audio=audio)


def test_fields_can_be_written_as_json() -> None:
    assert json.loads(json.dumps(stats_fields(MediaStats())))["mos"] is None
    fields = stats_fields(heard())
    assert json.loads(json.dumps(fields)) == {
        "state": "connected",
        "codec": "PCMU/8000",
        "packets_sent": 100,
        "packets_received": 90,
        "packets_lost": 10,
        "packets_discarded": 1,
        "jitter": 0.001235,
        "rtt": 0.08,
        "r_factor": 66.1,
        "mos": 3.41,
    }


class Screen(PlainOutput):
    """Keeps what would be the live lines."""

    def __init__(self) -> None:
        self.stream = io.StringIO()
        super().__init__(self.stream, io.StringIO())
        self.shown: list[list[str]] = []

    def live(self, lines: Sequence[str]) -> None:
        self.shown.append(list(lines))

    @property
    def lines(self) -> list[str]:
        return self.stream.getvalue().splitlines()


class FakeReport:
    def __init__(self, name: str) -> None:
        self.name = name
        self.told = 0

    def live_line(self) -> str:
        return self.name

    def tell_stats(self) -> None:
        self.told += 1


async def test_board_shows_all_calls_and_is_renewed() -> None:
    screen = Screen()
    board = Board(screen)
    calls: list[Any] = [FakeReport(f"call {number}") for number in range(10)]
    for call in calls:
        board.add(call)
    await asyncio.sleep(2 * REFRESH + 0.01)
    assert screen.shown[-1] == [*(f"call {number}" for number in range(8)), "… and 2 more"]
    assert len(screen.shown) == 3
    assert calls[0].told == 3
    for call in calls:
        board.remove(call)
    assert screen.shown[-1] == []
    shown = len(screen.shown)
    await asyncio.sleep(5)
    assert len(screen.shown) == shown, "nothing is renewed when there is no call"


def server() -> Server:
    return Server({"alice": "a", "bob": "b"}, port=None, media=SignallingOnlyMedia)


def user(server: Server, name: str) -> UA:
    return UA(
        f"sip:{name}@localhost", sockets=server.connector(), password=name[0], media=SignallingOnlyMedia
    )


async def test_an_outgoing_call_from_beginning_to_end() -> None:
    screen, stream = Screen(), io.StringIO()
    programs = JsonOutput(stream, io.StringIO())
    async with server() as s, user(s, "alice") as alice:
        call = alice.call("600")
        Report(screen, Board(screen), call)
        Report(programs, Board(programs), call, number=7)
        async with call:
            await call.send_dtmf("5")
            await asyncio.sleep(3)
    assert screen.lines[:4] == ["calling sip:600@localhost", "180 Ringing", screen.lines[2], "digit 5 sent"]
    assert screen.lines[2].startswith("answered")
    assert screen.lines[4].startswith("hung up after 00:03; ")
    assert screen.shown[0] == ["sip:600@localhost  calling 00:00"]
    assert screen.shown[-1] == []
    records = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert {record["call"] for record in records} == {7}
    names = [record["event"] for record in records if record["event"] not in ("stats", "media")]
    assert names == ["call", "progress", "accepted", "confirmed", "dtmf", "ended"]
    assert [round(record["seconds"]) for record in records if record["event"] == "stats"] == [0, 1, 2, 3]
    (ended,) = (record for record in records if record["event"] == "ended")
    assert (ended["cause"], ended["originator"], ended["seconds"]) == ("Terminated", "local", 3.0)


async def test_an_incoming_call_that_fails() -> None:
    screen = Screen()
    async with server() as s, user(s, "alice") as alice, user(s, "bob") as bob:

        def ring(event: events.NewRTCSession) -> None:
            Report(screen, Board(screen), event.session)

        bob.on("new_rtc_session", ring)
        call = alice.call("bob")
        await asyncio.sleep(1)
        assert screen.shown[-1] == ["sip:alice@localhost  answering 00:01"]
        call.terminate()
        await asyncio.sleep(1)
    assert screen.lines == ["call from sip:alice@localhost", "the call failed: Canceled"]


async def test_calls_that_end_in_unusual_ways() -> None:
    async with server() as s, user(s, "alice") as alice:
        for ended, text in (
            (events.Ended("remote", Cause.BYE), "the peer hung up after 00:00;"),
            (events.Ended("remote", Cause.BYE, reason="Q.850;cause=16"), "the peer hung up after 00:00;"),
            (
                events.Ended(
                    "remote", Cause.BYE, reason='SIP;cause=200;text="taken elsewhere", Q.850 ;cause=102'
                ),
                "the peer hung up after 00:00 (taken elsewhere, Q.850 102);",
            ),
            (
                events.Ended("remote", Cause.BYE, reason="because;;"),
                "the peer hung up after 00:00 (because;;);",
            ),
            (events.Ended("remote", Cause.BYE, reason="gone"), "the peer hung up after 00:00 (gone);"),
            (
                events.Ended("system", Cause.RTP_TIMEOUT, reason="media failed"),
                "ended after 00:00 (RTP Timeout: media failed);",
            ),
        ):
            screen = Screen()
            call = alice.call("600")
            Report(screen, Board(screen), call)
            call.emit("ended", ended)
            assert screen.lines[-1].startswith(text)
            call.terminate()
