"""The subcommands: one file each, with the click command as `command`.

A new one needs its file here and its line in `sipua.cli.app.COMMANDS`; `make reference` writes its pages.
"""
