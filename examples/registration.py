"""Registration: several servers, what the registrar says, and what happens when something goes wrong.

python -m examples.registration ws://127.0.0.1:8080/ [ws://other:8080/ ...]      (alice, password secret)

The first server is preferred; the others are for when it fails.
"""

import asyncio
import sys

from sipua import UA, RegistrationFailed, RegistrationUnauthorized, TransportError, events


async def main(*urls: str, password: str = "secret") -> None:
    ua = UA(
        "sip:alice@example.com",
        sockets=[(url, len(urls) - number) for number, url in enumerate(urls)],  # (URL, weight)
        password=password,
        register_expires=300,
    )

    def disconnected(event: events.Disconnected) -> None:
        if event.error is not None:
            print(f"{event.url}: {type(event.error).__name__}")

    ua.on("disconnected", disconnected)
    ua.on("connected", lambda event: print(f"connected to {event.url}"))
    ua.on("registered", lambda event: print(f"registered for {event.expires:.0f} s"))
    ua.on("unregistered", lambda event: print(f"unregistered: {event.cause or 'as we wanted'}"))
    ua.on("registration_failed", lambda event: print(f"{event.cause}; next try in {event.retry_after} s"))
    try:
        async with ua:  # entered when registered, left unregistered
            bindings = (await ua.registrator().fetch_bindings()).contact
            print(f"the registrar knows {len(bindings)} address of ours")
    except RegistrationUnauthorized as error:
        print(f"wrong name or password ({error.status_code})")
    except RegistrationFailed as error:
        print(f"not registered: {error}")
    except TransportError as error:
        print(f"no server: {error}")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
