from __future__ import annotations

import pytest
import sipmessage

from sipua.sip import URI, Address, CSeq, InvalidHeaderError, MediaType, NameAddr, Parameters, ParseError, Via


class TestAddress:
    @pytest.mark.parametrize(
        ("text", "name", "uri", "parameters"),
        [
            ("sip:a@b", "", "sip:a@b", {}),
            ("sip:a@b;tag=1", "", "sip:a@b", {"tag": "1"}),
            ("<sip:a@b>", "", "sip:a@b", {}),
            ("<sip:a@b;lr>;x", "", "sip:a@b;lr", {"x": None}),
            ("<sip:a@b?c=d>", "", "sip:a@b?c=d", {}),
            ("A B  <sip:a@b>;tag=1", "A B", "sip:a@b", {"tag": "1"}),
            ("A<sip:a@b>", "A", "sip:a@b", {}),
            ('"A \\"B\\" <c>, d" <sip:a@b>;tag=1', 'A "B" <c>, d', "sip:a@b", {"tag": "1"}),
            ('""<sip:a@b>', "", "sip:a@b", {}),
            ("Jürgen <sip:a@b>", "Jürgen", "sip:a@b", {}),
            ('"大停電" <sip:a@b>', "大停電", "sip:a@b", {}),
            ("<tel:+1>;tag=1", "", "tel:+1", {"tag": "1"}),
            ("tel:+1;tag=1", "", "tel:+1", {"tag": "1"}),
            ("<urn:service:sos>", "", "urn:service:sos", {}),
            ("sip:[::1]:5060;x=y", "", "sip:[::1]:5060", {"x": "y"}),
            ('<sip:a@b> ; +x = "<urn:a>" ; ob', "", "sip:a@b", {"+x": "<urn:a>", "ob": None}),
            ("<sip:a,b;c@d>", "", "sip:a,b;c@d", {}),
            ('"a\\\\" <sip:a@b>', "a\\", "sip:a@b", {}),
        ],
    )  # fmt: skip
    def test_reading(self, text: str, name: str, uri: str, parameters: dict):
        address = Address.parse(text)
        assert address.name == name
        assert str(address.uri) == uri
        assert address.parameters == parameters
        assert str(address) == text

    def test_latin_1_name(self):
        text = b'"J\xfcrgen" <sip:a@b>'.decode("utf-8", "surrogateescape")
        assert Address.parse(text).name == "Jürgen"
        assert str(Address.parse(text)) == text

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "a",
            "*",
            "<>",
            "<sip:a@b",
            "sip:a@b>",
            '"A <sip:a@b>',
            'A "B" <sip:a@b>',
            "A, B <sip:a@b>;tag=1",
            "< sip:a@b >",
            "sip:a@b?c=d",
            "sip:a,b@c",
            "<sip:a@b>;",
            "<sip:a@b>;;x",
            "<sip:a@b>,",
            "<sip:a@b>, <sip:c@d>",
            "<sip:a@b> x",
            "<sip:a@b>\n",
        ],
    )
    def test_not_one_address(self, text: str):
        with pytest.raises(ParseError):
            Address.parse(text)

    def test_lists(self):
        text = '"A, a" <sip:a@b>;q=1 , <sip:c@d;x=1,2>;y="3,4",sip:e@f;z'
        addresses = Address.parse_many(text)
        assert [str(a) for a in addresses] == ['"A, a" <sip:a@b>;q=1', '<sip:c@d;x=1,2>;y="3,4"', "sip:e@f;z"]
        assert [a.parameters for a in addresses] == [{"q": "1"}, {"y": "3,4"}, {"z": None}]
        assert [a.uri.host for a in addresses] == ["b", "d", "f"]
        for bad in (text + ",", "," + text, "<sip:a@b>,,<sip:c@d>", "<sip:a@b> <sip:c@d>", ""):
            with pytest.raises(ParseError):
                Address.parse_many(bad)

    def test_folded_lists(self):
        assert [str(a) for a in Address.parse_many("<sip:a@b>,\r\n <sip:c@d>\r\n ;x")] == [
            "<sip:a@b>",
            "<sip:c@d> ;x",
        ]
        assert str(Address.parse("A\r\n <sip:a@b>")) == "A <sip:a@b>"
        assert Address.parse('"A\r\n B" <sip:a@b>;tag=1\r\n ;x=y').name == "A B"
        assert Address.parse('"A\r\n B" <sip:a@b>;tag=1\r\n ;x=y').tag == "1"

    @pytest.mark.parametrize(
        ("text", "tag"),
        [
            ("<sip:a@b>", None),
            ("<sip:a@b>;tag=1", "1"),
            ("<sip:a@b>;x=1; TAG = 2", "2"),
            ('<sip:a@b>;x=";tag=3";tag=4', "4"),
            ("<sip:a@b;tag=5>", None),
            ("<sip:a@b>;tag", None),
        ],
    )
    def test_tag(self, text: str, tag: str | None):
        assert Address.parse(text).tag == tag

    def test_writing(self):
        uri = URI.parse("sip:a@b")
        assert str(Address(uri)) == "<sip:a@b>"
        assert str(Address(uri, 'A "B"', {"tag": "1"})) == '"A \\"B\\"" <sip:a@b>;tag=1'
        assert str(Address(uri, parameters=Parameters(lr=None))) == "<sip:a@b>;lr"
        assert str(Address(sipmessage.URI.parse("sip:a@b"))) == "<sip:a@b>"
        assert NameAddr is Address

    @pytest.mark.parametrize("name", ["a\r\nb", "a\0", "\ud800"])
    def test_names_that_must_not_go_out(self, name: str):
        with pytest.raises(InvalidHeaderError):
            Address(URI.parse("sip:a@b"), name)

    def test_changing(self):
        address = Address.parse('"A" <sip:a@b>;tag=1;x="y"')
        assert str(address.with_tag("2")) == '"A" <sip:a@b>;tag=2;x="y"'
        assert str(address.with_tag(None)) == '"A" <sip:a@b>;x="y"'
        assert str(address.replace(name="B")) == '"B" <sip:a@b>;tag=1;x="y"'
        assert str(address.replace(uri=URI.parse("sip:c@d"), parameters={})) == '"A" <sip:c@d>'

    def test_equality(self):
        assert Address.parse('"A" <sip:a@b>;tag=1') == Address.parse("A <sip:a@B> ; tag=1")
        assert hash(Address.parse('"A" <sip:a@b>;tag=1')) == hash(Address.parse("A <sip:a@B> ; tag=1"))
        assert Address.parse("<sip:a@b>") == Address(URI.parse("sip:a@b"))
        assert Address.parse("<sip:a@b>;x") != Address.parse("<sip:a@b>")
        assert Address.parse("<sip:a@b>") == sipmessage.Address.parse("<sip:a@b>")

    @pytest.mark.parametrize(
        ("text", "seconds"),
        [("60", 60), ("0", 0), ("9999999999", 2**32 - 1), ("10000000000", 3600), ("-1", 3600), ("soon", 3600),
         ("", 3600), ("١", 3600)],
    )  # fmt: skip
    def test_expires(self, text: str, seconds: int):
        assert Address.parse(f"<sip:a@b>;expires={text}").expires == seconds
        assert Address.parse("<sip:a@b>").expires is None

    @pytest.mark.parametrize(
        ("text", "q"),
        [
            ("0.5", 0.5),
            ("1", 1.0),
            ("1.000", 1.0),
            ("0", 0.0),
            ("2", 1.0),
            ("-1", 1.0),
            ("nan", 1.0),
            ("1e9", 1.0),
            ("", 1.0),
        ],
    )
    def test_q(self, text: str, q: float):
        assert Address.parse(f"<sip:a@b>;q={text}").q == q
        assert Address.parse("<sip:a@b>").q == 1.0


