"""What one region decides for itself: local procedure differs from city to city, so it is data.

Every setting is defined once, here: its table in the file, its bounds, how sure its default is, what it means, and the
default. The letters of certainty are those of the card profiles. `regionfile` reads them, `layers` merges them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from kaguan.cms.rules.approvals import Action
from kaguan.cms.rules.choices import (
    Check,
    Demand,
    InitialPassword,
    InstitutionKind,
    OnlineName,
    Paper,
    PasswordChange,
)
from kaguan.cms.rules.refusals import RuleTableError
from kaguan.cms.rules.region_cards import CardSettings
from kaguan.cms.rules.settings import (
    Choice,
    Day,
    Flag,
    OrNever,
    Setting,
    Several,
    Whole,
    setting,
    settings_of,
)
from kaguan.cms.rules.terms import Channel

__all__ = ["DEFAULT_REGION", "SETTINGS", "InstitutionKind", "RegionRules", "read_region"]

_CHANNELS: Final = Several(Choice(Channel))
_PAPERS: Final = Several(Choice(Paper))
_COUNTERS: Final = (Channel.SERVICE_CENTRE, Channel.BANK_OUTLET)
_FROM_AFAR: Final = (Channel.WEBSITE, Channel.APP, Channel.WECHAT, Channel.PHONE, Channel.SMS)
_MINUTES: Final = Whole(1, 1_440)
_PIXELS: Final = Whole(1, 10_000)
_IN_PERSON: Final = (Paper.IDENTITY_ORIGINAL,)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionRules(CardSettings):
    """One region's settings on one day: those of cards and money, and those of the people who ask for them.

    `sign_in_lock_seconds` is how long an account is locked at first after too many failures; each more doubles it.
    """

    guardian_below_years: int = setting(
        "documents", Whole(0, 18), "C", "who is younger acts through a guardian", default=16
    )
    card_proves_identity: bool = setting(
        "documents", Flag(), "C", "in social security business the card stands for the identity document", default=False
    )
    activate_documents: tuple[Paper, ...] = setting(
        "documents", _PAPERS, "C", "what activation at a counter asks to see", default=_IN_PERSON
    )
    medical_documents: tuple[Paper, ...] = setting(
        "documents",
        _PAPERS,
        "C",
        "what opening the medical account at a service centre asks to see",
        default=(Paper.IDENTITY_ORIGINAL, Paper.SOCIAL_CARD, Paper.BANK_CARD, Paper.FORM),
    )
    formal_loss_documents: tuple[Paper, ...] = setting(
        "documents", _PAPERS, "C", "what a formal loss asks to see", default=_IN_PERSON
    )
    pin_reset_documents: tuple[Paper, ...] = setting(
        "documents", _PAPERS, "C", "what a reset of the PIN asks to see", default=_IN_PERSON
    )

    apply_channels: tuple[Channel, ...] = setting(
        "channels",
        _CHANNELS,
        "C",
        "ways to apply",
        default=(*_COUNTERS, Channel.EMPLOYER, Channel.WEBSITE, Channel.APP),
    )
    activate_channels: tuple[Channel, ...] = setting(
        "channels",
        _CHANNELS,
        "C",
        "ways to activate",
        default=(*_COUNTERS, Channel.HOSPITAL, Channel.PHARMACY, Channel.WEBSITE),
    )
    temporary_loss_channels: tuple[Channel, ...] = setting(
        "channels", _CHANNELS, "C", "ways to report a loss for the time being", default=(*_COUNTERS, *_FROM_AFAR)
    )
    formal_loss_channels: tuple[Channel, ...] = setting(
        "channels", _CHANNELS, "C", "ways to report a loss in writing", default=_COUNTERS
    )
    release_loss_channels: tuple[Channel, ...] = setting(
        "channels",
        _CHANNELS,
        "INF",
        "ways to take a temporary loss back",
        default=(*_COUNTERS, Channel.PHONE, Channel.APP),
    )
    replace_channels: tuple[Channel, ...] = setting(
        "channels", _CHANNELS, "C", "ways to have a new card", default=_COUNTERS
    )
    pin_reset_channels: tuple[Channel, ...] = setting(
        "channels", _CHANNELS, "C", "ways to reset the PIN", default=_COUNTERS
    )

    activation_reminder_days: int | None = setting(
        "activation",
        OrNever(Whole(1, 3_650)),
        "GUESS",
        "days after the hand-over until the holder is reminded",
        default=30,
    )
    activation_overdue_days: int | None = setting(
        "activation",
        OrNever(Whole(1, 3_650)),
        "GUESS",
        "days after the hand-over until a card that nobody activated is reported to its office",
        default=90,
    )
    online_name: OnlineName = setting(
        "activation", Choice(OnlineName), "C", "the user name of online activation", default=OnlineName.ID_NUMBER
    )
    online_initial_passwords: tuple[InitialPassword, ...] = setting(
        "activation",
        Several(Choice(InitialPassword)),
        "C",
        "what is taken as its first password",
        default=(InitialPassword.CARD_NUMBER, InitialPassword.PERSONAL_NUMBER),
    )
    online_password_change: PasswordChange = setting(
        "activation", Choice(PasswordChange), "INF", "what becomes of the first password", default=PasswordChange.FORCED
    )
    go_live_on: date | None = setting(
        "activation", OrNever(Day()), "C", "from this day the region issues the national unified card", default=None
    )

    activation_checks: tuple[Check, ...] = setting(
        "activation",
        Several(Choice(Check)),
        "C",
        "what a service centre compares before it activates a card",
        default=tuple(Check),
    )
    verdict_valid_minutes: int = setting(
        "activation", _MINUTES, "GUESS", "how long what a device has compared counts", default=10
    )
    old_card_valid_minutes: int = setting(
        "activation", _MINUTES, "GUESS", "how long after the old card the new one has to be read", default=10
    )

    approvals_needed: tuple[Action, ...] = setting(
        "approvals",
        Several(Choice(Action)),
        "GUESS",
        "steps that need a second person here, besides those that always do",
        default=(Action.MAKE_AGAIN,),
    )
    approval_valid_days: int = setting(
        "approvals", Whole(1, 365), "GUESS", "who asks for approval waits so many days at most", default=7
    )

    password_valid_days: int = setting(
        "sign_in", Whole(1, 3_650), "GUESS", "an operator's password is changed after so many days", default=90
    )
    passwords_remembered: int = setting(
        "sign_in", Whole(0, 100), "GUESS", "so many former passwords are not taken again", default=5
    )
    sign_in_failures_allowed: int = setting(
        "sign_in", Whole(1, 100), "GUESS", "wrong passwords in a row that lock an account", default=5
    )
    sign_in_lock_seconds: int = setting(
        "sign_in", Whole(1, 86_400), "GUESS", "how long the first lock lasts", default=60
    )
    session_idle_minutes: int = setting(
        "sign_in", _MINUTES, "GUESS", "a session ends when nothing was asked for so long", default=15
    )
    session_hours: int = setting("sign_in", Whole(1, 168), "GUESS", "a session ends after so many hours", default=10)

    certificate_show_minutes: int = setting(
        "certificate", _MINUTES, "GUESS", "how long an extract that is shown on a screen is good", default=5
    )
    certificate_proof_days: int = setting(
        "certificate", Whole(1, 3_650), "GUESS", "how long an extract that is handed in as a proof is", default=30
    )

    photo_width_pixels: int = setting("photo", _PIXELS, "C", "width of a holder's photo", default=358)
    photo_height_pixels: int = setting("photo", _PIXELS, "C", "its height", default=441)
    photo_most_bytes: int = setting("photo", Whole(1_000, 10_000_000), "C", "how large it may be", default=60_000)

    def __post_init__(self) -> None:
        """Hold typed values also when the settings were read from JSON, and values that fit together only."""
        if not isinstance(self.name, str) or not self.name.strip():
            raise RuleTableError(f"a region's name is text, not {self.name!r}")
        for name, one in SETTINGS.items():
            object.__setattr__(self, name, self._read(name, one))
        for smaller, larger in _IN_ORDER:
            if getattr(self, smaller) > getattr(self, larger):
                raise RuleTableError(f"region {self.name}: {smaller} is more than {larger}: lower it")
        if self.temporary_loss_becomes_formal and self.written_loss_within_working_days is not None:
            raise RuleTableError(
                f"region {self.name}: temporary_loss_becomes_formal and written_loss_within_working_days contradict: "
                "what has to be confirmed in writing does not become formal by itself"
            )
        if self.online_name is OnlineName.CARD_NUMBER and InitialPassword.CARD_NUMBER in self.online_initial_passwords:
            raise RuleTableError(
                f"region {self.name}: online_name and online_initial_passwords are both the card number: "
                "whoever reads a card could sign in"
            )
        if both := set(self.days_off) & set(self.days_worked):
            raise RuleTableError(f"region {self.name}: {min(both)} is a day off and a day worked: leave one of them")

    def _read(self, name: str, one: Setting) -> object:
        try:
            return one.kind.read(getattr(self, name))
        except ValueError as error:
            raise RuleTableError(f"region {self.name}: [{one.table}] {name}: {error}") from None

    def asks_pin_at(self, kind: str) -> bool:
        """Return whether a purchase at this kind of site needs the holder's PIN."""
        return kind in self.pin_required_at

    def cancel_demands(self, reason: StrEnum) -> tuple[Demand, ...]:
        """Return what has to be there before a card is cancelled for that reason (`lifecycle.CancelReason`)."""
        demands: tuple[Demand, ...] = getattr(self, f"cancel_demands_{reason.name.lower()}")
        return demands

    def settings(self) -> dict[str, object]:
        """Return the settings as JSON can hold them; `read_region` is the inverse."""
        written = {name: one.kind.write(getattr(self, name)) for name, one in SETTINGS.items()}
        return {"name": self.name, **written}

    def own_settings(self) -> dict[str, object]:
        """Return the name and those settings that are not the defaults, as JSON can hold them."""
        defaults = DEFAULT_REGION.settings()
        return {name: value for name, value in self.settings().items() if name == "name" or value != defaults[name]}


SETTINGS: Final[Mapping[str, Setting]] = settings_of(RegionRules)
_IN_ORDER: Final = (
    ("temporary_card_days", "temporary_card_longest_days"),
    ("urgent_lead_working_days", "lead_working_days"),
)


def read_region(settings: Mapping[str, object]) -> RegionRules:
    """Return the rules that the settings describe; absent ones take the default.

    Raises:
        RuleTableError: an unknown setting, or a value of the wrong kind.
    """
    for name in settings:
        if name != "name" and name not in SETTINGS:
            raise RuleTableError(f"unknown region setting {name!r}: use one of {', '.join(sorted(SETTINGS))}")
    try:
        return RegionRules(**settings)  # type: ignore[arg-type]
    except TypeError as error:
        raise RuleTableError(f"region settings: {error}") from error


DEFAULT_REGION = RegionRules(name="the default region")
