"""人社: the card application state (AAZ502), and indicator names of a record of person and card."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from kaguan.cms.rules.adapters.table import CodeTable, Row
from kaguan.cms.rules.lifecycle import Application
from kaguan.cms.rules.refusals import Inexpressible
from kaguan.cms.rules.regions import RegionRules

DIALECT: Final = "人社"

AAZ502: Final = CodeTable(
    DIALECT,
    "AAZ502",
    "card application state",
    tuple(Application),
    (
        Row("0", "封存 sealed", Application.SEALED),
        Row("1", "正常 normal", Application.NORMAL),
        Row("2", "正式挂失 formal loss", Application.FORMAL_LOSS),
        Row("3", "应用锁定 application locked", Application.LOCKED),
        Row("4", "临时挂失 temporary loss", Application.TEMPORARY_LOSS),
        Row("9", "注销 cancelled", Application.CANCELLED),
    ),
    {Application.NOT_ENABLED: "a card has no application state before it is enabled"},
)

TABLES: Final = (AAZ502,)

INDICATORS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "social_security_no": "AAC002",
        "name": "AAC003",
        "sex": "AAC004",
        "ethnic_group": "AAC005",
        "birth_date": "AAC006",
        "cert_type": "AAC058",
        "mobile": "AAC067",
        "cert_no": "AAC147",
        "country": "AAC161",
        "phone": "AAE005",
        "address": "AAE006",
        "postcode": "AAE007",
        "bank_code": "AAE008",
        "bank_account_no": "AAE010",
        "bank_card_no": "AAE053",
        "unit_no": "AAB001",
        "unit_name": "AAB004",
        "region": "AAB301",
        "card_no": "AAZ500",
        "card_ident_code": "AAZ501",
        "application": "AAZ502",
        "atr": "AAZ507",
        "specification": "AAZ508",
    }
)
"""Our names and theirs."""

NUMBERS_SWAPPED: Final = MappingProxyType({"card_no": "AAZ501", "card_ident_code": "AAZ500"})
"""As one sample from Guizhou has it: card number and identification code the other way round."""

REGION_OF_PERSON: Final = MappingProxyType({"region": "AAC301"})
"""As one vendor's counters have it."""


def naming_of(rules: RegionRules) -> Mapping[str, str]:
    """Return how the region's neighbours name a record otherwise."""
    return NUMBERS_SWAPPED if rules.numbers_swapped else MappingProxyType({})


def named_by_indicators(
    record: Mapping[str, str], *, otherwise: Mapping[str, str] = MappingProxyType({})
) -> dict[str, str]:
    """Return the record under indicator names; `otherwise` are those that a site uses differently.

    Codes stay as they are. Refuses with Inexpressible, naming the field that has no indicator.
    """
    names = _names(otherwise)
    for name in record:
        if name not in names:
            raise Inexpressible(f"{DIALECT} has no indicator for {name!r}: it has them for {', '.join(names)}")
    return {names[name]: value for name, value in record.items()}


def named_by_us(
    indicators: Mapping[str, str], *, otherwise: Mapping[str, str] = MappingProxyType({})
) -> dict[str, str]:
    """Return the record under our names; the inverse of `named_by_indicators` with the same `otherwise`.

    Refuses with Inexpressible, naming the indicator that is none of ours.
    """
    names = {indicator: name for name, indicator in _names(otherwise).items()}
    for indicator in indicators:
        if indicator not in names:
            raise Inexpressible(f"{DIALECT} indicator {indicator!r} is nothing of ours: known are {', '.join(names)}")
    return {names[indicator]: value for indicator, value in indicators.items()}


def _names(otherwise: Mapping[str, str]) -> dict[str, str]:
    names = {**INDICATORS, **otherwise}
    if len(set(names.values())) < len(names) or not otherwise.keys() <= INDICATORS.keys():
        raise Inexpressible(f"{dict(otherwise)} is no way to name a record: every indicator has one meaning")
    return names
