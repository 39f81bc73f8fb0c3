"""The pages under docs: their links lead somewhere, the README leads to them, and their examples are there and run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs").glob("*.md"))
README = (ROOT / "README.md").read_text()
#: Pages that are about no part of the interface, and have no example.
WITHOUT_EXAMPLE = {"cli", "coming-from-jssip", "design", "doctor", "flows", "performance"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\((?!http)([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / link).exists(), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_readme_leads_there(page: Path) -> None:
    assert f"(docs/{page.name})" in README


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_examples_exist(page: Path) -> None:
    named = re.findall(r"examples/(\w+)\.py", page.read_text())
    assert named or page.stem in WITHOUT_EXAMPLE
    for name in named:
        assert (ROOT / "examples" / f"{name}.py").exists()


def test_every_example_is_on_a_page() -> None:
    texts = README + "".join(page.read_text() for page in PAGES)
    for example in (ROOT / "examples").glob("*.py"):
        assert (
            f"examples/{example.name}" in texts
            or f"examples.{example.stem}" in texts
            or example.stem == "demo"
        )
