from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from sipua import UA
from sipua.cli.account import AccountOptions
from sipua.cli.phone.phone import Phone
from sipua.cli.phone.sound import Sound, SoundOptions
from sipua.media import SignallingOnlyMedia
from tests.server.client import ACCOUNTS, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from sipua.cli.phone.bulletin import News
    from sipua.server import Server


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the phone keeps its files: nobody's own."""
    path = tmp_path / "data"
    monkeypatch.setenv("SIPUA_DATA", str(path))
    monkeypatch.delenv("SIPUA_REMOTE_TOKEN", raising=False)
    return path


class Told:
    """What a phone has told."""

    def __init__(self) -> None:
        self.news: list[News] = []

    def __call__(self, news: News) -> None:
        self.news.append(news)

    @property
    def lines(self) -> list[str]:
        """For people."""
        return [news.text for news in self.news if news.text is not None]

    def named(self, name: str) -> list[dict[str, Any]]:
        """The fields of all events of a name."""
        return [dict(news.fields) for news in self.news if news.name == name]


@asynccontextmanager
async def a_phone(server: Server, *users: str, **options: Any) -> AsyncIterator[tuple[Phone, Told]]:
    """A registered phone on simulated time, without media."""
    passwords = options.pop("passwords", ACCOUNTS)

    def make_ua(account: AccountOptions) -> UA:
        return UA(
            account.uri,
            sockets=server.connector(),
            password=passwords[account.name],
            media=SignallingOnlyMedia,
        )

    accounts = [
        AccountOptions(uri=f"sip:{user}@example.com", server=("ws://localhost",), name=user) for user in users
    ]
    options.setdefault("sound", Sound(SoundOptions(microphone=False, speaker=False)))
    phone, told = Phone(accounts, make_ua, **options), Told()
    phone.bulletin.listen(told)
    phone.start()
    await phone.settled()
    try:
        yield phone, told
    finally:
        await phone.stop()


@pytest.fixture
def make_phone() -> Callable[..., Any]:
    return a_phone


@pytest.fixture
def make_server() -> Callable[..., Any]:
    return running
