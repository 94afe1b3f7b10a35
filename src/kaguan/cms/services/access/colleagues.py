"""The operators and institutions that somebody answers for, by level."""

from __future__ import annotations

from kaguan.apdu.errors import NeedsSecondPerson
from kaguan.cms.models import Institution, Operator
from kaguan.cms.rules.refusals import NotFound
from kaguan.cms.services.case import Case
from kaguan.cms.services.scope import institutions_in_reach


def colleague(case: Case, code: str) -> Operator:
    """Return the operator when the actor answers for them; refuse with NotFound, NeedsSecondPerson (oneself)."""
    operator = Operator.objects.filter(pk=code, institution__in=institutions_in_reach(case.operator)).first()
    if operator is None:
        raise NotFound(f"no operator {code!r} is on the books")
    if operator.pk == case.operator.pk:
        raise NeedsSecondPerson(f"operator {code} cannot do this to their own account")
    case.note(colleague=code)
    return operator


def workplace(case: Case, code: str) -> Institution:
    """Return the institution when the actor answers for it; refuse with NotFound."""
    institution = Institution.objects.filter(pk=code).first()
    if institution is None or code not in institutions_in_reach(case.operator):
        raise NotFound(f"no institution {code!r} is on the books")
    case.note(workplace=code)
    return institution
