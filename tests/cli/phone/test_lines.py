from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from sipua.cli.exits import Failure
from sipua.cli.phone.lines import LIMIT, read_lines

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.realtime


async def lines_of(descriptor: int) -> list[str]:
    return [line async for line in read_lines(descriptor)]


async def test_a_pipe() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"one\r\n\ntwo\xff\nthree")
    os.close(writer)
    assert await lines_of(reader) == ["one", "", "two�", "three"]
    os.close(reader)


async def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "commands"
    path.write_text("dial 600\nquit\n" + "x" * 3 * LIMIT + "\n")
    descriptor = os.open(path, os.O_RDONLY)
    with pytest.raises(Failure, match="a line of more than 65536 bytes"):
        await lines_of(descriptor)
    os.close(descriptor)
    path.write_text("dial 600\nquit\n")
    descriptor = os.open(path, os.O_RDONLY)
    assert await lines_of(descriptor) == ["dial 600", "quit"]
    os.close(descriptor)
