"""Descriptions with something wrong in them: taken, or refused with a MediaError; and nothing is left of either."""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import re
from typing import TYPE_CHECKING, Any

import pytest

from sipua.errors import MediaError
from tests.media.calls import media
from tests.media.loopback import run_on_loopback

if TYPE_CHECKING:
    from collections.abc import Callable

    from sipua.media.rtc import RtcMedia

ODD = (
    *("-1", "0", "00", "65535", "65536", "4294967296", "9" * 20, "1e5", "٣", "²", "\0", "", "  ", " "),
    *("a" * 5000, "%", "nan", "inf", "0x10", "+5", "1.5", "\u2028", "é", "*", ";;=;", "IN IP4 0.0.0.0"),
)
ADDED = (
    *(
        "a=ptime:0",
        "a=ptime:-20",
        "a=ptime:99999999999",
        "a=maxptime:1",
        "b=AS:0",
        "b=AS:x",
        "b=TIAS:" + "9" * 20,
    ),
    *("a=rtpmap:0 PCMU/0", "a=rtpmap:8 PCMA/8000/99999", "a=fmtp:101 0-99999999999", "a=fmtp:101 5-3,,x-"),
    "a=fmtp:96 maxaveragebitrate=0;maxplaybackrate=-5;stereo=x;ptime=0;useinbandfec=9;cbr=",
    *(
        "c=IN IP4 0.0.0.0",
        "c=IN IP6 ::",
        "m=audio 0 RTP/AVP",
        "m=audio 9 UDP/TLS/RTP/SAVPF",
        "m=video 9 X 96 96",
    ),
    *(
        "a=mid:",
        "a=mid:0",
        "a=mid:1",
        "a=mid:" + "m" * 300,
        "a=group:BUNDLE 0 0 1 x",
        "a=rtcp-fb:",
        "a=rtcp-fb:* x",
    ),
    *("a=extmap:0 urn:x", "a=extmap:15 urn:x", "a=extmap:256 urn:ietf:params:rtp-hdrext:ssrc-audio-level"),
    *(
        "a=setup:holdconn",
        "a=setup:passive",
        "a=fingerprint:sha-256 00",
        "a=fingerprint:md5 x",
        "a=ice-ufrag:x",
    ),
    *(
        "a=candidate:",
        "a=candidate:1 1 udp 1 999.1.1.1 99999 typ host",
        "a=candidate:1 1 tcp 1 ::1 0 typ srflx",
    ),
    *("a=end-of-candidates", "a=ssrc:x", "a=ssrc:99999999999 cname:x", "a=msid:", "a=inactive", "a=ice-lite"),
)


def _number(line: str, rng: random.Random) -> str:
    found = list(re.finditer(r"\d+", line))
    if not found:
        return line
    one = rng.choice(found)
    return line[: one.start()] + rng.choice(ODD) + line[one.end() :]


def _word(line: str, rng: random.Random) -> str:
    words = line.split(" ")
    words[rng.randrange(len(words))] = rng.choice(ODD)
    return " ".join(words)


CHANGES: tuple[Callable[[str, random.Random], str], ...] = (
    _number,
    _word,
    lambda line, rng: line[: rng.randrange(len(line) + 1)],
    lambda line, rng: line * rng.choice((2, 50)),
    lambda line, rng: line.partition(":")[0] + rng.choice((":", "", ": ", ":;;;", ":a=b;c;=;d=;ptime=5")),
    lambda line, rng: f"{line}\r\n{rng.choice(ADDED)}",
    lambda line, rng: "",
)


def mutated(text: str, rng: random.Random) -> str:
    lines = text.split("\r\n")
    for _ in range(rng.choice((1, 1, 1, 2, 3, 5))):
        at = rng.randrange(len(lines))
        if rng.random() < 0.2:  # into another place, or there too
            line = lines[at] if rng.random() < 0.5 else lines.pop(at)
            lines.insert(rng.randrange(len(lines) + 1), line)
        else:
            lines[at] = rng.choice(CHANGES)(lines[at], rng)
    return "\r\n".join(lines)


async def _offer(side: RtcMedia, good: str, bad: str) -> None:
    await side.create_answer(bad)


async def _answer(side: RtcMedia, good: str, bad: str) -> None:
    await side.create_offer()
    await side.apply_answer(bad.replace("a=setup:actpass", "a=setup:active"))


async def _second_offer(side: RtcMedia, good: str, bad: str) -> None:
    await side.create_answer(good)
    await side.create_answer(bad)


async def trial(seed: int, count: int) -> dict[str, int]:
    rng, outcomes = random.Random(seed), {"taken": 0, "refused": 0}
    unseen: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: unseen.append(context))
    goods = []
    for options in ({}, {"codecs": ("PCMU", "PCMA")}, {"video": True}):
        side = media(**options)
        goods.append(await side.create_offer())
        await side.close()
    for _, use in zip(range(count), itertools.cycle((_offer, _answer, _second_offer)), strict=False):
        good = rng.choice(goods)
        bad = mutated(good, rng)
        side = media(video=rng.random() < 0.3)
        try:
            await use(side, good, bad)
            outcomes["taken"] += 1
        except MediaError:
            outcomes["refused"] += 1
        except Exception as error:
            raise AssertionError(f"{type(error).__name__}: {error}, of\n{bad}") from error
        await side.close()
        await asyncio.sleep(0.05)
        assert len(asyncio.all_tasks()) == 1, bad
        assert not unseen, (unseen, bad)
    return outcomes


@pytest.mark.parametrize("seed", range(3))
def test_mutated_descriptions(seed: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    outcomes = run_on_loopback(trial(seed, 90))
    assert min(outcomes.values()) > 5, outcomes
    assert not caplog.records
