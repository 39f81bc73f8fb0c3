"""Video in calls, on the wire: offered, refused, added, removed, held and muted."""

from __future__ import annotations

import pytest

from sipua import UA, ConfigurationError, InvalidStateError, RequestFailed, RTCSession
from sipua.errors import MediaNegotiationError
from sipua.sip import Request, Response
from tests.session.calls import ALLOW, SDP_TYPE, call_in, call_out, directed
from tests.wire import ANSWER, OFFER, Log, Wire, user_agent

VIDEO = (
    "m=video 40002 UDP/TLS/RTP/SAVPF 97\r\nc=IN IP4 192.0.2.2\r\na=sendrecv\r\na=mid:1\r\n"
    "a=rtpmap:97 VP8/90000\r\na=rtcp-mux\r\na=setup:{setup}\r\n"
    "a=ice-ufrag:peer\r\na=ice-pwd:thePasswordOfThePeer000\r\na=fingerprint:sha-256 AA:BB\r\n"
)
OFFER_VIDEO = OFFER + VIDEO.format(setup="actpass")
ANSWER_VIDEO = ANSWER + VIDEO.format(setup="active")
NO_VIDEO = "m=video 0 UDP/TLS/RTP/SAVPF 97\r\n"


def lines(message: Request | Response) -> list[tuple[str, str, str]]:
    """Kind, whether it is refused, and direction of each m-line."""
    found = []
    for section in message.text.split("\r\nm=")[1:]:
        kind, port = section.split()[:2]
        names = ("sendrecv", "sendonly", "recvonly", "inactive")
        direction = next(name for name in names if f"\r\na={name}\r\n" in section)
        found.append((kind, "refused" if port == "0" else "live", direction))
    return found


AUDIO_LINE = ("audio", "live", "sendrecv")
VIDEO_LINE = ("video", "live", "sendrecv")
REFUSED_LINE = ("video", "refused", "inactive")


async def video_call(wire: Wire, ua: UA) -> tuple[RTCSession, Request]:
    """A call of ours with both media, confirmed, and its INVITE."""
    call = ua.call("bob", video=True)
    invite = await wire.request("INVITE")
    assert lines(invite) == [AUDIO_LINE, VIDEO_LINE]
    wire.reply(invite, 200, (ALLOW,), sdp=ANSWER_VIDEO)
    await wire.request("ACK")
    await call.wait_confirmed()
    return call, invite


async def offered(wire: Wire, invite: Request, sdp: str, sequence: int = 1) -> Response:
    """The answer to a re-INVITE of the peer in the call that our INVITE made."""
    wire.from_callee("INVITE", invite, sequence=sequence, body=sdp, extra=SDP_TYPE)
    ok = await wire.response(200)
    wire.from_callee("ACK", invite, sequence=sequence)
    await wire.settle(0.1)
    return ok


async def test_a_call_with_video() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await video_call(wire, ua)
        assert call.directions() == {"audio": "sendrecv", "video": "sendrecv"}
        ok = await offered(wire, invite, OFFER_VIDEO)  # a refresh of the peer's
        assert lines(ok) == [AUDIO_LINE, VIDEO_LINE]


async def test_no_video_unless_asked_for() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await call_out(wire, ua)
        assert lines(invite) == [AUDIO_LINE]
        assert call.directions() == {"audio": "sendrecv"}
        call.terminate()
        incoming, ok = await call_in(wire, ua, sdp=OFFER_VIDEO)
        assert lines(ok) == [AUDIO_LINE, REFUSED_LINE]
        assert incoming.directions() == {"audio": "sendrecv"}


@pytest.mark.parametrize(
    ("wanted", "answered"), [("sendrecv", "sendrecv"), ("recvonly", "recvonly"), ("inactive", "inactive")]
)
async def test_video_of_the_peer_is_taken_when_it_is_wanted(wanted: str, answered: str) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        calls: list[RTCSession] = []
        ua.once("new_rtc_session", lambda event: calls.append(event.session))
        wire.invite(ua, sdp=OFFER_VIDEO)
        await wire.response(180)
        with pytest.raises(ConfigurationError):
            calls[0].answer(video=7)
        calls[0].answer(video=True, video_direction=wanted)
        assert lines(await wire.response(200)) == [AUDIO_LINE, ("video", "live", answered)]
        assert calls[0].directions()["video"] == answered


