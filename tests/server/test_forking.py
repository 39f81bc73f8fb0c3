"""One request to several contacts, and every race among their responses (RFC 3261 sections 16.7 to 16.10)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.server.client import Client, connected, running

if TYPE_CHECKING:
    from sipua.server import Server
    from sipua.sip import Request

BOB = "sip:bob@example.com"
TIMER_C = 200.0


class Devices:
    """Alice, and Bob at several devices; an INVITE from her has reached all of them."""

    def __init__(self, alice: Client, devices: list[Client]) -> None:
        self.alice = alice
        self.devices = devices
        self.sent: Request
        self.invites: list[Request]

    async def call(self) -> Devices:
        self.sent = await self.alice.invite(BOB)
        self.invites = [await device.request("INVITE") for device in self.devices]
        return self

    def reply(self, index: int, code: int, **options: object) -> None:
        self.devices[index].reply(self.invites[index], code, tag=f"device{index}", **options)  # type: ignore[arg-type]

    async def cancelled(self, *indexes: int, answer: bool = True) -> None:
        """These devices get a CANCEL, and end their ringing."""
        for index in indexes:
            cancel = await self.devices[index].request("CANCEL")
            assert cancel.branch == self.invites[index].branch
            self.devices[index].reply(cancel, 200)
            if answer:
                self.reply(index, 487)
                await self.devices[index].request("ACK")


async def ringing(server: Server, count: int) -> Devices:
    (alice,) = await connected(server, "alice")
    devices = [await Client(server, "bob").connect() for _ in range(count)]
    for number, device in enumerate(devices):
        device.contact = f"<sip:bob@device{number}.invalid>"
        await device.register(call_id=f"register{number}")
    call = await Devices(alice, devices).call()
    for index in range(count):
        call.reply(index, 180)
        assert (await alice.response(180)).to_tag == f"device{index}"
    return call


async def ends_clean(server: Server) -> None:
    await asyncio.sleep(70)
    assert server.counts()["transactions"] == 0
    assert server._exchange.proxy._on_their_way == {}
    assert server._exchange.core._pending == {}


# --- who answers ------------------------------------------------------------------------------------------------------


async def test_all_devices_ring_each_with_its_own_branch() -> None:
    async with running() as server:
        call = await ringing(server, 3)
        assert [str(invite.uri) for invite in call.invites] == [
            f"sip:bob@device{number}.invalid" for number in range(3)
        ]
        assert len({invite.branch for invite in call.invites}) == 3
        assert len({invite.headers["Record-Route"] for invite in call.invites}) == 3


async def test_the_first_answer_wins_and_the_others_are_cancelled() -> None:
    async with running() as server:
        call = await ringing(server, 3)
        call.reply(1, 200)
        ok = await call.alice.response(200)
        assert ok.to_tag == "device1"
        await call.cancelled(0, 2)
        await call.alice.silence()
        call.alice.in_dialog("ACK", call.sent, ok)
        await call.devices[1].request("ACK")
        await ends_clean(server)


async def test_two_answers_both_reach_the_caller() -> None:
    async with running() as server:
        call = await ringing(server, 2)
        call.reply(0, 200)
        call.reply(1, 200)
        first, second = await call.alice.response(200), await call.alice.response(200)
        assert (first.to_tag, second.to_tag) == ("device0", "device1")
        cancel = await call.devices[1].request("CANCEL")  # it crossed the answer
        call.devices[1].reply(cancel, 200)
        # The caller acknowledges both and ends the second.
        for index, ok in enumerate((first, second)):
            call.alice.in_dialog("ACK", call.sent, ok)
            assert (await call.devices[index].request("ACK")).to_tag == f"device{index}"
        call.alice.in_dialog("BYE", call.sent, second)
        bye = await call.devices[1].request("BYE")
        call.devices[1].reply(bye, 200)
        await call.alice.response(200, "BYE")
        await call.devices[0].silence()
        await ends_clean(server)


async def test_an_answer_that_crosses_the_cancel_of_its_branch() -> None:
    async with running() as server:
        call = await ringing(server, 2)
        call.reply(0, 200)
        await call.alice.response(200)
        await call.cancelled(1, answer=False)
        call.reply(1, 200)
        assert (await call.alice.response(200)).to_tag == "device1"
        await ends_clean(server)


async def test_late_provisional_responses_are_not_forwarded() -> None:
    async with running() as server:
        call = await ringing(server, 2)
        call.reply(0, 200)
        await call.alice.response(200)
        call.reply(1, 183)
        await call.alice.silence()


# --- who refuses ------------------------------------------------------------------------------------------------------


async def test_a_refusal_waits_for_the_others() -> None:
    async with running() as server:
        call = await ringing(server, 2)
        call.reply(0, 486)
        await call.devices[0].request("ACK")
        await call.alice.silence(30)
        call.reply(1, 200)
        assert (await call.alice.response(200)).to_tag == "device1"
        await call.devices[0].silence()


@pytest.mark.parametrize(
    ("codes", "best"),
    [
        ((486, 480), 486),
        ((480, 486), 486),
        ((404, 302), 302),
        ((503, 503), 500),
        ((486, 503), 486),
        ((503, 500), 500),
    ],
)
async def test_the_best_refusal_goes_back(codes: tuple[int, int], best: int) -> None:
    async with running() as server:
        call = await ringing(server, 2)
        for index, code in enumerate(codes):
            call.reply(index, code)
        response = await call.alice.response(best)
        if best in codes:
            assert response.to_tag == f"device{codes.index(best)}"
        call.alice.put(call.alice.ack(call.sent, response))
        await call.alice.silence()
        await ends_clean(server)


async def test_6xx_ends_the_search() -> None:
    async with running() as server:
        call = await ringing(server, 3)
        call.reply(0, 486)
        call.reply(1, 603)
        await call.cancelled(2, answer=False)
        await call.alice.silence()  # a 2xx may still come
        call.reply(2, 487)
        assert (await call.alice.response(603)).to_tag == "device1"
        await ends_clean(server)


async def test_an_answer_that_crosses_the_cancel_after_a_6xx() -> None:
    async with running() as server:
        call = await ringing(server, 2)
        call.reply(0, 600)
        await call.cancelled(1, answer=False)
        call.reply(1, 200)
        assert (await call.alice.response(200)).to_tag == "device1"
        await call.alice.silence()
        await ends_clean(server)


async def test_challenges_of_all_devices_go_back_together() -> None:
    async with running() as server:
        call = await ringing(server, 3)
        call.reply(0, 401, fields=(("WWW-Authenticate", 'Digest realm="one", nonce="1"'),))
        call.reply(1, 486)
        call.reply(2, 407, fields=(("Proxy-Authenticate", 'Digest realm="two", nonce="2"'),))
        response = await call.alice.response(401)
        assert [challenge.parameters["realm"] for challenge in response.www_authenticate_all] == ["one"]
        assert [challenge.parameters["realm"] for challenge in response.proxy_authenticate_all] == ["two"]


# --- CANCEL by the caller ---------------------------------------------------------------------------------------------


async def test_cancel() -> None:
    async with running() as server:
        call = await ringing(server, 2)
        call.alice.cancel(call.sent, (("Reason", 'SIP;cause=200;text="Call completed elsewhere"'),))
        await call.alice.response(200, "CANCEL")
        for device in call.devices:
            cancel = await device.request("CANCEL")
            assert cancel.headers["Reason"] == 'SIP;cause=200;text="Call completed elsewhere"'
            device.reply(cancel, 200)
        call.reply(0, 487)
        await call.alice.silence()
        call.reply(1, 487)
        response = await call.alice.response(487, "INVITE")
        call.alice.put(call.alice.ack(call.sent, response))
        await ends_clean(server)


async def test_cancel_before_anything_was_heard_waits_for_it() -> None:
    async with running() as server:
        alice, bob = await connected(server, "alice", "bob")
        sent = await alice.invite(BOB)
        invite = await bob.request("INVITE")
        alice.cancel(sent)
        await alice.response(200, "CANCEL")
        await bob.silence(1)
        await alice.response(100)
        bob.reply(invite, 180)
        await alice.response(180)
        cancel = await bob.request("CANCEL")
        assert cancel.branch == invite.branch


async def test_cancel_that_crosses_an_answer() -> None:
    async with running() as server:
        call = await ringing(server, 2)
        call.alice.cancel(call.sent)
        await call.alice.response(200, "CANCEL")
        await call.cancelled(0)
        cancel = await call.devices[1].request("CANCEL")
        call.reply(1, 200)
        call.devices[1].reply(cancel, 200)
        ok = await call.alice.response(200, "INVITE")
        assert ok.to_tag == "device1"
        call.alice.in_dialog("ACK", call.sent, ok)
        await call.devices[1].request("ACK")
        await ends_clean(server)


async def test_cancel_after_the_answer_changes_nothing() -> None:
    async with running() as server:
        call = await ringing(server, 1)
        call.reply(0, 200)
        await call.alice.response(200)
        call.alice.cancel(call.sent)
        await call.alice.response(200, "CANCEL")
        await call.devices[0].silence()


async def test_cancel_of_nothing() -> None:
    async with running() as server:
        (alice,) = await connected(server, "alice")
        alice.cancel(alice.build("INVITE", BOB))
        await alice.response(481)


async def test_cancel_twice() -> None:
    async with running() as server:
        call = await ringing(server, 1)
        call.alice.cancel(call.sent)
        await call.alice.response(200)
        await call.cancelled(0)
        await call.alice.response(487)
        call.alice.cancel(call.sent)
        await call.alice.response(200)
        await call.devices[0].silence()


# --- time -------------------------------------------------------------------------------------------------------------


async def test_a_device_that_says_nothing_at_all() -> None:
    async with running() as server:
        alice, _ = await connected(server, "alice", "bob")
        began = asyncio.get_running_loop().time()
        await alice.invite(BOB)
        await alice.response(100)
        await alice.response(408)
        assert asyncio.get_running_loop().time() - began == pytest.approx(32.0)


async def test_a_device_that_rings_for_ever_is_cancelled_by_timer_c() -> None:
    async with running(timer_c=TIMER_C) as server:
        call = await ringing(server, 1)
        await asyncio.sleep(150)
        call.reply(0, 180)  # begins anew
        await call.alice.response(180)
        began = asyncio.get_running_loop().time()
        await call.cancelled(0)
        await call.alice.response(487)
        assert asyncio.get_running_loop().time() - began == pytest.approx(TIMER_C)


async def test_a_device_that_does_not_answer_the_cancel_either() -> None:
    async with running(timer_c=TIMER_C) as server:
        call = await ringing(server, 1)
        await call.devices[0].request("CANCEL")
        response = await call.alice.response(408)
        call.alice.put(call.alice.ack(call.sent, response))
        await ends_clean(server)


async def test_no_final_response_to_another_request() -> None:
    async with running() as server:
        alice, bob = await connected(server, "alice", "bob")
        await alice.ask("MESSAGE", BOB)
        await bob.request("MESSAGE")
        # A 408 could only come when the client has given up itself (RFC 4320); it hears a late 100.
        await alice.response(100)
        await alice.silence(60)
        await ends_clean(server)


# --- requests other than INVITE ---------------------------------------------------------------------------------------


async def test_a_message_to_several_devices() -> None:
    async with running() as server:
        (alice,) = await connected(server, "alice")
        devices = [await Client(server, "bob").connect() for _ in range(2)]
        for number, device in enumerate(devices):
            await device.register(f"<sip:bob@device{number}.invalid>", call_id=f"register{number}")
        await alice.ask("MESSAGE", BOB)
        messages = [await device.request("MESSAGE") for device in devices]
        devices[0].reply(messages[0], 486)
        await alice.silence()
        devices[1].reply(messages[1], 202)
        await alice.response(202)

        await alice.ask("MESSAGE", BOB)
        messages = [await device.request("MESSAGE") for device in devices]
        for device, message in zip(devices, messages, strict=True):
            device.reply(message, 200)
        await alice.response(200)
        await alice.silence()
        await ends_clean(server)


# --- lost connections -------------------------------------------------------------------------------------------------


async def test_a_device_vanishes_while_it_rings() -> None:
    async with running() as server:
        call = await ringing(server, 2)
        await call.devices[0].connection.close()
        await call.alice.silence()
        call.reply(1, 486)
        assert (await call.alice.response(486)).to_tag == "device1"


async def test_the_only_device_vanishes_while_it_rings() -> None:
    async with running() as server:
        call = await ringing(server, 1)
        await call.devices[0].connection.close()
        response = await call.alice.response(480)
        call.alice.put(call.alice.ack(call.sent, response))
        await ends_clean(server)


async def test_the_caller_vanishes_while_it_rings() -> None:
    async with running() as server:
        call = await ringing(server, 2)
        await call.alice.connection.close()
        await call.cancelled(0, 1)
        await ends_clean(server)


async def test_the_caller_vanishes_and_somebody_answers_all_the_same() -> None:
    async with running() as server:
        call = await ringing(server, 1)
        await call.alice.connection.close()
        await call.cancelled(0, answer=False)
        call.reply(0, 200)
        await call.devices[0].silence()
        await ends_clean(server)


async def test_the_log_has_one_line_for_a_call(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "sipua.server")
    async with running() as server:
        call = await ringing(server, 2)
        caplog.clear()
        await asyncio.sleep(2)
        call.reply(0, 200)
        call.reply(0, 200)
        call.reply(1, 200)
        for _ in range(3):
            await call.alice.response(200)
        lines = [record.getMessage() for record in caplog.records]
    assert lines[:1] == ["INVITE sip:alice@example.com → sip:bob@example.com: 200 OK (2.00 s)"]
    assert sum("INVITE" in line for line in lines) == 1
