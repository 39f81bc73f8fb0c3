"""One Python library as a parser under measurement; benchmarks/node/parse.mjs is the same under Node.

Reads JSON messages from the file named; then one command a line on stdin, one JSON answer a line on stdout:
``values`` what was read from the first messages, to show that all libraries read the same;
``run`` one pass over all messages: CPU seconds of this process, and messages.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

CHECKED = 100
"""Messages whose values are compared between the libraries."""


def read(message: Any) -> tuple[Any, ...]:
    """Fields of every typed value asked for, so that no library can put its parsing off."""
    via, sender, recipient, cseq = message.via[0], message.from_address, message.to_address, message.cseq
    return (
        (via.host, via.parameters["branch"]),
        (sender.name, sender.uri.user, sender.uri.host, sender.parameters["tag"]),
        (recipient.uri.user, recipient.uri.host),
        (cseq.sequence, cseq.method),
        [(address.uri.user, address.uri.host) for address in message.contact],
        [(address.uri.host, address.uri.port) for address in message.record_route],
        message.content_type.mime_type,
    )


def parser(library: str) -> tuple[Callable[[Any], Any], Callable[[str], Any]]:
    """The library's parse function, and what makes its input of a text frame."""
    if library == "sipmessage":
        import sipmessage

        return sipmessage.Message.parse, str.encode
    from sipua.sip import parse_message

    return parse_message, str


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--library", required=True, choices=["sipua", "sipmessage"])
    arguments.add_argument("--messages", required=True, type=Path)
    options = arguments.parse_args()
    parse, prepare = parser(options.library)
    messages = [prepare(text) for text in json.loads(options.messages.read_text())]

    for command in sys.stdin:
        if command.strip() == "values":
            answer: Any = [read(parse(message)) for message in messages[:CHECKED]]
        else:
            started = time.process_time()
            for message in messages:
                read(parse(message))
            answer = {"cpu_s": time.process_time() - started, "messages": len(messages)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
