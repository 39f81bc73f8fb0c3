"""Another program uses the phone by remote control: it calls, sends digits, and waits until the call is over.

python -m examples.remote ws://127.0.0.1:8080/ [TARGET [DIGITS]]   (alice, password secret; 600 and 12 by default)
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from typing import Any


async def events(process: asyncio.subprocess.Process) -> AsyncIterator[dict[str, Any]]:
    """What the phone tells, as it comes."""
    assert process.stdout is not None
    async for line in process.stdout:
        yield json.loads(line)


async def main(url: str, target: str = "600", digits: str = "12") -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sipua", "phone", "--remote", "stdio", "--tone", "440"),
        *("--uri", "sip:alice@localhost", "--server", url),
        env={**os.environ, "SIPUA_PASSWORD": "secret"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )

    def tell(command: str, **arguments: Any) -> None:
        assert process.stdin is not None
        process.stdin.write(json.dumps({"command": command, **arguments}).encode() + b"\n")

    tell("dial", target=target, id="the call")
    async for event in events(process):
        match event["event"]:
            case "reply" if not event["ok"]:
                print(f"{event['command']}: {event['error']}")
                tell("quit")
            case "confirmed":
                print(f"answered, {event['codec']}")
                tell("dtmf", digits=digits)
            case "dtmf" if event["originator"] == "local":
                print(f"sent {event['tone']}")
                digits = digits[1:]
                if not digits:
                    tell("hangup")
            case "ended" | "failed":
                print(f"over: {event['cause']}")
                tell("quit")
    await process.wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
