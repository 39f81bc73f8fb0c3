"""ICE restarts: another path under the same DTLS association."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import pytest

from sipua.media.analysis import correlate, load
from sipua.media.description import parse
from sipua.testing import steady
from tests.media.calls import (
    SPEECH,
    Heard,
    closing,
    connected,
    flowing,
    media,
    negotiate,
    until,
)

if TYPE_CHECKING:
    from sipua.media.rtc import RtcMedia

pytestmark = pytest.mark.realtime


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sipua.media.paths._LINGER", 0.2)
    monkeypatch.setattr("sipua.media.leg._CONSENT_INTERVAL", 0.3)


def told(description: str | None, name: str) -> str | None:
    return parse(description or "").media[0].get(name)


def identity(one: RtcMedia) -> Any:
    """What stays over a restart."""
    audio = one.stats().audio
    assert audio is not None
    return one.connection, told(one.local_description, "fingerprint"), audio.id, audio.sent.ssrc


def path(one: RtcMedia) -> tuple[str | None, str | None]:
    return one.stats().local_candidate, one.stats().remote_candidate


async def up(*ends: RtcMedia) -> None:
    await negotiate(*ends)
    await connected(*ends)
    await flowing(*ends)


async def restart(one: RtcMedia, other: RtcMedia, *, asked: bool = True) -> None:
    """A round that changes both ends' path."""
    before = path(one), path(other)
    answer = await other.create_answer(await one.create_offer(ice_restart=asked))
    await one.apply_answer(answer)
    await until(lambda: path(one) != before[0] and path(other) != before[1])
    assert path(one) == path(other)[::-1]


def switch_late(one: RtcMedia, seconds: float) -> None:
    """As if the network took so long: the other end sends over the new path already, and hears the old one."""
    assert one._leg is not None
    paths, loop = one._leg._paths, asyncio.get_running_loop()
    take_over = paths._take_over
    paths._take_over = lambda path: loop.call_later(seconds, take_over, path)  # type: ignore[method-assign, assignment, return-value]


