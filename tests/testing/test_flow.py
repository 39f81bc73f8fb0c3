"""The player of flows: what it lets pass, what it stops at, and how it says so."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

import pytest

from sipua import InvalidStateError
from sipua.testing import (
    Agent,
    Arrives,
    Arrow,
    Cut,
    Events,
    Fails,
    Finished,
    Flow,
    FlowFailed,
    Peer,
    Press,
    Shows,
    Wait,
    description,
    flow,
    run_flow,
)

BOTH = {"alice": Agent(), "bob": Agent()}
ALICE = {"alice": Agent(), "bob": Peer()}
CALL = [
    Press("alice", "call", "bob"),
    Arrow("alice -> bob", "INVITE", "F1"),
    Arrow("bob -> alice", "180", "F2"),
]
BUSY = [Arrow("bob -> alice", "486", to="F1"), Arrow("alice -> bob", "ACK")]


def run(*steps: Any, people: Any = ALICE, **more: Any) -> str:
    return run_flow(Flow("figure 1", "a title", people, steps, **more))


def failure(*steps: Any, people: Any = ALICE, **more: Any) -> str:
    with pytest.raises(FlowFailed) as caught:
        run(*steps, people=people, **more)
    return str(caught.value)


def test_the_example_in_the_documentation_runs() -> None:
    assert flow.__doc__
    example = flow.__doc__.split("::\n", 1)[1].split("\nThe ladder is complete", 1)[0]
    exec(textwrap.dedent(example), {})


def test_ladder_as_text() -> None:
    assert run(*CALL, *BUSY, Events("alice", "progress", "failed")).splitlines() == [
        "           alice                         bob",
        "    0.000  ● call(bob)",
        "    0.000  │────── F1 INVITE (sdp) ─────▶│",
        "    0.000  │◀────── F2 180 INVITE ───────│",
        "    0.000  │◀──────── 486 INVITE ────────│",
        "    0.000  │──────────── ACK ───────────▶│",
        "    0.000  ● events: progress, failed",
    ]


def test_lost_and_held_in_the_ladder() -> None:
    ladder = run(
        CALL[0],
        Arrow("alice -> bob", "INVITE", "F1", fate="held"),
        Arrives("F1"),
        Arrow("bob -> alice", "180", fate="lost"),
        *BUSY,
    )
    assert re.search(r"F1 INVITE \(sdp\) ─+…│", ladder)
    assert re.search(r"│─+ \(F1 arrives\) ─+▶│", ladder)
    assert re.search(r"│✗─+ 180 INVITE", ladder)


def test_three_columns() -> None:
    ladder = run(
        Press("alice", "call", "carol"),
        Arrow("alice -> carol", "INVITE", "F1"),
        Arrow("carol -> alice", "603"),
        Arrow("alice -> carol", "ACK"),
        people={"alice": Agent(), "bob": Agent(), "carol": Peer()},
    )
    assert re.search(r"│─{10,} F1 INVITE \(sdp\) ─{10,}▶│", ladder)


def test_another_message_than_expected() -> None:
    text = failure(*CALL, Arrow("alice -> bob", "BYE"), Press("alice", "terminate"))
    assert text.startswith("figure 1 a title")
    assert "- alice -> bob: BYE" in text
    assert "alice sends nothing" in text
    text = failure(*CALL, Press("alice", "terminate"), Arrow("alice -> bob", "BYE"))
    assert "+ CANCEL   (at 0.000 s)" in text
    assert "    CANCEL sip:bob@example.com SIP/2.0" in text


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"headers": {"Contact": None}}, "Contact: None expected, found '<sip:"),
        ({"headers": {"X-Missing": ...}}, "X-Missing: anything expected, found None"),
        ({"headers": {"User-Agent": re.compile("^JsSIP")}}, "User-Agent: /^JsSIP/ expected, found 'sipua"),
        ({"sdp": "sendonly"}, "description: 'sendonly' expected, found 'sendrecv'"),
        ({"sdp": False}, "description: False expected, found 'sendrecv'"),
        ({"uri": "sip:carol@example.com"}, "Request-URI: 'sip:carol@example.com' expected, found sip:bob"),
        ({"cseq": 7}, "CSeq: 7 expected, found 1 INVITE"),
        ({"tag": "x"}, "To tag: 'x' expected, found None"),
        ({"body": re.compile("m=video")}, "body: /m=video/ expected"),
        ({"check": lambda message, named: False}, "check failed"),
    ],
)
def test_facts_that_are_not_so(facts: dict[str, Any], expected: str) -> None:
    assert expected in failure(CALL[0], Arrow("alice -> bob", "INVITE", **facts))


def test_relations_between_messages() -> None:
    rest = [Arrow("bob -> alice", "486", to="F1")]
    for facts, expected in (
        ({"branch": "F0"}, "branch: that of F0 expected"),
        ({"cseq": ("F1", 1)}, "CSeq: 2 expected, found 1 ACK"),
        ({"same": "F1"}, "a copy of F1 expected"),
        ({"dialog": "F0"}, "the dialog of F0 expected"),
    ):
        other = Arrow("bob -> alice", "OPTIONS", "F0", dialog="new")
        text = failure(*CALL, *rest, other, Arrow("alice -> bob", "ACK", **facts))
        assert expected in text


def test_what_is_not_in_the_flow() -> None:
    assert "bob sends what is not in the flow" in failure(*CALL[:2], people=BOTH)
    text = failure(CALL[0], Wait(1))
    assert "alice sends what is not in the flow" in text
    assert "+ INVITE (sdp)" in text


def test_what_is_left_at_the_end() -> None:
    steps = [*CALL, Press("alice", "terminate"), Arrow("alice -> bob", "CANCEL")]
    text = failure(*steps, Arrow("bob -> alice", "200 CANCEL"), quiet=1.0)
    assert "the end of the flow" in text
    assert "alice still holds" in text


def test_moments() -> None:
    people = {"alice": Agent(no_answer_timeout=20), "bob": Peer()}
    end = [Arrow("bob -> alice", "200 CANCEL"), Arrow("bob -> alice", "487", to="F1"), BUSY[1]]
    run(*CALL, Arrow("alice -> bob", "CANCEL", after=20), *end, people=people)
    run(*CALL, Wait(5), Arrow("alice -> bob", "CANCEL", after=(14, 16)), *end, people=people)
    assert "it came after 20 s" in failure(
        *CALL, Arrow("alice -> bob", "CANCEL", after=(25, 30)), people=people
    )
    assert "alice sends nothing" in failure(*CALL, Arrow("alice -> bob", "CANCEL", after=19), people=people)
    assert "alice sends what is not in the flow" in failure(*CALL, Wait(21), people=people)


def test_events_and_attributes() -> None:
    text = failure(*CALL, Events("alice", "accepted"))
    assert "events expected: accepted" in text
    assert "events found:    progress" in text
    assert "progress.originator: 'local' expected, found 'remote'" in failure(
        *CALL, Events("alice", ("progress", {"originator": "local"}))
    )
    assert "is_established: True expected, found False" in failure(*CALL, Shows("alice", is_established=True))
    run(*CALL, Events("alice", "progress"), *BUSY, Events("alice", ("failed", {"cause": ...})))


def test_buttons() -> None:
    run(*CALL, Press("alice", "answer", raises=InvalidStateError), *BUSY)
    assert "answer raised InvalidStateError" in failure(*CALL, Press("alice", "answer"))
    assert "raised nothing" in failure(*CALL, Press("alice", "terminate", raises=InvalidStateError))
    text = failure(*CALL, Press("alice", "wait_confirmed"), Finished("alice"))
    assert "what the button began is not done" in text
    text = failure(*CALL, Press("alice", "wait_confirmed"), *BUSY, Finished("alice"))
    assert "it failed: CallBusy: Busy (486 Busy Here)" in text
    text = failure(*CALL, Press("alice", "wait_confirmed"), *BUSY, Finished("alice", raises=ValueError))
    assert "ValueError expected, found CallBusy" in text


def test_handlers_as_data() -> None:
    run(
        Arrow("bob -> alice", "INVITE", "F1", sdp="sendrecv"),
        Arrow("alice -> bob", "180"),
        Arrow("alice -> bob", "200", sdp="sendrecv"),
        Arrow("bob -> alice", "ACK"),
        Press("alice", "terminate"),
        Arrow("alice -> bob", "BYE"),
        Arrow("bob -> alice", "200"),
        people={
            "alice": Agent(on={"progress": lambda event: None, "new_rtc_session": _answer}),
            "bob": Peer(),
        },
    )
    run(
        Arrow("bob -> alice", "INVITE", "F1", sdp="sendrecv"),
        Arrow("alice -> bob", "480"),
        Arrow("bob -> alice", "ACK"),
        people={"alice": Agent(on={"new_rtc_session": None}), "bob": Peer()},
    )


def _answer(event: Any) -> None:
    event.session.on("progress", lambda progress: event.session.answer())


def test_a_connection_that_breaks() -> None:
    run(
        *CALL,
        Cut("alice"),
        Events("alice", "progress", "failed"),
        Events("alice", "connected", "new_rtc_session", "disconnected", of="ua"),
    )


def test_a_server_that_falls_silent_and_another_one() -> None:
    people = {"alice": Agent(servers=2, keep_alive_interval=20.0), "bob": Peer()}
    run(
        Fails("alice"),
        Wait(30),
        Events("alice", "connected", "disconnected", "connected", of="ua"),
        *CALL,
        *BUSY,
        people=people,
    )
    run(Fails("alice"), Wait(60), Shows("alice", of="ua", is_connected=False), people={"alice": Agent()})


def test_flows_that_make_no_sense() -> None:
    with pytest.raises(ValueError, match="there is no 'carol'"):
        run(Arrow("alice -> carol", "INVITE"))
    with pytest.raises(ValueError, match="F1 never arrives"):
        run(CALL[0], Arrow("alice -> bob", "INVITE", "F1", fate="held"), quiet=1)
    with pytest.raises(ValueError, match="needs a name"):
        run(CALL[0], Arrow("alice -> bob", "INVITE", fate="held"))


def test_every_run_is_the_same() -> None:
    steps = [
        *CALL,
        Arrow("bob -> alice", "200", to="F1", sdp="sendrecv"),
        Arrow("alice -> bob", "ACK"),
        Press("alice", "hold"),
        Arrow("alice -> bob", "INVITE"),
        Arrow("bob -> alice", "491"),
        Arrow("alice -> bob", "ACK"),
        Arrow("alice -> bob", "INVITE", after=(2.1, 4.0)),
        Arrow("bob -> alice", "200", sdp=description("recvonly")),
        Arrow("alice -> bob", "ACK"),
    ]
    assert run(*steps) == run(*steps)


def test_scripts_that_make_no_sense() -> None:
    with pytest.raises(ValueError, match="bob has no request of alice to answer with 180"):
        run(Arrow("bob -> alice", "180"))
    with pytest.raises(ValueError, match="bob has sent alice no INVITE to CANCEL"):
        run(Arrow("bob -> alice", "CANCEL"))
    with pytest.raises(ValueError, match="F2 is no request"):
        run(*CALL, Arrow("bob -> alice", "486", to="F2"))


def test_errors_that_are_logged_end_the_flow() -> None:
    people = {"alice": Agent(on={"progress": lambda event: 1 / 0}), "bob": Peer()}
    text = failure(*CALL, *BUSY, people=people)
    assert "error: call outgoing sip:bob@example.com (proceeding): a handler of 'progress' raised" in text
    assert "ZeroDivisionError" in text


def test_the_page_about_flows_shows_what_happens(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "flows.md").read_text()
    code, ladder = re.findall(r"```(?:python|text)\n(.*?)```", page, re.DOTALL)
    exec(code, {})
    assert capsys.readouterr().out == ladder
