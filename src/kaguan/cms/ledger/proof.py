"""Prove the books: by the sum, by replay, and by what is still held."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from django.db.models import Sum

from kaguan.cms.ledger.accounts import HOLDING, kind_of
from kaguan.cms.ledger.posting import Phase, moves_of
from kaguan.cms.models import Account, Entry, Transfer
from kaguan.cms.rules.refusals import ProofFailed


class BooksProof(NamedTuple):
    """How much was proved."""

    accounts: int
    transfers: int
    entries: int


def total() -> int:
    """Return the sum over all accounts in fen, which is zero in sound books."""
    return Account.objects.aggregate(total=Sum("balance_fen"))["total"] or 0


def replay() -> dict[str, int]:
    """Return every account's balance as its entries alone give it."""
    balances: Counter[str] = Counter()
    for source, destination, amount_fen in Entry.objects.values_list("source_id", "destination_id", "amount_fen"):
        balances[source] -= amount_fen
        balances[destination] += amount_fen
    return dict(balances)


def held() -> dict[str, int]:
    """Return what every holding account must hold: the pending transfers that nothing has resolved."""
    amounts: Counter[str] = Counter()
    for transfer in Transfer.objects.filter(phase=Phase.PENDING, resolved_by=None):
        amounts[transfer.content["through"]] += sum(move.amount_fen for move in moves_of(transfer))
    return dict(amounts)


def verify_books() -> BooksProof:
    """Return how much was proved, when the books are sound.

    Raises:
        ProofFailed: naming the first account that its entries, or its open reservations, do not explain.
    """
    replayed, open_reservations = replay(), held()
    for account in Account.objects.order_by("code"):
        expected = replayed.get(account.code, 0)
        if account.balance_fen != expected:
            raise ProofFailed(f"account {account.code} shows {account.balance_fen} fen, its entries give {expected}")
        if kind_of(account.code) in HOLDING and account.balance_fen != open_reservations.get(account.code, 0):
            raise ProofFailed(f"account {account.code} holds {account.balance_fen} fen that no open transfer explains")
    if total() != 0:
        raise ProofFailed(f"the sum over all accounts is {total()} fen, not zero")
    return BooksProof(Account.objects.count(), Transfer.objects.count(), Entry.objects.count())
