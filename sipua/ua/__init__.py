"""The user agent: configuration, connection, registration, requests."""

from sipua.ua.config import Configuration
from sipua.ua.notifier import Notifier
from sipua.ua.publication import Publication
from sipua.ua.subscription import Subscriber
from sipua.ua.ua import UA

__all__ = ["UA", "Configuration", "Notifier", "Publication", "Subscriber"]
