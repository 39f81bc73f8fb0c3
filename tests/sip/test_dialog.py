from __future__ import annotations

import random

import pytest

from sipua.sip import (
    URI,
    Address,
    Dialog,
    DialogId,
    DialogState,
    OutOfOrder,
    ParseError,
    Request,
    Response,
    make_response,
)
from sipua.sip.dialog import dialog_id
from tests.sip.rig import new_request, over_the_wire, received

ALICE = ("Contact", "<sip:alice@alice.invalid;transport=ws;ob>")
BOB = ("Contact", "<sip:bob@bob.invalid;transport=ws>")
LOOSE = ("Record-Route", "<sip:p2.example.com;lr>, <sip:p1.example.com;lr>")


def response_to(request: Request, code: int, *headers: tuple[str, str], tag: str = "bob") -> Response:
    return over_the_wire(make_response(request, code, to_tag=tag, headers=headers))


def sent_invite(**options: object) -> Request:
    invite = new_request(headers=(ALICE,), **options)  # type: ignore[arg-type]
    invite.headers.prepend("Via", "SIP/2.0/WS alice.invalid;branch=z9hG4bKinvite")
    return invite


def uac(code: int = 200, *headers: tuple[str, str], **options: object) -> Dialog:
    invite = sent_invite(**options)
    return Dialog.from_uac(invite, response_to(invite, code, BOB, *headers), rand=random.Random(1))


def uas(*headers: tuple[str, str], **options: object) -> Dialog:
    invite = received(headers=(ALICE, *headers), **options)
    return Dialog.from_uas(invite, "bob", rand=random.Random(1))


def peer_request(
    method: str, cseq: int, *headers: tuple[str, str], call_id: str = "call-1", branch: str = "z9hG4bKb"
) -> Request:
    """A request of Bob in the dialog that Alice made."""
    return over_the_wire(
        Request(
            method,
            URI.parse("sip:alice@alice.invalid"),
            headers=[
                ("Via", f"SIP/2.0/WS bob.invalid;branch={branch}"),
                ("Max-Forwards", "70"),
                ("From", "<sip:bob@example.com>;tag=bob"),
                ("To", "<sip:alice@example.com>;tag=alice-tag"),
                ("Call-ID", call_id),
                ("CSeq", f"{cseq} {method}"),
                *headers,
            ],
        )
    )


def response_in(dialog: Dialog, request: Request, code: int, *headers: tuple[str, str]) -> Response:
    request.headers.prepend("Via", "SIP/2.0/WS alice.invalid;branch=z9hG4bKr")
    return response_to(request, code, *headers)


# --- making one --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "state"), [(180, "early"), (183, "early"), (200, "confirmed"), (202, "confirmed")]
)
def test_a_response_to_our_invite_makes_a_dialog(code: int, state: str):
    dialog = uac(code, LOOSE)
    assert dialog.state == state
    assert dialog.id == DialogId("call-1", "alice-tag", "bob")
    assert (dialog.call_id, dialog.local_tag, dialog.remote_tag) == ("call-1", "alice-tag", "bob")
    assert str(dialog.local_uri) == "<sip:alice@example.com>"
    assert str(dialog.remote_uri) == "<sip:bob@example.com>"
    assert str(dialog.remote_target) == "sip:bob@bob.invalid;transport=ws"
    assert dialog.route_set == ["<sip:p1.example.com;lr>", "<sip:p2.example.com;lr>"]  # reversed
    assert (dialog.local_cseq, dialog.remote_cseq) == (1, None)
    assert dialog.is_uac
    assert not dialog.secure
    assert repr(dialog).startswith(f"<Dialog {state} sip:alice@example.com -> sip:bob@bob.invalid")


def test_our_response_to_an_invite_makes_a_dialog():
    invite = received(headers=(ALICE, LOOSE), cseq=77)
    dialog = Dialog.from_uas(invite, make_response(invite, 200, to_tag="bob"))
    assert dialog.state is DialogState.CONFIRMED
    assert dialog.id == DialogId("call-1", "bob", "alice-tag")
    assert str(dialog.local_uri) == "<sip:bob@example.com>"
    assert str(dialog.remote_uri) == "<sip:alice@example.com>"
    assert str(dialog.remote_target) == "sip:alice@alice.invalid;transport=ws;ob"
    assert dialog.route_set == ["<sip:p2.example.com;lr>", "<sip:p1.example.com;lr>"]  # in order
    assert (dialog.local_cseq, dialog.remote_cseq) == (None, 77)
    assert not dialog.is_uac


