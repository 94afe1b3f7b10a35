"""Work and results on their way to another process, secrets and all.

A `Secret` refuses to be pickled, so that no key gets into a log, a queue or a file by accident. Here alone it is let
through: what comes out must go into a pipe that nobody else reads, or be sealed before it goes anywhere.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from typing import Any

from kaguan.vault.secret import Pin, Secret

_PROTOCOL = 5


class _Pickler(pickle.Pickler):
    def reducer_override(self, obj: object) -> Any:
        if isinstance(obj, Secret) and type(obj) in (Secret, Pin):
            return type(obj), (obj.reveal(),)
        return NotImplemented


def dumps(value: object) -> bytes:
    """The value, its secrets readable, as `loads` takes it."""
    buffer = io.BytesIO()
    _Pickler(buffer, _PROTOCOL).dump(value)
    return buffer.getvalue()


def loads(raw: bytes) -> Any:
    """What `dumps` was given. Only for bytes of our own: a pickle of a stranger's is his program."""
    return pickle.loads(raw)  # noqa: S301 - from our own pipe, or opened by our own key


def outcome_of(call: Callable[[], object]) -> bytes:
    """What came of the call, or its exception, for `result_of`."""
    try:
        return dumps((True, call()))
    except Exception as error:  # whatever it is, it is the caller's
        try:
            raw = dumps((False, error))
            loads(raw)
        except Exception:  # an exception that does not survive the way
            return dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))
        return raw


def result_of(raw: bytes) -> Any:
    """What the call gave; or its exception is raised here."""
    done, value = loads(raw)
    if done:
        return value
    raise value
