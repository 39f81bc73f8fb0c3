"""What can go wrong with a call, and how a program is told.

python -m examples.failures ws://127.0.0.1:8080/      (alice, password secret)
"""

import asyncio
import sys

from sipua import UA, CallBusy, CallFailed, CallNotFound, CallTimeout, InvalidStateError, SignallingOnlyMedia


async def dial(ua: UA, target: str) -> None:
    try:
        async with ua.call(target, no_answer_timeout=1):
            print(f"{target} answered")
    except CallBusy:
        print(f"{target} is busy")
    except CallNotFound:
        print(f"{target} does not exist")
    except CallTimeout as error:
        print(f"{target} does not answer: {error.cause}")
    except CallFailed as error:  # every other reason; .response is the whole answer
        print(f"{target}: {type(error).__name__}, {error.cause}, {error.status_code}")


async def main(url: str) -> None:
    async with UA("sip:alice@example.com", sockets=url, password="secret", media=SignallingOnlyMedia) as ua:
        for target in ("610", "612", "608", "611", "613", "600"):
            await dial(ua, target)

        call = ua.call("610")
        call.on("failed", lambda event: print(f"event: {event.originator}, {event.cause}"))
        await call.wait_ended()
        try:
            call.hold()
        except InvalidStateError as error:  # what makes no sense is refused at the call
            print(error)
        try:
            ua.call("sip:not a number@")
        except ValueError as error:
            print(type(error).__name__)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
