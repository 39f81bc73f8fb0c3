"""Pictures of `sipua phone` for docs/images: real calls through the embedded server.   python -m docs.screenshots"""

from __future__ import annotations

import asyncio
import logging
import tempfile
from pathlib import Path

from sipua import UA
from sipua.cli.account import AccountOptions
from sipua.cli.phone.book import Book
from sipua.cli.phone.phone import Phone
from sipua.cli.phone.screen.app import PhoneApp
from sipua.cli.phone.sound import Sound, SoundOptions
from sipua.cli.phone.tracing import PhoneTrace
from sipua.server import Server

IMAGES = Path(__file__).parent / "images"
LOOPBACK = {"ice_host_addresses": ("127.0.0.1",)}
#: What is shown in the larger size, too.
LARGE = ("calls", "conference")
SPEECH = Path(__file__).parents[1] / "examples" / "audio" / "speech.wav"


def make_phone(server: Server, directory: Path, *users: str, **options: object) -> Phone:
    """A phone with these accounts; peers hear speech."""

    def make_ua(account: AccountOptions) -> UA:
        ua = UA(account.uri, sockets=server.url, password="secret")
        PhoneTrace(None, phone_bulletin).follow(ua)
        return ua

    from sipua.cli.phone.bulletin import Bulletin

    phone_bulletin = Bulletin()
    accounts = [
        AccountOptions(
            uri=f"sip:{user}@localhost", server=(server.url,), name=user, display_name=user.title()
        )
        for user in users
    ]
    return Phone(
        accounts,
        make_ua,
        bulletin=phone_bulletin,
        book=Book(directory / users[0], print),
        sound=Sound(SoundOptions(play=SPEECH, speaker=False)),
        record_directory=directory,
        media_options=LOOPBACK,
        **options,  # type: ignore[arg-type]
    )


async def picture(size: tuple[int, int], suffix: str, directory: Path) -> None:
    """All pictures of one size."""
    accounts = {"alice": "secret", "bob": "secret", "carol": "secret"}
    async with Server(accounts, media_options=LOOPBACK) as server:
        alice = make_phone(server, directory, "alice")
        bob = make_phone(server, directory, "bob", auto_answer=True)
        carol = make_phone(server, directory, "carol")
        for phone in (bob, carol):
            phone.start()
            await phone.settled()
        alice.book.add("Bob", "bob")
        alice.book.add("Echo test", "600")
        app = PhoneApp(alice)
        async with app.run_test(size=size) as pilot:
            await alice.settled()

            async def save(name: str) -> None:
                if suffix and name not in LARGE:
                    return
                app.show_now()
                await pilot.pause(0.3)
                app.save_screenshot(f"phone-{name}{suffix}.svg", path=str(IMAGES))

            await pilot.press("d", *"600", "enter")
            await asyncio.sleep(2)
            await pilot.press("1", "2")
            await pilot.press("d", *"Bo")
            await pilot.pause(0.2)
            await save("dial")
            await pilot.press("right", "enter")
            await asyncio.sleep(3)
            await pilot.press("r", "escape")
            carol.dial("alice")
            await asyncio.sleep(2)
            await save("calls")
            await pilot.press("f5")
            await save("trace")
            await pilot.press("f6")
            await asyncio.sleep(1.2)
            await save("stats")
            await pilot.press("f1", "escape", "t")
            await save("transfer")
            await pilot.press("escape", "k", "1", "2", "3")
            await save("keypad")
            await pilot.press("escape", "question_mark")
            await save("help")
            await pilot.press("escape", "a")
            await asyncio.sleep(1)
            await pilot.press("c")
            bob.messages.send("alice", "shall we begin?")
            alice.messages.send("bob", "yes")
            await asyncio.sleep(2)
            await pilot.press("f4")
            await save("conference")
            for call in tuple(alice.calls):
                alice.hang_up(call.number)
            await asyncio.sleep(1)
            await pilot.press("f2")
            await save("history")
        for phone in (alice, bob, carol):
            await phone.stop()


async def main() -> None:
    """Make them all."""
    logging.getLogger("sipua").setLevel(logging.ERROR)
    IMAGES.mkdir(exist_ok=True)
    for size, suffix in (((80, 24), ""), ((120, 40), "-large")):
        with tempfile.TemporaryDirectory() as directory:
            await picture(size, suffix, Path(directory))


if __name__ == "__main__":
    asyncio.run(main())