class TestVia:
    def test_reading(self):
        via = Via.parse("SIP/2.0/WSS abc.invalid:443;branch=z9hG4bK!%*1;received=2001:db8::1;rport=4711")
        assert (via.transport, via.host, via.port) == ("WSS", "abc.invalid", 443)
        assert via.branch == "z9hG4bK!%*1"
        assert via.received == "2001:db8::1"
        assert via.rport == 4711
        assert via.sent_by == "abc.invalid:443"

    @pytest.mark.parametrize(
        "text",
        [
            "SIP/2.0/UDP a",
            "SIP / 2.0 / UDP  a : 5060 ; branch = x",
            "sip/2.0/udp under_score;lr",
            "SIP/2.0/TLS [2001:db8::1]:5061;branch=x",
            'SIP/2.0/UDP a;x="y,z"',
            "SIP/2.0/UDP a;branch=",
            "SIP/2.0/!odd a",
        ],
    )
    def test_exact_text(self, text: str):
        assert str(Via.parse(text)) == text
        assert [str(via) for via in Via.parse_many(f"{text} , {text},{text}")] == [text] * 3

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "SIP/2.0/UDP",
            "SIP/2.0 a",
            "SIP/3.0/UDP a",
            "HTTP/2.0/UDP a",
            "SIP/2.0/UDP a:",
            "SIP/2.0/UDP a:99999",
            "SIP/2.0/UDP a b",
            "SIP/2.0/UDP a;;",
            "SIP/2.0/UDP a;,",
            "SIP/2.0/UDP 2001:db8::1",
            "SIP/2.0/UDP a,",
        ],
    )
    def test_not_a_via(self, text: str):
        with pytest.raises(ParseError):
            Via.parse_many(text)

    @pytest.mark.parametrize(
        ("text", "branch"),
        [
            ("", None),
            (";branch", None),
            (";branch=", ""),
            (";x=y; Branch = z", "z"),
            (';x=";branch=1";branch=2', "2"),
        ],
    )
    def test_branch(self, text: str, branch: str | None):
        assert Via.parse("SIP/2.0/UDP a" + text).branch == branch

    @pytest.mark.parametrize(
        ("text", "rport"),
        [("", None), (";rport", None), (";rport=", None), (";rport=x", None), (";rport=123456", None)],
    )
    def test_no_rport(self, text: str, rport: None):
        assert Via.parse("SIP/2.0/UDP a" + text).rport is rport

    def test_no_received(self):
        assert Via.parse("SIP/2.0/UDP a").received is None
        assert Via.parse("SIP/2.0/UDP a;received=[::1]").received == "::1"

    def test_writing(self):
        via = Via("WS", "abc.invalid", parameters={"branch": "z9hG4bK1", "rport": None})
        assert str(via) == "SIP/2.0/WS abc.invalid;branch=z9hG4bK1;rport"
        assert via.sent_by == "abc.invalid"
        assert via.branch == "z9hG4bK1"
        assert (
            str(via.replace(port=80, transport="WSS")) == "SIP/2.0/WSS abc.invalid:80;branch=z9hG4bK1;rport"
        )
        received = via.replace(parameters=via.parameters.replace(received="::1", rport="7"))
        assert str(received) == "SIP/2.0/WS abc.invalid;branch=z9hG4bK1;rport=7;received=::1"

    @pytest.mark.parametrize(
        "parts",
        [("W S", "a"), ("WS", "a b"), ("WS", ""), ("WS", "a\r\n"), ("WS", "a", 65536), ("WS", "a", -1)],
    )
    def test_parts_that_cannot_be(self, parts: tuple):
        with pytest.raises(InvalidHeaderError):
            Via(*parts)

    def test_equality(self):
        assert Via.parse("SIP/2.0/ws A;branch=1") == Via.parse("SIP / 2.0 / WS a ; branch=1")
        assert hash(Via.parse("SIP/2.0/ws A;branch=1")) == hash(Via.parse("SIP / 2.0 / WS a ; branch=1"))
        assert Via.parse("SIP/2.0/WS a;branch=1") != Via.parse("SIP/2.0/WS a;branch=2")
        assert Via.parse("SIP/2.0/WS a") == sipmessage.Via.parse("SIP/2.0/WS a")


