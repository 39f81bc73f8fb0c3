"""Reading scripts: every kind of step, and errors that say where and what to write."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipua.script import ScriptError, load_script, parse_script
from sipua.script.base import STEPS
from sipua.script.expectations import CONDITIONS, Expect
from sipua.script.words import parse_seconds

if TYPE_CHECKING:
    from pathlib import Path


def test_one_step_a_line_or_several() -> None:
    script = parse_script("wait 3s; dtmf 12#\n\n# a comment\n  HANGUP  # another\n")
    assert [(s.line, s.column, s.text) for s in script.steps] == [
        (1, 1, "wait 3s"),
        (1, 10, "dtmf 12#"),
        (4, 3, "HANGUP"),
    ]
    assert str(script) == "wait 3s\ndtmf 12#\nHANGUP"


def test_the_hash_key_is_no_comment() -> None:
    script = parse_script("dtmf #\nexpect dtmf # within 3s # pound\nexpect dtmf '#'")
    assert [s.text for s in script.steps] == ["dtmf #", "expect dtmf # within 3s", 'expect dtmf "#"']


def test_quotes_keep_blanks_semicolons_and_hashes() -> None:
    (step,) = parse_script('say "one; two # three"').steps
    assert step.said == "one; two # three"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "text",
    [
        "wait 3",
        "wait 200ms to 1.5s",
        "ring",
        "ring 2s",
        "answer",
        "refuse",
        "refuse 603 Not today",
        "dtmf 1,2 by info",
        "hold",
        "unhold",
        "mute",
        "unmute",
        "transfer bob",
        "transfer sip:bob@example.com",
        "hangup",
        "play a.wav",
        'play "a file.wav" loop',
        "play a.wav meanwhile",
        "tone 440",
        "tone 350+440 for 2s",
        "say hello there",
        "echo",
        "stop",
        "record a.wav",
        "record a.ogg stereo",
        "record stop",
        "expect tone 440hz within 5s",
        "expect tone 350+440 for 1s within 5s",
        "expect no tone 440 within 3s",
        "expect dtmf 12# within 10s",
        "expect speech",
        "expect sound for 2s",
        "expect silence for 2s within 4s",
        "expect ringing within 1m",
        "expect answered",
        "expect refused",
        "expect refused 486 within 3s",
        "expect hold",
        "expect unhold within 2s",
        "expect codec opus",
        "expect ended within 5s",
    ],
)
def test_every_kind_of_step(text: str) -> None:
    assert len(parse_script(text)) == 1
    assert parse_script(text).steps[0].text == text


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("", "1:1", "there is no step in it"),
        ("# nothing", "1:1", "there is no step in it"),
        ("wait 1\nwiat 2", "2:1", "no step 'wiat'; did you mean wait?"),
        ("frobnicate", "1:1", "no step 'frobnicate'; there are "),
        ("wait", "1:5", "here goes a time; write: wait TIME [to TIME]"),
        ("wait soon", "1:6", "'soon' is not a time; it looks like 3s"),
        ("wait 3s to 1s", "1:12", "the longest time is less than the shortest"),
        ("wait 3s or so", "1:9", "'or' does not belong here; write: wait TIME"),
        ("refuse 200", "1:8", "'200' is no status of a refusal"),
        ("dtmf", "1:5", "here goes the digits"),
        ("dtmf 12E", "1:6", "'12E' has a character that is none of 0-9 * # A-D"),
        ("dtmf 1 by post", "1:11", "no way 'post'; there are rfc4733, info, inband"),
        ("transfer sip:@", "1:10", "'sip:@': not a target"),
        ("tone loud", "1:6", "'loud' is no tone"),
        ("tone 440+20000", "1:6", "is no tone; it is up to 4 frequencies"),
        ("tone 440 for 0", "1:14", "a tone of no length"),
        ('say "hello', "1:5", 'no closing "; put one at its end'),
        ("record", "1:7", "here goes the name of a file"),
        ("expect", "1:7", "here goes a kind of expectation; write: expect [no] WHAT"),
        ("expect nothing", "1:8", "no expectation 'nothing'; there are tone"),
        ("expect toe 440", "1:8", "did you mean tone?"),
        ("expect tone 440 withn 5s", "1:17", "'withn' does not belong here; write: expect [no] tone HZ"),
        ("expect tone 440 for 5s within 2s", "1:31", "it shall last 5 s within 2 s"),
        ("expect dtmf 1,2", "1:13", "'1,2' has a character"),
        ("expect refused 200", "1:16", "'200' is no status of a refusal"),
        ("expect codec mp3", "1:14", "no codec 'mp3'"),
        ("wait 1\ndtmf 1\nexpect ringing", "2:1", "put it after `expect ringing` of line 3"),
        ("dtmf 1; answer", "1:1", "`dtmf 1` needs a call that is answered; put it after `answer`"),
    ],
)
def test_errors_say_where_and_what_to_write(text: str, where: str, what: str) -> None:
    with pytest.raises(ScriptError) as caught:
        parse_script(text, "ivr.txt")
    assert str(caught.value).startswith(f"ivr.txt:{where}: ")
    assert what in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_comes_before_the_answer() -> None:
    assert parse_script("dtmf 1").before_answer == 0
    assert parse_script("wait 1s; dtmf 1").before_answer == 0
    assert parse_script("wait 1; expect ringing; expect tone 440; expect answered; dtmf 1").before_answer == 4
    assert parse_script("ring 1s; refuse").before_answer == 2


@pytest.mark.parametrize(
    ("text", "direction", "problem"),
    [
        ("wait 1\nanswer", "outgoing", "2:1: `answer` is for calls that come in"),
        ("expect answered", "incoming", "`expect answered` is for calls that we make"),
        ("play nope.wav", "outgoing", "nope.wav: no such file"),
        ("record nope/x.wav", "incoming", "does not exist; make it first"),
        ("record x.flac", "incoming", "recordings are wav, ogg or mp3"),
    ],
)
def test_check(text: str, direction: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(ScriptError) as caught:
        parse_script(text, "s", tmp_path).check(direction)  # type: ignore[arg-type]
    assert problem in str(caught.value)


def test_check_without_sound() -> None:
    parse_script("wait 1; dtmf 1; hold; expect dtmf 1; expect ended").check("outgoing", audio=False)
    with pytest.raises(ScriptError, match="`echo` needs sound"):
        parse_script("wait 1; echo").check("outgoing", audio=False)
    with pytest.raises(ScriptError, match="needs sound"):
        parse_script("expect tone 440").check("outgoing", audio=False)


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "ivr.txt"
    path.write_text("\ufeffwait 1s\r\nhangup\r\n", encoding="utf-8")
    script = load_script(path)
    assert [step.text for step in script.steps] == ["wait 1s", "hangup"]
    assert script.folder == tmp_path
    with pytest.raises(ScriptError, match=r"nope:1:1: No such file or directory; check the path"):
        load_script(tmp_path / "nope")
    path.write_bytes(b"wait 1\n\xff\xfe")
    with pytest.raises(ScriptError, match=r"ivr.txt:2:1: not text in UTF-8"):
        load_script(path)
    with pytest.raises(ScriptError, match="is it a script"):
        parse_script("x" * 2_000_000)


def test_times() -> None:
    assert [parse_seconds(text) for text in ("3", "3s", "200ms", "1.5m", ".5H")] == [3, 3, 0.2, 90, 1800]
    assert [parse_seconds(text) for text in ("", "s", "-1", "1d", "1,5", "inf", "nan")] == [None] * 7


@given(
    st.text()
    | st.lists(st.sampled_from([*STEPS, *CONDITIONS, "12#", "3s", "within", "no", ";", "\n", "'"])).map(
        " ".join
    )
)
def test_any_text_is_a_script_or_an_error_with_a_place(text: str) -> None:
    try:
        script = parse_script(text, "s")
    except ScriptError as error:
        place, script = f"s:{error.line}:{error.column}: ", None
        assert str(error).startswith(place)  # noqa: PT017 - no error is fine, too
    if script is not None:
        # What was read is written so that it is read again.
        assert [s.text for s in parse_script(str(script)).steps] == [s.text for s in script.steps]


def test_each_kind_says_how_it_is_written() -> None:
    for name, kind in STEPS.items():
        assert kind.usage.split()[0] == name
        assert kind.summary
    assert all(kind.summary for kind in CONDITIONS.values())
    assert STEPS["expect"] is Expect
