"""The races of RFC 5407, as far as transactions and dialogs decide them.

Each test plays both user agents on layers of their own; what one sends is in flight until the test delivers it, in
the order that makes the race.
"""

from __future__ import annotations

import pytest

from sipua.sip import (
    AckReceived,
    AckTimedOut,
    Cancelled,
    Dialog,
    DialogState,
    OutOfOrder,
    Request,
    RequestReceived,
    Response,
    ResponseReceived,
    TransactionTimedOut,
    make_response,
)
from tests.sip.rig import Rig, new_request, over_the_wire

CONTACT = {"alice": ("Contact", "<sip:alice@alice.invalid;transport=ws>")}
CONTACT["bob"] = ("Contact", "<sip:bob@bob.invalid;transport=ws>")


class Call:
    """Alice calls Bob, step by step."""

    def __init__(self, *, reliable: bool = False) -> None:
        self.alice = Rig(reliable=reliable, sent_by="alice.invalid")
        self.bob = Rig(reliable=reliable, sent_by="bob.invalid")
        self._taken: dict[int, int] = {id(self.alice): 0, id(self.bob): 0}
        self.flight: list[tuple[Rig, Request | Response]] = []

    def time(self, now: float) -> None:
        for rig in (self.alice, self.bob):
            rig.run(now)

    def in_flight(self, start: str) -> Request | Response:
        """Take the oldest message that begins with `start` out of the air."""
        self._launch()
        for entry in self.flight:
            if entry[1].start_line().startswith(start):
                self.flight.remove(entry)
                return entry[1]
        raise AssertionError(f"no {start} in flight: {[m.start_line() for _, m in self.flight]}")

    def _launch(self) -> None:
        for rig in (self.alice, self.bob):
            rig.collect()
            done = self._taken[id(rig)]
            self._taken[id(rig)] = len(rig.sent)
            self.flight += [(rig, message) for _, message in rig.sent[done:]]

    def deliver(self, start: str, *, cseq: str = "") -> None:
        """Let the oldest message that begins with `start` (for the CSeq method) arrive."""
        self._launch()
        for sender, message in self.flight:
            if message.start_line().startswith(start) and message.headers["CSeq"].endswith(cseq):
                self.flight.remove((sender, message))
                (self.bob if sender is self.alice else self.alice).feed(over_the_wire(message))
                return
        raise AssertionError(f"no {start} in flight: {[m.start_line() for _, m in self.flight]}")

    def settle(self) -> None:
        """Let everything arrive that is in flight."""
        self._launch()
        while self.flight:
            sender, message = self.flight.pop(0)
            (self.bob if sender is self.alice else self.alice).feed(over_the_wire(message))
            self._launch()

    # --- the usual steps ---

    def invite(self) -> None:
        self.invite_client = self.alice.start(new_request(headers=(CONTACT["alice"],)))
        self.deliver("INVITE")
        self.invite_server = self.bob.last().transaction

    def ring(self) -> None:
        self.bob.reply(self.invite_server, 180, headers=(CONTACT["bob"],))
        self.bob_dialog = Dialog.from_uas(self.invite_server.request, self.invite_server.last_response)
        self.deliver("SIP/2.0 180")
        self.alice_dialog = Dialog.from_uac(self.invite_client.request, self.alice.last().response)

    def answer(self, *, arrives: bool = True) -> None:
        self.bob.reply(self.invite_server, 200, headers=(CONTACT["bob"],))
        self.bob_dialog.confirm()
        if arrives:
            self.deliver("SIP/2.0 200")
            self.alice_dialog.refresh(self.alice.last().response)

    def ack(self, *, arrives: bool = True) -> None:
        self.alice.layer.send_ack(self.alice_dialog.ack(self.invite_client.request))
        if arrives:
            self.deliver("ACK")

    def establish(self) -> None:
        self.invite()
        self.ring()
        self.answer()
        self.ack()

    def send(self, rig: Rig, dialog: Dialog, method: str, **options: object):
        headers = (CONTACT["alice" if rig is self.alice else "bob"],)
        return rig.start(dialog.request(method, headers=headers, **options))

    def over(self) -> bool:
        """Whether nothing is left once all has arrived and all timers have run."""
        self.settle()
        for now in (40.0, 80.0, 200.0):
            self.time(now)
            self.settle()
        return self.alice.is_empty and self.bob.is_empty