def test_a_to_tag_or_a_provisional_response_makes_an_early_dialog():
    invite = received(headers=(ALICE,))
    assert Dialog.from_uas(invite, "bob").state is DialogState.EARLY
    assert Dialog.from_uas(invite, make_response(invite, 180, to_tag="bob")).state is DialogState.EARLY


@pytest.mark.parametrize("uri", ["sips:bob@example.com", "SIPS:bob@example.com"])
def test_a_sips_request_makes_a_secure_dialog(uri: str):
    assert uac(uri=uri).secure
    assert uas(uri=uri).secure


def test_a_provisional_response_without_contact_makes_no_dialog():
    invite = sent_invite()
    with pytest.raises(ParseError, match="180 without Contact"):
        Dialog.from_uac(invite, response_to(invite, 180))


def test_a_2xx_without_contact_leaves_what_was_called():
    invite = sent_invite(uri="sip:bob@example.com;x=1")
    dialog = Dialog.from_uac(invite, response_to(invite, 200))
    assert str(dialog.remote_target) == "sip:bob@example.com;x=1"


def test_an_invite_without_contact_leaves_who_called():
    dialog = Dialog.from_uas(received(), "bob")
    assert str(dialog.remote_target) == "sip:alice@example.com"


def test_a_contact_that_cannot_be_read_makes_no_dialog():
    invite = sent_invite()
    response = make_response(invite, 200, to_tag="bob", headers=[("Contact", "<sip:bob")])
    with pytest.raises(ParseError):
        Dialog.from_uac(invite, response)


def test_preloaded_routes_are_not_the_route_set():
    invite = sent_invite()
    invite.headers.add("Route", "<sip:preloaded.example.com;lr>")
    assert Dialog.from_uac(invite, response_to(invite, 200, BOB)).route_set == []


def test_a_record_route_that_cannot_be_read_makes_no_dialog_and_confirms_none():
    invite = sent_invite()
    broken = make_response(invite, 200, to_tag="bob", headers=[BOB, ("Record-Route", "<sip:p1")])
    with pytest.raises(ParseError):
        Dialog.from_uac(invite, broken)
    dialog = Dialog.from_uac(invite, response_to(invite, 183, BOB, LOOSE))
    with pytest.raises(ParseError):
        dialog.refresh(broken)
    assert dialog.state is DialogState.EARLY
    assert len(dialog.route_set) == 2


# --- peers of RFC 2543 -------------------------------------------------------------------------------------


def test_a_caller_without_tag_is_tolerated():
    invite = received(headers=(ALICE,))
    invite.headers.set("From", "Alice <sip:alice@example.com>")
    dialog = Dialog.from_uas(over_the_wire(invite), "bob")
    assert dialog.remote_tag == ""
    bye = dialog.request("BYE")
    assert bye.headers["To"] == "Alice <sip:alice@example.com>"
    again = received("BYE", cseq=2, to_tag="bob")
    again.headers.set("From", "Alice <sip:alice@example.com>")
    assert dialog.matches(over_the_wire(again))


def test_a_callee_without_tag_is_tolerated():
    invite = sent_invite()
    response = over_the_wire(make_response(invite, 200, headers=[BOB]))
    dialog = Dialog.from_uac(invite, response)
    assert dialog.remote_tag == ""
    assert dialog.request("BYE").headers["To"] == "<sip:bob@example.com>"


def test_addresses_go_out_as_they_came():
    invite = received(headers=(ALICE,))
    invite.headers.set("From", '"Alice \\"A\\" L" <sip:%61lice@example.com>;x="1";tag=a;y')
    dialog = Dialog.from_uas(over_the_wire(invite), "bob")
    request = dialog.request("INFO")
    assert request.headers["To"] == '"Alice \\"A\\" L" <sip:%61lice@example.com>;x="1";tag=a;y'
    assert dialog.remote_uri.name == 'Alice "A" L'
    assert dialog.remote_uri.tag is None


# --- our requests ------------------------------------------------------------------------------------------


