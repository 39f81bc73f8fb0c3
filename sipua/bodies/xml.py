"""XML bodies: read with care, written without surprises.

What the network sends may be an attack on the parser. A document type declaration is the only way to define entities
(the "billion laughs", files and URLs of this machine), and no SIP body needs one, so it is refused before the
parser sees it. Only UTF-8 is read: another encoding could hide the declaration.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar
from xml.etree import ElementTree

from sipua.sip import ParseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from xml.etree.ElementTree import Element

T = TypeVar("T")

_XML_NS = "{http://www.w3.org/XML/1998/namespace}"
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NUMBER = re.compile(r"[ \t\r\n]*\+?([0-9]{1,20})[ \t\r\n]*")


def parse_xml(body: str | bytes, name: str, namespace: str) -> Element:
    """The root element of the document, which must be a `name` of this namespace (or of none, as old servers write).

    :raises ParseError: not XML, not UTF-8, a document type declaration, or another kind of document.
    """
    try:
        text = body.decode("utf-8-sig") if isinstance(body, bytes) else body.removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise ParseError(f"{name}: not UTF-8: {error.reason}") from None
    if "<!DOCTYPE" in text:
        raise ParseError(f"{name}: a document type declaration is not allowed")
    try:
        root = ElementTree.fromstring(text.strip())
    except (ElementTree.ParseError, ValueError) as error:  # ValueError: lone surrogates
        raise ParseError(f"{name}: not well-formed XML: {error}") from None
    if root.tag not in (f"{{{namespace}}}{name}", name):
        raise ParseError(f"not a {name} document but {root.tag}")
    return root


class Reader:
    """An element whose children are looked up by name, in the namespace of the document or in none."""

    __slots__ = ("element", "namespace")

    def __init__(self, element: Element, namespace: str) -> None:
        self.element = element
        self.namespace = namespace

    def children(self, name: str) -> Iterator[Reader]:
        """All children of this name."""
        tags = (f"{{{self.namespace}}}{name}", name)
        return (Reader(child, self.namespace) for child in self.element if child.tag in tags)

    def child(self, name: str) -> Reader | None:
        """The first child of this name."""
        return next(self.children(name), None)

    def text_of(self, name: str) -> str | None:
        """The text of the first child of this name; None when there is none, or it is empty."""
        found = self.child(name)
        return (found.text or None) if found is not None else None

    @property
    def text(self) -> str:
        """The element's text, without white space around it."""
        return (self.element.text or "").strip()

    @property
    def language(self) -> str | None:
        """The ``xml:lang`` of the element."""
        return self.element.get(f"{_XML_NS}lang")

    def get(self, name: str) -> str | None:
        """An attribute."""
        return self.element.get(name)

    def need(self, name: str) -> str:
        """An attribute that has to be there.

        :raises ParseError: it is not.
        """
        value = self.element.get(name)
        if value is None:
            raise ParseError(f"<{_local(self.element.tag)}> without {name}")
        return value

    def number(self, name: str) -> int | None:
        """An attribute that is a whole number; None without, or with something else in it."""
        return number_in(self.element.get(name))

    def need_number(self, name: str) -> int:
        """An attribute that has to be a whole number.

        :raises ParseError: it is not.
        """
        value = number_in(self.need(name))
        if value is None:
            raise ParseError(f"<{_local(self.element.tag)}>: {name} is not a number: {self.get(name)!r}")
        return value

    def map(self, name: str, read: Callable[[Reader], T]) -> tuple[T, ...]:
        """`read` of each child of this name."""
        return tuple(read(child) for child in self.children(name))


def number_in(text: str | None) -> int | None:
    """The whole number that a text is, or None."""
    match = _NUMBER.fullmatch(text) if text is not None else None
    return int(match[1]) if match is not None else None


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def element(
    name: str,
    attributes: Mapping[str, str | int | None] | None = None,
    *children: Element | None,
    text: str | None = None,
) -> Element:
    """An element; attributes and children that are None are left out.

    :raises ValueError: a control character, which XML cannot hold.
    """
    made = ElementTree.Element(name)
    for key, value in (attributes or {}).items():
        if value is not None:
            made.set(key, _checked(str(value)))
    if text is not None:
        made.text = _checked(text)
    made.extend(child for child in children if child is not None)
    return made


def text_element(name: str, text: str | None) -> Element | None:
    """An element with just text; None for None."""
    return None if text is None else element(name, text=text)


def _checked(text: str) -> str:
    if _FORBIDDEN.search(text):
        raise ValueError(f"{text!r}: characters that XML cannot hold")
    return text


def write_xml(root: Element) -> str:
    """The document as text, in UTF-8 when it is encoded."""
    written: str = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{written}\n'
