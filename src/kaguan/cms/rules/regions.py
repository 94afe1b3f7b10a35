"""What one region decides for itself: local procedure differs from city to city, so it is data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum

from kaguan.cms.rules.activation import Check
from kaguan.cms.rules.approvals import Action
from kaguan.cms.rules.refusals import RuleTableError


class InstitutionKind(StrEnum):
    """What an institution is to the card."""

    AUTHORITY = "authority"
    BANK = "bank"
    OUTLET = "outlet"
    BUREAU = "bureau"
    CENTRE = "centre"
    CLINIC = "clinic"
    HOSPITAL = "hospital"
    PHARMACY = "pharmacy"


class ActivationWay(StrEnum):
    """How a card and its medical account come into use; the values are the events of the application axis."""

    BANK_OUTLET = "activate"
    SERVICE_CENTRE = "activate_at_centre"
    FIRST_REGISTRATION = "activate_by_registration"
    OLD_CARD = "activate_by_old_card"
    ONLINE = "activate_online"


@dataclass(frozen=True, slots=True)
class RegionRules:
    """One region's settings; amounts in fen, spans in the unit that ends their name.

    `purse_wait_days` is how long after the loss an old chip that nobody blocked delays paying out its purse.
    `approvals_needed` names the actions that need a second person here besides those that always do.
    `sign_in_lock_seconds` is how long an account is locked at first after too many failures; each more doubles it.
    `centre_documents` and `centre_checks` are what a service centre asks for before it activates a card.
    """

    name: str
    banks: tuple[str, ...] = ()
    temporary_loss_days: int = 10
    formal_loss_can_be_released: bool = True
    purse_wait_days: int = 365
    pin_tries: int = 3
    pin_resets_allowed: int = 10
    pin_required_at: tuple[str, ...] = (InstitutionKind.CLINIC, InstitutionKind.PHARMACY)
    card_valid_years: int = 10
    load_limit_fen: int = 100_000
    purchase_limit_fen: int = 100_000
    approvals_needed: tuple[str, ...] = ()
    approval_valid_days: int = 7
    password_valid_days: int = 90
    passwords_remembered: int = 5
    sign_in_failures_allowed: int = 5
    sign_in_lock_seconds: int = 60
    session_idle_minutes: int = 15
    session_hours: int = 10
    initial_password_must_change: bool = False
    activation_ways: tuple[str, ...] = tuple(ActivationWay)
    centre_documents: tuple[str, ...] = ("identity card", "social security card", "bank card")
    centre_checks: tuple[str, ...] = tuple(Check)
    verdict_valid_minutes: int = 10
    old_card_valid_minutes: int = 10
    minor_below_years: int = 16
    photo_width_pixels: int = 358
    photo_height_pixels: int = 441
    photo_most_bytes: int = 60_000

    def __post_init__(self) -> None:
        """Hold tuples also when the settings were read from JSON, and sane numbers only."""
        for field in fields(self):
            if isinstance(getattr(self, field.name), list):
                object.__setattr__(self, field.name, tuple(getattr(self, field.name)))
        object.__setattr__(self, "banks", tuple(self.banks))
        object.__setattr__(self, "pin_required_at", tuple(InstitutionKind(kind) for kind in self.pin_required_at))
        object.__setattr__(self, "approvals_needed", tuple(Action(name) for name in self.approvals_needed))
        object.__setattr__(self, "centre_checks", tuple(Check(name) for name in self.centre_checks))
        object.__setattr__(self, "activation_ways", tuple(ActivationWay(way) for way in self.activation_ways))
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