def test_a_request_in_the_dialog():
    dialog = uac()
    headers = [("X-Mine", "1")]
    request = dialog.request("INFO", headers=headers, body=b"x=1", content_type="application/x")
    assert request.start_line() == "INFO sip:bob@bob.invalid;transport=ws SIP/2.0"
    assert request.headers["From"] == "<sip:alice@example.com>;tag=alice-tag"
    assert request.headers["To"] == "<sip:bob@example.com>;tag=bob"
    assert request.headers["Call-ID"] == "call-1"
    assert request.headers["CSeq"] == "2 INFO"
    assert request.max_forwards == 70
    assert request.headers["X-Mine"] == "1"
    assert request.headers["Content-Type"] == "application/x"
    assert request.body == b"x=1"
    for name in ("Via", "Contact", "Route"):
        assert name not in request.headers


def test_each_request_counts_up_and_the_first_of_a_uas_starts_anywhere():
    dialog = uac()
    assert [dialog.request("INFO").cseq.sequence for _ in range(3)] == [2, 3, 4]
    assert dialog.local_cseq == 4
    other = uas()
    first = other.request("INFO").cseq.sequence
    assert 0 < first < 2**16
    assert other.next_cseq() == first + 1


def test_the_last_cseq_number_is_the_last():
    dialog = uac()
    dialog.local_cseq = 2**31 - 2
    assert dialog.next_cseq() == 2**31 - 1
    with pytest.raises(OverflowError):
        dialog.next_cseq()


def test_loose_routing():
    request = uac(200, LOOSE).request("BYE")
    assert str(request.uri) == "sip:bob@bob.invalid;transport=ws"
    assert request.headers.getlist("Route") == ["<sip:p1.example.com;lr>", "<sip:p2.example.com;lr>"]


def test_strict_routing_puts_the_first_route_into_the_request_uri():
    strict = ("Record-Route", "<sip:p2.example.com;lr>, <sip:p1.example.com;method=INVITE;x=1?a=b>;y=2")
    request = uac(200, strict).request("BYE")
    assert str(request.uri) == "sip:p1.example.com;x=1"
    assert request.headers.getlist("Route") == [
        "<sip:p2.example.com;lr>",
        "<sip:bob@bob.invalid;transport=ws>",
    ]


def test_a_strict_router_without_ornaments_is_the_request_uri_to_the_letter():
    request = uac(200, ("Record-Route", "<sip:P1.example.com;Maddr=10.0.0.1>")).request("BYE")
    assert str(request.uri) == "sip:P1.example.com;Maddr=10.0.0.1"
    assert request.headers.getlist("Route") == ["<sip:bob@bob.invalid;transport=ws>"]


def test_routing_follows_a_new_target_and_a_new_route_set():
    dialog = uac(200, ("Record-Route", "<sip:strict.example.com>"))
    dialog.remote_target = URI.parse("sip:bob@elsewhere.invalid")
    assert dialog.request("INFO").headers.getlist("Route") == ["<sip:bob@elsewhere.invalid>"]
    dialog.route_set = ["<sip:p.example.com;lr>"]
    request = dialog.request("INFO")
    assert str(request.uri) == "sip:bob@elsewhere.invalid"
    assert request.headers.getlist("Route") == ["<sip:p.example.com;lr>"]


def test_the_ack_has_the_cseq_and_the_credentials_of_its_invite():
    invite = sent_invite(cseq=5)
    invite.headers.add("Authorization", 'Digest username="a", realm="r"')
    invite.headers.add("Proxy-Authorization", 'Digest username="a", realm="p1"')
    invite.headers.add("Proxy-Authorization", 'Digest username="a", realm="p2"')
    dialog = Dialog.from_uac(invite, response_to(invite, 200, BOB, LOOSE))
    ack = dialog.ack(invite, headers=[("X-Mine", "1")], body=b"v=0", content_type="application/sdp")
    assert ack.start_line() == "ACK sip:bob@bob.invalid;transport=ws SIP/2.0"
    assert ack.headers["CSeq"] == "5 ACK"
    assert ack.headers.getlist("Authorization") == invite.headers.getlist("Authorization")
    assert ack.headers.getlist("Proxy-Authorization") == invite.headers.getlist("Proxy-Authorization")
    assert ack.headers.getlist("Route") == ["<sip:p1.example.com;lr>", "<sip:p2.example.com;lr>"]
    assert ack.headers["To"] == "<sip:bob@example.com>;tag=bob"
    assert (ack.headers["X-Mine"], ack.body) == ("1", b"v=0")
    assert dialog.local_cseq == 5  # an ACK uses up no number


