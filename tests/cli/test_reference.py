"""docs/cli.md, the manual page and the schema of the events are those of the commands."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from docs import reference
from sipua.cli.app import COMMANDS
from sipua.cli.events import EVENTS, faults

DOCS = Path(reference.__file__).parent


@pytest.fixture(scope="module")
def pages() -> dict[Path, str]:
    return reference.pages()


@pytest.mark.parametrize("name", ["cli.md", "sipua.1", "events.schema.json"])
def test_it_is_not_stale(name: str, pages: dict[Path, str]) -> None:
    assert (DOCS / name).read_text("utf-8") == pages[DOCS / name], "run: make reference"


def test_everything_is_there(pages: dict[Path, str]) -> None:
    page, manual = pages[DOCS / "cli.md"], pages[DOCS / "sipua.1"]
    for name, summary in COMMANDS.items():
        assert f"\n## sipua {name}\n" in page
        assert summary in page
    for path in reference.paths():
        assert f".SS sipua {path}\n" in manual
        for names, _ in reference.options(path):
            assert f"`{names}`".replace("|", r"\|") in page
    for event in EVENTS:
        assert f"| `{event}` |" in page
    assert "{{" not in page


def test_every_option_is_with_its_command_or_is_one_of_all() -> None:
    common = "And [the options of every command that uses an account]"
    for path in reference.paths():
        at, section = reference.context(path), reference.section(path)
        own = section.partition(f"### sipua {path} ")[0]
        for param in at.command.params:
            if isinstance(param, click.Option):
                is_common = param.name in reference.COMMON and common in own
                assert is_common or f"`{', '.join(param.opts)}" in own, f"{path} {param.opts}"
    assert common in reference.section("call")
    assert common not in reference.section("serve") + reference.section("config add")


def test_commands_without_prose_are_there_all_the_same() -> None:
    page = reference.markdown("{{command call}}\n\n{{others}}")
    assert "## sipua register\n\n    sipua register [OPTIONS]" in page
    assert "## sipua call" not in page


@pytest.mark.skipif(shutil.which("groff") is None, reason="no groff")
def test_the_manual_page_can_be_read(pages: dict[Path, str]) -> None:
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-Kutf8", "-ww", "-z"],
        input=pages[DOCS / "sipua.1"].encode(),
        capture_output=True,
        check=True,
    )
    assert done.stderr == b""


def test_schema_has_every_event(pages: dict[Path, str]) -> None:
    schema = json.loads(pages[DOCS / "events.schema.json"])
    assert [one["properties"]["event"]["const"] for one in schema["oneOf"]] == list(EVENTS)
    for one in schema["oneOf"]:
        assert set(one["required"]) <= set(one["properties"])


def test_every_kind_of_field_is_known() -> None:
    for event in EVENTS.values():
        for kind, _ in event.fields.values():
            assert re.fullmatch(r"(string|integer|number|boolean|array|object|scalar)\??=?", kind)


def test_faults() -> None:
    assert faults("done", {"exit_code": 0}) == []
    assert faults("nothing", {}) == ["nothing: not in the table"]
    assert faults("done", {}) == ["done.exit_code: missing"]
    assert faults("done", {"exit_code": True}) == ["done.exit_code: True is no integer"]
    assert faults("done", {"exit_code": 0, "more": 1}) == ["done.more: not in the table"]
    assert faults("unregistered", {"uri": "x", "cause": None}) == []


def test_defaults_look_alike() -> None:
    told = [text for path in ("register", "call", "load") for _, text in reference.options(path)]
    assert any("(default: 60)" in text for text in told)
    assert any("(default: what the account says, or 600)" in text for text in told)
    assert not any("[default" in text for text in told)
