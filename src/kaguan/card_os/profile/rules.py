"""Access rules: small expressions over the rights that a session holds.

A rule is kept in one normal form, "any of these sets of rights", so that two rules that mean the same are equal and the
chip decides with set inclusion alone. `free` is the set that holds the empty set; `never` is the empty set.

A right is a number: 0x000-0x0FF an external authentication with that key reference, 0x100-0x1FF a PIN verified. Bit 8
of a reference (0x80) makes it local to one dedicated file (ISO/IEC 7816-4, 9.2). Native operating systems keep two
state registers instead, of the dedicated file and of the master file: that one stands at n is a right too, 0x400 and
0x800 upwards.
"""

from __future__ import annotations

import ast
from typing import NamedTuple

from kaguan.apdu.errors import ProfileError

MOST_ALTERNATIVES = 32
"""An AND of ORs multiplies; no card's rule comes near, and a hostile one must not take for ever."""

LONGEST_TEXT = 1000
PIN_RIGHT = 0x100
LOCAL = 0x80
DF_STATE = 0x400
MF_STATE = 0x800
GREATEST_STATE = 15


def pin_right(reference: int) -> int:
    """The right that VERIFY of this PIN gives."""
    return PIN_RIGHT | reference


class AccessRule(NamedTuple):
    """Allowed when the session holds every right of at least one alternative."""

    alternatives: frozenset[frozenset[int]]

    def allows(self, rights: frozenset[int]) -> bool:
        """True when these rights are enough."""
        for alternative in self.alternatives:  # noqa: SIM110 - `any` costs twice as much, and every command asks
            if alternative <= rights:
                return True
        return False

    @classmethod
    def right(cls, right: int) -> AccessRule:
        """Allowed with this one right."""
        return cls(frozenset({frozenset({right})}))

    def __or__(self, other: AccessRule) -> AccessRule:
        return _least(self.alternatives | other.alternatives)

    def __and__(self, other: AccessRule) -> AccessRule:
        return _least(frozenset(mine | theirs for mine in self.alternatives for theirs in other.alternatives))

    def __str__(self) -> str:
        if not self.alternatives:
            return "never"
        parts = sorted(_all_text(alternative) for alternative in self.alternatives)
        return parts[0] if len(parts) == 1 else f"any({', '.join(parts)})"


FREE = AccessRule(frozenset({frozenset()}))
NEVER = AccessRule(frozenset())


def _least(alternatives: frozenset[frozenset[int]]) -> AccessRule:
    """The rule without the alternatives that ask for more than another one.

    Raises:
        ProfileError: more than `MOST_ALTERNATIVES` are left.
    """
    least = frozenset(one for one in alternatives if not any(other < one for other in alternatives))
    if len(least) > MOST_ALTERNATIVES:
        raise ProfileError(f"an access rule has {len(least)} alternatives, more than {MOST_ALTERNATIVES}")
    return AccessRule(least)


def _all_text(rights: frozenset[int]) -> str:
    if not rights:
        return "free"
    texts = [_right_text(right) for right in sorted(rights, reverse=True)]
    return texts[0] if len(texts) == 1 else f"all({', '.join(texts)})"


def _right_text(right: int) -> str:
    if right & (DF_STATE | MF_STATE):
        return f"{'df_state' if right & DF_STATE else 'mf_state'}({right & GREATEST_STATE})"
    if right == PIN_RIGHT:
        return "pin"
    return f"pin(0x{right & 0xFF:02X})" if right & PIN_RIGHT else f"key(0x{right:02X})"


def native_rule(access: int) -> AccessRule:
    """The rule that an access byte XY of FMCOS means, S being the state of the dedicated file (FMCOS 2.0, 3.3).

    X = 0: the master file's state is at least Y. Otherwise Y <= S <= X; never when X < Y. F0 is free.
    """
    upper, lower = access >> 4, access & 0x0F
    if access == 0xF0:
        return FREE
    register, last = (MF_STATE, GREATEST_STATE) if upper == 0 else (DF_STATE, upper)
    return AccessRule(frozenset(frozenset({register | state}) for state in range(lower, last + 1)))


def parse_rule(text: str) -> AccessRule:
    """The rule that an expression such as `any(pin, all(key(0x84), pin(0x01)))` means.

    Raises:
        ProfileError: not such an expression, or one with too many alternatives.
    """
    if len(text) > LONGEST_TEXT:
        raise ProfileError(f"an access rule of {len(text)} characters, more than {LONGEST_TEXT}")
    try:
        return _rule(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError, RecursionError):  # ValueError: a character that no source text has
        raise ProfileError(f"{text!r} is no access rule: use free, never, pin, key(ID), any(...), all(...)") from None


def _rule(node: ast.expr) -> AccessRule:
    match node:
        case ast.Name(id="free"):
            return FREE
        case ast.Name(id="never"):
            return NEVER
        case ast.Name(id="pin"):
            return AccessRule.right(PIN_RIGHT)
        case ast.Call(func=ast.Name(id="pin"), args=[ast.Constant(value=int(reference))]) if 0 <= reference <= 255:
            return AccessRule.right(pin_right(reference))
        case ast.Call(func=ast.Name(id="key"), args=[ast.Constant(value=int(reference))]) if 0 <= reference <= 255:
            return AccessRule.right(reference)
        case ast.Call(func=ast.Name(id="df_state"), args=[ast.Constant(value=int(state))]) if (
            0 <= state <= GREATEST_STATE
        ):
            return AccessRule.right(DF_STATE | state)
        case ast.Call(func=ast.Name(id="mf_state"), args=[ast.Constant(value=int(state))]) if (
            0 <= state <= GREATEST_STATE
        ):
            return AccessRule.right(MF_STATE | state)
        case ast.Call(func=ast.Name(id="any"), args=[first, *rest]):
            rule = _rule(first)
            for part in rest:
                rule |= _rule(part)
            return rule
        case ast.Call(func=ast.Name(id="all"), args=[first, *rest]):
            rule = _rule(first)
            for part in rest:
                rule &= _rule(part)
            return rule
    raise ProfileError(f"'{ast.unparse(node)}' is no part of an access rule")
