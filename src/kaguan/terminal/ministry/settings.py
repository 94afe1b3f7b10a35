"""What a site chooses where public evidence ends; `settings.toml` has the defaults and says how good each one is."""

from __future__ import annotations

import pkgutil
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

from kaguan.apdu.errors import PlacedInputError
from kaguan.card_os.profile import CardProfile, load_profile
from kaguan.card_os.profile.medical import SHARES, MedicalItem
from kaguan.card_os.profile.model import Confidence


class SettingsError(PlacedInputError):
    """Settings that name something unknown, or say it in another form."""


class Contacts(StrEnum):
    """How the terminal's reader touches cards."""

    CONTACT = "contact"
    CONTACTLESS = "contactless"


class Shown(StrEnum):
    """What is shown to a card that takes either."""

    PIN = "pin"
    KEY = "key"


class Genuine(StrEnum):
    """Whether iReadCardBas has the card prove itself by INTERNAL AUTHENTICATE."""

    WITH_MODULE = "with-module"
    ALWAYS = "always"
    NEVER = "never"


class DebitItem(StrEnum):
    """What the answer of iDoDebit may consist of."""

    SEQUENCE = "sequence"
    TYPE = "type"
    TERMINAL = "terminal"
    WHEN = "when"
    ACCOUNT = "account"
    SELF_PAID = "self-paid"
    POOL = "pool"
    NUMBER = "number"
    TAC = "tac"
    MAC2 = "mac2"


@dataclass(frozen=True, slots=True)
class Settings:
    """The choices of one site. `confidence` is by their names in the file."""

    types: Mapping[Contacts, frozenset[int]]
    authentications: Mapping[int, Shown]
    profiles: Mapping[str, str]
    algorithms: Mapping[str, str]
    genuine: Genuine
    names: Mapping[str, str]
    initial_pin: str
    may_pay_with_initial: bool
    may_become_initial: bool
    hsm: Mapping[str, str]
    pay_shares: tuple[MedicalItem, MedicalItem]
    terminal: str
    debit_answer: tuple[DebitItem, ...]
    confidence: Mapping[str, Confidence]

    def hsm_address(self, profile: CardProfile, label: str) -> str:
        """Where the hardware security module keeps the master of this key: four digits, empty when nobody knows.

        Without an address of its own the key has the one in a security module.
        """
        key = profile.key(label)
        return self.hsm.get(label) or key.hsm or (key.psam and key.psam.replace("/", "").rjust(4, "0"))

    def hsm_label(self, profile: CardProfile, address: str) -> str | None:
        """The key whose master the hardware security module keeps there."""
        labels = (key.master_label for key in profile.keys())  # noqa: SIM118 - no mapping
        return next((label for label in labels if address and self.hsm_address(profile, label) == address), None)


@cache
def default_settings() -> Settings:
    """What holds where a site says nothing."""
    return _settings(_defaults(), "settings.toml")


def parse_settings(text: str, *, file: str = "") -> Settings:
    """The defaults with what this text says otherwise.

    Raises:
        SettingsError: no TOML, an unknown setting, or a value that none is.
        ProfileError: a profile that there is not.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(str(error), file=file) from None
    return _settings(_merged(_defaults(), table, file), file)


def _defaults() -> dict[str, Any]:
    raw = pkgutil.get_data(__package__, "settings.toml")
    assert raw is not None  # noqa: S101 - it comes with the package
    return tomllib.loads(raw.decode())


_OPEN = frozenset({"authentications", "profiles", "algorithms", "names", "hsm", "confidence"})
"""Tables that a site may add to."""


def _merged(defaults: dict[str, Any], table: Mapping[str, Any], file: str) -> dict[str, Any]:
    for section, values in table.items():
        known = defaults.get(section)
        if known is None or not isinstance(values, dict):
            raise SettingsError(f"there is no table [{section}]: use {', '.join(defaults)}", file=file)
        for name in values:
            if section not in _OPEN and name not in known:
                raise SettingsError(f"[{section}] has no setting '{name}': use {', '.join(known)}", file=file)
        known |= values
    return defaults


def _settings(table: Mapping[str, Any], file: str) -> Settings:
    try:
        first, second = map(MedicalItem, table["debit"]["shares"])
        settings = Settings(
            types={Contacts(name): frozenset(map(int, numbers)) for name, numbers in table["types"].items()},
            authentications={int(number): Shown(name) for number, name in table["authentications"].items()},
            profiles=dict(table["profiles"]),
            algorithms=dict(table["algorithms"]),
            genuine=Genuine(table["basic"]["genuine"]),
            names=dict(table["names"]),
            initial_pin=str(table["pin"]["initial"]),
            may_pay_with_initial=bool(table["pin"]["may_pay_with_initial"]),
            may_become_initial=bool(table["pin"]["may_become_initial"]),
            hsm=dict(table["hsm"]),
            pay_shares=(first, second),
            terminal=bytes.fromhex(table["debit"]["terminal"]).hex().upper(),
            debit_answer=tuple(map(DebitItem, table["debit"]["answer"])),
            confidence={name: Confidence(letter) for name, letter in table["confidence"].items()},
        )
    except (TypeError, ValueError, AttributeError) as error:
        raise SettingsError(str(error), file=file) from None
    if first is second or not {first, second} <= set(SHARES):
        raise SettingsError(f"debit.shares are two of {', '.join(SHARES)}", file=file)
    if len(settings.terminal) != 12:
        raise SettingsError("debit.terminal has 12 digits", file=file)
    for name in settings.profiles.values():
        load_profile(name)
    return settings
