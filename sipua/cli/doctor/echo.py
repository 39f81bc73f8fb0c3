"""A call to an echo: whether sound goes out and comes back."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from sipua.cli.doctor.findings import Finding, Wrong, ok, warning
from sipua.cli.doctor.registration import user_agent
from sipua.cli.exits import exit_code, one_line
from sipua.errors import CallFailed, CallTimeout, MediaError
from sipua.media.interface import AudioSink

if TYPE_CHECKING:
    from sipua.cli.accounts import AccountOptions
    from sipua.cli.running import Run
    from sipua.media.interface import MediaStats
    from sipua.session import RTCSession

__all__ = ["check_echo"]

#: What is sent, and what has to come back (Hz): no multiple of a ringing or busy tone.
TONE = 523.0
#: Seconds that the tone is sent for, of a peer that has answered.
LENGTH = 3.0


_REFUSALS = {
    401: "the server wants a password for calls: check --password and --auth-user",
    403: "the server does not allow this account to call it: ask who runs the server",
    404: "there is no such number at this server: check the target of --call",
    407: "the server wants a password for calls: check --password and --auth-user",
    480: "nobody is registered there: check the target of --call",
    484: "the number is not complete: check the target of --call",
    486: "it is busy: try again later",
    488: "it takes no WebRTC, or none of our codecs: the server has to be set up for it",
    503: "the server is overloaded, or what is behind it is down: look into its log",
    600: "it is busy: try again later",
}


class _Ear(AudioSink):
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.heard: dict[int, bytearray] = {}

    def write(self, pcm: bytes, rate: int) -> None:
        self.heard.setdefault(rate, bytearray()).extend(pcm)

    def hears(self, frequency: float) -> bool:
        """Whether the last second had this tone in it."""
        from sipua.media.analysis import detect_tones

        for rate, pcm in self.heard.items():
            last = bytes(pcm[-2 * rate :])
            if len(last) >= rate // 2 and detect_tones(last, [frequency], rate=rate):
                return True
        return False

    @property
    def silent(self) -> bool:
        """Whether nothing at all was heard."""
        from sipua.media.analysis import level

        return all(level(bytes(pcm)) < -60 for pcm in self.heard.values())


async def check_echo(
    run: Run, account: AccountOptions, target: str, timeout: float, *, loopback: bool
) -> Finding:
    """Call `target`, send a tone, listen, hang up."""
    from sipua.media.sources import Tone

    ua = user_agent(account, timeout=timeout, register=False)
    ua.normalize_target(target)
    if run.trace is not None:
        run.trace.follow(ua)
    options: dict[str, Any] = {"ice_host_addresses": ("127.0.0.1",)} if loopback else {}
    ear = _Ear()
    try:
        async with asyncio.timeout(timeout):
            ua.start()
            await ua.ready()
        call = ua.call(target, audio=Tone(TONE), record=ear, no_answer_timeout=timeout, **options)
        return await _listen(call, ear, timeout)
    finally:
        await ua.stop(2.0)


async def _listen(call: RTCSession, ear: _Ear, timeout: float) -> Finding:
    try:
        await call.wait_confirmed()
    except MediaError as error:
        raise Wrong(one_line(error), "see the candidates above", exit_code(error)) from None
    except CallFailed as error:
        raise _refused(error, timeout) from None
    began = time.monotonic()
    ended = asyncio.ensure_future(call.wait_ended())
    try:
        await asyncio.wait({ended}, timeout=LENGTH)
        lasted = time.monotonic() - began if ended.done() else None
    finally:
        ended.cancel()
        await asyncio.gather(ended, return_exceptions=True)
    stats = call.stats()
    if lasted is None:
        call.terminate()
    return _judge(stats, ear, lasted)


def _refused(error: CallFailed, timeout: float) -> Wrong:
    response = error.response
    if response is not None:
        remedy = _REFUSALS.get(response.code, "look into the server's log; --trace FILE shows what it says")
        return Wrong(f"not answered: {response.code} {response.phrase}".strip(), remedy, exit_code(error))
    if isinstance(error, CallTimeout):
        remedy = "is the target an echo that answers? Else wait longer with --timeout"
        return Wrong(f"not answered within {timeout:g} s", remedy, exit_code(error))
    return Wrong(f"not answered: {one_line(error)}", "see what is wrong above", exit_code(error))


def _judge(stats: MediaStats, ear: _Ear, lasted: float | None) -> Finding:
    """What the sound means; `lasted` are the seconds after which the peer hung up, if it did."""
    figures = _figures(stats)
    if ear.hears(TONE):
        if stats.mos is not None and stats.mos < 3.5:
            remedy = "the network loses or delays packets"
            return warning(f"the echo is there, but sounds badly: {figures}", remedy)
        return ok(f"the echo is there: {figures}")
    if lasted is not None:
        remedy = "is it an echo? Then --trace FILE shows why it ends"
        raise Wrong(f"the peer hung up after {lasted:.1f} s", remedy)
    if stats.packets_received == 0:
        remedy = "a firewall or NAT is in the way: try a TURN server (--ice-server)"
        raise Wrong(f"answered, but no sound came ({stats.packets_sent} packets went out)", remedy)
    what = "only silence" if ear.silent else "not ours"
    raise Wrong(f"sound came, but {what}: {figures}", _one_way(stats))


def _one_way(stats: MediaStats) -> str:
    if stats.audio is not None and stats.audio.remote_received is not None:
        return "it gets our sound, by its reports: is the target an echo, which sends back what it hears?"
    return "if the target is an echo, our sound does not reach it: a firewall or NAT is in the way, try a TURN server"


def _figures(stats: MediaStats) -> str:
    trip = f", round trip {1000 * stats.rtt:.0f} ms" if stats.rtt is not None else ""
    mos = f", MOS {stats.mos:.1f}" if stats.mos is not None else ""
    return f"{stats.codec}, {stats.packets_received} packets, {stats.packets_lost} lost{trip}{mos}"
