"""The command ``sipua``. Nothing else of the package knows of it.

Kept light: what a subcommand needs is imported when it runs.
"""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Sequence


#: What no command can do without; the rest of the extra ``cli`` is for terminals.
PACKAGES = ("click", "platformdirs", "tomlkit")


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run the command with `args` (those of the process by default) and exit with its code."""
    if any(importlib.util.find_spec(name) is None for name in PACKAGES):
        sys.exit('sipua: the command needs a few more packages: pip install "sipua-webrtc[cli]"')
    from sipua.cli.app import run

    sys.exit(run(args))
