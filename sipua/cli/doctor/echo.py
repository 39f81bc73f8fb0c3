"""A call to an echo: whether sound goes out and comes back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from sipua.cli.doctor.findings import Finding, Wrong, ok, warning
from sipua.cli.doctor.registration import user_agent
from sipua.cli.exits import ExitCode, exit_code, one_line
from sipua.errors import CallFailed, MediaError
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
        return await _listen(call, ear)
    finally:
        await ua.stop(2.0)


async def _listen(call: RTCSession, ear: _Ear) -> Finding:
    try:
        await call.wait_confirmed()
    except MediaError as error:
        raise Wrong(one_line(error), "see the candidates above", exit_code(error)) from None
    except CallFailed as error:
        response = error.response
        why = f"{response.code} {response.phrase}".strip() if response is not None else one_line(error)
        remedy = (
            "check the target of --call" if response is not None else "is the target an echo that answers?"
        )
        raise Wrong(f"not answered: {why}", remedy, exit_code(error)) from None
    ended = asyncio.ensure_future(call.wait_ended())
    try:
        await asyncio.wait({ended}, timeout=LENGTH)
        over = ended.done()
    finally:
        ended.cancel()
        await asyncio.gather(ended, return_exceptions=True)
    stats = call.stats()
    if not over:
        call.terminate()
    return _judge(stats, ear, over=over)


def _judge(stats: MediaStats, ear: _Ear, *, over: bool) -> Finding:
    if stats.packets_received == 0:
        if over:
            raise Wrong("the peer hung up at once", "is it an echo? Then --trace FILE shows why it ends")
        remedy = "a firewall or NAT is in the way: try a TURN server (--ice-server)"
        raise Wrong(
            f"answered, but no sound came ({stats.packets_sent} packets went out)", remedy, ExitCode.FAILED
        )
    figures = _figures(stats)
    if ear.hears(TONE):
        if stats.mos is not None and stats.mos < 3.5:
            return warning(
                f"the echo is there, but sounds badly: {figures}", "the network loses or delays packets"
            )
        return ok(f"the echo is there: {figures}")
    if ear.silent:
        remedy = "does the target send back what it hears? If it does, our sound does not reach it: see TURN"
        return warning(f"sound came, but only silence: {figures}", remedy)
    return warning(f"sound came, but not ours: {figures}", "does the target send back what it hears?")


def _figures(stats: MediaStats) -> str:
    trip = f", round trip {1000 * stats.rtt:.0f} ms" if stats.rtt is not None else ""
    mos = f", MOS {stats.mos:.1f}" if stats.mos is not None else ""
    return f"{stats.codec}, {stats.packets_received} packets, {stats.packets_lost} lost{trip}{mos}"
