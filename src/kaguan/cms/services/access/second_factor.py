"""The second factor of approvers: codes by RFC 6238, six digits that change every half minute, each good once."""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import pyotp

from kaguan.cms.models import Credential
from kaguan.cms.rules.refusals import NotEligible, NotFound
from kaguan.cms.rules.rights import Right
from kaguan.cms.services.access.colleagues import colleague
from kaguan.cms.services.access.sealing import seal, unseal
from kaguan.cms.services.case import Case
from kaguan.cms.services.use_case import use_case
from kaguan.vault.secret import Secret

_STEP_SECONDS: Final = 30
_LEAST_BYTES: Final = 20
_WHAT: Final = "second factor"


@dataclass(frozen=True, slots=True)
class FactorRef:
    """That an operator has a second factor."""

    code: str


@use_case("enrol second factor", Right.SET_UP, FactorRef)
def enrol_second_factor(case: Case, /, *, code: str, secret: Secret) -> FactorRef:
    """Leave the operator's sign-in asking for codes made with the secret (20 random bytes or more), sealed here.

    Refuses, in this order: no such colleague, own account, secret too short, no password given yet, no fixed secret key
    to seal it under (InputError).
    """
    operator = colleague(case, code)
    if len(secret) < _LEAST_BYTES:
        raise NotEligible(f"the secret of a second factor has {_LEAST_BYTES} bytes or more")
    sealed = seal(secret, _WHAT, code)
    if not Credential.objects.filter(pk=operator.pk).update(second_factor=sealed, second_factor_step=0):
        raise NotFound(f"operator {code} has no password yet: give one first")
    return FactorRef(code)


def code_is_right(credential: Credential, code: str, at: datetime) -> bool:
    """Return whether the code is the one of now, or of half a minute before or after, and was not used before.

    The step of a right one is left in the credential, unsaved.
    """
    secret = unseal(credential.second_factor, _WHAT, credential.operator.pk)
    generator = pyotp.TOTP(base64.b32encode(secret.reveal()).decode(), interval=_STEP_SECONDS)
    now = int(at.timestamp()) // _STEP_SECONDS
    right = [
        step
        for step in (now - 1, now, now + 1)
        if hmac.compare_digest(generator.generate_otp(step).encode(), code.encode())
    ]
    if not right or right[0] <= credential.second_factor_step:
        return False
    credential.second_factor_step = right[0]
    return True
