"""Conferences of calls without a network, on simulated time."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipua import Conference, events
from sipua.errors import ConfigurationError, InvalidStateError, MediaError, MediaFileError
from sipua.media.analysis import detect_tones, level
from sipua.media.engine.clock import AudioClock
from sipua.media.files import decode_file
from sipua.media.interface import AudioSource, PcmStream
from sipua.media.pcm import samples_per_frame
from sipua.media.recording import Recording
from sipua.media.sinks import WavFile
from sipua.media.sources import Silence, Tone
from sipua.testing import run_simulated
from tests.media.calls import SPEECH, Heard
from tests.media.conference.lines import Line, tone
from tests.stateful import stateful

PITCHES = (440.0, 700.0, 1004.0, 1300.0)


@contextmanager
def ending(*lines: Line) -> Iterator[None]:
    yield
    for line in lines:
        if not line.over:
            line.hang_up()
    assert not any(line.errors for line in lines)


@pytest.mark.parametrize(
    "rates", [(8000, 8000, 8000), (48000, 48000, 48000), (8000, 16000, 48000), (16000, 8000, 16000)]
)
async def test_each_hears_the_others_and_not_itself(rates: tuple[int, ...]) -> None:
    lines = [Line(tone(pitch), rate) for pitch, rate in zip(PITCHES, rates, strict=False)]
    with ending(*lines):
        async with Conference() as room:
            for line in lines:
                room.join(line)
            await asyncio.sleep(1)
            for line, own in zip(lines, PITCHES, strict=False):
                assert line.hears(*PITCHES) == set(PITCHES[:3]) - {own}
                # Not even a trace of its own: 60 dB below the others.
                pcm = bytes(line.heard[-line.rate :])
                assert detect_tones(pcm, [own], rate=line.rate, share=1e-6) == []
        await asyncio.sleep(0.5)
        assert all(line.hears(*PITCHES) == set() for line in lines)


async def test_one_among_the_silent_is_heard_bit_by_bit() -> None:
    lines = [Line(tone(440.0)), Line(), Line()]
    with ending(*lines):
        async with Conference() as room:
            for line in lines:
                room.join(line)
            await asyncio.sleep(1)
            stream = Tone(440.0, level=-16.0).open(8000)
            said = b"".join(stream.read(160) for _ in range(60))
            for line in lines[1:]:
                assert bytes(line.heard[-8000:]) in said
            assert not any(lines[0].heard)


async def test_what_is_said_is_heard_in_the_same_tick() -> None:
    class Pulse(AudioSource):
        def open(self, rate: int) -> PcmStream:
            class Stream(PcmStream):
                count = 0

                def read(self, samples: int) -> bytes:
                    self.count += 1
                    return (b"\0\x30" if self.count == 20 else b"\0\0") * samples

            return Stream()

    a, b = Line(Pulse()), Line()
    with ending(a, b), ending():
        room = Conference()
        room.join(a)
        room.join(b)
        await asyncio.sleep(1)
        loud = [at // 320 for at in range(0, len(b.heard), 320) if any(b.heard[at : at + 320])]
        assert loud[0] == 19
        room.close()


async def test_a_call_that_hears_at_another_rate_than_it_says() -> None:
    wide, narrow, third = Line(tone(440.0), 48000, 8000), Line(tone(700.0), 8000, 16000), Line(tone(1004.0))
    with ending(wide, narrow, third):
        async with Conference() as room:
            for line in (wide, narrow, third):
                room.join(line)
            await asyncio.sleep(1)
            assert wide.hears(*PITCHES) == {700.0, 1004.0}
            assert narrow.hears(*PITCHES) == {440.0, 1004.0}
            assert third.hears(*PITCHES) == {440.0, 700.0}


async def test_a_change_of_codec() -> None:
    a, b = Line(tone(440.0)), Line(tone(700.0))
    with ending(a, b):
        async with Conference() as room:
            room.join(a)
            room.join(b)
            await asyncio.sleep(0.5)
            a.say(tone(1004.0), 48000)
            a.port.outlet.set_rate(48000)
            a.heard.clear()
            await asyncio.sleep(1)
            assert a.hears(*PITCHES) == {700.0}
            assert b.hears(*PITCHES) == {1004.0}
            assert a.steepest(0.5) < 2000
            a.say(tone(440.0), 8000)
            a.port.outlet.set_rate(8000)
            a.heard.clear()
            await asyncio.sleep(1)
            assert a.hears(*PITCHES) == {700.0}
            assert b.hears(*PITCHES) == {440.0}


async def test_joining_and_leaving() -> None:
    told: list[str] = []
    a, b, c = Line(tone(440.0)), Line(tone(700.0)), Line(tone(1004.0))
    room = Conference()
    room.on("joined", lambda event: told.append(f"+{event.member.call.name}"))
    room.on("left", lambda event: told.append(f"-{event.member.call.name}"))
    for line, name in ((a, "a"), (b, "b"), (c, "c")):
        line.name = name  # type: ignore[attr-defined]
    with ending(a, b, c):
        member = room.join(a)
        assert room.join(a) is member
        room.join(b)
        assert (len(room), a in room, c in room, room[a]) == (2, True, False, member)
        await asyncio.sleep(0.5)
        room.join(c)
        await asyncio.sleep(0.5)
        assert a.hears(*PITCHES) == {700.0, 1004.0}
        room.leave(b)
        room.leave(b)
        await asyncio.sleep(0.5)
        assert a.hears(*PITCHES) == {1004.0}
        assert b.hears(*PITCHES) == set()
        c.hang_up()
        assert c not in room
        await asyncio.sleep(0.5)
        assert a.hears(*PITCHES) == set()
        with pytest.raises(KeyError):
            room[c]
        with pytest.raises(InvalidStateError, match="ended"):
            room.join(c)
        room.join(b)
        b.hang_up("failed")
        assert [m.call for m in room] == [a]
        room.close()
        room.close()
        assert told == ["+a", "+b", "+c", "-b", "-c", "+b", "-b", "-a"]
        with pytest.raises(InvalidStateError, match="closed"):
            room.join(a)


async def test_handlers_may_let_members_come_and_go() -> None:
    a, b, c = Line(tone(440.0)), Line(tone(700.0)), Line(tone(1004.0))
    with ending(a, b, c):
        async with Conference() as room:
            room.on("speaker", lambda event: event.member and room.leave(event.member.call))
            room.on(
                "left", lambda event: room.join(c) if c not in room and event.member.call is not c else None
            )
            room.join(a)
            room.join(b)
            await asyncio.sleep(5)
            assert len(room) == 0


async def test_who_cannot_join() -> None:
    a, b, c = Line(), Line(), Line()
    with ending(a, b, c):
        room, other = Conference(max_members=2), Conference()
        c.answered = False
        with pytest.raises(InvalidStateError, match="waiting"):
            room.join(c)
        assert c not in room
        room.join(a)
        with pytest.raises(InvalidStateError, match="in another conference"):
            other.join(a)
        room.join(b)
        c.answered = True
        with pytest.raises(InvalidStateError, match="full"):
            room.join(c)
        room.leave(b)
        room.join(c)
        other.join(b)
        room.close()
        other.close()
    with pytest.raises(ValueError, match="max_members"):
        Conference(max_members=0)


async def test_mute_deaf_hold_and_gain() -> None:
    a, b, c = Line(tone(440.0)), Line(tone(700.0)), Line(tone(1004.0))
    with ending(a, b, c):
        async with Conference() as room:
            first, second, _ = (room.join(line) for line in (a, b, c))
            await asyncio.sleep(0.5)
            assert first.talking
            assert first.level == pytest.approx(-16, abs=0.5)
            first.muted = True
            await asyncio.sleep(0.5)
            assert b.hears(*PITCHES) == {1004.0}
            assert a.hears(*PITCHES) == {700.0, 1004.0}
            assert not first.talking
            assert first.level == -127
            first.muted, first.deaf = False, True
            await asyncio.sleep(0.5)
            assert b.hears(*PITCHES) == {440.0, 1004.0}
            assert a.hears(*PITCHES) == set()
            first.deaf, a.held_by_peer = False, True
            await asyncio.sleep(0.5)
            assert first.held
            assert b.hears(*PITCHES) == {1004.0}
            assert a.hears(*PITCHES) == {700.0, 1004.0}
            a.held_by_peer = False
            room[c].muted = True
            await asyncio.sleep(0.5)
            before = b.level()
            first.gain = -12.0
            assert first.gain == -12.0
            await asyncio.sleep(0.5)
            assert b.level() == pytest.approx(before - 12, abs=0.2)
            assert second.gain == 0
            with pytest.raises(ValueError, match="dB"):
                first.gain = 60
            # None of that has clicked: the steepest sample of what plays is all there is.
            assert b.steepest(3.0) < 9000


async def test_changes_do_not_click() -> None:
    a, b = Line(tone(200.0)), Line()
    with ending(a, b):
        async with Conference() as room:
            member, listener = room.join(a), room.join(b)
            await asyncio.sleep(0.5)
            plain = b.steepest(0.2)
            for muted, deaf, gain in [(1, 0, 0), (0, 0, -6), (0, 1, 0), (0, 0, 0), (1, 1, 0), (0, 0, 6)]:
                member.muted, listener.deaf, member.gain = bool(muted), bool(deaf), gain
                await asyncio.sleep(0.107)
            assert b.steepest(0.7) < 3 * plain


async def test_many_loud_ones_are_not_cut_off() -> None:
    lines = [Line(tone(300.0 + 110 * n, -6.0)) for n in range(6)] + [Line()]
    with ending(*lines):
        async with Conference() as room:
            for line in lines:
                room.join(line)
            await asyncio.sleep(1)
            pitches = [300.0 + 110 * n for n in range(6)]
            assert lines[-1].hears(*pitches) == set(pitches)
            assert lines[0].hears(*pitches) == set(pitches[1:])
            # No wrap: nothing is steeper than the sum of all.
            assert lines[-1].steepest(0.5) < 32767
            for line in lines[1:6]:
                line.say(Silence())
            await asyncio.sleep(2)
            assert lines[-1].level() == pytest.approx(-6, abs=0.2)


async def test_announcements() -> None:
    a, b = Line(tone(440.0)), Line(tone(700.0), 16000)
    with ending(a, b):
        async with Conference() as room:
            room.join(a)
            room.join(b)
            await asyncio.sleep(0.2)
            to_all = room.play(Tone(1300.0, seconds=1.0))
            await asyncio.sleep(0.6)
            assert a.hears(*PITCHES) == {700.0, 1300.0}
            assert b.hears(*PITCHES) == {440.0, 1300.0}
            assert await to_all.wait()
            to_one = room.play(Tone(1004.0, seconds=1.0), to=a)
            await asyncio.sleep(0.6)
            assert a.hears(*PITCHES) == {700.0, 1004.0}
            assert b.hears(*PITCHES) == {440.0}
            room[a].deaf = True
            await asyncio.sleep(0.4)
            assert await to_one.wait()
            room[a].play(Tone(1004.0))
            await asyncio.sleep(0.6)
            assert a.hears(*PITCHES) == {1004.0}
            with pytest.raises(KeyError):
                room.play(Tone(), to=Line)  # type: ignore[arg-type]
            with pytest.raises(MediaFileError):
                room.play("none.wav")
            with pytest.raises(MediaFileError):
                room.play("none.wav", to=a)
            with pytest.raises(TypeError):
                room.play(None)  # type: ignore[arg-type]
            with pytest.raises(TypeError):
                room[a].play(None)  # type: ignore[arg-type]
            forever = room.play(Tone())
            last = room.play(Tone(), to=b)
        assert not await forever.wait()
        assert not await last.wait()
        with pytest.raises(InvalidStateError):
            room.play(Tone())


async def test_recording_of_the_mix(tmp_path: Path) -> None:
    file = WavFile(tmp_path / "room.wav", 16000)
    a, b = Line(tone(440.0)), Line(tone(700.0), 48000)
    with ending(a, b):
        async with Conference(record=file) as room:
            heard = Heard()
            assert room.add_sink(heard) is heard
            room.join(a)
            room.join(b)
            await asyncio.sleep(1)
            room.play(Tone(1004.0))
            await asyncio.sleep(1)
            room.remove_sink(heard)
            assert heard.closed
            with pytest.raises(MediaFileError):
                room.add_sink(tmp_path / "none" / "x.wav")
            with pytest.raises(TypeError):
                room.add_sink(None)  # type: ignore[arg-type]
        assert file.seconds == pytest.approx(2.0, abs=0.05)
        assert set(detect_tones(bytes(heard.pcm[-heard.rate :]), PITCHES, rate=heard.rate)) == {
            440.0,
            700.0,
            1004.0,
        }
        with pytest.raises(InvalidStateError):
            room.add_sink(heard)
    with pytest.raises(MediaFileError):
        Conference(record=tmp_path / "none" / "x.wav")


async def test_a_recording_that_threads_write(tmp_path: Path) -> None:
    a, b = Line(tone(440.0)), Line(tone(700.0), 48000)
    with ending(a, b):
        async with Conference(record=tmp_path / "room.wav") as room:
            room.join(a)
            room.join(b)
            await asyncio.sleep(1)
            part = room.record(tmp_path / "part.ogg")
            playback = room.play(shutil.copy(SPEECH, tmp_path / "speech.wav"))
            with pytest.raises(MediaFileError, match="to another one"):
                room.record(tmp_path / "speech.wav")
            playback.stop()
            await asyncio.sleep(1)
            part.stop()
            with pytest.raises(ConfigurationError, match="one side"):
                room.record(Recording(tmp_path / "x.wav", "stereo"))
        with pytest.raises(InvalidStateError):
            room.record(tmp_path / "x.wav")
    for path, seconds in ((tmp_path / "room.wav", 2.0), (tmp_path / "part.ogg", 1.0)):
        pcm = decode_file(path, 48000)
        assert len(pcm) / 96000 == pytest.approx(seconds, abs=0.1)
        assert set(detect_tones(pcm[-48000:], PITCHES, rate=48000)) == {440.0, 700.0}


async def test_who_is_alone_with_a_recording_that_has_ended_sleeps(tmp_path: Path) -> None:
    async with Conference() as room:
        recording = room.record(tmp_path / "x.wav")
        await asyncio.sleep(0.5)
        assert AudioClock.running().ticking
        recording.stop()
        await asyncio.sleep(0.1)
        assert not AudioClock.running().ticking


async def test_a_program_takes_part() -> None:
    a, b = Line(tone(440.0)), Line()
    with ending(a, b):
        async with Conference() as room:
            room.join(a)
            room.join(b)
            reader = room.read(8000)
            stream = Tone(1004.0).open(8000)
            utterance = await room.write(stream.read(8000), 8000)
            await asyncio.sleep(0.5)
            assert b.hears(*PITCHES, seconds=0.3) == {440.0, 1004.0}
            assert utterance.heard > 0
            heard = b"".join([await anext(reader) for _ in range(20)])
            assert detect_tones(heard, PITCHES) == [440.0]
            assert room.clear() > 0
            reader.close()
            await asyncio.sleep(0.5)
            assert b.hears(*PITCHES) == {440.0}
            left = room.read(8000)
            with pytest.raises(ValueError):
                await room.write(b"\0", 8000)
        assert [chunk async for chunk in left] == []
        with pytest.raises(StopAsyncIteration):
            await anext(room.read())
        with pytest.raises(InvalidStateError):
            await room.write(b"\0\0", 8000)


async def test_what_is_played_to_a_call_is_heard_in_the_place_of_the_conference() -> None:
    a, b = Line(tone(440.0)), Line()
    with ending(a, b):
        async with Conference() as room:
            room.join(a)
            room.join(b)
            await asyncio.sleep(0.5)
            b.port.play(Tone(700.0, seconds=1.0))
            await asyncio.sleep(0.8)
            assert b.hears(*PITCHES) == {700.0}
            await asyncio.sleep(0.8)
            assert b.hears(*PITCHES) == {440.0}
            b.port.play(other := Tone(700.0))
        assert b.port.source is other


async def test_muting_the_call_itself() -> None:
    a, b = Line(tone(440.0)), Line()
    with ending(a, b):
        async with Conference() as room:
            room.join(a)
            room.join(b)
            for _ in range(5):
                await asyncio.sleep(0.3)
                b.port.mute()
                await asyncio.sleep(0.3)
                assert b.hears(*PITCHES, seconds=0.2) == set()
                b.port.unmute()
            await asyncio.sleep(0.5)
            assert b.hears(*PITCHES) == {440.0}


async def test_who_is_speaking() -> None:
    a, b, c = Line(), Line(), Line()
    told: list[Line | None] = []
    with ending(a, b, c):
        async with Conference() as room:
            room.on("speaker", lambda event: told.append(event.member and event.member.call))
            for line in (a, b, c):
                room.join(line)
            await asyncio.sleep(1)
            assert room.speaker is None
            a.say(tone(440.0))
            await asyncio.sleep(1)
            assert room.speaker is room[a]
            b.say(Tone(700.0, level=-10, seconds=0.1))  # coughs
            await asyncio.sleep(1)
            b.say(tone(700.0, -14))  # hardly louder
            await asyncio.sleep(1)
            assert room.speaker is room[a]
            a.say(Silence())
            await asyncio.sleep(1.5)
            assert room.speaker is room[b]
            room[b].muted = True
            await asyncio.sleep(5)
            c.say(tone(1004.0))
            await asyncio.sleep(1)
            room.leave(c)
            assert room.speaker is None
            assert told == [a, b, None, c, None]


async def test_a_conference_of_nobody_costs_nothing() -> None:
    a = Line(tone(440.0))
    async with Conference() as room:
        room.join(a)
        await asyncio.sleep(0.1)
        a.hang_up()
        await asyncio.sleep(0.1)
        assert not AudioClock.running().ticking
        playback = room.play(Tone(seconds=0.1))
        assert await playback.wait()
        await asyncio.sleep(0.1)
        assert not AudioClock.running().ticking
        b, c = Line(tone(440.0)), Line()
        room.join(b)
        room.join(c)
        await asyncio.sleep(0.5)
        assert c.hears(*PITCHES) == {440.0}
        b.hang_up()
        c.hang_up()
    with pytest.raises(InvalidStateError):
        async with room:
            pass


async def test_sinks_and_sources_that_fail_are_told_of_and_stop_nothing() -> None:
    class Broken(Heard):
        def write(self, pcm: bytes, rate: int) -> None:
            raise ZeroDivisionError

    class Bad(AudioSource):
        def open(self, rate: int) -> PcmStream:
            raise ZeroDivisionError

    told: list[events.MediaFailed] = []
    a, b = Line(tone(440.0)), Line()
    with ending(a, b):
        async with Conference() as room:
            room.on("media_failed", told.append)
            room.join(a)
            room.join(b)
            room.add_sink(Broken())
            room.play(Bad())
            room.play(Bad(), to=a)
            await asyncio.sleep(0.5)
            assert len(told) == 3
            assert all(isinstance(event.error, MediaError) for event in told)
            assert b.hears(*PITCHES) == {440.0}


async def test_noise_that_nobody_can_hear_is_left_out() -> None:
    lines = [Line(tone(300.0 + 100 * n, -65.0)) for n in range(8)]
    with ending(*lines):
        async with Conference() as room:
            for line in lines:
                room.join(line)
            await asyncio.sleep(1)
            assert not any(lines[0].heard)
            assert not any(member.talking for member in room)
            assert samples_per_frame(8000) * 2 * 50 <= len(lines[0].heard)
            assert level(bytes(lines[0].heard)) == -127


async def test_a_call_that_fails_is_out_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    told: list[events.MediaFailed] = []
    a, b, c = Line(tone(440.0)), Line(), Line()
    with ending(a, b, c):
        async with Conference() as room:
            room.on("media_failed", told.append)
            for line in (a, b, c):
                room.join(line)
            await asyncio.sleep(0.5)
            c.is_on_hold = dict  # type: ignore[method-assign]
            await asyncio.sleep(0.5)
            assert c not in room
            assert len(told) == 1
            assert b.hears(*PITCHES) == {440.0}
    assert "> failed" in caplog.text


@stateful(60)
@given(
    st.lists(
        st.tuples(st.sampled_from(("join", "leave", "mute", "deaf", "hold", "say")), st.integers(0, 3)),
        max_size=14,
    )
)
def test_whatever_is_done_all_hear_who_can_be_heard(steps: list[tuple[str, int]]) -> None:
    """After any changes, made up to 60 ms apart, each member hears exactly the others that can be heard."""

    async def run() -> None:
        lines = [
            Line(tone(pitch), rate) for pitch, rate in zip(PITCHES, (8000, 16000, 48000, 8000), strict=True)
        ]
        saying = [True] * 4
        with ending(*lines):
            async with Conference() as room:
                for count, (what, place) in enumerate(steps):
                    line = lines[place]
                    if what == "join":
                        room.join(line)
                    elif what == "leave":
                        room.leave(line)
                    elif what == "hold":
                        line.held_by_peer = not line.held_by_peer
                    elif what == "say":
                        saying[place] = not saying[place]
                        line.say(tone(PITCHES[place]) if saying[place] else Silence())
                    elif line in room:
                        name = {"mute": "muted", "deaf": "deaf"}[what]
                        setattr(room[line], name, not getattr(room[line], name))
                    await asyncio.sleep(0.02 * (count % 4))
                await asyncio.sleep(0.6)
                audible = {
                    pitch
                    for line, pitch, says in zip(lines, PITCHES, saying, strict=True)
                    if line in room and says and not line.held_by_peer and not room[line].muted
                }
                for line, pitch in zip(lines, PITCHES, strict=True):
                    hears = line in room and not room[line].deaf
                    assert line.hears(*PITCHES) == (audible - {pitch} if hears else set())
        assert not AudioClock.running().ticking

    run_simulated(run())


async def test_a_better_codec_lets_it_hear_more() -> None:
    high = 6000.0
    a, b = Line(), Line(tone(high), 48000)
    with ending(a, b):
        async with Conference() as room:
            room.join(a)
            room.join(b)
            await asyncio.sleep(0.5)
            assert a.hears(high, 2000.0) == set()
            a.port.outlet.set_rate(48000)
            a.heard.clear()
            await asyncio.sleep(0.5)
            assert a.hears(high, 2000.0) == {high}


async def test_a_recording_that_cannot_be_made_any_more_keeps_nobody_out(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    told: list[events.MediaFailed] = []
    a, b = Line(tone(440.0)), Line()
    with ending(a, b):
        async with Conference(record=tmp_path / "here" / "x.wav") as room:
            (tmp_path / "here").rmdir()
            room.on("media_failed", told.append)
            room.join(a)
            room.join(b)
            await asyncio.sleep(0.5)
            assert isinstance(told[0].error, MediaFileError)
            assert len(told) == 1
            assert b.hears(*PITCHES) == {440.0}


def test_it_may_be_made_before_there_is_an_event_loop() -> None:
    room = Conference()

    async def run() -> None:
        a, b = Line(tone(440.0)), Line()
        with ending(a, b):
            async with room:
                room.join(a)
                room.join(b)
                await asyncio.sleep(0.5)
                assert b.hears(*PITCHES) == {440.0}

    run_simulated(run())


async def test_minutes_of_coming_and_going_leave_nothing_behind() -> None:
    a = Line(tone(440.0))
    with ending(a):
        async with Conference() as room:
            room.join(a)
            for count in range(60):
                guest = Line(tone(700.0), (8000, 16000, 48000)[count % 3])
                room.join(guest)
                await asyncio.sleep(0.3)
                assert guest.hears(*PITCHES, seconds=0.2) == {440.0}
                guest.hang_up()
                assert not guest.has_handlers("ended")
            await asyncio.sleep(0.2)
            assert room.members == (room[a],)
            assert a.hears(*PITCHES, seconds=0.1) == set()
