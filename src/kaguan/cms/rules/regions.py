"""What one region decides for itself: local procedure differs from city to city, so it is data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum

from kaguan.cms.rules.refusals import RuleTableError


class InstitutionKind(StrEnum):
    """What an institution is to the card."""

    AUTHORITY = "authority"
    BANK = "bank"
    OUTLET = "outlet"
    BUREAU = "bureau"
    CLINIC = "clinic"
    HOSPITAL = "hospital"
    PHARMACY = "pharmacy"


@dataclass(frozen=True, slots=True)
class RegionRules:
    """One region's settings; amounts in fen, spans in days.

    `purse_wait_days` is how long after the loss an old chip that nobody blocked delays paying out its purse.
    A temporary loss that is not written in time lapses, or becomes formal where `temporary_loss_becomes_formal`.
    `formal_loss_days` after a formal loss the card is cancelled; None leaves it lost until somebody acts.
    """

    name: str
    banks: tuple[str, ...] = ()
    temporary_loss_days: int = 10
    temporary_loss_becomes_formal: bool = False
    formal_loss_can_be_released: bool = True
    formal_loss_days: int | None = None
    purse_wait_days: int = 365
    pin_tries: int = 3
    pin_resets_allowed: int = 10
    pin_required_at: tuple[str, ...] = (InstitutionKind.CLINIC, InstitutionKind.PHARMACY)
    card_valid_years: int = 10
    renewal_days: int = 180
    uncollected_days: int = 365
    activation_reminder_days: int = 30
    activation_overdue_days: int = 90
    temporary_card_days: int = 60
    temporary_card_longest_days: int = 180
    guardian_below_years: int = 16
    load_limit_fen: int = 100_000
    purchase_limit_fen: int = 100_000

    def __post_init__(self) -> None:
        """Hold tuples also when the settings were read from JSON, and sane numbers only."""
        object.__setattr__(self, "banks", tuple(self.banks))
        object.__setattr__(self, "pin_required_at", tuple(InstitutionKind(kind) for kind in self.pin_required_at))
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, int) and value < 0:
                raise RuleTableError(f"region {self.name}: {field.name} must not be negative, it is {value}")

    def asks_pin_at(self, kind: str) -> bool:
        """Return whether a purchase at this kind of site needs the holder's PIN."""
        return kind in self.pin_required_at

    def settings(self) -> dict[str, object]:
        """Return the settings as JSON can hold them; `read_region` is the inverse."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}


def read_region(settings: Mapping[str, object]) -> RegionRules:
    """Return the rules that the settings describe; absent ones take the default.

    Raises:
        RuleTableError: an unknown setting, or a value of the wrong kind.
    """
    known = {field.name for field in fields(RegionRules)}
    for name in settings:
        if name not in known:
            raise RuleTableError(f"unknown region setting {name!r}: use one of {', '.join(sorted(known))}")
    try:
        return RegionRules(**settings)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise RuleTableError(f"region settings: {error}") from error


DEFAULT_REGION = RegionRules(name="the default region")

SAMPLE_CITY = RegionRules(
    name="Yunzhou (sample city 990100)",
    banks=("95588", "95599", "95566", "95533"),
    temporary_loss_days=10,
    formal_loss_can_be_released=False,
    purse_wait_days=15,
    pin_tries=3,
    pin_resets_allowed=10,
    load_limit_fen=50_000,
    purchase_limit_fen=50_000,
)
