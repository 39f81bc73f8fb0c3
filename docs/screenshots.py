"""Pictures of `sipua phone` for docs/images: real calls through the embedded server.   python -m docs.screenshots"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docs.pictures import PICTURES, Picture
from sipua import UA
from sipua.cli.account import AccountOptions
from sipua.cli.phone.book import Book
from sipua.cli.phone.bulletin import Bulletin
from sipua.cli.phone.phone import Phone
from sipua.cli.phone.screen.app import PhoneApp
from sipua.cli.phone.sound import Sound, SoundOptions
from sipua.cli.phone.tracing import PhoneTrace
from sipua.server import Server

if TYPE_CHECKING:
    from textual.pilot import Pilot

IMAGES = Path(__file__).parent / "images"
LOOPBACK = {"ice_host_addresses": ("127.0.0.1",)}
SPEECH = Path(__file__).parents[1] / "examples" / "audio" / "speech.wav"
#: Columns and lines of a small terminal and of a larger one.
SMALL, LARGE = (80, 24), (120, 40)


def make_phone(server: Server, directory: Path, *users: str, **options: Any) -> Phone:
    """A phone with these accounts; peers hear speech."""
    bulletin = Bulletin()

    def make_ua(account: AccountOptions) -> UA:
        ua = UA(account.uri, sockets=server.url, password="secret", display_name=account.display_name)
        PhoneTrace(None, bulletin).follow(ua)
        return ua

    accounts = [
        AccountOptions(
            uri=f"sip:{user}@localhost", server=(server.url,), name=user, display_name=user.title()
        )
        for user in users
    ]
    return Phone(
        accounts,
        make_ua,
        bulletin=bulletin,
        book=Book(directory / users[0], print),
        sound=Sound(SoundOptions(play=SPEECH, speaker=False)),
        media_options=LOOPBACK,
        **options,
    )


class Photographer:
    """Presses keys of a phone and saves what it shows. `missing` are the pictures that are not taken yet."""

    def __init__(self, app: PhoneApp, pilot: Pilot[None], *, large: bool) -> None:
        self._app, self._pilot, self._large = app, pilot, large
        self.missing = {name for name, picture in PICTURES.items() if picture.large or not large}

    async def press(self, *keys: str, wait: float = 0.3) -> None:
        """These keys, one after the other; then wait some seconds."""
        await self._pilot.press(*keys)
        await self._pilot.pause(wait)

    async def save(self, name: str) -> None:
        """The screen as it is now; not in the large size what has none."""
        self._app.show_now()
        await self._pilot.pause(0.3)
        if self._large and not PICTURES[name].large:
            return
        self._app.save_screenshot(Picture.file(name, large=self._large), path=str(IMAGES))
        self.missing.remove(name)


async def calls(take: Photographer, carol: Phone) -> None:
    """Two calls, a third that comes in, and what can be done with them."""
    await take.press("d", *"600", "enter", wait=2)
    await take.press("1", "2")
    await take.press("d", *"Bo")
    await take.save("dial")
    await take.press("right", "enter", wait=3)
    await take.press("r")
    carol.dial("alice")
    await asyncio.sleep(2)
    await take.save("calls")
    await take.press("f5")
    await take.save("trace")
    await take.press("up", "up", "enter")
    await take.save("sip")
    await take.press("escape", "f6", wait=1.2)
    await take.save("stats")
    await take.press("f1", "escape", "t")
    await take.save("transfer")
    await take.press("escape", "k", "1", "2", "3")
    await take.save("keypad")
    await take.press("escape", "v")
    await take.save("sound")
    await take.press("escape", "question_mark")
    await take.save("help")
    await take.press("escape")


async def conference(take: Photographer, alice: Phone, bob: Phone) -> None:
    """All of them talk to each other, and write."""
    await take.press("a", wait=1)
    await take.press("c")
    bob.messages.send("alice", "Shall we begin? The others are waiting in the room.")
    await asyncio.sleep(0.5)
    await take.press("s", *"Yes", "comma", "space", *"now")
    await take.save("message")
    await take.press("enter", "f4", wait=2)
    await take.save("conference")
    for call in tuple(alice.calls):
        alice.hang_up(call.number)
    await asyncio.sleep(1)


async def lists(take: Photographer, alice: Phone, carol: Phone) -> None:
    """What is left when the calls are over, one of them missed."""
    carol.dial("alice")
    await asyncio.sleep(1)
    carol.hang_up()
    await asyncio.sleep(0.5)
    for key, name in (("f3", "contacts"), ("f7", "accounts"), ("f2", "history")):
        await take.press(key)
        await take.save(name)


async def pictures(directory: Path, *, large: bool) -> None:
    """All pictures of one size."""
    accounts = dict.fromkeys(("alice", "support", "bob", "carol"), "secret")
    async with Server(accounts, media_options=LOOPBACK) as server:
        book = Book(directory / "alice", print)
        for name, target in (("Bob", "bob"), ("Echo test", "600"), ("Ann (Oslo)", "sip:ann@example.com")):
            book.add(name, target)
        alice = make_phone(server, directory, "alice", "support")
        bob = make_phone(server, directory, "bob", auto_answer=True)
        carol = make_phone(server, directory, "carol")
        for phone in (bob, carol):
            phone.start()
            await phone.settled()
        app = PhoneApp(alice)
        async with app.run_test(size=LARGE if large else SMALL) as pilot:
            await alice.settled()
            take = Photographer(app, pilot, large=large)
            await calls(take, carol)
            await conference(take, alice, bob)
            await lists(take, alice, carol)
            if take.missing:
                raise SystemExit(f"docs/pictures.py: not taken: {', '.join(sorted(take.missing))}")
        for phone in (alice, bob, carol):
            await phone.stop()


async def main() -> None:
    """Make them all."""
    logging.getLogger("sipua").setLevel(logging.ERROR)
    IMAGES.mkdir(exist_ok=True)
    for large in (False, True):
        with tempfile.TemporaryDirectory() as directory, contextlib.chdir(directory):
            await pictures(Path(directory), large=large)


if __name__ == "__main__":
    asyncio.run(main())
