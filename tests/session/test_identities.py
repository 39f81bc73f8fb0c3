"""Who is who, as the network says it: RFC 3325, RFC 7044, RFC 5806, RFC 3323."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipua import CallFailed, InvalidHeaderError, RTCSession
from sipua.sip import Reason
from tests.wire import ANSWER, Wire, user_agent


async def incoming(headers: str) -> RTCSession:
    """A call that came with these headers."""
    wire = Wire()
    async with user_agent(wire) as ua:
        calls: list[RTCSession] = []
        ua.on("new_rtc_session", lambda event: calls.append(event.session))
        wire.invite(ua, extra=headers)
        await wire.response(180)
        call = calls[0]
        call.terminate()
        await wire.response(480)
    return call


async def test_asserted_identity_of_the_caller() -> None:
    call = await incoming(
        'P-Asserted-Identity: "Cullen Jennings" <sip:fluffy@cisco.com>\r\nP-Asserted-Identity: tel:+14085264000\r\n'
    )
    sip, tel = call.p_asserted_identity
    assert (sip.name, str(sip.uri)) == ("Cullen Jennings", "sip:fluffy@cisco.com")
    assert tel.uri.user == "+14085264000"
    assert str(call.remote_identity.uri) == "sip:peer@example.com"  # From stays what it is


async def test_asserted_identity_of_the_called() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")
        assert call.p_asserted_identity == ()
        invite = await wire.request("INVITE")
        wire.reply(invite, 180, (("P-Asserted-Identity", "<sip:bob.desk@example.com>"),))
        await wire.settle()
        assert [str(one.uri) for one in call.p_asserted_identity] == ["sip:bob.desk@example.com"]
        wire.reply(invite, 200, (("P-Asserted-Identity", "<sip:carol@example.com>"),), sdp=ANSWER)
        await wire.request("ACK")
        assert [str(one.uri) for one in call.p_asserted_identity] == ["sip:carol@example.com"]
        call.terminate()
        wire.reply(await wire.request("BYE"), 200)


async def test_history() -> None:
    """RFC 7044: who was called, why it went on, in order of the indexes."""
    call = await incoming(
        "History-Info: <sip:alice@192.0.2.3;transport=ws>;index=1.2.1;rc=1.2\r\n"
        'History-Info: <sip:bob@example.com?Reason=SIP%3Bcause%3D302&Privacy=history>;index=1, "Carol"'
        " <sip:carol@example.com?Reason=SIP%3Bcause%3D480%3Btext%3D%22Not%20here%22>;index=1.1;mp=1,"
        " <sip:alice@example.com>;index=1.2;mp=1\r\n"
    )
    entries = call.history_info
    assert [entry.index for entry in entries] == ["1", "1.1", "1.2", "1.2.1"]
    assert [str(entry.uri) for entry in entries] == [
        "sip:bob@example.com",
        "sip:carol@example.com",
        "sip:alice@example.com",
        "sip:alice@192.0.2.3;transport=ws",
    ]
    assert [(entry.kind, entry.by) for entry in entries] == [
        (None, None),
        ("mp", "1"),
        ("mp", "1"),
        ("rc", "1.2"),
    ]
    assert entries[0].reasons == (Reason("SIP", 302),)
    assert (entries[0].private, entries[1].private) == (True, False)
    assert (entries[1].name, entries[1].reasons[0].text) == ("Carol", "Not here")


async def test_diversion() -> None:
    call = await incoming(
        'Diversion: <sip:bob@example.com>;reason=user-busy;counter=2;privacy="full";screen=yes,'
        ' "Old" <tel:+1555>;reason="no-answer";limit=5\r\n'
    )
    last, first = call.diversion
    assert (str(last.address.uri), last.reason, last.counter) == ("sip:bob@example.com", "user-busy", 2)
    assert (last.privacy, last.screen, last.limit) == ("full", True, None)
    assert (first.address.name, first.reason, first.counter, first.limit) == ("Old", "no-answer", 1, 5)


async def test_privacy_of_the_caller() -> None:
    assert (await incoming("Privacy: Header;id\r\n")).privacy == {"header", "id"}
    assert (await incoming("")).privacy == frozenset()


@pytest.mark.parametrize("value", ["<<>", "", ";;", "<sip:a@b", "<sip:a@b>;index=x", "<sip:a@b>;index=1.;rc"])
async def test_what_cannot_be_read_is_absent(value: str) -> None:
    call = await incoming(f"P-Asserted-Identity: {value}\r\nHistory-Info: {value}\r\nDiversion: {value}\r\n")
    assert call.history_info == ()
    assert isinstance(call.diversion, tuple)
    assert isinstance(call.p_asserted_identity, tuple)


@given(st.text(alphabet='<>sip:@b;index=1.?Reason&%"\\, ', max_size=60))
async def test_anything_can_be_asked_about(value: str) -> None:
    call = await incoming(f"History-Info: {value}\r\nDiversion: {value}\r\nPrivacy: {value}\r\n")
    assert isinstance((call.history_info, call.diversion, call.privacy), tuple)


async def test_anonymous_calls() -> None:
    """RFC 3323 §4.1.1.3, RFC 3325 §9.2: the peer must not know us, our own servers may."""
    wire = Wire()
    async with user_agent(wire, display_name="Alice") as ua:
        call = ua.call("bob", anonymous=True)
        invite = await wire.request("INVITE")
        assert str(invite.from_address.uri) == "sip:anonymous@anonymous.invalid"
        assert invite.privacy == "id"
        assert str(invite.p_preferred_identity[0].uri) == "sip:alice@example.com"
        rest = str(invite).replace(invite.headers["P-Preferred-Identity"], "")
        assert "alice" not in rest.lower()
        assert ua.contact_uri not in rest
        wire.reply(invite, 486)
        await wire.request("ACK")
        with pytest.raises(CallFailed):
            await call.wait_confirmed()


async def test_privacy_of_our_calls() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob", privacy="header;history")
        invite = await wire.request("INVITE")
        assert invite.headers.getlist("Privacy") == ["header;history"]
        assert str(invite.from_address.uri) == "sip:alice@example.com"
        call.terminate()
        wire.reply(invite, 180)
        wire.reply(await wire.request("CANCEL"), 200)
        wire.reply(invite, 487)
        await wire.request("ACK")
        with pytest.raises(InvalidHeaderError, match="privacy"):
            ua.call("bob", privacy="id\r\nX: y")


async def test_addresses_without_angle_brackets() -> None:
    call = await incoming("P-Asserted-Identity: sip:boss@example.com\r\nDiversion: tel:+1555;reason=away\r\n")
    assert [(one.name, str(one.uri)) for one in call.p_asserted_identity] == [("", "sip:boss@example.com")]
    assert (str(call.diversion[0].address.uri), call.diversion[0].reason) == ("tel:+1555", "away")
