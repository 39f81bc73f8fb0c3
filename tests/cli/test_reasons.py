from __future__ import annotations

import pytest

from sipua.cli.reasons import reason_text, reason_words


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (None, None),
        ("gone", "gone"),
        ("nobody is left in the call", "nobody is left in the call"),
        ("Q.850;cause=16", None),
        ("q.850 ;cause=16, SIP;cause=200", None),
        ('SIP;cause=200;text="taken elsewhere", Q.850;cause=102', "taken elsewhere, Q.850 102"),
        ('Q.850;cause=16;text="Normal, \\"call\\" clearing"', 'Normal, "call" clearing'),
        ("because;;cause", "because;;cause"),
    ],
)
def test_reasons(reason: str | None, text: str | None) -> None:
    assert reason_text(reason) == text


@pytest.mark.parametrize(
    ("reason", "words"),
    [(None, None), ("", None), ("gone", "gone"), ("Q.850;cause=17", None), ('SIP;cause=1;text="a b"', "a b")],
)
def test_only_words(reason: str | None, words: str | None) -> None:
    assert reason_words(reason) == words