async def test_a_peer_that_refuses_video() -> None:
    """Its m-line stays, refused; the next offers do not ask for it again."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob", video=True)
        invite = await wire.request("INVITE")
        wire.reply(invite, 200, (ALLOW,), sdp=ANSWER + NO_VIDEO)
        await wire.request("ACK")
        await call.wait_confirmed()
        assert call.directions() == {"audio": "sendrecv"}
        held = call.hold()
        reinvite = await wire.request("INVITE")
        assert lines(reinvite) == [("audio", "live", "sendonly"), REFUSED_LINE]
        wire.reply(reinvite, 200, sdp=directed(ANSWER, "recvonly") + NO_VIDEO)
        await wire.request("ACK")
        await held
        assert call.is_on_hold() == {"local": True, "remote": False}
        # But the peer may offer it, and gets what this side wants: hold goes for both.
        ok = await offered(wire, invite, OFFER_VIDEO)
        assert lines(ok) == [("audio", "live", "sendonly"), ("video", "live", "sendonly")]


@pytest.mark.parametrize("use_update", [False, True])
async def test_video_is_added_and_removed(use_update: bool) -> None:
    method = "UPDATE" if use_update else "INVITE"
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await call_out(wire, ua)
        added = call.add_video(use_update=use_update)
        offer = await wire.request(method)
        assert lines(offer) == [AUDIO_LINE, VIDEO_LINE]
        assert "a=group:BUNDLE 0 1\r\n" in offer.text
        wire.reply(offer, 200, sdp=ANSWER_VIDEO)
        await added
        assert call.directions() == {"audio": "sendrecv", "video": "sendrecv"}
        if not use_update:
            await wire.request("ACK")

        call.renegotiate(use_update=use_update)
        offer = await wire.request(method)
        assert lines(offer) == [AUDIO_LINE, VIDEO_LINE]
        wire.reply(offer, 200, sdp=ANSWER_VIDEO.replace("40002", "40004"))
        if not use_update:
            await wire.request("ACK")

        removed = call.remove_video(use_update=use_update)
        offer = await wire.request(method)
        assert lines(offer) == [AUDIO_LINE, REFUSED_LINE]
        wire.reply(offer, 200, sdp=ANSWER + NO_VIDEO)
        await removed
        assert call.directions() == {"audio": "sendrecv"}
        if not use_update:
            await wire.request("ACK")

        call.renegotiate(use_update=use_update, video_direction="recvonly")
        assert lines(await wire.request(method)) == [AUDIO_LINE, ("video", "live", "recvonly")]


async def test_a_refused_offer_of_video_leaves_the_call_as_it_was() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await call_out(wire, ua)
        assert call.media is not None
        before = call.media.local_description
        added = call.add_video()
        wire.reply(await wire.request("INVITE"), 488)
        await wire.request("ACK")
        with pytest.raises(RequestFailed):
            await added
        assert call.media.local_description == before
        assert call.directions() == {"audio": "sendrecv"}
        call.renegotiate()
        assert lines(await wire.request("INVITE")) == [AUDIO_LINE]


async def test_an_answer_that_refuses_the_added_video() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await call_out(wire, ua)
        added = call.add_video()
        wire.reply(await wire.request("INVITE"), 200, sdp=ANSWER + NO_VIDEO)
        await wire.request("ACK")
        with pytest.raises(MediaNegotiationError, match="refused video"):
            await added
        assert call.is_established()
        assert call.is_ready_to_re_offer()
        assert lines(await offered(wire, invite, OFFER_VIDEO)) == [AUDIO_LINE, REFUSED_LINE]


async def test_the_peer_adds_video_and_holds_one_medium_or_both() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await call_out(wire, ua)
        log = Log(call)
        assert lines(await offered(wire, invite, OFFER_VIDEO)) == [AUDIO_LINE, REFUSED_LINE]
        call.accept_video(direction="recvonly")
        ok = await offered(wire, invite, OFFER_VIDEO, 2)
        assert lines(ok) == [AUDIO_LINE, ("video", "live", "recvonly")]
        assert call.directions() == {"audio": "sendrecv", "video": "recvonly"}

        call.accept_video()
        video = VIDEO.format(setup="actpass")
        await offered(wire, invite, OFFER + directed(video, "sendonly"), 3)
        assert call.directions() == {"audio": "sendrecv", "video": "recvonly"}
        assert call.is_on_hold() == {"local": False, "remote": False}
        await offered(wire, invite, directed(OFFER_VIDEO, "sendonly"), 4)
        assert call.is_on_hold() == {"local": False, "remote": True}
        assert call.directions() == {"audio": "recvonly", "video": "recvonly"}
        await offered(wire, invite, directed(OFFER, "inactive") + video, 5)
        assert call.is_on_hold() == {"local": False, "remote": False}
        assert call.directions() == {"audio": "inactive", "video": "sendrecv"}
        # Of old: the address 0.0.0.0. And video that is gone holds nobody.
        nowhere = OFFER.replace("IP4 127.0.0.1\r\na=cand", "IP4 0.0.0.0\r\na=cand")
        await offered(wire, invite, nowhere + NO_VIDEO, 6)
        assert call.is_on_hold() == {"local": False, "remote": True}
        assert call.directions() == {"audio": "recvonly"}
        await offered(wire, invite, OFFER + NO_VIDEO, 7)
        assert call.is_on_hold() == {"local": False, "remote": False}
        held = [name for name in log.names if name.endswith("hold")]
        assert held == ["hold", "unhold", "hold", "unhold"]


async def test_a_handler_takes_the_video_it_is_told_of() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await call_out(wire, ua)
        call.on("reinvite", lambda event: "m=video" in event.request.text and call.accept_video())
        assert lines(await offered(wire, invite, OFFER_VIDEO)) == [AUDIO_LINE, VIDEO_LINE]


async def test_an_offer_that_the_peer_asks_for_has_what_is_there() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await video_call(wire, ua)
        wire.from_callee("INVITE", invite)
        ok = await wire.response(200)
        assert lines(ok) == [AUDIO_LINE, VIDEO_LINE]
        wire.from_callee("ACK", invite, body=ANSWER + NO_VIDEO, extra=SDP_TYPE)
        await wire.settle(0.1)
        assert call.directions() == {"audio": "sendrecv"}
        wire.from_callee("INVITE", invite, sequence=2)
        assert lines(await wire.response(200)) == [AUDIO_LINE, REFUSED_LINE]


async def test_both_media_are_held() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await video_call(wire, ua)
        held = call.hold()
        reinvite = await wire.request("INVITE")
        assert [direction for _, _, direction in lines(reinvite)] == ["sendonly", "sendonly"]
        wire.reply(reinvite, 200, sdp=directed(ANSWER_VIDEO, "recvonly"))
        await wire.request("ACK")
        await held
        assert call.directions() == {"audio": "sendonly", "video": "sendonly"}
        resumed = call.unhold()
        reinvite = await wire.request("INVITE")
        assert lines(reinvite) == [AUDIO_LINE, VIDEO_LINE]
        wire.reply(reinvite, 488)
        await wire.request("ACK")
        with pytest.raises(RequestFailed):
            await resumed
        assert call.directions() == {"audio": "sendonly", "video": "sendonly"}


async def test_mute_is_per_medium() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await video_call(wire, ua)
        log = Log(call)
        call.mute()
        assert call.is_muted() == {"audio": True, "video": False}
        call.mute(video=True)
        assert call.is_muted() == {"audio": True, "video": True}
        call.mute(video=True)
        call.unmute(audio=False, video=True)
        assert call.is_muted() == {"audio": True, "video": False}
        call.unmute(video=True)
        assert log.names == ["muted", "muted", "unmuted", "unmuted"]
        told = [(event.audio, event.video) for event in log.payloads]
        assert told == [(True, False), (False, True), (False, True), (True, False)]


async def test_video_ports_end_with_the_call() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await video_call(wire, ua)
        assert call.video.source is True
        assert call.video.track is None
        call.terminate()
        with pytest.raises(InvalidStateError):
            await call.video.frame()
        with pytest.raises(InvalidStateError):
            await call.video.snapshot()


async def test_what_cannot_be_shown_is_said_at_once() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        with pytest.raises(ConfigurationError, match="video"):
            ua.call("bob", video=3.5)
        with pytest.raises(ConfigurationError, match="video_direction"):
            ua.call("bob", video=True, video_direction="up")
        call, _ = await call_out(wire, ua)
        with pytest.raises(ConfigurationError, match="video"):
            call.add_video(3.5)
        with pytest.raises(ValueError, match="direction"):
            call.add_video(direction="up")  # type: ignore[arg-type]
        assert wire.nothing_sent()
        call.terminate()
        with pytest.raises(InvalidStateError):
            call.add_video()
