"""3xx to our INVITE, on the wire: RFC 3261 §8.1.3.4 and §21.3."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from sipua import CallFailed, CallRejected, Cause, InvalidStateError, InvalidTargetError
from tests.wire import ANSWER, Wire, user_agent

if TYPE_CHECKING:
    from sipua.events import Redirect
    from sipua.sip import Request


def redirect(wire: Wire, invite: Request, *contacts: str, code: int = 302, tag: str = "r") -> None:
    wire.reply(invite, code, tuple(("Contact", contact) for contact in contacts), tag=tag)


async def acked(wire: Wire) -> None:
    await wire.request("ACK")


async def hang_up(wire: Wire) -> None:
    wire.reply(await wire.request("BYE"), 200)


async def test_nobody_follows_by_default() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob")
        redirect(wire, await wire.request("INVITE"), "<sip:carol@example.com>")
        await acked(wire)
        with pytest.raises(CallRejected) as caught:
            await call.wait_confirmed()
        assert caught.value.cause is Cause.REDIRECTED
        assert caught.value.response is not None
        assert str(caught.value.response.contact[0].uri) == "sip:carol@example.com"
        assert call.failure is not None
        assert call.failure.originator == "remote"
        await wire.settle(100)
        assert wire.nothing_sent()


async def test_the_call_option_follows() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob", follow_redirects=True)
        first = await wire.request("INVITE")
        wire.reply(first, 180)
        redirect(
            wire,
            first,
            '"Later" <sip:dave@example.com>;q=0.2, <mailto:bob@example.com>',
            "<sip:carol@example.org;method=BYE?Subject=x>;q=0.9",
        )
        await acked(wire)
        second = await wire.request("INVITE")
        assert str(second.uri) == "sip:carol@example.org"
        assert (second.call_id, second.from_tag) == (first.call_id, first.from_tag)
        assert second.headers["To"] == first.headers["To"]
        assert second.cseq.sequence == first.cseq.sequence + 1
        assert second.branch != first.branch
        assert second.body == first.body
        wire.reply(second, 486, tag="c")
        await acked(wire)
        third = await wire.request("INVITE")
        assert str(third.uri) == "sip:dave@example.com"
        wire.reply(third, 200, tag="d", sdp=ANSWER)
        ack = await wire.request("ACK")
        assert ack.cseq.sequence == third.cseq.sequence
        await call.wait_confirmed()
        call.terminate()
        await hang_up(wire)


async def test_a_handler_chooses() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        seen: list[Redirect] = []

        async def choose(event: Redirect) -> None:
            seen.append(event)
            await asyncio.sleep(3)
            event.follow(event.targets[1])

        call = ua.call("bob", event_handlers={"redirect": choose})
        redirect(wire, await wire.request("INVITE"), "<sip:carol@example.com>", "tel:+15551234", code=300)
        await acked(wire)
        await wire.settle(2)
        assert wire.nothing_sent()
        assert call.is_in_progress()
        second = await wire.request("INVITE")
        assert str(second.uri) == "tel:+15551234"
        assert seen[0].response.code == 300
        assert [str(target.uri) for target in seen[0].targets] == ["sip:carol@example.com", "tel:+15551234"]
        with pytest.raises(InvalidStateError, match="follow"):
            seen[0].follow()
        wire.reply(second, 404)
        await acked(wire)
        with pytest.raises(CallFailed, match="404"):
            await call.wait_confirmed()


async def test_a_handler_may_name_somebody_else_or_refuse() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:

        def decide(event: Redirect) -> None:
            with pytest.raises(InvalidTargetError):
                event.follow("mailto:x@example.com")
            with pytest.raises(InvalidTargetError):
                event.follow("no uri")
            if event.response.code == 302:
                event.follow("sip:mallory@example.com", "sip:peggy@example.com")
            else:
                event.reject()

        call = ua.call("bob", follow_redirects=True, event_handlers={"redirect": decide})
        redirect(wire, await wire.request("INVITE"), "<sip:carol@example.com>")
        await acked(wire)
        second = await wire.request("INVITE")
        assert str(second.uri) == "sip:mallory@example.com"
        redirect(wire, second, "<sip:carol@example.com>", code=301)
        await acked(wire)
        with pytest.raises(CallRejected, match="301"):
            await call.wait_confirmed()
        await wire.settle(50)
        assert wire.nothing_sent()
        assert set(ua.counts().values()) == {0}


async def test_loops_end() -> None:
    """RFC 3261 §8.1.3.4: no target is tried twice."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob", follow_redirects=True)
        redirect(wire, await wire.request("INVITE"), "<sip:carol@example.com>")
        await acked(wire)
        redirect(wire, await wire.request("INVITE"), "<sip:bob@EXAMPLE.com>", "<sip:carol@example.com>")
        await acked(wire)
        with pytest.raises(CallRejected):
            await call.wait_confirmed()


async def test_endless_redirections_end() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob", follow_redirects=True)
        count = 0
        while not call.is_ended():
            redirect(wire, await wire.request("INVITE"), f"<sip:u{count}@example.com>")
            await acked(wire)
            await wire.settle()
            count += 1
        assert count == 10
        assert call.cause is Cause.REDIRECTED


@pytest.mark.parametrize("contacts", [(), ("<<>",), ("<mailto:a@b>",), ("*",)])
async def test_nothing_to_follow(contacts: tuple[str, ...]) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call(
            "bob", follow_redirects=True, event_handlers={"redirect": lambda e: pytest.fail("asked")}
        )
        redirect(wire, await wire.request("INVITE"), *contacts)
        await acked(wire)
        with pytest.raises(CallRejected):
            await call.wait_confirmed()


