"""The lab as a command, in the root of the repository.

    python -m tests.lab run COMMAND...                      starts the servers, runs it, stops them
    python -m tests.lab cli asterisk pjsip show contacts    a command of the running server's own console
    python -m tests.lab cli kamailio ul.dump
    python -m tests.lab render                              writes what examples/compose/compose.yaml mounts

``SIPUA_LAB=compose`` takes the containers of examples/compose instead of the servers that install.sh put on
this machine. ``SIPUA_REQUIRE_LAB=1`` makes a server that is not installed a failure.
"""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from tests.lab import labs, render

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    match arguments:
        case ["run", _, *_]:
            try:
                return labs.run(arguments[1:])
            except (labs.LabError, FileNotFoundError) as error:
                labs.say(f"FAILED: {error}")
                return 1
        case ["cli", "asterisk" | "kamailio" as name, _, *_]:
            return subprocess.call(labs.current().console(name, *arguments[2:]))
        case ["render"]:
            render.render_for_compose()
            return 0
        case _:
            print(__doc__, file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
