"""A card that a call has powered on: whose it is, of which generation, and what the terminal's module can do for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from kaguan.apdu.errors import LinkError, NoCard, NoReader, ProfileError
from kaguan.apdu.link import Link
from kaguan.apdu.tlv import Tlv
from kaguan.card_os.profile import CardProfile, load_profile
from kaguan.card_os.profile.module import ModuleAddress
from kaguan.terminal.cardkeys import CardKeys, card_factor, region_factors
from kaguan.terminal.conversations.authentication import authenticate_as
from kaguan.terminal.conversations.files import read_fields, select_dedicated, select_file
from kaguan.terminal.conversations.identity import READING_KEY, REGION_DIGITS
from kaguan.terminal.layers import for_conversation
from kaguan.terminal.ministry.number import CallFailed, ModuleLost, Number
from kaguan.terminal.ministry.settings import Settings
from kaguan.terminal.ministry.slot import ModuleSlot
from kaguan.terminal.ministry.strings import CardInfo, is_ident_code
from kaguan.terminal.psam import ModuleVault, SecurityModule
from kaguan.terminal.reader_errors import CardInUse
from kaguan.terminal.refusals import CardRefused, FileAbsent, PinRefused
from kaguan.terminal.script import Script, converse
from kaguan.vault.ciphers import Algorithm
from kaguan.vault.vault import KeyAbsent

IDENT_CODE, SPECIFICATION, ISSUE_DATE, VALID_UNTIL, CARD_NO = 0x01, 0x03, 0x05, 0x06, 0x07
_PLAIN_MARK = "01"
_HISTORICAL_BYTES = slice(4, 17)

_Result = TypeVar("_Result")


@dataclass(frozen=True, eq=False)
class PoweredCard:
    """A card whose SSSE was selected after a reset; `issuer` is its EF05 by tag, `mark` the algorithm's."""

    link: Link
    psam: Link | None
    settings: Settings
    profile: CardProfile
    mark: str
    issuer: Mapping[int, str]
    atr: bytes

    @property
    def ident_code(self) -> str:
        """The card identification code, 32 hex digits."""
        return self.issuer[IDENT_CODE]

    @property
    def region(self) -> str:
        """The six-digit city that stands first in the card identification code."""
        return self.ident_code[:REGION_DIGITS]

    @property
    def reset_info(self) -> str:
        """卡复位信息: the historical bytes of the ATR, 26 hex digits."""
        return self.atr[_HISTORICAL_BYTES].hex().upper()

    @cached_property
    def module(self) -> SecurityModule | None:
        """The terminal's security module, just reset; None when there is none."""
        if self.psam is None:
            return None
        module = SecurityModule(ModuleSlot(self.psam))
        try:
            module.reset()
        except ModuleLost:
            return None
        return module

    @property
    def terminal_number(self) -> str:
        """终端机编号, 12 digits, those of the settings without a security module."""
        return self.module.terminal.hex().upper() if self.module else self.settings.terminal

    def run(self, script: Script[_Result]) -> _Result:
        """What the conversation comes to."""
        return converse(self.link, script)

    def require(self, info: CardInfo) -> None:
        """Nothing happens when this is the card that the caller means.

        Raises:
            CallFailed: -22.
        """
        if not self.ident_code.startswith(info.ident_code) or self.issuer[CARD_NO] != info.card_no:
            raise CallFailed(Number.OTHER_CARD)

    def require_algorithm(self) -> None:
        """Nothing happens when the card's algorithm is known here.

        Raises:
            CallFailed: -2202.
        """
        if self.mark not in self.settings.algorithms:
            raise CallFailed(Number.ALGORITHM_UNSUPPORTED)

    def require_module(self) -> SecurityModule:
        """The terminal's security module.

        Raises:
            CallFailed: -2201.
        """
        if self.module is None:
            raise CallFailed(Number.NO_MODULE)
        return self.module

    def authenticate(self, label: str) -> None:
        """The session holds the right of the key under this master, such as `DF01.RK1`, by the security module.

        Raises:
            CallFailed: as `with_module`.
        """
        self.with_module(label, lambda keys: authenticate_as(keys, label))

    def with_module(self, label: str, script: Callable[[CardKeys], Script[_Result]]) -> _Result:
        """What the conversation, begun with this key, comes to with the keys of the security module.

        Raises:
            CallFailed: -2201 no module, -2202 it cannot calculate so, -2203 or -27272 it does not hold the key, -24 it
                holds one too far down, which opens the cards of another city or province.
        """
        module = self.require_module()
        self.require_algorithm()
        if self.profile.key(label).algorithm is Algorithm.SM4:
            raise CallFailed(Number.ALGORITHM_UNSUPPORTED)
        keys = CardKeys(ModuleVault(module, self.profile), self.profile, self.region, self.atr)
        try:
            return self.run(script(keys))
        except KeyAbsent:
            absent = Number.NO_READING_KEY if label == READING_KEY else Number.KEY_NOT_FOUND
            raise CallFailed(absent) from None
        except PinRefused:
            if self._holds_only_below(module, label):
                raise CallFailed(Number.LEVEL_TOO_LOW) from None
            raise

    def _holds_only_below(self, module: SecurityModule, label: str) -> bool:
        """Whether the module lacks the key where the profile says, so that one nearer to some card served."""
        usage, levels = next(ModuleAddress.parse(self.profile.key(label).psam).candidates)
        factors = (*region_factors(self.region), card_factor(self.atr))
        try:
            module.lend(usage, ModuleAddress.parse(self.profile.key(label).psam).key, factors[-levels:], None)
        except CardRefused:
            return True
        return False


def power_on(card: Link, psam: Link | None, settings: Settings) -> PoweredCard:
    """The card, reset, with its SSSE selected and its EF05 read.

    Raises:
        CallFailed: -3 it does not answer the reset, -1 it is no social security card that is known here, -20 its card
            identification code is none, -2202 its algorithm does not go with its generation.
        LinkError: there is no card or no reader.
        CardRefused: it is blocked.
    """
    try:
        card.reset()
    except (NoCard, NoReader, CardInUse):
        raise
    except LinkError:
        raise CallFailed(Number.NOT_POWERED) from None
    link = for_conversation(card)
    first = load_profile(next(iter(settings.profiles.values())))
    mark, issuer = converse(link, _introduced(first))
    if not is_ident_code(issuer[IDENT_CODE]):
        raise CallFailed(Number.IDENT_CODE_MALFORMED)
    name = settings.profiles.get(issuer[SPECIFICATION][:1])
    if name is None:
        raise CallFailed(Number.WRONG_TYPE)
    try:
        profile = load_profile(name + settings.algorithms.get(mark, ""))
    except ProfileError:
        raise CallFailed(Number.ALGORITHM_UNSUPPORTED) from None  # no card of this generation is known to calculate so
    return PoweredCard(link, psam, settings, profile, mark, issuer, card.atr)


def _introduced(profile: CardProfile) -> Script[tuple[str, Mapping[int, str]]]:
    """The algorithm's mark in the FCI, and SSSE EF05, which all generations show alike to everyone."""
    try:
        fci = yield from select_dedicated(profile.by_name["SSSE"])
    except FileAbsent:
        raise CallFailed(Number.WRONG_TYPE) from None
    shown = Tlv.parse(fci).find(0xA5, 0x9F0C)
    file = profile.file("SSSE", "EF05")
    yield from select_file(file.fid)
    issuer = yield from read_fields(file)
    return (f"{shown[-1]:02X}" if shown else _PLAIN_MARK), issuer
