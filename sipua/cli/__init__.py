"""The command ``sipua``. Nothing else of the package knows of it.

Kept light: what a subcommand needs is imported when it runs.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run the command with `args` (those of the process by default) and exit with its code."""
    try:
        import click  # noqa: F401 - to tell what is missing
    except ModuleNotFoundError as error:
        if error.name != "click":
            raise
        sys.exit('sipua: the command needs two more packages: pip install "sipua-webrtc[cli]"')
    from sipua.cli.app import run

    sys.exit(run(args))
