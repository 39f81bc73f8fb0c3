"""Where the certificates behind ``x5u`` URLs come from."""

from __future__ import annotations

import asyncio
import http.client
import ipaddress
import re
import socket
import ssl
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sipua.passport.verifier import MAX_CERTIFICATE

if TYPE_CHECKING:
    from collections.abc import Collection
    from os import PathLike

_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,127}")
#: Certificates that are kept, at most.
_KEPT = 256


class CertificateDirectory:
    """Certificates in files of a directory: the last part of the URL's path is the name.

    ``https://certs.example.org/passport.pem`` is ``passport.pem``, whatever the host: trust comes from the anchors.
    """

    def __init__(self, directory: str | PathLike[str]) -> None:
        self._directory = Path(directory)

    def __call__(self, url: str) -> bytes:
        """The file for `url`.

        :raises OSError: there is none.
        :raises ValueError: the URL has no file name.
        """
        name = urlsplit(url).path.rpartition("/")[2]
        if not _FILE_NAME.fullmatch(name):
            raise ValueError("the URL does not end in the name of a file")
        return (self._directory / name).read_bytes()


class HttpsCertificates:
    """Certificates from the Web, by GET over https.

    The URL is the caller's choice, so care is taken where it leads: https only, redirections are not followed, only
    public addresses, at most 64 KiB, in time. What was got is kept for an hour.

    :param hosts: names of hosts that may be asked, and no others; these may have private addresses.
    :param ca_file: PEM file with authorities for the https servers; by default the system's.
    :param timeout: seconds that one certificate may take.
    :param keep: seconds that a certificate is kept.
    """

    def __init__(
        self,
        *,
        hosts: Collection[str] | None = None,
        ca_file: str | PathLike[str] | None = None,
        timeout: float = 5.0,
        keep: float = 3600.0,
    ) -> None:
        self._hosts = None if hosts is None else frozenset(host.lower() for host in hosts)
        self._context = ssl.create_default_context(cafile=ca_file)
        self._timeout = timeout
        self._keep = keep
        self._kept: dict[str, tuple[float, bytes]] = {}

    async def __call__(self, url: str) -> bytes:
        """What is behind `url`.

        :raises OSError: it cannot be had.
        :raises ValueError: a URL that is not to be used, or an answer that is none.
        """
        loop = asyncio.get_running_loop()
        kept = self._kept.get(url)
        if kept is not None and kept[0] > loop.time():
            return kept[1]
        data = await loop.run_in_executor(None, self._get, url)
        if len(self._kept) >= _KEPT:
            self._kept.pop(next(iter(self._kept)))
        self._kept[url] = (loop.time() + self._keep, data)
        return data

    def _get(self, url: str) -> bytes:
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        if parts.scheme.lower() != "https" or not host or parts.username is not None:
            raise ValueError("not an https URL")
        if self._hosts is not None and host not in self._hosts:
            raise ValueError(f"{host} is not to be asked")
        deadline = time.monotonic() + self._timeout
        connection = _Connection(host, parts.port, self._context, self._timeout, public=self._hosts is None)
        try:
            connection.request("GET", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
            response = connection.getresponse()
            if response.status != 200:
                raise ValueError(f"the server answers {response.status}")
            return _read(response, deadline)
        except http.client.HTTPException as error:
            raise ValueError(f"not an HTTP answer: {error!r}") from None
        finally:
            connection.close()


class _Connection(http.client.HTTPSConnection):
    """One that connects to the address that was looked at: looked up again, the name might lead elsewhere."""

    def __init__(
        self, host: str, port: int | None, context: ssl.SSLContext, timeout: float, *, public: bool
    ) -> None:
        super().__init__(host, port, context=context, timeout=timeout)
        self._tls = context
        self._public = public

    def connect(self) -> None:
        found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, address = found[0]
        if self._public and not all(ipaddress.ip_address(one[4][0]).is_global for one in found):
            raise ValueError(f"{self.host} is not a public address")
        plain = socket.socket(family, kind, protocol)
        try:
            plain.settimeout(self.timeout)
            plain.connect(address)
            self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)
        except BaseException:
            plain.close()
            raise


def _read(response: http.client.HTTPResponse, deadline: float) -> bytes:
    data = b""
    while chunk := response.read1(MAX_CERTIFICATE + 1 - len(data)):
        data += chunk
        if len(data) > MAX_CERTIFICATE:
            raise ValueError("more than a certificate")
        if time.monotonic() > deadline:
            raise TimeoutError("the server is too slow")
    return data
