"""The publisher, on the wire: RFC 3903 §4."""

from __future__ import annotations

import asyncio

import pytest

from sipua import Cause, InvalidHeaderError, InvalidStateError, RequestFailed, RequestTimeout
from sipua.bodies import Presence, PresenceTuple
from sipua.sip import Request
from tests.wire import Log, Wire, user_agent

OPEN = Presence("sip:alice@example.com", (PresenceTuple("a", "open"),))
CLOSED = Presence("sip:alice@example.com", (PresenceTuple("a", "closed"),))


def accept(wire: Wire, request: Request, etag: str, expires: int = 600) -> None:
    wire.reply(request, 200, (("SIP-ETag", etag), ("Expires", str(expires))))


async def remove(wire: Wire) -> None:
    request = await wire.request("PUBLISH")
    assert request.expires == 0
    wire.reply(request, 200, (("Expires", "0"),))


async def test_initial_refresh_modify_remove() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        loop = asyncio.get_running_loop()
        publication = ua.publish("presence", OPEN, expires=600)
        log = Log(publication)
        initial = await wire.request("PUBLISH")
        assert str(initial.uri) == "sip:alice@example.com"
        assert str(initial.to_address.uri) == "sip:alice@example.com"
        assert (initial.headers["Event"], initial.expires) == ("presence", 600)
        assert initial.headers["Content-Type"] == "application/pidf+xml"
        assert Presence.parse(initial.body) == OPEN
        assert "SIP-If-Match" not in initial.headers
        assert "Contact" not in initial.headers  # RFC 3903 §4: no dialog, no Contact
        accept(wire, initial, "one")
        await publication.wait_published()
        assert (publication.etag, publication.is_published()) == ("one", True)

        before = loop.time()
        refresh = await wire.request("PUBLISH")
        assert 300 <= loop.time() - before <= 568
        assert (refresh.body, refresh.sip_if_match, refresh.expires) == (b"", "one", 600)
        assert "Content-Type" not in refresh.headers
        assert (refresh.call_id, refresh.cseq.sequence) == (initial.call_id, 2)
        accept(wire, refresh, "two")
        await wire.settle()

        done = publication.update(CLOSED)
        modify = await wire.request("PUBLISH")
        assert (modify.sip_if_match, Presence.parse(modify.body)) == ("two", CLOSED)
        accept(wire, modify, "three")
        await done

        gone = publication.unpublish()
        last = await wire.request("PUBLISH")
        assert (last.expires, last.sip_if_match, last.body) == (0, "three", b"")
        wire.reply(last, 200, (("Expires", "0"),))
        await gone
        assert not publication.is_published()
        assert log.names == ["published", "published", "published", "unpublished"]
        for operation in (publication.refresh, publication.unpublish, lambda: publication.update("x")):
            with pytest.raises(InvalidStateError, match="unpublished"):
                operation()
        await wire.settle(4000)
        assert wire.nothing_sent()
        assert set(ua.counts().values()) == {0}


async def test_412_publishes_anew() -> None:
    """RFC 3903 §4.1: the server has lost it."""
    wire = Wire()
    async with user_agent(wire) as ua:
        publication = ua.publish("presence", OPEN)
        accept(wire, await wire.request("PUBLISH"), "one")
        refresh = await wire.request("PUBLISH")
        assert refresh.body == b""
        wire.reply(refresh, 412)
        again = await wire.request("PUBLISH")
        assert "SIP-If-Match" not in again.headers
        assert Presence.parse(again.body) == OPEN
        accept(wire, again, "two")
        await wire.settle()
        assert publication.etag == "two"
        publication.unpublish()
        await remove(wire)


async def test_412_to_what_has_no_tag_is_a_failure() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        publication = ua.publish("presence", OPEN)
        wire.reply(await wire.request("PUBLISH"), 412)
        with pytest.raises(RequestFailed, match="412"):
            await publication.wait_published()
        publication.unpublish()


async def test_423_asks_for_longer() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        publication = ua.publish("presence", OPEN, expires=60)
        wire.reply(await wire.request("PUBLISH"), 423, (("Min-Expires", "1800"),))
        second = await wire.request("PUBLISH")
        assert (second.expires, Presence.parse(second.body)) == (1800, OPEN)
        accept(wire, second, "one", 1800)
        await publication.wait_published()
        publication.unpublish()
        await remove(wire)


