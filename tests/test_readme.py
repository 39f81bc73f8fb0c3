"""The README's code is the code of examples that run: see test_examples.py."""

from __future__ import annotations

import re
import shlex
import textwrap
from pathlib import Path

import click
import pytest

from sipua.cli.app import COMMANDS, app

ROOT = Path(__file__).parent.parent
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


def test_there_are_three_ways() -> None:
    assert len(BLOCKS) == 3


@pytest.mark.parametrize("block", BLOCKS)
def test_code_of_the_readme_is_in_an_example(block: str) -> None:
    examples = [textwrap.dedent(path.read_text()) for path in (ROOT / "examples").glob("*.py")]
    assert any(block in text for text in examples)


@pytest.mark.parametrize("target", re.findall(r"make (\w+)", (ROOT / "README.md").read_text()))
def test_targets_of_the_readme_exist(target: str) -> None:
    assert re.search(rf"^{target}:.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("link", re.findall(r"\]\((?!http)([^)]+)\)", (ROOT / "README.md").read_text()))
def test_links_of_the_readme_lead_somewhere(link: str) -> None:
    assert (ROOT / link).exists()


# --- the commands -----------------------------------------------------------------------------------------------------


def command_lines(page: str) -> list[list[str]]:
    """Lines that begin with ``sipua`` or ``$ sipua``, up to what the shell takes, as lists of arguments."""
    text = (ROOT / page).read_text().replace("\\\n", " ")
    lines = re.findall(r"^    (?:\$ )?sipua (.*)$", text, re.MULTILINE)
    return [shlex.split(re.split(r" [&|]", line)[0], comments=True) for line in lines]


def parsed(arguments: list[str]) -> click.Context:
    at = app.make_context("sipua", list(arguments))
    while isinstance(at.command, click.Group):
        rest = [*at._protected_args, *at.args]
        name, command, rest = at.command.resolve_command(at, rest)
        assert command is not None
        at = command.make_context(name, rest, parent=at)
    return at


@pytest.mark.parametrize(
    "page", ["README.md", *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
)
def test_the_commands_of_a_page_can_be_read(page: str) -> None:
    for arguments in command_lines(page):
        if not {"[OPTIONS]", "…"} & set(arguments):
            parsed(arguments)


@pytest.mark.parametrize("page", ["README.md", "docs/cli.md.in"])
def test_files_in_the_commands_are_there_or_made_before(page: str) -> None:
    made = set()
    for arguments in command_lines(page):
        given = parsed(arguments).params
        used = [given.get("play"), given.get("script"), given.get("file")]
        for name in filter(None, used):
            assert str(name) in made or (ROOT / name).exists(), f"{arguments}: nobody has made {name}"
        made |= {str(given.get(name)) for name in ("record", "record_stereo", "trace")}


def test_the_readme_shows_every_command() -> None:
    assert {arguments[0] for arguments in command_lines("README.md")} >= set(COMMANDS) - {
        "devices",
        "completion",
    }
