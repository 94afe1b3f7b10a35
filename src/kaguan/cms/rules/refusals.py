"""Every way in which card management says no.

Law. A refusal changes nothing but the audit log, which notes that it was asked and why not.
"""

from __future__ import annotations

from kaguan.apdu.errors import InputError, RuleBroken


class RuleTableError(InputError):
    """A table of rules contradicts itself or names something unknown; the program does not start with it."""


class NotFound(RuleBroken):
    """No card, person, institution or request of that name is on the books."""


class IllegalTransition(RuleBroken):
    """The event is not allowed in the state that the card is in."""


class NotEligible(RuleBroken):
    """This card, person or institution may not have it."""


class MayNotHaveCard(NotEligible):
    """The person may not apply for a card, or for its replacement; `code` is the answer's number, `which` the case."""

    def __init__(self, message: str, *, code: str, which: str) -> None:
        """Hold the answer beside its text."""
        super().__init__(message)
        self.code = code
        self.which = which


class NotAllowed(RuleBroken):
    """The operator's roles do not give the right, or the operator may not sign in."""


class LimitExceeded(RuleBroken):
    """The amount is over the limit, or is no amount."""


class InsufficientFunds(RuleBroken):
    """The account holds less than has to leave it."""


class NotMedical(NotEligible):
    """The medical wallet pays for medical goods and services, and for nothing else."""


class ForbiddenSource(NotEligible):
    """Money may not reach the medical card from there."""


class DuplicateRequest(RuleBroken):
    """The same thing was already done under another request."""


class IdempotencyConflict(DuplicateRequest):
    """The request id was used before, for something else."""


class Inexpressible(RuleBroken):
    """Somebody else's codes have no word for it, or ours have none for theirs."""


class StateChanged(RuleBroken):
    """The card or person is not as it was when the actor looked; look again and decide anew."""


class AlreadyResolved(RuleBroken):
    """The pending transfer was confirmed or cancelled before; the first answer stands."""


class NeedsReconciliation(RuleBroken):
    """Neither books nor chip can tell what happened; the money stays where it is held until somebody finds out."""


class NotCertified(RuleBroken):
    """What is shown is no certificate of a card that is good now."""


class ProofFailed(RuleBroken):
    """The books or the audit log are not what was written; the text names the first bad row."""
