from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipua.cli.exits import ExitCode, Failure, one_line
from sipua.cli.passwords import exposed
from sipua.cli.settings import find_line, load_settings, parse_settings, settings_path
from sipua.cli.settings_file import (
    TEMPLATE,
    hidden,
    save,
    way_of,
    with_account,
    with_default,
    without_account,
)

PATH = Path("/home/alice/.config/sipua/config.toml")
GOOD = """\
# mine
account = "home"

[accounts.work]
uri = "sip:alice@example.com"
server = ["wss://a/ws", "wss://b/ws"]
password_env = "PW"

[accounts."home"] # at home
uri = "sip:bob@localhost"
server = "ws://localhost/"
password_keyring = true
"""


def test_accounts() -> None:
    settings = parse_settings(GOOD, PATH)
    assert list(settings.accounts) == ["work", "home"]
    assert settings.default == "home"
    assert settings.account("work")["server"] == ["wss://a/ws", "wss://b/ws"]


def test_default_is_the_only_account() -> None:
    one = '[accounts.a]\nuri = "sip:a@b"\nserver = "ws://h/"\n'
    assert parse_settings(one, PATH).default == "a"
    assert parse_settings(one + one.replace(".a]", ".b]"), PATH).default is None
    assert parse_settings("", PATH).default is None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("account = \n", ":1:11: not TOML: Invalid value"),
        ("[accounts", ":1:10: not TOML: Expected ']' at the end of a table declaration"),
        ('acount = "x"\n', ":1: acount: no such key; did you mean account?"),
        ("zzz = 1\n", ":1: zzz: no such key; there are account, accounts"),
        ("accounts = 1\n", ":1: accounts: not a table; it looks like [accounts]"),
        ("[accounts]\nwork = 1\n", ":2: accounts.work: not a table; it looks like [accounts.work]"),
        ('[accounts.a]\nuri = "sip:a@b"\n', ':1: accounts.a: server is missing; add server = "wss://'),
        (GOOD + "\ninsecure = 1\n", ":14: accounts.home.insecure: has to be true or false"),
        (GOOD + "sever = 1\n", ":13: accounts.home.sever: no such key; did you mean server?"),
        (
            GOOD + 'password = "x"\n',
            ":12: accounts.home.password_keyring: there is password as well; keep one",
        ),
        (GOOD + "expires = -1\n", ":13: accounts.home.expires: has to be a number above 0"),
        (GOOD.replace('"wss://b/ws"', "1"), ":6: accounts.work.server: has to be a text or a list of texts"),
        (GOOD.replace('= "home"', '= "nobody"'), ":2: account: no account 'nobody'; there are: work, home"),
    ],
)
def test_what_is_wrong_is_named_with_its_position(text: str, complaint: str) -> None:
    with pytest.raises(Failure) as failure:
        parse_settings(text, PATH)
    assert str(failure.value).startswith(f"{PATH}{complaint}")
    assert failure.value.code is ExitCode.USAGE


def test_account_that_is_not_there() -> None:
    settings = parse_settings(GOOD, PATH)
    with pytest.raises(Failure, match=r"--account wrk: no such account in .*; did you mean work\?"):
        settings.account("wrk")
    with pytest.raises(Failure, match=r"there are work, home; sipua config add makes one"):
        settings.account("zzz")
    with pytest.raises(Failure, match="there is none yet"):
        parse_settings("", PATH).account("zzz")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    assert load_settings(tmp_path / "none").accounts == {}
    with pytest.raises(Failure, match="Is a directory"):
        load_settings(tmp_path)
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b'account = "\xe4"\n')
    with pytest.raises(Failure, match="byte 11 is not UTF-8"):
        load_settings(latin)


def test_where_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SIPUA_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert settings_path().parts[-2:] == ("sipua", "config.toml")
    assert tmp_path in settings_path().parents
    monkeypatch.setenv("SIPUA_CONFIG", "~/x.toml")
    assert settings_path() == tmp_path / "x.toml"


@given(st.data())
def test_whatever_the_file_says_it_is_read_or_refused_in_one_line(data: st.DataObject) -> None:
    """Anything at all, and good files in which something was overwritten."""
    text = data.draw(st.text())
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(GOOD))] * 2)))
    for given_text in (text, GOOD[:start] + text + GOOD[end:]):
        try:
            settings = parse_settings(given_text, PATH)
        except Failure as failure:
            assert one_line(failure).startswith(f"{PATH}:")  # noqa: PT017 - it need not fail
        else:
            for name in settings.accounts:
                assert settings.account(name)["uri"]


