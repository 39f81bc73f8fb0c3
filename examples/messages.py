"""Messages and questions outside of calls: alice writes to bob, bob answers, and both ask who is there.

python -m examples.messages ws://127.0.0.1:8080/      (alice and bob, password secret)
"""

import asyncio
import sys

from sipua import UA, RequestFailed
from sipua.events import NewMessage


def show(who: str, event: NewMessage) -> None:
    if event.originator == "remote":
        print(f"{who} reads from {event.message.remote_identity.uri.user}: {event.message.body}")


async def main(url: str) -> None:
    async with (
        UA("sip:alice@example.com", sockets=url, password="secret") as alice,
        UA("sip:bob@example.com", sockets=url, password="secret") as bob,
    ):
        alice.on("new_message", lambda event: show("alice", event))

        async def answer(event: NewMessage) -> None:  # it gets 200 when this has come to its end
            show("bob", event)
            if event.originator == "remote" and "spam" in event.message.body:
                event.message.reject(603)
            elif event.originator == "remote":
                await bob.send_message(event.message.remote_identity.uri, "I am here")

        bob.on("new_message", answer)

        response = await alice.send_message("bob", "are you there?")
        print(f"{response.code} {response.phrase}")
        for target, text in (("bob", "spam"), ("nobody", "hello?")):
            try:
                await alice.send_message(target, text, content_type="text/plain;charset=utf-8")
            except RequestFailed as error:
                print(f"{target}: {error.status_code}, {error.cause}")

        options = await alice.send_options("bob")
        print("bob can transfer calls:", "REFER" in (options.headers["Allow"] or ""))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
