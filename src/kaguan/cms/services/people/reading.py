"""Look at a person: masked for everybody who may, unmasked with a reason that stays in the audit log."""

from __future__ import annotations

from dataclasses import dataclass

from kaguan.cms.models import Holder
from kaguan.cms.rules.documents import mask_name, mask_number
from kaguan.cms.rules.personal import Fact
from kaguan.cms.rules.refusals import NotEligible
from kaguan.cms.rules.rights import Right
from kaguan.cms.services.case import Case
from kaguan.cms.services.minors import facts_of
from kaguan.cms.services.state_tag import state_tag
from kaguan.cms.services.use_case import question

_SHORTEST_REASON = 4
_SHOWN = frozenset({Fact.SEX, Fact.NATION, Fact.NATIONALITY})


@dataclass(frozen=True, slots=True)
class Person:
    """What the books say of somebody; whether it is masked stands beside it."""

    holder_id: int
    name: str
    cert_type: str
    cert_no: str
    facts: dict[str, str]
    masked: bool
    state_tag: str = ""

    def __repr__(self) -> str:
        """The person's number in the books only."""
        return f"Person({self.holder_id})"


@question("look at person", Right.ENROL)
def look_at_person(case: Case, /, *, holder_id: int) -> Person:
    """Return what the books say of the person, masked. Refuses with NotFound, own person."""
    holder = case.person(holder_id)
    facts = {name: text if name in _SHOWN else "*" * min(len(text), 8) for name, text in facts_of(holder).items()}
    return Person(
        holder.pk,
        mask_name(holder.name),
        holder.cert_type,
        mask_number(holder.cert_no),
        facts,
        masked=True,
        state_tag=state_tag(holder),
    )


@question("unmask person", Right.UNMASK, noted=True)
def unmask_person(case: Case, /, *, holder_id: int, reason: str) -> Person:
    """Return what the books say of the person, as it is; every single look leaves a line with its reason.

    Refuses, in this order: no such person, own person, no reason.
    """
    holder = case.person(holder_id)
    if len(reason.strip()) < _SHORTEST_REASON:
        raise NotEligible("personal data are shown for a reason: say which")
    case.note(reason=reason)
    return person_as_it_is(holder)


def person_as_it_is(holder: Holder) -> Person:
    """Return what the books say of the person, unmasked: for the person alone, or after an unmasking."""
    return Person(
        holder.pk,
        holder.name,
        holder.cert_type,
        holder.cert_no,
        facts_of(holder),
        masked=False,
        state_tag=state_tag(holder),
    )
