"""Full trickle with real media: two user agents, a STUN server that answers late, the real clock."""

from __future__ import annotations

import asyncio
import random

import pytest

from sipua import UA, RTCSession
from sipua.bodies import TrickleFragment
from sipua.sip import Request, parse_message
from tests.media.calls import LOOPBACK, SPEECH, until
from tests.media.stun import MAPPED, stun_server
from tests.session.test_properties import End

pytestmark = pytest.mark.realtime


Infos = list[tuple[str, TrickleFragment, float]]


async def restarted(one: RTCSession, other: RTCSession, infos: Infos) -> None:
    """An ICE restart trickles, too, with credentials of its own."""
    loop = asyncio.get_running_loop()
    before = {fragment.ufrag for _, fragment, _ in infos}
    started = loop.time()
    await one.renegotiate(ice_restart=True)
    assert loop.time() - started < 0.9
    await until(lambda: one.media and other.media and one.media.state == other.media.state == "connected")
    count = one.stats().packets_received
    await until(lambda: {d for d, f, _ in infos if f.ufrag not in before} == {"in", "out"})
    await until(lambda: one.stats().packets_received > count + 10)
    for direction, fragment, _ in infos:
        if fragment.ufrag not in before:
            told = one if direction == "out" else other
            assert f"a=ice-ufrag:{fragment.ufrag}\r\n" in (told.media.local_description or "")  # type: ignore[union-attr]


@pytest.mark.parametrize("answers", [True, False])
async def test_a_call_is_up_before_gathering_ends(answers: bool) -> None:
    """The offer and the answer go out at once; the other candidates, or only their end, follow by INFO, both ways."""
    stun = await stun_server(answers, delay=1.0)
    network = {"delay": 0.0, "duplicate": 0.0}
    ends = End(random.Random(0), network), End(random.Random(0), network)
    ends[0].other, ends[1].other = ends[1], ends[0]
    options = {
        "audio": SPEECH,
        "ice_host_addresses": LOOPBACK,
        "ice_servers": (stun.url,),
        "ice_gathering_timeout": 1.5,
        "trickle_ice": "full",
    }
    calls: list[RTCSession] = []
    infos: Infos = []
    loop = asyncio.get_running_loop()

    def trace(direction: str, data: str | bytes) -> None:
        message = parse_message(data)
        if isinstance(message, Request) and message.method == "INFO":
            infos.append((direction, TrickleFragment.parse(message.body), loop.time()))

    async with (
        UA("sip:alice@example.com", sockets=ends[0], register=False, media_options=options) as alice,
        UA("sip:bob@example.com", sockets=ends[1], register=False, media_options=options) as bob,
    ):
        alice.trace(trace)
        bob.on("new_rtc_session", lambda event: (calls.append(event.session), event.session.answer()))
        started = loop.time()
        async with alice.call("bob") as out:
            await until(lambda: out.media and out.media.state == calls[0].media.state == "connected")
            await until(lambda: out.stats().packets_received > 3 and calls[0].stats().packets_received > 3)
            assert loop.time() - started < 0.95
            assert infos == []
            await until(lambda: {d for d, f, _ in infos if f.media[0].is_complete} == {"in", "out"})
            assert all(at - started > 0.9 for _, _, at in infos)
            assert any(MAPPED in str(fragment) for _, fragment, _ in infos) is answers
            assert out.is_established()
            assert out.stats().local_candidate.startswith("host 127.0.0.1")  # type: ignore[union-attr]
            await restarted(out, calls[0], infos)
    stun.transport.close()
