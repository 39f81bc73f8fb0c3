"""Every figure, one after the other: ``python -m benchmarks [--quick] [--json]``."""

from __future__ import annotations

import json
import sys

from benchmarks import (
    audio_calls,
    codecs,
    conference,
    delay,
    drift,
    dtmf,
    fleet,
    parse,
    signalling,
    soak,
    speech_quality,
    startup,
)
from benchmarks._common import exit_code, leave_on_signals, options, parsed

FIGURES = {
    "parse": parse,
    "signalling": signalling,
    "soak": soak,
    "startup": startup,
    "fleet": fleet,
    "audio_calls": audio_calls,
    "codecs": codecs,
    "conference": conference,
    "dtmf": dtmf,
    "drift": drift,
    "delay": delay,
    "speech_quality": speech_quality,
}


def main() -> None:
    leave_on_signals()
    parser = options(__doc__)
    parser.add_argument("figures", nargs="*", help=f"these only: {', '.join(FIGURES)}")
    arguments = parser.parse_args()
    unknown = set(arguments.figures) - set(FIGURES)
    if unknown:
        parser.error(f"no such figure: {', '.join(sorted(unknown))}; there are {', '.join(FIGURES)}")
    reports, code = [], 0
    for name in arguments.figures or FIGURES:
        module = FIGURES[name]
        report = module.measure(parsed(module.parser(), ["--quick"] if arguments.quick else []))
        print(report.as_text(), end="\n\n\n", file=sys.stderr if arguments.json else sys.stdout, flush=True)
        reports.append(report.as_json())
        code = code or exit_code(report, arguments)
    if arguments.json:
        print(json.dumps(reports, indent=1, ensure_ascii=False))
    raise SystemExit(code)


if __name__ == "__main__":
    main()
