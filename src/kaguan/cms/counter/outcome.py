"""What a failed transaction with a chip leaves in the books, and what the chip's next number tells of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kaguan.apdu.errors import KaguanError
from kaguan.cms.rules.refusals import NeedsReconciliation
from kaguan.terminal.refusals import CardRefused, PinRefused
from kaguan.vault.secret import Pin

SURELY_NOT_DONE = frozenset((*range(0x67, 0x6F), 0x93, 0x94))
"""SW1 of a card that has looked at a command and left it; after any other the memory may have changed."""


@contextmanager
def booked(mark_grey: Callable[[], object], cancel: Callable[[str], object]) -> Iterator[None]:
    """What fails within is cancelled in the books when the chip surely has not done it, and grey otherwise."""
    try:
        yield
    except KaguanError as error:
        if surely_refused(error):
            cancel(str(error))
        else:
            mark_grey()
        raise


def surely_refused(error: KaguanError) -> bool:
    """Whether the card has looked at the command and left it; of a PIN that it found wrong too."""
    return isinstance(error, CardRefused) and (error.sw >> 8 in SURELY_NOT_DONE or isinstance(error, PinRefused))


def needed(pin: Pin | None) -> Pin:
    """The PIN, which is needed to see how far the card has gone; refuses with NeedsReconciliation without one."""
    if pin is None:
        raise NeedsReconciliation("the card proves nothing: ask again with the PIN, to see how far it has gone")
    return pin


def check_unused(sequence: int, present: int, balance_fen: int) -> None:
    """Nothing happens when the card's next transaction will have this number.

    Raises:
        NeedsReconciliation: it has another one.
    """
    if present != sequence:
        raise NeedsReconciliation(
            f"the card is at number {present}, this was number {sequence}, and its proof is gone: "
            f"it stays open until the authority reconciles it (the card holds {balance_fen} fen)"
        )