@pytest.fixture(params=[False, True], ids=["unreliable", "reliable"])
def call(request) -> Call:
    return Call(reliable=request.param)


def requests(rig: Rig) -> list[str]:
    return [event.request.method for _, event in rig.told(RequestReceived)]


def finals(rig: Rig, method: str) -> list[int]:
    """The final responses that a side was told of."""
    codes = (event.response for _, event in rig.told(ResponseReceived))
    return [response.code for response in codes if response.cseq.method == method and response.code >= 200]


# --- 3.1: the callee in moratorium: 2xx sent, no ACK yet ---------------------------------------------------


def test_3_1_1_a_repeated_initial_invite_meets_the_2xx():
    """The INVITE crosses the 200; it is absorbed, and the 200 is repeated by its own timer."""
    call = Call()
    call.invite()
    call.ring()
    call.answer(arrives=False)
    call.bob.feed(over_the_wire(call.invite_client.request))
    assert requests(call.bob) == ["INVITE"]
    assert [m.code for _, m in call.bob.sent] == [180, 200]
    call.settle()
    call.alice_dialog.refresh(call.alice.last().response)
    call.ack()
    assert [event.transaction for _, event in call.bob.told(AckReceived)] == [call.invite_server]
    assert call.over()


def test_3_1_2_cancel_crosses_the_2xx(call: Call):
    """The CANCEL gets 200 and no effect; the call stands, and Alice has to ACK and BYE it."""
    call.invite()
    call.ring()
    call.answer(arrives=False)
    assert call.invite_client.cancel(call.alice.now)
    call.deliver("CANCEL")
    assert not call.bob.told(Cancelled)
    call.deliver("SIP/2.0 200", cseq="INVITE")
    assert finals(call.alice, "INVITE") == [200]
    call.deliver("SIP/2.0 200", cseq="CANCEL")
    call.alice_dialog.refresh(call.alice.told(ResponseReceived)[-1][1].response)
    call.ack()
    call.send(call.alice, call.alice_dialog, "BYE")
    call.deliver("BYE")
    call.bob_dialog.receive_request(call.bob.last().request)
    call.bob.reply(call.bob.last().transaction, 200)
    call.settle()
    assert finals(call.alice, "BYE") == [200]
    assert not call.alice.told(TransactionTimedOut)
    assert call.over()


def test_3_1_2_the_2xx_overtakes_the_answer_to_the_cancel_that_crossed_it(call: Call):
    call.invite()
    call.ring()
    call.invite_client.cancel(call.alice.now)
    call.bob.reply(call.invite_server, 200, headers=(CONTACT["bob"],))
    call.deliver("SIP/2.0 200", cseq="INVITE")
    assert call.invite_client.state == "accepted"
    call.deliver("CANCEL")
    call.settle()
    assert finals(call.alice, "INVITE") == [200]
    assert not call.bob.told(Cancelled)


def test_3_1_3_bye_in_the_early_dialog_crosses_the_2xx(call: Call):
    """Bob gets the BYE after his 200 went out: it ends the dialog, and no ACK is to be waited for."""
    call.invite()
    call.ring()
    call.answer(arrives=False)
    call.send(call.alice, call.alice_dialog, "BYE")
    call.deliver("BYE")
    received = call.bob.last()
    call.bob_dialog.receive_request(received.request)
    call.bob.reply(received.transaction, 200)
    call.invite_server.acknowledged()
    call.settle()
    assert finals(call.alice, "INVITE") == [200]
    assert finals(call.alice, "BYE") == [200]
    assert call.over()
    assert not call.bob.told(AckTimedOut)


