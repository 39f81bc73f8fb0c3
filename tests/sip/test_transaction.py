"""Every timer of every machine, at its exact time."""

from __future__ import annotations

import pytest

from sipua.sip import (
    AckReceived,
    AckTimedOut,
    Request,
    ResponseReceived,
    TimerC,
    Timers,
    TransactionTerminated,
    TransactionTimedOut,
    TransportFailed,
    make_response,
)
from sipua.sip.transaction_states import State
from tests.sip.rig import Rig, answer, new_request, over_the_wire, received

BACK_OFF = [0.0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
CAPPED = [0.0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]


def ack_for(invite: Request, to_tag: str, *, branch: str | None = None) -> Request:
    """The ACK of a peer to our final response."""
    ack = Request("ACK", invite.uri)
    for name in ("Via", "From", "Call-ID"):
        ack.headers.add(name, invite.headers[name])
    if branch is not None:
        ack.headers.set("Via", f"SIP/2.0/WS peer.invalid;branch={branch}")
    ack.headers.add("To", f"<sip:bob@example.com>;tag={to_tag}")
    ack.headers.add("CSeq", f"{invite.cseq.sequence} ACK")
    ack.headers.add("Max-Forwards", "70")
    return over_the_wire(ack)


# --- INVITE client -----------------------------------------------------------------------------------------


def test_timer_a_doubles_and_timer_b_ends_an_invite_nobody_answers():
    rig = Rig(reliable=False)
    transaction = rig.start()
    assert transaction.state is State.CALLING
    rig.run(100)
    assert rig.times("INVITE") == BACK_OFF
    assert rig.events == [
        (32.0, rig.told(TransactionTimedOut)[0][1]),
        (32.0, rig.told(TransactionTerminated)[0][1]),
    ]
    assert transaction.state is State.TERMINATED
    assert rig.is_empty


def test_timer_a_is_not_used_over_a_reliable_transport_but_timer_b_is():
    rig = Rig()
    rig.start()
    rig.run(100)
    assert rig.times("INVITE") == [0.0]
    assert [time for time, _ in rig.told(TransactionTimedOut)] == [32.0]
    assert rig.is_empty


def test_a_provisional_response_stops_timers_a_and_b():
    rig = Rig(reliable=False)
    transaction = rig.start()
    rig.run(0.7)
    rig.feed(answer(transaction.request, 100, None))
    assert transaction.state is State.PROCEEDING
    rig.run(500)
    assert rig.times("INVITE") == [0.0, 0.5]
    assert rig.kinds() == ["ResponseReceived"]
    assert rig.layer.next_deadline() is None


@pytest.mark.parametrize("first", [None, 180])
def test_timer_m_keeps_an_accepted_invite_for_further_2xx(first: int | None):
    rig = Rig(reliable=False)
    transaction = rig.start()
    if first:
        rig.feed(answer(transaction.request, first))
    rig.run(2.0)
    rig.feed(answer(transaction.request, 200))
    assert transaction.state is State.ACCEPTED
    rig.run(10.0)
    rig.feed(answer(transaction.request, 200))
    rig.feed(answer(transaction.request, 200, "another-branch"))
    rig.feed(answer(transaction.request, 486, "third-branch"))
    rig.feed(answer(transaction.request, 180, "fourth-branch"))
    rig.run(33.9)
    accepted = [event.response for _, event in rig.told(ResponseReceived) if event.response.code == 200]
    assert [response.to_tag for response in accepted] == ["bob-tag", "bob-tag", "another-branch"]
    assert not rig.told(TransactionTerminated)
    rig.run(34.0)
    assert [time for time, _ in rig.told(TransactionTerminated)] == [34.0]
    assert not rig.times("ACK")  # the transaction user's to send
    assert rig.is_empty


@pytest.mark.parametrize("first", [None, 183])
def test_timer_d_keeps_a_refused_invite_to_acknowledge_repetitions(first: int | None):
    rig = Rig(reliable=False)
    transaction = rig.start()
    if first:
        rig.feed(answer(transaction.request, first))
    rig.run(1.0)
    refusal = answer(transaction.request, 486)
    rig.feed(refusal)
    assert transaction.state is State.COMPLETED
    rig.run(5.0)
    rig.feed(refusal)
    rig.run(9.0)
    rig.feed(refusal)
    rig.feed(answer(transaction.request, 180))
    rig.feed(answer(transaction.request, 200))
    assert rig.times("ACK") == [1.0, 5.0, 9.0]
    finals = [event.response.code for _, event in rig.told(ResponseReceived) if event.response.code > 199]
    assert finals == [486]
    rig.run(32.9)
    assert not rig.told(TransactionTerminated)
    rig.run(33.0)
    assert [time for time, _ in rig.told(TransactionTerminated)] == [33.0]
    assert rig.is_empty


def test_over_a_reliable_transport_timer_d_is_zero():
    rig = Rig()
    transaction = rig.start()
    rig.feed(answer(transaction.request, 603))
    assert rig.kinds() == ["ResponseReceived", "TransactionTerminated"]
    assert rig.times("ACK") == [0.0]
    assert rig.is_empty


def test_the_ack_to_a_refusal_is_that_of_rfc_3261_17_1_1_3():
    rig = Rig(reliable=False)
    routes = (
        ("Route", "<sip:p1.example.com;lr>"),
        ("Route", "<sip:p2.example.com;lr>, <sip:p3.example.com;lr>"),
    )
    transaction = rig.start(new_request(uri="sip:bob@example.com;x=1", headers=routes))
    rig.feed(answer(transaction.request, 404, "their-tag"))
    ack = rig.sent[-1][1]
    invite = transaction.request
    assert isinstance(ack, Request)
    assert str(ack.uri) == "sip:bob@example.com;x=1"
    assert ack.headers.getlist("Via") == [invite.headers["Via"]]
    assert ack.headers.getlist("Route") == invite.headers.getlist("Route")
    assert ack.headers["From"] == invite.headers["From"]
    assert ack.headers["To"] == "<sip:bob@example.com;x=1>;tag=their-tag"
    assert ack.headers["Call-ID"] == invite.headers["Call-ID"]
    assert ack.headers["CSeq"] == "1 ACK"
    assert ack.max_forwards == 70
    assert ack.body == b""


@pytest.mark.parametrize("responses", [[], [180]])
def test_an_invite_whose_connection_goes_away_fails(responses: list[int]):
    rig = Rig()
    transaction = rig.start(flow="one")
    other = rig.start(flow="two")
    for code in responses:
        rig.feed(answer(transaction.request, code))
    rig.layer.transport_failed("one", rig.now)
    rig.collect()
    assert [event.transaction for _, event in rig.told(TransportFailed)] == [transaction]
    assert transaction.state is State.TERMINATED
    assert other.state is not State.TERMINATED


@pytest.mark.parametrize("code", [200, 404])
def test_an_invite_that_has_its_answer_ends_quietly_with_its_connection(code: int):
    rig = Rig(reliable=False)
    transaction = rig.start(flow="one")
    rig.feed(answer(transaction.request, code))
    rig.layer.transport_failed("one", rig.now)
    rig.collect()
    assert rig.kinds() == ["ResponseReceived", "TransactionTerminated"]
    assert rig.is_empty


# --- timer C -----------------------------------------------------------------------------------------------


def test_timer_c_runs_from_the_first_provisional_response_and_anew_from_each_but_100():
    rig = Rig()
    transaction = rig.start(timer_c=181.0)
    rig.run(1.0)
    rig.feed(answer(transaction.request, 100, None))
    rig.run(101.0)
    rig.feed(answer(transaction.request, 180))
    rig.run(201.0)
    rig.feed(answer(transaction.request, 100, None))
    rig.run(281.9)
    assert not rig.told(TimerC)
    rig.run(1000.0)
    assert [time for time, _ in rig.told(TimerC)] == [282.0]
    assert transaction.state is State.PROCEEDING


def test_an_invite_cancelled_at_timer_c_ends():
    rig = Rig()
    transaction = rig.start(timer_c=181.0)
    rig.feed(answer(transaction.request, 180))
    rig.run(181.0)
    assert transaction.cancel(rig.now)
    rig.run(1000.0)
    assert [time for time, _ in rig.told(TransactionTimedOut)] == [213.0]
    assert rig.is_empty


def test_the_final_response_stops_timer_c():
    rig = Rig()
    transaction = rig.start(timer_c=181.0)
    rig.feed(answer(transaction.request, 180))
    rig.feed(answer(transaction.request, 200))
    rig.run(1000.0)
    assert not rig.told(TimerC)
    assert rig.is_empty


# --- CANCEL, client side -----------------------------------------------------------------------------------


def test_a_cancel_is_that_of_rfc_3261_9_1():
    rig = Rig()
    transaction = rig.start(new_request(headers=(("Route", "<sip:p1.example.com;lr>"), ("Require", "x"))))
    rig.feed(answer(transaction.request, 180, "their-tag"))
    reason = 'SIP;cause=200;text="Call completed elsewhere"'
    assert transaction.cancel(rig.now, reason=reason, headers=[("X-Why", "because")])
    rig.collect()
    cancel, invite = rig.sent[-1][1], transaction.request
    assert isinstance(cancel, Request)
    assert cancel.start_line() == "CANCEL sip:bob@example.com SIP/2.0"
    for name in ("Via", "From", "To", "Call-ID", "Route"):
        assert cancel.headers.getlist(name) == invite.headers.getlist(name), name
    assert cancel.headers["CSeq"] == "1 CANCEL"
    assert cancel.headers["Reason"] == reason
    assert cancel.headers["X-Why"] == "because"
    assert "Require" not in cancel.headers


def test_a_cancel_waits_for_a_provisional_response():
    rig = Rig()
    transaction = rig.start()
    assert transaction.cancel(rig.now)
    assert transaction.cancel(rig.now)
    assert transaction.cancelled
    rig.run(3.0)
    assert not rig.times("CANCEL")
    rig.feed(answer(transaction.request, 100, None))
    assert rig.times("CANCEL") == [3.0]
    rig.feed(answer(transaction.request, 180))
    assert rig.times("CANCEL") == [3.0]
    rig.feed(answer(transaction.request, 487))
    assert rig.times("ACK") == [3.0]
    assert [event.response.code for _, event in rig.told(ResponseReceived)] == [100, 180, 487]


def test_a_cancel_that_waited_is_not_sent_after_a_final_response():
    for code in (200, 486):
        rig = Rig()
        transaction = rig.start()
        transaction.cancel(rig.now)
        rig.feed(answer(transaction.request, code))
        rig.run(100)
        assert not rig.times("CANCEL")
        assert rig.is_empty


def test_a_cancelled_invite_that_nobody_ever_answers_ends_with_timer_b():
    rig = Rig()
    transaction = rig.start()
    transaction.cancel(rig.now)
    rig.run(100)
    assert not rig.times("CANCEL")
    assert [time for time, _ in rig.told(TransactionTimedOut)] == [32.0]
    assert rig.is_empty


def test_a_cancel_is_repeated_over_an_unreliable_transport_until_it_is_answered():
    rig = Rig(reliable=False)
    transaction = rig.start()
    rig.feed(answer(transaction.request, 180))
    transaction.cancel(rig.now)
    rig.run(2.0)
    cancel = next(m for _, m in rig.sent if isinstance(m, Request) and m.method == "CANCEL")
    rig.feed(answer(cancel, 200))
    rig.run(3.0)
    assert rig.times("CANCEL") == [0.0, 0.5, 1.5]
    rig.feed(answer(transaction.request, 487))
    rig.run(100)
    assert [event.response.code for _, event in rig.told(ResponseReceived)] == [180, 487]
    assert [type(event) for _, event in rig.events].count(TransactionTerminated) == 1
    assert rig.is_empty


def test_without_a_final_response_a_cancelled_invite_ends_after_64_t1():
    rig = Rig()
    transaction = rig.start()
    rig.run(1.0)
    rig.feed(answer(transaction.request, 180))
    rig.run(10.0)
    transaction.cancel(rig.now)
    rig.run(20.0)
    rig.feed(answer(transaction.request, 180))  # does not prolong it
    rig.run(100)
    assert [time for time, _ in rig.told(TransactionTimedOut)] == [42.0]
    assert len(rig.told(TransactionTimedOut)) == 1
    assert rig.is_empty


@pytest.mark.parametrize("code", [200, 404])
def test_a_cancel_after_the_final_response_is_too_late(code: int):
    rig = Rig(reliable=False)
    transaction = rig.start()
    rig.feed(answer(transaction.request, code))
    assert not transaction.cancel(rig.now)
    assert not transaction.cancelled
    rig.collect()
    assert not rig.times("CANCEL")


def test_only_an_invite_can_be_cancelled():
    rig = Rig()
    transaction = rig.start(new_request("OPTIONS"))
    with pytest.raises(ValueError, match="not OPTIONS"):
        transaction.cancel(rig.now)


def test_a_refused_cancel_changes_nothing():
    rig = Rig()
    transaction = rig.start()
    rig.feed(answer(transaction.request, 180))
    transaction.cancel(rig.now)
    rig.collect()
    rig.feed(answer(rig.sent[-1][1], 481))
    assert transaction.state is State.PROCEEDING
    assert rig.kinds() == ["ResponseReceived"]


def test_the_connection_of_a_cancel_goes_away():
    rig = Rig()
    transaction = rig.start(flow="one")
    rig.feed(answer(transaction.request, 180), "one")
    transaction.cancel(rig.now)
    rig.layer.transport_failed("one", rig.now)
    rig.collect()
    assert rig.kinds() == ["ResponseReceived", "TransportFailed", "TransactionTerminated"]
    assert rig.is_empty


# --- non-INVITE client -------------------------------------------------------------------------------------


def test_timer_e_doubles_up_to_t2_and_timer_f_ends_a_request_nobody_answers():
    rig = Rig(reliable=False)
    transaction = rig.start(new_request("OPTIONS"))
    assert transaction.state is State.TRYING
    rig.run(100)
    assert rig.times("OPTIONS") == CAPPED
    assert rig.kinds() == ["TransactionTimedOut", "TransactionTerminated"]
    assert rig.events[0][0] == 32.0
    assert rig.is_empty


def test_timer_e_is_not_used_over_a_reliable_transport_but_timer_f_is():
    rig = Rig()
    rig.start(new_request("OPTIONS"))
    rig.run(100)
    assert rig.times("OPTIONS") == [0.0]
    assert [time for time, _ in rig.told(TransactionTimedOut)] == [32.0]


def test_after_a_provisional_response_timer_e_is_t2_and_timer_f_runs_on():
    rig = Rig(reliable=False)
    transaction = rig.start(new_request("OPTIONS"))
    rig.run(0.7)
    rig.feed(answer(transaction.request, 100, None))
    assert transaction.state is State.PROCEEDING
    rig.feed(answer(transaction.request, 183))
    rig.run(100)
    assert rig.times("OPTIONS") == [0.0, 0.5, 1.5, 5.5, 9.5, 13.5, 17.5, 21.5, 25.5, 29.5]
    assert [time for time, _ in rig.told(TransactionTimedOut)] == [32.0]
    assert [event.response.code for _, event in rig.told(ResponseReceived)] == [100, 183]


@pytest.mark.parametrize("code", [200, 302, 404, 500, 603])
@pytest.mark.parametrize("first", [None, 100])
def test_timer_k_absorbs_repeated_responses(code: int, first: int | None):
    rig = Rig(reliable=False)
    transaction = rig.start(new_request("MESSAGE"))
    if first:
        rig.feed(answer(transaction.request, first, None))
    rig.run(1.0)
    for _ in range(3):
        rig.feed(answer(transaction.request, code))
    assert transaction.state is State.COMPLETED
    rig.run(5.9)
    assert not rig.told(TransactionTerminated)
    rig.run(6.0)
    assert [time for time, _ in rig.told(TransactionTerminated)] == [6.0]
    assert [e.response.code for _, e in rig.told(ResponseReceived)] == ([100] if first else []) + [code]
    assert rig.is_empty


def test_over_a_reliable_transport_timer_k_is_zero():
    rig = Rig()
    transaction = rig.start(new_request("MESSAGE"))
    rig.feed(answer(transaction.request, 202))
    assert rig.kinds() == ["ResponseReceived", "TransactionTerminated"]
    assert rig.is_empty


@pytest.mark.parametrize("provisional", [False, True])
def test_a_request_whose_connection_goes_away_fails(provisional: bool):
    rig = Rig()
    transaction = rig.start(new_request("INFO"))
    if provisional:
        rig.feed(answer(transaction.request, 100, None))
    rig.layer.transport_failed(None, rig.now)
    rig.collect()
    assert rig.kinds()[-2:] == ["TransportFailed", "TransactionTerminated"]
    assert rig.is_empty


def test_a_request_that_has_its_answer_ends_quietly_with_its_connection():
    rig = Rig(reliable=False)
    transaction = rig.start(new_request("INFO"))
    rig.feed(answer(transaction.request, 200))
    rig.layer.transport_failed(None, rig.now)
    rig.collect()
    assert rig.kinds() == ["ResponseReceived", "TransactionTerminated"]
    assert rig.is_empty


def test_a_request_can_be_sent_reliably_by_a_layer_that_is_not():
    rig = Rig(reliable=False)
    rig.start(new_request("OPTIONS"), reliable=True)
    rig.run(100)
    assert rig.times("OPTIONS") == [0.0]


# --- what a client transaction is --------------------------------------------------------------------------


def test_a_resubmission_is_the_request_with_another_cseq_and_no_via_of_ours():
    rig = Rig()
    first = rig.start(new_request("REGISTER", cseq=7, headers=(("X-Mine", "1"),), body=b"text"))
    again = first.resubmission(8)
    assert "Via" not in again.headers
    assert again.headers["CSeq"] == "8 REGISTER"
    assert again.headers["X-Mine"] == "1"
    assert again.body == b"text"
    assert first.request.cseq.sequence == 7
    second = rig.start(again)
    assert second.id != first.id
    assert len(second.request.via) == 1


def test_a_client_transaction_names_itself():
    rig = Rig()
    transaction = rig.start(user="me")
    assert transaction.user == "me"
    assert transaction.method == "INVITE"
    assert transaction.id == transaction.branch == transaction.request.branch
    assert repr(transaction) == f"<ClientTransaction INVITE calling {transaction.id}>"


# --- INVITE server -----------------------------------------------------------------------------------------


def test_an_invite_that_is_not_answered_at_once_gets_100_after_200_ms():
    rig = Rig()
    transaction = rig.take()
    assert transaction.state is State.PROCEEDING
    rig.run(60.0)
    assert rig.times("SIP/2.0 100") == [0.2]
    assert rig.sent[0][1].to_tag is None
    assert rig.layer.next_deadline() is None


def test_no_100_after_any_response_of_the_user():
    rig = Rig()
    transaction = rig.take()
    rig.run(0.1)
    rig.reply(transaction, 180)
    rig.run(60.0)
    assert rig.times("SIP/2.0 100") == []
    assert rig.times("SIP/2.0 180") == [0.1]


def test_a_repeated_invite_gets_the_last_provisional_response_again():
    rig = Rig(reliable=False)
    transaction = rig.take()
    rig.feed(received())
    assert rig.sent == []
    rig.run(0.5)
    rig.feed(received())
    rig.reply(transaction, 180)
    rig.feed(received())
    rig.reply(transaction, 183)
    rig.feed(received())
    assert [m.code for _, m in rig.sent] == [100, 100, 180, 180, 183, 183]
    assert rig.kinds() == ["RequestReceived"]


def test_a_2xx_is_repeated_from_t1_up_to_t2_until_64_t1_even_over_reliable_transports():
    rig = Rig(reliable=True)
    transaction = rig.take()
    rig.reply(transaction, 200)
    assert transaction.state is State.ACCEPTED
    rig.run(100.0)
    assert rig.times("SIP/2.0 200") == CAPPED
    assert [(time, type(event)) for time, event in rig.events[1:]] == [
        (32.0, AckTimedOut),
        (32.0, TransactionTerminated),
    ]
    assert rig.is_empty


def test_the_ack_stops_the_2xx_and_timer_l_ends_the_transaction():
    rig = Rig(reliable=False)
    transaction = rig.take()
    rig.reply(transaction, 200)
    rig.run(1.6)
    ack = ack_for(transaction.request, transaction.to_tag, branch="z9hG4bKack")
    rig.feed(ack)
    rig.run(5.0)
    rig.feed(ack)  # repeated, since we repeated the 2xx
    rig.feed(received())  # absorbed
    rig.run(31.9)
    assert rig.times("SIP/2.0 200") == [0.0, 0.5, 1.5]
    assert [(time, event.transaction) for time, event in rig.told(AckReceived)] == [(1.6, transaction)]
    assert not rig.told(TransactionTerminated)
    rig.run(32.0)
    assert [time for time, _ in rig.told(TransactionTerminated)] == [32.0]
    assert not rig.told(AckTimedOut)
    assert rig.is_empty


def test_the_user_may_say_that_the_2xx_is_known_to_have_arrived():
    rig = Rig()
    transaction = rig.take()
    rig.reply(transaction, 200)
    transaction.acknowledged()
    rig.run(100.0)
    assert rig.times("SIP/2.0 200") == [0.0]
    assert not rig.told(AckTimedOut)
    assert transaction.is_acknowledged
    transaction.acknowledged()  # harmless afterwards


def test_an_acknowledgement_before_the_answer_stops_nothing():
    rig = Rig()
    transaction = rig.take()
    transaction.acknowledged()
    rig.run(1.0)
    assert rig.times("SIP/2.0 100") == [0.2]


def test_the_user_may_repeat_a_2xx():
    rig = Rig()
    transaction = rig.take()
    rig.reply(transaction, 200)
    rig.run(0.3)
    assert rig.reply(transaction, 200)
    rig.run(2.0)
    assert rig.times("SIP/2.0 200") == [0.0, 0.3, 0.5, 1.5]


def test_timer_g_repeats_a_refusal_and_timer_h_gives_up():
    rig = Rig(reliable=False)
    transaction = rig.take()
    rig.reply(transaction, 486)
    assert transaction.state is State.COMPLETED
    rig.run(100.0)
    assert rig.times("SIP/2.0 486") == CAPPED
    assert [(time, type(event)) for time, event in rig.events[1:]] == [
        (32.0, TransactionTimedOut),
        (32.0, TransactionTerminated),
    ]
    assert rig.is_empty


def test_timer_g_is_not_used_over_a_reliable_transport_but_timer_h_is():
    rig = Rig()
    transaction = rig.take()
    rig.reply(transaction, 486)
    rig.run(100.0)
    assert rig.times("SIP/2.0 486") == [0.0]
    assert [time for time, _ in rig.told(TransactionTimedOut)] == [32.0]


def test_a_repeated_invite_gets_the_refusal_again():
    rig = Rig(reliable=False)
    transaction = rig.take()
    rig.reply(transaction, 486)
    rig.run(0.3)
    rig.feed(received())
    assert rig.times("SIP/2.0 486") == [0.0, 0.3]


def test_timer_i_absorbs_repeated_acks():
    rig = Rig(reliable=False)
    transaction = rig.take()
    rig.reply(transaction, 486)
    rig.run(1.0)
    ack = ack_for(transaction.request, transaction.to_tag)
    rig.feed(ack)
    assert transaction.state is State.CONFIRMED
    rig.run(3.0)
    rig.feed(ack)
    rig.feed(received())
    rig.run(5.9)
    assert rig.times("SIP/2.0 486") == [0.0, 0.5]
    assert not rig.told(AckReceived)
    assert not rig.told(TransactionTerminated)
    rig.run(6.0)
    assert [time for time, _ in rig.told(TransactionTerminated)] == [6.0]
    assert rig.is_empty


def test_over_a_reliable_transport_timer_i_is_zero():
    rig = Rig()
    transaction = rig.take()
    rig.reply(transaction, 486)
    rig.feed(ack_for(transaction.request, transaction.to_tag))
    assert rig.kinds() == ["RequestReceived", "TransactionTerminated"]
    assert rig.is_empty


def test_an_ack_before_the_answer_is_absorbed():
    rig = Rig()
    transaction = rig.take()
    rig.feed(ack_for(transaction.request, "whatever"))
    assert transaction.state is State.PROCEEDING
    assert rig.kinds() == ["RequestReceived"]


@pytest.mark.parametrize("codes", [[], [180], [486]])
def test_an_invite_whose_answer_cannot_be_sent_any_more_fails(codes: list[int]):
    rig = Rig()
    transaction = rig.take()
    for code in codes:
        rig.reply(transaction, code)
    rig.layer.transport_failed("flow", rig.now)
    rig.collect()
    assert rig.kinds() == ["RequestReceived", "TransportFailed", "TransactionTerminated"]
    assert not rig.reply(transaction, 200)
    assert rig.is_empty


def test_a_confirmed_refusal_ends_quietly_with_its_connection():
    rig = Rig(reliable=False)
    transaction = rig.take()
    rig.reply(transaction, 486)
    rig.feed(ack_for(transaction.request, transaction.to_tag))
    rig.layer.transport_failed("flow", rig.now)
    rig.collect()
    assert rig.kinds() == ["RequestReceived", "TransactionTerminated"]


def test_an_accepted_invite_waits_for_an_ack_on_another_connection():
    rig = Rig()
    transaction = rig.take()
    rig.reply(transaction, 200)
    rig.layer.transport_failed("flow", rig.now)
    rig.collect()
    assert transaction.state is State.ACCEPTED
    rig.feed(ack_for(transaction.request, transaction.to_tag, branch="z9hG4bKack"), "another flow")
    assert rig.kinds() == ["RequestReceived", "AckReceived"]


def test_a_second_final_response_is_too_late():
    rig = Rig()
    transaction = rig.take()
    assert not transaction.is_answered
    assert rig.reply(transaction, 200)
    assert transaction.is_answered
    assert not rig.reply(transaction, 486)
    assert not rig.reply(transaction, 180)
    assert rig.times("SIP/2.0 486") == []


# --- INVITE server of a proxy ------------------------------------------------------------------------------


def test_a_proxy_forwards_each_2xx_once_and_waits_for_timer_l():
    rig = Rig(role="proxy")
    transaction = rig.take()
    for tag in ("one", "two", "one"):
        response = make_response(transaction.request, 200, to_tag=tag)
        assert transaction.respond(response, rig.now)
    rig.collect()
    rig.run(31.9)
    assert [m.to_tag for _, m in rig.sent] == ["one", "two", "one"]
    assert rig.layer.counts.acks == 0
    rig.run(32.0)
    assert rig.kinds() == ["RequestReceived", "TransactionTerminated"]
    assert rig.is_empty


def test_a_proxy_passes_on_the_ack_to_a_2xx():
    rig = Rig(role="proxy")
    transaction = rig.take()
    rig.reply(transaction, 200)
    ack = ack_for(transaction.request, transaction.to_tag, branch="z9hG4bKack")
    rig.feed(ack)
    assert [(event.transaction, event.request) for _, event in rig.told(AckReceived)] == [(None, ack)]


def test_a_proxy_keeps_the_ack_to_a_refusal_to_itself():
    rig = Rig(role="proxy")
    transaction = rig.take()
    rig.reply(transaction, 486)
    rig.feed(ack_for(transaction.request, transaction.to_tag))
    assert rig.kinds() == ["RequestReceived", "TransactionTerminated"]


def test_an_accepted_invite_of_a_proxy_ends_quietly_with_its_connection():
    rig = Rig(role="proxy")
    rig.reply(rig.take(), 200)
    rig.layer.transport_failed("flow", rig.now)
    rig.collect()
    assert rig.kinds() == ["RequestReceived", "TransactionTerminated"]


# --- non-INVITE server -------------------------------------------------------------------------------------


def test_a_repeated_request_waits_for_the_answer_and_then_gets_it_again():
    rig = Rig(reliable=False)
    transaction = rig.take(received("MESSAGE"))
    assert transaction.state is State.TRYING
    rig.feed(received("MESSAGE"))
    assert rig.sent == []
    rig.run(1.0)
    rig.reply(transaction, 200)
    assert transaction.state is State.COMPLETED
    rig.run(2.0)
    rig.feed(received("MESSAGE"))
    assert rig.times("SIP/2.0 200") == [1.0, 2.0]
    assert not rig.reply(transaction, 404)


def test_timer_j_ends_an_answered_request():
    rig = Rig(reliable=False)
    rig.reply(rig.take(received("MESSAGE")), 200)
    rig.run(31.9)
    assert not rig.told(TransactionTerminated)
    rig.run(32.0)
    assert [time for time, _ in rig.told(TransactionTerminated)] == [32.0]
    assert rig.is_empty


def test_over_a_reliable_transport_timer_j_is_zero():
    rig = Rig()
    rig.reply(rig.take(received("MESSAGE")), 200)
    assert rig.kinds() == ["RequestReceived", "TransactionTerminated"]
    assert rig.is_empty


@pytest.mark.parametrize("reliable", [False, True])
def test_a_request_that_is_not_answered_in_time_gets_a_100(reliable: bool):
    rig = Rig(reliable=reliable)
    transaction = rig.take(received("REGISTER"))
    rig.run(10.0)
    assert rig.times("SIP/2.0 100") == [3.5]
    assert transaction.state is State.PROCEEDING
    rig.feed(received("REGISTER"))
    assert rig.times("SIP/2.0 100") == [3.5, 10.0]
    assert rig.reply(transaction, 200)


def test_a_user_may_send_the_100_itself():
    rig = Rig()
    transaction = rig.take(received("REGISTER"))
    assert rig.reply(transaction, 100)
    assert rig.reply(transaction, 100)
    rig.run(10.0)
    assert rig.times("SIP/2.0 100") == [0.0, 0.0]
    assert rig.reply(transaction, 500)


@pytest.mark.parametrize("early", [False, True])
def test_a_request_that_is_never_answered_ends_when_the_client_stops_waiting(early: bool):
    rig = Rig()
    transaction = rig.take(received("REGISTER"))
    if early:
        rig.reply(transaction, 100)
    rig.run(31.9)
    assert not rig.told(TransactionTerminated)
    rig.run(100.0)
    assert [time for time, _ in rig.told(TransactionTerminated)] == [32.0]
    assert not rig.reply(transaction, 200)
    assert rig.is_empty


@pytest.mark.parametrize("code", [180, 183, 408])
def test_rfc_4320_forbids_some_responses_to_requests_other_than_invite(code: int):
    rig = Rig()
    transaction = rig.take(received("REGISTER"))
    assert not rig.reply(transaction, code)
    assert rig.sent == []
    assert transaction.state is State.TRYING


@pytest.mark.parametrize("early", [False, True])
def test_a_request_whose_answer_cannot_be_sent_any_more_fails(early: bool):
    rig = Rig()
    transaction = rig.take(received("REGISTER"))
    if early:
        rig.reply(transaction, 100)
    rig.layer.transport_failed("flow", rig.now)
    rig.collect()
    assert rig.kinds() == ["RequestReceived", "TransportFailed", "TransactionTerminated"]


def test_an_answered_request_ends_quietly_with_its_connection():
    rig = Rig(reliable=False)
    rig.reply(rig.take(received("REGISTER")), 200)
    rig.layer.transport_failed("flow", rig.now)
    rig.collect()
    assert rig.kinds() == ["RequestReceived", "TransactionTerminated"]


# --- what a server transaction is --------------------------------------------------------------------------


def test_all_responses_but_100_have_the_same_to_tag():
    rig = Rig()
    transaction = rig.take()
    for code in (100, 180, 200):
        rig.reply(transaction, code)
    assert [m.to_tag for _, m in rig.sent] == [None, transaction.to_tag, transaction.to_tag]
    assert len(transaction.to_tag) >= 8


def test_within_a_dialog_the_to_tag_is_the_request_s():
    rig = Rig()
    transaction = rig.take(received("INFO", to_tag="mine"))
    assert transaction.to_tag == "mine"
    rig.reply(transaction, 200)
    assert rig.sent[0][1].headers["To"] == "<sip:bob@example.com>;tag=mine"


def test_the_user_may_answer_with_a_to_tag_of_its_own():
    rig = Rig()
    transaction = rig.take()
    transaction.respond(make_response(transaction.request, 200, to_tag="own"), rig.now)
    rig.feed(ack_for(transaction.request, "own", branch="z9hG4bKack"))
    assert transaction.is_acknowledged
    assert transaction.to_tag != "own"


def test_a_reply_may_have_everything():
    rig = Rig()
    transaction = rig.take(received("OPTIONS"))
    headers = [("Allow", "INVITE, ACK")]
    rig.reply(transaction, 200, phrase="Fine", headers=headers, body=b"v=0", content_type="application/sdp")
    response = rig.sent[0][1]
    assert response.start_line() == "SIP/2.0 200 Fine"
    assert response.headers["Allow"] == "INVITE, ACK"
    assert response.headers["Content-Type"] == "application/sdp"
    assert response.body == b"v=0"
    assert transaction.last_response is response


# --- other timers ------------------------------------------------------------------------------------------


def test_all_times_follow_from_the_base_values():
    rig = Rig(reliable=False, timers=Timers(t1=1.0, t2=2.0, t4=3.0))
    transaction = rig.start(new_request("OPTIONS"))
    rig.run(8.0)
    assert rig.times("OPTIONS") == [0.0, 1.0, 3.0, 5.0, 7.0]
    rig.feed(answer(transaction.request, 200))
    rig.run(100.0)
    assert [time for time, _ in rig.told(TransactionTerminated)] == [11.0]


def test_a_clock_that_was_late_neither_floods_nor_loses_the_end():
    rig = Rig(reliable=False)
    rig.start()
    rig.now = 1000.0
    rig.layer.handle_timeout(1000.0)
    rig.collect()
    assert rig.times("INVITE") == [0.0, 1000.0]
    assert rig.kinds() == ["TransactionTimedOut", "TransactionTerminated"]
    assert rig.is_empty