def test_the_ack_may_be_asked_for_by_number():
    ack = uac().ack(9)
    assert ack.headers["CSeq"] == "9 ACK"
    assert "Authorization" not in ack.headers


# --- the peer's requests -----------------------------------------------------------------------------------


def test_the_first_request_sets_the_remote_cseq_and_later_ones_raise_it_with_or_without_gaps():
    dialog = uac()
    for number in (500, 501, 510):
        dialog.receive_request(peer_request("INFO", number))
        assert dialog.remote_cseq == number


@pytest.mark.parametrize("number", [499, 500, 0])
def test_a_request_that_is_not_above_the_last_is_out_of_order(number: int):
    dialog = uac()
    dialog.receive_request(peer_request("INFO", 500))
    with pytest.raises(OutOfOrder, match=f"MESSAGE has CSeq {number} after 500") as caught:
        dialog.receive_request(peer_request("MESSAGE", number))
    assert caught.value.status == 500
    assert dialog.remote_cseq == 500


def test_a_uas_has_its_remote_cseq_from_the_invite():
    dialog = uas(cseq=10)
    with pytest.raises(OutOfOrder):
        dialog.receive_request(received("INFO", cseq=10, to_tag="bob"))
    dialog.receive_request(received("INFO", cseq=11, to_tag="bob"))


@pytest.mark.parametrize("method", ["ACK", "CANCEL"])
def test_ack_and_cancel_are_not_counted(method: str):
    dialog = uas(cseq=10)
    dialog.receive_request(received("INFO", cseq=11, to_tag="bob"))
    dialog.receive_request(received(method, cseq=10, to_tag="bob", headers=(BOB,)))
    assert dialog.remote_cseq == 11
    assert str(dialog.remote_target) == "sip:alice@alice.invalid;transport=ws;ob"


def test_a_request_out_of_order_refreshes_nothing():
    dialog = uac()
    dialog.receive_request(peer_request("INFO", 500))
    with pytest.raises(OutOfOrder):
        dialog.receive_request(peer_request("INVITE", 499, ("Contact", "<sip:evil@evil.invalid>")))
    assert str(dialog.remote_target) == "sip:bob@bob.invalid;transport=ws"


def test_a_contact_that_cannot_be_read_is_refused_and_changes_nothing():
    dialog = uac()
    with pytest.raises(ParseError) as caught:
        dialog.receive_request(peer_request("INVITE", 500, ("Contact", "<sip:bob")))
    assert caught.value.status == 400
    assert dialog.remote_cseq is None


# --- remote target refresh ---------------------------------------------------------------------------------

MOVED = ("Contact", "<sip:bob@moved.invalid>")
STAYED = "sip:bob@bob.invalid;transport=ws"


@pytest.mark.parametrize("method", ["INVITE", "UPDATE", "SUBSCRIBE", "NOTIFY", "REFER"])
def test_a_target_refresh_request_of_the_peer_moves_the_target(method: str):
    dialog = uac()
    dialog.receive_request(peer_request(method, 1, MOVED))
    assert str(dialog.request("BYE").uri) == "sip:bob@moved.invalid"


@pytest.mark.parametrize("method", ["INFO", "MESSAGE", "OPTIONS", "BYE", "PRACK"])
def test_other_requests_do_not(method: str):
    dialog = uac()
    dialog.receive_request(peer_request(method, 1, MOVED))
    assert str(dialog.remote_target) == STAYED


def test_a_target_refresh_request_without_contact_leaves_the_target():
    dialog = uac()
    dialog.receive_request(peer_request("UPDATE", 1))
    assert str(dialog.remote_target) == STAYED


def test_a_refused_target_refresh_is_taken_back():
    dialog = uac()
    request = peer_request("INVITE", 1, MOVED)
    dialog.receive_request(request)
    dialog.refused(request)
    dialog.refused(request)
    assert str(dialog.remote_target) == STAYED


def test_a_refusal_takes_back_no_later_refresh():
    dialog = uac()
    reinvite = peer_request("INVITE", 1, MOVED)
    dialog.receive_request(reinvite)
    update = peer_request("UPDATE", 2, ("Contact", "<sip:bob@third.invalid>"), branch="z9hG4bKupdate")
    dialog.receive_request(update)
    dialog.refused(reinvite)
    assert str(dialog.remote_target) == "sip:bob@third.invalid"


