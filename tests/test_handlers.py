"""Every event that there is: its handlers may be coroutine functions, and what they raise stops nothing."""

from __future__ import annotations

import asyncio
import importlib
import logging
import pkgutil

import pytest

import sipua
from sipua.emitter import Emitter

# Locust puts gevent in the place of the standard library's sockets and locks, for the whole process.
UNWANTED = ("sipua.__main__", "sipua.load.locust")


def emitters() -> list[type[Emitter]]:
    """Every class that has events."""
    for module in pkgutil.walk_packages(sipua.__path__, "sipua."):
        if not module.name.endswith(UNWANTED):
            importlib.import_module(module.name)
    found: list[type[Emitter]] = []
    waiting = [Emitter]
    while waiting:
        for kind in waiting.pop().__subclasses__():
            waiting.append(kind)
            if kind.event_names and kind.__module__.startswith("sipua.") and kind not in found:
                found.append(kind)
    return sorted(found, key=lambda kind: kind.__qualname__)


EVENTS = [(kind, name) for kind in emitters() for name in sorted(kind.event_names)]


def test_the_table_is_whole() -> None:
    kinds = {kind.__name__ for kind, _ in EVENTS}
    assert {"UA", "RTCSession", "ReferSubscriber", "Subscriber", "Notifier", "Publication"} <= kinds
    assert len(EVENTS) >= 60


@pytest.mark.parametrize(("kind", "name"), EVENTS, ids=lambda value: getattr(value, "__name__", value))
async def test_handlers_of(kind: type[Emitter], name: str, caplog: pytest.LogCaptureFixture) -> None:
    class Source(Emitter):
        event_names = kind.event_names

        def __str__(self) -> str:
            return "the source"

    source = Source()
    order: list[str] = []
    payload = object()

    def plain(event: object) -> None:
        assert event is payload
        order.append("plain")

    async def coroutine(event: object) -> None:
        assert event is payload
        order.append("begins")
        await asyncio.sleep(1)
        order.append("ends")

    async def fails(event: object) -> None:
        raise RuntimeError("a coroutine")

    def raises(event: object) -> None:
        raise RuntimeError("a function")

    for handler in (raises, fails, coroutine, plain):
        source.on(name, handler)
    source.once(name, coroutine)
    with caplog.at_level(logging.ERROR, "sipua"):
        source.emit(name, payload)
        assert order == ["plain"]
        await asyncio.sleep(2)
        assert order == ["plain", "begins", "begins", "ends", "ends"]
        await source.emit_and_wait(name, payload)
        assert order[5:] == ["plain", "begins", "ends"]
        source.emit_then(name, payload, lambda: order.append("then"))
        await asyncio.sleep(2)
        assert order[8:] == ["plain", "begins", "ends", "then"]
    assert sum("the source" in record.message for record in caplog.records) == 6
    source.off(name, coroutine)
    source.emit(name, payload)
    await asyncio.sleep(2)
    assert order[12:] == ["plain"]
