"""Accounts from mappings and files; what is wrong with them is named, but for the password."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sipua import ConfigurationError
from sipua.server import Account, load_accounts
from sipua.server.accounts import check_accounts, check_algorithms

if TYPE_CHECKING:
    from pathlib import Path


def test_mapping() -> None:
    special = Account("b", algorithms=("MD5",))
    assert check_accounts({"alice": "a", "bob": special}) == {"alice": Account("a"), "bob": special}


def test_passwords_are_not_shown() -> None:
    assert "tell-no-one" not in repr(Account("tell-no-one"))


@pytest.mark.parametrize(
    ("accounts", "why"),
    [
        ({"": "x"}, "not a user name"),
        ({"a b": "x"}, "not a user name"),
        ({"a@b": "x"}, "not a user name"),
        ({7: "x"}, "not a user name"),
        ({"alice": ""}, "needs a password"),
        ({"alice": None}, "needs a password"),
        ({"alice": "hunter2\n"}, "control character"),
        ({"alice": Account("x", algorithms=("ROT13",))}, "ROT13"),
        ({"alice": Account("x", algorithms=())}, "at least one"),
    ],
)
def test_wrong_mappings(accounts: dict[Any, Any], why: str) -> None:
    with pytest.raises(ConfigurationError, match=why) as caught:
        check_accounts(accounts)
    assert "hunter2" not in str(caught.value)


def test_algorithms() -> None:
    assert check_algorithms(("MD5", "SHA-256")) == ("MD5", "SHA-256")


def write(path: Path, content: str | bytes) -> Path:
    file = path / "accounts"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def test_file(tmp_path: Path) -> None:
    content = "\ufeff# who may call\r\nalice:wonderland\r\n\r\n  bob : with:colons and spaces  \n#carol:no\n+1-555:ü\n"
    assert load_accounts(write(tmp_path, content)) == {
        "alice": "wonderland",
        "bob": "with:colons and spaces",
        "+1-555": "ü",
    }


@pytest.mark.parametrize(
    ("content", "place", "why"),
    [
        ("alice:a\nhunter2\n", ":2", "no colon"),
        ("alice:a\n\n:hunter2\n", ":3", "not a user name"),
        ("alice:\n", ":1", "needs a password"),
        ("alice:a\nbob:b\nalice:c\n", ":3", "alice is there twice"),
        ("# nobody\n", "", "no account in it"),
        (b"alice:a\nbob:\xff\n", ":2", "not UTF-8"),
        ("alice:hunter2\x07\n", ":1", "control character"),
    ],
    ids=["no colon", "no user", "no password", "twice", "empty", "encoding", "control"],
)
def test_wrong_files(tmp_path: Path, content: str | bytes, place: str, why: str) -> None:
    file = write(tmp_path, content)
    with pytest.raises(ConfigurationError, match=why) as caught:
        load_accounts(file)
    assert f"{file}{place}'" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        load_accounts(tmp_path / "nowhere")
    with pytest.raises(ConfigurationError, match="directory"):
        load_accounts(tmp_path)
