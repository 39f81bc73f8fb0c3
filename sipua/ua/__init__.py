"""The user agent: configuration, connection, registration, requests."""

from sipua.ua.config import Configuration
from sipua.ua.ua import UA

__all__ = ["UA", "Configuration"]
