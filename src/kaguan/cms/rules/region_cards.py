"""What one region decides about its cards, and the money on them: the settings, each defined once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

from kaguan.cms.rules.choices import (
    AccountUse,
    CardFunction,
    DayCount,
    Demand,
    InstitutionKind,
    LossScope,
    PurseWait,
    Reimbursement,
)
from kaguan.cms.rules.settings import (
    Always,
    Choice,
    Day,
    Digits,
    Flag,
    OrNever,
    Several,
    Whole,
    setting,
)

_DAYS: Final = Whole(0, 3_650)
_FEN: Final = Whole(0, 100_000_000)
_MYRIADTHS: Final = Whole(0, 10_000)
_DEMANDS: Final = Several(Choice(Demand))
_END: Final = (Demand.CARD_RECOVERED,)


@dataclass(frozen=True, slots=True, kw_only=True)
class CardSettings:
    """What a region decides about cards and money on one day; amounts in fen, spans in the unit at the name's end.

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
    temporary_loss_becomes_formal: bool = setting(
        "loss",
        Flag(),
        "INF",
        "a temporary loss that nobody takes back in time becomes a formal one, instead of lapsing",
        default=False,
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
    renewal_days: int = setting(
        "making", _DAYS, "GUESS", "a card may be renewed in so many days before its end", default=180
    )

    first_card_fee_fen: int = setting("fees", _FEN, "C", "what the first card costs", default=0)
    replacement_fee_fen: int = setting(
        "fees", _FEN, "C", "what a card in place of a lost or exchanged one costs", default=2_500
    )
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
    cancel_demands_expired: tuple[Demand, ...] = setting(
        "cancel", _DEMANDS, "INF", "of a card whose last day is over", default=()
    )
    cancel_demands_not_collected: tuple[Demand, ...] = setting(
        "cancel", _DEMANDS, "INF", "of a card that nobody collected", default=()
    )
    cancel_demands_other: tuple[Demand, ...] = setting(
        "cancel", _DEMANDS, "GUESS", "for any other reason", default=(Demand.PROOF, *_END)
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
