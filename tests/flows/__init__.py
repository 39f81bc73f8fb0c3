"""Call flows as data (see `sipua.testing.flow`), figure by figure."""

from tests.flows import (
    jssip_mistakes,
    rfc3261,
    rfc3262,
    rfc3665,
    rfc3891,
    rfc4028,
    rfc5359,
    rfc5407,
    rfc5589,
    rfc5589_several,
    rfc8840,
)

MODULES = (
    jssip_mistakes,
    rfc3261,
    rfc3262,
    rfc3665,
    rfc3891,
    rfc4028,
    rfc5359,
    rfc5407,
    rfc5589,
    rfc5589_several,
    rfc8840,
)
