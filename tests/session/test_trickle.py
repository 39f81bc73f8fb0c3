"""Candidates by INFO, both ways (RFC 8840): when they are told, to whom, and what the peer's do."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipua import UA, MediaFileError, RTCSession
from sipua.bodies import TrickleFragment, TrickleMedia
from sipua.events import SetRemoteDescriptionFailed
from sipua.media import SignallingOnlyMedia
from sipua.sip import Request, Response
from sipua.testing import run_simulated
from tests.wire import ANSWER, OFFER, Log, Wire, user_agent

SRFLX = "candidate:2 1 udp 1694498815 203.0.113.5 6000 typ srflx raddr 192.0.2.1 rport 5000"
RELAY = "candidate:3 1 udp 16777215 198.51.100.7 7000 typ relay raddr 203.0.113.5 rport 6000"
LATE = functools.partial(SignallingOnlyMedia, late_candidates=[(1.0, SRFLX), (2.0, RELAY)])

TRICKLES = (("Supported", "trickle-ice, 100rel"), ("Recv-Info", "trickle-ice"))
EXTRA = "".join(f"{name}: {value}\r\n" for name, value in TRICKLES)
INFO = "Info-Package: trickle-ice\r\nContent-Type: application/trickle-ice-sdpfrag\r\n"
UFRAG, PWD = "Xz9K", "8mQ0dQbq0b2m0V7y7wE5cJxC"
TRICKLED_OFFER = OFFER.replace("s=-\r\n", "s=-\r\na=ice-options:trickle\r\n")


def fragment(*lines: str, ufrag: str = UFRAG, pwd: str = PWD, end: bool = False, mid: str = "0") -> str:
    return str(TrickleFragment((TrickleMedia(mid, lines, end),), ufrag, pwd))


def told(info: Request) -> TrickleMedia:
    """What an INFO of ours tells of the audio."""
    assert info.headers["Info-Package"] == "trickle-ice"
    assert info.headers["Content-Type"] == "application/trickle-ice-sdpfrag"
    assert info.headers["Content-Disposition"] == "Info-Package"
    parsed = TrickleFragment.parse(info.body)
    assert parsed.ufrag == "noIC"
    return parsed.media[0]


def given_to(call: RTCSession) -> list[str | None]:
    """What media got of the peer's candidates."""
    assert isinstance(call.media, SignallingOnlyMedia)
    return call.media.remote_candidates


async def ringing(wire: Wire, ua: UA, *, sdp: str = TRICKLED_OFFER, extra: str = EXTRA) -> RTCSession:
    calls: list[RTCSession] = []
    ua.once("new_rtc_session", lambda event: calls.append(event.session))
    wire.invite(ua, sdp=sdp, extra=extra)
    await wire.response(180)
    return calls[0]


# --- the caller ----------------------------------------------------------------------------------------------


async def test_half_trickle_waits_and_offers_everything() -> None:
    wire = Wire()
    async with user_agent(wire, media=LATE) as ua:
        call = ua.call("bob")
        log = []
        call.on("icecandidate", lambda event: log.append((ua.loop.time(), event.candidate)))
        started = ua.loop.time()
        invite = await wire.request("INVITE")
        assert ua.loop.time() - started == pytest.approx(2.0)
        assert "trickle-ice" in invite.headers["Supported"]
        assert invite.headers["Recv-Info"] == "trickle-ice"
        for line in ("ice-options:trickle", SRFLX, RELAY, "end-of-candidates"):
            assert f"a={line}\r\n" in invite.text
        assert [line for _, line in log][1:] == [SRFLX, RELAY]
        wire.reply(invite, 200, TRICKLES, sdp=ANSWER)
        await wire.request("ACK")
        await wire.settle(10)
        assert wire.nothing_sent()  # everything was in the offer


async def test_full_trickle_offers_at_once_and_tells_the_rest_by_info() -> None:
    wire = Wire()
    async with user_agent(wire, media=LATE) as ua:
        started = ua.loop.time()
        ua.call("bob", trickle_ice="full")
        invite = await wire.request("INVITE")
        assert ua.loop.time() == started
        assert "a=end-of-candidates" not in invite.text
        assert SRFLX not in invite.text
        wire.reply(invite, 200, TRICKLES, sdp=ANSWER)
        await wire.request("ACK")
        info = await wire.request("INFO")
        assert ua.loop.time() - started == pytest.approx(1.0, abs=0.05)
        assert (told(info).candidates[1:], told(info).is_complete) == ((SRFLX,), False)
        wire.reply(info, 200)
        info = await wire.request("INFO")  # each tells all there is
        assert (told(info).candidates[1:], told(info).is_complete) == ((SRFLX, RELAY), True)
        wire.reply(info, 200)
        await wire.settle(10)
        assert wire.nothing_sent()


