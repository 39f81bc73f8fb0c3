"""A message for each section of :rfc:`4475`, Session Initiation Protocol (SIP) Torture Test Messages."""

from __future__ import annotations

from sipua.sip import URI

from .case import DROPPED, SDP, TAKEN, Case, message, request, response

SDP_TYPE = "Content-Type: application/sdp"

VALID = [
    Case(
        "3.1.1.1",
        "a short tortuous INVITE",
        message(
            "INVITE sip:robin@nest.example.org;oddparam SIP/2.0",
            "TO :\n sip:robin@nest.example.org ;   tag    = 2718281828n",
            'from   : "W \\\\\\""       <sip:wren@example.com>\n  ;\n  tag = 31jk4',
            "mAx-FoRwArDs: 0070",
            "Call-ID: tortuous.1@192.0.2.7",
            f"Content-Length   : 0{len(SDP)}",
            "cSeQ: 0012\n  INVITE",
            "Via  : SIP  /   2.0\n /UDP\n    192.0.2.8;branch=1old",
            "s :",
            "OddHeader:   odd value\n continued odd value",
            "OddHeaderWithSeparators: ,;;,,;;",
            SDP_TYPE,
            "Route:\n <sip:proxy.example.net;lr;odd=value;odd-flag>",
            "v:  SIP  / 2.0  / TCP     host.example.net   ;\n  branch  =   z9hG4bK2  ,\n"
            " SIP  /    2.0   / UDP  192.0.2.9   ; branch=\n z9hG4bK3",
            'm:"Quoted \\"\\"" <sip:wren@example.com> ; odd =\n      value ;\n  flag ; q = 0.25',
            body=SDP,
        ),
        reads=lambda m: (
            m.to_tag,
            m.from_address.name,
            m.from_tag,
            m.max_forwards,
            str(m.cseq),
            [(via.transport, via.host, via.branch) for via in m.via],
            m.subject,
            m.headers["OddHeader"],
            m.headers["oddheaderwithseparators"],
            m.route[0].uri.parameters["odd"],
            (
                m.contact[0].name,
                m.contact[0].parameters["odd"],
                "flag" in m.contact[0].parameters,
                m.contact[0].q,
            ),
            m.uri.parameters["oddparam"],
            m.body == SDP,
        ),
        gives=(
            "2718281828n",
            'W \\"',
            "31jk4",
            70,
            "0012 INVITE",
            [
                ("UDP", "192.0.2.8", "1old"),
                ("TCP", "host.example.net", "z9hG4bK2"),
                ("UDP", "192.0.2.9", "z9hG4bK3"),
            ],
            "",
            "odd value continued odd value",
            ",;;,,;;",
            "value",
            ('Quoted ""', "value", True, 0.25),
            None,
            True,
        ),
    ),
    Case(
        "3.1.1.2",
        "a wide range of valid characters",
        message(
            "!odd-Method0123456789_*+`.%indeed'~ sip:1_odd.URI~(quite!so)&isn't+it$/mad?,/;;*"
            ":&it+has=1,odd!*pas$wo~d_too.(doesn't-it)@example.org SIP/2.0",
            "Via: SIP/2.0/TCP host.example.com;branch=z9hG4bK-.!%66*_+`'~",
            'To: "BEL:\\\x07 NUL:\\\x00 DEL:\\\x7f" <sip:1_odd.URI~(quite!so)&isn\'t+it$/mad?,/;;*@example.org>',
            "From: token1~` token2'+_ token3*%!.- <sip:plain@example.com>"
            ";fromParam''~+*_!.-%=\"работающий\";tag=_token~1'+`*%!-.",
            "Call-ID: odd.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{",
            "CSeq: 139122385 !odd-Method0123456789_*+`.%indeed'~",
            "Max-Forwards: 255",
            "extensionHeader-!.%*+_`'~:\ufeff大停電",
        ),
        reads=lambda m: (
            m.method,
            m.uri.user,
            m.uri.password,
            m.uri.host,
            m.branch,
            m.to_address.name,
            m.to_address.uri.user,
            m.from_address.name,
            m.from_address.parameters["fromparam''~+*_!.-%"],
            m.from_tag,
            m.call_id,
            m.headers["EXTENSIONHEADER-!.%*+_`'~"],
        ),
        gives=(
            "!odd-Method0123456789_*+`.%indeed'~",
            "1_odd.URI~(quite!so)&isn't+it$/mad?,/;;*",
            "&it+has=1,odd!*pas$wo~d_too.(doesn't-it)",
            "example.org",
            "z9hG4bK-.!%66*_+`'~",
            "BEL:\x07 NUL:\x00 DEL:\x7f",
            "1_odd.URI~(quite!so)&isn't+it$/mad?,/;;*",
            "token1~` token2'+_ token3*%!.-",
            "работающий",
            "_token~1'+`*%!-.",
            "odd.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{",
            "\ufeff大停電",
        ),
        asked={"allow": ("INVITE",)},
        answer=405,
    ),
    Case(
        "3.1.1.3",
        "percent escapes",
        request(
            "INVITE",
            "To: sip:%72obi%6e@example.org",
            "From: <sip:I%20have%20spaces@example.com>;tag=938",
            "C: application/sdp",
            "Contact:\n  <sip:wr%65n@host.example.com;%6C%72;n%61me=v%61lue%25%34%31>",
            uri="sip:sips%3Arobin%40example.org@example.net",
            body=SDP,
        ),
        reads=lambda m: (
            m.uri.user,
            m.uri.host,
            m.to_address.uri.matches(URI.parse("sip:robin@example.org")),
            m.from_address.uri.user,
            dict(m.contact[0].uri.parameters),
            m.contact[0].uri.matches(URI.parse("sip:wren@host.example.com;lr;name=value%2541")),
            m.content_type.mime_type,
        ),
        gives=(
            "sips:robin@example.org",
            "example.net",
            True,
            "I have spaces",
            {"lr": None, "name": "value%41"},
            True,
            "application/sdp",
        ),
    ),
    Case(
        "3.1.1.4",
        "escaped NULs in URIs",
        request(
            "REGISTER",
            "To: sip:null-%00-null@example.org",
            "L:0",
            "Contact: <sip:%00@host.example.com>",
            "Contact: <sip:%00%00@host.example.com>",
            uri="sip:example.org",
            without="content-length",
        ),
        reads=lambda m: (m.to_address.uri.user, [contact.uri.user for contact in m.contact]),
        gives=("null-\0-null", ["\0", "\0\0"]),
    ),
    Case(
        "3.1.1.5",
        "percent signs that escape nothing",
        request(
            "RE%47IST%45R",
            'To: "%Z%45" <sip:robin@example.org>',
            "Via: SIP/2.0/TCP host.example.com;branch=z9hG4bK%fzsnel",
            "Contact: <sip:one@host1.example.com>",
            "C%6Fntact: <sip:two@host2.example.com>",
            "Contact: <sip:three@host3.example.com>",
        ),
        reads=lambda m: (
            m.method,
            m.to_address.name,
            m.branch,
            [contact.uri.user for contact in m.contact],
            m.headers["C%6Fntact"],
        ),
        gives=(
            "RE%47IST%45R",
            "%Z%45",
            "z9hG4bK%fzsnel",
            ["one", "three"],
            "<sip:two@host2.example.com>",
        ),
        asked={"allow": ("REGISTER",)},
        answer=405,
    ),
    Case(
        "3.1.1.6",
        "no space between display name and <",
        request("OPTIONS", "From: wren<sip:wren@example.com>;tag=323"),
        reads=lambda m: (m.from_address.name, m.from_address.uri.user, m.from_tag),
        gives=("wren", "wren", "323"),
    ),
    Case(
        "3.1.1.7",
        "long values in header fields",
        request(
            "INVITE",
            f'To: "{"far " * 40}away"<sip:robin@example.org:6000;{"p" * 200}=short;{"q" * 300}>',
            f"F: sip:{'wren' * 40}@example.com;tag={'12' * 120};{'n' * 200}={'v' * 200};{'w' * 150}",
            f"Call-ID: {'really' * 40}longcallid",
            f"Unknown-{'Long' * 30}-Name: unknown-{'long' * 30}-value",
            "Via: SIP/2.0/TCP sip33.example.com",
            *(
                f"v: SIP/2.0/TCP sip{n}.example.com;branch=z9hG4bK{n}.{'long' * 10}branch{n}"
                for n in range(32, 0, -1)
            ),
            f"Contact: <sip:{'wren' * 40}@host.example.com>",
            SDP_TYPE,
            without="from",
            body=SDP,
        ),
        reads=lambda m: (
            len(m.via),
            m.via[-1].host,
            m.branch,
            len(m.from_tag),
            len(m.call_id),
            len(m.to_address.uri.parameters),
        ),
        gives=(33, "sip1.example.com", None, 240, 250, 2),
    ),
    Case(
        "3.1.1.8",
        "octets beyond the end",
        request("REGISTER", "Content-Length: 0")
        + b"\r\n"
        + request("INVITE", SDP_TYPE, mark="second", body=SDP),
        reads=lambda m: (m.method, m.body, bytes(m) == request("REGISTER", "Content-Length: 0")),
        gives=("REGISTER", b"", True),
        same=False,
    ),
    Case(
        "3.1.1.9",
        "semicolons in the user part",
        request("OPTIONS", uri="sip:robin;par=u%40example.net@example.org"),
        reads=lambda m: (m.uri.user, m.uri.host, len(m.uri.parameters)),
        gives=("robin;par=u@example.net", "example.org", 0),
    ),
    Case(
        "3.1.1.10",
        "varied and unknown transports",
        request(
            "OPTIONS",
            "Via: SIP/2.0/UDP t1.example.org;branch=z9hG4bK1",
            "Via: SIP/2.0/SCTP t2.example.com;branch=z9hG4bK2",
            "Via: SIP/2.0/TLS t3.example.org;branch=z9hG4bK3",
            "Via: SIP/2.0/PIGEON t4.example.com;branch=z9hG4bK4",
            "Via: SIP/2.0/TCP t5.example.org;branch=z9hG4bK5",
        ),
        reads=lambda m: [via.transport for via in m.via],
        gives=["UDP", "SCTP", "TLS", "PIGEON", "TCP"],
    ),
    Case(
        "3.1.1.11",
        "a multipart body",
        request(
            "MESSAGE",
            'Content-Type: multipart/mixed;boundary="edge, of:parts"',
            "MIME-Version: 1.0",
            body=b"--edge, of:parts\r\nContent-Type: text/plain\r\n\r\nHello\r\n--edge, of:parts\r\n"
            b"Content-Type: application/octet-stream\r\n\r\n" + bytes(range(256)) + b"\r\n--edge, of:parts--",
        ),
        reads=lambda m: (
            m.content_type.mime_type,
            m.content_type.parameters["boundary"],
            m.mime_version,
            bytes(range(256)) in m.body,
        ),
        gives=("multipart/mixed", "edge, of:parts", "1.0", True),
    ),
    Case(
        "3.1.1.12",
        "an unusual reason phrase",
        response("200 = 2**3 * 5**2 но сто девяносто девять - простое", SDP_TYPE, body=SDP),
        reads=lambda m: (m.code, m.phrase),
        gives=(200, "= 2**3 * 5**2 но сто девяносто девять - простое"),
    ),
    Case(
        "3.1.1.13",
        "an empty reason phrase",
        response("100 "),
        reads=lambda m: (m.code, m.phrase),
        gives=(100, ""),
    ),
]

