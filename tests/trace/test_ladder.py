from __future__ import annotations

from sipua.sip.redaction import redact
from sipua.trace import TracedEvent, TracedMessage
from sipua.trace.ladder import ASCII, WIDTH, ladder, ladder_lines
from sipua.trace.story import Story

SERVER = "ws://127.0.0.1:8080/"
SDP = "Content-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n"
EMPTY = "Content-Length: 0\r\n\r\n"


def message(
    start: str,
    cseq: str,
    *,
    call_id: str = "1",
    to_tag: str = "",
    from_tag: str = "f",
    extra: str = "",
    rest: str = EMPTY,
) -> str:
    tag = f";tag={to_tag}" if to_tag else ""
    return (
        f"{start}\r\nVia: SIP/2.0/WS x.invalid;branch=z9hG4bK{cseq.split()[0]}\r\n"
        f"From: <sip:alice@h>;tag={from_tag}\r\nTo: <sip:600@h>{tag}\r\nCall-ID: {call_id}\r\n"
        f"CSeq: {cseq}\r\n{extra}{rest}"
    )


def trace(*steps: tuple[float, str, str]) -> list[TracedMessage]:
    return [
        TracedMessage(1000.0 + time, "in" if way == "in" else "out", SERVER, redact(text))
        for time, way, text in steps
    ]


CALL = trace(
    (0.0, "out", message("INVITE sip:600@h SIP/2.0", "1 INVITE", rest=SDP)),
    (0.01, "in", message("SIP/2.0 407 Proxy Authentication Required", "1 INVITE", to_tag="x")),
    (0.011, "out", message("ACK sip:600@h SIP/2.0", "1 ACK", to_tag="x")),
    (
        0.012,
        "out",
        message(
            "INVITE sip:600@h SIP/2.0",
            "2 INVITE",
            extra='Proxy-Authorization: Digest username="alice", response="5ec3e7"\r\n',
            rest=SDP,
        ),
    ),
    (0.05, "in", message("SIP/2.0 200 OK", "2 INVITE", to_tag="t", rest=SDP)),
    (0.051, "out", message("ACK sip:600@h SIP/2.0", "2 ACK", to_tag="t")),
    (5.3, "in", message("BYE sip:alice@h SIP/2.0", "1 BYE", extra="Reason: Q.850;cause=16\r\n")),
)


def test_a_call() -> None:
    lines = ladder(CALL).splitlines()
    assert lines[0].split() == ["time", "we", SERVER]
    assert len(lines) == 1 + len(CALL) + 1
    first = lines[1].split()
    assert first[:2] == ["0.000", "A"]
    assert lines[1].endswith("▶│  1, SDP offer")
    assert "INVITE sip:600@h" in lines[1]
    assert "◀" in lines[2]
    assert lines[2].rstrip().endswith("407 Proxy Authentication Required ──│  1 INVITE")
    assert lines[4].endswith("2, with credentials, SDP offer")
    assert lines[5].startswith("  0.050")
    assert lines[7].endswith("1, Q.850;cause=16")
    assert lines[-1] == "A: sip:alice@h → sip:600@h, Call-ID 1"


def test_rungs_are_in_line_and_secrets_are_not_there() -> None:
    text = ladder(CALL)
    rungs = [line for line in text.splitlines() if "│" in line]
    assert {line.index("│") for line in rungs} == {rungs[0].index("│")}
    assert {line.rindex("│") - line.index("│") for line in rungs} == {WIDTH + 1}
    assert "5ec3e7" not in text


def test_one_call_of_several() -> None:
    register = trace((0.0, "out", message("REGISTER sip:h SIP/2.0", "7 REGISTER", call_id="r")))
    both = ladder([*register, *CALL])
    assert "B: sip:alice@h" in both
    assert "REGISTER sip:h" in both
    one = ladder([*register, *CALL], call_id="1")
    assert "REGISTER" not in one
    assert one.splitlines()[1].startswith("  0.000  B ")  # as in the whole trace


