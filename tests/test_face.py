"""The public face: what it has, and what it does not load."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import sipua


@pytest.mark.parametrize("name", sipua.__all__)
def test_everything_on_the_list_is_there(name: str) -> None:
    assert getattr(sipua, name) is not None


def test_nothing_else_is_there() -> None:
    with pytest.raises(AttributeError, match="teleport"):
        sipua.teleport


def test_import_loads_no_media_and_no_command() -> None:
    late = ("aiortc", "av", "numpy", "click", "rich", "websockets", "cryptography")
    code = f"import sipua, sys; print(*(m for m in {late} if m in sys.modules))"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip() == ""


def test_every_exception_is_in_the_tree_of_the_docstring() -> None:
    tree = sipua.errors.__doc__ or ""
    for name in sipua.errors.__all__:
        assert name in tree, f"{name} is not drawn"
        assert issubclass(getattr(sipua.errors, name), sipua.SipuaError)


def test_what_a_type_checker_sees_is_what_there_is() -> None:
    tree = ast.parse(Path(sipua.__file__).read_text())
    for_checkers = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.name: node.module
        for node in for_checkers.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert {name for name, home in seen.items() if home == "sipua"} == sipua._MODULES
    assert {
        name: home for name, home in seen.items() if home not in ("sipua", "sipua.errors")
    } == sipua._HOMES
    assert {*seen, "__version__"} == set(sipua.__all__)
