"""A trace as one HTML file that needs nothing else: ladder, messages, what offers and answers changed, figures.

What is drawn is put into the page as JSON by `page_data`; page.js draws it.
"""

from __future__ import annotations

import html
import json
import os
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sipua._version import __version__
from sipua.trace.descriptions import compare
from sipua.trace.files import create
from sipua.trace.records import TracedStats
from sipua.trace.series import figure_at, plots_of
from sipua.trace.story import EventStep, MessageStep, Story

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sipua.trace.descriptions import Description
    from sipua.trace.records import Record
    from sipua.trace.story import Call

__all__ = ["make_page", "page_data", "write_page"]

#: So many points of a curve are drawn at most: more cannot be seen.
MOST_POINTS = 1200


def write_page(
    records: Iterable[Record], path: str | os.PathLike[str], *, title: str = "", note: str = ""
) -> None:
    """Write the page. It is readable by its owner only, as a trace is.

    :param note: what the reader has to know, such as that the trace is cut off.
    :raises OSError: it cannot be written.
    """
    page = make_page(records, title=title, note=note)
    with os.fdopen(create(Path(path)), "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(page)


def make_page(records: Iterable[Record], *, title: str = "", note: str = "") -> str:
    """The page as text.

    :param note: what the reader has to know, such as that the trace is cut off.
    """
    files = resources.files("sipua.trace")
    data = json.dumps(page_data(Story(records)), ensure_ascii=False, separators=(",", ":"), default=str)
    parts = {
        "title": html.escape(title or "SIP trace"),
        "note": html.escape(note),
        "made": html.escape(f"sipua {__version__}"),
        "style": (files / "page.css").read_text("utf-8"),
        "script": (files / "page.js").read_text("utf-8"),
        # Whatever peers send must not end the element that it is in.
        "data": data.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"),
    }
    page = (files / "page.html").read_text("utf-8")
    pieces = page.split("{{")
    return pieces[0] + "".join(parts[name] + rest for name, rest in (p.split("}}", 1) for p in pieces[1:]))


def page_data(story: Story) -> dict[str, Any]:
    """All that page.js draws; times in seconds since the start."""
    lanes = {lane: index for index, lane in enumerate(story.lanes)}
    steps: list[MessageStep | EventStep] = sorted(
        [*story.messages, *story.events], key=lambda step: step.time
    )
    places = {id(step): index for index, step in enumerate(steps)}
    message_places = [places[id(step)] for step in story.messages]
    return {
        "start": story.start,
        "lanes": story.lanes,
        "calls": _calls(story),
        "steps": [_step(step, story.start, lanes) for step in steps],
        "descriptions": [
            _description(found, call, agent, message_places)
            for call in story.calls.values()
            for (agent, _), descriptions in call.descriptions.items()
            for found in descriptions.found
        ],
        "figures": _figures(story),
    }


def _calls(story: Story) -> list[dict[str, Any]]:
    messages: dict[str, list[MessageStep]] = {}
    for message in story.messages:
        if message.call is not None:
            messages.setdefault(message.call.call_id, []).append(message)
    # How each ended, as far as the trace tells: the last event that says it, or else the last final response.
    ends = {e.call.call_id: e.text for e in story.events if e.call and e.event.name in ("ended", "failed")}
    return [
        _call(call, messages[call.call_id], story.start, ends.get(call.call_id))
        for call in story.calls.values()
    ]


def _call(call: Call, messages: list[MessageStep], start: float, end: str | None) -> dict[str, Any]:
    final = [message.label for message in messages if message.kind in ("success", "redirection", "failure")]
    return {
        "letter": call.letter,
        "id": call.call_id,
        "title": call.title,
        "method": call.method,
        "start": messages[0].time - start,
        "end": messages[-1].time - start,
        "messages": len(messages),
        "outcome": end or (final[-1] if final else ""),
    }


def _step(step: MessageStep | EventStep, start: float, lanes: Mapping[str, int]) -> dict[str, Any]:
    common = {"t": round(step.time - start, 6), "call": step.call.letter if step.call else ""}
    if isinstance(step, EventStep):
        return {**common, "lane": lanes[step.lane], "text": step.text, "name": step.event.name}
    return {
        **common,
        "n": step.number,
        "from": lanes[step.source],
        "to": lanes[step.target],
        "label": step.label,
        "notes": ", ".join(step.notes),
        "kind": step.kind,
        "dialog": step.dialog,
        "message": step.traced.message,
    }


def _description(found: Description, call: Call, agent: str, places: list[int]) -> dict[str, Any]:
    comparisons = []
    if found.answers is not None:
        comparisons.append(_comparison(f"its offer ({found.answers.number})", found.answers, found))
    if found.previous is not None:
        who = "we" if found.direction == "out" else "the peer"
        comparisons.append(
            _comparison(f"what {who} said before ({found.previous.number})", found.previous, found)
        )
    return {
        "call": call.letter,
        "agent": agent,
        "number": found.number,
        "role": found.role,
        "direction": found.direction,
        "step": places[found.message],
        "sdp": found.sdp.splitlines(),
        "comparisons": comparisons,
    }


def _comparison(title: str, earlier: Description, later: Description) -> dict[str, Any]:
    return {"with": title, "rows": compare(earlier.sdp, later.sdp)}


def _figures(story: Story) -> list[dict[str, Any]]:
    groups: dict[tuple[str, str], list[TracedStats]] = {}
    for record in story.records:
        if isinstance(record, TracedStats):
            groups.setdefault((record.call, record.agent), []).append(record)
    figures = []
    for (call_id, agent), samples in groups.items():
        call = story.calls.get(call_id)
        kept = _thinned(samples)
        plots = [
            {
                "title": plot.title,
                "unit": plot.unit,
                "low": plot.low,
                "high": plot.high,
                "curves": [
                    {
                        "name": curve.name,
                        "points": [(round(t - story.start, 3), _short(value)) for t, value in curve.points],
                    }
                    for curve in plot.curves
                ],
            }
            for plot in plots_of(kept)
        ]
        codec = figure_at(samples[-1].stats, "audio", "sent", "codec")
        letter = call.letter if call is not None else call_id
        figures.append({"call": letter, "agent": agent, "codec": codec, "plots": plots})
    return figures


def _thinned(samples: list[TracedStats]) -> list[TracedStats]:
    """Every n-th sample and the last one. Counters only grow, so that no loss is lost by that."""
    every = -(-len(samples) // MOST_POINTS)
    kept = samples[::every]
    return kept if kept[-1] is samples[-1] else [*kept, samples[-1]]


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
