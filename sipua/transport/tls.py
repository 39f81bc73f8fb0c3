"""TLS settings for wss: verified by default, an own CA file, or a switch that says what it does."""

from __future__ import annotations

import functools
import os
import ssl

from sipua.errors import ConfigurationError


def client_context(ca_file: str | None = None, *, insecure: bool = False) -> ssl.SSLContext:
    """The context for connecting to a wss server. The same object for the same settings and file contents.

    `ca_file` is a PEM file with the certificates to trust, instead of the system's. With `insecure` any
    certificate is taken, for any name.

    :raises ConfigurationError: the file cannot be read or holds no certificate.
    """
    if insecure:
        return _insecure_context()
    if ca_file is None:
        return _system_context()
    try:
        status = os.stat(ca_file)
        return _private_context(ca_file, status.st_mtime_ns, status.st_size)
    except ssl.SSLError:
        raise ConfigurationError("ca_file", ca_file, "holds no certificate in PEM format") from None
    except OSError as error:
        why = f"cannot be read ({error.strerror or error})"
        raise ConfigurationError("ca_file", ca_file, why) from None


# A context is large and slow to make: the system's certificates alone take tens of milliseconds.


@functools.cache
def _system_context() -> ssl.SSLContext:
    return ssl.create_default_context()


@functools.cache
def _insecure_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@functools.lru_cache(maxsize=16)
def _private_context(ca_file: str, _mtime: int, _size: int) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file)
