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

from kaguan.cms.rules.choices import (
    AccountUse,
    CardFunction,
    DayCount,
    Demand,
    DocumentCopy,
    InitialPassword,
    InstitutionKind,
    LossScope,
    OnlineName,
    PasswordChange,
    PurseWait,
    Reimbursement,
)
from kaguan.cms.rules.refusals import RuleTableError
from kaguan.cms.rules.settings import (
    Always,
    Choice,
    Day,
    Digits,
    Flag,
    OrNever,
    Setting,
    Several,
    Whole,
    setting,
    settings_of,
)
from kaguan.cms.rules.terms import Channel

__all__ = ["DEFAULT_REGION", "SAMPLE_CITY", "SETTINGS", "InstitutionKind", "RegionRules", "read_region"]

_DAYS: Final = Whole(0, 3_650)
_FEN: Final = Whole(0, 100_000_000)
_MYRIADTHS: Final = Whole(0, 10_000)
_CHANNELS: Final = Several(Choice(Channel))
_DEMANDS: Final = Several(Choice(Demand))
_COPIES: Final = Several(Choice(DocumentCopy))
_COUNTERS: Final = (Channel.SERVICE_CENTRE, Channel.BANK_OUTLET)
_FROM_AFAR: Final = (Channel.WEBSITE, Channel.APP, Channel.WECHAT, Channel.PHONE, Channel.SMS)
_IN_PERSON: Final = (DocumentCopy.IDENTITY_ORIGINAL,)
_END: Final = (Demand.CARD_RECOVERED,)