def test_the_refusal_of_a_copy_takes_back_nothing():
    dialog = uac()
    dialog.receive_request(peer_request("INVITE", 1, MOVED))
    copy = peer_request("INVITE", 1, MOVED, branch="z9hG4bKcopy")
    with pytest.raises(OutOfOrder):
        dialog.receive_request(copy)
    dialog.refused(copy)
    assert str(dialog.remote_target) == "sip:bob@moved.invalid"


def test_the_200_after_a_183_brings_another_contact_and_route_set():
    invite = sent_invite()
    early = ("Contact", "<sip:media@gateway.invalid>"), ("Record-Route", "<sip:old.example.com;lr>")
    dialog = Dialog.from_uac(invite, response_to(invite, 183, *early))
    assert str(dialog.request("INFO").uri) == "sip:media@gateway.invalid"
    dialog.refresh(response_to(invite, 200, BOB, LOOSE))
    assert dialog.state is DialogState.CONFIRMED
    assert str(dialog.remote_target) == STAYED
    assert dialog.route_set == ["<sip:p1.example.com;lr>", "<sip:p2.example.com;lr>"]


def test_a_2xx_without_contact_confirms_and_leaves_the_early_target():
    invite = sent_invite()
    dialog = Dialog.from_uac(invite, response_to(invite, 183, BOB, LOOSE))
    dialog.refresh(response_to(invite, 200))
    assert dialog.state is DialogState.CONFIRMED
    assert str(dialog.remote_target) == STAYED
    assert dialog.route_set == []


def test_the_target_set_by_update_in_an_early_dialog_is_that_of_the_2xx_then():
    invite = sent_invite()
    dialog = Dialog.from_uac(invite, response_to(invite, 183, BOB))
    dialog.receive_request(peer_request("UPDATE", 1, MOVED))
    assert str(dialog.remote_target) == "sip:bob@moved.invalid"
    dialog.refresh(response_to(invite, 200, ("Contact", "<sip:bob@final.invalid>")))
    assert str(dialog.remote_target) == "sip:bob@final.invalid"


def test_a_repeated_2xx_does_not_undo_a_later_refresh():
    invite = sent_invite()
    accepted = response_to(invite, 200, BOB)
    for dialog in (Dialog.from_uac(invite, accepted), Dialog.from_uac(invite, response_to(invite, 180, BOB))):
        dialog.refresh(accepted)
        dialog.receive_request(peer_request("UPDATE", 1, MOVED))
        dialog.refresh(accepted)
        assert str(dialog.remote_target) == "sip:bob@moved.invalid"


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_the_2xx_to_our_target_refresh_moves_the_target_and_keeps_the_route_set(method: str):
    dialog = uac(200, LOOSE)
    request = dialog.request(method)
    dialog.refresh(response_in(dialog, request, 200, MOVED, ("Record-Route", "<sip:other.example.com;lr>")))
    assert str(dialog.remote_target) == "sip:bob@moved.invalid"
    assert dialog.route_set == ["<sip:p1.example.com;lr>", "<sip:p2.example.com;lr>"]


@pytest.mark.parametrize("method", ["UPDATE", "REFER"])
def test_the_2xx_to_another_request_in_an_early_dialog_moves_the_target_and_confirms_nothing(method: str):
    dialog = uac(183)
    dialog.refresh(response_in(dialog, dialog.request(method), 200, MOVED))
    assert str(dialog.remote_target) == "sip:bob@moved.invalid"
    assert dialog.state is DialogState.EARLY


def test_a_uas_moves_the_target_with_the_2xx_to_its_own_requests():
    dialog = uas()
    dialog.confirm()
    request = dialog.request("INVITE")
    moved = ("Contact", "<sip:alice@moved.invalid>")
    dialog.refresh(response_in(dialog, request, 200, moved))
    assert str(dialog.remote_target) == "sip:alice@moved.invalid"


@pytest.mark.parametrize(
    ("method", "code", "headers"),
    [
        ("INVITE", 183, (MOVED,)),  # unreliable
        ("INVITE", 302, (MOVED,)),
        ("INVITE", 488, (MOVED,)),
        ("INFO", 200, (MOVED,)),
        ("INVITE", 200, ()),
    ],
)
def test_other_responses_leave_the_target(method: str, code: int, headers: tuple[tuple[str, str], ...]):
    dialog = uac()
    dialog.refresh(response_in(dialog, dialog.request(method), code, *headers))
    assert str(dialog.remote_target) == STAYED
    assert dialog.state is DialogState.CONFIRMED