def test_find_line() -> None:
    text = 'a = 1\n[t]\n"b c" = 1\nd.e = 2\n[t.u]\n'
    assert find_line(text, ("a",)) == 1
    assert find_line(text, ("t", "b c")) == 3
    assert find_line(text, ("t", "d", "e")) == 4
    assert find_line(text, ("t", "u", "missing")) == 5
    assert find_line(text, ("z",)) is None


# --- writing ----------------------------------------------------------------------------------------------------------

KEYS = {"uri": "sip:a@b", "server": "ws://h/"}


def test_writing_keeps_what_people_wrote() -> None:
    settings = parse_settings(GOOD, PATH)
    more = with_account(settings, "new", {**KEYS, "server": ["ws://h/", "ws://i/"]}, default=True)
    assert more.text.startswith('# mine\naccount = "new"\n')
    assert '[accounts."home"] # at home\n' in more.text
    assert more.account("new")["server"] == ["ws://h/", "ws://i/"]
    assert more.default == "new"
    less = without_account(more, "new")
    assert less.default is None
    assert list(less.accounts) == ["work", "home"]
    with pytest.raises(Failure, match=r"accounts\.new\.expires: has to be a number above 0"):
        with_account(settings, "new", {**KEYS, "expires": 0}, default=False)


def test_default_is_put_before_the_tables() -> None:
    settings = with_account(parse_settings(TEMPLATE, PATH), "a", KEYS, default=False)
    settings = with_account(settings, "b", KEYS, default=False)
    changed = with_default(settings, "b")
    assert changed.default == "b"
    assert changed.text.index('account = "b"') < changed.text.index("[accounts.a]")
    assert re.sub(r'account = "b"\n\n', "", changed.text) == settings.text
    commented = parse_settings('# about a\n[accounts.a]\nuri = "sip:a@b"\nserver = "ws://h/"\n', PATH)
    assert with_default(commented, "a").text.startswith('account = "a"\n\n# about a\n[accounts.a]\n')


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1).filter(str.strip)


@given(st.dictionaries(st.from_regex(r"[a-z][a-z0-9_-]{0,8}", fullmatch=True), TEXTS, min_size=1, max_size=4))
def test_what_is_written_is_read_again(accounts: dict[str, str]) -> None:
    settings = parse_settings("", PATH)
    for name, text in accounts.items():
        settings = with_account(settings, name, {**KEYS, "display_name": text}, default=True)
    assert {name: account["display_name"] for name, account in settings.accounts.items()} == accounts
    assert settings.default == list(accounts)[-1]
    for name in accounts:
        settings = without_account(settings, name)
    assert settings.accounts == {}


def test_save(tmp_path: Path) -> None:
    real, link = tmp_path / "real.toml", tmp_path / "a" / "link.toml"
    link.parent.mkdir()
    link.symlink_to(real)
    save(parse_settings(GOOD, link))
    assert link.is_symlink()
    assert real.read_text() == GOOD
    assert real.stat().st_mode & 0o777 == 0o600
    assert not exposed(real)
    real.chmod(0o644)
    assert exposed(real)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "real.toml"]
    (tmp_path / "file").write_text("")
    with pytest.raises(Failure, match="cannot be written: "):
        save(parse_settings(GOOD, tmp_path / "file" / "config.toml"))


def test_secrets() -> None:
    assert hidden({"uri": "x", "password": "s", "ice_password": "t"}) == {
        "uri": "x",
        "password": "[hidden]",
        "ice_password": "[hidden]",
    }
    assert way_of({"password": "x"}) == "text"
    assert way_of({"password_env": "x"}) == "env"
    assert way_of({"password_prompt": False}) == "none"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            '\n[account.a]\nuri = "sip:a@b"\n',
            "config.toml:2: account: is no table; an account looks like [accounts.a]",
        ),
        ("[account]\n", "config.toml:1: account: is no table; an account looks like [accounts.work]"),
    ],
)
def test_a_table_with_the_name_of_a_key(text: str, complaint: str) -> None:
    with pytest.raises(Failure) as failure:
        parse_settings(text, PATH)
    assert str(failure.value).endswith(complaint)
