"""Numbers that check themselves: card number, citizen number, bank card number."""

from __future__ import annotations

from stdnum import luhn
from stdnum.exceptions import ValidationError
from stdnum.iso7064 import mod_11_2

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_VALUES = {character: value for value, character in enumerate(_ALPHABET)}
_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)


def card_number_check_character(body: str) -> str:
    """The ninth character of the card number (卡号), from its first eight: the method of GB 11714.

    Raises:
        ValueError: not eight digits or capital letters.
    """
    if len(body) != len(_WEIGHTS) or not _VALUES.keys() >= set(body):
        raise ValueError("the body of a card number is eight digits or capital letters")
    total = sum(weight * _VALUES[character] for weight, character in zip(_WEIGHTS, body, strict=True))
    return "0123456789X"[-total % 11]


def card_number_ok(number: str) -> bool:
    """Whether nine characters are a card number with its right check character."""
    try:
        return card_number_check_character(number[:-1]) == number[-1:]
    except ValueError:
        return False


def citizen_number_ok(number: str) -> bool:
    """Whether 18 characters have the form and the check character of GB 11643 (ISO 7064 MOD 11-2, capital X).

    Region and birth date are judged where a calendar and a list of regions are known: not here.
    """
    body = number[:17]
    if len(number) != 18 or not (body.isascii() and body.isdigit()):
        return False
    return bool(mod_11_2.calc_check_digit(body) == number[17])


def bank_card_number_ok(number: str) -> bool:
    """Whether 13 to 19 digits end in their Luhn digit (ISO/IEC 7812-1)."""
    if not 13 <= len(number) <= 19 or not (number.isascii() and number.isdigit()):
        return False
    try:
        luhn.validate(number)
    except ValidationError:
        return False
    return True