async def test_a_server_that_keeps_raising_is_given_up() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        publication = ua.publish("presence", OPEN, expires=60)
        for number in range(1, 5):
            wire.reply(await wire.request("PUBLISH"), 423, (("Min-Expires", str(1000 * number)),))
        with pytest.raises(RequestFailed, match="423"):
            await publication.wait_published()
        publication.unpublish()
        await wire.settle()
        assert wire.nothing_sent()


async def test_a_server_that_forgets_now_and_then_is_not_given_up() -> None:
    """Only what it asks for in a row counts."""
    wire = Wire()
    async with user_agent(wire) as ua:
        publication = ua.publish("presence", OPEN)
        accept(wire, await wire.request("PUBLISH"), "0")
        for number in range(1, 7):
            wire.reply(await wire.request("PUBLISH"), 412)
            accept(wire, await wire.request("PUBLISH"), str(number))
            await wire.settle()
            assert publication.etag == str(number)
        publication.unpublish()
        await remove(wire)


async def test_of_updates_while_busy_the_last_one_counts() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        publication = ua.publish("presence", "a", "text/plain")
        first = await wire.request("PUBLISH")
        publication.update("b")
        done = publication.update("c")
        await wire.settle()
        assert wire.nothing_sent()
        accept(wire, first, "one")
        second = await wire.request("PUBLISH")
        assert (second.text, second.sip_if_match) == ("c", "one")
        assert not done.done()
        accept(wire, second, "two")
        await done
        publication.unpublish()
        await remove(wire)


async def test_unpublish_while_busy() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        publication = ua.publish("presence", OPEN)
        first = await wire.request("PUBLISH")
        gone = publication.unpublish()
        await wire.settle()
        assert wire.nothing_sent()
        accept(wire, first, "one")
        await remove(wire)
        await gone


@pytest.mark.parametrize("code", [403, 489, 404])
async def test_a_lasting_refusal_is_not_tried_again(code: int) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        publication = ua.publish("presence", OPEN)
        log = Log(publication)
        wire.reply(await wire.request("PUBLISH"), code)
        with pytest.raises(RequestFailed, match=str(code)):
            await publication.wait_published()
        assert log["failed"].retry_after is None
        await wire.settle(4000)
        assert wire.nothing_sent()
        done = publication.update(CLOSED)  # the application may try
        accept(wire, await wire.request("PUBLISH"), "one")
        await done
        publication.unpublish()
        await remove(wire)


async def test_a_passing_refusal_is_tried_again() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        loop = asyncio.get_running_loop()
        publication = ua.publish("presence", OPEN)
        log = Log(publication)
        wire.reply(await wire.request("PUBLISH"), 503, (("Retry-After", "12"),))
        before = loop.time()
        again = await wire.request("PUBLISH")
        assert loop.time() - before == pytest.approx(12)
        assert log["failed"].retry_after == 12
        assert Presence.parse(again.body) == OPEN
        accept(wire, again, "one")
        await wire.settle()
        publication.unpublish()
        await remove(wire)


async def test_no_answer() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        with pytest.raises(RequestTimeout):
            async with ua.publish("presence", OPEN):
                pytest.fail("not published")
        assert wire.nothing_sent() is False
        assert set(ua.counts().values()) == {0}


async def test_a_server_without_entity_tags() -> None:
    """Not allowed (RFC 3903 §6), and met: each PUBLISH is then an initial one."""
    wire = Wire()
    async with user_agent(wire) as ua:
        publication = ua.publish("presence", OPEN, expires=100)
        wire.reply(await wire.request("PUBLISH"), 200)
        again = await wire.request("PUBLISH")
        assert "SIP-If-Match" not in again.headers
        assert Presence.parse(again.body) == OPEN
        wire.reply(again, 200)
        await wire.settle()
        await publication.unpublish()
        assert wire.nothing_sent()


async def test_after_a_cut_what_is_due_is_sent() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        publication = ua.publish("presence", OPEN)
        accept(wire, await wire.request("PUBLISH"), "one")
        await wire.settle()
        wire.refuse_connections = True
        wire.cut()
        done = publication.update(CLOSED)
        await wire.settle(300)
        assert wire.nothing_sent()
        wire.refuse_connections = False
        modify = await wire.request("PUBLISH")
        assert (modify.sip_if_match, Presence.parse(modify.body)) == ("one", CLOSED)
        accept(wire, modify, "two")
        await done
        publication.unpublish()
        await remove(wire)