def test_3_1_4_a_re_invite_overtakes_the_ack(call: Call):
    """Bob can tell them apart: the re-INVITE is new, in order, and the ACK still finds its INVITE."""
    call.invite()
    call.ring()
    call.answer()
    call.ack(arrives=False)
    call.send(call.alice, call.alice_dialog, "INVITE")
    call.deliver("INVITE")
    reinvite = call.bob.last()
    call.bob_dialog.receive_request(reinvite.request)
    assert reinvite.transaction is not call.invite_server
    assert not call.invite_server.is_acknowledged
    call.bob.reply(reinvite.transaction, 491)
    call.deliver("ACK")
    assert call.invite_server.is_acknowledged
    assert call.over()


def test_3_1_5_the_ack_is_lost_and_a_re_invite_comes():
    """The ACK to the re-INVITE's 2xx is not taken for that to the first."""
    call = Call()
    call.invite()
    call.ring()
    call.answer()
    call.ack(arrives=False)
    call.in_flight("ACK")
    reinvite = call.send(call.alice, call.alice_dialog, "INVITE")
    call.deliver("INVITE")
    second = call.bob.last().transaction
    call.bob_dialog.receive_request(second.request)
    call.bob.reply(second, 200, headers=(CONTACT["bob"],))
    call.deliver("SIP/2.0 200")
    call.alice.layer.send_ack(call.alice_dialog.ack(reinvite.request))
    call.deliver("ACK")
    assert second.is_acknowledged
    assert not call.invite_server.is_acknowledged
    call.time(1.0)
    call.deliver("SIP/2.0 200")  # the first 2xx, repeated: it is acknowledged again
    assert call.alice.last().transaction is call.invite_client
    call.ack()
    assert call.invite_server.is_acknowledged
    assert call.over()


def test_3_1_6_bye_overtakes_the_ack(call: Call):
    call.invite()
    call.ring()
    call.answer()
    call.ack(arrives=False)
    call.send(call.alice, call.alice_dialog, "BYE")
    call.deliver("BYE")
    call.bob_dialog.receive_request(call.bob.last().request)
    call.bob.reply(call.bob.last().transaction, 200)
    call.bob_dialog.terminate()
    call.deliver("ACK")
    assert call.invite_server.is_acknowledged
    assert call.bob_dialog.state is DialogState.TERMINATED
    assert call.over()


# --- 3.2: the dialog in its mortal state: BYE sent or received ---------------------------------------------


def test_3_2_1_two_byes_cross(call: Call):
    """Each is a request of its own, in order, and answered."""
    call.establish()
    call.send(call.alice, call.alice_dialog, "BYE")
    call.send(call.bob, call.bob_dialog, "BYE")
    call.deliver("BYE")
    call.bob_dialog.receive_request(call.bob.last().request)
    call.bob.reply(call.bob.last().transaction, 200)
    call.deliver("BYE")
    call.alice_dialog.receive_request(call.alice.last().request)
    call.alice.reply(call.alice.last().transaction, 200)
    call.settle()
    assert finals(call.alice, "BYE") == [200]
    assert finals(call.bob, "BYE") == [200]
    assert call.over()


def test_3_2_2_a_re_invite_crosses_a_bye(call: Call):
    """Bob's re-INVITE finds a dialog that is ending: 481 (or 487), acknowledged by the transaction."""
    call.establish()
    call.send(call.alice, call.alice_dialog, "BYE")
    call.send(call.bob, call.bob_dialog, "INVITE")
    call.deliver("INVITE")
    reinvite = call.alice.last()
    call.alice_dialog.receive_request(reinvite.request)
    call.alice.reply(reinvite.transaction, 481)
    call.settle()
    assert finals(call.bob, "INVITE") == [481]
    call.bob.reply(call.bob.told(RequestReceived)[-1][1].transaction, 200)
    assert call.over()
    assert not call.alice.told(TransactionTimedOut)


