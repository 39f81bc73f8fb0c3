"""Whole calls over a network that drops, doubles, delays and reorders, with users who act at any moment.

However it goes: nothing raises, and in the end neither side has a transaction, a deadline or a dialog left.
"""

from __future__ import annotations

import gc
import heapq
import random

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from sipua.sip import (
    AckReceived,
    AckTimedOut,
    Cancelled,
    ClientTransaction,
    Dialog,
    DialogId,
    DialogState,
    OutOfOrder,
    Request,
    RequestReceived,
    Response,
    ResponseReceived,
    ServerTransaction,
    TimerC,
    Timers,
    TransactionLayer,
    TransactionTimedOut,
    TransportFailed,
    parse_message,
)
from sipua.sip.dialog import dialog_id
from sipua.sip.timers import Deadline
from sipua.sip.transaction import Transaction
from tests.sip.rig import new_request
from tests.stateful import stateful


class Phone:
    """The least of a user agent: it calls, rings, answers or refuses, cancels, hangs up, and tidies up."""

    def __init__(self, name: str, *, reliable: bool, seed: int) -> None:
        self.name = name
        self.layer = TransactionLayer(
            sent_by=f"{name}.invalid", reliable=reliable, timers=Timers(), rand=random.Random(seed)
        )
        self.contact = ("Contact", f"<sip:{name}@{name}.invalid>")
        self.dialogs: dict[DialogId, Dialog] = {}
        self.ringing: list[ServerTransaction] = []
        self.calling: list[ClientTransaction] = []
        self.acks: dict[tuple[str, str], Request] = {}
        self.wants_out = False
        self.log: list[str] = []

    # --- what the person does ---

    def call(self, now: float, number: int) -> None:
        invite = new_request(call_id=f"{self.name}-{number}", from_tag=f"t{number}", headers=(self.contact,))
        self.calling.append(self.layer.request(invite, now))

    def answer(self, now: float, code: int) -> None:
        for transaction in self.ringing:
            if transaction.reply(now, code, headers=(self.contact,)) and 200 <= code < 300:
                dialog = Dialog.from_uas(transaction.request, transaction.last_response)
                self.dialogs[dialog.id] = dialog
        if code >= 200:
            self.ringing = [transaction for transaction in self.ringing if not transaction.is_answered]

    def hang_up(self, now: float) -> None:
        for transaction in self.calling:
            transaction.cancel(now)
        self.answer(now, 480)
        for dialog in self.dialogs.values():
            self.bye(dialog, now)

    def bye(self, dialog: Dialog, now: float) -> None:
        if dialog.state is not DialogState.TERMINATED:
            dialog.terminate()
            self.layer.request(dialog.request("BYE"), now, user=dialog)

    def reinvite(self, now: float) -> None:
        for dialog in self.dialogs.values():
            if dialog.state is DialogState.CONFIRMED:
                self.layer.request(dialog.request("INVITE", headers=(self.contact,)), now, user=dialog)

    # --- what happens to it ---

    def handle(self, now: float) -> None:
        while events := self.layer.take_events():
            for event in events:
                match event:
                    case RequestReceived():
                        self.on_request(event.transaction, event.request, now)
                    case ResponseReceived():
                        self.on_response(event.transaction, event.response, now)
                    case Cancelled():
                        assert event.transaction.reply(now, 487)
                        self.ringing.remove(event.transaction)
                    case AckTimedOut():
                        dialog = self.dialogs.get(dialog_id(event.transaction.last_response, outgoing=False))
                        if dialog is not None:
                            self.bye(dialog, now)
                    case TransactionTimedOut() | TransportFailed():
                        self.on_failure(event.transaction)
                    case AckReceived() | TimerC():
                        pass

    def on_request(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        dialog = self.dialogs.get(dialog_id(request))
        if not request.to_tag:
            self.ringing.append(transaction)
            return
        if dialog is None:
            transaction.reply(now, 481)
            return
        try:
            dialog.receive_request(request)
        except OutOfOrder as error:
            transaction.reply(now, error.status)
            return
        if request.method == "BYE":
            transaction.reply(now, 200)
            dialog.terminate()
            del self.dialogs[dialog.id]
        elif dialog.state is DialogState.TERMINATED:
            transaction.reply(now, 481)
        else:
            transaction.reply(now, 200, headers=(self.contact,))

    def on_response(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        if response.code < 200:
            return
        if transaction.method == "BYE":
            self.dialogs.pop(transaction.user.id, None)
        elif 200 <= response.code < 300:
            self.on_2xx(transaction, response, now)
        elif transaction in self.calling:
            self.calling.remove(transaction)
        elif response.code in (481, 408):
            self.bye(transaction.user, now)

    def on_2xx(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        key = (transaction.branch, response.to_tag or "")
        if key in self.acks:
            self.layer.send_ack(self.acks[key])
            return
        dialog = self.dialogs.get(dialog_id(response)) or transaction.user
        if dialog is None:
            dialog = Dialog.from_uac(transaction.request, response)
            self.dialogs[dialog.id] = dialog
        else:
            dialog.refresh(response)
        self.acks[key] = dialog.ack(transaction.request)
        self.layer.send_ack(self.acks[key])
        if transaction in self.calling:
            self.calling.remove(transaction)
            if transaction.cancelled or self.wants_out:
                self.bye(dialog, now)

    def on_failure(self, transaction: ClientTransaction | ServerTransaction) -> None:
        if isinstance(transaction, ServerTransaction):
            return
        if transaction in self.calling:
            self.calling.remove(transaction)
        elif transaction.user is not None:
            transaction.user.terminate()
            self.dialogs.pop(transaction.user.id, None)


class Network:
    """Two phones, what is in the air between them, and the time."""

    def __init__(self, rand: random.Random, *, reliable: bool, drops: int, chaos: float) -> None:
        self.rand = rand
        self.drops = 0 if reliable else drops
        self.chaos = chaos
        self.reliable = reliable
        self.phones = {
            name: Phone(name, reliable=reliable, seed=rand.getrandbits(32)) for name in ("alice", "bob")
        }
        self.air: list[tuple[float, int, Phone, bytes]] = []
        self.serial = 0
        self.now = 0.0

    def send(self, sender: Phone, data: bytes) -> None:
        rand = self.rand
        if self.drops and rand.random() < self.chaos:
            self.drops -= 1
            return
        [receiver] = [phone for phone in self.phones.values() if phone is not sender]
        copies = 2 if rand.random() < self.chaos * 0.5 else 1
        for _ in range(copies):
            self.serial += 1
            delay = (
                rand.choice((0.0, 0.01, 0.02, rand.uniform(0, 3.0))) if rand.random() < self.chaos else 0.01
            )
            heapq.heappush(self.air, (self.now + delay, self.serial, receiver, data))

    def exchange(self) -> None:
        """Let the phones react until neither has anything more to say at this moment."""
        busy = True
        while busy:
            busy = False
            for phone in self.phones.values():
                phone.handle(self.now)
                for message, _ in phone.layer.take_messages():
                    busy = True
                    self.send(phone, bytes(message))

    def run(self, until: float) -> None:
        self.exchange()
        while True:
            times = [phone.layer.next_deadline() for phone in self.phones.values()]
            times.append(self.air[0][0] if self.air else None)
            following = min((time for time in times if time is not None), default=None)
            if following is None or following > until:
                break
            self.now = max(self.now, following)
            while self.air and self.air[0][0] <= self.now:
                _, _, receiver, data = heapq.heappop(self.air)
                receiver.layer.receive(parse_message(data), self.now, "flow")
            for phone in self.phones.values():
                phone.layer.handle_timeout(self.now)
            self.exchange()
        self.now = until

    def assert_over(self) -> None:
        for phone in self.phones.values():
            assert not any(phone.layer.counts), (phone.name, phone.layer.counts)
            assert phone.layer.next_deadline() is None
            assert phone.dialogs == {}, phone.name
            assert phone.calling == []
            assert phone.ringing == []


def play(
    seed: int, plan: list[tuple[str, str, float]], *, reliable: bool, drops: int, chaos: float
) -> Network:
    network = Network(random.Random(seed), reliable=reliable, drops=drops, chaos=chaos)
    for number, (who, action, pause) in enumerate(plan):
        phone, now = network.phones[who], network.now
        match action:
            case "call":
                phone.call(now, number)
            case "ring":
                phone.answer(now, 180)
            case "answer":
                phone.answer(now, 200)
            case "refuse":
                phone.answer(now, 486)
            case "hang up":
                phone.hang_up(now)
            case "reinvite":
                phone.reinvite(now)
        network.run(now + pause)
    for phone in network.phones.values():
        phone.wants_out = True
    for _ in range(4):  # whatever comes late is hung up too
        for phone in network.phones.values():
            phone.hang_up(network.now)
        network.run(network.now + 300.0)
    return network


PLANS = st.lists(
    st.tuples(
        st.sampled_from(["alice", "bob"]),
        st.sampled_from(["call", "ring", "answer", "refuse", "hang up", "reinvite"]),
        st.sampled_from([0.0, 0.005, 0.02, 0.3, 1.0, 5.0, 40.0]),
    ),
    max_size=14,
).map(lambda plan: [("alice", "call", 0.02), *plan])


@stateful(150, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32), plan=PLANS, reliable=st.booleans(), drops=st.integers(0, 6))
def test_however_a_call_goes_nothing_is_left(
    seed: int, plan: list[tuple[str, str, float]], reliable: bool, drops: int
):
    play(seed, plan, reliable=reliable, drops=drops, chaos=0.5).assert_over()


@pytest.mark.parametrize("reliable", [False, True])
@pytest.mark.parametrize("ending", ["alice", "bob"])
def test_a_plain_call_on_a_quiet_network(reliable: bool, ending: str):
    plan = [("alice", "call", 1.0), ("bob", "ring", 1.0), ("bob", "answer", 5.0), (ending, "hang up", 0.1)]
    network = Network(random.Random(1), reliable=reliable, drops=0, chaos=0.0)
    network.phones["alice"].call(0.0, 1)
    network.run(1.0)
    network.phones["bob"].answer(1.0, 200)
    network.run(2.0)
    [alice], [bob] = (phone.dialogs.values() for phone in network.phones.values())
    assert alice.state is bob.state is DialogState.CONFIRMED
    assert alice.id == (bob.call_id, bob.remote_tag, bob.local_tag)
    play(1, plan, reliable=reliable, drops=0, chaos=0.0).assert_over()


def test_what_is_over_is_freed_at_once_without_the_garbage_collector():
    network = Network(random.Random(1), reliable=False, drops=0, chaos=0.0)
    gc.collect()
    gc.disable()
    kinds = Transaction | Dialog | Deadline
    before = [thing for thing in gc.get_objects() if isinstance(thing, kinds)]  # in tracebacks of other tests
    try:
        for number in range(20):
            network.phones["alice"].call(network.now, number)
            network.run(network.now + 1.0)
            network.phones["bob"].answer(network.now, 200)
            network.run(network.now + 1.0)
            network.phones["bob"].hang_up(network.now)
            network.run(network.now + 100.0)
        network.assert_over()
        left = [thing for thing in gc.get_objects() if isinstance(thing, kinds)]
        assert [thing for thing in left if not any(thing is known for known in before)] == []
    finally:
        gc.enable()


@stateful(60)
@given(data=st.data(), seed=st.integers(0, 2**32))
def test_whatever_order_the_messages_of_a_call_arrive_in_nothing_raises_and_nothing_is_left(
    data: st.DataObject, seed: int
):
    """Every message of a complete call, doubled, in any order, to a phone that never heard of it."""
    recorded: list[bytes] = []
    network = Network(random.Random(seed), reliable=False, drops=0, chaos=0.0)
    network.send = lambda sender, data, send=network.send: (recorded.append(data), send(sender, data))[1]
    network.phones["alice"].call(0.0, 1)
    network.run(0.05)
    network.phones["bob"].answer(network.now, 180)
    network.run(0.1)
    network.phones["bob"].answer(network.now, 200)
    network.run(0.2)
    network.phones["alice"].reinvite(network.now)
    network.run(0.3)
    network.phones["alice"].hang_up(network.now)
    network.run(1.0)
    assert len(recorded) >= 9

    order = data.draw(st.permutations(recorded + recorded))
    stranger = Phone("stranger", reliable=False, seed=seed)
    now = 0.0
    for message in order:
        stranger.layer.receive(parse_message(message), now, "flow")
        stranger.handle(now)
        now += data.draw(st.sampled_from([0.0, 0.1, 1.0]))
        stranger.layer.handle_timeout(now)
        stranger.handle(now)
    stranger.answer(now, 480)
    while (deadline := stranger.layer.next_deadline()) is not None:
        stranger.layer.handle_timeout(deadline)
        stranger.handle(deadline)
    assert not any(stranger.layer.counts)
    assert stranger.ringing == []
