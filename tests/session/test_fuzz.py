"""A server that breaks its messages in every way: nothing raises, and when it is over nothing is left."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import Any

import pytest

from sipua import InvalidStateError
from sipua.sip import ParseError, Response
from sipua.testing import run_simulated
from tests.stateful import so_many
from tests.wire import ANSWER, OFFER, Wire, user_agent

SEEDS = range(so_many(400))
#: Longer than every timer of a transaction, a call that nobody answers, and a session.
QUIET = 2000.0

ODD_BYTES = b'\r\n\0 ;:,<>"=@%09\xff'
ODD_VALUES = (
    b"",
    b"<",
    b"9" * 5000,
    b"-1",
    b"a;b=c;",
    b"<sip:>",
    b"sip:@",
    b"\xff\xfe",
    b"*",
    b"1 INVITE",
    b'"',
    b"<sip:a@b",
    b"0",
    b"99999999999 BYE",
)


def broken(rand: random.Random, data: bytes) -> bytes:
    """Bytes changed, header fields lost, doubled or with odd values, the end cut off; or nothing of all that."""
    kind = rand.random()
    if kind < 0.4:
        changed = bytearray(data)
        for _ in range(rand.randint(1, 8)):
            odd = rand.choice(ODD_BYTES) if rand.random() < 0.7 else rand.randrange(256)
            changed[rand.randrange(len(changed))] = odd
        return bytes(changed)
    if kind < 0.7:
        lines = data.split(b"\r\n")
        for _ in range(rand.randint(1, 3)):
            index = rand.randrange(len(lines))
            what = rand.random()
            if what < 0.35 and len(lines) > 1:
                del lines[index]
            elif what < 0.7:
                lines.insert(index, rand.choice(lines))
            else:
                lines[index] = lines[index].split(b":")[0] + b": " + rand.choice(ODD_VALUES)
        return b"\r\n".join(lines)
    return data[: rand.randrange(len(data) + 1)] if kind < 0.8 else data


class BreakingWire(Wire):
    """A wire on which half of what the test sends arrives broken."""

    def __init__(self, rand: random.Random) -> None:
        super().__init__()
        self.rand = rand
        self.breaking = False

    def put(self, message: Any) -> None:
        data = message if isinstance(message, str | bytes) else message.frame()
        if self.breaking and len(data) > 4 and self.rand.random() < 0.5:
            raw = data if isinstance(data, bytes) else data.encode("utf-8", "surrogateescape")
            mutant = broken(self.rand, raw)
            data = mutant if self.rand.random() < 0.5 else mutant.decode("latin1")
        super().put(data)

    def act(self, ua: Any, invite: Any) -> None:
        """Send something that could make sense, or not."""
        rand, kind = self.rand, self.rand.random()
        if kind < 0.4:
            code = rand.choice((100, 180, 183, 200, 200, 401, 407, 302, 422, 486, 491, 503, 600))
            self.reply(invite, code, sdp=rand.choice(("", ANSWER, OFFER)), tag=rand.choice(("peer", "other")))
        elif kind < 0.55:
            extra = rand.choice(("", "Contact: <sip:x@y>\r\n", "Content-Type: application/sdp\r\n"))
            method = rand.choice(
                ("BYE", "INVITE", "INFO", "OPTIONS", "UPDATE", "ACK", "REFER", "NOTIFY", "PRACK")
            )
            self.from_callee(
                method, invite, sequence=rand.randint(1, 5), body=rand.choice(("", OFFER)), extra=extra
            )
        elif kind < 0.75:
            method = rand.choice(("INVITE", "INVITE", "MESSAGE", "OPTIONS", "CANCEL", "ACK", "DANCE"))
            self.invite(ua, call_id=f"c{rand.randint(1, 3)}", sdp=rand.choice((OFFER, "")), method=method)
        else:
            ours = [m for m in self.received if isinstance(m, Response) and m.cseq.method == "INVITE"]
            if ours:
                self.in_dialog(
                    rand.choice(("ACK", "BYE", "INVITE", "INFO")),
                    rand.choice(ours),
                    sequence=rand.randint(1, 4),
                    body=rand.choice(("", OFFER, ANSWER)),
                    extra="Content-Type: application/sdp\r\n",
                )


BUTTONS = (
    lambda call: call.hold(),
    lambda call: call.unhold(use_update=True),
    lambda call: call.renegotiate(late_offer=True),
    lambda call: call.send_info("text/plain", "x"),
    lambda call: call.refer("carol"),
    lambda call: call.send_dtmf("5"),
)


def press(ua: Any, rand: random.Random) -> None:
    """What a user does meanwhile."""
    for call in ua.sessions:
        if rand.random() < 0.2:
            try:
                rand.choice(BUTTONS)(call)
            except InvalidStateError:
                pass  # the button was dead


async def survive(seed: int) -> None:
    rand = random.Random(seed)
    wire = BreakingWire(rand)
    async with user_agent(wire, register=True, no_answer_timeout=30) as ua:

        def answer(event: Any) -> None:
            if event.originator == "remote" and rand.random() < 0.7:
                event.session.answer()

        ua.on("new_rtc_session", answer)
        ua.on("new_message", lambda event: None)
        ua.call("bob", late_offer=rand.random() < 0.2)
        invite = await wire.request("INVITE")
        wire.breaking = True
        for _ in range(12):
            try:
                wire.act(ua, invite)
            except (ParseError, ValueError):
                pass  # what the test itself could not make of what it had
            press(ua, rand)
            await asyncio.sleep(rand.choice((0, 0, 0.01, 1)))
        wire.breaking = False
        await asyncio.sleep(1)
        for session in ua.sessions:
            if not session.is_ended():
                session.terminate()
        await asyncio.sleep(QUIET)
        assert set(ua.counts().values()) == {0}, (ua.counts(), [str(session) for session in ua.sessions])
        assert ua.is_registered()


@pytest.mark.stateful
def test_nothing_raises_and_nothing_is_left(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, "sipua")
    for seed in SEEDS:
        run_simulated(survive(seed))
        assert not caplog.records, f"seed {seed}"