def test_3_2_3_the_2xx_to_a_re_invite_crosses_a_bye(call: Call):
    """The 2xx still comes to its transaction, is acknowledged, and changes nothing else."""
    call.establish()
    reinvite = call.send(call.bob, call.bob_dialog, "INVITE")
    call.deliver("INVITE")
    server = call.alice.last().transaction
    call.alice_dialog.receive_request(server.request)
    call.alice.reply(server, 200, headers=(CONTACT["alice"],))
    call.send(call.bob, call.bob_dialog, "BYE")
    call.deliver("SIP/2.0 200")
    assert call.bob.last().transaction is reinvite
    call.bob.layer.send_ack(call.bob_dialog.ack(reinvite.request))
    call.deliver("BYE")
    call.alice_dialog.receive_request(call.alice.last().request)
    call.alice.reply(call.alice.last().transaction, 200)
    call.settle()
    assert server.is_acknowledged
    assert call.over()


def test_3_2_4_the_ack_arrives_after_the_callee_said_bye(call: Call):
    """Bob may say BYE once the ACK came or timed out; an ACK after that is no error."""
    call.invite()
    call.ring()
    call.answer()
    call.ack(arrives=False)
    call.in_flight("ACK")  # lost, for good
    call.time(32.0)
    assert [event.transaction for _, event in call.bob.told(AckTimedOut)] == [call.invite_server]
    call.send(call.bob, call.bob_dialog, "BYE")
    call.alice.layer.send_ack(call.alice_dialog.ack(call.invite_client.request))
    call.deliver("ACK")
    assert call.bob.last().transaction is None
    call.deliver("BYE")
    call.alice_dialog.receive_request(call.alice.last().request)
    call.alice.reply(call.alice.last().transaction, 200)
    assert call.over()


# --- 3.3: others -------------------------------------------------------------------------------------------


def test_3_3_1_re_invites_cross(call: Call):
    """Both are in order and new; both are refused with 491 and acknowledged; the next one goes through."""
    call.establish()
    call.send(call.alice, call.alice_dialog, "INVITE")
    call.send(call.bob, call.bob_dialog, "INVITE")
    for rig, dialog in ((call.bob, call.bob_dialog), (call.alice, call.alice_dialog)):
        call.deliver("INVITE")
        dialog.receive_request(rig.last().request)
        rig.reply(rig.last().transaction, 491)
    call.settle()
    assert finals(call.alice, "INVITE") == [200, 491]
    assert finals(call.bob, "INVITE") == [491]
    again = call.send(call.alice, call.alice_dialog, "INVITE")
    call.deliver("INVITE")
    call.bob_dialog.receive_request(call.bob.last().request)
    call.bob.reply(call.bob.last().transaction, 200, headers=(CONTACT["bob"],))
    call.deliver("SIP/2.0 200")
    call.alice.layer.send_ack(call.alice_dialog.ack(again.request))
    assert call.over()
    assert not call.bob.told(AckTimedOut)


def test_3_3_2_update_and_re_invite_cross(call: Call):
    call.establish()
    call.send(call.alice, call.alice_dialog, "UPDATE")
    call.send(call.bob, call.bob_dialog, "INVITE")
    call.deliver("UPDATE")
    call.bob_dialog.receive_request(call.bob.last().request)
    call.bob.reply(call.bob.last().transaction, 491)
    call.deliver("INVITE")
    call.alice_dialog.receive_request(call.alice.last().request)
    call.alice.reply(call.alice.last().transaction, 491)
    call.settle()
    assert finals(call.alice, "UPDATE") == [491]
    assert finals(call.bob, "INVITE") == [491]
    assert call.over()


