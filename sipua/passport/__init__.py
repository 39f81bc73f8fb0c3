"""Signed identity: who calls, vouched for by a signature over caller, callee, time and media keys.

:rfc:`8224` (the Identity header field) with :rfc:`8225` (PASSporT, the token in it) and ES256. `interface` is what
calls and user agents know of it; `signer` and `verifier` do it, and load ``cryptography`` when they are imported.
"""
