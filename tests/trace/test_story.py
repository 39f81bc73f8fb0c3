from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sipua.trace import Record, Story, TracedEvent, TracedMessage, TracedStats, make_page, records_of_call
from sipua.trace.ladder import ladder_lines
from tests.trace.traces import ALICE, CALL, INVITE, OFFER, PEER, sip, traced


def test_calls_are_found_by_letter_and_call_id() -> None:
    story = Story([*CALL, traced(200.0, "in", sip(INVITE, "1 INVITE", call_id="call-2"))])
    assert [call.letter for call in story.calls.values()] == ["A", "B"]
    named = {name: story.call_named(name) for name in ("A", "b", "call-2", "call", "x")}
    assert {name: call.call_id if call else None for name, call in named.items()} == {
        "A": "call-1",
        "b": "call-2",
        "call-2": "call-2",
        "call": None,
        "x": None,
    }


def test_letters_go_on_after_z() -> None:
    story = Story(traced(float(n), "in", sip(INVITE, "1 INVITE", call_id=str(n))) for n in range(28))
    assert [call.letter for call in story.calls.values()][24:] == ["Y", "Z", "A'", "B'"]


def test_events_before_the_first_message_belong_to_their_call() -> None:
    first = TracedEvent(99.0, "connecting", ALICE, "call-1")
    (call,) = {step.call for step in Story([first, *CALL]).events}
    assert call is not None
    assert call.letter == "A"


def test_records_of_one_call() -> None:
    other = traced(100.0, "in", sip(INVITE, "1 INVITE", call_id="call-2"))
    assert records_of_call([other, *CALL], "call-1") == CALL


times = st.floats(0.0, 1e9)
names = st.sampled_from(["", ALICE, PEER, "x\n"]) | st.text(max_size=5)
messages = st.builds(
    TracedMessage,
    times,
    st.sampled_from(["in", "out"]),
    names,
    st.text(max_size=40)
    | st.builds(
        sip,
        st.sampled_from(
            [INVITE, "ACK sip:x SIP/2.0", "PRACK sip:x SIP/2.0", "SIP/2.0 183 x", "SIP/2.0 200 OK", "SIP/2.0"]
        ),
        st.sampled_from(["1 INVITE", "1 ACK", "2 PRACK", "2 INVITE", "x"]),
        body=st.sampled_from(["", OFFER, "x"]),
        call_id=st.sampled_from(["a", "b"]),
    ),
    names,
)
plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
NAMES = ["audio", "received", "sent", "lost", "packets", "level", "id"]
figures = st.recursive(plain, lambda inner: st.dictionaries(st.sampled_from(NAMES), inner))
details = st.dictionaries(names, plain)
events = st.builds(TracedEvent, times, st.text(max_size=5), names, st.none() | st.just("a"), details)
samples = st.builds(
    TracedStats,
    times,
    st.sampled_from(["a", "z"]),
    st.dictionaries(st.just("audio"), figures),
    st.none() | st.dictionaries(st.just("mos"), plain),
    names,
)


@given(st.lists(messages | events | samples, max_size=12))
def test_whatever_is_in_a_trace_can_be_shown(records: list[Record]) -> None:
    records.sort(key=lambda record: record.time)
    story = Story(records)
    assert len(story.messages) + len(story.events) == sum(not isinstance(r, TracedStats) for r in records)
    assert len(ladder_lines(story, events=True, numbers=True)) >= 1
    assert "{{" not in make_page(records).partition('type="application/json">')[0]