@pytest.mark.parametrize("late", [None, 0, 1], ids=["at once", "the speaker late", "the listener late"])
async def test_sound_goes_on(late: int | None) -> None:
    async def call() -> tuple[float, int, float]:
        a, b, heard = media(audio=SPEECH), media(audio=SPEECH), Heard()
        b.audio.add_sink(heard)
        async with closing(a, b):
            await up(a, b)
            before = identity(a), identity(b)
            if late is not None:
                switch_late((a, b)[late], 0.15)
            for one, other in ((a, b), (b, a)):
                ufrags = told(a.local_description, "ice-ufrag"), told(b.local_description, "ice-ufrag")
                await restart(one, other)
                assert a.state == b.state == "connected"
                assert told(a.local_description, "ice-ufrag") != ufrags[0]
                assert told(b.local_description, "ice-ufrag") != ufrags[1]
                await asyncio.sleep(0.5)
            assert (identity(a), identity(b)) == before
            received = b.stats().audio.received  # type: ignore[union-attr]
            await negotiate(a, b)
            await flowing(a, b)
        length = min(len(heard.pcm), 2 * 48000 * 2) // 2
        said = load(SPEECH, 48000)[: length - 48000 // 2]
        return correlate(said, bytes(heard.pcm), rate=48000).correlation, received.lost, received.concealed

    def check(result: tuple[float, int, float]) -> None:
        correlation, lost, concealed = result
        assert correlation > 0.9
        assert lost <= 2
        assert concealed <= 0.1

    await steady(call, check)


async def test_a_restart_that_is_refused_changes_nothing() -> None:
    a, b = media(), media()
    async with closing(a, b):
        await up(a, b)
        before = identity(a), path(a), a.local_description
        await a.create_offer(ice_restart=True)
        sockets = [p.transport for p in a._leg._paths.described.connection._protocols]  # type: ignore[union-attr]
        await a.rollback()
        assert (identity(a), path(a), a.local_description) == before
        await until(lambda: all(socket.is_closing() for socket in sockets))
        await flowing(a, b)
        await negotiate(a, b)
        await restart(b, a)
        await flowing(a, b)


async def test_both_at_once() -> None:
    """The session refuses both offers (491); then one of them comes again."""
    a, b = media(), media()
    async with closing(a, b):
        await up(a, b)
        await a.create_offer(ice_restart=True)
        await b.create_offer(ice_restart=True)
        await a.rollback()
        await b.rollback()
        await restart(b, a)
        await flowing(a, b)


async def test_a_peer_that_does_not_restart() -> None:
    """It answers with the credentials that it has: the path stays, as soon as the new one has failed."""
    a, b = media(failure_timeout=0.5), media()
    async with closing(a, b):
        offer = await a.create_offer()
        await a.apply_answer(await b.create_answer(offer))
        await connected(a, b)
        before, leg = (identity(a), path(a)), a._leg
        assert leg is not None
        await a.create_offer(ice_restart=True)
        await a.apply_answer(await b.create_answer(offer))
        assert told(a.local_description, "ice-ufrag") != told(offer, "ice-ufrag")
        await until(lambda: not leg._paths.is_restarting)
        assert not leg.must_restart
        await flowing(a, b)
        assert (identity(a), path(a)) == before
        await negotiate(a, b)
        assert told(a.local_description, "ice-ufrag") == told(offer, "ice-ufrag")
        await flowing(a, b)


async def test_a_path_that_is_not_found() -> None:
    """What there is goes on; the next round is a restart, since the peer has done with the old credentials."""

    def elsewhere(description: str) -> str:
        return re.sub(
            r"^(a=candidate:.*) 127\.0\.0\.1 \d+", r"\1 127.0.0.9 9", description, flags=re.MULTILINE
        )

    a, b = media(failure_timeout=0.5), media(failure_timeout=0.5)
    async with closing(a, b):
        await up(a, b)
        before = identity(a), path(a)
        offer = elsewhere(await a.create_offer(ice_restart=True))
        password = told(offer, "ice-pwd") or ""

        def wrong(description: str) -> str:
            return description.replace(password, "0" * 22)

        # Neither is reached, nor heard of.
        await a.apply_answer(elsewhere(await b.create_answer(wrong(offer))))
        assert a._leg is not None
        await until(lambda: a._leg.must_restart and b._leg.must_restart)  # type: ignore[union-attr]
        await flowing(a, b)
        assert (identity(a), path(a)) == before
        # An offer of b's that is no restart is answered by none.
        ufrag = told(a.local_description, "ice-ufrag")
        b._leg._paths.is_stale = False  # type: ignore[union-attr]
        await negotiate(b, a, answer=wrong)
        assert told(a.local_description, "ice-ufrag") == ufrag
        await flowing(a, b)
        assert (identity(a), path(a)) == before
        await restart(a, b, asked=False)
        await flowing(a, b)
        assert identity(a) == before[0]


@pytest.mark.parametrize("change", ["certificate", "role", "tls-id"])
async def test_a_peer_that_begins_anew(change: str) -> None:
    """Another certificate, another role in DTLS or another tls-id: another association (RFC 8842 section 3.1)."""
    a, b, c = media(), media(), media()
    async with closing(a, b, c):
        await up(a, b)
        before = identity(a)
        offer = await a.create_offer(ice_restart=True)
        answer = await c.create_answer(offer)
        if change != "certificate":
            answer = re.sub(
                "a=fingerprint:.*", f"a=fingerprint:{told(b.local_description, 'fingerprint')}", answer
            )
        if change == "role":
            answer = answer.replace("a=setup:active", "a=setup:passive")
        elif change == "tls-id":
            answer = f"{answer}a=tls-id:{'abc' * 7}\r\n"
        await a.apply_answer(answer)
        assert identity(a)[0] is not before[0]
        assert identity(a)[1] == before[1]
        if change == "certificate":
            await connected(a, c)
            await flowing(a, c)


async def test_a_path_that_has_failed_is_replaced() -> None:
    a, b = (media(silence_timeout=0.6, failure_timeout=0.4) for _ in range(2))
    states: list[str] = []
    a.callbacks.on_state = states.append
    async with closing(a, b):
        await up(a, b)
        before = identity(a), identity(b)
        for end in (a, b):
            for protocol in end._leg._ice._protocols:  # type: ignore[union-attr]
                protocol.transport.abort()
        await until(lambda: a.state == b.state == "failed")
        packets = b.stats().packets_sent
        await asyncio.sleep(0.1)
        assert b.stats().packets_sent == packets
        await restart(a, b, asked=False)
        await connected(a, b)
        await flowing(a, b)
        assert (identity(a), identity(b)) == before
    assert states == ["connecting", "connected", "disconnected", "failed", "connected", "closed"]


async def test_an_offer_after_the_path_has_failed_that_knows_nothing_of_it() -> None:
    a, b = media(silence_timeout=0.6, failure_timeout=0.4), media()
    async with closing(a, b):
        await up(a, b)
        for protocol in a._leg._ice._protocols:  # type: ignore[union-attr]
            protocol.transport.abort()
        await until(lambda: a.state == "failed")
        await negotiate(b, a)
        await connected(a, b)
        await flowing(a, b)


async def test_a_restart_before_the_one_before_is_done() -> None:
    a, b = media(), media()
    async with closing(a, b):
        await up(a, b)
        before = identity(a), identity(b)
        for one, other in ((a, b), (b, a), (a, b)):
            await negotiate(one, other)
            await one.apply_answer(await other.create_answer(await one.create_offer(ice_restart=True)))
        await until(lambda: not a._leg._paths.is_restarting and not b._leg._paths.is_restarting)  # type: ignore[union-attr]
        await flowing(a, b)
        assert path(a) == path(b)[::-1]
        assert (identity(a), identity(b)) == before


async def test_closing_at_any_time_of_a_restart_leaves_nothing() -> None:
    async def call(seconds: float) -> None:
        a, b = media(), media()
        async with closing(a, b):
            await up(a, b)
            offer = await a.create_offer(ice_restart=True)
            if seconds:
                await a.apply_answer(await b.create_answer(offer))
            await asyncio.sleep(seconds)

    # The test runner fails a test that leaves a task.
    await asyncio.gather(*(call(n * 0.005) for n in range(12)), call(0.3))


async def test_the_peer_goes_in_the_middle_of_a_restart(caplog: pytest.LogCaptureFixture) -> None:
    a, b = media(), media()
    async with closing(a, b):
        await up(a, b)
        await a.create_offer(ice_restart=True)
        await b.close()
        await until(lambda: a.connection.connectionState == "closed")
    assert caplog.messages == []


async def test_a_restart_before_dtls_is_up_waits_for_it() -> None:
    a, b = media(), media()
    async with closing(a, b):
        await negotiate(a, b)
        before = a.connection, b.connection
        await a.apply_answer(await b.create_answer(await a.create_offer(ice_restart=True)))
        await connected(a, b)
        await flowing(a, b)
        assert (a.connection, b.connection) == before


async def test_a_path_that_was_never_found_leaves_nothing_to_keep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sipua.media.leg._HANDSHAKE_TIMEOUT", 0.2)
    a, b = media(), media()
    async with closing(a, b):
        await negotiate(a, b, offer=lambda text: re.sub("a=ice-pwd:.*", f"a=ice-pwd:{'0' * 22}", text))
        before = a.connection, b.connection
        await a.apply_answer(await b.create_answer(await a.create_offer(ice_restart=True)))
        await connected(a, b)
        await flowing(a, b)
        assert a.connection is not before[0]
        assert b.connection is not before[1]
