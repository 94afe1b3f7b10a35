"""The blacklist of cards (黑名单) in a terminal: taken from the authority by number, kept, and asked before a purchase.

Law 1. A list counts when the authority has signed it, for this terminal, and it is newer than the one that is held.
Law 2. A list of changes counts when it begins where the held one ends; whoever missed one takes a whole list.
Law 3. Without a list that is still good, a terminal that is offline refuses every card.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from kaguan.apdu.errors import InputError, RuleBroken
from kaguan.durable import write_whole

LEFT: Final = "unlocked"
"""The cause of a card that leaves the list."""

_DOMAIN: Final = b"kaguan blacklist 1\n"
_SIGNATURE_BYTES: Final = 64


class ForgedList(InputError):
    """Bytes that are no list, or that nobody signed whom this terminal believes."""


class StaleList(RuleBroken):
    """A list that is older than the one held, begins elsewhere, has ended, or is for another terminal."""


class CardListed(RuleBroken):
    """The card is on the blacklist, or nobody can tell here; it was asked for nothing."""


@dataclass(frozen=True, slots=True)
class Blacklist:
    """What the authority tells one terminal: everything after number `since`, up to number `sequence`.

    From 0 on it is a whole list. `cards` has a cause for each card identification code; moments are in ISO 8601.
    """

    region: str
    terminal_no: str
    since: int
    sequence: int
    issued_at: str
    good_until: str
    cards: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def signed(self, key: Ed25519PrivateKey) -> bytes:
        """The list as it goes to the terminal: its content in one line of JSON, its signature in another."""
        body = json.dumps(_plain(self), sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
        return body + b"\n" + key.sign(_DOMAIN + body).hex().encode() + b"\n"

    @classmethod
    def verified(cls, data: bytes, key: Ed25519PublicKey) -> Blacklist:
        """The list in these bytes.

        Raises:
            ForgedList: the key's owner did not sign them, or they are no list.
        """
        body, _, signature = data.removesuffix(b"\n").rpartition(b"\n")
        try:
            raw = bytes.fromhex(signature.decode("ascii"))
            if len(raw) != _SIGNATURE_BYTES:
                raise ValueError
            key.verify(raw, _DOMAIN + body)
            return cls._read(json.loads(body))
        except (InvalidSignature, ValueError, TypeError):
            raise ForgedList("this is no blacklist that the authority signed: it was not taken") from None

    @classmethod
    def _read(cls, content: dict[str, Any]) -> Blacklist:
        read = cls(**{**content, "cards": MappingProxyType(dict(content["cards"]))})
        for moment in (read.issued_at, read.good_until):
            datetime.fromisoformat(moment)
        return read


class TerminalBlacklist:
    """The list that one terminal holds, in a file of its own when it has one."""

    def __init__(self, terminal: bytes, key: Ed25519PublicKey, file: Path | None = None) -> None:
        self._terminal_no = terminal.hex().upper()
        self._key = key
        self._file = file
        self._held: Blacklist | None = None
        if file is not None and file.exists():
            self._held = _restored(file)

    @property
    def sequence(self) -> int | None:
        """The number up to which the terminal knows what is listed; None without a list."""
        return self._held.sequence if self._held else None

    @property
    def cards(self) -> Mapping[str, str]:
        """The cards that it refuses, by identification code, each with the cause."""
        return self._held.cards if self._held else MappingProxyType({})

    def take(self, data: bytes, when: datetime) -> int:
        """The terminal refuses what the list says, also after it was switched off; the list's number.

        Raises:
            ForgedList: not signed by the authority, or no list.
            StaleList: for another terminal or region, past its end, older than the one held, or changes that begin
                elsewhere than where the one held ends.
        """
        new = Blacklist.verified(data, self._key)
        self._check_place(new)
        if when >= datetime.fromisoformat(new.good_until):
            raise StaleList(f"the list was good until {new.good_until}: fetch a new one")
        held = self._held
        if held is not None and (new.sequence < held.sequence or _moment(new) <= _moment(held)):
            raise StaleList(f"list {new.sequence} is no newer than list {held.sequence}, which is held")
        if new.since and (held is None or held.sequence != new.since):
            raise StaleList(f"the list begins after {new.since}, held is {self.sequence}: fetch a whole one")
        known = dict(held.cards) if held is not None and new.since else {}
        known.update(new.cards)
        listed = {card: cause for card, cause in known.items() if cause != LEFT}
        self._keep(replace(new, cards=MappingProxyType(listed)))
        return new.sequence

    def check(self, card_ident_code: str, when: datetime) -> None:
        """Nothing happens when the card may be served offline.

        Raises:
            CardListed: it is listed, or there is no list that is still good.
        """
        if self._held is None:
            raise CardListed("this terminal has no blacklist yet: offline it serves no card")
        if when >= datetime.fromisoformat(self._held.good_until):
            raise CardListed(f"the blacklist was good until {self._held.good_until}: offline it serves no card")
        cause = self._held.cards.get(card_ident_code)
        if cause is not None:
            raise CardListed(f"the card is on the blacklist ({cause}): keep it, and call the authority")

    def _check_place(self, new: Blacklist) -> None:
        if new.terminal_no != self._terminal_no:
            raise StaleList(f"the list is for terminal {new.terminal_no}, this is {self._terminal_no}")
        if self._held is not None and new.region != self._held.region:
            raise StaleList(f"the list is of region {new.region}, this terminal's is {self._held.region}")

    def _keep(self, held: Blacklist) -> None:
        if self._file is not None:
            write_whole(self._file, json.dumps(_plain(held)).encode(), mode=0o600)
        self._held = held


def _restored(file: Path) -> Blacklist:
    try:
        return Blacklist._read(json.loads(file.read_bytes()))
    except (ValueError, TypeError, KeyError):
        raise InputError(f"{file} holds no terminal's blacklist: remove it, and fetch a whole list") from None


def _moment(blacklist: Blacklist) -> datetime:
    return datetime.fromisoformat(blacklist.issued_at)


def _plain(blacklist: Blacklist) -> dict[str, Any]:
    shown = {name: getattr(blacklist, name) for name in Blacklist.__dataclass_fields__}
    return {**shown, "cards": dict(blacklist.cards)}