class TestCSeq:
    @pytest.mark.parametrize(
        ("text", "sequence", "method"),
        [
            ("1 INVITE", 1, "INVITE"),
            ("0 ACK", 0, "ACK"),
            ("0009  \tINVITE", 9, "INVITE"),
            ("2147483647 !x", 2**31 - 1, "!x"),
        ],
    )
    def test_reading(self, text: str, sequence: int, method: str):
        cseq = CSeq.parse(text)
        assert (cseq.sequence, cseq.method) == (sequence, method)
        assert str(cseq) == text

    def test_folded(self):
        assert CSeq.parse("1\r\n INVITE") == CSeq(1, "INVITE")

    @pytest.mark.parametrize(
        "text",
        ["", "1", "INVITE", "-1 INVITE", "2147483648 INVITE", "99999999999 INVITE", "1 IN VITE", "1INVITE",
         "١ INVITE", "1" * 5000 + " INVITE"],
    )  # fmt: skip
    def test_not_a_cseq(self, text: str):
        with pytest.raises(ParseError):
            CSeq.parse(text)

    def test_writing(self):
        assert str(CSeq(7, "BYE")) == "7 BYE"
        for sequence, method in ((-1, "BYE"), (2**31, "BYE"), (1, "B YE"), (1, "")):
            with pytest.raises(InvalidHeaderError):
                CSeq(sequence, method)

    def test_equality(self):
        assert CSeq.parse("007 BYE") == CSeq(7, "BYE")
        assert CSeq(7, "BYE") != CSeq(8, "BYE")
        assert CSeq(7, "BYE") == sipmessage.CSeq(7, "BYE")
        assert hash(CSeq.parse("007 BYE")) == hash(CSeq(7, "BYE"))


