"""What can be wrong with a SIP message, as exceptions. No other module of `sipua.sip` defines one."""


class SipuaError(Exception):
    """The root of every exception that sipua raises on purpose (see `sipua.errors` for the tree)."""


class ParseError(SipuaError, ValueError):
    """A message, header or value that is not valid SIP.

    `status` is the final response that the sender of a *request* should get (400, 413, 416, 420, 482, 483,
    505, 513 …), or None where the only answer is to drop what came (a response, an ACK, or something that cannot
    be answered because it has no Via or CSeq). `headers` are extra headers for that
    response, such as ``Unsupported``. `request` holds as much of the request as could be read, so that the
    response can be built; it is None when nothing can be answered.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        phrase: str | None = None,
        headers: tuple[tuple[str, str], ...] = (),
        request: object | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.phrase = phrase
        self.headers = headers
        self.request = request


class InvalidHeaderError(SipuaError, ValueError):
    """A header name or value that the application gave and that must not go on the wire (CR, LF, NUL, …)."""


class InvalidTargetError(SipuaError, ValueError):
    """A call, message or transfer target that is neither a user name nor a SIP, SIPS or tel URI."""


class AuthenticationError(SipuaError):
    """A challenge that cannot be answered: no supported algorithm, no password, or refused again and again."""
