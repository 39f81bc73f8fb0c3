"""``sipua trace``: looking at a trace: as a ladder, as a page for a browser, as packets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sipua.cli.exits import ExitCode, Failure, file_trouble
from sipua.cli.options import FILE, OutputOptions, output_options
from sipua.cli.output import make_output

if TYPE_CHECKING:
    from pathlib import Path

    from sipua.cli.output import Output
    from sipua.trace import Record, TraceFile
    from sipua.trace.ladder import Line
    from sipua.trace.story import Call, EventStep, MessageStep

HELP = """Show a FILE that --trace has written: the ladder of its SIP messages.

--call shows one call: its letter in the ladder, or its Call-ID or the beginning of that.
"""


@click.command("trace", help=HELP)
@click.argument("file", type=FILE)
@click.option("--call", metavar="CALL", help="Only this call: A, B, … or its Call-ID.")
@click.option(
    "--message", type=click.IntRange(1), metavar="N", help="Show the message with this number whole."
)
@click.option("--numbers", is_flag=True, help="Number the messages, for --message.")
@click.option(
    "--events", is_flag=True, help="Show between the messages what was told of registration, calls and media."
)
@click.option(
    "--html", type=FILE, metavar="OUT", help="Write one HTML file with ladder, messages, SDP, figures."
)
@click.option("--pcap", type=FILE, metavar="OUT", help="Write the messages as packets, for Wireshark.")
@click.option(
    "--rtp", type=FILE, multiple=True, metavar="FILE", help="Put the packets of this capture into --pcap."
)
@output_options
def command(
    file: Path,
    call: str | None,
    message: int | None,
    numbers: bool,
    events: bool,
    html: Path | None,
    pcap: Path | None,
    rtp: tuple[Path, ...],
    output: OutputOptions,
) -> int:
    """Read the file, show or write what is wanted."""
    if rtp and pcap is None:
        raise click.UsageError("--rtp: give --pcap too, which says where to write to")
    out = make_output(json=output.json)
    trace = _read(file)
    records, chosen = _records(file, trace, call)
    if trace.cut is not None:
        text = f"{file}: {trace.cut}: what was written before is shown"
        out.event("warning", text, message=text)
    if html is not None:
        _write_page(out, records, html, file, trace)
    if pcap is not None:
        _write_pcap(out, records, pcap, rtp)
    if message is not None:
        _show_message(out, file, trace, message)
    elif output.json:
        _tell(out, trace, chosen)
    elif html is None and pcap is None:
        _show_ladder(out, trace, chosen, numbers=numbers, events=events)
    out.event("done", exit_code=int(ExitCode.OK))
    return ExitCode.OK


def _read(path: Path) -> TraceFile:
    from sipua.trace import TraceError, read_trace

    try:
        return read_trace(path)
    except TraceError as error:
        raise Failure(str(error), ExitCode.USAGE) from None
    except OSError as error:
        raise Failure(f"{path}: {file_trouble(error)}", ExitCode.USAGE) from None


def _records(path: Path, trace: TraceFile, name: str | None) -> tuple[list[Record], Call | None]:
    """What is wanted of the trace."""
    from sipua.trace import Story, records_of_call

    if name is None:
        return trace.records, None
    story = Story(trace.records)
    call = story.call_named(name)
    if call is None:
        there = (
            ", ".join(f"{call.letter} ({call.title})" for call in list(story.calls.values())[:8]) or "none"
        )
        more = ", …" if len(story.calls) > 8 else ""
        raise Failure(f"--call {name}: {path} has no such call; it has {there}{more}", ExitCode.USAGE)
    return records_of_call(trace.records, call.call_id), call


# --- files ------------------------------------------------------------------------------------------------


def _write_page(out: Output, records: list[Record], path: Path, source: Path, trace: TraceFile) -> None:
    from sipua.trace import write_page

    note = f"The end is missing: {trace.cut}." if trace.cut is not None else ""
    try:
        write_page(records, path, title=source.name, note=note)
    except OSError as error:
        raise Failure(f"--html {path}: {file_trouble(error)}", ExitCode.USAGE) from None
    out.event("written", f"written to {path}", path=str(path), format="html")


def _write_pcap(out: Output, records: list[Record], path: Path, captures: tuple[Path, ...]) -> None:
    from sipua.trace import TracedMessage, TraceError, write_pcap

    messages = [record for record in records if isinstance(record, TracedMessage)]
    try:
        count = write_pcap(messages, path, captures=captures)
    except TraceError as error:
        raise Failure(f"--rtp {error}", ExitCode.USAGE) from None
    except OSError as error:
        option = "--rtp" if error.filename in {str(capture) for capture in captures} else "--pcap"
        name = error.filename or path
        raise Failure(f"{option} {name}: {file_trouble(error)}", ExitCode.USAGE) from None
    if count.cut:
        text = f"{count.cut} messages are too long for a packet: their ends are missing in {path}"
        out.event("warning", text, message=text)
    packets = f"{count.messages} SIP messages" + (f" and {count.rtp} RTP packets" if captures else "")
    out.event("written", f"{packets} written to {path}", path=str(path), format="pcap")


# --- on the screen ----------------------------------------------------------------------------------------


def _show_message(out: Output, path: Path, trace: TraceFile, number: int) -> None:
    from sipua.trace import Story

    messages = Story(trace.records).messages
    if number > len(messages):
        raise Failure(f"--message {number}: {path} has {len(messages)} messages", ExitCode.USAGE)
    step = messages[number - 1]
    out.event("traced_message", None, **_message_fields(step))
    out.text(f"{step.number}: {step.source} → {step.target}\n\n{step.traced.message.rstrip()}")


def _show_ladder(out: Output, trace: TraceFile, chosen: Call | None, *, numbers: bool, events: bool) -> None:
    from sipua.trace import Story
    from sipua.trace.ladder import ASCII, UNICODE, ladder_lines

    call_id = chosen.call_id if chosen is not None else None
    glyphs = UNICODE if out.unicode else ASCII
    for line in ladder_lines(
        Story(trace.records),
        call_id=call_id,
        glyphs=glyphs,
        numbers=numbers,
        events=events,
        columns=out.columns,
    ):
        out.text(line.text, _style(line))


_STYLES = {
    "request": "blue",
    "provisional": "bright_black",
    "success": "green",
    "redirection": "yellow",
    "failure": "red",
    "illegible": "red reverse",
}


def _style(line: Line) -> str:
    if line.step is None:
        return "bold"
    return _STYLES.get(getattr(line.step, "kind", ""), "bright_black")


# --- for programs -----------------------------------------------------------------------------------------


def _tell(out: Output, trace: TraceFile, chosen: Call | None) -> None:
    from sipua.trace.story import MessageStep, Story

    story = Story(trace.records)
    steps: list[MessageStep | EventStep] = [*story.messages, *story.events]
    for step in sorted(steps, key=lambda step: step.time):
        if chosen is not None and (step.call is None or step.call.call_id != chosen.call_id):
            continue
        if isinstance(step, MessageStep):
            out.event("traced_message", None, **_message_fields(step))
        else:
            out.event("traced_event", None, **_event_fields(step))
    for sample in trace.stats:
        if chosen is None or sample.call == chosen.call_id:
            out.event(
                "traced_stats",
                None,
                at=sample.time,
                call_id=sample.call,
                agent=sample.agent,
                stats=dict(sample.stats),
                quality=dict(sample.quality) if sample.quality is not None else None,
            )


def _message_fields(step: MessageStep) -> dict[str, Any]:
    return {
        "number": step.number,
        "at": step.time,
        "source": step.source,
        "target": step.target,
        "label": step.label,
        "dialog": step.dialog or None,
        "call_id": step.call.call_id if step.call is not None else None,
        "description": step.description.role if step.description is not None else None,
        "again": step.again,
        "message": step.traced.message,
    }


def _event_fields(step: EventStep) -> dict[str, Any]:
    return {
        "at": step.time,
        "name": step.event.name,
        "agent": step.event.agent,
        "call_id": step.event.call,
        "details": dict(step.event.details),
    }
