"""Card images and writes as JSON values, and back: named tuples become lists, bytes hex, enumerations their values.

Not pickle: an image file comes from anywhere, and reading it must not run it.
"""

from __future__ import annotations

import enum
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any

from kaguan.apdu.errors import InputError
from kaguan.card_os import writes
from kaguan.card_os.image import CardImage
from kaguan.card_os.profile.rules import AccessRule, parse_rule
from kaguan.card_os.writes import Group

Encoder = Callable[[Any], Any]
Decoder = Callable[[Any], Any]

_BY_NAME: dict[str, Any] = {kind.__name__: kind for kind in typing.get_args(writes.Write)}

_TWO_BYTES = ("bytes", "fid", "offset", "sequence", "size")
_GREATEST: Mapping[str, int] = {"fen": 0xFFFF_FFFF, **dict.fromkeys(_TWO_BYTES, 0xFFFF)}
"""How large a number may be, by the last word of its name; a byte where it is not here."""

_rule_text: Encoder = lru_cache(maxsize=1024)(str)
_rule: Decoder = lru_cache(maxsize=1024)(parse_rule)
"""Rules and their texts, remembered: a card has hundreds, and few that differ."""


def encode_image(image: CardImage) -> Any:
    """The image as a JSON value."""
    return _codec(CardImage)[0](image)


def decode_image(value: Any) -> CardImage:
    """The image that this JSON value is.

    Raises:
        InputError: it is none.
    """
    with _well_formed("card image"):
        return _codec(CardImage)[1](value)  # type: ignore[no-any-return]


def encode_group(group: Group) -> Any:
    """The writes as a JSON value."""
    return [[type(write).__name__, _codec(_BY_NAME[type(write).__name__])[0](write)] for write in group]


def decode_group(value: Any) -> Group:
    """The writes that this JSON value is.

    Raises:
        InputError: it is none.
    """
    with _well_formed("group of writes"):
        return tuple(_codec(_BY_NAME[name])[1](fields) for name, fields in value)


@contextmanager
def _well_formed(what: str) -> Iterator[None]:
    """Whatever decoding stumbles over within the context is an `InputError`, which quotes nothing: it may be a key."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"this is no {what} ({type(error).__name__})") from None


@cache
def _codec(kind: Any) -> tuple[Encoder, Decoder]:
    """How values of this type are written and read."""
    origin = typing.get_origin(kind)
    if kind is bytes:
        return bytes.hex, bytes.fromhex
    if kind is str:
        return str, _text
    if kind is int:
        return int, _number_to(0xFF)
    if kind is AccessRule:
        return _rule_text, _rule
    if origin is tuple:
        write, read = _codec(typing.get_args(kind)[0])
        return lambda values: [write(value) for value in values], lambda values: tuple(read(value) for value in values)
    if origin in (Mapping, dict):
        write, read = _codec(typing.get_args(kind)[1])
        return (
            lambda table: {key.hex(): write(value) for key, value in table.items()},
            lambda table: {bytes.fromhex(key): read(value) for key, value in table.items()},
        )
    if origin in (typing.Union, types.UnionType):
        write, read = _codec(next(part for part in typing.get_args(kind) if part is not type(None)))
        return (
            lambda value: None if value is None else write(value),
            lambda value: None if value is None else read(value),
        )
    if issubclass(kind, enum.Enum):
        return attrgetter("_value_"), {member.value: member for member in kind}.__getitem__
    return _named_tuple_codec(kind)


def _named_tuple_codec(kind: Any) -> tuple[Encoder, Decoder]:
    hints = typing.get_type_hints(kind)
    codecs = [
        (int, _number_to(_GREATEST.get(name.rpartition("_")[2], 0xFF))) if hints[name] is int else _codec(hints[name])
        for name in kind._fields
    ]
    encoders = [codec[0] for codec in codecs]
    decoders = [codec[1] for codec in codecs]

    def write(value: Any) -> Any:
        return [encoder(field) for encoder, field in zip(encoders, value, strict=True)]

    def read(value: Any) -> Any:
        return kind(*[decoder(field) for decoder, field in zip(decoders, value, strict=True)])

    return write, read


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError
    return value


def _number_to(greatest: int) -> Decoder:
    def read(value: Any) -> int:
        if type(value) is not int or not 0 <= value <= greatest:
            raise ValueError
        return value

    return read
