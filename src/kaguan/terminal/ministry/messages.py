"""Messages of the local service, one JSON object each way.

    {"function": "iReadCardBas", "iType": 3}
    {"functionName": "iReadCardBas", "success": 1, "errorno": 0, "pOutInfo": "990100|..."}

`success` is 1, or the negative number: pages compare it with 1 and look the number up (one public page does so).

Law. Whatever comes is answered, and no answer repeats what came.
"""

from __future__ import annotations

import json
from typing import Any

from kaguan.apdu.errors import KaguanError
from kaguan.terminal.ministry.calls import CALLS, Answer, arguments
from kaguan.terminal.ministry.number import CallFailed, Number
from kaguan.terminal.ministry.terminal import MinistryTerminal

SUCCESS = 1
_FUNCTION = "function"


def reply(terminal: MinistryTerminal, message: str | bytes) -> str:
    """The answer to the message, once the call in it has been made."""
    name = ""
    try:
        given = _parsed(message)
        wanted = given.pop(_FUNCTION, None)
        call = CALLS.get(wanted) if isinstance(wanted, str) else None
        if call is None:
            raise CallFailed(Number.UNKNOWN_CALL if isinstance(wanted, str) else Number.WRONG_PARAMETER)
        name = call.name
        answer: Answer = getattr(terminal, name)(*arguments(call, given))
    except CallFailed as failure:
        answer = Answer.failed(failure.number)
    except KaguanError as error:  # no number stands for it: a card that is not ours to write to
        answer = Answer(Number.READER_FAILED, str(error))
    success = SUCCESS if answer.number == Number.DONE else answer.number
    told = {"functionName": name, "success": success, "errorno": int(answer.number), "pOutInfo": answer.out}
    return json.dumps(told, ensure_ascii=False)


def _parsed(message: str | bytes) -> dict[str, Any]:
    try:
        given = json.loads(message)
    except (ValueError, RecursionError):
        raise CallFailed(Number.WRONG_PARAMETER) from None
    if not isinstance(given, dict):
        raise CallFailed(Number.WRONG_PARAMETER)
    return given