@dataclass(frozen=True, slots=True)
class RegionRules:
    """One region's settings on one day; amounts in fen, spans in the unit at the end of the name.

    None is never. `purse_wait_days` is how long after the loss an old chip that nobody blocked delays paying out its
    purse.
    """

    name: str

    banks: tuple[str, ...] = setting(
        "banks",
        Several(Digits(5)),
        "C",
        "numbers of the banks that may issue; an empty list allows every bank",
        default=(),
    )

    temporary_loss_days: int = setting(
        "loss", Whole(1, 365), "C", "a report by phone lapses after so many days", default=10
    )
    temporary_loss_counts: DayCount = setting(
        "loss", Choice(DayCount), "INF", "which days the days of a temporary loss are", default=DayCount.NATURAL
    )
    written_loss_within_working_days: int | None = setting(
        "loss",
        OrNever(Whole(1, 60)),
        "C",
        "a temporary loss has to be confirmed in writing within so many days",
        default=None,
    )
    bank_temporary_loss_days: int = setting(
        "loss", Whole(1, 365), "C", "the bank's side of a temporary loss lapses after so many days", default=5
    )
    formal_loss_can_be_released: bool = setting("loss", Flag(), "C", "a found card may be used again", default=True)
    formal_loss_cancels_after_days: int | None = setting(
        "loss",
        OrNever(Whole(1, 3_650)),
        "C",
        "a formal loss ends in cancellation by itself after so many days",
        default=None,
    )
    bank_loss: LossScope = setting(
        "loss",
        Choice(LossScope),
        "C",
        "whether a loss report takes the bank's side along",
        default=LossScope.TOGETHER_AT_BANK,
    )

    purse_wait: PurseWait = setting(
        "purse", Choice(PurseWait), "C", "what has to happen before a lost purse is paid out", default=PurseWait.EITHER
    )
    purse_wait_days: int = setting(
        "purse", _DAYS, "C", "days after the loss until a lost purse is paid out", default=365
    )

    lead_working_days: int = setting("making", Whole(1, 250), "C", "a card is made within so many days", default=20)
    urgent_lead_working_days: int = setting(
        "making", Whole(1, 250), "C", "an urgent card is, within so many", default=5
    )
    instant_minutes: int = setting(
        "making", Whole(1, 1_440), "C", "an instant outlet makes one while you wait", default=60
    )
    uncollected_days: int | None = setting(
        "making", OrNever(Whole(1, 3_650)), "C", "a card that nobody collects is sealed after so many days", default=365
    )
    card_valid_years: int = setting(
        "making", Whole(1, 20), "B", "a card is valid for so many years at most", default=10
    )

    first_card_fee_fen: int = setting("fees", _FEN, "C", "what the first card costs", default=0)
    replacement_fee_fen: int = setting("fees", _FEN, "C", "what a card in place of a lost one costs", default=2_500)
    warranty_free: bool = setting("fees", Flag(), "C", "bad quality is replaced free within the warranty", default=True)
    warranty_days: int = setting("fees", _DAYS, "GUESS", "how long the warranty is, from the issue", default=365)

    pin_tries: int = setting("pin", Whole(1, 15), "C", "wrong PINs in a row that block it", default=3)
    pin_resets_allowed: int = setting(
        "pin", Whole(0, 99), "C", "resets after which the PIN is void for good", default=10
    )
    pin_required_at: tuple[InstitutionKind, ...] = setting(
        "pin",
        Several(Choice(InstitutionKind)),
        "C",
        "kinds of site where a purchase asks for the PIN; elsewhere the card alone does",
        default=(InstitutionKind.CLINIC, InstitutionKind.PHARMACY),
    )
    pin_initial_must_change: bool = setting(
        "pin", Flag(), "C", "the first PIN has to be changed on receipt", default=True
    )

    temporary_card_days: int = setting(
        "temporary_card", _DAYS, "C", "a temporary card ends after so many days", default=60
    )
    temporary_card_longest_days: int = setting("temporary_card", _DAYS, "C", "how far it may be prolonged", default=183)
    temporary_card_functions: tuple[CardFunction, ...] = setting(
        "temporary_card",
        Several(Choice(CardFunction)),
        "C",
        "what it may do: never money, and in its region alone",
        default=(CardFunction.IDENTITY, CardFunction.MEDICAL_SETTLEMENT),
    )
    temporary_card_returned: bool = setting("temporary_card", Flag(), "C", "it has to be given back", default=True)

    cancel_demands_death: tuple[Demand, ...] = setting(
        "cancel",
        _DEMANDS,
        "C",
        "after a death",
        default=(Demand.PROOF, *_END, Demand.ACCOUNTS_CLOSED, Demand.AGENCY_TOLD),
    )
    cancel_demands_transferred_out: tuple[Demand, ...] = setting(
        "cancel",
        _DEMANDS,
        "C",
        "when the holder emigrates or the insurance moves elsewhere",
        default=(Demand.PROOF, *_END, Demand.ACCOUNTS_CLOSED, Demand.AGENCY_TOLD),
    )
    cancel_demands_damage: tuple[Demand, ...] = setting("cancel", _DEMANDS, "INF", "of a damaged card", default=_END)
    cancel_demands_quality: tuple[Demand, ...] = setting(
        "cancel", _DEMANDS, "INF", "of a card of bad quality", default=_END
    )
    cancel_demands_lost: tuple[Demand, ...] = setting("cancel", _DEMANDS, "INF", "of a lost card", default=())
    cancel_demands_exchanged: tuple[Demand, ...] = setting(
        "cancel", _DEMANDS, "INF", "of an exchanged card", default=_END
    )
    cancel_demands_other: tuple[Demand, ...] = setting(
        "cancel", _DEMANDS, "GUESS", "for any other reason", default=(Demand.PROOF, *_END)
    )

    guardian_below_years: int = setting(
        "documents", Whole(0, 18), "C", "who is younger acts through a guardian", default=16
    )
    card_proves_identity: bool = setting(
        "documents", Flag(), "C", "in social security business the card stands for the identity document", default=False
    )
    activate_documents: tuple[DocumentCopy, ...] = setting(
        "documents", _COPIES, "C", "what activation at a counter asks to see", default=_IN_PERSON
    )
    medical_documents: tuple[DocumentCopy, ...] = setting(
        "documents",
        _COPIES,
        "C",
        "what opening the medical account at a service centre asks to see",
        default=(DocumentCopy.IDENTITY_ORIGINAL, DocumentCopy.SOCIAL_CARD, DocumentCopy.BANK_CARD, DocumentCopy.FORM),
    )
    formal_loss_documents: tuple[DocumentCopy, ...] = setting(
        "documents", _COPIES, "C", "what a formal loss asks to see", default=_IN_PERSON
    )
    pin_reset_documents: tuple[DocumentCopy, ...] = setting(
        "documents", _COPIES, "C", "what a reset of the PIN asks to see", default=_IN_PERSON
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

    own_rate: int = setting(
        "premium", _MYRIADTHS, "C", "what a person pays, in 10,000ths of the base; the account's", default=200
    )
    employer_rate: int = setting(
        "premium", _MYRIADTHS, "C", "what the employer pays, in 10,000ths of the base", default=600
    )
    employer_to_account_rate: int = setting(
        "premium", _MYRIADTHS, "C", "what of the employer's part the account gets, in 10,000ths of that part", default=0
    )

    load_limit_fen: int = setting("account", _FEN, "GUESS", "most that one load brings to the chip", default=100_000)
    purchase_limit_fen: int = setting("account", _FEN, "GUESS", "most that one purchase takes from it", default=100_000)
    medical_cash_refused: bool = setting(
        "account",
        Always("the medical side is fed by the medical insurance account alone"),
        "B",
        "money reaches the medical side from the insurance account alone, never in cash",
        default=True,
    )
    bank_top_up: bool = setting("account", Flag(), "C", "the bank's side of the card may be topped up", default=True)
    wallet_pays_utilities: bool = setting(
        "account", Flag(), "C", "the e-wallet, which is not the personal account, pays bills", default=True
    )
    account_uses: tuple[AccountUse, ...] = setting(
        "account", Several(Choice(AccountUse)), "B", "what the personal account pays", default=(AccountUse.OWN_CARE,)
    )
    daily_goods_refused: bool = setting(
        "account",
        Always("the personal account pays for medical goods and services alone"),
        "C",
        "daily goods are forbidden on the card",
        default=True,
    )
    reimbursement: tuple[Reimbursement, ...] = setting(
        "account",
        Several(Choice(Reimbursement)),
        "C",
        "how the fund's part reaches the holder",
        default=(Reimbursement.DIRECT, Reimbursement.BANK_CLAIM),
    )

    numbers_swapped: bool = setting(
        "dialect", Flag(), "C", "in records of others AAZ500 and AAZ501 stand the other way round", default=False
    )

    days_off: tuple[date, ...] = setting(
        "calendar", Several(Day()), "INF", "holidays that fall on working days", default=()
    )
    days_worked: tuple[date, ...] = setting(
        "calendar", Several(Day()), "INF", "weekend days that are worked", default=()
    )

    def __post_init__(self) -> None:
        """Hold typed values also when the settings were read from JSON, and values that fit together only."""
        if not isinstance(self.name, str) or not self.name.strip():
            raise RuleTableError(f"a region's name is text, not {self.name!r}")
        for name, one in SETTINGS.items():
            object.__setattr__(self, name, self._read(name, one))
        for smaller, larger in _IN_ORDER:
            if getattr(self, smaller) > getattr(self, larger):
                raise RuleTableError(f"region {self.name}: {smaller} is more than {larger}: lower it")
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
