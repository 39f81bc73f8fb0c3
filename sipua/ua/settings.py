"""Configuration of a user agent that runs: reading it, and changing what may be changed."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from sipua.errors import ConfigurationError
from sipua.ua.config import changed

if TYPE_CHECKING:
    from sipua.ua.ua import UA


def get(ua: UA, key: str) -> Any:
    """What `UA.get` does."""
    if key not in {field.name for field in fields(ua.configuration)}:
        raise ConfigurationError(key, None, "there is no such key")
    return getattr(ua.configuration, key)


def change(ua: UA, key: str, value: Any) -> None:
    """What `UA.set` does."""
    ua.configuration = changed(ua.configuration, key, value)
    ua.identity.use(ua.configuration)
    if ua._transport is None:
        return
    if key == "extra_headers":
        ua.set_extra_headers(ua.configuration.extra_headers)
    elif key != "display_name":
        ua.endpoint.authenticator = ua.identity.authenticator(ua.rand)
