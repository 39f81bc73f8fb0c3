"""Tests of a program of one's own, with the tools of sipua.testing: no network, no waiting.

python -m pytest examples/own_tests.py
"""

import asyncio

from sipua import UA, SignallingOnlyMedia
from sipua.events import Ended, NewRTCSession
from sipua.testing import (
    Agent,
    Arrow,
    Events,
    Flow,
    MemoryConnection,
    MemoryNetwork,
    Peer,
    Press,
    run_flow,
    run_simulated,
)


class OneAtATime:
    """The program under test: it answers at once, and is busy while it talks."""

    def __init__(self) -> None:
        self.talking = False

    def __call__(self, event: NewRTCSession) -> None:
        if self.talking:
            event.session.terminate(status_code=486)
            return
        self.talking = True
        event.session.on("ended", self.hung_up)
        event.session.answer()

    def hung_up(self, event: Ended) -> None:
        self.talking = False


def test_a_second_call_is_told_that_we_are_busy() -> None:
    """A flow: what must be on the wire, in order. Anything else that is sent fails it."""
    run_flow(
        Flow(
            "one at a time",
            "the second caller gets 486",
            {"bot": Agent(on={"new_rtc_session": OneAtATime()}), "ann": Peer(), "ben": Peer()},
            [
                Arrow("ann -> bot", "INVITE", sdp="sendrecv"),
                Arrow("bot -> ann", "200 INVITE", sdp="sendrecv"),
                Arrow("ann -> bot", "ACK"),
                Arrow("ben -> bot", "INVITE", sdp="sendrecv"),
                Arrow("bot -> ben", "486 INVITE"),
                Arrow("ben -> bot", "ACK"),
                Events("bot", ("failed", {"cause": "Busy"})),
                Press("bot", "terminate", call=1),
                Arrow("bot -> ann", "BYE"),
                Arrow("ann -> bot", "200"),
            ],
        )
    )


async def reconnects() -> list[float]:
    """When a user agent is connected again, after its server was gone for a minute."""
    network = MemoryNetwork(seed=1)

    def accept(connection: MemoryConnection) -> None:
        connection.on_message = lambda data: connection.send("\r\n")  # it answers keep-alives, and no more

    server = network.listen("wss://sip.example.com/ws", accept)
    times: list[float] = []
    sockets = network.connector("wss://sip.example.com/ws")
    ua = UA("sip:bot@example.com", sockets=sockets, register=False, media=SignallingOnlyMedia)
    ua.on("connected", lambda event: times.append(asyncio.get_running_loop().time()))
    async with ua:
        server.refuse()
        server.cut()
        await asyncio.sleep(60)
        server.admit()
        await asyncio.sleep(60)
    return times


def test_the_server_comes_back() -> None:
    """Two minutes of simulated time take a few milliseconds, and are the same on every run."""
    first, again = run_simulated(reconnects())
    assert first < 1
    assert 60 < again < 120
