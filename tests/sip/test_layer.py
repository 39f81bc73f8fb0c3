"""Which transaction a message belongs to, and what becomes of messages that belong to none."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipua.sip import (
    AckReceived,
    Cancelled,
    ParseError,
    Request,
    RequestReceived,
    ResponseReceived,
    TransactionLayer,
    TransactionTerminated,
    make_response,
    parse_message,
)
from sipua.sip.transaction_states import State
from tests.sip.rig import Rig, answer, new_request, over_the_wire, received
from tests.stateful import stateful


def cancel_for(invite: Request, **changes: str) -> Request:
    fields = {name: invite.headers[name] for name in ("Via", "From", "To", "Call-ID")}
    fields |= {"CSeq": f"{invite.cseq.sequence} CANCEL", "Max-Forwards": "70"}
    fields |= {name.replace("_", "-"): value for name, value in changes.items()}
    return over_the_wire(Request("CANCEL", invite.uri, headers=fields))


def ack_2xx(invite: Request, to_tag: str, **changes: str) -> Request:
    fields = {
        "Via": "SIP/2.0/WS peer.invalid;branch=z9hG4bKack",
        "From": invite.headers["From"],
        "To": f"<sip:bob@example.com>;tag={to_tag}",
        "Call-ID": invite.headers["Call-ID"],
        "CSeq": f"{invite.cseq.sequence} ACK",
        "Max-Forwards": "70",
    }
    fields |= {name.replace("_", "-"): value for name, value in changes.items()}
    return over_the_wire(Request("ACK", invite.uri, headers=fields))


# --- sending -----------------------------------------------------------------------------------------------


def test_a_request_gets_our_via_on_top_with_a_new_branch():
    layer = TransactionLayer(via_transport="WSS", sent_by="h3x.invalid")
    request = new_request(headers=(("Via", "SIP/2.0/WS before.invalid;branch=z9hG4bKbefore"),))
    transaction = layer.request(request, 0.0)
    ours, theirs = request.via
    assert str(ours) == f"SIP/2.0/WSS h3x.invalid;branch={transaction.branch}"
    assert transaction.branch.startswith("z9hG4bK")
    assert str(theirs) == "SIP/2.0/WS before.invalid;branch=z9hG4bKbefore"
    assert layer.request(new_request(), 0.0).branch != transaction.branch


def test_messages_come_out_in_order_each_once_with_their_flow():
    layer = TransactionLayer()
    first, second = new_request("INFO"), new_request("OPTIONS")
    layer.request(first, 0.0, flow="one")
    layer.request(second, 0.0, flow="two")
    assert layer.take_messages() == [(first, "one"), (second, "two")]
    assert layer.take_messages() == []
    assert layer.take_events() == []


@pytest.mark.parametrize(("method", "instead"), [("ACK", "send_ack"), ("CANCEL", "ClientTransaction.cancel")])
def test_ack_and_cancel_are_sent_otherwise(method: str, instead: str):
    with pytest.raises(ValueError, match=instead):
        TransactionLayer().request(new_request(method), 0.0)


def test_an_ack_gets_its_via_once_and_is_the_same_when_sent_again():
    rig = Rig()
    ack = new_request("ACK", to_tag="bob")
    rig.layer.send_ack(ack)
    rig.collect()
    once = bytes(ack)
    rig.layer.send_ack(ack)
    rig.collect()
    assert [message for _, message in rig.sent] == [ack, ack]
    assert bytes(ack) == once
    assert len(ack.via) == 1
    assert rig.is_empty


def test_stateless_sending_puts_a_via_on_requests_and_leaves_responses_alone():
    layer = TransactionLayer(role="proxy", sent_by="proxy.invalid")
    ack = received("ACK", to_tag="bob")
    layer.send(ack, "flow")
    assert [via.host for via in ack.via] == ["proxy.invalid", "peer.invalid"]
    response = make_response(received(), 400)
    before = bytes(response)
    layer.send(response, "flow")
    assert layer.take_messages() == [(ack, "flow"), (response, "flow")]
    assert bytes(response) == before


def test_branches_and_tags_come_from_the_given_randomness():
    def once() -> tuple[str, str]:
        rig = Rig(rand=random.Random(7))
        return rig.start().branch, rig.take().to_tag

    assert once() == once()


# --- responses ---------------------------------------------------------------------------------------------


def test_a_response_finds_its_request_by_branch_and_method():
    rig = Rig()
    invite = rig.start()
    options = rig.start(new_request("OPTIONS"))
    rig.feed(answer(options.request, 200))
    assert [event.transaction for _, event in rig.told(ResponseReceived)] == [options]
    assert invite.state is State.CALLING
    crossed = answer(options.request, 200)
    crossed.headers.set("CSeq", "1 INVITE")
    rig.feed(crossed)
    assert len(rig.told(ResponseReceived)) == 1


@pytest.mark.parametrize("code", [100, 180, 200, 404])
def test_stray_responses_are_dropped(code: int):
    rig = Rig()
    request = received()
    rig.feed(answer(request, code))
    assert rig.events == []
    assert rig.sent == []


def test_a_response_without_a_branch_is_dropped():
    rig = Rig()
    rig.start()
    rig.feed(answer(received(branch=None), 200))
    assert rig.events == []


def test_a_user_agent_drops_responses_with_more_than_its_own_via():
    rig = Rig()
    transaction = rig.start()
    response = answer(transaction.request, 200)
    response.headers.add("Via", "SIP/2.0/UDP other.example.com;branch=z9hG4bKother")
    rig.feed(response)
    assert rig.events == []
    assert transaction.state is State.CALLING


def test_a_proxy_takes_responses_with_the_vias_of_those_before_it():
    rig = Rig(role="proxy")
    incoming = received()
    transaction = rig.start(incoming)
    rig.feed(answer(transaction.request, 200))
    assert rig.kinds() == ["ResponseReceived"]


# --- requests ----------------------------------------------------------------------------------------------


def test_a_request_is_told_once_however_often_it_comes():
    rig = Rig(reliable=False)
    request = received("MESSAGE")
    for _ in range(3):
        rig.feed(request)
    assert [event.request for _, event in rig.told(RequestReceived)] == [request]
    assert len(rig.layer) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"branch": "z9hG4bKpeer2"},
        {"sent_by": "peer.invalid:5066"},
        {"sent_by": "other.invalid"},
        {"method": "OPTIONS"},
    ],
)
def test_branch_sent_by_and_method_tell_requests_apart(other: dict[str, str]):
    rig = Rig(reliable=False)
    rig.feed(received("MESSAGE"))
    method = other.pop("method", "MESSAGE")
    rig.feed(received(method, call_id="another", **other))
    assert len(rig.told(RequestReceived)) == 2
    assert len(rig.layer) == 2


def test_the_magic_cookie_and_the_host_are_compared_without_case():
    rig = Rig(reliable=False)
    rig.feed(received("MESSAGE", branch="Z9HG4BKpeer", sent_by="Peer.Invalid"))
    rig.feed(received("MESSAGE", branch="Z9HG4BKpeer", sent_by="peer.invalid"))
    assert len(rig.told(RequestReceived)) == 1
    assert rig.sent == []


def test_a_repeated_request_is_answered_on_the_connection_that_it_came_by():
    layer = TransactionLayer(reliable=False)
    layer.receive(received("MESSAGE"), 0.0, "one")
    layer.take_events()[0].transaction.reply(0.0, 200)
    layer.receive(received("MESSAGE"), 0.0, "two")
    assert [flow for _, flow in layer.take_messages()] == ["one", "two"]


# --- RFC 2543 ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("branch", [None, "1", "z9hG4bK"])
class TestRFC2543:
    """Peers whose branch, if there is one, does not tell one transaction from another."""

    def test_a_repeated_request_is_recognised(self, branch: str | None):
        rig = Rig(reliable=False)
        for _ in range(2):
            rig.feed(received("MESSAGE", branch=branch))
        assert len(rig.told(RequestReceived)) == 1

    @pytest.mark.parametrize(
        "other",
        [
            {"cseq": 2},
            {"call_id": "x"},
            {"from_tag": "y"},
            {"uri": "sip:z@example.com"},
            {"sent_by": "other.invalid"},
        ],
    )
    def test_any_other_difference_makes_another_request(self, branch: str | None, other: dict[str, object]):
        rig = Rig(reliable=False, detect_merged=False)
        rig.feed(received("MESSAGE", branch=branch))
        rig.feed(received("MESSAGE", branch=branch, **other))
        assert len(rig.told(RequestReceived)) == 2

    def test_the_ack_to_a_refusal_finds_its_invite(self, branch: str | None):
        rig = Rig(reliable=False)
        transaction = rig.take(received(branch=branch))
        rig.reply(transaction, 486)
        rig.feed(received("ACK", branch=branch, to_tag=transaction.to_tag))
        assert transaction.state is State.CONFIRMED

    def test_the_ack_to_a_2xx_finds_its_invite_too(self, branch: str | None):
        rig = Rig(reliable=False)
        transaction = rig.take(received(branch=branch))
        rig.reply(transaction, 200)
        rig.feed(received("ACK", branch=branch, to_tag=transaction.to_tag))
        assert [event.transaction for _, event in rig.told(AckReceived)] == [transaction]

    def test_a_cancel_finds_its_invite(self, branch: str | None):
        rig = Rig(reliable=False)
        transaction = rig.take(received(branch=branch))
        rig.feed(received("CANCEL", branch=branch))
        assert [event.transaction for _, event in rig.told(Cancelled)] == [transaction]


# --- merged requests ---------------------------------------------------------------------------------------


def test_the_same_invite_by_another_way_gets_482():
    rig = Rig(reliable=False)
    first = rig.take(received(branch="z9hG4bKone"))
    merged = received(branch="z9hG4bKtwo")
    rig.feed(merged)
    assert rig.times("SIP/2.0 482") == [0.0]
    assert len(rig.told(RequestReceived)) == 1
    rig.run(1.0)
    rig.feed(over_the_wire(_ack_same_branch(merged, rig.sent[0][1].to_tag)))
    rig.reply(first, 200)
    rig.feed(ack_2xx(first.request, first.to_tag))
    rig.run(100)
    assert [event.transaction for _, event in rig.told(TransactionTerminated)] == [first]
    assert rig.is_empty


def _ack_same_branch(invite: Request, to_tag: str | None) -> Request:
    ack = Request("ACK", invite.uri)
    for name in ("Via", "From", "Call-ID"):
        ack.headers.add(name, invite.headers[name])
    ack.headers.add("To", f"<sip:bob@example.com>;tag={to_tag}")
    ack.headers.add("CSeq", f"{invite.cseq.sequence} ACK")
    ack.headers.add("Max-Forwards", "70")
    return ack


def test_a_merged_request_other_than_invite_gets_482_too():
    rig = Rig(reliable=False)
    rig.take(received("MESSAGE", branch="z9hG4bKone"))
    rig.feed(received("MESSAGE", branch="z9hG4bKtwo"))
    assert rig.times("SIP/2.0 482") == [0.0]


@pytest.mark.parametrize(
    "other",
    [{"cseq": 2}, {"call_id": "x"}, {"from_tag": "y"}, {"to_tag": "z"}],
    ids=lambda other: next(iter(other)),
)
def test_what_is_not_the_same_request_is_not_merged(other: dict[str, object]):
    rig = Rig(reliable=False)
    rig.take(received(branch="z9hG4bKone"))
    rig.feed(received(branch="z9hG4bKtwo", **other))
    assert len(rig.told(RequestReceived)) == 2


def test_requests_in_a_dialog_are_never_merged():
    rig = Rig(reliable=False)
    rig.take(received("INFO", branch="z9hG4bKone", to_tag="mine"))
    rig.feed(received("INFO", branch="z9hG4bKtwo", to_tag="mine"))
    assert len(rig.told(RequestReceived)) == 2


def test_once_the_first_is_over_the_same_request_is_new():
    rig = Rig(reliable=True)
    rig.reply(rig.take(received("MESSAGE", branch="z9hG4bKone")), 200)
    rig.feed(received("MESSAGE", branch="z9hG4bKtwo"))
    assert len(rig.told(RequestReceived)) == 2


@pytest.mark.parametrize("options", [{"detect_merged": False}, {"role": "proxy"}])
def test_merged_requests_are_nobody_s_business_where_they_are_expected(options: dict[str, object]):
    rig = Rig(reliable=False, **options)
    rig.take(received(branch="z9hG4bKone"))
    rig.feed(received(branch="z9hG4bKtwo"))
    assert len(rig.told(RequestReceived)) == 2


# --- ACK ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [{"Call_ID": "other"}, {"CSeq": "2 ACK"}, {"To": "<sip:b@b>;tag=x"}, {"From": "<sip:a@a>;tag=x"}],
    ids=lambda changes: next(iter(changes)),
)
def test_an_ack_that_fits_no_2xx_is_a_stray(changes: dict[str, str]):
    rig = Rig()
    transaction = rig.take()
    rig.reply(transaction, 200)
    stray = ack_2xx(transaction.request, transaction.to_tag, **changes)
    rig.feed(stray)
    assert [(event.transaction, event.request) for _, event in rig.told(AckReceived)] == [(None, stray)]
    assert not transaction.is_acknowledged


def test_an_ack_out_of_nowhere_is_a_stray_and_leaves_no_trace():
    rig = Rig()
    rig.feed(received("ACK", to_tag="mine"))
    assert rig.kinds() == ["AckReceived"]
    assert rig.sent == []
    assert rig.is_empty


def test_an_ack_to_a_2xx_may_even_come_with_the_branch_of_the_invite():
    rig = Rig()
    transaction = rig.take()
    rig.reply(transaction, 200)
    rig.feed(over_the_wire(_ack_same_branch(transaction.request, transaction.to_tag)))
    assert transaction.is_acknowledged


def test_each_invite_of_a_dialog_waits_for_its_own_ack():
    rig = Rig()
    first = rig.take(received(to_tag="mine", cseq=1))
    second = rig.take(received(to_tag="mine", cseq=2, branch="z9hG4bKsecond"))
    rig.reply(first, 200)
    rig.reply(second, 200)
    rig.feed(ack_2xx(second.request, "mine"))
    assert (first.is_acknowledged, second.is_acknowledged) == (False, True)


# --- CANCEL ------------------------------------------------------------------------------------------------


def test_a_cancel_is_answered_and_passed_on_once():
    rig = Rig(reliable=False)
    transaction = rig.take()
    rig.reply(transaction, 180)
    cancel = cancel_for(transaction.request)
    for _ in range(2):
        rig.feed(cancel)
    assert [(e.transaction, e.request) for _, e in rig.told(Cancelled)] == [(transaction, cancel)]
    ok = [m for _, m in rig.sent if m.cseq.method == "CANCEL"]
    assert [m.code for m in ok] == [200, 200]
    assert ok[0].to_tag == transaction.to_tag
    assert transaction.cancelled
    assert transaction.state is State.PROCEEDING
    rig.reply(transaction, 487)
    rig.feed(over_the_wire(_ack_same_branch(transaction.request, transaction.to_tag)))
    rig.run(100.0)
    assert [event.transaction for _, event in rig.told(TransactionTerminated)] == [transaction]
    assert rig.is_empty


def test_a_cancel_with_another_cseq_text_or_a_second_one_is_not_passed_on_again():
    rig = Rig(reliable=True)
    transaction = rig.take()
    rig.feed(cancel_for(transaction.request))
    rig.feed(cancel_for(transaction.request))  # the transaction of the first is over
    assert len(rig.told(Cancelled)) == 1
    assert rig.times("SIP/2.0 200") == [0.0, 0.0]


@pytest.mark.parametrize("code", [200, 486])
def test_a_cancel_after_the_final_response_is_answered_and_has_no_effect(code: int):
    rig = Rig()
    transaction = rig.take()
    rig.reply(transaction, code)
    rig.feed(cancel_for(transaction.request))
    assert rig.sent[-1][1].start_line() == "SIP/2.0 200 OK"
    assert not rig.told(Cancelled)
    assert not transaction.cancelled


def test_a_cancel_for_nothing_gets_481():
    rig = Rig()
    rig.feed(cancel_for(received(branch="z9hG4bKunknown")))
    response = rig.sent[0][1]
    assert response.code == 481
    assert response.to_tag
    assert rig.events == []
    assert rig.is_empty


def test_a_cancel_by_the_branch_of_another_host_gets_481():
    rig = Rig()
    transaction = rig.take()
    rig.feed(cancel_for(transaction.request, Via="SIP/2.0/WS other.invalid;branch=z9hG4bKpeer1"))
    assert rig.times("SIP/2.0 481") == [0.0]
    assert not rig.told(Cancelled)


# --- limits ------------------------------------------------------------------------------------------------


def test_beyond_the_limit_new_requests_get_503_and_old_ones_go_on():
    rig = Rig(max_transactions=2)
    first = rig.take(received(branch="z9hG4bK1", call_id="1"))
    rig.take(received(branch="z9hG4bK2", call_id="2"))
    rig.feed(received(branch="z9hG4bK3", call_id="3"))
    assert len(rig.told(RequestReceived)) == 2
    refusal = rig.sent[-1][1]
    assert refusal.code == 503
    assert refusal.retry_after is not None
    assert refusal.to_tag
    assert len(rig.layer) == 2
    rig.feed(cancel_for(first.request))
    assert len(rig.told(Cancelled)) == 1
    rig.start()  # our own requests are not counted
    assert len(rig.layer) == 3


def test_room_that_becomes_free_is_used():
    rig = Rig(max_transactions=1)
    rig.reply(rig.take(received("MESSAGE", branch="z9hG4bK1", call_id="1")), 200)
    rig.feed(received("MESSAGE", branch="z9hG4bK2", call_id="2"))
    assert len(rig.told(RequestReceived)) == 2


# --- what is under way -------------------------------------------------------------------------------------


def test_only_what_is_on_the_lost_connection_fails():
    rig = Rig()
    kept = rig.start(new_request("INFO"), flow="kept")
    lost = rig.start(new_request("INFO"), flow="lost")
    rig.layer.transport_failed("lost", rig.now)
    assert (kept.state, lost.state) == (State.TRYING, State.TERMINATED)
    assert len(rig.layer) == 1


def test_time_without_deadlines_is_no_matter():
    rig = Rig()
    assert rig.layer.next_deadline() is None
    rig.layer.handle_timeout(1e9)
    rig.collect()
    assert rig.events == []
    assert rig.is_empty


# --- anything at all ---------------------------------------------------------------------------------------

PIECES = (
    *(
        b"INVITE",
        b"ACK",
        b"CANCEL",
        b"BYE",
        b"SIP/2.0 200 OK",
        b"SIP/2.0 100 x",
        b" SIP/2.0",
        b"\r\n",
        b"\r\n\r\n",
    ),
    *(
        b"Via: ",
        b"From: ",
        b"To: ",
        b"Call-ID: ",
        b"CSeq: ",
        b";tag=",
        b";branch=",
        b"z9hG4bK",
        b"<sip:a@b>",
        b",",
    ),
    *(
        b"1 INVITE",
        b"1 ACK",
        b"4294967296",
        b'"',
        b"\\",
        b";",
        b"=",
        b"\xff",
        b"\0",
        b" ",
        b"\t",
        b"%",
        b"::1",
        b"[",
        b"]",
    ),
)


@stateful(300)
@given(
    seeds=st.lists(
        st.tuples(st.sampled_from(["INVITE", "ACK", "CANCEL", "BYE", "200"]), st.booleans()), max_size=6
    ),
    edits=st.lists(st.tuples(st.integers(0, 400), st.sampled_from(PIECES), st.integers(0, 12)), max_size=8),
    reliable=st.booleans(),
    role=st.sampled_from(["ua", "proxy"]),
)
def test_whatever_can_be_parsed_can_be_received(
    seeds: list[tuple[str, bool]], edits: list[tuple[int, bytes, int]], reliable: bool, role: str
):
    rig = Rig(reliable=reliable, role=role)
    client = rig.start()
    for method, tagged in [("INVITE", False), *seeds]:
        if method == "200":
            data = bytes(make_response(client.request, 200, to_tag="x" if tagged else None))
        else:
            data = bytes(received(method, to_tag="x" if tagged else ""))
        for position, piece, removed in edits:
            data = data[:position] + piece + data[position + removed :]
        try:
            message = parse_message(data)
        except ParseError:
            continue
        if message is not None:
            rig.feed(message)
        for _, event in rig.told(RequestReceived):
            rig.reply(event.transaction, 200)
        rig.run(rig.now + 0.7)
    client.cancel(rig.now)  # it may have come to a provisional response, and no further
    rig.run(1000.0)
    assert rig.is_empty