INVALID = [
    Case(
        "3.1.2.1",
        "extraneous separators",
        request(
            "INVITE",
            "Via: SIP/2.0/UDP 192.0.2.15;;,;,,",
            'Contact: "Joe" <sip:joe@example.org>;;;;',
            SDP_TYPE,
            body=SDP,
        ),
        fate=400,
    ),
    Case(
        "3.1.2.2",
        "a Content-Length beyond the message",
        request("INVITE", SDP_TYPE, "Content-Length: 9999", body=SDP),
        fate=400,
    ),
    Case(
        "3.1.2.3",
        "a negative Content-Length",
        request("INVITE", SDP_TYPE, "Content-Length: -999", body=SDP),
        fate=400,
    ),
    Case(
        "3.1.2.4",
        "overlarge numbers in a request",
        request(
            "REGISTER",
            "CSeq: 36893488147419103232 REGISTER",
            "Max-Forwards: 300",
            f"Expires: 1{'0' * 100}",
            "Contact: <sip:wren@host.example.com>\n  ;expires=280297596632815",
            uri="sip:example.org",
        ),
        fate=400,
    ),
    Case(
        "3.1.2.5",
        "overlarge numbers in a response",
        response(
            "503 Service Unavailable",
            "CSeq: 9292394834772304023312 OPTIONS",
            "Retry-After: 949302838503028349304023988",
            'Warning: 1812 overture "In Progress"',
            method="OPTIONS",
        ),
        fate=DROPPED,
    ),
    Case(
        "3.1.2.6",
        "an unterminated quoted string",
        request("INVITE", 'To: "Mr. R. Breast <sip:robin@example.org>', SDP_TYPE, body=SDP),
        fate=400,
    ),
    Case(
        "3.1.2.7",
        "<> around the Request-URI",
        request("INVITE", SDP_TYPE, uri="<sip:robin@example.org>", body=SDP),
        fate=400,
    ),
    Case(
        "3.1.2.8",
        "space inside the Request-URI",
        request("INVITE", SDP_TYPE, uri="sip:robin@example.org; lr", body=SDP),
        fate=400,
    ),
    Case(
        "3.1.2.9",
        "several spaces in the request line",
        message("INVITE  sip:robin@example.org  SIP/2.0", SDP_TYPE, body=SDP),
        fate=400,
    ),
    Case(
        "3.1.2.10",
        "spaces behind the request line",
        message("OPTIONS sip:robin@example.org SIP/2.0  "),
        fate=400,
    ),
    Case(
        "3.1.2.11",
        "escaped header fields in the Request-URI",
        request("INVITE", SDP_TYPE, uri="sip:robin@example.org?Route=%3Csip:example.net%3E", body=SDP),
        fate=400,
    ),
    Case(
        "3.1.2.12",
        "a Date that is not in GMT",
        request("INVITE", "Date: Sat, 01 Jan 2005 16:00:00 EST", SDP_TYPE, body=SDP),
        reads=lambda m: m.date.utctimetuple().tm_hour,
        gives=21,
    ),
    Case(
        "3.1.2.13",
        "no <> around a URI with header fields",
        request(
            "REGISTER",
            "Contact: sip:robin@example.org?Route=%3Csip:sip.example.org%3E",
            uri="sip:example.org",
        ),
        answer=400,
    ),
    Case(
        "3.1.2.14",
        "spaces within an addr-spec",
        request("OPTIONS", 'To: "Breast, Robin" < sip:robin@example.org >'),
        fate=400,
    ),
    Case(
        "3.1.2.15",
        "a display name that is neither tokens nor quoted",
        request("OPTIONS", "From: Wren, Jenny <sip:wren@example.com>;tag=43"),
        fate=400,
    ),
    Case(
        "3.1.2.16",
        "an unknown version",
        message("OPTIONS sip:robin@example.org SIP/7.0", "Via: SIP/7.0/UDP c.example.com;branch=z9hG4bKv7"),
        fate=505,
    ),
    Case(
        "3.1.2.17",
        "another method in CSeq",
        request("OPTIONS", "CSeq: 8 INVITE"),
        fate=400,
    ),
    Case(
        "3.1.2.18",
        "an unknown method and another in CSeq",
        request("NEWMETHOD", "CSeq: 9 INVITE"),
        fate=400,
    ),
    Case(
        "3.1.2.19",
        "an overlarge status code",
        response("4294967301 better not wrap"),
        fate=DROPPED,
    ),
]

