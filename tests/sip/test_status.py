from __future__ import annotations

import pytest

from sipua.sip import REASON_PHRASES, reason_phrase


def test_known_codes():
    assert reason_phrase(200) == "OK"
    assert reason_phrase(487) == "Request Terminated"
    assert reason_phrase(608) == "Rejected"
    assert all(100 <= code <= 699 and phrase for code, phrase in REASON_PHRASES.items())


@pytest.mark.parametrize(
    ("code", "phrase"),
    [(150, "Trying"), (299, "OK"), (399, "Multiple Choices"), (499, "Bad Request"), (599, "Server Internal Error"),
     (699, "Busy Everywhere")],
)  # fmt: skip
def test_others_have_the_phrase_of_their_class(code: int, phrase: str):
    assert reason_phrase(code) == phrase


@pytest.mark.parametrize("code", [0, 99, 700, -1])
def test_not_a_code(code: int):
    with pytest.raises(ValueError, match=str(code)):
        reason_phrase(code)
