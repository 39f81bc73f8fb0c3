"""``python -m sipua``: the command ``sipua``."""

from sipua.cli import main

main()
