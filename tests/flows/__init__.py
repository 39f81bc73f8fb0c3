"""Call flows as data (see `sipua.testing.flow`), figure by figure."""

from tests.flows import rfc3262, rfc3665, rfc4028, rfc5407

MODULES = (rfc3262, rfc3665, rfc4028, rfc5407)