async def test_one_info_at_a_time() -> None:
    wire = Wire()
    async with user_agent(wire, media=LATE) as ua:
        ua.call("bob", trickle_ice="full")
        wire.reply(await wire.request("INVITE"), 200, TRICKLES, sdp=ANSWER)
        await wire.request("ACK")
        first = await wire.request("INFO")
        await wire.settle(5)
        assert wire.nothing_sent()
        wire.reply(first, 200)
        assert told(await wire.request("INFO")).is_complete


async def test_ready_ends_gathering() -> None:
    wire = Wire()
    async with user_agent(wire, media=LATE) as ua:
        started = ua.loop.time()
        call = ua.call("bob")
        call.on("icecandidate", lambda event: event.ready() if event.candidate == SRFLX else None)
        invite = await wire.request("INVITE")
        assert ua.loop.time() - started == pytest.approx(1.0)
        assert f"a={SRFLX}\r\na=end-of-candidates" in invite.text
        assert RELAY not in invite.text


async def test_forks_that_trickle_and_that_do_not() -> None:
    """In early dialogs; the first INFO answers an unreliable 18x though it has no news (RFC 8840 §4.3.2)."""
    wire = Wire()
    async with user_agent(wire, media=LATE) as ua:
        ua.call("bob", trickle_ice="full")
        invite = await wire.request("INVITE")
        wire.reply(invite, 183, TRICKLES, tag="one", sdp=ANSWER)
        wire.reply(invite, 180, tag="two")
        first = await wire.request("INFO")
        assert (first.to_tag, len(told(first).candidates)) == ("one", 1)
        wire.reply(first, 200)
        second = await wire.request("INFO")
        assert (second.to_tag, told(second).candidates[1:]) == ("one", (SRFLX,))
        wire.reply(second, 200)
        wire.reply(invite, 200, TRICKLES, tag="two", sdp=ANSWER)
        await wire.request("ACK")
        third = await wire.request("INFO")  # the other branch is over
        assert (third.to_tag, told(third).candidates[1:]) == ("two", (SRFLX,))
        wire.reply(third, 200)
        assert (await wire.request("INFO")).to_tag == "two"


class Unconnected(SignallingOnlyMedia):
    """A path is never found."""

    state = "connecting"  # type: ignore[assignment]


@pytest.mark.parametrize("refused", [False, True])
async def test_a_peer_that_knows_nothing_of_it_is_offered_the_rest(refused: bool) -> None:
    """One that does not say that it trickles, or says so and refuses the INFO (RFC 8840 §5.3)."""
    wire = Wire()
    media = functools.partial(Unconnected, late_candidates=[(1.0, SRFLX)])
    async with user_agent(wire, media=media) as ua:
        call = ua.call("bob", trickle_ice="full")
        wire.reply(await wire.request("INVITE"), 200, TRICKLES if refused else (), sdp=ANSWER)
        await wire.request("ACK")
        if refused:
            wire.reply(await wire.request("INFO"), 469)
        again = await wire.request("INVITE")
        assert f"a={SRFLX}\r\na=end-of-candidates" in again.text
        wire.reply(again, 200, sdp=ANSWER)
        await wire.request("ACK")
        await wire.settle(5)
        assert wire.nothing_sent()
        assert call.is_established()


async def test_a_peer_that_knows_nothing_of_it_and_is_connected_needs_nothing() -> None:
    wire = Wire()
    async with user_agent(wire, media=LATE) as ua:
        ua.call("bob", trickle_ice="full")
        wire.reply(await wire.request("INVITE"), 200, sdp=ANSWER)
        await wire.request("ACK")
        await wire.settle(10)
        assert wire.nothing_sent()


async def test_a_call_that_ends_tells_no_more() -> None:
    wire = Wire()
    async with user_agent(wire, media=LATE) as ua:
        call = ua.call("bob", trickle_ice="full")
        wire.reply(await wire.request("INVITE"), 200, TRICKLES, sdp=ANSWER)
        await wire.request("ACK")
        call.terminate()
        wire.reply(await wire.request("BYE"), 200)
        await wire.settle(10)
        assert wire.nothing_sent()


