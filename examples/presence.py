"""Presence: alice says how she can be reached, bob watches her.

python -m examples.presence ws://127.0.0.1:8080/      (alice, password secret, and bob, password secret)
"""

import asyncio
import sys

from sipua import UA, Notifier
from sipua.bodies import Presence, PresenceTuple
from sipua.events import NewSubscribe

ALICE = "sip:alice@example.com"


def state(activity: str = "") -> Presence:
    phone = PresenceTuple("phone", "closed" if activity else "open")
    return Presence(ALICE, (phone,), activities=(activity,) if activity else ())


async def watch(bob: UA) -> None:
    async with bob.subscribe(
        "alice", "presence"
    ) as subscriber:  # entered with the first NOTIFY, left with a goodbye
        async for notification in subscriber:
            presence = notification.content
            if isinstance(presence, Presence):
                print("alice is", "there" if presence.is_open else ", ".join(presence.activities) or "away")


async def main(url: str) -> None:
    async with (
        UA(ALICE, sockets=url, password="secret", allow_events=["presence"]) as alice,
        UA("sip:bob@example.com", sockets=url, password="secret") as bob,
    ):
        watchers: list[Notifier] = []

        def subscribed(event: NewSubscribe) -> None:
            watchers.append(alice.notify(event.subscribe, body=state()))  # or event.subscribe.reject(403)

        alice.on("new_subscribe", subscribed)
        watching = asyncio.create_task(watch(bob))
        for activity in ("on-the-phone", "meeting", ""):
            await asyncio.sleep(0.5)
            for watcher in watchers:
                if watcher.state != "terminated":
                    await watcher.notify(state(activity))
        for watcher in watchers:
            await watcher.terminate(reason="noresource")
        await watching


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