def test_branches_of_a_forked_call_have_numbers() -> None:
    text = ladder(
        trace(
            (0, "out", message("INVITE sip:600@h SIP/2.0", "1 INVITE")),
            (1, "in", message("SIP/2.0 180 Ringing", "1 INVITE", to_tag="a")),
            (2, "in", message("SIP/2.0 180 Ringing", "1 INVITE", to_tag="b")),
            (3, "in", message("SIP/2.0 200 OK", "1 INVITE", to_tag="b")),
            (4, "in", message("BYE sip:alice@h SIP/2.0", "9 BYE", from_tag="b", to_tag="f")),
        )
    )
    assert [line.split()[1] for line in text.splitlines()[1:6]] == ["A", "A1", "A2", "A2", "A2"]


def test_repeated_illegible_and_long_messages() -> None:
    invite = message("INVITE sip:" + "x" * 80 + "@h SIP/2.0", "1 INVITE")
    text = ladder(trace((0, "out", invite), (0.5, "out", invite), (1, "in", "SIP/2.0 what\r\n\r\n")))
    lines = text.splitlines()
    assert "…" in lines[1]
    assert lines[2].endswith("again")
    assert "illegible: SIP/2.0 what" in lines[3]


def test_ascii() -> None:
    text = ladder(CALL, glyphs=ASCII)
    assert "|-- ACK -" in text
    assert ">|" in text
    assert "│" not in text


def test_nothing() -> None:
    assert ladder([]) == "no SIP message was exchanged"
    assert ladder(CALL, call_id="other") == "no SIP message was exchanged"


def test_several_user_agents_and_servers_have_a_line_each() -> None:
    text = message("OPTIONS sip:h SIP/2.0", "1 OPTIONS")
    lines = ladder(
        [
            TracedMessage(1.0, "out", "ws://one/", text, "sip:a@h"),
            TracedMessage(2.0, "in", "ws://one/", text, "sip:b@h"),
            TracedMessage(3.0, "out", "ws://two/", text, "sip:b@h"),
        ]
    ).splitlines()
    assert lines[0].split() == ["time", "sip:a@h", "ws://one/", "ws://two/", "sip:b@h"]
    first, second, third = (line.partition("  A  ")[2] for line in lines[1:4])
    places = [index for index, sign in enumerate(first) if sign == "│"]
    assert len(places) == 4
    a, one, two, b = places
    assert "▶" in first[a:one]
    assert "◀" not in second
    assert "▶" in second[two:b]
    assert second[two] == "─"
    assert "◀" in third[two:b]


def test_numbers_and_events() -> None:
    records = [*CALL[:2], TracedEvent(1000.02, "hold", "", "1", {"originator": "local"}), *CALL[2:]]
    lines = ladder_lines(Story(records), numbers=True, events=True)
    texts = [line.text for line in lines]
    assert texts[1].startswith("  1    0.000  A    │── INVITE")
    assert "•" in texts[5]
    assert texts[5].endswith("hold: local")
    assert lines[5].step is not None
    assert lines[-1].step is None


def test_it_fits_to_a_narrow_screen() -> None:
    lines = ladder(CALL, columns=80).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[4].endswith("2, with credentials, SDP offer")
    assert "◀─ 407 Proxy Authentication" in lines[2]
    assert ladder(CALL, columns=200) == ladder(CALL)
    tiny = ladder(CALL, columns=40).splitlines()
    assert "│─ INVITE ──▶│" in tiny[1]
    assert tiny[4].endswith("…")


def test_many_user_agents_on_a_narrow_screen() -> None:
    text = message("OPTIONS sip:a-long-name@example.com SIP/2.0", "1 OPTIONS")
    records = [
        TracedMessage(1.0 + number, "out", "wss://sip.example.com/ws", text, f"sip:user-{number}@example.com")
        for number in range(4)
    ]
    head, *rows = ladder(records, columns=80).splitlines()[:5]
    assert len(head) <= 80
    users = [f"sip:user-{number}…" for number in range(4)]
    assert head.split() == ["time", users[0], "wss://sip.…", *users[1:]]
    assert max(map(len, rows)) <= 80
    # There is no room for whom, but for what.
    assert all("OPTIONS" in row for row in rows)
    assert "long-name" not in rows[0]
