"""Who asks at the command line.

Law. Whoever has a password acts signed in; an account without one is for whoever can open the database.
"""

from __future__ import annotations

from kaguan.cms.models import Credential
from kaguan.cms.rules.refusals import NotAllowed
from kaguan.cms.services.access.sessions import actor_of
from kaguan.cms.services.case import Actor
from kaguan.vault.secret import Secret


def actor_at(operator: str, institution: str, session: Secret) -> Actor:
    """Return who asks: the one whose session it is, or, without a session, the operator of that name.

    Refuses with NotAllowed: the session is over, or another operator's than named; the operator has a password and
    gives no session. Whether a named operator works there, each use case finds out.
    """
    if session:
        actor = actor_of(session)
        if operator not in {"", actor.operator}:
            raise NotAllowed(f"the session is {actor.operator}'s and not {operator}'s: sign in as {operator}")
        return actor
    if Credential.objects.filter(pk=operator).exists():
        raise NotAllowed(
            f"operator {operator} has a password and is not signed in here: "
            f"export KAGUAN_SESSION=$(kaguan cms access sign-in {operator} --token-only)"
        )
    return Actor(operator, institution)
