"""Signed identity through a proxy: what is signed must arrive as it was."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from sipua import IdentitySigner, IdentityVerifier
from tests.interop.test_calls import registered
from tests.lab.peers import KamailioPeer
from tests.passport.authority import Holder, domain


@pytest.mark.parametrize("compact", [False, True], ids=["full", "compact"])
async def test_through_kamailio(kamailio: KamailioPeer, compact: bool) -> None:
    start = time.time() - 60
    root = Holder("root", ca=True, start=start)
    own = Holder("lab", domain(kamailio.domain), issuer=root, start=start)
    signer = IdentitySigner(own.key_pem, "https://certs.example.com/lab.pem", compact=compact)
    verifier = IdentityVerifier(root.pem, lambda url: own.pem, policy="require")
    async with (
        registered(kamailio, "alice", identity_signer=signer) as alice,
        registered(kamailio, "bob", identity_verifier=verifier) as bob,
    ):
        coming: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        bob.on("new_rtc_session", lambda event: coming.set_result(event.session))
        call = alice.call("bob")
        arrived = await asyncio.wait_for(coming, 10)
        check = arrived.remote_identity_check
        assert check.is_valid, check
        assert check.covers_media
        assert check.claims.orig.value == f"sip:alice@{kamailio.domain}"
        arrived.answer()
        await asyncio.wait_for(call.wait_confirmed(), 10)
        await call.terminate()