async def test_after_a_cut_a_server_that_was_restarted_has_it_again() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        publication = ua.publish("presence", OPEN)
        accept(wire, await wire.request("PUBLISH"), "one")
        await wire.settle()
        wire.cut()
        refresh = await wire.request("PUBLISH")
        assert (refresh.sip_if_match, refresh.body) == ("one", b"")
        wire.reply(refresh, 412)
        anew = await wire.request("PUBLISH")
        assert "SIP-If-Match" not in anew.headers
        assert Presence.parse(anew.body) == OPEN
        accept(wire, anew, "two")
        await wire.settle()
        assert wire.nothing_sent()
        publication.unpublish()
        await remove(wire)


async def test_what_ran_out_meanwhile_is_published_anew() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        publication = ua.publish("presence", OPEN)
        log = Log(publication)
        accept(wire, await wire.request("PUBLISH"), "one")
        await wire.settle()
        wire.refuse_connections = True
        wire.cut()
        await wire.settle(1000)
        assert log["unpublished"].cause is Cause.EXPIRES
        wire.refuse_connections = False
        anew = await wire.request("PUBLISH")
        assert "SIP-If-Match" not in anew.headers
        assert Presence.parse(anew.body) == OPEN
        accept(wire, anew, "two")
        await wire.settle()
        publication.unpublish()
        await remove(wire)


async def test_challenges_are_answered() -> None:
    wire = Wire()
    async with user_agent(wire, password="x") as ua:
        publication = ua.publish("presence", OPEN)
        wire.reply(
            await wire.request("PUBLISH"),
            407,
            (("Proxy-Authenticate", 'Digest realm="r", nonce="n", qop="auth"'),),
        )
        second = await wire.request("PUBLISH")
        assert "Proxy-Authorization" in second.headers
        assert second.cseq.sequence == 2
        accept(wire, second, "one")
        await publication.wait_published()
        publication.unpublish()
        last = await wire.request("PUBLISH")
        assert last.cseq.sequence == 3
        wire.reply(last, 200)


async def test_async_with_and_stop() -> None:
    wire = Wire()
    ua = user_agent(wire)
    ua.start()
    await ua.ready()

    async def serve() -> None:
        for number, expires in enumerate((600, 0, 600, 0)):
            request = await wire.request("PUBLISH")
            assert bool(request.expires) is bool(expires)
            accept(wire, request, f"e{number}", expires)

    serving = asyncio.ensure_future(serve())
    async with ua.publish("presence", OPEN) as publication:
        assert publication.is_published()
    assert not publication.is_published()
    await ua.publish("presence", OPEN).wait_published()
    await ua.stop()
    await serving
    with pytest.raises(InvalidStateError, match="stopped"):
        ua.publish("presence", OPEN)


async def test_bad_arguments() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        with pytest.raises(InvalidHeaderError):
            ua.publish("no event", OPEN)
        with pytest.raises(ValueError, match="content_type"):
            ua.publish("presence", "x")
        with pytest.raises(ValueError, match="body"):
            ua.publish("presence", "", "text/plain")
        with pytest.raises(ValueError, match="expires=0"):
            ua.publish("presence", OPEN, expires=0)
        with pytest.raises(InvalidHeaderError):
            ua.publish("presence", "x", "text/plain\r\nX: y")
        await wire.settle()
        assert wire.nothing_sent()


async def test_a_refusal_while_it_is_removed() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        publication = ua.publish("presence", OPEN)
        first = await wire.request("PUBLISH")
        gone = publication.unpublish()
        wire.reply(first, 503)
        await gone
        await wire.settle(4000)
        assert wire.nothing_sent()
        assert set(ua.counts().values()) == {0}


async def test_answers_that_cannot_be_read() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        loop = asyncio.get_running_loop()
        publication = ua.publish("presence", OPEN, expires=100)
        wire.reply(await wire.request("PUBLISH"), 423, (("Min-Expires", "more"),))
        with pytest.raises(RequestFailed, match="423"):
            await publication.wait_published()
        done = publication.refresh()
        wire.reply(await wire.request("PUBLISH"), 200, (("SIP-ETag", "e"), ("Expires", "soon")))
        await done
        assert publication.expires_at == loop.time() + 100
        publication.unpublish()
        await remove(wire)
