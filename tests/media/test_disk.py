"""Threads that write: batches, disks that are slow, full or hang."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from itertools import chain

import pytest

from sipua.media.disk import DiskQueue, all_closed
from tests.media.calls import until


class Disk:
    """Takes batches when its gate is open."""

    def __init__(self, *, open: bool = True, fails: bool = False) -> None:
        self.gate = threading.Event()
        if open:
            self.gate.set()
        self.fails = fails
        self.batches: list[list[int]] = []
        self.threads: set[str] = set()
        self.lasts = 0
        self.errors: list[BaseException] = []

    def queue(self) -> DiskQueue[int]:
        return DiskQueue("x.wav", self.write, self.errors.append)

    def write(self, items: list[int], /, *, last: bool = False) -> None:
        assert self.gate.wait(5)
        self.threads.add(threading.current_thread().name)
        if self.fails:
            raise OSError(28, "No space left on device")
        self.batches.append(items)
        self.lasts += last


async def test_what_is_put_is_written_in_order_by_half_a_second() -> None:
    disk = Disk()
    queue = disk.queue()
    for number in range(24):
        queue.put(number)
    await asyncio.sleep(1)
    assert disk.batches == []
    queue.put(24)
    await until(lambda: len(disk.batches) == 1)
    queue.put(25)
    queue.end()
    queue.end()
    queue.put(26)
    await queue.wait_closed()
    assert disk.batches == [list(range(25)), [25]]
    assert (disk.lasts, disk.errors, queue.closed) == (1, [], True)
    assert all(name.startswith("sipua recording") for name in disk.threads)


async def test_a_queue_that_ends_empty_closes_its_file() -> None:
    disk = Disk()
    queue = disk.queue()
    queue.end()
    await queue.wait_closed()
    assert (disk.batches, disk.lasts) == ([[]], 1)


async def test_the_end_while_the_disk_is_busy() -> None:
    disk = Disk(open=False)
    queue = disk.queue()
    for number in range(60):
        queue.put(number)
    queue.end()
    assert not queue.closed
    disk.gate.set()
    await queue.wait_closed()
    assert disk.batches == [list(range(25)), list(range(25, 60))]
    assert disk.lasts == 1


async def test_an_error_is_told_once_and_ends_it() -> None:
    disk = Disk(fails=True)
    queue = disk.queue()
    for number in range(60):
        queue.put(number)
    await queue.wait_closed()
    queue.end()
    queue.put(1)
    await asyncio.sleep(1)
    assert [str(error) for error in disk.errors] == ["[Errno 28] No space left on device"]
    assert disk.batches == []


async def test_a_minute_is_the_most_that_waits() -> None:
    disk = Disk(open=False)
    queue = disk.queue()
    for number in range(3025):
        queue.put(number)
    assert disk.errors == []
    for number in range(10000):  # time that was missing
        queue.put(number, weight=0)
    assert disk.errors == []
    queue.put(1)
    assert "not taken anything for a minute" in str(disk.errors)
    for number in range(100):
        queue.put(number)
    disk.gate.set()
    await queue.wait_closed()
    assert len(disk.errors) == 1
    assert disk.batches == [list(range(25)), []]
    assert disk.lasts == 1


@pytest.mark.parametrize("busy", [True, False])
async def test_finishing_without_the_loop(busy: bool) -> None:
    disk = Disk(open=not busy)
    queue = disk.queue()
    for number in range(25 if busy else 3):
        queue.put(number)
    if busy:
        queue.put(25)
        threading.Timer(0.05, disk.gate.set).start()
    queue.finish(5.0)
    assert disk.lasts == 1
    assert list(chain(*disk.batches)) == list(range(26 if busy else 3))
    queue.finish(5.0)
    await queue.wait_closed()
    assert disk.lasts == 1


async def test_finishing_waits_no_longer_than_it_should() -> None:
    disk = Disk(open=False)
    queue = disk.queue()
    queue.put(1)
    queue.finish(0.05)
    assert not queue.closed
    disk.gate.set()
    await asyncio.to_thread(lambda: queue.finish(5.0))


def test_a_loop_that_is_gone() -> None:
    disk = Disk()

    async def main() -> DiskQueue[int]:
        return disk.queue()

    queue = asyncio.run(main())
    queue.put(1)
    queue.end()
    queue.finish(5.0)
    assert (disk.batches, disk.lasts) == ([[1]], 1)


@pytest.mark.realtime
async def test_the_end_of_a_call_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sipua.media.disk.DISK_TIMEOUT", 0.05)
    disk, other = Disk(open=False), Disk()
    queues = disk.queue(), other.queue()
    for queue in queues:
        queue.end()
    await queues[1].wait_closed()
    await all_closed(queues)
    assert (queues[0].closed, queues[1].closed) == (False, True)
    disk.gate.set()
    await queues[0].wait_closed()
    await all_closed(queues)
    await all_closed(())


HANGS = """
import asyncio, os, sys, threading
from sipua.media import disk
from sipua.media.port import CallAudio

disk.DISK_TIMEOUT = 0.3

async def main():
    port = CallAudio(print, lambda: 0.0)
    port.record(sys.argv[1]) if sys.argv[2] == "record" else port.add_sink(sys.argv[1])
    os.pwrite = lambda *_: threading.Event().wait()
    for _ in range(60):
        port.heard(bytes(320), 8000)
        port.said(bytes(320), 8000)
    port.close()
    await port.wait_recorded()
    print("over", flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize("way", ["record", "sink"])
def test_a_disk_that_hangs_lets_the_process_end(way: str, tmp_path: object) -> None:
    path = f"{tmp_path}/x.wav"
    done = subprocess.run(
        [sys.executable, "-c", HANGS, path, way], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout == "over\n"
    assert done.stderr == f"{path}: the disk does not take the end of it (waited 0.3 s)\n"