async def test_off_says_nothing_and_refuses() -> None:
    wire = Wire()
    async with user_agent(wire, media=LATE, media_options={"trickle_ice": "off"}) as ua:
        call = ua.call("bob")
        invite = await wire.request("INVITE")
        assert "trickle" not in str(invite.headers) + invite.text
        wire.reply(invite, 200, TRICKLES, sdp=ANSWER)
        await wire.request("ACK")
        wire.from_callee("INFO", invite, extra=INFO, body=fragment(SRFLX))
        assert (await wire.response(469)).headers["Recv-Info"] == ""
        assert given_to(call) == []
        wire.invite(ua, extra="Require: trickle-ice\r\n", call_id="c2")
        assert (await wire.response(420)).headers["Unsupported"] == "trickle-ice"


async def test_one_call_may_be_otherwise() -> None:
    wire = Wire()
    async with user_agent(wire, media_options={"trickle_ice": "off"}) as ua:
        ua.call("bob", trickle_ice="half")
        invite = await wire.request("INVITE")
        assert invite.headers["Supported"].endswith(", trickle-ice")
    async with user_agent(wire := Wire()) as ua:
        ua.call("bob", trickle_ice="off")
        invite = await wire.request("INVITE")
        assert "trickle" not in str(invite.headers) + invite.text


async def test_a_device_that_took_candidates_before_is_offered_at_once() -> None:
    """Known by its GRUU (RFC 8840 §5.2), until it says otherwise."""
    gruu = "sip:bob@example.com;gr=urn:uuid:f81d4fae"
    wire = Wire()
    async with user_agent(wire, media=LATE) as ua:
        for number, trickles in enumerate((True, False, True)):
            started = ua.loop.time()
            call = ua.call(gruu)
            invite = await wire.request("INVITE")
            assert ua.loop.time() - started == pytest.approx(0.0 if number == 1 else 2.0)
            contact = ("Contact", f"<{gruu}>")
            wire.reply(invite, 200, (contact, *(TRICKLES if trickles else ())), sdp=ANSWER)
            await wire.request("ACK")
            call.terminate()
            wire.reply(await wire.request("BYE"), 200)
        assert gruu in ua.trickle_peers
        assert "sip:bob@example.com" not in ua.trickle_peers


# --- the called side -----------------------------------------------------------------------------------------


async def test_an_answer_goes_out_at_once_and_the_rest_after_the_ack() -> None:
    wire = Wire()
    async with user_agent(wire, media=LATE) as ua:
        call = await ringing(wire, ua)
        started = ua.loop.time()
        call.answer()
        ok = await wire.response(200, "INVITE")
        assert ua.loop.time() == started
        assert ok.headers["Recv-Info"] == "trickle-ice"
        assert "a=ice-options:trickle\r\n" in ok.text
        assert "a=end-of-candidates" not in ok.text
        await wire.settle(0.4)
        wire.in_dialog("ACK", ok, sequence=1)
        info = await wire.request("INFO")
        assert told(info).candidates[1:] == (SRFLX,)


@pytest.mark.parametrize(
    ("sdp", "extra"), [(OFFER, EXTRA), (TRICKLED_OFFER, "Supported: trickle-ice\r\n"), (OFFER, "")]
)
async def test_an_answer_waits_for_a_peer_that_does_not_trickle(sdp: str, extra: str) -> None:
    """Chromium says ice-options:trickle in every description; what counts besides is Recv-Info."""
    wire = Wire()
    async with user_agent(wire, media=LATE) as ua:
        call = await ringing(wire, ua, sdp=sdp, extra=extra)
        call.answer()
        ok = await wire.response(200, "INVITE")
        assert f"a={RELAY}\r\na=end-of-candidates" in ok.text
        assert ("ice-options" in ok.text) == ("ice-options" in sdp)


async def test_early_media_by_a_reliable_response() -> None:
    wire = Wire()
    async with user_agent(wire, media=LATE) as ua:
        call = await ringing(wire, ua)
        call.progress(183, early_media=True)
        progress = await wire.response(183)
        assert "RSeq" in progress.headers
        wire.in_dialog("PRACK", progress, extra=f"RAck: {progress.headers['RSeq']} 1 INVITE\r\n")
        await wire.response(200, "PRACK")
        assert told(await wire.request("INFO")).candidates[1:] == (SRFLX,)


async def test_early_media_by_an_unreliable_response_is_repeated_until_an_info() -> None:
    wire = Wire()
    media = functools.partial(SignallingOnlyMedia, late_candidates=[(2.9, SRFLX)])
    async with user_agent(wire, media=media) as ua:
        call = await ringing(wire, ua, extra="Recv-Info: trickle-ice\r\n")
        call.progress(183, early_media=True)
        first = await wire.response(183)
        assert first.headers["Recv-Info"] == "trickle-ice"
        assert "trickle-ice" in first.headers["Supported"]
        started = ua.loop.time()
        for seconds in (0.5, 1.5):
            again = await wire.response(183)
            assert ua.loop.time() - started == pytest.approx(seconds)
            assert again.text == first.text
        wire.in_dialog("INFO", first, extra=INFO, body=fragment(SRFLX))
        await wire.response(200, "INFO")
        assert told(await wire.request("INFO")).is_complete
        await wire.settle(40)
        assert wire.nothing_sent()


