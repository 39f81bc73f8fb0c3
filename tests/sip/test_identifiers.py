from __future__ import annotations

import random

import pytest

from sipua.sip import MAGIC_COOKIE, new_branch, new_call_id, new_tag
from sipua.sip.grammar import is_token


@pytest.mark.parametrize(("new", "length"), [(new_branch, 7 + 18), (new_tag, 16), (new_call_id, 32)])
def test_unique_tokens(new, length: int):
    made = [new() for _ in range(1000)]
    assert len(set(made)) == 1000
    assert {len(text) for text in made} == {length}
    assert all(is_token(text) for text in made)


@pytest.mark.parametrize("new", [new_branch, new_tag, new_call_id])
def test_repeatable_with_a_generator_of_ones_own(new):
    assert new(random.Random(1)) == new(random.Random(1)) != new(random.Random(2))


def test_branches_have_the_cookie():
    assert new_branch().startswith(MAGIC_COOKIE)
