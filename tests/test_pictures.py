"""Each screen of the phone has its picture, and docs/cli.md shows it."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from textual.screen import ModalScreen
from textual.widgets import Input

from docs.pictures import PICTURES, Picture
from sipua.cli.phone.screen import dial, dialogs
from sipua.cli.phone.screen.keys import PAGES

DOCS = Path(__file__).parent.parent / "docs"


def defined(module: object, kind: type) -> set[str]:
    """The names of the classes of this kind that a module defines."""
    found = inspect.getmembers(module, inspect.isclass)
    return {name for name, each in found if issubclass(each, kind) and each.__module__ == module.__name__}  # type: ignore[attr-defined]


def test_each_screen_has_a_picture() -> None:
    pages = {name for name, *_ in PAGES}
    assert {picture.of for picture in PICTURES.values()} == {
        *pages,
        *defined(dialogs, ModalScreen),
        *defined(dial, Input),
    }


def test_the_pictures_are_there_and_shown() -> None:
    page = (DOCS / "cli.md").read_text("utf-8")
    names = {Picture.file(name) for name in PICTURES}
    names |= {Picture.file(name, large=True) for name, picture in PICTURES.items() if picture.large}
    assert {path.name for path in (DOCS / "images").glob("phone-*.svg")} == names
    for name, picture in PICTURES.items():
        assert f"![{picture.caption}](images/{Picture.file(name)})" in page
        if picture.large:
            assert f"(images/{Picture.file(name, large=True)})" in page


def test_they_show_what_they_should() -> None:
    for name, picture in PICTURES.items():
        text = (DOCS / "images" / Picture.file(name)).read_text("utf-8")
        shown = re.sub(r"<[^>]+>", "", text).replace("&#160;", " ")
        assert "alice" in shown, name
        title = next((title for page, _, title, _ in PAGES if page == picture.of), None)
        assert title is None or title in shown, name