async def test_a_repeated_early_answer_is_given_up() -> None:
    wire = Wire()
    media = functools.partial(SignallingOnlyMedia, late_candidates=[(2.9, SRFLX)])
    async with user_agent(wire, media=media, no_answer_timeout=200) as ua:
        call = await ringing(wire, ua, extra="Recv-Info: trickle-ice\r\n")
        call.progress(183, early_media=True)
        for _ in range(7):
            await wire.response(183)
        await wire.settle(100)
        assert wire.nothing_sent()


async def test_a_late_offer_of_ours_trickles() -> None:
    wire = Wire()
    async with user_agent(wire, media=LATE) as ua:
        call = await ringing(wire, ua, sdp="")
        call.answer()
        ok = await wire.response(200, "INVITE")
        assert "a=end-of-candidates" not in ok.text
        wire.in_dialog("ACK", ok, sequence=1, extra="Content-Type: application/sdp\r\n", body=ANSWER)
        assert told(await wire.request("INFO")).candidates[1:] == (SRFLX,)


# --- what the peer tells -------------------------------------------------------------------------------------


async def up(wire: Wire, ua: UA) -> tuple[RTCSession, Request]:
    call = ua.call("bob")
    invite = await wire.request("INVITE")
    wire.reply(invite, 200, TRICKLES, sdp=ANSWER)
    await wire.request("ACK")
    await call.wait_confirmed()
    return call, invite


async def test_candidates_of_the_peer_reach_media_once_and_in_order() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        log = Log(call)
        wire.from_callee("INFO", invite, extra=INFO, body=fragment(SRFLX))
        await wire.response(200, "INFO")
        wire.from_callee("INFO", invite, sequence=2, extra=INFO, body=fragment(SRFLX, RELAY, end=True))
        await wire.response(200, "INFO")
        await wire.settle()
        assert given_to(call) == [SRFLX, RELAY, None]
        wire.from_callee(
            "INFO",
            invite,
            sequence=3,
            extra=INFO,
            body=fragment(SRFLX, RELAY, "candidate:9 1 udp 1 192.0.2.9 9 typ host"),
        )
        await wire.response(200, "INFO")
        await wire.settle()
        assert given_to(call) == [SRFLX, RELAY, None]  # nothing comes after the end
        assert log.names == []


async def test_candidates_wait_for_their_description() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")
        invite = await wire.request("INVITE")
        wire.reply(invite, 180, TRICKLES)
        wire.reply(await wire.request("INFO"), 200)
        wire.from_callee("INFO", invite, extra=INFO, body=fragment(SRFLX))
        await wire.response(200, "INFO")
        await wire.settle()
        assert given_to(call) == []
        wire.reply(invite, 200, TRICKLES, sdp=ANSWER)
        await wire.request("ACK")
        await wire.settle()
        assert given_to(call) == [SRFLX]


async def test_candidates_for_a_call_that_rings_wait_for_the_answer() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = await ringing(wire, ua)
        response = wire.received[-1]
        assert isinstance(response, Response)
        wire.in_dialog("INFO", response, extra=INFO, body=fragment(SRFLX))
        await wire.response(200, "INFO")
        assert call.media is None
        call.answer()
        await wire.response(200, "INVITE")
        await wire.settle()
        assert given_to(call) == [SRFLX]


@pytest.mark.parametrize(("ufrag", "pwd"), [("OLD1", PWD), (UFRAG, "x" * 22)])
async def test_another_generation_is_ignored(ufrag: str, pwd: str) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        wire.from_callee("INFO", invite, extra=INFO, body=fragment(SRFLX, ufrag=ufrag, pwd=pwd))
        await wire.response(200, "INFO")
        await wire.settle(1)
        assert given_to(call) == []
        assert call.is_established()


