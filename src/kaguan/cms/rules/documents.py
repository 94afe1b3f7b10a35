"""Identity documents, and how they may be shown in logs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

SOCIAL_SECURITY_CARD: Final = "SC"
"""The kind of a document that is a social security card; its number is the card's. Not every region takes it as one."""

_LONG_NUMBER: Final = re.compile(r"[0-9]{13,}[0-9Xx]")


@dataclass(frozen=True, slots=True)
class Document:
    """An identity document as shown at the counter; `cert_type` 01 is the resident identity card."""

    cert_type: str
    cert_no: str
    original: bool

    def belongs_to(self, cert_type: str, cert_no: str) -> bool:
        """Return whether it is the document of that type and number."""
        return (self.cert_type, self.cert_no.upper()) == (cert_type, cert_no.upper())

    def __repr__(self) -> str:
        """Show the number masked."""
        return f"Document({self.cert_type}, {mask_number(self.cert_no)}, original={self.original})"


def mask_number(number: str) -> str:
    """Return the number with its middle hidden; a short one is hidden as a whole."""
    if len(number) < 14:
        return "*" * len(number)
    return number[:6] + "*" * (len(number) - 10) + number[-4:]


def mask_name(name: str) -> str:
    """Return the first character of the name and a star for each other one."""
    return name[:1] + "*" * (len(name) - 1)


def mask_text(text: str) -> str:
    """Return the text with every number of 14 digits or more masked, wherever it stands."""
    return _LONG_NUMBER.sub(lambda match: mask_number(match.group(0)), text)
