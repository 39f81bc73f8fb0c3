from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipua.cli.exits import Failure
from sipua.cli.phone.commands import COMMANDS
from sipua.cli.phone.parsing import help_text, parse_line, parse_object

REMOTE = Path(__file__).parents[3] / "docs" / "remote.md"


@pytest.mark.parametrize(
    ("line", "name", "arguments"),
    [
        ("dial 600", "dial", {"target": "600", "account": None}),
        ("d  600   work", "dial", {"target": "600", "account": "work"}),
        ("DIAL sip:a@b", "dial", {"target": "sip:a@b", "account": None}),
        ("answer", "answer", {"call": None}),
        ("hangup 3", "hangup", {"call": 3}),
        ("message bob how are  you?", "message", {"target": "bob", "text": "how are  you?"}),
        ("conference 1, 2", "conference", {"calls": [1, 2]}),
        ("record 1 my call.wav", "record", {"call": 1, "path": "my call.wav"}),
        ("sound file a b.wav", "sound", {"what": "file a b.wav"}),
        ('contact "Ann Smith" sip:ann@x', "contact", {"name": "Ann Smith", "target": "sip:ann@x"}),
        ('dial "+1 555 123"', "dial", {"target": "+1 555 123", "account": None}),
        ("call 600", "dial", {"target": "600", "account": None}),
        ('record 1 "my call.wav"', "record", {"call": 1, "path": "my call.wav"}),
        ('message "Ann Smith" she said "no"', "message", {"target": "Ann Smith", "text": 'she said "no"'}),
        ('message bob"s x', "message", {"target": 'bob"s', "text": "x"}),
        ("wait 0.5", "wait", {"seconds": 0.5}),
        ("quit", "quit", {}),
    ],
)
def test_lines(line: str, name: str, arguments: dict[str, Any]) -> None:
    command, found = parse_line(COMMANDS, line)
    assert (command.name, found) == (name, arguments)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("dail 600", "no command 'dail'; did you mean dial?"),
        ("xyzzy", "no command 'xyzzy'; help shows all"),
        ("dial", "dial: target is missing; usage: dial TARGET [ACCOUNT]"),
        ("hangup first", "hangup: call: 'first' is not a number; usage: hangup [CALL]"),
        ("hangup -1", "hangup: call: '-1' is not a number; usage: hangup [CALL]"),
        ("wait nan", "wait: seconds: 'nan' is not a number; usage: wait SECONDS"),
        ("quit now", "quit: takes no arguments, not 'now'"),
        ("conference 1 b", "conference: calls: '1 b' is not a list of numbers; usage: conference [CALLS]"),
    ],
)
def test_wrong_lines(line: str, why: str) -> None:
    with pytest.raises(Failure) as error:
        parse_line(COMMANDS, line)
    assert str(error.value) == why


def test_objects() -> None:
    command, found = parse_object(COMMANDS, {"command": "dtmf", "digits": "12#", "id": 4})
    assert (command.name, found) == ("dtmf", {"digits": "12#", "call": None})
    assert parse_object(COMMANDS, {"command": "conference", "calls": [1, 2]})[1] == {"calls": [1, 2]}


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, 'no "command" in the object'),
        ({"command": 1}, 'no "command" in the object'),
        ({"command": "dail"}, "no command 'dail'; did you mean dial?"),
        ({"command": "dial"}, "dial: target is missing; usage: dial TARGET [ACCOUNT]"),
        ({"command": "dial", "target": 600}, "dial: target: 600 is not a text; usage: dial TARGET [ACCOUNT]"),
        ({"command": "quit", "now": True}, "quit: no argument 'now'; it takes none"),
        ({"command": "hangup", "number": 1}, "hangup: no argument 'number'; it takes call"),
        ({"command": "hangup", "call": True}, "hangup: call: True is not a number; usage: hangup [CALL]"),
    ],
)
def test_wrong_objects(given: dict[str, Any], why: str) -> None:
    with pytest.raises(Failure) as error:
        parse_object(COMMANDS, given)
    assert str(error.value) == why


def test_names_are_unique_and_all_in_the_help() -> None:
    names = [
        name for command in COMMANDS.values() for name in (command.name, command.short, command.also) if name
    ]
    assert len(names) == len(set(names))
    text = help_text(COMMANDS)
    assert all(command.usage in text for command in COMMANDS.values())


@given(st.text(min_size=1).filter(str.strip))
def test_any_line_is_a_command_or_a_failure(line: str) -> None:
    try:
        parse_line(COMMANDS, line)
    except Failure:
        pass


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.sampled_from(sorted(COMMANDS)), st.data())
def test_any_object_is_a_command_or_a_failure(name: str, data: st.DataObject) -> None:
    given = {argument.name: data.draw(_JSON) for argument in COMMANDS[name].arguments}
    try:
        parse_object(COMMANDS, {"command": name, **given})
    except Failure:
        pass


def test_the_reference_has_all_commands() -> None:
    rows = [row for row in REMOTE.read_text().splitlines() if row.startswith("| `")]
    listed = {row.split("`")[1]: row for row in rows}
    for command in COMMANDS.values():
        row = listed[command.name]
        assert row.endswith(f"| {command.summary} |")
        for argument in command.arguments:
            name = f"`{argument.name}`" if argument.needed else f"[`{argument.name}`]"
            assert f"{name} ({argument.kind})" in row
