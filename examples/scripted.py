"""Test a voice menu from Python, by a script. See docs/scripts.md.

python -m examples.scripted ws://127.0.0.1:8080/
"""

import asyncio
import datetime
import sys
from pathlib import Path

from sipua import UA
from sipua.script import load_script, run_script, write_junit

SCRIPT = Path(__file__).parent / "scripts" / "menu.txt"


async def main(url: str) -> None:
    script = load_script(SCRIPT)
    script.check("outgoing")
    started = datetime.datetime.now(datetime.UTC)
    async with UA("sip:alice@localhost", sockets=url, password="secret", register=False) as ua:
        call = ua.call("603", **script.media_options)
        outcome = await run_script(
            script, call, on_step=lambda result: print(f"{result.verdict}  {result.step.text}")
        )
        if not call.is_ended():
            await call.terminate()
    write_junit(Path("menu.xml"), [outcome], started=started)
    print(outcome.count("passed"), "steps passed")
    if not outcome.passed:
        sys.exit(str(outcome))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
