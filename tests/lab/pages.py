"""A page in headless Chromium, driven over its DevTools protocol: for pages that are no phones.

::

    async with Page(Path("page.html"), tmp_path) as page:
        await page.click("[data-step='3']")
        assert await page.evaluate("document.title") == "…"
"""

from __future__ import annotations

import asyncio
import base64
import json
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Self

from websockets.asyncio.client import ClientConnection, connect

from tests.lab.browsers import CHROMIUM

if TYPE_CHECKING:
    from pathlib import Path

LIMIT = 20.0
"""Seconds for anything that the browser is asked."""

NAME = "chromium"


def lacking() -> str | None:
    """What is not installed; None when pages can be opened."""
    return None if CHROMIUM.exists() else f"there is no {CHROMIUM}"


class Page:
    """An async context manager: inside, the file is open in a browser of its own, without any network."""

    def __init__(self, file: Path, folder: Path, *, width: int = 1400, height: int = 1000) -> None:
        self.console: list[str] = []
        """Errors of the page, and what it wrote to the console."""
        self.requested: list[str] = []
        """What it loaded: its own address, and nothing else if it is self-contained."""
        self._url = file.resolve().as_uri()
        self._folder = folder / "chromium"
        self._size = f"--window-size={width},{height}"
        self._orders: dict[int, asyncio.Future[Any]] = {}
        self._loaded = asyncio.Event()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            process = await asyncio.create_subprocess_exec(
                str(CHROMIUM),
                *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"),
                *(f"--user-data-dir={self._folder}", "--remote-debugging-port=0", self._size, "about:blank"),
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
            stack.push_async_callback(_end, process)
            self._ws = await stack.enter_async_context(connect(await self._address(), max_size=None))
            reading = asyncio.ensure_future(self._read(self._ws))
            stack.callback(reading.cancel)
            await self._open()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._stack.aclose()

    async def _address(self) -> str:
        """Of the browser's DevTools."""
        port = self._folder / "DevToolsActivePort"
        async with asyncio.timeout(LIMIT):
            while not port.exists() or len(lines := port.read_text().split("\n")) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        return f"ws://127.0.0.1:{lines[0]}{lines[1]}"

    async def _open(self) -> None:
        self._session: str | None = None
        targets = await self._do("Target.getTargets")
        (page,) = [target for target in targets["targetInfos"] if target["type"] == "page"]
        attached = await self._do("Target.attachToTarget", targetId=page["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self._do(f"{domain}.enable")
        await self._do("Page.navigate", url=self._url)
        async with asyncio.timeout(LIMIT):
            await self._loaded.wait()

    async def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        answer = await self._do(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def click(self, selector: str) -> None:
        """Click into the middle of an element, with the mouse."""
        found = json.dumps(selector)
        x, y = await self.evaluate(
            f"(() => {{ const e = document.querySelector({found}); e.scrollIntoView({{block: 'center'}});"
            "const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        await self.move(x, y)
        for kind in ("mousePressed", "mouseReleased"):
            await self._do("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    async def move(self, x: float, y: float) -> None:
        """Move the mouse there."""
        await self._do("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    async def press(self, key: str) -> None:
        """Press a key, such as ``ArrowDown``."""
        for kind in ("keyDown", "keyUp"):
            await self._do("Input.dispatchKeyEvent", type=kind, key=key, code=key)

    async def dark(self) -> None:
        """Prefer dark colours from now on."""
        await self._do(
            "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}]
        )

    async def picture(self, path: Path, *, whole: bool = False) -> None:
        """A PNG of what is to be seen, or of the `whole` page."""
        answer = await self._do("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        picture = base64.b64decode(answer["data"])
        await asyncio.to_thread(path.write_bytes, picture)

    async def _do(self, method: str, **params: Any) -> Any:
        number = len(self._orders) + 1
        self._orders[number] = done = asyncio.get_running_loop().create_future()
        order: dict[str, Any] = {"id": number, "method": method, "params": params}
        if self._session is not None:
            order["sessionId"] = self._session
        await self._ws.send(json.dumps(order))
        async with asyncio.timeout(LIMIT):
            return await done

    async def _read(self, ws: ClientConnection) -> None:
        async for text in ws:
            told = json.loads(text)
            if "id" in told:
                done = self._orders[told["id"]]
                if "error" in told:
                    done.set_exception(AssertionError(f"Chromium: {told['error']}"))
                else:
                    done.set_result(told["result"])
            else:
                self._note(told["method"], told["params"])

    def _note(self, event: str, params: dict[str, Any]) -> None:
        if event == "Page.loadEventFired":
            self._loaded.set()
        elif event == "Network.requestWillBeSent":
            self.requested.append(params["request"]["url"])
        elif event == "Runtime.exceptionThrown":
            self.console.append(json.dumps(params["exceptionDetails"]))
        elif event == "Runtime.consoleAPICalled":
            self.console.append(json.dumps(params["args"]))
        elif event == "Log.entryAdded":
            self.console.append(params["entry"]["text"])


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), LIMIT)
    except TimeoutError:
        process.kill()
        await process.wait()
