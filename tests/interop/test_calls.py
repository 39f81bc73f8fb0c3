"""Registration and calls with real servers: Asterisk, a B2BUA, and Kamailio, a proxy before it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from sipua import (
    UA,
    CallBusy,
    CallCanceled,
    CallNotFound,
    CallRejected,
    CallUnavailable,
    Cause,
    CertificateError,
    RegistrationUnauthorized,
)
from sipua.media.analysis import correlate, detect_tones, level
from sipua.media.sources import Tone
from sipua.testing import steady

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from sipua.events import NewMessage, NewRTCSession
    from sipua.media import MediaStats
    from tests.lab.peers import AsteriskPeer, KamailioPeer, Peer

SPEECH = "examples/audio/speech.wav"

#: The pitch (Hz) of the beep of Asterisk's sounds, which its extension 606 plays.
BEEP = 700.0


@contextlib.asynccontextmanager
async def registered(
    server: Peer, user: str = "alice", *, secure: bool = False, **options: Any
) -> AsyncIterator[UA]:
    """An account of the lab, registered."""
    account = server.accounts[user]
    if secure:
        options["ca_file"] = str(server.ca_file)
    url = server.wss if secure else server.ws
    async with UA(account.uri, sockets=url, password=account.password, **options) as ua:
        yield ua


async def auto_answer(ua: UA, **options: Any) -> None:
    """Answer every call to this user agent."""
    ua.on(
        "new_rtc_session",
        lambda event: event.session.answer(**options) if event.originator == "remote" else None,
    )


@pytest.mark.parametrize("secure", [False, True], ids=["ws", "wss"])
async def test_registration(server: Peer, secure: bool) -> None:
    async with registered(server, secure=secure) as ua:
        assert ua.is_registered()
        bindings = await server.bindings("alice")
        assert any(ua.contact_uri.split("@")[0] in binding for binding in bindings)
        await ua.register()
        assert len(await server.bindings("alice")) == 1
    assert not await server.bindings("alice")


@pytest.mark.parametrize("secure", [False, True], ids=["ws", "wss"])
async def test_registration_with_sha_256(asterisk: AsteriskPeer, secure: bool) -> None:
    sent: list[str] = []
    account = asterisk.accounts["dave"]
    url = asterisk.wss if secure else asterisk.ws
    ua = UA(
        account.uri, sockets=url, password=account.password, ca_file=str(asterisk.ca_file) if secure else None
    )
    ua.trace(lambda direction, data: sent.append(str(data)) if direction == "out" else None)
    async with ua:
        assert ua.is_registered()
    assert any("algorithm=SHA-256" in message for message in sent)


async def test_wrong_password_is_refused(server: Peer) -> None:
    with pytest.raises(RegistrationUnauthorized, match=r"40[13]"):
        async with UA(server.accounts["alice"].uri, sockets=server.ws, password="wrong"):
            pass


async def test_untrusted_certificate_is_refused(server: Peer) -> None:
    with pytest.raises(CertificateError, match="ca_file"):
        async with UA(server.accounts["alice"].uri, sockets=server.wss, password="x"):
            pass


async def test_gruu_is_given_and_used(kamailio: KamailioPeer) -> None:
    async with registered(kamailio, "alice") as alice, registered(kamailio, "bob") as bob:
        gruu = bob.registrator().pub_gruu
        assert gruu is not None
        assert ";gr=" in gruu
        await auto_answer(bob)
        async with alice.call(gruu) as call:
            assert call.is_established()


async def test_all_bindings_are_removed(server: Peer) -> None:
    async with registered(server) as first, registered(server) as second:
        assert len(await server.bindings("alice")) == 2
        await first.unregister(all=True)
        assert not await server.bindings("alice")
        assert second.is_registered()


async def echoed(ua: UA, recording: Path, **options: Any) -> MediaStats:
    """Speech to the echo and back; returns what was counted at its end."""
    async with ua.call("600", audio=SPEECH, record=recording, **options) as call:
        await asyncio.sleep(6.5)
        return call.stats()


def check_echo(stats: MediaStats, recording: Path) -> None:
    assert stats.packets_sent >= 250
    assert stats.packets_received >= 250
    assert stats.packets_lost == 0
    found = correlate(SPEECH, recording)
    assert found.correlation >= 0.95, found


@pytest.mark.parametrize("codec", ["opus", "PCMU", "PCMA", "G722"])
async def test_echo_gives_the_speech_back(asterisk: AsteriskPeer, codec: str, tmp_path: Path) -> None:
    recording = tmp_path / "echo.wav"
    async with registered(asterisk) as ua:
        stats = await steady(
            lambda: echoed(ua, recording, codecs=(codec,)), lambda stats: check_echo(stats, recording)
        )
    assert (stats.codec or "").lower().startswith(codec.lower())
    await asterisk.idle()


async def test_echo_over_wss_through_the_proxy(
    kamailio: KamailioPeer, asterisk: AsteriskPeer, tmp_path: Path
) -> None:
    recording = tmp_path / "echo.wav"
    async with registered(kamailio, secure=True) as ua:
        await steady(lambda: echoed(ua, recording), lambda stats: check_echo(stats, recording))
    await asterisk.idle()


async def test_call_between_two_of_ours(server: Peer, tmp_path: Path) -> None:
    heard = {"alice": tmp_path / "alice.wav", "bob": tmp_path / "bob.wav"}
    async with registered(server, "alice") as alice, registered(server, "bob") as bob:
        incoming: list[Any] = []

        @bob.on("new_rtc_session")
        def answer(event: NewRTCSession) -> None:
            incoming.append(event.session)
            event.session.answer(audio=SPEECH, record=heard["bob"])

        async def talk() -> None:
            incoming.clear()
            async with alice.call("bob", audio=SPEECH, record=heard["alice"]):
                await asyncio.sleep(6.5)
            (theirs,) = incoming
            over = await asyncio.wait_for(theirs.wait_ended(), 5)
            assert over.cause is Cause.BYE
            assert over.originator == "remote"
            assert str(theirs.remote_identity.uri.user) == "alice"

        def check(_: None) -> None:
            for name, recording in heard.items():
                assert correlate(SPEECH, recording).correlation > 0.9, name

        await steady(talk, check)


async def test_called_side_hangs_up(server: Peer) -> None:
    async with registered(server, "alice") as alice, registered(server, "bob") as bob:

        @bob.on("new_rtc_session")
        async def answer(event: NewRTCSession) -> None:
            await event.session.answer()
            await asyncio.sleep(0.5)
            event.session.terminate()

        call = alice.call("bob")
        await call.wait_confirmed()
        over = await asyncio.wait_for(call.wait_ended(), 10)
        assert (over.originator, over.cause) == ("remote", Cause.BYE)


async def test_early_media(server: Peer, asterisk: AsteriskPeer) -> None:
    """The beep comes before the answer; our own sound, echoed, after it."""
    async with registered(server) as ua:

        async def call() -> None:
            call = ua.call("606", audio=Tone(440.0))
            provisional: list[int] = []
            call.on("progress", lambda event: provisional.append(event.response.code))
            early, late = bytearray(), bytearray()
            reader = call.audio.read(rate=8000)

            async def listen() -> None:
                async for pcm in reader:
                    (early if call.is_in_progress() else late).extend(pcm)

            listening = asyncio.ensure_future(listen())
            await asyncio.wait_for(call.wait_confirmed(), 10)
            assert 183 in provisional
            await asyncio.sleep(2)
            await call.terminate()
            await listening
            assert BEEP in pitches(early)
            assert 440 not in pitches(early)
            assert 440 in pitches(late)
            assert BEEP not in pitches(late[8000:])

        await steady(call)
    await asterisk.idle()


def pitches(pcm: bytearray) -> set[float]:
    """Which tones there are in any tenth of a second."""
    pieces = (bytes(pcm[at : at + 1600]) for at in range(0, len(pcm), 1600))
    loud = (piece for piece in pieces if level(piece) > -45)
    return {tone for piece in loud for tone in detect_tones(piece, (440.0, BEEP), share=0.5)}


async def test_cancel_while_it_rings(server: Peer, asterisk: AsteriskPeer) -> None:
    async with registered(server) as ua:
        call = ua.call("608")
        ringing = asyncio.Event()
        call.on("progress", lambda event: ringing.set())
        await asyncio.wait_for(ringing.wait(), 5)
        await asyncio.wait_for(call.terminate(), 5)
        with pytest.raises(CallCanceled):
            await call.wait_confirmed()
    await asterisk.idle()


async def test_remote_hangup(server: Peer) -> None:
    async with registered(server) as ua:
        call = ua.call("609")
        await call.wait_confirmed()
        over = await asyncio.wait_for(call.wait_ended(), 10)
        assert (over.originator, over.cause) == ("remote", Cause.BYE)


@pytest.mark.parametrize(
    ("number", "error", "cause", "status"),
    [
        ("610", CallBusy, Cause.BUSY, {486}),
        ("611", CallRejected, Cause.REJECTED, {403, 603}),
        ("612", CallNotFound, Cause.NOT_FOUND, {404}),
        ("613", CallUnavailable, Cause.SIP_FAILURE_CODE, {503, 500}),
    ],
)
async def test_refusals(
    server: Peer, number: str, error: type[Exception], cause: Cause, status: set[int]
) -> None:
    """A proxy turns the 503 of 613 into 500 (RFC 3261 §16.7)."""
    async with registered(server) as ua:
        with pytest.raises(error) as caught:
            async with ua.call(number):
                pass
        assert caught.value.cause is cause  # type: ignore[attr-defined]
        assert caught.value.status_code in status  # type: ignore[attr-defined]


async def test_tone(asterisk: AsteriskPeer, tmp_path: Path) -> None:
    recording = tmp_path / "tone.wav"
    async with registered(asterisk) as ua, ua.call("605", record=recording):
        await asyncio.sleep(3)
    assert detect_tones(recording, [440.0, 1004.0]) == [1004.0]


async def test_two_calls_at_once(asterisk: AsteriskPeer) -> None:
    async with (
        registered(asterisk) as ua,
        ua.call("600", audio=SPEECH) as one,
        ua.call("600", audio=SPEECH) as two,
    ):
        await asyncio.sleep(2)
        for call in (one, two):
            assert call.stats().packets_received > 50


async def test_message_and_options(server: Peer) -> None:
    async with registered(server, "alice") as alice, registered(server, "bob") as bob:
        got: asyncio.Queue[str] = asyncio.Queue()

        @bob.on("new_message")
        def receive(event: NewMessage) -> None:
            got.put_nowait(event.message.body)

        assert (await alice.send_message("bob", "hello, Bob")).code in (200, 202)
        assert await asyncio.wait_for(got.get(), 5) == "hello, Bob"
        assert (await alice.send_options(f"sip:{server.domain}")).code == 200


async def test_dtmf_by_info_is_read_by_the_ivr(asterisk: AsteriskPeer) -> None:
    async with registered(asterisk, "erin") as ua, ua.call("603") as call:
        await asyncio.sleep(1.5)
        await call.send_dtmf("4711", duration=160, inter_tone_gap=200)
        await asterisk.logged(r"IVR-GOT 4711")


async def test_late_offer(asterisk: AsteriskPeer) -> None:
    async with registered(asterisk) as ua, ua.call("600", audio=SPEECH, late_offer=True) as call:
        await asyncio.sleep(2)
        assert call.stats().packets_received > 50
    await asterisk.idle()
