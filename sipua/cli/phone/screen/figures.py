"""Calls, accounts and figures as text of a given width."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from rich.text import Text

from sipua.cli.phone.finding import short
from sipua.cli.phone.plain import flat
from sipua.cli.report import clock

if TYPE_CHECKING:
    from sipua.cli.phone.call import PhoneCall
    from sipua.cli.phone.line import Line
    from sipua.cli.phone.phone import Phone

__all__ = ["account_line", "accounts_text", "call_text", "meter", "statistics_text"]

_STATES = {
    "calling": ("calling", "yellow"),
    "ringing": ("ringing", "yellow"),
    "incoming": ("INCOMING CALL", "bold black on yellow"),
    "answering": ("answering", "yellow"),
    "connected": ("connected", "green"),
    "held": ("on hold", "cyan"),
    "conference": ("conference", "magenta"),
    "over": ("over", "dim"),
}
_LINES = {
    "connecting": ("◌", "yellow"),
    "no connection": ("✗", "red"),
    "connected": ("◌", "yellow"),
    "registered": ("●", "green"),
    "refused": ("✗", "red"),
    "unregistered": ("○", "dim"),
}
#: What a meter shows: from the faintest, in dBov, to the loudest.
_FAINT, _CELLS = -60.0, 10


def meter(level: float | None) -> Text:
    """A level in dBov as ten cells: green, then yellow, then red from -6 dB on."""
    if level is None:
        return Text("·" * _CELLS, style="dim")
    full = round(max(0.0, min(1.0, (level - _FAINT) / -_FAINT)) * _CELLS)
    text = Text()
    for cell in range(_CELLS):
        style = "red" if cell == _CELLS - 1 else "yellow" if cell >= _CELLS - 3 else "green"
        text.append("█" if cell < full else "░", style=style if cell < full else "dim")
    return text


def call_text(call: PhoneCall, *, selected: bool, muted: bool, width: int) -> Text:
    """A call in two lines."""
    state, style = _STATES[call.state]
    end = Text()
    for word, its in _marks(call, muted):
        end.append(f" {word} ", its)
        end.append(" ")
    end.append(state, style)
    end.append(f"  {clock(call.seconds):>5}")
    who = Text("▶ " if selected else "  ", "bold")
    who.append(f"{call.number} ", "bold")
    who.append("← " if call.direction == "incoming" else "→ ", "dim")
    name = f"{call.name} " if call.name else ""
    who.append(f"{name}{short(call.remote)}", "bold" if selected else "")
    who.truncate(max(10, width - end.cell_len - 1), overflow="ellipsis", pad=True)
    return Text.assemble(who, " ", end, "\n", _second(call, width, selected=selected))


def _marks(call: PhoneCall, muted: bool) -> list[tuple[str, str]]:
    marks = []
    if call.held_by_peer:
        marks.append(("held by peer", "black on cyan"))
    if muted:
        marks.append(("muted", "black on red"))
    if call.is_recorded:
        marks.append(("REC", "white on red"))
    return marks


def _second(call: PhoneCall, width: int, *, selected: bool) -> Text:
    text = Text("    ")
    if call.refer is not None:
        text.append(f"asks you to call {short(str(call.refer.refer.uri))}: y yes, x no", "bold yellow")
    elif call.waits_for_answer:
        refuse = "h refuses" if selected else "selected with ↑↓, h refuses"  # else h ends another call
        text.append(f"to {call.line.name}: a answers, {refuse}", "bold")
    elif call.is_up:
        levels = call.levels
        text.append("hear ").append_text(meter(levels.heard if levels else None))
        text.append("  say ").append_text(meter(levels.said if levels else None))
        text.append(f"  {_quality(call)}")
    else:
        text.append(f"from {call.line.name}", "dim")
    text.truncate(width, overflow="ellipsis")
    return text


def _quality(call: PhoneCall) -> str:
    stats = call.stats
    if stats is None:
        return ""
    words = [(stats.codec or "no codec").partition("/")[0]]
    if stats.state != "connected":
        words.append(f"media {stats.state}")
    if stats.mos is not None:
        words.append(f"MOS {stats.mos:.1f}")
    loss = call.recent_loss(time.monotonic())
    if loss is not None:
        words.append(f"loss {100 * loss:.1f}%")
    if call.digits:
        words.append(f"digits {call.digits}")
    return "  ".join(words)


# --- accounts -------------------------------------------------------------------------------------------------


def account_line(line: Line) -> Text:
    """An account with its state."""
    sign, style = _LINES[line.state]
    text = Text.assemble((f"{sign} ", style), (line.name, "bold"), "  ", line.uri, "  ", (line.state, style))
    if line.detail and line.state in ("no connection", "refused"):
        text.append(f": {line.detail}", "dim")
    return text


def accounts_text(phone: Phone, width: int) -> Text:
    """All accounts in one line, and the sound. Of several, the state of those that are not registered."""
    sound = Text.assemble(("v", "bold"), (f" ♪ {phone.sound.source_name}", "dim"))
    if len(phone.lines) == 1:
        accounts = account_line(phone.lines[0])
    else:
        accounts = Text("  ").join(_short(line) for line in phone.lines)
    silent = Text(", no speaker", "dim")
    if phone.sound.sink_name is None and accounts.cell_len + sound.cell_len + silent.cell_len + 2 <= width:
        sound.append_text(silent)
    accounts.truncate(max(10, width - sound.cell_len - 2), overflow="ellipsis", pad=True)
    return Text.assemble(accounts, "  ", sound)


def _short(line: Line) -> Text:
    sign, style = _LINES[line.state]
    state = "" if line.state == "registered" else f" {line.state}"
    return Text.assemble((f"{sign} ", style), line.name, (state, style))


# --- statistics -----------------------------------------------------------------------------------------------


def statistics_text(call: PhoneCall | None) -> Text:
    """The figures of a call, the usual ones first."""
    stats = call.stats if call is not None else None
    if call is None or stats is None:
        return Text("no call with media", "dim")
    text = Text()
    text.append(f"call {call.number}  {call.remote}\n", "bold")
    quality = stats.quality
    rows: list[tuple[str, Any]] = [
        ("media", stats.state),
        ("codec", stats.codec),
        ("direction", stats.direction),
        ("sent", f"{stats.packets_sent} packets, {stats.bytes_sent} bytes"),
        ("received", f"{stats.packets_received} packets, {stats.bytes_received} bytes"),
        ("lost", f"{stats.packets_lost}, by the peer's reports {stats.packets_lost_remote}"),
        ("jitter", f"{1000 * stats.jitter:.1f} ms"),
        ("round trip", None if stats.rtt is None else f"{1000 * stats.rtt:.1f} ms"),
        ("quality", None if quality is None else f"MOS {quality.mos:.2f}, R {quality.r_factor:.0f}"),
        ("path", f"{stats.local_candidate or '?'} → {stats.remote_candidate or '?'}"),
    ]
    for name, value in rows:
        text.append(f"{name:>11}  ", "dim")
        text.append(f"{'–' if value is None else value}\n")
    text.append("\nall figures\n", "bold")
    for line in flat(stats.as_dict()):
        name, _, figure = line.partition(": ")
        text.append(f"  {name} ", "dim").append(f"{figure}\n")
    return text