TRANSACTION = [
    Case(
        "3.2.1",
        "a branch that is nothing but the cookie",
        request("OPTIONS", "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK"),
        reads=lambda m: m.branch,
        gives="z9hG4bK",
    ),
]

APPLICATION = [
    Case(
        "3.3.1",
        "mandatory header fields missing",
        request("INVITE", SDP_TYPE, without="from to call-id max-forwards", body=SDP),
        fate=400,
    ),
    Case(
        "3.3.2",
        "a Request-URI of an unknown scheme",
        request("OPTIONS", uri="neverHeardOfIt:opaquecontent"),
        reads=lambda m: (m.uri.scheme, m.uri.opaque, str(m.uri)),
        gives=("neverheardofit", "opaquecontent", "neverHeardOfIt:opaquecontent"),
        answer=416,
    ),
    Case(
        "3.3.3",
        "a Request-URI of a scheme that is known and not for this",
        request("OPTIONS", uri="soap.beep://192.0.2.103:3002"),
        reads=lambda m: m.uri.scheme,
        gives="soap.beep",
        answer=416,
    ),
    Case(
        "3.3.4",
        "unknown schemes in header fields",
        request(
            "REGISTER",
            "To: isbn:2983792873",
            "From: <http://www.example.com>;tag=3234233",
            "Contact: <name:Robin_Breast>",
            uri="sip:example.org",
        ),
        reads=lambda m: (
            m.to_address.uri.scheme,
            str(m.from_address.uri),
            m.from_tag,
            m.contact[0].uri.opaque,
        ),
        gives=("isbn", "http://www.example.com", "3234233", "Robin_Breast"),
    ),
    Case(
        "3.3.5",
        "Require with unknown extensions",
        request(
            "OPTIONS",
            "Require: noOneDoesThis, timer, norThis",
            "Proxy-Require: noProxyDoesThis, norThat",
        ),
        asked={"supported": ("timer",)},
        answer=420,
    ),
    Case(
        "3.3.5",
        "Proxy-Require with unknown extensions",
        request("OPTIONS", "Require: noOneDoesThis", "Proxy-Require: noProxyDoesThis"),
        asked={"supported": ("timer",), "proxy": True},
        answer=420,
    ),
    Case(
        "3.3.6",
        "an unknown Content-Type",
        request(
            "INVITE", "Content-Type: application/unknownformat", body=b"<audio>\r\n <pcmu port='49170'/>\r\n"
        ),
        asked={"accept": ("application/sdp",)},
        answer=415,
    ),
    Case(
        "3.3.7",
        "an unknown authorization scheme",
        request(
            "REGISTER",
            'Authorization: NoOneKnowsThisScheme opaque="data, and more" n=1',
            "Authorization: NoOneKnowsThisScheme opaque-data=here",
            uri="sip:example.org",
        ),
        reads=lambda m: m.headers.getlist("Authorization")[1],
        gives="NoOneKnowsThisScheme opaque-data=here",
    ),
    Case(
        "3.3.8",
        "several values where one is required",
        request(
            "INVITE",
            "CSeq: 5 INVITE",
            "Call-ID: one@192.0.2.1",
            "CSeq: 59 INVITE",
            "Call-ID: two@192.0.2.2",
            "From: sip:wren@example.com;tag=3413415",
            "To: sip:robin@example.org",
            "To: sip:other@example.net",
            "From: sip:wren@example.net;tag=2923420123",
            "Max-Forwards: 70",
            "Max-Forwards: 5",
            SDP_TYPE,
            body=SDP,
        ),
        fate=400,
    ),
    Case(
        "3.3.9",
        "several Content-Lengths",
        request(
            "OPTIONS", "Content-Length: 13", "Content-Length: 5", body=b"No way to know where this ends."
        ),
        fate=400,
    ),
    Case(
        "3.3.10",
        "a response that came by broadcast",
        response(
            "200 OK", "Via: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK1324923", "Via: SIP/2.0/UDP 255.255.255.255"
        ),
        reads=lambda m: m.via[1].host,
        gives="255.255.255.255",
    ),
    Case(
        "3.3.11",
        "Max-Forwards of zero, at an endpoint",
        request("OPTIONS", "Max-Forwards: 0"),
        reads=lambda m: m.max_forwards,
        gives=0,
    ),
    Case(
        "3.3.11",
        "Max-Forwards of zero, at a proxy",
        request("OPTIONS", "Max-Forwards: 0"),
        asked={"proxy": True},
        answer=483,
    ),
    Case(
        "3.3.12",
        "REGISTER with a parameter of the contact",
        request("REGISTER", "Contact: sip:+19725552222@gw1.example.net;oddparam", uri="sip:example.org"),
        reads=lambda m: (m.contact[0].parameters, str(m.contact[0].uri)),
        gives=({"oddparam": None}, "sip:+19725552222@gw1.example.net"),
    ),
    Case(
        "3.3.13",
        "REGISTER with a parameter of the URI",
        request("REGISTER", "Contact: <sip:+19725552222@gw1.example.net;oddparam>", uri="sip:example.org"),
        reads=lambda m: (len(m.contact[0].parameters), str(m.contact[0].uri)),
        gives=(0, "sip:+19725552222@gw1.example.net;oddparam"),
    ),
    Case(
        "3.3.14",
        "REGISTER with an escaped header field",
        request(
            "REGISTER",
            "M: <sip:robin@example.org?Route=%3Csip:sip.example.org%3E>",
            "L:0",
            uri="sip:example.org",
            without="content-length",
        ),
        reads=lambda m: (m.contact[0].uri.headers["route"], str(m.contact[0].uri)),
        gives=("<sip:sip.example.org>", "sip:robin@example.org?Route=%3Csip:sip.example.org%3E"),
    ),
    Case(
        "3.3.15",
        "an Accept that takes no SDP",
        request("INVITE", "Accept: text/nobodyKnowsThis, application/odd;q=0.3", SDP_TYPE, body=SDP),
        asked={"accept": ("application/sdp",), "produce": ("application/sdp",)},
        answer=406,
    ),
]

COMPATIBILITY = [
    Case(
        "3.4.1",
        "an INVITE in the syntax of RFC 2543",
        request(
            "INVITE",
            "Via: SIP/2.0/UDP client.example.com",
            "From: sip:wren@example.com",
            "To: sip:robin@example.org",
            SDP_TYPE,
            without="max-forwards content-length",
            body=SDP,
        ),
        reads=lambda m: (m.branch, m.from_tag, m.max_forwards, m.content_length, m.body == SDP),
        gives=(None, None, None, None, True),
    ),
]

CASES = [*VALID, *INVALID, *TRANSACTION, *APPLICATION, *COMPATIBILITY]

SECTIONS = {
    *(f"3.1.1.{n}" for n in range(1, 14)),
    *(f"3.1.2.{n}" for n in range(1, 20)),
    "3.2.1",
    *(f"3.3.{n}" for n in range(1, 16)),
    "3.4.1",
}

__all__ = ["CASES", "SECTIONS", "TAKEN"]