def test_3_3_3_refer_meets_a_dialog_that_is_ending(call: Call):
    call.establish()
    call.send(call.alice, call.alice_dialog, "BYE")
    refer = call.bob_dialog.request(
        "REFER", headers=(CONTACT["bob"], ("Refer-To", "<sip:carol@example.com>"))
    )
    call.bob.start(refer)
    call.deliver("REFER")
    call.alice_dialog.receive_request(call.alice.last().request)
    call.alice.reply(call.alice.last().transaction, 481)
    call.deliver("BYE")
    call.bob_dialog.receive_request(call.bob.last().request)
    call.bob.reply(call.bob.last().transaction, 200)
    call.settle()
    assert finals(call.bob, "REFER") == [481]
    assert call.over()


# --- appendices --------------------------------------------------------------------------------------------


def test_appendix_a_bye_in_an_early_dialog(call: Call):
    """Bob answers the BYE with 200 and the INVITE with 487."""
    call.invite()
    call.ring()
    call.send(call.alice, call.alice_dialog, "BYE")
    call.deliver("BYE")
    call.bob_dialog.receive_request(call.bob.last().request)
    call.bob.reply(call.bob.last().transaction, 200)
    call.bob.reply(call.invite_server, 487)
    call.settle()
    assert finals(call.alice, "BYE") == [200]
    assert finals(call.alice, "INVITE") == [487]
    assert call.over()


def test_appendix_c_cancel_and_its_487(call: Call):
    call.invite()
    call.ring()
    call.invite_client.cancel(call.alice.now)
    call.deliver("CANCEL")
    cancelled = call.bob.told(Cancelled)[0][1]
    assert cancelled.transaction is call.invite_server
    call.bob.reply(cancelled.transaction, 487)
    call.deliver("SIP/2.0 487")  # overtakes the answer to the CANCEL
    call.settle()
    assert finals(call.alice, "INVITE") == [487]
    assert call.over()
    assert not call.alice.told(TransactionTimedOut)


def test_appendix_d_requests_in_the_wrong_order_are_told_apart(call: Call):
    """Two requests of Alice overtake each other: the late one is out of order."""
    call.establish()
    call.send(call.alice, call.alice_dialog, "INFO")
    call.send(call.alice, call.alice_dialog, "BYE")
    call.deliver("BYE")
    call.bob_dialog.receive_request(call.bob.last().request)
    call.bob.reply(call.bob.last().transaction, 200)
    call.deliver("INFO")
    with pytest.raises(OutOfOrder) as caught:
        call.bob_dialog.receive_request(call.bob.last().request)
    call.bob.reply(call.bob.last().transaction, caught.value.status)
    call.settle()
    assert finals(call.alice, "INFO") == [500]
    assert call.over()


def test_appendix_e_forks_bring_new_to_tags(call: Call):
    """Each To tag is a dialog; a second 2xx reaches the user after the first, to be acknowledged and ended."""
    call.invite()
    dialogs: dict[str, Dialog] = {}
    request = call.invite_client.request
    for tag, code in (("one", 180), ("two", 183), ("one", 200), ("two", 200)):
        contact = ("Contact", f"<sip:{tag}@{tag}.invalid>")
        # Via the proxy in between, which forwards what each callee sends.
        call.alice.feed(
            over_the_wire(make_response(call.invite_server.request, code, to_tag=tag, headers=[contact]))
        )
        told = call.alice.last().response
        if told.to_tag in dialogs:
            dialogs[told.to_tag].refresh(told)
        else:
            dialogs[told.to_tag] = Dialog.from_uac(request, told)
    assert [dialog.state for dialog in dialogs.values()] == ["confirmed", "confirmed"]
    targets = [str(dialog.remote_target) for dialog in dialogs.values()]
    assert targets == ["sip:one@one.invalid", "sip:two@two.invalid"]
    assert finals(call.alice, "INVITE") == [200, 200]
    acks = [dialog.ack(request) for dialog in dialogs.values()]
    assert [ack.to_tag for ack in acks] == ["one", "two"]
    assert {ack.cseq.sequence for ack in acks} == {1}