class TestMediaType:
    def test_reading(self):
        for text in ("application/sdp;charset=utf-8", "Application / SDP ; charset=utf-8"):
            media_type = MediaType.parse(text)
            assert media_type.mime_type == "application/sdp"
            assert media_type.parameters["charset"] == "utf-8"
            assert str(media_type) == text
        assert MediaType.parse('multipart/mixed;boundary="a,b"').parameters["boundary"] == "a,b"

    @pytest.mark.parametrize("text", ["", "text", "text/", "/plain", "text/plain/x", "text/plain;"])
    def test_not_a_media_type(self, text: str):
        with pytest.raises(ParseError):
            MediaType.parse(text)
        with pytest.raises(InvalidHeaderError):
            MediaType(text)

    def test_writing(self):
        assert str(MediaType("application/sdp")) == "application/sdp"
        assert str(MediaType("Text/Plain", {"charset": "utf-8"})) == "text/plain;charset=utf-8"

    def test_ranges(self):
        assert MediaType.parse("*/*").accepts("text/plain")
        assert MediaType.parse("text/*;q=0.5").accepts("Text/Plain")
        assert MediaType.parse("text/plain").accepts("text/plain")
        assert not MediaType.parse("text/*").accepts("application/sdp")
        assert not MediaType.parse("text/html").accepts("text/plain")

    def test_equality(self):
        assert MediaType.parse("Text/Plain;a=b") == MediaType("text/plain", {"A": "b"})
        assert hash(MediaType.parse("Text/Plain;a=b")) == hash(MediaType("text/plain", {"A": "b"}))
        assert MediaType("text/plain") == sipmessage.MediaType.parse("text/plain")
        assert MediaType("text/plain") != MediaType("text/html")
