"""An embedded SIP server for demonstrations and tests: registrar, proxy and call apps. Not for production.

::

    async with Server({"alice": "secret"}) as server:
        print(server.url)
"""

from sipua.server.accounts import Account, load_accounts
from sipua.server.apps import APPS, App
from sipua.server.core import Limits
from sipua.server.registrar import RegistrarPolicy
from sipua.server.server import Server

__all__ = ["APPS", "Account", "App", "Limits", "RegistrarPolicy", "Server", "load_accounts"]
