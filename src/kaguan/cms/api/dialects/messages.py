"""Flat XML messages of a province: a root with fields, each with a text and nothing else.

Law. What a message could do to whoever reads it, it does not: no document type, no entity, no depth, no size.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Final
from xml.etree.ElementTree import ParseError
from xml.sax.xmlreader import AttributesImpl

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring
from django.utils.xmlutils import SimplerXMLGenerator

from kaguan.apdu.errors import InputError

MOST_BYTES: Final = 65_536
_MOST_FIELDS: Final = 64
_LONGEST_TEXT: Final = 200


def read_message(body: bytes, root: str) -> dict[str, str]:
    """Return the fields of the message, their texts without blanks around them.

    Refuses with InputError: too large, no XML, an attack on its reader, another root, attributes, depth, doubles.
    """
    if len(body) > MOST_BYTES:
        raise InputError(f"a message has {MOST_BYTES} bytes at most")
    try:
        tree = fromstring(body, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        # The parser's own words may quote the message.
        raise InputError("the message is no plain XML: no document type, no entities, well formed") from None
    if tree.tag != root:
        raise InputError(f"the message's root has to be {root}")
    if len(tree) > _MOST_FIELDS:
        raise InputError(f"a message has {_MOST_FIELDS} fields at most")
    fields: dict[str, str] = {}
    for field in tree:
        told = (field.text or "").strip()
        if len(field) or field.attrib or len(told) > _LONGEST_TEXT:
            raise InputError(f"a field is a text of {_LONGEST_TEXT} characters at most, without attributes")
        if field.tag in fields:
            raise InputError("a field stands there twice")
        fields[field.tag] = told
    return fields


def written_message(root: str, fields: Mapping[str, str]) -> bytes:
    """Return the message with these fields, in UTF-8."""
    stream = io.StringIO()
    writer = SimplerXMLGenerator(stream, "utf-8")
    writer.startDocument()
    writer.startElement(root, AttributesImpl({}))
    for name, told in fields.items():
        writer.addQuickElement(name, told)
    writer.endElement(root)
    writer.endDocument()
    return stream.getvalue().encode()
