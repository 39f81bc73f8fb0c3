from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from sipua.cli.phone.call import PhoneCall


async def test_the_loss_is_that_of_the_last_seconds(
    make_phone: Any, make_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = SimpleNamespace(packets_received=0, packets_lost=0)
    async with (
        make_server() as server,
        make_phone(server, "alice") as (alice, _),
        make_phone(server, "bob"),
    ):
        call = alice.dial("bob")
        with monkeypatch.context() as patched:
            patched.setattr(PhoneCall, "stats", figures)
            assert call.recent_loss(0.0) is None
            figures.packets_received += 40
            figures.packets_lost += 10
            assert call.recent_loss(1.0) == 0.2
            for second in range(2, 60):
                figures.packets_received += 50
                loss = call.recent_loss(float(second))
            assert loss == 0.0
            figures.packets_lost -= 5  # they come late
            assert call.recent_loss(60.0) == 0.0
            for second in range(61, 100):
                loss = call.recent_loss(float(second))
            assert loss is None