async def test_a_secure_call_stays_secure() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("sips:bob@example.com", follow_redirects=True)
        redirect(
            wire, await wire.request("INVITE"), "<sip:carol@example.com>", "<sips:carol@example.com>;q=0.1"
        )
        await acked(wire)
        second = await wire.request("INVITE")
        assert str(second.uri) == "sips:carol@example.com"
        wire.reply(second, 600)
        await acked(wire)
        await call.wait_ended()


async def test_600_ends_the_search() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob", follow_redirects=True)
        redirect(wire, await wire.request("INVITE"), "<sip:carol@example.com>", "<sip:dave@example.com>")
        await acked(wire)
        wire.reply(await wire.request("INVITE"), 603)
        await acked(wire)
        with pytest.raises(CallRejected, match="603"):
            await call.wait_confirmed()


async def test_a_target_that_does_not_answer_is_passed_over() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob", follow_redirects=True)
        redirect(wire, await wire.request("INVITE"), "<sip:carol@example.com>", "<sip:dave@example.com>")
        await acked(wire)
        assert str((await wire.request("INVITE")).uri) == "sip:carol@example.com"
        third = await wire.request("INVITE")  # after timer B
        assert str(third.uri) == "sip:dave@example.com"
        wire.reply(third, 486)
        await acked(wire)
        await call.wait_ended()


@pytest.mark.parametrize("code", [305, 380])
async def test_proxies_and_other_services_are_never_followed_unasked(code: int) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob", follow_redirects=True)
        redirect(wire, await wire.request("INVITE"), "<sip:proxy.example.com>", code=code)
        await acked(wire)
        with pytest.raises(CallRejected):
            await call.wait_confirmed()


async def test_use_proxy() -> None:
    """RFC 3261 §21.3.4: the same request, through the proxy."""
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob", event_handlers={"redirect": lambda event: event.follow()})
        first = await wire.request("INVITE")
        redirect(wire, first, "<sip:proxy.example.com;transport=ws>", code=305)
        await acked(wire)
        second = await wire.request("INVITE")
        assert str(second.uri) == str(first.uri)
        assert second.headers["Route"] == "<sip:proxy.example.com;transport=ws;lr>"
        wire.reply(second, 486)
        await acked(wire)
        await call.wait_ended()


async def test_hanging_up_while_the_application_thinks() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        kept: list[Any] = []

        async def think(event: Redirect) -> None:
            kept.append(event)
            await asyncio.sleep(10)
            event.follow()

        call = ua.call("bob", event_handlers={"redirect": think})
        redirect(wire, await wire.request("INVITE"), "<sip:carol@example.com>")
        await acked(wire)
        await wire.settle(1)
        await call.terminate()
        assert call.cause is Cause.CANCELED
        with pytest.raises(InvalidStateError):
            kept[0].follow()
        await wire.settle(60)
        assert wire.nothing_sent()
        assert set(ua.counts().values()) == {0}


async def test_cancel_of_the_second_invite() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob", follow_redirects=True)
        redirect(wire, await wire.request("INVITE"), "<sip:carol@example.com>", "<sip:dave@example.com>")
        await acked(wire)
        second = await wire.request("INVITE")
        call.terminate()
        await wire.settle()
        assert wire.nothing_sent()  # not before a provisional response (RFC 3261 §9.1)
        wire.reply(second, 180)
        cancel = await wire.request("CANCEL")
        assert cancel.branch == second.branch
        wire.reply(cancel, 200)
        wire.reply(second, 487)
        await acked(wire)
        await wire.settle(40)
        assert wire.nothing_sent()


async def test_the_answer_timer_goes_on() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob", follow_redirects=True, no_answer_timeout=20)
        first = await wire.request("INVITE")
        await asyncio.sleep(15)
        redirect(wire, first, "<sip:carol@example.com>")
        await acked(wire)
        second = await wire.request("INVITE")
        wire.reply(second, 180)
        before = asyncio.get_running_loop().time()
        cancel = await wire.request("CANCEL")
        assert asyncio.get_running_loop().time() - before == pytest.approx(5)
        wire.reply(cancel, 200)
        wire.reply(second, 487)
        await acked(wire)
        assert (await call.wait_ended()).cause is Cause.NO_ANSWER


async def test_early_dialogs_of_the_first_target_are_gone() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob", follow_redirects=True)
        first = await wire.request("INVITE")
        wire.reply(first, 183, tag="early", sdp=ANSWER)
        await wire.settle()
        redirect(wire, first, "<sip:carol@example.com>", tag="early")
        await acked(wire)
        second = await wire.request("INVITE")
        wire.from_callee("BYE", first, tag="early")
        await wire.response(481)
        wire.reply(second, 200, tag="c", sdp=ANSWER)
        await acked(wire)
        await call.wait_confirmed()
        call.terminate()
        await hang_up(wire)


async def test_a_target_that_redirects_to_nowhere_is_passed_over() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob", follow_redirects=True)
        redirect(wire, await wire.request("INVITE"), "<sip:carol@example.com>", "<sip:dave@example.com>")
        await acked(wire)
        redirect(wire, await wire.request("INVITE"), "<sip:bob@example.com>")
        await acked(wire)
        third = await wire.request("INVITE")
        assert str(third.uri) == "sip:dave@example.com"
        wire.reply(third, 404)
        await acked(wire)
        with pytest.raises(CallFailed, match="404"):
            await call.wait_confirmed()


async def test_a_cut_ends_the_search() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob", follow_redirects=True)
        redirect(wire, await wire.request("INVITE"), "<sip:carol@example.com>", "<sip:dave@example.com>")
        await acked(wire)
        await wire.request("INVITE")
        wire.cut()
        await call.wait_ended()
        assert call.cause is Cause.CONNECTION_ERROR
        await wire.settle(60)
        assert wire.nothing_sent()
