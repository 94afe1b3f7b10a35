"""Where PINs come from. The calls have no parameter for one: the original library asks its PIN pad."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Protocol

from kaguan.apdu.errors import CodecError
from kaguan.terminal.ministry.number import CallFailed, Number
from kaguan.vault.secret import Pin

_LOOKING_SECONDS = 0.05


class PinPurpose(Enum):
    """What the holder is asked for."""

    CURRENT = "PIN"
    NEW = "new PIN"
    NEW_AGAIN = "new PIN again"


class PinPad(Protocol):
    """A PIN pad, or somebody who stands for one."""

    def ask(self, purpose: PinPurpose) -> Pin:
        """The PIN that the holder enters.

        Raises:
            CallFailed: -31 cancelled, -32 too late, -33 not 4 to 12 digits.
        """
        ...


class NoPinPad:
    """A terminal without a PIN pad: every entry is as good as cancelled."""

    def ask(self, purpose: PinPurpose) -> Pin:
        """Raises: CallFailed: -31, always."""
        raise CallFailed(Number.PIN_CANCELLED)


class FilePinPad:
    """PINs in a file, one a line: the current one, the new one, and the new one again where that is to differ.

    The file is read each time it is needed; a missing or empty line is a cancelled entry. With `wait_seconds` a file
    that is not there may still come; too late is -32.
    """

    def __init__(self, file: Path, *, wait_seconds: float = 0) -> None:
        self._file = file
        self._wait_seconds = wait_seconds

    def ask(self, purpose: PinPurpose) -> Pin:
        """The PIN in the purpose's line."""
        lines = [line.strip() for line in self._text().splitlines()]
        place = list(PinPurpose).index(purpose)
        if purpose is PinPurpose.NEW_AGAIN and len(lines) <= place:
            place = list(PinPurpose).index(PinPurpose.NEW)
        if len(lines) <= place or not lines[place]:
            raise CallFailed(Number.PIN_CANCELLED)
        return entered(lines[place])

    def _text(self) -> str:
        late = time.monotonic() + self._wait_seconds
        while True:
            try:
                return self._file.read_text(encoding="ascii", errors="replace")
            except OSError:
                if not self._wait_seconds:
                    raise CallFailed(Number.PIN_CANCELLED) from None
            if time.monotonic() >= late:
                raise CallFailed(Number.PIN_TIMED_OUT)
            time.sleep(_LOOKING_SECONDS)


class AskingPinPad:
    """PINs that somebody types where nobody else sees them; `prompt` returns None when he gives up."""

    def __init__(self, prompt: Callable[[str], str | None]) -> None:
        self._prompt = prompt

    def ask(self, purpose: PinPurpose) -> Pin:
        """The PIN that was typed."""
        text = self._prompt(purpose.value)
        if text is None:
            raise CallFailed(Number.PIN_CANCELLED)
        return entered(text)


def entered(digits: str) -> Pin:
    """The PIN of these digits.

    Raises:
        CallFailed: -33.
    """
    try:
        return Pin.of(digits)
    except CodecError:
        raise CallFailed(Number.PIN_LENGTH) from None
