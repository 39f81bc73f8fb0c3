from __future__ import annotations

import json
from pathlib import Path

import pytest

from sipua.cli.exits import Failure
from sipua.cli.phone.book import KEPT, Book, Contact, HistoryEntry, data_directory


def entry(number: int, outcome: str = "answered") -> HistoryEntry:
    return HistoryEntry(
        "2026-01-02T03:04:05+00:00", "outgoing", f"sip:{number}@example.com", "work", 1.5, outcome
    )


def book(directory: Path) -> tuple[Book, list[str]]:
    notices: list[str] = []
    return Book(directory, notices.append), notices


def test_contacts_and_history_outlive_the_phone(tmp_path: Path) -> None:
    first, notices = book(tmp_path / "new")
    first.add("Zoë", "sip:zoe@example.com")
    first.add("bob", "600")
    first.add("BOB", "601")
    first.note(entry(1))
    second, _ = book(tmp_path / "new")
    assert second.contacts == [Contact("BOB", "601"), Contact("Zoë", "sip:zoe@example.com")]
    assert second.history == [entry(1)]
    assert second.target_of(" bob ") == "601"
    assert second.target_of("carol") == "carol"
    assert second.name_of("sip:zoe@example.com") == "Zoë"
    assert second.name_of("sip:601@example.com", ["example.com"]) == "BOB"
    assert second.name_of("sip:601@elsewhere.example", ["example.com"]) is None
    assert second.suggestions() == ["BOB", "Zoë", "sip:1@example.com"]
    second.remove("zoË")
    assert [contact.name for contact in book(tmp_path / "new")[0].contacts] == ["BOB"]
    with pytest.raises(Failure, match="no contact 'carol'; there are: BOB"):
        second.remove("carol")
    assert notices == []


def test_the_history_has_an_end(tmp_path: Path) -> None:
    first, _ = book(tmp_path)
    for number in range(2 * KEPT + 1):
        first.note(entry(number))
    assert len(first.history) == KEPT
    second, _ = book(tmp_path)
    assert second.history == first.history
    assert len((tmp_path / "history.jsonl").read_text().splitlines()) == KEPT


def test_a_spoilt_entry_is_told_and_left_out(tmp_path: Path) -> None:
    first, _ = book(tmp_path)
    first.note(entry(1))
    with (tmp_path / "history.jsonl").open("a") as file:
        file.write('{"time": "half\n')
    first.note(entry(2))
    second, notices = book(tmp_path)
    assert second.history == [entry(1), entry(2)]
    assert notices == [f"{tmp_path}/history.jsonl:2: not an entry; it is left out"]


def test_spoilt_contacts_are_told_and_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "contacts.json"
    path.write_text('[\n{"name": "bob"')
    found, notices = book(tmp_path)
    assert notices == [f'{path}:2: not a list of {{"name": …, "target": …}}; mend or remove it']
    with pytest.raises(Failure, match="cannot be read, so it is not written"):
        found.add("carol", "1")
    assert path.read_text() == '[\n{"name": "bob"'
    assert found.contacts == []
    path.write_bytes(b"\xff")
    assert book(tmp_path)[1] == [f"{path}: not UTF-8; mend or remove it"]
    spoilt: list[object] = [
        [{"name": 1}],
        [{"name": "a", "target": ["b"]}],
        [{"name": " ", "target": "b"}],
        [[]],
        {"a": 1},
    ]
    for wrong in spoilt:
        path.write_text(json.dumps(wrong))
        assert "mend or remove it" in book(tmp_path)[1][0]


def test_changes_are_told(tmp_path: Path) -> None:
    found, _ = book(tmp_path)
    entries: list[HistoryEntry] = []
    lines: list[str] = []
    found.on_history = entries.append
    found.on_contacts = lines.append
    found.note(entry(1))
    found.add("Ann", "sip:ann@x")
    found.remove("ann")
    assert entries == [entry(1)]
    assert lines == ["contact Ann: sip:ann@x", "contact ann forgotten"]


def test_a_directory_that_cannot_be_written_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found, notices = book(tmp_path / "file")
    notices.clear()
    found.note(entry(1))
    found.note(entry(2))
    assert len(found.history) == 2
    assert len(notices) <= 1
    with pytest.raises(Failure):
        found.add("bob", "1")


def test_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIPUA_DATA", "/tmp/elsewhere")
    assert data_directory() == Path("/tmp/elsewhere")
    monkeypatch.delenv("SIPUA_DATA")
    assert data_directory().name == "sipua"
