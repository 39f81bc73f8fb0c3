"""The door of the media floor."""

from __future__ import annotations

import subprocess
import sys

from sipua.media import MediaOptions, SignallingOnlyMedia
from sipua.media.interface import DIRECTIONS, PCM_RATES, MediaStats


def loaded_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_interface_loads_no_media_library() -> None:
    heavy = {"aiortc", "aioice", "av", "numpy", "pylibsrtp", "cryptography"}
    assert not heavy & loaded_by("import sipua.media, sipua.media.sources, sipua.media.sinks")
    assert not heavy & loaded_by("import sipua")


def test_real_media_is_loaded_by_the_first_call_for_it() -> None:
    code = (
        "import asyncio, sipua.media as m\n"
        "async def main(): print(type(m.default_media_factory(m.MediaOptions())))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"{code}asyncio.run(main())"], capture_output=True, text=True, check=True
    )
    assert "RtcMedia" in done.stdout


def test_defaults() -> None:
    options = MediaOptions()
    assert options.direction == "sendrecv"
    assert options.ice_gathering_timeout == 3.0
    assert list(options.ice_servers) == []
    assert MediaStats().rtt is None
    assert set(DIRECTIONS) == {"sendrecv", "sendonly", "recvonly", "inactive"}
    assert PCM_RATES == (8000, 16000, 24000, 48000)


async def test_optional_hooks_do_nothing() -> None:
    session = SignallingOnlyMedia()
    session.check()
    await session.add_remote_candidate("candidate:1 1 udp 1 192.0.2.1 9 typ host")
    assert session.connection is None
