"""File control parameters: what CREATE FILE brings and SELECT with P2 = 04 shows.

62 { 82 descriptor | 83 FID | 84 DF name | 80 size | 8A life cycle | 85 proprietary | A5 shown in the FCI |
     AB security attribute, expanded format }

The expanded format (ISO/IEC 7816-4, 9.3.4): each access mode byte (80) is followed by its condition: 90 always,
97 never, A4 { 83 reference, 95 usage } one right, A0 one of several, AF all of several.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from kaguan.apdu.errors import CodecError, ProfileError, TlvSyntaxError
from kaguan.apdu.tlv import Tlv, template
from kaguan.card_os.profile.rules import FREE, NEVER, PIN_RIGHT, AccessRule

READ, UPDATE, LOAD = 0x01, 0x02, 0x04  # access mode bits; LOAD is this card's own, for purses

DF_DESCRIPTOR = 0x38
PURSE_DESCRIPTOR = 0x08  # an internal EF

_ALWAYS, _NEVER, _ONE, _ANY, _ALL = 0x90, 0x97, 0xA4, 0xA0, 0xAF
_USER, _EXTERNAL = 0x08, 0x80  # usage qualifier: user authentication, external authentication

MOST_LEVELS = 8
"""How deep conditions may lie in conditions; three levels say every rule."""


@dataclass(frozen=True, slots=True)
class Fcp:
    """The parameters of one file. `size` is the body in bytes, or the record count where `record_size` is given."""

    descriptor: int
    fid: int
    df_name: bytes = b""
    size: int = 0
    record_size: int = 0
    proprietary: bytes = b""
    shown: bytes = b""
    rules: Mapping[int, AccessRule] = field(default_factory=dict)
    lifecycle: int = 0

    def __bytes__(self) -> bytes:
        descriptor = bytes((self.descriptor,))
        if self.record_size:
            descriptor += b"\x21" + self.record_size.to_bytes(2, "big") + bytes((self.size,))
        parts = [Tlv(0x82, descriptor), Tlv(0x83, self.fid.to_bytes(2, "big"))]
        if self.size and not self.record_size:
            parts.append(Tlv(0x80, self.size.to_bytes(2, "big")))
        lifecycle = bytes((self.lifecycle,)) if self.lifecycle else b""
        optional = ((0x84, self.df_name), (0x8A, lifecycle), (0x85, self.proprietary), (0xA5, self.shown))
        parts += [Tlv(tag, value) for tag, value in optional if value]
        if self.rules:
            parts.append(_attribute(self.rules))
        return bytes(template(0x62, *parts))

    @classmethod
    def parse(cls, raw: bytes) -> Fcp:
        """The parameters in these bytes; a factory sends the same ones again and again, so they are remembered.

        Raises:
            TlvSyntaxError: no data objects.
            CodecError: an object is missing or has the wrong length.
        """
        return _parsed(raw)

    @classmethod
    def _parse(cls, raw: bytes) -> Fcp:
        tlv = Tlv.parse(raw)
        if tlv.tag != 0x62:
            raise TlvSyntaxError(f"file control parameters begin with 62, not {tlv.tag:02X}")
        objects = {child.tag: child.value for child in tlv.children()}
        descriptor = objects.get(0x82, b"")
        fid = objects.get(0x83, b"")
        if len(descriptor) not in (1, 5) or len(fid) != 2:
            raise CodecError("file control parameters need 82 (1 or 5 bytes) and 83 (2 bytes)")
        if len(objects.get(0x80, b"")) > 2 or len(objects.get(0x8A, b"")) > 1:
            raise CodecError("a file's size (80) has at most 2 bytes, its life cycle status (8A) one")
        records = len(descriptor) == 5
        size = descriptor[4] if records else int.from_bytes(objects.get(0x80, b""), "big")
        return cls(
            descriptor=descriptor[0],
            fid=int.from_bytes(fid, "big"),
            df_name=objects.get(0x84, b""),
            size=size,
            record_size=int.from_bytes(descriptor[2:4], "big") if records else 0,
            proprietary=objects.get(0x85, b""),
            shown=objects.get(0xA5, b""),
            rules=_rules(objects.get(0xAB, b"")),
            lifecycle=int.from_bytes(objects.get(0x8A, b""), "big"),
        )


_parsed = lru_cache(maxsize=1024)(Fcp._parse)


def _attribute(rules: Mapping[int, AccessRule]) -> Tlv:
    parts = []
    for mode, rule in sorted(rules.items()):
        parts.append(Tlv(0x80, bytes((mode,))))
        parts.append(_condition(rule))
    return template(0xAB, *parts)


def _condition(rule: AccessRule) -> Tlv:
    if rule == FREE:
        return Tlv(_ALWAYS, b"")
    if rule == NEVER:
        return Tlv(_NEVER, b"")
    conditions = [_all_of(rights) for rights in sorted(rule.alternatives, key=sorted)]
    return conditions[0] if len(conditions) == 1 else template(_ANY, *conditions)


def _all_of(rights: frozenset[int]) -> Tlv:
    conditions = [
        template(
            _ONE,
            Tlv(0x83, bytes((right & 0xFF,))),
            Tlv(0x95, bytes((_USER if right & PIN_RIGHT else _EXTERNAL,))),
        )
        for right in sorted(rights)
    ]
    return conditions[0] if len(conditions) == 1 else template(_ALL, *conditions)


def _rules(raw: bytes) -> dict[int, AccessRule]:
    objects = Tlv.parse_all(raw)
    rules: dict[int, AccessRule] = {}
    for mode, condition in zip(objects[::2], objects[1::2], strict=False):
        if mode.tag != 0x80 or len(mode.value) != 1:
            raise CodecError(f"an access mode byte (80 01) is due, not {mode.tag:02X}")
        try:
            rules[mode.value[0]] = _rule(condition, MOST_LEVELS)
        except ProfileError as error:
            raise CodecError(error.message) from None
    if len(objects) % 2:
        raise CodecError("the last access mode has no condition")
    return rules


def _rule(condition: Tlv, levels: int) -> AccessRule:
    if condition.tag == _ALWAYS:
        return FREE
    if condition.tag == _NEVER:
        return NEVER
    if condition.tag == _ONE:
        reference, usage = condition.find(0x83), condition.find(0x95)
        if reference is None or len(reference) != 1 or usage not in (bytes((_USER,)), bytes((_EXTERNAL,))):
            raise CodecError("a condition A4 holds 83 (1 byte) and 95 (08 or 80)")
        return AccessRule.right(reference[0] | (PIN_RIGHT if usage[0] == _USER else 0))
    rule = NEVER if condition.tag == _ANY else FREE
    if condition.tag not in (_ANY, _ALL):
        raise CodecError(f"{condition.tag:02X} is no security condition")
    if not levels:
        raise CodecError(f"conditions lie more than {MOST_LEVELS} deep in conditions")
    for child in condition.children():
        part = _rule(child, levels - 1)
        rule = rule | part if condition.tag == _ANY else rule & part
    return rule
