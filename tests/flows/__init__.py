"""Call flows as data (see `sipua.testing.flow`), figure by figure."""

from tests.flows import rfc3665, rfc5407

MODULES = (rfc3665, rfc5407)
