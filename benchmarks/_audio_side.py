"""One side of some audio calls over loopback (ICE, DTLS-SRTP, both ways), by sipua's media or by plain aiortc.

`benchmarks.audio_calls` starts two of these. The one with ``--role answer`` listens on `--port` and prints READY;
the other connects, makes the calls, and says when they are to be measured. Each prints one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import fractions
import gc
import json
import math
import os
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aioice.ice
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import AudioFrame

from benchmarks._capacity import Load, find
from sipua.media.engine.clock import TICK, AudioClock, Phase
from sipua.media.interface import AudioSink, AudioSource, MediaOptions, PcmStream
from sipua.media.rtc import RtcMedia

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

RATES = {"pcmu": 8000, "opus": 48000}
NAMES = {"pcmu": "PCMU", "opus": "opus"}
FREQUENCY = 400.0
# A tick that begins within so many seconds is on time.
ON_TIME = 0.001
# Calls that are there before memory is looked at: what is loaded once is no call's memory.
FIRST_CALLS = 2


class Agent(ABC):
    """All calls of one side."""

    def __init__(self, codec: str) -> None:
        self.codec = codec
        self.late: list[float] = []
        """Seconds by which packets left late, since `begin`."""
        self.own: list[float] = []
        """The same without what the process waited for a processor since it was last on time: its own work."""

    @abstractmethod
    async def offer(self) -> str: ...

    @abstractmethod
    async def answer(self, offer: str) -> str: ...

    @abstractmethod
    async def complete(self, answer: str) -> None:
        """For the last offer; returns when the call is up."""

    @abstractmethod
    def heard(self) -> float:
        """Seconds of sound heard so far, of all calls together."""

    @abstractmethod
    def lost(self) -> int:
        """Packets of all calls."""

    def begin(self) -> None:
        self.late.clear()
        self.own.clear()


def tone(rate: int) -> bytes:
    """20 ms of it, of which many make a whole."""
    wave = (round(8000 * math.sin(2 * math.pi * FREQUENCY * i / rate)) for i in range(rate // 50))
    return b"".join(value.to_bytes(2, "little", signed=True) for value in wave)


class ToneSource(AudioSource):
    def open(self, rate: int) -> PcmStream:
        return ToneStream(tone(rate))


class ToneStream(PcmStream):
    def __init__(self, pcm: bytes) -> None:
        self._pcm = pcm

    def read(self, samples: int) -> bytes:
        return self._pcm


class CountingSink(AudioSink):
    def __init__(self) -> None:
        self.seconds = 0.0

    def write(self, pcm: bytes, rate: int) -> None:
        self.seconds += len(pcm) / (2 * rate)


class OurAgent(Agent):
    def __init__(self, codec: str) -> None:
        super().__init__(codec)
        self.calls: list[RtcMedia] = []
        self.sinks: list[CountingSink] = []
        self._waits = Waits()

    def _new(self) -> RtcMedia:
        call = RtcMedia(
            MediaOptions(audio=ToneSource(), codecs=(NAMES[self.codec],), ice_host_addresses=("127.0.0.1",))
        )
        sink = CountingSink()
        call.audio.add_sink(sink)
        self.calls.append(call)
        self.sinks.append(sink)
        return call

    async def offer(self) -> str:
        return await self._new().create_offer()

    async def answer(self, offer: str) -> str:
        return await self._new().create_answer(offer)

    async def complete(self, answer: str) -> None:
        call = self.calls[-1]
        await call.apply_answer(answer)
        async with asyncio.timeout(60):
            while call.state != "connected":  # noqa: ASYNC110 - the callback belongs to sessions
                await asyncio.sleep(0.002)

    def heard(self) -> float:
        return sum(sink.seconds for sink in self.sinks)

    def lost(self) -> int:
        return sum(call.stats().packets_lost for call in self.calls)

    def begin(self) -> None:
        super().begin()
        self._clock, self._time = AudioClock.running(), asyncio.get_running_loop().time
        self._waited = self._excused = self._waits.seconds()
        # Last of all in the last phase: when every packet of the tick has left.
        self._clock.remove(Phase.SEND, self._looked)
        self._clock.add(Phase.SEND, self._looked)

    def _looked(self, now: float, missed: int) -> None:
        due, waited = self._clock.due - missed * TICK, self._waits.seconds()
        if now - due < ON_TIME:
            # Whatever it waited for before has been made up for.
            self._excused = self._waited
        late = self._time() - due
        self.late.append(late)
        self.own.append(max(0.0, late - (waited - self._excused)))
        self._waited = waited


class ToneTrack(MediaStreamTrack):
    kind = "audio"

    def __init__(self, rate: int, late: list[float]) -> None:
        super().__init__()
        self._rate, self._samples, self._late = rate, rate // 50, late
        self._pcm = tone(rate)
        self._count, self._origin = 0, 0.0

    async def recv(self) -> AudioFrame:
        now = time.monotonic()
        self._origin = self._origin or now
        due = self._origin + self._count * 0.02
        if due > now:
            await asyncio.sleep(due - now)
        self._late.append(time.monotonic() - due)
        frame = AudioFrame(format="s16", layout="mono", samples=self._samples)
        frame.planes[0].update(self._pcm)
        frame.sample_rate, frame.pts = self._rate, self._count * self._samples
        frame.time_base = fractions.Fraction(1, self._rate)
        self._count += 1
        return frame


class PlainAgent(Agent):
    def __init__(self, codec: str) -> None:
        super().__init__(codec)
        aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]
        self.calls: list[RTCPeerConnection] = []
        self._seconds = 0.0
        self._readers: list[asyncio.Task[None]] = []

    def _new(self) -> RTCPeerConnection:
        pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        pc.addTrack(ToneTrack(RATES[self.codec], self.late))
        codecs = [
            c
            for c in RTCRtpSender.getCapabilities("audio").codecs
            if c.mimeType == f"audio/{NAMES[self.codec]}"
        ]
        pc.getTransceivers()[0].setCodecPreferences(codecs)
        pc.on("track", lambda track: self._readers.append(asyncio.ensure_future(self._read(track))))
        self.calls.append(pc)
        return pc

    async def _read(self, track: Any) -> None:
        try:
            while True:
                frame = await track.recv()
                self._seconds += frame.samples / frame.sample_rate
        except MediaStreamError:
            pass

    async def offer(self) -> str:
        pc = self._new()
        await pc.setLocalDescription(await pc.createOffer())
        return pc.localDescription.sdp

    async def answer(self, offer: str) -> str:
        pc = self._new()
        await pc.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await pc.setLocalDescription(await pc.createAnswer())
        return pc.localDescription.sdp

    async def complete(self, answer: str) -> None:
        pc = self.calls[-1]
        await pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        async with asyncio.timeout(60):
            while pc.connectionState != "connected":  # noqa: ASYNC110
                await asyncio.sleep(0.002)

    def heard(self) -> float:
        return self._seconds

    def lost(self) -> int:
        return 0  # what was not heard tells


AGENTS = {"sipua": OurAgent, "aiortc": PlainAgent}


class Waits:
    """The seconds for which this process was ready to run, and others ran."""

    def __init__(self) -> None:
        self._file = os.open("/proc/self/schedstat", os.O_RDONLY)

    def seconds(self) -> float:
        return int(os.pread(self._file, 80, 0).split()[1]) / 1e9


class Memory:
    """Resident memory in kB, from the calls that come after the first ones."""

    def __init__(self) -> None:
        self.before: int | None = None

    def opened(self, calls: int) -> None:
        if calls == FIRST_CALLS:
            gc.collect()
            self.before = _status("VmRSS")

    def per_call(self, calls: int) -> float:
        gc.collect()
        assert self.before is not None
        return (_status("VmRSS") - self.before) / (calls - FIRST_CALLS)


def _status(key: str) -> int:
    with Path("/proc/self/status").open() as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(key))


async def measure(agent: Agent, options: argparse.Namespace, memory: Memory) -> dict[str, Any]:
    """The window that both sides share."""
    await asyncio.sleep(options.warm)
    agent.begin()
    heard, lost = agent.heard(), agent.lost()
    cpu, began = time.process_time(), time.monotonic()
    await asyncio.sleep(options.seconds)
    cpu, took = time.process_time() - cpu, time.monotonic() - began
    late, own = sorted(agent.late), sorted(agent.own or agent.late)
    return {
        "cpu_per_call_second": cpu / took / options.calls,
        "core": cpu / took,
        "heard": (agent.heard() - heard) / took / options.calls,
        "lost": agent.lost() - lost,
        "late_p50_ms": late[len(late) // 2] * 1000,
        "late_p99_ms": late[int(len(late) * 0.99)] * 1000,
        "own_p99_ms": own[int(len(own) * 0.99)] * 1000,
        "memory_kb_per_call": memory.per_call(options.calls),
        "threads": _status("Threads"),
    }


async def answer_side(agent: Agent, options: argparse.Namespace) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    result: asyncio.Future[dict[str, Any]] = loop.create_future()
    memory = Memory()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        calls = 0
        while line := await reader.readline():
            offer = json.loads(line)
            if offer is None:
                result.set_result(await measure(agent, options, memory))
                return
            memory.opened(calls)
            calls += 1
            writer.write(json.dumps(await agent.answer(offer)).encode() + b"\n")

    server = await asyncio.start_server(serve, "127.0.0.1", options.port, limit=1 << 20)
    print("READY", flush=True)
    async with server:
        return await result


async def offer_side(agent: Agent, options: argparse.Namespace) -> dict[str, Any]:
    reader, writer = await asyncio.open_connection("127.0.0.1", options.port, limit=1 << 20)

    async def call() -> None:
        writer.write(json.dumps(await agent.offer()).encode() + b"\n")
        await agent.complete(json.loads(await reader.readline()))

    if options.capacity:
        return await capacity(agent, call, options)
    memory, began = Memory(), time.process_time()
    for number in range(options.calls):
        memory.opened(number)
        await call()
    setup = (time.process_time() - began) / options.calls
    writer.write(b"null\n")
    return {**await measure(agent, options, memory), "setup_cpu_ms": setup * 1000}


async def capacity(
    agent: Agent, call: Callable[[], Awaitable[None]], options: argparse.Namespace
) -> dict[str, Any]:
    """How many calls leave in time."""

    async def more(count: int) -> None:
        for _ in range(count):
            await call()

    async def load(calls: int) -> Load:
        agent.begin()
        heard, cpu, began = agent.heard(), time.process_time(), time.monotonic()
        await asyncio.sleep(options.seconds)
        cpu, took = time.process_time() - cpu, time.monotonic() - began
        late = sorted(agent.own or agent.late)
        p99 = late[int(len(late) * 0.99)] * 1000 if late else math.inf
        return Load(calls, cpu / took, p99, (agent.heard() - heard) / took / calls)

    return await find(more, load, options.calls, options.budget)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agent", choices=AGENTS, required=True)
    parser.add_argument("--role", choices=("offer", "answer"), required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--codec", choices=RATES, required=True)
    parser.add_argument("--calls", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--warm", type=float, default=2.0)
    parser.add_argument(
        "--capacity", action="store_true", help="begin with --calls, and add more until they are late"
    )
    parser.add_argument("--budget", type=float, default=120.0, metavar="S", help="for --capacity")
    options = parser.parse_args()

    async def side() -> dict[str, Any]:
        agent = AGENTS[options.agent](options.codec)
        return await (offer_side if options.role == "offer" else answer_side)(agent, options)

    loop = asyncio.new_event_loop()
    print(json.dumps(loop.run_until_complete(side())), flush=True)
    os._exit(0)  # taking the calls down is not what is measured


if __name__ == "__main__":
    main()