def test_a_reliable_provisional_response_moves_the_target():
    dialog = uac()
    reliable = (MOVED, ("Require", "100rel"), ("RSeq", "1"))
    dialog.refresh(response_in(dialog, dialog.request("INVITE"), 183, *reliable))
    assert str(dialog.remote_target) == "sip:bob@moved.invalid"


def test_a_second_unreliable_provisional_response_leaves_an_early_dialog_as_it_is():
    invite = sent_invite()
    dialog = Dialog.from_uac(invite, response_to(invite, 180, BOB))
    dialog.refresh(response_to(invite, 183, MOVED))
    assert str(dialog.remote_target) == STAYED
    assert dialog.state is DialogState.EARLY


# --- states ------------------------------------------------------------------------------------------------


def test_confirm_and_terminate():
    dialog = uas(LOOSE)
    dialog.confirm()
    assert dialog.state is DialogState.CONFIRMED
    dialog.confirm(None)
    dialog.terminate()
    assert dialog.state is DialogState.TERMINATED
    dialog.confirm()
    assert dialog.state is DialogState.TERMINATED
    assert dialog.route_set == ["<sip:p2.example.com;lr>", "<sip:p1.example.com;lr>"]


# --- forks and ids -----------------------------------------------------------------------------------------


def test_forks_are_dialogs_of_their_own():
    invite = sent_invite()
    dialogs = {}
    for tag in ("one", "two"):
        contact = ("Contact", f"<sip:{tag}@{tag}.invalid>")
        dialog = Dialog.from_uac(invite, response_to(invite, 183, contact, tag=tag))
        dialogs[dialog.id] = dialog
    assert len(dialogs) == 2
    winner = dialogs[DialogId("call-1", "alice-tag", "two")]
    winner.refresh(response_to(invite, 200, BOB, tag="two"))
    assert [dialog.state for dialog in dialogs.values()] == ["early", "confirmed"]
    one, two = dialogs.values()
    assert one.request("BYE").to_tag == "one"
    assert two.request("BYE").to_tag == "two"


def test_the_id_of_a_message_depends_on_whose_it_is():
    invite = received(headers=(ALICE,), to_tag="bob")
    response = make_response(invite, 200)
    ours, theirs = DialogId("call-1", "alice-tag", "bob"), DialogId("call-1", "bob", "alice-tag")
    assert dialog_id(invite) == theirs
    assert dialog_id(invite, outgoing=True) == ours
    assert dialog_id(response) == ours
    assert dialog_id(response, outgoing=False) == theirs


def test_a_dialog_knows_its_messages():
    dialog = uac()
    assert dialog.matches(peer_request("BYE", 1))
    assert not dialog.matches(peer_request("BYE", 1, call_id="other"))
    assert dialog.matches(response_in(dialog, dialog.request("INFO"), 200))


def test_a_dialog_can_be_made_from_its_parts():
    dialog = Dialog(
        id=DialogId("c", "l", "r"),
        local_uri=Address.parse("<sip:a@example.com>;tag=wrong"),
        remote_uri=Address.parse("sip:b@example.com"),
        remote_target=URI.parse("sip:b@b.invalid"),
        local_cseq=41,
        state=DialogState.CONFIRMED,
    )
    request = dialog.request("BYE")
    assert request.headers["From"] == "<sip:a@example.com>;tag=l"
    assert request.to_tag == "r"
    assert request.cseq.sequence == 42


def test_what_a_contact_must_not_say_is_not_sent() -> None:
    """RFC 3261 §19.1.1: neither headers nor a method in the Contact of a dialog, nor in a Request-URI."""
    contact = ("Contact", "<sip:bob@bob.invalid;method=BYE;transport=ws?Replaces=x>")
    invite = sent_invite()
    dialog = Dialog.from_uac(invite, response_to(invite, 200, contact), rand=random.Random(1))
    assert str(dialog.request("BYE").uri) == "sip:bob@bob.invalid;transport=ws"
    dialog.remote_target = URI.parse("sip:bob@elsewhere.invalid?X=y")
    assert str(dialog.request("BYE").uri) == "sip:bob@elsewhere.invalid"
