"""What users type to say whom to call, as URIs."""

from __future__ import annotations

import re

from sipua.errors import InvalidTargetError
from sipua.sip import URI

#: What can be called, asked or told something.
SCHEMES = ("sip", "sips", "tel")
#: Bytes of a target; anything longer is no address but an accident.
MAX_LENGTH = 1024
#: Characters that no name, address or header shows: controls, line and paragraph separators, halves of characters.
CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

_NUMBER = re.compile(r"\+?[0-9\s().\-*#]*[0-9][0-9\s().\-*#]*")
_HINT = "give a user name, a number or a SIP address"


def normalize_target(target: str | URI, domain: URI) -> URI:
    """What the user typed, as a URI: a SIP, SIPS or tel URI as it is, a name or number at our own `domain`.

    Visual separators are taken out of numbers (``+1 (555) 123-4567``).

    :raises InvalidTargetError: it is none of these, or longer than 1 KiB.
    """
    if not isinstance(target, str | URI):
        raise InvalidTargetError(f"{target!r:.200}: not a target; {_HINT}")
    text = str(target).strip()
    if len(text.encode("utf-8", "surrogatepass")) > MAX_LENGTH:
        raise InvalidTargetError(f"{text[:60]!r}…: not a target: more than {MAX_LENGTH} bytes")
    if not text or CONTROLS.search(text):
        raise _refused(text)
    if isinstance(target, URI):
        uri = target
    else:
        is_uri = text.lower().startswith(tuple(f"{scheme}:" for scheme in SCHEMES))
        candidate = text if is_uri else _at_domain(text, domain)
        try:
            uri = URI.parse(candidate)
        except ValueError:
            example = "tel:+15551234" if candidate[:4].lower() == "tel:" else "sip:bob@example.com"
            raise InvalidTargetError(f"{text!r}: not a target; an address looks like {example}") from None
    if uri.scheme not in SCHEMES:
        raise _refused(text)
    if uri.scheme != "tel" and not uri.host:
        raise InvalidTargetError(f"{text!r}: not a target: no host")
    return uri


def request_target(target: str | URI, domain: URI) -> URI:
    """As `normalize_target`, for a Request-URI and an address in From or To.

    These carry neither headers nor a method (:rfc:`3261#section-19.1.1`). They are not taken from the URI silently:
    a link must not be able to forge headers of ours (:rfc:`3261#section-19.1.5`), the application can.

    :raises InvalidTargetError: also for a URI with headers or a method.
    """
    uri = normalize_target(target, domain)
    if uri.headers:
        raise InvalidTargetError(
            f"{uri}: not a target: it carries headers; leave out what follows the '?' and give extra_headers"
        )
    if "method" in uri.parameters:
        raise InvalidTargetError(f"{uri}: not a target: it says which method to use; leave out ';method='")
    return uri


def host_port(uri: URI) -> str:
    """The host of a URI, with its port if it has one."""
    return uri.host if uri.port is None else f"{uri.host}:{uri.port}"


def _at_domain(text: str, domain: URI) -> str:
    user, at, host = text.rpartition("@")
    if not at:
        user, host = text, host_port(domain)
    if _NUMBER.fullmatch(user):
        user = re.sub(r"[\s().\-]", "", user)
    # What is before a colon would be a scheme that cannot be called, or what is behind it a password.
    if not user or re.search(r"[\s<>\"@:]", user):
        raise _refused(text)
    return f"{domain.scheme}:{user.replace('#', '%23')}@{host}"


def _refused(text: str) -> InvalidTargetError:
    return InvalidTargetError(f"{text!r}: not a target; {_HINT}")
