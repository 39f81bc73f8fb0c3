"""``sipua completion``: what a shell needs to complete our command lines."""

from __future__ import annotations

import click

from sipua.cli.exits import ExitCode

HELP = """Print the script with which SHELL completes commands, options and accounts.

\b
bash:  echo 'eval "$(sipua completion bash)"' >> ~/.bashrc
zsh:   echo 'eval "$(sipua completion zsh)"' >> ~/.zshrc
fish:  sipua completion fish > ~/.config/fish/completions/sipua.fish
"""


@click.command("completion", help=HELP)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> int:
    """Print it."""
    from click.shell_completion import get_completion_class

    from sipua.cli.app import app

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(app, {}, "sipua", "_SIPUA_COMPLETE").source())
    return ExitCode.OK
