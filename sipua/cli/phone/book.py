"""Contacts and the history of calls, in two files that outlive the phone.

``contacts.json`` is a list of objects with ``name`` and ``target``; ``history.jsonl`` has one object a line.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sipua.cli.exits import ExitCode, Failure, file_trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Book", "Contact", "HistoryEntry", "data_directory"]

#: Entries of the history that are shown and kept; the file is cut when it has twice as many.
KEPT = 500


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody to call: `target` is what would be dialled."""

    name: str
    target: str


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """A call that is over. `time` is its beginning (ISO 8601, UTC), `seconds` how long it was up."""

    time: str
    direction: Literal["incoming", "outgoing"]
    remote: str
    account: str
    seconds: float
    outcome: str
    """``answered``, ``missed``, or why it failed."""


def data_directory() -> Path:
    """Where the files are: ``SIPUA_DATA``, or ``sipua`` among the user's data."""
    if given := os.environ.get("SIPUA_DATA"):
        return Path(given).expanduser()
    from platformdirs import user_data_path

    return user_data_path("sipua", appauthor=False)


class Book:
    """Contacts and history. Without a directory they are in memory only.

    :param notice: told in one line of what cannot be read or written; each file once.
    """

    def __init__(self, directory: Path | None, notice: Callable[[str], object]) -> None:
        self.contacts: list[Contact] = []
        self.history: list[HistoryEntry] = []
        """The latest last."""
        self.on_history: Callable[[HistoryEntry], object] = lambda entry: None
        """Called with each entry that is added."""
        self.on_contacts: Callable[[str], object] = lambda text: None
        """Called when contacts have changed, with a line that says how."""
        self._directory = directory
        self._notice = notice
        self._spoilt: set[str] = set()
        self._load_contacts()
        self._load_history()

    # --- contacts -----------------------------------------------------------------------------------------

    def add(self, name: str, target: str) -> None:
        """Remember somebody; one of the same name is replaced.

        :raises Failure: the file cannot be written.
        """
        others = [contact for contact in self.contacts if contact.name.lower() != name.lower()]
        self._save_contacts(sorted([*others, Contact(name, target)], key=lambda c: c.name.lower()))
        self.on_contacts(f"contact {name}: {target}")

    def remove(self, name: str) -> None:
        """Forget somebody.

        :raises Failure: there is none of this name, or the file cannot be written.
        """
        others = [contact for contact in self.contacts if contact.name.lower() != name.lower()]
        if len(others) == len(self.contacts):
            there = ", ".join(contact.name for contact in self.contacts) or "none yet"
            raise Failure(f"no contact {name!r}; there are: {there}", ExitCode.USAGE)
        self._save_contacts(others)
        self.on_contacts(f"contact {name} forgotten")

    def target_of(self, text: str) -> str:
        """What to dial for `text`: the target of the contact of that name, or `text` itself."""
        for contact in self.contacts:
            if contact.name.lower() == text.strip().lower():
                return contact.target
        return text.strip()

    def name_of(self, uri: str, domains: Sequence[str] = ()) -> str | None:
        """The contact who has this address; at one of our own `domains`, its user part will do."""
        user, _, domain = uri.partition(":")[2].partition("@")
        targets = (uri, user) if domain in domains else (uri,)
        return next((contact.name for contact in self.contacts if contact.target in targets), None)

    def suggestions(self) -> list[str]:
        """What the dial field may complete: contacts, then who was talked to, the latest first."""
        seen = dict.fromkeys(contact.name for contact in self.contacts)
        seen |= dict.fromkeys(entry.remote for entry in reversed(self.history))
        return list(seen)

    def _load_contacts(self) -> None:
        text = self._read("contacts.json")
        if not text:
            return
        try:
            found = json.loads(text)
            self.contacts = [_contact(entry) for entry in found]
        except (ValueError, TypeError, KeyError) as error:
            line = f":{error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
            self._spoil(
                "contacts.json", f'{line}: not a list of {{"name": …, "target": …}}; mend or remove it'
            )

    def _save_contacts(self, contacts: list[Contact]) -> None:
        if self._directory is not None:
            path = self._directory / "contacts.json"
            if path.name in self._spoilt:
                raise Failure(f"{path}: cannot be read, so it is not written; mend or remove it")
            text = json.dumps([asdict(contact) for contact in contacts], ensure_ascii=False, indent=1)
            try:
                _replace(path, text + "\n")
            except OSError as error:
                raise Failure(f"{path}: {file_trouble(error)}") from None
        self.contacts = contacts

    # --- history ------------------------------------------------------------------------------------------

    def note(self, entry: HistoryEntry) -> None:
        """Add a call that is over."""
        self.history.append(entry)
        del self.history[:-KEPT]
        self.on_history(entry)
        if self._directory is None or "history.jsonl" in self._spoilt:
            return
        path = self._directory / "history.jsonl"
        try:
            path.parent.mkdir(0o700, parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as file:
                file.write(_line(entry))
        except OSError as error:
            self._spoil("history.jsonl", f": {error.strerror or error}; calls are not noted there any more")

    def _load_history(self) -> None:
        lines = self._read("history.jsonl").splitlines()
        wrong = []
        for number, line in enumerate(lines, 1):
            try:
                self.history.append(_entry(json.loads(line)))
            except (ValueError, TypeError, KeyError):
                wrong.append(number)
        if wrong:
            self._notice(f"{self._directory}/history.jsonl:{wrong[0]}: not an entry; it is left out")
        del self.history[:-KEPT]
        if len(lines) > 2 * KEPT and self._directory is not None:
            try:
                _replace(self._directory / "history.jsonl", "".join(map(_line, self.history)))
            except OSError:
                pass  # it stays as long as it is

    # --- files --------------------------------------------------------------------------------------------

    def _read(self, name: str) -> str:
        if self._directory is None:
            return ""
        try:
            return (self._directory / name).read_text("utf-8")
        except FileNotFoundError:
            return ""
        except UnicodeDecodeError:
            self._spoil(name, ": not UTF-8; mend or remove it")
        except OSError as error:
            self._spoil(name, f": {error.strerror or error}")
        return ""

    def _spoil(self, name: str, why: str) -> None:
        self._spoilt.add(name)
        self._notice(f"{self._directory}/{name}{why}")


def _contact(found: Any) -> Contact:
    name, target = found["name"], found["target"]
    if not (isinstance(name, str) and name.strip() and isinstance(target, str) and target.strip()):
        raise ValueError
    return Contact(name, target)


def _entry(found: Any) -> HistoryEntry:
    direction: Literal["incoming", "outgoing"] = (
        "incoming" if found["direction"] == "incoming" else "outgoing"
    )
    return HistoryEntry(
        str(found["time"]),
        direction,
        str(found["remote"]),
        str(found["account"]),
        float(found["seconds"]),
        str(found["outcome"]),
    )


def _line(entry: HistoryEntry) -> str:
    return json.dumps(asdict(entry), ensure_ascii=False) + "\n"


def _replace(path: Path, text: str) -> None:
    """Write a file so that it is never half there."""
    path.parent.mkdir(0o700, parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)