@pytest.mark.parametrize(
    ("extra", "body", "code"),
    [
        (INFO, "m=audio\r\n", 400),
        (INFO, f"a={SRFLX}\r\n", 400),
        (INFO, "m=audio 9 RTP/AVP 0\r\na=candidate:1 1 UDP\r\n", 400),
        (INFO.replace("application/trickle-ice-sdpfrag", "text/plain"), "hello", 415),
        (INFO.replace("trickle-ice\r\n", "conference\r\n", 1), fragment(SRFLX), 469),
        ("Info-Package: trickle-ice\r\n", "", 200),
    ],
)
async def test_what_cannot_be_used_leaves_the_call_as_it_was(extra: str, body: str, code: int) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        wire.from_callee("INFO", invite, extra=extra, body=body)
        response = await wire.response(code, "INFO")
        if code == 469:
            assert response.headers["Recv-Info"] == "trickle-ice"
        if code == 415:
            assert response.headers["Accept"] == "application/trickle-ice-sdpfrag"
        await wire.settle()
        assert given_to(call) == []
        assert call.is_established()
        wire.from_callee("INFO", invite, sequence=2, extra=INFO, body=fragment(SRFLX))
        await wire.response(200, "INFO")
        await wire.settle()
        assert given_to(call) == [SRFLX]


async def test_a_fragment_in_a_multipart_body() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        body = (
            "--x\r\nContent-Type: text/plain\r\n\r\nhello\r\n--x\r\nContent-Type: application/trickle-ice-sdpfrag\r\n"
            f"Content-Disposition: Info-Package\r\n\r\n{fragment(SRFLX)}\r\n--x--\r\n"
        )
        extra = "Info-Package: trickle-ice\r\nContent-Type: multipart/mixed; boundary=x\r\n"
        wire.from_callee("INFO", invite, extra=extra, body=body)
        await wire.response(200, "INFO")
        await wire.settle()
        assert given_to(call) == [SRFLX]


async def test_an_info_package_of_the_application() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await up(wire, ua)
        infos: list[Any] = []
        call.on("new_info", infos.append)
        wire.from_callee(
            "INFO", invite, extra="Info-Package: x\r\nContent-Type: text/plain\r\n", body="hello"
        )
        await wire.response(200, "INFO")
        assert [info.body for info in infos] == [b"hello"]


# --- between two user agents of ours, and JsSIP's events ------------------------------------------------------


async def test_a_description_that_cannot_be_used_is_told_before_the_end() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")
        log = Log(call)
        wire.reply(await wire.request("INVITE"), 200, sdp=ANSWER.replace("m=audio 40000", "m=audio 0"))
        await wire.request("ACK")
        await wire.request("BYE")
        names = log.names[log.names.index("accepted") :]
        assert names == ["accepted", "peerconnection_setremotedescriptionfailed", "media_failed", "ended"]
        assert isinstance(log["peerconnection_setremotedescriptionfailed"], SetRemoteDescriptionFailed)


class NoFile(SignallingOnlyMedia):
    def check(self) -> None:
        raise MediaFileError("hello.wav", "no such file")


async def test_getusermediafailed() -> None:
    wire, told = Wire(), []
    async with user_agent(wire, media=NoFile) as ua:
        with pytest.raises(MediaFileError):
            ua.call("bob", event_handlers={"getusermediafailed": told.append})
        call = await ringing(wire, ua)
        call.on("getusermediafailed", told.append)
        with pytest.raises(MediaFileError):
            call.answer()
        assert [type(event.error) for event in told] == [MediaFileError, MediaFileError]
        assert not call.is_ended()


_LINES = [f"candidate:{n} 1 udp {n} 192.0.2.{n} {5000 + n} typ host" for n in range(1, 6)]


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.booleans()), max_size=8), st.integers(0, 8))
def test_whatever_order_media_gets_each_candidate_once_and_in_order(infos: Any, answered_after: int) -> None:
    """INFOs with more and more candidates, of this generation and of another, before and after the answer."""

    async def main() -> None:
        wire = Wire()
        async with user_agent(wire) as ua:
            call = ua.call("bob")
            invite = await wire.request("INVITE")
            wire.reply(invite, 180)
            await wire.settle()
            expected: list[str | None] = []
            for number, (count, ours, ended) in enumerate(infos):
                if number == answered_after:
                    wire.reply(invite, 200, sdp=ANSWER)
                body = fragment(*_LINES[:count], end=ended, ufrag=UFRAG if ours else "OTHR")
                wire.from_callee("INFO", invite, sequence=number + 1, extra=INFO, body=body)
                if ours and None not in expected:
                    expected += [line for line in _LINES[:count] if line not in expected]
                    expected += [None] if ended else []
                await wire.settle()
            if len(infos) <= answered_after:
                wire.reply(invite, 200, sdp=ANSWER)
            await wire.settle()
            assert given_to(call) == expected
            assert call.is_established()

    run_simulated(main())
